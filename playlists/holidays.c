/* holidays.c - see holidays.h. The days of all known years are worked out when the file is read. */
#include "playlists/holidays.h"

#include "playlists/base/bytes.h"
#include "playlists/base/cfg.h"
#include "playlists/base/civil.h"
#include "playlists/lunar.h"
#include "playlists/recur.h"

#include <stdlib.h>
#include <string.h>

enum {
    YEARS = LUNAR_LAST_YEAR - LUNAR_FIRST_YEAR + 1,
    AROUND_MAX = 15, /* days before and behind the day itself */
    CHOSEN_MAX = 250,
    TEXT_MAX = 400,
};

struct on {
    int64_t day;
    uint64_t bits;
};

struct holidays {
    char *id;
    struct holiday at[HOLIDAYS_MAX];
    size_t n;
    struct on *on; /* ascending, each day once */
    size_t n_on, cap_on;
};

/* One entry of the file: the day that it is about, and the span around it. */
struct entry {
    bool lunar;
    uint8_t month, day;
    int64_t before, behind;
};

static void add_day(struct holidays *holidays, int64_t day, uint64_t bits)
{
    if (holidays->n_on == holidays->cap_on) {
        holidays->cap_on = holidays->cap_on ? holidays->cap_on * 2 : 1024;
        holidays->on = realloc(holidays->on, holidays->cap_on * sizeof(holidays->on[0]));
        if (!holidays->on)
            abort();
    }
    holidays->on[holidays->n_on++] = (struct on){day, bits};
}

static int on_cmp(const void *a, const void *b)
{
    const struct on *x = a, *y = b;
    return (x->day > y->day) - (x->day < y->day);
}

static void sort_days(struct holidays *holidays)
{
    size_t n = 0;
    if (holidays->n_on)
        qsort(holidays->on, holidays->n_on, sizeof(holidays->on[0]), on_cmp);
    for (size_t i = 0; i < holidays->n_on; i++) {
        if (n > 0 && holidays->on[n - 1].day == holidays->on[i].day)
            holidays->on[n - 1].bits |= holidays->on[i].bits;
        else
            holidays->on[n++] = holidays->on[i];
    }
    holidays->n_on = n;
}

static uint64_t bits_on(const struct on *sorted, size_t n, int64_t day)
{
    struct on wanted = {.day = day};
    const struct on *found = n ? bsearch(&wanted, sorted, n, sizeof(wanted), on_cmp) : NULL;
    return found ? found->bits : 0;
}

static int read_entry(const struct cfg_node *node, struct entry *ret, struct complaint *why)
{
    const char *solar = NULL, *lunar = NULL;
    if (cfg_text(node, "solar", false, 5, &solar, why) < 0 || cfg_text(node, "lunar", false, 5, &lunar, why) < 0 ||
        cfg_int(node, "before", false, 0, AROUND_MAX, &ret->before, why) < 0 ||
        cfg_int(node, "behind", false, 0, AROUND_MAX, &ret->behind, why) < 0)
        return ERR_FORMAT;
    if (!solar == !lunar)
        return cfg_complain(node, why, "a holiday needs one of solar and lunar (as in solar = \"09-02\")");
    ret->lunar = lunar != NULL;
    if (recur_parse_day(lunar ? lunar : solar, ret->lunar, &ret->month, &ret->day) < 0)
        return cfg_complain_of(node, lunar ? "lunar" : "solar", why, "\"%s\" is no day (month-day, as in \"09-02\")",
                               lunar ? lunar : solar);
    return 0;
}

/* A span that was chosen for one year. */
static int read_chosen(struct holidays *holidays, const struct cfg_node *node, uint64_t bit, bool *ret_years,
                       struct complaint *why)
{
    int64_t year = 0, from, until;
    const char *from_text = NULL, *until_text = NULL, *source = NULL;
    if (cfg_int(node, "year", true, LUNAR_FIRST_YEAR, LUNAR_LAST_YEAR, &year, why) < 0 ||
        cfg_text(node, "from", true, 10, &from_text, why) < 0 ||
        cfg_text(node, "until", true, 10, &until_text, why) < 0 ||
        cfg_text(node, "source", false, TEXT_MAX, &source, why) < 0)
        return ERR_FORMAT;
    if (civil_parse_date(from_text, &from) < 0)
        return cfg_complain_of(node, "from", why, "\"%s\" is no date (as in \"2026-02-16\")", from_text);
    if (civil_parse_date(until_text, &until) < 0)
        return cfg_complain_of(node, "until", why, "\"%s\" is no date (as in \"2026-02-20\")", until_text);
    if (until < from || until - from > 2 * AROUND_MAX)
        return cfg_complain_of(node, "until", why, "until is \"%s\"; it must be from %s on, at most %d days later",
                               until_text, from_text, 2 * AROUND_MAX);
    if (ret_years[year - LUNAR_FIRST_YEAR])
        return cfg_complain_of(node, "year", why, "%d has been chosen already", (int)year);
    ret_years[year - LUNAR_FIRST_YEAR] = true;
    for (int64_t day = from; day <= until; day++)
        add_day(holidays, day, bit);
    return 0;
}

/* The day itself in that year; false: the year has none. */
static bool day_of_year(const struct entry *entry, int year, int64_t *ret_day)
{
    if (entry->lunar)
        return lunar_day(year, entry->month, false, entry->day, ret_day) == 0;
    *ret_day = civil_days(year, entry->month, entry->day);
    return civil_date_valid(year, entry->month, entry->day);
}

static int read_days(struct holidays *holidays, const struct cfg_node *node, uint64_t bit, struct complaint *why)
{
    struct entry entry = {0};
    const struct cfg_node *chosen = NULL;
    bool years[YEARS] = {0};
    if (read_entry(node, &entry, why) < 0 || cfg_list(node, "chosen", false, CHOSEN_MAX, &chosen, why) < 0)
        return ERR_FORMAT;
    for (size_t i = 0; i < cfg_len(chosen); i++) {
        const struct cfg_node *one = cfg_at(chosen, i);
        if (!one)
            return cfg_complain(chosen, why, "chosen: each is a group { year, from, until, source }");
        if (read_chosen(holidays, one, bit, years, why) < 0)
            return ERR_FORMAT;
    }
    for (int i = 0; i < YEARS; i++) {
        int64_t day;
        if (years[i] || !day_of_year(&entry, LUNAR_FIRST_YEAR + i, &day))
            continue;
        for (int64_t near = day - entry.before; near <= day + entry.behind; near++)
            add_day(holidays, near, bit);
    }
    return 0;
}

/* Its names, as one more entry; *ret_bit is the entry's. */
static int read_names(struct holidays *holidays, const struct cfg_node *node, uint64_t *ret_bit, struct complaint *why)
{
    const char *id = NULL, *vi = NULL, *en = NULL, *source = NULL;
    if (cfg_text(node, "id", true, 40, &id, why) < 0 || cfg_text(node, "vi", true, TEXT_MAX, &vi, why) < 0 ||
        cfg_text(node, "en", true, TEXT_MAX, &en, why) < 0 ||
        cfg_text(node, "source", true, TEXT_MAX, &source, why) < 0)
        return ERR_FORMAT;
    if (!id_valid(id))
        return cfg_complain_of(node, "id", why, "\"%s\" is no id (a-z, 0-9 and '-', as in \"new-year\")", id);
    if (holidays_bit(holidays, id))
        return cfg_complain_of(node, "id", why, "\"%s\" is there already", id);
    *ret_bit = UINT64_C(1) << holidays->n;
    holidays->at[holidays->n++] = (struct holiday){xstrdup(id), xstrdup(vi), xstrdup(en), xstrdup(source)};
    return 0;
}

static int read_holiday(struct holidays *holidays, const struct cfg_node *node, struct complaint *why)
{
    uint64_t bit;
    return read_names(holidays, node, &bit, why) < 0 ? ERR_FORMAT : read_days(holidays, node, bit, why);
}

/* --- in lieu --- */

static int read_weekly(const struct cfg_node *node, uint8_t *ret, struct complaint *why)
{
    static const char *const names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
    const struct cfg_node *list = NULL;
    const char *name = NULL;
    if (cfg_list(node, "weekly", true, 6, &list, why) < 0)
        return ERR_FORMAT;
    for (size_t i = 0; i < cfg_len(list); i++) {
        size_t day = 0;
        if (cfg_text_at(list, i, 3, &name, why) < 0)
            return ERR_FORMAT;
        while (day < 7 && strcmp(names[day], name) != 0)
            day++;
        if (day == 7)
            return cfg_complain(list, why, "weekly: \"%s\" is no day of the week (as in \"sat\")", name);
        *ret |= (uint8_t)(1U << day);
    }
    return 0;
}

static bool is_weekly(uint8_t weekly, int64_t day)
{
    return weekly >> (civil_weekday(day) - 1) & 1;
}

/* Each holiday on a weekly day off moves that one to the next day that is neither, one after the other. */
static void add_lieu(struct holidays *holidays, uint8_t weekly, uint64_t bit)
{
    size_t n = holidays->n_on;
    int64_t last = INT64_MIN;
    for (size_t i = 0; i < n; i++) {
        int64_t day = holidays->on[i].day;
        if (!is_weekly(weekly, day))
            continue;
        last = last > day ? last : day;
        do
            last++;
        while (is_weekly(weekly, last) || bits_on(holidays->on, n, last));
        add_day(holidays, last, bit);
    }
    sort_days(holidays);
}

static int read_lieu(struct holidays *holidays, const struct cfg_node *root, struct complaint *why)
{
    const struct cfg_node *node = NULL;
    uint64_t bit;
    uint8_t weekly = 0;
    if (cfg_group(root, "lieu", false, &node, why) < 0)
        return ERR_FORMAT;
    if (!node)
        return 0;
    if (holidays->n == HOLIDAYS_MAX)
        return cfg_complain(node, why, "there are %d holidays already, no entry is left for it", HOLIDAYS_MAX);
    if (read_names(holidays, node, &bit, why) < 0 || read_weekly(node, &weekly, why) < 0)
        return ERR_FORMAT;
    add_lieu(holidays, weekly, bit);
    return 0;
}

static int read_all(struct holidays *holidays, struct cfg *cfg, struct complaint *why)
{
    const struct cfg_node *root = cfg_root(cfg), *list = NULL;
    const char *id = NULL;
    if (cfg_text(root, "id", true, 40, &id, why) < 0 || cfg_list(root, "holidays", true, HOLIDAYS_MAX, &list, why) < 0)
        return ERR_FORMAT;
    if (!id_valid(id))
        return cfg_complain_of(root, "id", why, "\"%s\" is no id (a-z, 0-9 and '-', as in \"vietnam\")", id);
    holidays->id = xstrdup(id);
    for (size_t i = 0; i < cfg_len(list); i++) {
        const struct cfg_node *node = cfg_at(list, i);
        if (!node)
            return cfg_complain(list, why, "holidays: each is a group { id, vi, en, source, solar or lunar }");
        if (read_holiday(holidays, node, why) < 0)
            return ERR_FORMAT;
    }
    sort_days(holidays);
    if (read_lieu(holidays, root, why) < 0)
        return ERR_FORMAT;
    return cfg_finish(cfg, why);
}

int holidays_load(const char *path, struct holidays **ret, struct complaint *why)
{
    struct holidays *holidays = xcalloc(1, sizeof(*holidays));
    struct cfg *cfg = NULL;
    int r = cfg_open(path, &cfg, why);
    if (r >= 0)
        r = read_all(holidays, cfg, why);
    cfg_close(cfg);
    if (r < 0) {
        holidays_free(holidays);
        return r;
    }
    *ret = holidays;
    return 0;
}

void holidays_free(struct holidays *holidays)
{
    if (!holidays)
        return;
    for (size_t i = 0; i < holidays->n; i++) {
        free((char *)holidays->at[i].id);
        free((char *)holidays->at[i].vi);
        free((char *)holidays->at[i].en);
        free((char *)holidays->at[i].source);
    }
    free(holidays->id);
    free(holidays->on);
    free(holidays);
}

const char *holidays_id(const struct holidays *holidays)
{
    return holidays->id;
}

uint64_t holidays_on(const struct holidays *holidays, int64_t day)
{
    return bits_on(holidays->on, holidays->n_on, day);
}

size_t holidays_count(const struct holidays *holidays)
{
    return holidays->n;
}

const struct holiday *holidays_at(const struct holidays *holidays, size_t index)
{
    return &holidays->at[index];
}

uint64_t holidays_bit(const struct holidays *holidays, const char *id)
{
    for (size_t i = 0; i < holidays->n; i++)
        if (strcmp(holidays->at[i].id, id) == 0)
            return UINT64_C(1) << i;
    return 0;
}
