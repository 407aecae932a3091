/* zones.c - see zones.h. */
#include "controller/zones.h"

#include "playlists/base/bytes.h"

#include <stdlib.h>
#include <string.h>

enum { ZONES_MAX = 64 };

struct zones {
    char *dir;
    struct zone *zone[ZONES_MAX];
    size_t n;
};

struct zones *zones_new(const char *dir)
{
    struct zones *zones = xcalloc(1, sizeof(*zones));
    zones->dir = dir ? xstrdup(dir) : NULL;
    return zones;
}

void zones_free(struct zones *zones)
{
    if (!zones)
        return;
    for (size_t i = 0; i < zones->n; i++)
        zone_free(zones->zone[i]);
    free(zones->dir);
    free(zones);
}

const struct zone *zones_get(struct zones *zones, const char *name)
{
    for (size_t i = 0; i < zones->n; i++)
        if (strcmp(zone_name(zones->zone[i]), name) == 0)
            return zones->zone[i];
    struct zone *zone = NULL;
    if (zones->n == ZONES_MAX || zone_load(zones->dir, name, &zone, NULL) < 0)
        return NULL;
    zones->zone[zones->n++] = zone;
    return zone;
}
