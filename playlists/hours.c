/* hours.c - see hours.h. */
#include "playlists/hours.h"

enum { DAY_MIN = 1440 };

/* What holds from one moment to the next. */
struct period {
    int64_t from_ms, until_ms;
    const struct day_window *quiet, *ceilings;
    size_t n_quiet, n_ceilings;
};

static int64_t floor_s(int64_t ms)
{
    return ms >= 0 ? ms / 1000 : -((-ms + 999) / 1000);
}

/* The first, or that of a later change; i is 0 to n_later. */
static struct period period_of(const struct config *config, size_t i)
{
    struct period period = {INT64_MIN,
                            i < config->n_later ? config->later[i].from_ms : INT64_MAX,
                            config->quiet_hours,
                            config->gain_ceilings,
                            config->n_quiet_hours,
                            config->n_gain_ceilings};
    if (i > 0) {
        const struct config_hours *hours = &config->later[i - 1];
        period.from_ms = hours->from_ms;
        period.quiet = hours->quiet_hours;
        period.n_quiet = hours->n_quiet_hours;
        period.ceilings = hours->gain_ceilings;
        period.n_ceilings = hours->n_gain_ceilings;
    }
    return period;
}

/* The window of this day, as far as it lies within the period. */
static struct quiet_span span_of(const struct period *period, const struct day_window *window, const struct zone *zone,
                                 int64_t day)
{
    bool over_midnight = window->to_min < window->from_min || window->to_min == DAY_MIN;
    int32_t from_s = (int32_t)window->from_min * 60, to_s = (int32_t)(window->to_min % DAY_MIN) * 60;
    int64_t from_ms = zone_instant_s(zone, day, from_s, NULL) * 1000;
    int64_t to_ms = zone_instant_s(zone, over_midnight ? day + 1 : day, to_s, NULL) * 1000;
    return (struct quiet_span){from_ms > period->from_ms ? from_ms : period->from_ms,
                               to_ms < period->until_ms ? to_ms : period->until_ms};
}

static size_t put_period(const struct period *period, const struct zone *zone, int64_t today, size_t n,
                         struct quiet_span ret[HOURS_SPANS_MAX])
{
    for (size_t i = 0; i < period->n_quiet; i++)
        for (int64_t day = today - 1; day <= today + 2 && n < HOURS_SPANS_MAX; day++) {
            struct quiet_span span = span_of(period, &period->quiet[i], zone, day);
            if (span.from_ms < span.to_ms)
                ret[n++] = span;
        }
    return n;
}

size_t hours_quiet(const struct config *config, const struct zone *zone, int64_t now_ms,
                   struct quiet_span ret[HOURS_SPANS_MAX])
{
    int64_t today = 0;
    int32_t second = 0;
    size_t n = 0;
    zone_civil(zone, floor_s(now_ms), &today, &second);
    for (size_t i = 0; i <= config->n_later; i++) {
        struct period period = period_of(config, i);
        n = put_period(&period, zone, today, n, ret);
    }
    return n;
}

static bool is_inside(const struct day_window *window, int64_t minute)
{
    if (window->from_min < window->to_min)
        return minute >= window->from_min && minute < window->to_min;
    return window->from_min != window->to_min && (minute >= window->from_min || minute < window->to_min);
}

int32_t hours_ceiling_mb(const struct config *config, const struct zone *zone, int64_t now_ms)
{
    int64_t day = 0, ceiling_mb = 0;
    int32_t second = 0;
    zone_civil(zone, floor_s(now_ms), &day, &second);
    size_t last = 0;
    while (last < config->n_later && config->later[last].from_ms <= now_ms)
        last++;
    struct period period = period_of(config, last);
    for (size_t i = 0; i < period.n_ceilings; i++)
        if (is_inside(&period.ceilings[i], second / 60) && period.ceilings[i].gain_mb < ceiling_mb)
            ceiling_mb = period.ceilings[i].gain_mb;
    return (int32_t)ceiling_mb;
}
