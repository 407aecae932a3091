/* limits_config.c - of all limits, what the device itself keeps; see limits_store.h. */
#include "controller/limits_store.h"

#include <string.h>

enum { DAY_MIN = 1440 };

/* What holds in each minute of the day: 0 nothing, else the value. */
struct day {
    int64_t value[DAY_MIN];
};

static void mark(struct day *day, const struct day_window *w, int64_t value)
{
    if (w->from_min == w->to_min)
        return;
    int64_t len = w->from_min < w->to_min ? w->to_min - w->from_min : DAY_MIN - w->from_min + w->to_min;
    for (int64_t i = 0; i < len; i++) {
        int64_t *at = &day->value[(w->from_min + i) % DAY_MIN];
        *at = value < *at ? value : *at;
    }
}

/* Of two neighbours, those that are nearest become one, with the stricter value. */
static size_t join_nearest(struct day_window *runs, size_t n)
{
    size_t best = 0;
    for (size_t i = 1; i + 1 < n; i++)
        if (runs[i + 1].from_min - runs[i].to_min < runs[best + 1].from_min - runs[best].to_min)
            best = i;
    runs[best].to_min = runs[best + 1].to_min;
    runs[best].gain_mb = runs[best + 1].gain_mb < runs[best].gain_mb ? runs[best + 1].gain_mb : runs[best].gain_mb;
    memmove(&runs[best + 1], &runs[best + 2], (n - best - 2) * sizeof(runs[0]));
    return n - 1;
}

static struct day_window *runs_of(const struct day *day, struct arena *arena, size_t *ret_n)
{
    struct day_window *runs = arena_alloc(arena, (CONFIG_WINDOWS_MAX + 2) * sizeof(*runs));
    size_t n = 0;
    for (int64_t i = 0; i < DAY_MIN; i++) {
        int64_t value = day->value[i];
        if (value == 0)
            continue;
        if (n > 0 && runs[n - 1].to_min == i && runs[n - 1].gain_mb == value)
            runs[n - 1].to_min = i + 1;
        else
            runs[n++] = (struct day_window){.from_min = i, .to_min = i + 1, .gain_mb = value};
        if (n > CONFIG_WINDOWS_MAX + 1)
            n = join_nearest(runs, n);
    }
    /* What runs over midnight is one window. */
    if (n > 1 && runs[0].from_min == 0 && runs[n - 1].to_min == DAY_MIN && runs[0].gain_mb == runs[n - 1].gain_mb) {
        runs[n - 1].to_min = runs[0].to_min;
        memmove(runs, runs + 1, --n * sizeof(runs[0]));
    }
    while (n > CONFIG_WINDOWS_MAX)
        n = join_nearest(runs, n);
    *ret_n = n;
    return runs;
}

/* A line that the device keeps. */
static bool kept(const struct limit_line *line)
{
    return line->action == LIMIT_REFUSE && (line->what == LIMIT_QUIET_HOURS || line->what == LIMIT_GAIN_CEILING);
}

static struct config_hours hours_at(const struct limits *limits, int64_t at_ms, struct arena *arena)
{
    struct day quiet = {0}, ceiling = {0};
    struct config_hours hours = {.from_ms = at_ms};
    for (size_t i = 0; i < limits->n_lines; i++) {
        const struct limit_line *line = &limits->lines[i];
        bool holds = line->from_ms <= at_ms && (line->until_ms == 0 || at_ms < line->until_ms);
        for (size_t j = 0; holds && kept(line) && j < line->n_windows; j++) {
            if (line->what == LIMIT_QUIET_HOURS)
                mark(&quiet, &line->windows[j], -1);
            else
                mark(&ceiling, &line->windows[j], line->windows[j].gain_mb);
        }
    }
    hours.quiet_hours = runs_of(&quiet, arena, &hours.n_quiet_hours);
    hours.gain_ceilings = runs_of(&ceiling, arena, &hours.n_gain_ceilings);
    for (size_t i = 0; i < hours.n_quiet_hours; i++)
        hours.quiet_hours[i].gain_mb = 0;
    return hours;
}

/* When a line begins or ends after at_ms; INT64_MAX: none does. */
static int64_t next_change(const struct limits *limits, int64_t at_ms)
{
    int64_t next_ms = INT64_MAX;
    for (size_t i = 0; i < limits->n_lines; i++) {
        const struct limit_line *line = &limits->lines[i];
        if (kept(line) && line->from_ms > at_ms && line->from_ms < next_ms)
            next_ms = line->from_ms;
        if (kept(line) && line->until_ms > at_ms && line->until_ms < next_ms)
            next_ms = line->until_ms;
    }
    return next_ms;
}

static bool same_windows(const struct day_window *a, size_t n_a, const struct day_window *b, size_t n_b)
{
    bool same = n_a == n_b;
    for (size_t i = 0; same && i < n_a; i++)
        same = a[i].from_min == b[i].from_min && a[i].to_min == b[i].to_min && a[i].gain_mb == b[i].gain_mb;
    return same;
}

static bool same_hours(const struct config_hours *a, const struct config_hours *b)
{
    return same_windows(a->quiet_hours, a->n_quiet_hours, b->quiet_hours, b->n_quiet_hours) &&
           same_windows(a->gain_ceilings, a->n_gain_ceilings, b->gain_ceilings, b->n_gain_ceilings);
}

void limits_config(const struct limits *limits, int64_t now_ms, struct arena *arena, struct config *ret)
{
    struct config_hours hours = hours_at(limits, now_ms, arena);
    ret->quiet_hours = hours.quiet_hours;
    ret->n_quiet_hours = hours.n_quiet_hours;
    ret->gain_ceilings = hours.gain_ceilings;
    ret->n_gain_ceilings = hours.n_gain_ceilings;
    ret->later = arena_alloc(arena, CONFIG_LATER_MAX * sizeof(ret->later[0]));
    ret->n_later = 0;
    for (int64_t at_ms = next_change(limits, now_ms); at_ms < INT64_MAX && ret->n_later < CONFIG_LATER_MAX;
         at_ms = next_change(limits, at_ms)) {
        struct config_hours next = hours_at(limits, at_ms, arena);
        if (!same_hours(&hours, &next))
            ret->later[ret->n_later++] = hours = next;
    }
}
