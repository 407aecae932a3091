/* recur_speed - occurrences a second by our recurrences and by libical's iterator, of the same rules.
 *
 *   recur_speed YEARS SECONDS   one line of JSON for each rule on stdout: {"rule", "occurrences", "ours", "libical"},
 *                               the last two in occurrences a second, as instants of UTC
 *
 * Both must name the same instants, else exit 1. libical iterates in civil time here and turns each result into an
 * instant: given a zone, its iterator repeats and loses occurrences around a change of the offset. Exit 2: wrong use.
 */
#include "playlists/base/clock.h"
#include "playlists/recur.h"

#include <libical/ical.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OCCURRENCES_MAX = 40000, FROM_YEAR = 2026 };

static const char zone_word[] = "Asia/Ho_Chi_Minh";

struct both {
    const char *text; /* RFC 5545, without the time of the day */
    struct recurrence recur;
};

struct run {
    const struct both *both;
    int64_t until_day; /* from FROM_YEAR-01-01 */
    icaltimezone *zone;
    int64_t *at_s;
};

static int64_t first_day(void)
{
    return civil_days(FROM_YEAR, 1, 1);
}

static size_t ours(const struct run *run)
{
    int64_t until_s = zone_instant_s(run->both->recur.zone, run->until_day, 0, NULL);
    int64_t from_s = zone_instant_s(run->both->recur.zone, first_day(), 0, NULL);
    return recur_expand(&run->both->recur, from_s * 1000, until_s * 1000, run->at_s, OCCURRENCES_MAX);
}

static size_t theirs(const struct run *run)
{
    struct icalrecurrencetype rule = icalrecurrencetype_from_string(run->both->text);
    int32_t second = run->both->recur.times[0];
    struct icaltimetype start = icaltime_null_time(), next;
    start.year = FROM_YEAR;
    start.month = start.day = 1;
    start.hour = second / 3600;
    start.minute = second / 60 % 60;
    icalrecur_iterator *iterator = icalrecur_iterator_new(rule, start);
    int year, month, day;
    size_t n = 0;
    civil_date(run->until_day, &year, &month, &day);
    while (n < OCCURRENCES_MAX && (next = icalrecur_iterator_next(iterator), !icaltime_is_null_time(next))) {
        if (next.year >= year)
            break;
        run->at_s[n++] = icaltime_as_timet_with_zone(next, run->zone);
    }
    icalrecur_iterator_free(iterator);
    return n;
}

static double per_second(size_t (*how)(const struct run *), const struct run *run, double seconds)
{
    int64_t began_ms = clock_elapsed_ms(), took_ms;
    uint64_t n = 0;
    do {
        n += how(run);
        took_ms = clock_elapsed_ms() - began_ms;
    } while ((double)took_ms < seconds * 1000);
    return (double)n * 1000.0 / (double)took_ms;
}

static int compare(const struct both *both, icaltimezone *zone, int64_t until_day, double seconds)
{
    static int64_t a[OCCURRENCES_MAX], b[OCCURRENCES_MAX];
    struct run our_run = {both, until_day, zone, a}, their_run = {both, until_day, zone, b};
    size_t n = ours(&our_run);
    if (n == 0 || n != theirs(&their_run) || memcmp(a, b, n * sizeof(a[0])) != 0) {
        fprintf(stderr, "%s: libical names other instants\n", both->text);
        return 1;
    }
    printf("{\"rule\": \"%s\", \"occurrences\": %zu, \"ours\": %.0f, \"libical\": %.0f}\n", both->text, n,
           per_second(ours, &our_run, seconds), per_second(theirs, &their_run, seconds));
    return 0;
}

int main(int argc, char **argv)
{
    int years = argc == 3 ? atoi(argv[1]) : 0;
    double seconds = argc == 3 ? strtod(argv[2], NULL) : 0;
    struct complaint why = {0};
    struct zone *zone = NULL;
    if (years < 1 || years > 50 || seconds <= 0) {
        fprintf(stderr, "usage: recur_speed YEARS SECONDS (1 to 50 years)\n");
        return 2;
    }
    if (zone_load(NULL, zone_word, &zone, &why) < 0) {
        fprintf(stderr, "%s\n", why.text);
        return 1;
    }
    struct recurrence usual = {
        .zone = zone, .times = {5 * 3600}, .n_times = 1, .from_date = INT64_MIN, .until_date = INT64_MAX};
    struct both all[] = {{"FREQ=DAILY", usual},
                         {"FREQ=WEEKLY;BYDAY=MO,WE,FR", usual},
                         {"FREQ=MONTHLY;BYMONTHDAY=1,15,-1", usual},
                         {"FREQ=MONTHLY;BYDAY=2TU,4TU", usual},
                         {"FREQ=DAILY;INTERVAL=3", usual}};
    all[0].recur.when = WHEN_DAILY;
    all[1].recur.when = WHEN_WEEKLY;
    all[1].recur.weekdays = 1 | 1 << 2 | 1 << 4;
    all[2].recur.when = WHEN_MONTHLY;
    all[2].recur.month_days = RECUR_LAST | 1 << 1 | 1 << 15;
    all[3].recur.when = WHEN_MONTHLY_NTH;
    all[3].recur.weekdays = 1 << 1;
    all[3].recur.nths = 1 << 2 | 1 << 4;
    all[4].recur.when = WHEN_EVERY;
    all[4].recur.every_days = 3;
    all[4].recur.anchor = first_day();
    int r = 0;
    for (size_t i = 0; r == 0 && i < sizeof(all) / sizeof(all[0]); i++)
        r = compare(&all[i], icaltimezone_get_builtin_timezone(zone_word), civil_days(FROM_YEAR + years, 1, 1),
                    seconds);
    icaltimezone_free_builtin_timezones();
    zone_free(zone);
    return r;
}
