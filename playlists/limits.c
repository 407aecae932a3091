/* limits.c - see limits.h. */
#include "playlists/limits.h"

#include <stdlib.h>
#include <string.h>

const char *const limit_what_names[] = {
    "quiet_hours", "gain_ceiling", "sessions_per_day", "minutes_per_session", "minutes_per_day", "weekdays", NULL};
const char *const limit_action_names[] = {"warn", "refuse", NULL};
const char *const noise_class_names[] = {"ordinary", "special", NULL};

const struct day_window limits_quiet_default = {.from_min = 21 * 60, .to_min = 5 * 60};

static bool line_holds(const struct limit_line *line, enum limit_what what, enum limit_action action, int64_t at_ms)
{
    return line->what == what && line->action == action && at_ms >= line->from_ms &&
           (line->until_ms == 0 || at_ms < line->until_ms);
}

int64_t limits_day(const struct limits *limits, int64_t at_ms)
{
    int64_t day;
    int32_t second;
    /* Before 1970 only fails to be exact to the second. */
    zone_civil(limits->zone, at_ms / 1000, &day, &second);
    return day;
}

struct spans {
    struct limit_span *at;
    size_t n, cap;
};

static void add_span(struct spans *spans, int64_t from_ms, int64_t to_ms)
{
    if (from_ms >= to_ms)
        return;
    if (spans->n == spans->cap) {
        spans->cap = spans->cap ? spans->cap * 2 : 64;
        spans->at = realloc(spans->at, spans->cap * sizeof(spans->at[0]));
        if (!spans->at)
            abort();
    }
    spans->at[spans->n++] = (struct limit_span){from_ms, to_ms};
}

/* Days are walked from the one before, whose window may reach over midnight. */
static void add_line(struct spans *spans, const struct zone *zone, const struct limit_line *line, int64_t from_ms,
                     int64_t to_ms, int64_t first_day, int64_t last_day)
{
    if (line->from_ms > from_ms)
        from_ms = line->from_ms;
    if (line->until_ms != 0 && line->until_ms < to_ms)
        to_ms = line->until_ms;
    for (int64_t day = first_day - 1; day <= last_day; day++)
        for (size_t i = 0; i < line->n_windows; i++) {
            const struct day_window *w = &line->windows[i];
            int64_t end_day = w->to_min <= w->from_min ? day + 1 : day;
            int64_t begin_ms = zone_instant_s(zone, day, (int32_t)w->from_min * 60, NULL) * 1000;
            int64_t end_ms = zone_instant_s(zone, end_day + w->to_min / 1440, (int32_t)(w->to_min % 1440) * 60, NULL);
            end_ms *= 1000;
            add_span(spans, begin_ms > from_ms ? begin_ms : from_ms, end_ms < to_ms ? end_ms : to_ms);
        }
}

static int span_cmp(const void *a, const void *b)
{
    const struct limit_span *x = a, *y = b;
    return (x->from_ms > y->from_ms) - (x->from_ms < y->from_ms);
}

static size_t join(struct limit_span *spans, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (kept > 0 && spans[i].from_ms <= spans[kept - 1].to_ms) {
            if (spans[i].to_ms > spans[kept - 1].to_ms)
                spans[kept - 1].to_ms = spans[i].to_ms;
        } else {
            spans[kept++] = spans[i];
        }
    }
    return kept;
}

size_t limits_quiet_spans(const struct limits *limits, enum limit_action action, int64_t from_ms, int64_t to_ms,
                          struct limit_span **ret)
{
    struct spans spans = {0};
    *ret = NULL;
    if (!limits->zone)
        return 0;
    for (size_t i = 0; i < limits->n_lines; i++)
        if (limits->lines[i].what == LIMIT_QUIET_HOURS && limits->lines[i].action == action)
            add_line(&spans, limits->zone, &limits->lines[i], from_ms, to_ms, limits_day(limits, from_ms),
                     limits_day(limits, to_ms));
    if (spans.n > 0)
        qsort(spans.at, spans.n, sizeof(spans.at[0]), span_cmp);
    *ret = spans.at;
    return join(spans.at, spans.n);
}

int64_t limits_span_from(const struct limit_span *spans, size_t n, int64_t from_ms, int64_t to_ms)
{
    size_t low = 0, high = n; /* the first that ends behind from_ms */
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (spans[mid].to_ms <= from_ms)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == n || spans[low].from_ms >= to_ms)
        return to_ms;
    return spans[low].from_ms > from_ms ? spans[low].from_ms : from_ms;
}

int64_t limits_quiet_from(const struct limits *limits, enum limit_action action, int64_t from_ms, int64_t to_ms,
                          const struct limit_line **ret_line)
{
    int64_t first_ms = to_ms;
    for (size_t i = 0; i < limits->n_lines; i++) {
        struct limits one = {.zone = limits->zone, .lines = &limits->lines[i], .n_lines = 1};
        struct limit_span *spans;
        size_t n = limits_quiet_spans(&one, action, from_ms, to_ms, &spans);
        int64_t hit_ms = limits_span_from(spans, n, from_ms, first_ms);
        if (hit_ms < first_ms && ret_line)
            *ret_line = &limits->lines[i];
        first_ms = hit_ms;
        free(spans);
    }
    return first_ms;
}

int64_t limits_number(const struct limits *limits, enum limit_what what, enum limit_action action, int64_t at_ms,
                      const struct limit_line **ret_line)
{
    int64_t lowest = INT64_MAX;
    for (size_t i = 0; limits->zone && i < limits->n_lines; i++) {
        const struct limit_line *line = &limits->lines[i];
        if (!line_holds(line, what, action, at_ms) || line->number >= lowest)
            continue;
        lowest = line->number;
        if (ret_line)
            *ret_line = line;
    }
    return lowest;
}

bool limits_day_open(const struct limits *limits, enum limit_action action, int64_t at_ms,
                     const struct limit_line **ret_line)
{
    for (size_t i = 0; limits->zone && i < limits->n_lines; i++) {
        const struct limit_line *line = &limits->lines[i];
        if (!line_holds(line, LIMIT_WEEKDAYS, action, at_ms) ||
            line->weekdays & 1U << (civil_weekday(limits_day(limits, at_ms)) - 1))
            continue;
        if (ret_line)
            *ret_line = line;
        return false;
    }
    return true;
}

const char *limits_exempt(const struct limits *limits, enum limit_what what, int64_t at_ms)
{
    const char *order = NULL;
    if (!limits->zone || limits->n_exemptions == 0)
        return NULL;
    int64_t day = limits_day(limits, at_ms);
    for (size_t i = 0; i < limits->n_exemptions; i++) {
        const struct exemption *e = &limits->exemptions[i];
        if (e->limits & 1U << what && day >= e->from_date && day <= e->until_date &&
            (!order || strcmp(e->order, order) < 0))
            order = e->order;
    }
    return order;
}
