/* zones.h - time zones and calendars of holidays, loaded once each. One thread for each. */
#ifndef LOA_ZONES_H
#define LOA_ZONES_H

#include "playlists/base/civil.h"
#include "playlists/holidays.h"

struct zones;
/* Folders of zones (NULL: the system's) and of calendars (NULL: those that we bring). */
struct zones *zones_new(const char *dir, const char *calendars);
void zones_free(struct zones *zones);
/* NULL when there is no such zone. Owned by `zones`. */
const struct zone *zones_get(struct zones *zones, const char *name);
/* The calendar with this id, from <calendars>/<id>.cfg. NULL when there is none that can be read. Owned by `zones`. */
const struct holidays *zones_calendar(struct zones *zones, const char *id);

#endif
