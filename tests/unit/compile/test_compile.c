/* test_compile.c - rules into the timeline of one device. LOA_SEED=<number> repeats a run. */
#include "unit.h"

#include "playlists/compile.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAY_MS INT64_C(86400000)
#define LIST(...)                                                                                                      \
    (struct texts)                                                                                                     \
    {                                                                                                                  \
        (const char *[]){__VA_ARGS__}, sizeof((const char *[]){__VA_ARGS__}) / sizeof(const char *)                    \
    }

static const char HASH_A[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
static const char HASH_B[] = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
static const char HASH_C[] = "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc";

static struct media_ref vi_sound = {HASH_A, 1000, 480000}, en_sound = {HASH_B, 1000, 240001}; /* 10 s, 5 s */
static struct bulletin_content spoken_contents[] = {{"vi", "Xin chào", &vi_sound}, {"en", "Hello", &en_sound}};
static struct bulletin_content written_contents[] = {{"vi", "Chỉ có chữ", NULL}};
static struct bulletin spoken = {.id = "spoken", .revision = 1, .contents = spoken_contents, .n_contents = 2};
static struct bulletin written = {.id = "written", .revision = 1, .contents = written_contents, .n_contents = 1};
static struct blob_ref approvals_a[] = {{HASH_C, 3}, {HASH_B, 2}};
static struct compile_bulletin bulletins[] = {{HASH_A, 500, &spoken, approvals_a, 2, false},
                                              {HASH_B, 600, &written, NULL, 0, false}};

static struct zone *home, *berlin;
static struct arena *arena;
static struct compile_device device;
static struct compile_result result;

static int set_up(void **state)
{
    (void)state;
    static const struct membership areas[] = {{"xa-1", INT64_MIN, INT64_MAX}, {"tinh", INT64_MIN, INT64_MAX}};
    static const char *languages[] = {"vi", "en"};
    arena = arena_new();
    device = (struct compile_device){
        .id = "loa-1", .kind = KIND_LOUDSPEAKER, .areas = areas, .n_areas = 2, .languages = {languages, 2}};
    return zone_load(NULL, "Asia/Ho_Chi_Minh", &home, NULL) < 0 || zone_load(NULL, "Europe/Berlin", &berlin, NULL) < 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    zone_free(home);
    zone_free(berlin);
    return 0;
}

static struct rule daily(const char *id, const char *bulletin, int32_t second)
{
    static const char *everywhere[] = {"tinh"};
    return (struct rule){.id = id,
                         .bulletin = bulletin,
                         .recur.when = WHEN_DAILY,
                         .recur.from_date = INT64_MIN,
                         .recur.until_date = INT64_MAX,
                         .recur.times = {second},
                         .recur.n_times = 1,
                         .recur.zone = home,
                         .areas = {everywhere, 1},
                         .class = CLASS_NORMAL,
                         .late_ms = -1};
}

static int64_t midnight(int month, int day)
{
    return zone_instant_s(home, civil_days(2026, month, day), 0, NULL) * 1000;
}

static void compile_days(const struct rule *rules, size_t n_rules, int month, int day, int days)
{
    int64_t from_ms = midnight(month, day);
    compile(rules, n_rules, bulletins, 2, &device, from_ms, from_ms + days * DAY_MS, PLAYLIST_ITEMS_MAX, arena,
            &result);
}

static void assert_problem(const char *rule, const char *why)
{
    assert_int_equal(result.n_problems, 1);
    assert_string_equal(result.problems[0].rule, rule);
    assert_string_equal(result.problems[0].why, why);
}

static void daily_in_civil_time(void **state)
{
    (void)state;
    struct rule rule = daily("sang", HASH_A, 5 * 3600);
    rule.gain_mb = -600;
    rule.zones = LIST("z1", "z2");
    compile_days(&rule, 1, 7, 1, 3);
    assert_int_equal(result.n_items, 3);
    assert_int_equal(result.n_problems, 0);
    assert_int_equal(result.until_ms, midnight(7, 4));
    const struct playlist_item *item = &result.items[0];
    assert_string_equal(item->id, "sang.1782856800"); /* 05:00 at UTC+7 is "yesterday" in UTC */
    assert_int_equal(item->start_ms, INT64_C(1782856800000));
    assert_int_equal(item->late_ms, LATE_DEFAULT_MS);
    assert_int_equal(item->show_ms, 0);
    assert_int_equal(item->end_ms, item->start_ms + LATE_DEFAULT_MS + 15001 + END_MARGIN_MS); /* both languages */
    assert_int_equal(item->gain_mb, -600);
    assert_int_equal(item->zones.n, 2);
    assert_string_equal(item->zones.at[1], "z2");
    assert_int_equal(result.items[2].start_ms - item->start_ms, 2 * DAY_MS);
    assert_int_equal(result.n_bulletins, 1);
    assert_string_equal(result.bulletins[0].hash, HASH_A);
    assert_int_equal(result.bulletins[0].size, 500);
    assert_int_equal(result.bulletins[0].n_approvals, 2);
    assert_string_equal(result.bulletins[0].approvals[0].hash, HASH_B);
}

static void first_and_last_day(void **state)
{
    (void)state;
    struct rule rule = daily("r", HASH_A, 0);
    rule.recur.from_date = civil_days(2026, 7, 2);
    rule.recur.until_date = civil_days(2026, 7, 3);
    compile_days(&rule, 1, 6, 1, 60);
    assert_int_equal(result.n_items, 2);
    assert_int_equal(result.items[0].start_ms, midnight(7, 2));
    rule.recur.until_date = civil_days(2026, 7, 1);
    compile_days(&rule, 1, 6, 1, 60);
    assert_int_equal(result.n_items, 0);
}

static void once_and_the_window(void **state)
{
    (void)state;
    struct rule rule = daily("r", HASH_A, 3600);
    rule.recur.when = WHEN_ONCE;
    rule.recur.date = civil_days(2026, 7, 1);
    rule.recur.times[1] = 7200;
    rule.recur.n_times = 2;
    compile_days(&rule, 1, 7, 1, 30);
    assert_int_equal(result.n_items, 2);
    int64_t end_ms = result.items[0].end_ms, start_ms = result.items[1].start_ms;
    compile(&rule, 1, bulletins, 2, &device, end_ms - 1, start_ms, 10, arena, &result);
    assert_int_equal(result.n_items, 1); /* still on; the other begins with the end of the window */
    compile(&rule, 1, bulletins, 2, &device, end_ms, start_ms + 1, 10, arena, &result);
    assert_int_equal(result.n_items, 1);
    assert_int_equal(result.items[0].start_ms, start_ms);
}

static void clocks_that_change(void **state)
{
    (void)state;
    struct rule rule = daily("r", HASH_A, 2 * 3600 + 1800);
    rule.recur.zone = berlin;
    rule.recur.times[1] = 3 * 3600 + 1800; /* in the night of the change both read 03:30: one occurrence */
    rule.recur.n_times = 2;
    compile_days(&rule, 1, 3, 28, 4);
    for (size_t i = 1; i < result.n_items; i++)
        assert_true(result.items[i].start_ms > result.items[i - 1].start_ms);
    size_t on_day = 0;
    for (size_t i = 0; i < result.n_items; i++)
        on_day += result.items[i].start_ms / DAY_MS == civil_days(2026, 3, 29);
    assert_int_equal(on_day, 1);
    compile_days(&rule, 1, 10, 24, 4); /* a time that comes twice is used once */
    for (size_t i = 0, n = 0; i < result.n_items; i++) {
        n = result.items[i].start_ms / DAY_MS == civil_days(2026, 10, 25) ? n + 1 : n;
        assert_true(n <= 2);
    }
}

static void targets(void **state)
{
    (void)state;
    struct rule rule = daily("r", HASH_A, 0);
    assert_true(rule_targets(&rule, &device, 0));
    rule.areas = LIST("xa-2");
    assert_false(rule_targets(&rule, &device, 0));
    rule.devices = LIST("loa-2", "loa-1");
    assert_true(rule_targets(&rule, &device, 0));
    rule.kinds = LIST("board", "cluster");
    assert_false(rule_targets(&rule, &device, 0));
    rule.kinds = LIST("board", "loudspeaker");
    assert_true(rule_targets(&rule, &device, 0));
    rule.areas = rule.devices = (struct texts){0};
    assert_false(rule_targets(&rule, &device, 0));
    compile_days(&rule, 1, 7, 1, 1);
    assert_int_equal(result.n_items + result.n_problems, 0);
}

static void what_is_left_out_is_told(void **state)
{
    (void)state;
    struct rule rule = daily("r", HASH_C, 0);
    compile_days(&rule, 1, 7, 1, 5);
    assert_int_equal(result.n_items, 0);
    assert_problem("r", "no such bulletin");
    assert_int_equal(result.problems[0].start_ms, midnight(7, 1));
    rule = daily("r", HASH_B, 0); /* text only, for a loudspeaker */
    compile_days(&rule, 1, 7, 1, 5);
    assert_problem("r", "nothing in it for this device");
    rule = daily("r", HASH_A, 0);
    rule.class = CLASS_EMERGENCY;
    compile_days(&rule, 1, 7, 1, 5);
    assert_problem("r", "emergency needs an order");
    assert_int_equal(result.n_items + result.n_bulletins, 0);
}

static void texts_stay(void **state)
{
    (void)state;
    struct rule rule = daily("r", HASH_B, 0);
    device.kind = KIND_BOARD;
    rule.late_ms = 0;
    compile_days(&rule, 1, 7, 1, 1);
    assert_int_equal(result.items[0].show_ms, SHOW_DEFAULT_MS);
    assert_int_equal(result.items[0].end_ms, result.items[0].start_ms + SHOW_DEFAULT_MS + END_MARGIN_MS);
    rule.bulletin = HASH_A;
    device.kind = KIND_CLUSTER; /* the text follows the sound */
    compile_days(&rule, 1, 7, 1, 1);
    assert_int_equal(result.items[0].show_ms, 0);
    rule.show_ms = 40000;
    compile_days(&rule, 1, 7, 1, 1);
    assert_int_equal(result.items[0].show_ms, 40000);
    assert_int_equal(result.items[0].end_ms, result.items[0].start_ms + 40000 + END_MARGIN_MS);
    device.kind = KIND_LOUDSPEAKER; /* shows nothing */
    compile_days(&rule, 1, 7, 1, 1);
    assert_int_equal(result.items[0].show_ms, 0);
}

static void too_many_shorten_the_horizon(void **state)
{
    (void)state;
    struct rule rule = daily("r", HASH_A, 0);
    for (size_t i = 0; i < RECUR_TIMES_MAX; i++)
        rule.recur.times[i] = (int32_t)(RECUR_TIMES_MAX - i) * 1200;
    rule.recur.n_times = RECUR_TIMES_MAX;
    compile(&rule, 1, bulletins, 2, &device, midnight(7, 1), midnight(7, 31), 100, arena, &result);
    assert_int_equal(result.n_items, 100);
    assert_problem("r", "horizon shortened");
    assert_int_equal(result.until_ms, result.problems[0].start_ms);
    assert_true(result.items[99].start_ms < result.until_ms);
    compile(&rule, 1, bulletins, 2, &device, midnight(7, 1), midnight(7, 31), 0, arena, &result);
    assert_int_equal(result.n_items, 0);
    assert_int_equal(result.until_ms, midnight(7, 1) + 1200000);
    rule.recur.n_times = 0;
    compile(&rule, 1, bulletins, 2, &device, midnight(7, 1), midnight(7, 31), 100, arena, &result);
    assert_int_equal(result.n_items + result.n_problems, 0);
    compile(NULL, 0, NULL, 0, &device, 0, DAY_MS, 100, arena, &result);
    assert_int_equal(result.n_items + result.n_bulletins, 0);
}

/* What the compiler writes, the decoder takes: order, ids and limits are the document's. */
static struct buf encoded(void)
{
    struct playlist playlist = {
        .head = {.aud = "dev/loa-1", .era = 1, .ver = 1, .iat_s = 1782856800, .exp_s = 1785448800},
        .config_ver = 1,
        .from_ms = midnight(7, 1),
        .until_ms = result.until_ms,
        .bulletins = result.bulletins,
        .n_bulletins = result.n_bulletins,
        .items = result.items,
        .n_items = result.n_items};
    struct buf json = {0};
    struct complaint why = {{0}};
    if (doc_encode(DOC_PLAYLIST, &playlist, &json, &why) < 0)
        fail_msg("%s", why.text);
    void *back = NULL;
    if (doc_decode(DOC_PLAYLIST, json.data, json.len, arena, &back, &why) < 0)
        fail_msg("%s", why.text);
    assert_int_equal(((struct playlist *)back)->n_items, result.n_items);
    return json;
}

static uint64_t rng;
static size_t below(size_t bound)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (size_t)(rng % bound);
}

static void shuffle(struct rule *rules, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t k = below(i);
        struct rule swap = rules[i - 1];
        rules[i - 1] = rules[k];
        rules[k] = swap;
    }
}

static void order_of_input_does_not_matter(void **state)
{
    (void)state;
    enum { RULES = 12 };
    static const char *const ids[RULES] = {"a", "a-b", "ab", "a0", "b", "b-1", "b-10", "b-2", "c", "c1", "d", "e"};
    const char *given = getenv("LOA_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    print_message("LOA_SEED=%" PRIu64 "\n", seed);
    rng = seed * UINT64_C(0x9E3779B97F4A7C15) | 1;
    device.kind = KIND_CLUSTER;
    for (int round = 0; round < 20; round++) {
        struct rule rules[RULES];
        for (size_t i = 0; i < RULES; i++) {
            rules[i] = daily(ids[i], below(2) ? HASH_A : HASH_B, (int32_t)below(4) * 3600);
            rules[i].recur.times[1] = (int32_t)below(86400);
            rules[i].recur.n_times = 1 + below(2);
            rules[i].class = (enum air_class)below(3);
        }
        size_t max = 50 + below(400);
        compile(rules, RULES, bulletins, 2, &device, midnight(7, 1), midnight(7, 21), max, arena, &result);
        struct buf first = encoded();
        for (int again = 0; again < 4; again++) {
            shuffle(rules, RULES);
            struct compile_bulletin other[] = {bulletins[1], bulletins[0]};
            struct blob_ref turned[] = {approvals_a[1], approvals_a[0]};
            other[1].approvals = turned;
            compile(rules, RULES, other, 2, &device, midnight(7, 1), midnight(7, 21), max, arena, &result);
            struct buf next = encoded();
            assert_int_equal(next.len, first.len);
            assert_memory_equal(next.data, first.data, first.len);
            buf_done(&next);
        }
        buf_done(&first);
    }
}

/* Slots upon slots, millions of parts: those rules lose what is later, and the others nothing. */
static void too_many_parts_are_left_out(void **state)
{
    (void)state;
    enum { RULES = 20, PARTS = 64, TIMES = 48 };
    static struct session_part parts[PARTS];
    static char ids[RULES][8];
    struct rule rules[RULES + 1];
    struct session session = {.length_ms = DAY_MS, .parts = parts, .n_parts = PARTS, .plays = SESSION_PLAYS_MAX};
    for (int i = 0; i < PARTS; i++)
        parts[i] = (struct session_part){.source = "vov1", .length_ms = 1000, .class = -1};
    for (int i = 0; i < RULES; i++) {
        snprintf(ids[i], sizeof(ids[i]), "r%02d", i);
        rules[i] = daily(ids[i], NULL, 0);
        rules[i].session = &session;
        rules[i].recur.n_times = TIMES;
        for (int k = 0; k < TIMES; k++)
            rules[i].recur.times[k] = k * 1800;
    }
    rules[RULES] = daily("small", HASH_A, 600);
    rules[RULES].class = CLASS_PRIORITY;
    int64_t from_ms = midnight(7, 1);
    struct compile_set *set = compile_set_new(rules, RULES + 1, bulletins, 2, from_ms, from_ms + 30 * DAY_MS);
    const struct timeline *timeline = compile_set_timeline(set, &device);
    assert_in_range(timeline_items(timeline), 1, 50000 + (RULES + 1) * (PLAYLIST_ITEMS_MAX + SESSION_PIECES_MAX));
    timeline_write(timeline, from_ms + 29 * DAY_MS, from_ms + 30 * DAY_MS, PLAYLIST_ITEMS_MAX, arena, &result);
    assert_int_equal(result.n_items, 1);
    assert_int_equal(result.items[0].start_ms, from_ms + 29 * DAY_MS + 600000);
    for (size_t i = 0; i < result.n_problems; i++)
        assert_string_not_equal(result.problems[i].rule, "small");
    assert_true(result.n_problems >= RULES);
    compile_set_free(set);
}

/* The wire holds 500 bulletins: more of them shorten the horizon as more items do. */
static void too_many_bulletins_shorten_the_horizon(void **state)
{
    (void)state;
    enum { MANY = 520 };
    static struct compile_bulletin many[MANY];
    static struct rule rules[MANY];
    static char ids[MANY][24], hashes[MANY][HASH_HEX_LEN + 1];
    for (size_t i = 0; i < MANY; i++) {
        snprintf(hashes[i], sizeof(hashes[i]), "%064zx", i);
        snprintf(ids[i], sizeof(ids[i]), "r%03zu", i);
        many[i] = (struct compile_bulletin){hashes[i], 100, &spoken, approvals_a, 2, false};
        rules[i] = daily(ids[i], hashes[i], (int32_t)i * 40);
    }
    compile(rules, MANY, many, MANY, &device, midnight(7, 1), midnight(7, 2), PLAYLIST_ITEMS_MAX, arena, &result);
    assert_int_equal(result.n_bulletins, 500);
    assert_int_equal(result.n_items, 500);
    assert_problem("r500", "horizon shortened");
    assert_int_equal(result.until_ms, midnight(7, 1) + 500 * 40000);
    struct buf json = encoded();
    buf_done(&json);
}

/* What began before the horizon and may still be on counts too; the horizon does not end before it begins. */
static void the_horizon_ends_after_it_begins(void **state)
{
    (void)state;
    struct rule rule = daily("r", HASH_A, 5 * 3600);
    rule.late_ms = 3 * DAY_MS;
    compile(&rule, 1, bulletins, 2, &device, midnight(7, 1), midnight(7, 5), 2, arena, &result);
    assert_int_equal(result.n_items, 2);
    assert_problem("r", "horizon shortened");
    assert_int_equal(result.until_ms, midnight(7, 1));
    struct buf json = encoded();
    buf_done(&json);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(daily_in_civil_time),
        TEST(first_and_last_day),
        TEST(once_and_the_window),
        TEST(clocks_that_change),
        TEST(targets),
        TEST(what_is_left_out_is_told),
        TEST(texts_stay),
        TEST(too_many_shorten_the_horizon),
        TEST(too_many_parts_are_left_out),
        TEST(too_many_bulletins_shorten_the_horizon),
        TEST(the_horizon_ends_after_it_begins),
        TEST(order_of_input_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
