/* hours.c - see hours.h. */
#include "playlists/hours.h"

enum { DAY_MIN = 1440 };

static int64_t floor_s(int64_t ms)
{
    return ms >= 0 ? ms / 1000 : -((-ms + 999) / 1000);
}

size_t hours_quiet(const struct config *config, const struct zone *zone, int64_t now_ms,
                   struct quiet_span ret[HOURS_SPANS_MAX])
{
    int64_t today = 0;
    int32_t second = 0;
    size_t n = 0;
    zone_civil(zone, floor_s(now_ms), &today, &second);
    for (size_t i = 0; i < config->n_quiet_hours; i++) {
        const struct day_window *window = &config->quiet_hours[i];
        if (window->from_min == window->to_min)
            continue;
        for (int64_t day = today - 1; day <= today + 2 && n < HOURS_SPANS_MAX; day++) {
            bool over_midnight = window->to_min < window->from_min || window->to_min == DAY_MIN;
            int64_t end_day = over_midnight ? day + 1 : day;
            int32_t end_s = (int32_t)(window->to_min % DAY_MIN) * 60;
            ret[n++] =
                (struct quiet_span){.from_ms = zone_instant_s(zone, day, (int32_t)window->from_min * 60, NULL) * 1000,
                                    .to_ms = zone_instant_s(zone, end_day, end_s, NULL) * 1000};
        }
    }
    return n;
}

int32_t hours_ceiling_mb(const struct config *config, const struct zone *zone, int64_t now_ms)
{
    int64_t day = 0;
    int32_t second = 0;
    int64_t ceiling_mb = 0;
    zone_civil(zone, floor_s(now_ms), &day, &second);
    int64_t minute = second / 60;
    for (size_t i = 0; i < config->n_gain_ceilings; i++) {
        const struct day_window *window = &config->gain_ceilings[i];
        bool inside = window->from_min < window->to_min ? minute >= window->from_min && minute < window->to_min
                                                        : window->from_min != window->to_min &&
                                                              (minute >= window->from_min || minute < window->to_min);
        if (inside && window->gain_mb < ceiling_mb)
            ceiling_mb = window->gain_mb;
    }
    return (int32_t)ceiling_mb;
}
