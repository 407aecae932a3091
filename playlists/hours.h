/* hours.h - quiet hours and gain ceilings of the configuration, in civil time of its zone; those that hold then, also
 * when they change while the device has no network. Pure. */
#ifndef LOA_HOURS_H
#define LOA_HOURS_H

#include "playlists/arbiter.h"
#include "playlists/base/civil.h"

/* Four days of what holds at one time, and a day more for each change. */
enum { HOURS_SPANS_MAX = (4 + CONFIG_LATER_MAX) * CONFIG_WINDOWS_MAX };

/* Quiet spans of the civil days from yesterday to the day after tomorrow, as instants. Returns how many. */
size_t hours_quiet(const struct config *config, const struct zone *zone, int64_t now_ms,
                   struct quiet_span ret[HOURS_SPANS_MAX]);
/* The lowest ceiling that holds at this instant, hundredths of dB; 0: none. */
int32_t hours_ceiling_mb(const struct config *config, const struct zone *zone, int64_t now_ms);

#endif
