/* recur.c - see recur.h. Whether a day holds is asked day by day; only the days that hold are turned into instants. */
#include "playlists/recur.h"

#include "playlists/lunar.h"

#include <stdlib.h>
#include <string.h>

const char *const recur_when_names[] = {"once",  "daily",      "weekly",      "monthly",  "monthly_nth",
                                        "every", "lunar_days", "lunar_dates", "holidays", NULL};
const char *const recur_holidays_names[] = {"usual", "skip", "only", NULL};
const char *const recur_leap_names[] = {"no", "only", "both", NULL};

enum { DAY_S = 86400, LAST_DAY = 2932896, AROUND_DAYS = 3 }; /* 9999-12-31; offsets are below 26 hours */

int recur_parse_day(const char *text, bool lunar, uint8_t *ret_month, uint8_t *ret_day)
{
    static const char digits[] = "0123456789";
    if (!text || strlen(text) != 5 || text[2] != '-' || strspn(text, digits) != 2 || strspn(text + 3, digits) != 2)
        return ERR_FORMAT;
    int month = (text[0] - '0') * 10 + text[1] - '0', day = (text[3] - '0') * 10 + text[4] - '0';
    if (lunar ? month < 1 || month > 12 || day < 1 || day > 30 : !civil_date_valid(2000, month, day))
        return ERR_FORMAT;
    *ret_month = (uint8_t)month;
    *ret_day = (uint8_t)day;
    return 0;
}

/* A day, and what is asked of it only when a rule needs it. */
struct facts {
    int64_t day;
    int year, month, month_day; /* month 0: not asked yet */
    struct lunar_date lunar;
    bool lunar_asked, lunar_known;
};

static void ask_civil(struct facts *facts)
{
    if (facts->month == 0)
        civil_date(facts->day, &facts->year, &facts->month, &facts->month_day);
}

static bool ask_lunar(struct facts *facts)
{
    if (!facts->lunar_asked)
        facts->lunar_known = lunar_date(facts->day, &facts->lunar) == 0;
    facts->lunar_asked = true;
    return facts->lunar_known;
}

static int days_of_month(struct facts *facts)
{
    ask_civil(facts);
    int day = 28;
    while (day < 31 && civil_date_valid(facts->year, facts->month, day + 1))
        day++;
    return day;
}

static bool bit(uint32_t mask, int n)
{
    return mask >> n & 1;
}

static bool between(int from, int to, int key)
{
    return from <= to ? key >= from && key <= to : key >= from || key <= to;
}

static bool in_lunar_range(const struct recur_range *range, struct facts *facts)
{
    enum { LEAP = 32, MONTH = 64 }; /* days of a plain month, then of its leap month */
    if (!ask_lunar(facts))
        return false;
    const struct lunar_date *is = &facts->lunar;
    if (range->from_month == range->to_month && range->from_day <= range->to_day)
        return is->month == range->from_month && is->day >= range->from_day && is->day <= range->to_day &&
               (range->leap == LEAP_BOTH || is->leap == (range->leap == LEAP_ONLY));
    return between(range->from_month * MONTH + range->from_day, range->to_month * MONTH + range->to_day,
                   is->month * MONTH + is->leap * LEAP + is->day);
}

static bool in_range(const struct recur_range *range, bool lunar, struct facts *facts)
{
    if (lunar)
        return in_lunar_range(range, facts);
    ask_civil(facts);
    return between(range->from_month * 32 + range->from_day, range->to_month * 32 + range->to_day,
                   facts->month * 32 + facts->month_day);
}

static bool is_holiday(const struct recurrence *recur, int64_t day)
{
    uint64_t wanted = recur->calendar_days ? recur->calendar_days : UINT64_MAX;
    return recur->calendar && (holidays_on(recur->calendar, day) & wanted);
}

static bool on_nth(const struct recurrence *recur, struct facts *facts)
{
    if (!bit(recur->weekdays, civil_weekday(facts->day) - 1))
        return false;
    ask_civil(facts);
    return bit(recur->nths, (facts->month_day - 1) / 7 + 1) ||
           ((recur->nths & RECUR_LAST) && facts->month_day > 21 && facts->month_day + 7 > days_of_month(facts));
}

static bool on_month_day(const struct recurrence *recur, struct facts *facts)
{
    ask_civil(facts);
    return bit(recur->month_days, facts->month_day) ||
           ((recur->month_days & RECUR_LAST) && facts->month_day > 27 && facts->month_day == days_of_month(facts));
}

static bool on_lunar_day(const struct recurrence *recur, struct facts *facts)
{
    return ask_lunar(facts) && (bit(recur->lunar_days, facts->lunar.day) ||
                                ((recur->lunar_days & RECUR_LAST) && facts->lunar.day == facts->lunar.month_days));
}

static bool on_when(const struct recurrence *recur, struct facts *facts)
{
    switch (recur->when) {
    case WHEN_ONCE:
        return facts->day == recur->date;
    case WHEN_DAILY:
        return true;
    case WHEN_WEEKLY:
        return bit(recur->weekdays, civil_weekday(facts->day) - 1);
    case WHEN_MONTHLY:
        return on_month_day(recur, facts);
    case WHEN_MONTHLY_NTH:
        return on_nth(recur, facts);
    case WHEN_EVERY:
        return recur->every_days > 0 && (facts->day - recur->anchor) % recur->every_days == 0;
    case WHEN_LUNAR_DAYS:
        return on_lunar_day(recur, facts);
    case WHEN_LUNAR_DATES:
        for (size_t i = 0; i < recur->n_lunar_dates; i++)
            if (in_lunar_range(&recur->lunar_dates[i], facts))
                return true;
        return false;
    case WHEN_HOLIDAYS:
        return is_holiday(recur, facts->day);
    }
    return false;
}

static bool in_season(const struct recurrence *recur, struct facts *facts)
{
    for (size_t i = 0; i < recur->n_seasons; i++)
        if (in_range(&recur->seasons[i], recur->seasons[i].lunar, facts))
            return true;
    return recur->n_seasons == 0;
}

static int day_cmp(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static bool is_exception(const struct recurrence *recur, int64_t day)
{
    return recur->n_except && bsearch(&day, recur->except, recur->n_except, sizeof(recur->except[0]), day_cmp) != NULL;
}

bool recur_on(const struct recurrence *recur, int64_t day)
{
    struct facts facts = {.day = day};
    bool once = recur->when == WHEN_ONCE;
    if (!once && (day < recur->from_date || day > recur->until_date))
        return false;
    if (!on_when(recur, &facts) || is_exception(recur, day))
        return false;
    if (once)
        return true;
    if (recur->holidays != ON_HOLIDAYS_USUAL && recur->when != WHEN_HOLIDAYS &&
        is_holiday(recur, day) != (recur->holidays == ON_HOLIDAYS_ONLY))
        return false;
    return in_season(recur, &facts);
}

/* Instants of one zone, asked in rising order. Between two changes of its offset they are a subtraction; near a change
 * the zone itself is asked. */
struct dial {
    const struct zone *zone;
    int32_t offset_s;
    int64_t from_s, until_s; /* offset_s holds in [from_s, until_s) */
};

static void dial_to(struct dial *dial, int64_t unix_s)
{
    dial->from_s = unix_s;
    dial->offset_s = zone_offset_s(dial->zone, unix_s);
    if (!zone_next_change(dial->zone, unix_s, &dial->until_s))
        dial->until_s = INT64_MAX;
}

static int64_t dial_instant_s(struct dial *dial, int64_t day, int32_t second)
{
    int64_t at_s = day * DAY_S + second - dial->offset_s;
    while (at_s >= dial->until_s) {
        dial_to(dial, dial->until_s);
        at_s = day * DAY_S + second - dial->offset_s;
    }
    if (at_s - AROUND_DAYS * DAY_S >= dial->from_s &&
        (dial->until_s == INT64_MAX || at_s + AROUND_DAYS * DAY_S < dial->until_s))
        return at_s;
    return zone_instant_s(dial->zone, day, second, NULL);
}

struct window {
    int64_t from_s, until_s; /* [from_s, until_s) */
    int64_t *at_s;
    size_t n, cap;
};

/* Keep the `cap` earliest. What comes is nearly in order. */
static void put(struct window *window, int64_t at_s)
{
    size_t i = window->n;
    if (at_s < window->from_s || at_s >= window->until_s)
        return;
    while (i > 0 && window->at_s[i - 1] > at_s)
        i--;
    if (i == window->cap || (i > 0 && window->at_s[i - 1] == at_s))
        return;
    window->n += window->n < window->cap;
    memmove(&window->at_s[i + 1], &window->at_s[i], (window->n - i - 1) * sizeof(window->at_s[0]));
    window->at_s[i] = at_s;
}

static size_t sorted_times(const struct recurrence *recur, int32_t *ret)
{
    size_t n = 0;
    for (; n < recur->n_times && n < RECUR_TIMES_MAX; n++) {
        size_t i = n;
        for (; i > 0 && ret[i - 1] > recur->times[n]; i--)
            ret[i] = ret[i - 1];
        ret[i] = recur->times[n];
    }
    return n;
}

static int64_t ceil_s(int64_t ms)
{
    return ms / 1000 + (ms % 1000 > 0);
}

/* The first day from `day` on that the recurrence's step can reach. */
static int64_t step_to(const struct recurrence *recur, int64_t day)
{
    if (recur->when == WHEN_ONCE)
        return day <= recur->date ? recur->date : INT64_MAX;
    if (recur->when != WHEN_EVERY || recur->every_days <= 0)
        return day;
    int64_t over = (day - recur->anchor) % recur->every_days;
    return over == 0 ? day : day - over + (over > 0 ? recur->every_days : 0);
}

/* The days whose times can fall into the window. */
static void bound_days(const struct recurrence *recur, const struct window *window, int64_t *ret_first,
                       int64_t *ret_last)
{
    int64_t first = window->from_s / DAY_S - AROUND_DAYS, last = window->until_s / DAY_S + AROUND_DAYS;
    bool lunar = recur->when == WHEN_LUNAR_DAYS || recur->when == WHEN_LUNAR_DATES;
    if (recur->when != WHEN_ONCE) {
        first = first < recur->from_date ? recur->from_date : first;
        last = last > recur->until_date ? recur->until_date : last;
    }
    if (lunar && last > lunar_last_day())
        last = lunar_last_day();
    *ret_first = first;
    *ret_last = last > LAST_DAY ? LAST_DAY : last;
}

size_t recur_expand(const struct recurrence *recur, int64_t from_ms, int64_t until_ms, int64_t *ret_start_s, size_t cap)
{
    struct window window = {ceil_s(from_ms < 0 ? 0 : from_ms), ceil_s(until_ms), ret_start_s, 0, cap};
    struct dial dial = {.zone = recur->zone};
    int32_t times[RECUR_TIMES_MAX];
    size_t n_times = sorted_times(recur, times);
    int64_t first, last;
    if (cap == 0 || window.from_s >= window.until_s)
        return 0;
    bound_days(recur, &window, &first, &last);
    dial_to(&dial, (first - 2 * AROUND_DAYS) * DAY_S);
    for (int64_t day = step_to(recur, first); day <= last; day = step_to(recur, day + 1)) {
        if (window.n == cap && (day - AROUND_DAYS) * DAY_S > window.at_s[cap - 1])
            break;
        if (recur_on(recur, day))
            for (size_t i = 0; i < n_times; i++)
                put(&window, dial_instant_s(&dial, day, times[i]));
    }
    return window.n;
}

int64_t recur_last_s(const struct recurrence *recur)
{
    bool once = recur->when == WHEN_ONCE;
    int64_t from = once ? recur->date : recur->from_date, day = once ? recur->date : recur->until_date;
    int64_t last_s = INT64_MIN;
    if (day == INT64_MAX)
        return INT64_MAX;
    from = from < 0 ? 0 : from;
    day = day > LAST_DAY ? LAST_DAY : day;
    while (day >= from && !recur_on(recur, day))
        day--;
    for (size_t i = 0; day >= from && i < recur->n_times && i < RECUR_TIMES_MAX; i++) {
        int64_t at_s = zone_instant_s(recur->zone, day, recur->times[i], NULL);
        last_s = at_s > last_s ? at_s : last_s;
    }
    return last_s;
}
