/* random_rule.h - a random recurrence of any kind, for property tests. */
#ifndef LOA_UNIT_RANDOM_RULE_H
#define LOA_UNIT_RANDOM_RULE_H

#include "playlists/recur.h"
#include "seed.h"

#include <string.h>

struct random_rule {
    struct recurrence recur;
    struct recur_range dates[3], seasons[2];
    int64_t except[20];
};

static inline int random_rule_cmp(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static inline struct recur_range random_range(bool lunar)
{
    struct recur_range range = {.lunar = lunar};
    range.from_month = (uint8_t)seed_between(1, 13);
    range.from_day = (uint8_t)seed_between(1, lunar ? 31 : 29);
    range.to_month = (uint8_t)seed_between(1, 13);
    range.to_day = (uint8_t)seed_between(1, lunar ? 31 : 29);
    if (seed_between(0, 2)) {
        range.to_month = range.from_month;
        range.to_day = (uint8_t)seed_between(range.from_day, 31);
        range.leap = lunar ? (enum recur_leap)seed_between(0, 3) : LEAP_NO;
    }
    return range;
}

/* Points into *ret: it must stay where it is. */
static inline void random_rule(struct random_rule *ret, const struct holidays *calendar, const struct zone *zone)
{
    memset(ret, 0, sizeof(*ret));
    struct recurrence *recur = &ret->recur;
    int64_t near = seed_between(0, 60000);
    recur->when = (enum recur_when)seed_between(WHEN_ONCE, WHEN_HOLIDAYS + 1);
    recur->zone = zone;
    recur->n_times = (size_t)seed_between(1, 5);
    for (size_t i = 0; i < recur->n_times; i++)
        recur->times[i] = (int32_t)(seed_between(0, 4) ? seed_between(0, 86400) : seed_between(0, 24) * 3600 + 1800);
    recur->date = near;
    recur->from_date = seed_between(0, 3) ? INT64_MIN : near;
    recur->until_date = seed_between(0, 3) ? INT64_MAX : near + seed_between(0, 4000);
    recur->weekdays = (uint8_t)seed_between(1, 128);
    recur->nths = (uint8_t)seed_between(1, 64);
    recur->month_days = (uint32_t)(seed_between(0, 2) ? seed_between(1, 1LL << 32) : 1LL << seed_between(0, 32));
    recur->lunar_days = (uint32_t)seed_between(1, 1LL << 31);
    recur->every_days = (int32_t)seed_between(1, seed_between(0, 2) ? 10 : RECUR_EVERY_MAX + 1);
    recur->anchor = near;
    recur->n_lunar_dates = (size_t)seed_between(1, 4);
    for (size_t i = 0; i < recur->n_lunar_dates; i++)
        ret->dates[i] = random_range(true);
    recur->lunar_dates = ret->dates;
    recur->n_seasons = seed_between(0, 3) ? 0 : (size_t)seed_between(1, 3);
    for (size_t i = 0; i < recur->n_seasons; i++)
        ret->seasons[i] = random_range(seed_between(0, 2));
    recur->seasons = ret->seasons;
    recur->n_except = (size_t)seed_between(0, 20);
    for (size_t i = 0; i < recur->n_except; i++)
        ret->except[i] = near + seed_between(-30, 100);
    qsort(ret->except, recur->n_except, sizeof(ret->except[0]), random_rule_cmp);
    recur->except = ret->except;
    recur->calendar = calendar;
    recur->holidays = seed_between(0, 3) ? ON_HOLIDAYS_USUAL : (enum recur_holidays)seed_between(0, 3);
    recur->calendar_days = seed_between(0, 2) ? 0 : (uint64_t)seed_between(1, 64);
}

#endif
