/* civil_zone.h - inside of struct zone, for civil.c (asks it) and civil_tzif.c (fills it). */
#ifndef LOA_CIVIL_ZONE_H
#define LOA_CIVIL_ZONE_H

#include "playlists/base/civil.h"

enum { ZONE_TYPES_MAX = 256, ZONE_NAME_MAX = 64, ZONE_FILE_MAX = 256 * 1024 };

/* One date of a footer rule (POSIX.1-2017, 8.3, TZ). */
enum rule_day { DAY_JULIAN, DAY_OF_YEAR, DAY_OF_MONTH_WEEK };
struct change_rule {
    enum rule_day form;
    int day;         /* Jn: 1..365 without 29 February; n: 0..365; M: weekday 0 = Sunday */
    int month, week; /* M: 1..12, 1..5 (5: the last) */
    int32_t second;  /* local second of that day; outside 0..86400 with version 3 */
};

struct zone {
    char name[ZONE_NAME_MAX + 1];
    int64_t *at; /* owned; transitions in UTC, ascending */
    uint8_t *type;
    size_t n;
    int32_t offset[ZONE_TYPES_MAX]; /* seconds east of UTC, by type */
    size_t n_types;
    bool has_footer; /* a rule holds from the last transition on */
    bool footer_dst;
    int32_t std_offset, dst_offset;
    struct change_rule to_dst, to_std;
};

#endif
