/* test_compile_random.c - what holds of every timetable, over random communes. LOA_SEED=<number> repeats a run. */
#include "compile/scene.h"
#include "seed.h"

enum { RULES = 14, DEVICES = 12, DAYS = 9, ROUNDS = 60 };

static struct rule rules[RULES];
static struct compile_device devices[DEVICES];
static char rule_ids[RULES][12], device_ids[DEVICES][12];

static size_t pick(size_t n)
{
    return (size_t)seed_between(0, (int64_t)n);
}

static bool chance(size_t percent)
{
    return pick(100) < percent;
}

static const char *some_hash(void)
{
    return scene.bulletins[pick(SCENE_BULLETINS)].hash;
}

static struct texts some_of(const char *const *words, size_t n, size_t percent)
{
    struct texts texts = {.at = arena_alloc(scene.arena, (n + 1) * sizeof(texts.at[0]))};
    for (size_t i = 0; i < n; i++)
        if (chance(percent))
            texts.at[texts.n++] = words[i];
    return texts;
}

static const char *const area_words[] = {"tinh", "xa-1", "xa-2", "thon-1", "thon-2"};
static const char *const group_words[] = {"g1", "g2"}, *const tag_words[] = {"t1", "t2"};
static const char *const device_words[] = {"d3", "d4"};
static const char *const language_words[] = {"vi", "zh", "en"};

static const struct session *random_session(void)
{
    struct session *session = arena_alloc(scene.arena, sizeof(*session));
    struct session_part *parts = arena_alloc(scene.arena, 6 * sizeof(*parts));
    static const struct session_topic topics[] = {{"music", 3}, {"news", 1}};
    *session = (struct session){.length_ms = chance(80) ? seed_between(5, 60) * MINUTE_MS : 0,
                                .opening = chance(50) ? scene.bulletins[1].hash : NULL,
                                .closing = chance(50) ? scene.bulletins[pick(3)].hash : NULL,
                                .parts = parts,
                                .n_parts = pick(6),
                                .plays = seed_between(0, 4),
                                .gap_ms = seed_between(0, 3) * MINUTE_MS,
                                .topics = topics,
                                .n_topics = pick(3),
                                .overrun = (enum session_overrun)pick(2),
                                .languages = (enum session_languages)pick(2)};
    for (size_t i = 0; i < session->n_parts; i++) {
        parts[i] = (struct session_part){.bulletin = some_hash(), .class = chance(50) ? -1 : (int)pick(3)};
        if (chance(10))
            parts[i] = (struct session_part){.source = "vov1", .length_ms = seed_between(1, 20) * MINUTE_MS};
    }
    return session;
}

static void random_recurrence(struct recurrence *recur)
{
    recur->when = chance(70) ? WHEN_DAILY : WHEN_WEEKLY;
    recur->weekdays = (uint8_t)seed_between(1, 128);
    recur->n_times = 1 + pick(3);
    for (size_t i = 0; i < recur->n_times; i++)
        recur->times[i] = (int32_t)seed_between(0, 144) * 600;
}

static void random_rules(void)
{
    for (size_t i = 0; i < RULES; i++) {
        snprintf(rule_ids[i], sizeof(rule_ids[i]), i % 2 ? "r%zu" : "r-%zu", i);
        rules[i] = scene_rule(rule_ids[i], pick(SCENE_BULLETINS), 0);
        random_recurrence(&rules[i].recur);
        if (chance(40)) {
            rules[i].bulletin = NULL;
            rules[i].session = random_session();
        } else if (chance(5)) {
            rules[i].bulletin = hash_number(1000);
        }
        rules[i].areas = some_of(area_words, 5, 40);
        rules[i].groups = some_of(group_words, 2, 20);
        rules[i].tags = some_of(tag_words, 2, 10);
        rules[i].except_areas = some_of(area_words + 1, 4, 10);
        if (chance(20))
            rules[i].devices = some_of(device_words, 2, 60);
        rules[i].class = (enum air_class)pick(3);
        rules[i].carry = (enum rule_carry)pick(3);
        rules[i].late_ms = chance(50) ? -1 : seed_between(0, 30) * MINUTE_MS;
        rules[i].catch_up_ms = chance(20) ? seed_between(0, 120) * MINUTE_MS : 0;
        if (chance(50)) {
            struct rule_placement *said = arena_alloc(scene.arena, sizeof(*said));
            int32_t *times = arena_alloc(scene.arena, sizeof(*times));
            times[0] = (int32_t)seed_between(0, 96) * 900;
            *said = (struct rule_placement){.area = area_words[1 + pick(2)],
                                            .taken = chance(60),
                                            .declined = chance(20),
                                            .times = times,
                                            .n_times = pick(2)};
            rules[i].placements = said;
            rules[i].n_placements = 1;
        }
    }
}

static struct limits random_limits(void)
{
    static const struct day_window night = {.from_min = 22 * 60, .to_min = 4 * 60};
    static const struct exemption exempt = {.order = "7/QD", .from_date = 20636, .until_date = 20637, .limits = ~0U};
    struct limit_line *lines = arena_alloc(scene.arena, 3 * sizeof(*lines));
    struct limits limits = {.zone = scene.home, .lines = lines, .n_lines = pick(4)};
    for (size_t i = 0; i < limits.n_lines; i++) {
        lines[i] = (struct limit_line){.what = (enum limit_what)pick(LIMITS),
                                       .action = (enum limit_action)pick(2),
                                       .number = seed_between(1, 60),
                                       .weekdays = (uint8_t)seed_between(1, 128)};
        if (lines[i].what == LIMIT_QUIET_HOURS) {
            lines[i].windows = &night;
            lines[i].n_windows = 1;
        }
    }
    if (chance(30)) {
        limits.exemptions = &exempt;
        limits.n_exemptions = 1;
    }
    return limits;
}

/* The villages of two communes; some move between them at a midnight. */
static void random_devices(void)
{
    for (size_t i = 0; i < DEVICES; i++) {
        struct membership *areas = arena_alloc(scene.arena, 4 * sizeof(*areas));
        int64_t midnight_ms = chance(30) ? july_ms(1 + (int)pick(DAYS), 0) : INT64_MAX;
        areas[0] = (struct membership){area_words[3 + i % 2], INT64_MIN, INT64_MAX};
        areas[1] = (struct membership){"xa-1", INT64_MIN, midnight_ms};
        areas[2] = (struct membership){"xa-2", midnight_ms, INT64_MAX};
        areas[3] = (struct membership){"tinh", INT64_MIN, INT64_MAX};
        snprintf(device_ids[i], sizeof(device_ids[i]), "d%zu", i);
        devices[i] = (struct compile_device){.id = device_ids[i],
                                             .kind = chance(60) ? KIND_LOUDSPEAKER : (enum device_kind)pick(3),
                                             .areas = areas,
                                             .n_areas = 4,
                                             .languages = {(const char **)(uintptr_t)language_words, 1 + pick(3)},
                                             .groups = some_of(group_words, 2, 30),
                                             .tags = some_of(tag_words, 2, 30),
                                             .limits = random_limits()};
    }
}

static void shuffle(void *at, size_t n, size_t size)
{
    char swap[sizeof(struct rule)], *base = at;
    for (size_t i = n; i > 1; i--) {
        size_t k = pick(i);
        memcpy(swap, base + (i - 1) * size, size);
        memcpy(base + (i - 1) * size, base + k * size, size);
        memcpy(base + k * size, swap, size);
    }
}

static void text_of(const struct compile_result *result, struct buf *ret)
{
    for (size_t i = 0; i < result->n_items; i++) {
        const struct playlist_item *item = &result->items[i];
        buf_putf(ret, "%s %s %" PRId64 " %" PRId64 " %d %d %" PRId64 " %" PRId64 " %" PRId64 " %zu %s\n", item->id,
                 item->bulletin < 0 ? item->source : result->bulletins[item->bulletin].hash, item->start_ms,
                 item->end_ms, item->class, item->policy, item->late_ms, item->catch_up_ms, item->show_ms,
                 item->languages.n, item->exempt ? item->exempt : "");
    }
    for (size_t i = 0; i < result->n_problems; i++) {
        const struct compile_problem *p = &result->problems[i];
        buf_putf(ret, "%s %s %s %" PRId64 " %" PRId64 " %d\n", p->rule, p->why, p->other ? p->other : "", p->start_ms,
                 p->count, p->warning);
    }
}

static void assert_same(const struct compile_result *a, const struct compile_result *b)
{
    struct buf x = {0}, y = {0};
    text_of(a, &x);
    text_of(b, &y);
    assert_string_equal(buf_text(&x), buf_text(&y));
    buf_done(&x);
    buf_done(&y);
}

static struct compile_result alone(const struct compile_device *device, int64_t from_ms)
{
    struct compile_result result;
    compile(rules, RULES, scene.bulletins, SCENE_BULLETINS, device, from_ms, july_ms(1 + DAYS, 0), PLAYLIST_ITEMS_MAX,
            scene.arena, &result);
    return result;
}

static size_t rule_len(const char *occurrence)
{
    return strcspn(occurrence, ".");
}

static const struct rule *rule_of(const char *occurrence)
{
    for (size_t i = 0; i < RULES; i++)
        if (strlen(rules[i].id) == rule_len(occurrence) && strncmp(rules[i].id, occurrence, rule_len(occurrence)) == 0)
            return &rules[i];
    return NULL;
}

/* How long it keeps the device: from the end, which the compiler writes from it. */
static int64_t length_of(const struct playlist_item *item)
{
    int64_t begin_ms = item->catch_up_ms > item->late_ms ? item->catch_up_ms : item->late_ms;
    const struct rule *rule = rule_of(item->id);
    bool open = rule->session && rule->session->overrun == OVERRUN_MID_SENTENCE;
    return open ? -1 : item->end_ms - item->start_ms - begin_ms - END_MARGIN_MS;
}

static void nothing_overlaps(const struct compile_result *result)
{
    int64_t end_ms[CLASS_EMERGENCY] = {0}, late_ms[CLASS_EMERGENCY] = {0};
    for (size_t i = 0; i < result->n_items; i++) {
        const struct playlist_item *item = &result->items[i];
        assert_true(item->start_ms >= late_ms[item->class]);
        if (item->start_ms < end_ms[item->class])
            fail_msg("%s begins %" PRId64 " s early", item->id, (end_ms[item->class] - item->start_ms) / 1000);
        int64_t length_ms = length_of(item);
        if (length_ms > 0)
            end_ms[item->class] = item->start_ms + length_ms;
        late_ms[item->class] = item->start_ms;
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(result->items[k].id, item->id);
    }
}

static bool has_problem(const struct compile_result *result, const char *rule)
{
    for (size_t i = 0; i < result->n_problems; i++)
        if (strcmp(result->problems[i].rule, rule) == 0)
            return true;
    return false;
}

/* Each occurrence of each rule that reaches the device is there, or there is a word about it. */
static void nothing_is_lost(const struct compile_result *result, const struct compile_device *device)
{
    int64_t at_s[256];
    for (size_t r = 0; r < RULES; r++) {
        struct recurrence recur = rules[r].recur;
        if (rules[r].carry != CARRY_DIRECT && rules[r].n_placements && rules[r].placements->n_times)
            continue; /* the commune's times, or not: said below of all items */
        size_t n = recur_expand(&recur, july_ms(1, 0), july_ms(1 + DAYS, 0), at_s, 256);
        for (size_t i = 0; i < n; i++) {
            if (at_s[i] * 1000 >= result->until_ms || !rule_targets(&rules[r], device, at_s[i] * 1000))
                continue;
            char id[60];
            int len = snprintf(id, sizeof(id), "%s.%" PRId64, rules[r].id, at_s[i]);
            bool found = false;
            for (size_t k = 0; k < result->n_items && !found; k++)
                found = strncmp(result->items[k].id, id, (size_t)len) == 0;
            if (!found && !has_problem(result, rules[r].id))
                fail_msg("%s is not at %s, and nothing tells why", id, device->id);
        }
    }
}

/* What must be carried is where it would be without all the others, unless these use up a limit of its days. */
static void firm_ones_keep_their_places(const struct compile_result *result, const struct compile_device *device)
{
    struct rule firm[RULES];
    struct compile_result only;
    size_t n = 0, k = 0;
    for (size_t i = 0; i < device->limits.n_lines; i++)
        if (device->limits.lines[i].what == LIMIT_SESSIONS_PER_DAY ||
            device->limits.lines[i].what == LIMIT_MINUTES_PER_DAY)
            return;
    for (size_t i = 0; i < RULES; i++)
        if (rules[i].carry == CARRY_MUST)
            firm[n++] = rules[i];
    compile(firm, n, scene.bulletins, SCENE_BULLETINS, device, july_ms(1, 0), july_ms(1 + DAYS, 0), PLAYLIST_ITEMS_MAX,
            scene.arena, &only);
    for (size_t i = 0; i < result->n_items; i++) {
        if (rule_of(result->items[i].id)->carry != CARRY_MUST)
            continue;
        assert_true(k < only.n_items);
        assert_string_equal(result->items[i].id, only.items[k].id);
        assert_int_equal(result->items[i].start_ms, only.items[k++].start_ms);
    }
    assert_true(k == only.n_items || result->until_ms < only.until_ms);
}

static void every_timetable(void **state)
{
    (void)state;
    seed_begin();
    for (int round = 0; round < ROUNDS; round++) {
        random_rules();
        random_devices();
        struct compile_result results[DEVICES];
        for (size_t i = 0; i < DEVICES; i++) {
            results[i] = alone(&devices[i], july_ms(1, 0));
            nothing_overlaps(&results[i]);
            nothing_is_lost(&results[i], &devices[i]);
            firm_ones_keep_their_places(&results[i], &devices[i]);
        }
        /* Together, in another order, from rules and bulletins in another order; asked twice. */
        struct rule mixed[RULES];
        struct compile_bulletin bulletins[SCENE_BULLETINS];
        size_t order[DEVICES];
        memcpy(mixed, rules, sizeof(rules));
        memcpy(bulletins, scene.bulletins, sizeof(bulletins));
        for (size_t i = 0; i < DEVICES; i++)
            order[i] = i;
        shuffle(mixed, RULES, sizeof(mixed[0]));
        shuffle(bulletins, SCENE_BULLETINS, sizeof(bulletins[0]));
        shuffle(order, DEVICES, sizeof(order[0]));
        struct compile_set *set =
            compile_set_new(mixed, RULES, bulletins, SCENE_BULLETINS, july_ms(1, 0), july_ms(1 + DAYS, 0));
        for (size_t i = 0; i < 2 * DEVICES; i++) {
            struct compile_result result;
            timeline_write(compile_set_timeline(set, &devices[order[i % DEVICES]]), july_ms(1, 0), july_ms(1 + DAYS, 0),
                           PLAYLIST_ITEMS_MAX, scene.arena, &result);
            assert_same(&results[order[i % DEVICES]], &result);
        }
        compile_set_free(set);
    }
}

/* A set that has been changed step by step is one that was made so. */
static void changes_come_to_the_same(void **state)
{
    (void)state;
    seed_begin();
    for (int round = 0; round < ROUNDS / 2; round++) {
        random_rules();
        random_devices();
        struct rule *before = arena_alloc(scene.arena, sizeof(rules));
        memcpy(before, rules, sizeof(rules));
        struct compile_set *set = compile_set_new(before, RULES - 4, scene.bulletins, SCENE_BULLETINS - 5,
                                                  july_ms(1, 0), july_ms(1 + DAYS, 0));
        for (size_t i = 0; i < DEVICES; i++)
            (void)compile_set_timeline(set, &devices[i]);
        random_rules();
        for (size_t i = 0; i < RULES; i++) {
            if (chance(50))
                (void)compile_set_timeline(set, &devices[pick(DEVICES)]);
            if (i < RULES - 4 && chance(20)) {
                compile_set_rule(set, rules[i].id, NULL);
                (void)compile_set_timeline(set, &devices[pick(DEVICES)]);
            }
            compile_set_rule(set, rules[i].id, &rules[i]);
        }
        for (size_t i = SCENE_BULLETINS - 5; i < SCENE_BULLETINS; i++)
            compile_set_bulletin(set, scene.bulletins[i].hash, &scene.bulletins[i]);
        for (size_t i = 0; i < DEVICES; i++) {
            struct compile_result one = alone(&devices[i], july_ms(1, 0)), result;
            timeline_write(compile_set_timeline(set, &devices[i]), july_ms(1, 0), july_ms(1 + DAYS, 0),
                           PLAYLIST_ITEMS_MAX, scene.arena, &result);
            assert_same(&one, &result);
        }
        compile_set_free(set);
    }
}

/* Compiled from any later moment, what is still to come is what it was. */
static void any_moment_says_the_same(void **state)
{
    (void)state;
    seed_begin();
    for (int round = 0; round < ROUNDS; round++) {
        random_rules();
        random_devices();
        const struct compile_device *device = &devices[pick(DEVICES)];
        struct compile_result whole = alone(device, july_ms(1, 0));
        int64_t from_ms = july_ms(1, 0) + seed_between(0, (DAYS - 1) * DAY_MS);
        struct compile_result rest = alone(device, from_ms);
        size_t skipped = 0;
        while (skipped < whole.n_items && whole.items[skipped].end_ms <= from_ms)
            skipped++;
        for (size_t i = skipped, k = 0; i < whole.n_items; i++) {
            if (whole.items[i].end_ms <= from_ms)
                continue;
            assert_true(k < rest.n_items);
            assert_string_equal(rest.items[k].id, whole.items[i].id);
            assert_int_equal(rest.items[k].start_ms, whole.items[i].start_ms);
            assert_int_equal(rest.items[k++].end_ms, whole.items[i].end_ms);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(every_timetable),
        SCENE_TEST(changes_come_to_the_same),
        SCENE_TEST(any_moment_says_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
