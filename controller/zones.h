/* zones.h - time zones, loaded once each. Loop thread only. */
#ifndef LOA_ZONES_H
#define LOA_ZONES_H

#include "playlists/base/civil.h"

struct zones;
struct zones *zones_new(const char *dir); /* NULL: the system's */
void zones_free(struct zones *zones);
/* NULL when there is no such zone. Owned by `zones`. */
const struct zone *zones_get(struct zones *zones, const char *name);

#endif
