/* test_ical.c - what ical_write() says is read back by libical and expanded to the same instants; lines, folding and
 * escaping by hand. Times of zones with summer time keep clear of its changes: see test_recur_ical.c. */
#include "unit.h"

#include "playlists/ical.h"
#include "recur/random_rule.h"

#include <libical/ical.h>
#include <string.h>

enum { CAP = 20000, RULES = 1000 };

#define STAMP_MS INT64_C(1782864000000) /* 2026-07-01T00:00:00Z */
#define DAY_MS   INT64_C(86400000)

static struct zone *saigon, *paris;
static struct holidays *vietnam;

struct found {
    int64_t at_s[CAP];
    size_t n;
    int64_t length_s;
};

static void each(icalcomponent *event, struct icaltime_span *span, void *arg)
{
    struct found *found = arg;
    (void)event;
    assert_true(found->n < CAP);
    found->at_s[found->n++] = span->start;
    found->length_s = span->end - span->start;
}

static struct icaltimetype utc(int64_t at_s)
{
    return icaltime_from_timet_with_zone(at_s, 0, icaltimezone_get_utc_timezone());
}

/* All instants in [from_ms, until_ms), ascending, each once. */
static void read_back(const char *text, int64_t from_ms, int64_t until_ms, struct found *ret)
{
    icalcomponent *calendar = icalparser_parse_string(text);
    size_t once = 0;
    ret->n = 0;
    assert_non_null(calendar);
    assert_int_equal(icalcomponent_count_errors(calendar), 0);
    assert_true(icalrestriction_check(calendar));
    for (icalcomponent *event = icalcomponent_get_first_component(calendar, ICAL_VEVENT_COMPONENT); event;
         event = icalcomponent_get_next_component(calendar, ICAL_VEVENT_COMPONENT))
        icalcomponent_foreach_recurrence(event, utc(from_ms / 1000 - 1), utc(until_ms / 1000 + 1), each, ret);
    icalcomponent_free(calendar);
    qsort(ret->at_s, ret->n, sizeof(ret->at_s[0]), random_rule_cmp);
    for (size_t i = 0; i < ret->n; i++)
        if (ret->at_s[i] * 1000 >= from_ms && ret->at_s[i] * 1000 < until_ms &&
            (once == 0 || ret->at_s[once - 1] != ret->at_s[i]))
            ret->at_s[once++] = ret->at_s[i];
    ret->n = once;
}

static void same_instants(void **state)
{
    (void)state;
    static struct found theirs;
    static int64_t ours[CAP];
    size_t all = 0;
    seed_begin();
    for (int i = 0; i < RULES; i++) {
        struct random_rule rule;
        struct buf text = {0};
        random_rule(&rule, vietnam, i % 4 ? saigon : paris);
        for (size_t j = 0; i % 4 == 0 && j < rule.recur.n_times; j++)
            rule.recur.times[j] = (int32_t)seed_between(5 * 3600, 86400);
        /* Midnight to midnight of the zone, so that what is left out at the edges is the same. */
        int64_t day = seed_between(12000, 40000), until = day + seed_between(1, 200);
        int64_t from_ms = zone_instant_s(rule.recur.zone, day, 0, NULL) * 1000;
        int64_t until_ms = zone_instant_s(rule.recur.zone, until, 0, NULL) * 1000;
        struct ical_event event = {.uid = "r-1", .summary = "Bản tin", .length_s = 90, .recur = &rule.recur};
        assert_int_equal(ical_write("Lạng Sơn", &event, 1, from_ms, until_ms, STAMP_MS, SIZE_MAX, &text), 0);
        size_t n = recur_expand(&rule.recur, from_ms, until_ms, ours, CAP);
        read_back(buf_text(&text), from_ms, until_ms, &theirs);
        for (size_t j = 0; j < n || j < theirs.n; j++)
            if (j >= n || j >= theirs.n || ours[j] != theirs.at_s[j])
                fail_msg("rule %d, occurrence %zu of %zu: ours %lld, read back %lld\n%s", i, j, n,
                         j < n ? (long long)ours[j] : -1, j < theirs.n ? (long long)theirs.at_s[j] : -1,
                         buf_text(&text));
        if (n)
            assert_int_equal(theirs.length_s, 90);
        all += n;
        buf_done(&text);
    }
    print_message("%d rules, %zu occurrences\n", RULES, all);
}

static struct recurrence daily(const struct zone *zone)
{
    return (struct recurrence){.when = WHEN_DAILY,
                               .zone = zone,
                               .times = {5 * 3600},
                               .n_times = 1,
                               .from_date = INT64_MIN,
                               .until_date = INT64_MAX};
}

/* Every line ends with CRLF, has at most 75 octets and whole characters. */
static void check_lines(const char *text)
{
    for (const char *at = text; *at;) {
        const char *end = strstr(at, "\r\n");
        assert_non_null(end);
        assert_true(end - at <= 75);
        assert_null(memchr(at, '\n', (size_t)(end - at)));
        assert_true(utf8_valid(at, (size_t)(end - at)));
        at = end + 2;
    }
}

static void long_texts_are_folded_and_escaped(void **state)
{
    (void)state;
    static const char summary[] = "Tiêm chủng; sáng, chiều \\ tối: mang theo sổ\nđịa điểm: nhà văn hóa xã Đồng Đăng, "
                                  "thôn Cốc Nam, cạnh trạm y tế \x01xã — hỏi bà Hoàng Thị Ngọc Ánh";
    struct recurrence recur = daily(saigon);
    struct ical_event event = {.uid = "tiem-chung", .summary = summary, .location = "Đồng Đăng", .recur = &recur};
    struct buf text = {0};
    assert_int_equal(ical_write("Lịch phát; xã", &event, 1, STAMP_MS, STAMP_MS + DAY_MS, STAMP_MS, SIZE_MAX, &text), 0);
    check_lines(buf_text(&text));
    icalcomponent *calendar = icalparser_parse_string(buf_text(&text));
    icalcomponent *read = icalcomponent_get_first_component(calendar, ICAL_VEVENT_COMPONENT);
    assert_string_equal(icalcomponent_get_summary(read),
                        "Tiêm chủng; sáng, chiều \\ tối: mang theo sổ\nđịa điểm: nhà văn hóa xã Đồng Đăng, thôn Cốc "
                        "Nam, cạnh trạm y tế xã — hỏi bà Hoàng Thị Ngọc Ánh");
    assert_string_equal(icalcomponent_get_location(read), "Đồng Đăng");
    assert_string_equal(icalcomponent_get_uid(read), "tiem-chung-050000");
    icalcomponent_free(calendar);
    buf_done(&text);
}

static void as_text(void **state)
{
    (void)state;
    int64_t except[] = {20640, 20641};
    struct recurrence recur = daily(saigon);
    recur.when = WHEN_WEEKLY;
    recur.weekdays = 1 << 0 | 1 << 3;
    recur.until_date = 20700;
    recur.except = except;
    recur.n_except = 2;
    struct ical_event event = {.uid = "a", .summary = "b", .category = "normal", .length_s = 600, .recur = &recur};
    struct buf text = {0};
    assert_int_equal(ical_write(NULL, &event, 1, STAMP_MS, STAMP_MS + DAY_MS, STAMP_MS, SIZE_MAX, &text), 0);
    assert_string_equal(buf_text(&text),
                        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Loa//Loa//VI\r\nCALSCALE:GREGORIAN\r\n"
                        "BEGIN:VTIMEZONE\r\nTZID:Asia/Ho_Chi_Minh\r\nBEGIN:STANDARD\r\nDTSTART:20250626T070000\r\n"
                        "TZOFFSETFROM:+0700\r\nTZOFFSETTO:+0700\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
                        "BEGIN:VEVENT\r\nUID:a-050000\r\nDTSTAMP:20260701T000000Z\r\n"
                        "DTSTART;TZID=Asia/Ho_Chi_Minh:20260702T050000\r\nDURATION:PT600S\r\nSUMMARY:b\r\n"
                        "CATEGORIES:normal\r\nRRULE:FREQ=WEEKLY;BYDAY=MO,TH;UNTIL=20260903T220000Z\r\n"
                        "EXDATE;TZID=Asia/Ho_Chi_Minh:20260706T050000\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n");
    buf_done(&text);
}

/* A market of lunar days, on two years: all as dates, in folded lines. */
static void lunar_days_are_dates(void **state)
{
    (void)state;
    static struct found theirs;
    static int64_t ours[CAP];
    struct recurrence recur = daily(saigon);
    struct buf text = {0};
    recur.when = WHEN_LUNAR_DAYS;
    recur.lunar_days = 1 << 2 | 1 << 7 | 1 << 12 | 1 << 17 | 1 << 22 | 1 << 27;
    struct ical_event event = {.uid = "cho-ky-lua", .summary = "Chợ Kỳ Lừa", .recur = &recur};
    assert_int_equal(ical_write("x", &event, 1, STAMP_MS, STAMP_MS + 730 * DAY_MS, STAMP_MS, SIZE_MAX, &text), 0);
    check_lines(buf_text(&text));
    assert_non_null(strstr(buf_text(&text), "\r\nRDATE:20260705T220000Z,"));
    size_t n = recur_expand(&recur, STAMP_MS, STAMP_MS + 730 * DAY_MS, ours, CAP);
    read_back(buf_text(&text), STAMP_MS, STAMP_MS + 730 * DAY_MS, &theirs);
    assert_int_equal(n, theirs.n);
    assert_memory_equal(ours, theirs.at_s, n * sizeof(ours[0]));
    assert_true(n > 140);
    buf_done(&text);
}

static int set_up(void **state)
{
    (void)state;
    if (zone_load(NULL, "Asia/Ho_Chi_Minh", &saigon, NULL) < 0 || zone_load(NULL, "Europe/Paris", &paris, NULL) < 0)
        return -1;
    return holidays_load(LOA_SOURCE_DIR "/playlists/calendars/vietnam.cfg", &vietnam, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    zone_free(saigon);
    zone_free(paris);
    holidays_free(vietnam);
    icaltimezone_free_builtin_timezones();
    icalmemory_free_ring();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_instants),
        cmocka_unit_test(long_texts_are_folded_and_escaped),
        cmocka_unit_test(as_text),
        cmocka_unit_test(lunar_days_are_dates),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
