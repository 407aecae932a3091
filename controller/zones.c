/* zones.c - see zones.h. */
#include "controller/zones.h"

#include "playlists/base/bytes.h"
#include "playlists/base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ZONES_MAX = 64, CALENDARS_MAX = 64 };

struct zones {
    char *dir;
    struct zone *zone[ZONES_MAX];
    size_t n;
    char *calendars;
    struct holidays *calendar[CALENDARS_MAX];
    size_t n_calendars;
};

struct zones *zones_new(const char *dir, const char *calendars)
{
    struct zones *zones = xcalloc(1, sizeof(*zones));
    zones->dir = dir ? xstrdup(dir) : NULL;
    zones->calendars = xstrdup(calendars ? calendars : LOA_CALENDARS_DIR);
    return zones;
}

void zones_free(struct zones *zones)
{
    if (!zones)
        return;
    for (size_t i = 0; i < zones->n; i++)
        zone_free(zones->zone[i]);
    for (size_t i = 0; i < zones->n_calendars; i++)
        holidays_free(zones->calendar[i]);
    free(zones->calendars);
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

const struct holidays *zones_calendar(struct zones *zones, const char *id)
{
    for (size_t i = 0; i < zones->n_calendars; i++)
        if (strcmp(holidays_id(zones->calendar[i]), id) == 0)
            return zones->calendar[i];
    if (!id_valid(id) || zones->n_calendars == CALENDARS_MAX)
        return NULL;
    struct holidays *calendar = NULL;
    struct complaint why;
    char *path = xasprintf("%s/%s.cfg", zones->calendars, id);
    int r = holidays_load(path, &calendar, &why);
    free(path);
    if (r == 0 && strcmp(holidays_id(calendar), id) == 0)
        return zones->calendar[zones->n_calendars++] = calendar;
    if (r == 0)
        log_warn("zones", "calendar=%s file calls itself %s, not used", id, holidays_id(calendar));
    else if (r != -ENOENT)
        log_warn("zones", "calendar=%s %s; not used", id, why.text);
    holidays_free(calendar);
    return NULL;
}
