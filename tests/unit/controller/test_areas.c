/* The tree of areas over time: what belongs where when, before and after a change was made, by a model that walks the
 * tree; limits and exemptions of what changes hands. */
#include "unit.h"

#include "controller/areas.h"
#include "controller/limits_store.h"
#include "controller/places.h"
#include "playlists/base/bytes.h"
#include "playlists/hours.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { AREAS = 10, CHANGES = 12, ROUNDS = 40, DAY_MS = 86400000 };

struct bench {
    char dir[40], path[64];
    struct store *store;
    struct zones *zones;
    struct arena *arena;
};

static int setup(void **state)
{
    struct bench *b = xcalloc(1, sizeof(*b));
    struct complaint why = {0};
    strcpy(b->dir, "/tmp/loa-areas-XXXXXX");
    assert_non_null(mkdtemp(b->dir));
    snprintf(b->path, sizeof(b->path), "%s/c.db", b->dir);
    assert_int_equal(store_open(b->path, &b->store, &why), 0);
    store_number(b->store, 0, "PRAGMA synchronous = OFF", ""); /* thousands of commits on a disk that others use */
    b->zones = zones_new(NULL, NULL);
    b->arena = arena_new();
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    static const char *const ends[] = {"", "-wal", "-shm"};
    store_close(b->store);
    zones_free(b->zones);
    arena_free(b->arena);
    for (int i = 0; i < 3; i++) {
        char path[80];
        snprintf(path, sizeof(path), "%s%s", b->path, ends[i]);
        unlink(path);
    }
    rmdir(b->dir);
    free(b);
    return 0;
}

static uint32_t draw(uint32_t *seed, uint32_t below)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % below;
}

static void plan(struct store *store, const char *what, const char *area, const char *into, int64_t at_ms)
{
    assert_int_equal(
        store_run(store,
                  "INSERT INTO area_changes (what, area, into_area, date, effective_ms, unit, token, made_ms)"
                  " VALUES (?, ?, ?, 'd', ?, 'a0', 't', 1)",
                  "sssi", what, area, into, at_ms),
        1);
}

/* The model: parents day by day. */
struct model {
    int parent[CHANGES + 1][AREAS]; /* -1: none */
    bool ended[AREAS];
};

static bool above(const struct model *m, int day, int area, int wanted)
{
    for (int at = area; at >= 0; at = m->parent[day][at])
        if (at == wanted)
            return true;
    return false;
}

static void name_of(int area, char ret[8])
{
    snprintf(ret, 8, "a%d", area);
}

/* The store says for each area, at noon of each day, what the model says. */
static void agree(struct store *store, const struct model *m)
{
    for (int area = 0; area < AREAS; area++) {
        char name[8], other[8];
        name_of(area, name);
        json_t *list = areas_memberships(store, name), *row;
        for (int day = 0; day <= CHANGES; day++)
            for (int wanted = 0; wanted < AREAS; wanted++) {
                int64_t at_ms = (int64_t)day * DAY_MS + DAY_MS / 2;
                int found = 0;
                size_t i;
                name_of(wanted, other);
                json_array_foreach(list, i, row) found +=
                    strcmp(json_string_value(json_object_get(row, "area")), other) == 0 &&
                    json_integer_value(json_object_get(row, "from_ms")) <= at_ms &&
                    at_ms < json_integer_value(json_object_get(row, "until_ms"));
                if (found != above(m, day, area, wanted))
                    fail_msg("%s in %s on day %d: %d times", name, other, day, found);
            }
        json_decref(list);
    }
}

static void one_round(struct bench *b, uint32_t seed)
{
    struct model m = {0};
    assert_true(store_run(b->store, "DELETE FROM area_changes", "") >= 0);
    assert_true(store_run(b->store, "DELETE FROM area_spans", "") >= 0);
    assert_true(store_run(b->store, "DELETE FROM area_ends", "") >= 0);
    assert_true(store_run(b->store, "UPDATE areas SET parent = NULL", "") >= 0);
    assert_true(store_run(b->store, "DELETE FROM areas", "") >= 0);
    for (int i = 0; i < AREAS; i++) {
        char name[8], over[8];
        m.parent[0][i] = i ? (int)draw(&seed, (uint32_t)i) : -1;
        name_of(i, name);
        name_of(m.parent[0][i] < 0 ? 0 : m.parent[0][i], over);
        assert_int_equal(
            store_run(b->store, "INSERT INTO areas VALUES (?, ?, 'commune', ?)", "sss", name, i ? over : NULL, name),
            1);
    }
    for (int day = 1; day <= CHANGES; day++) {
        memcpy(m.parent[day], m.parent[day - 1], sizeof(m.parent[0]));
        int area = 1 + (int)draw(&seed, AREAS - 1), into = (int)draw(&seed, AREAS);
        char name[8], over[8];
        name_of(area, name);
        name_of(into, over);
        if (m.ended[area] || m.ended[into] || above(&m, day, into, area))
            continue;
        bool merge = draw(&seed, 4) == 0;
        m.parent[day][area] = into;
        m.ended[area] = merge;
        plan(b->store, merge ? "merge" : "move", name, over, (int64_t)day * DAY_MS);
    }
    struct problem problem = {0};
    assert_int_equal(areas_check(b->store, &problem), 0);
    agree(b->store, &m);
    for (int day = 1; day <= CHANGES; day += 1 + (int)draw(&seed, 3)) {
        json_t *devices = NULL;
        assert_true(areas_apply(b->store, (int64_t)day * DAY_MS + 1, &devices) >= 0);
        json_decref(devices);
        assert_true(areas_next_ms(b->store) > (int64_t)day * DAY_MS);
        agree(b->store, &m); /* what was, and what will be, does not change by being done */
    }
}

static void memberships_are_the_same_before_and_after(void **state)
{
    const char *given = getenv("LOA_SEED");
    uint32_t seed = given ? (uint32_t)strtoul(given, NULL, 10) : 20261121;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        print_message("seed %u\n", seed + i);
        one_round(*state, seed + i);
    }
}

/* --- limits of what changes hands --- */

static void add_limit(struct bench *b, const char *id, const char *area, const char *body)
{
    assert_int_equal(store_run(b->store, "INSERT INTO limits (id, area, body, created_ms) VALUES (?, ?, ?, 1)", "sss",
                               id, area, body),
                     1);
}

static void load(struct bench *b, const char *settings, struct limits *ret)
{
    assert_int_equal(store_run(b->store, "UPDATE devices SET settings = ? WHERE id = 'dev'", "s", settings), 1);
    json_t *facts = device_facts(b->store, "dev");
    assert_non_null(facts);
    limits_load(b->store, facts, b->zones, b->arena, ret);
    json_decref(facts);
}

static void places(struct bench *b)
{
    assert_true(store_run(b->store,
                          "INSERT INTO areas VALUES ('p', NULL, 'province', 'P'), ('c', 'p', 'commune', 'C'),"
                          " ('d', 'p', 'commune', 'D')",
                          "") == 3);
    assert_true(store_run(b->store, "INSERT INTO devices VALUES ('dev', 'cluster', 'N', 'c', '{}', 5)", "") == 1);
}

static bool quiet_at(const struct limits *limits, int64_t at_ms)
{
    return limits_quiet_from(limits, LIMIT_REFUSE, at_ms, at_ms + 1, NULL) == at_ms;
}

/* As the device asks its configuration. */
static bool device_quiet_at(const struct config *config, const struct zone *zone, int64_t at_ms)
{
    struct quiet_span spans[HOURS_SPANS_MAX];
    bool quiet = false;
    for (size_t n = hours_quiet(config, zone, at_ms, spans); n > 0; n--)
        quiet |= spans[n - 1].from_ms <= at_ms && at_ms < spans[n - 1].to_ms;
    return quiet;
}

#define HOUR_MS INT64_C(3600000)

static void the_default_holds_where_nobody_says_anything(void **state)
{
    struct bench *b = *state;
    struct limits limits;
    struct config config = {0};
    places(b);
    load(b, "{\"zone\":\"UTC\"}", &limits);
    limits_config(&limits, 0, b->arena, &config);
    assert_int_equal(config.n_quiet_hours, 1);
    assert_int_equal(config.quiet_hours[0].from_min, 21 * 60);
    assert_int_equal(config.quiet_hours[0].to_min, 5 * 60);
    assert_true(quiet_at(&limits, 4 * HOUR_MS) && !quiet_at(&limits, 5 * HOUR_MS));
    load(b, "{\"zone\":\"UTC\",\"quiet_hours\":[]}", &limits);
    limits_config(&limits, 0, b->arena, &config);
    assert_int_equal(config.n_quiet_hours, 0);
    assert_false(quiet_at(&limits, 4 * HOUR_MS));
    /* On day 10 its commune becomes a part of another, which has quiet hours of its own: then those, till then the
     * default. */
    add_limit(b, "l", "d",
              "{\"what\":\"quiet_hours\",\"action\":\"refuse\",\"source\":\"s\",\"windows\":"
              "[{\"from\":\"12:00\",\"to\":\"13:00\"}]}");
    plan(b->store, "merge", "c", "d", 10 * INT64_C(86400000));
    load(b, "{\"zone\":\"UTC\",\"quiet_hours\":null}", &limits);
    for (int64_t day = 8; day < 12; day++) {
        int64_t from_ms = day * DAY_MS;
        assert_int_equal(quiet_at(&limits, from_ms + 4 * HOUR_MS), day < 10);
        assert_int_equal(quiet_at(&limits, from_ms + 12 * HOUR_MS), day >= 10);
    }
    limits_config(&limits, 8 * INT64_C(86400000), b->arena, &config);
    assert_int_equal(config.n_later, 1);
    for (int64_t at_ms = 8 * DAY_MS; at_ms < 13 * DAY_MS; at_ms += HOUR_MS / 4) /* the device knows it beforehand */
        assert_int_equal(quiet_at(&limits, at_ms), device_quiet_at(&config, limits.zone, at_ms));
    limits_config(&limits, 11 * INT64_C(86400000), b->arena, &config);
    assert_int_equal(config.n_quiet_hours, 1);
    assert_int_equal(config.quiet_hours[0].from_min, 720);
    assert_int_equal(config.n_later, 0);
}

static void an_exemption_is_of_its_days_and_its_unit(void **state)
{
    struct bench *b = *state;
    struct limits limits;
    places(b);
    assert_true(store_run(b->store,
                          "INSERT INTO exemptions (id, unit, body, from_date, until_date, created_ms) VALUES ('e', 'c',"
                          " '{\"order\":\"1/CV\",\"areas\":[\"c\"],\"devices\":[],\"limits\":[\"quiet_hours\","
                          "\"weekdays\"]}', '1970-01-03', '1970-01-04', 1)",
                          "") == 1);
    load(b, "{\"zone\":\"UTC\"}", &limits);
    assert_null(limits_exempt(&limits, LIMIT_QUIET_HOURS, DAY_MS));
    assert_string_equal(limits_exempt(&limits, LIMIT_QUIET_HOURS, 2 * INT64_C(86400000)), "1/CV");
    assert_null(limits_exempt(&limits, LIMIT_QUIET_HOURS, 4 * INT64_C(86400000)));
    assert_null(limits_exempt(&limits, LIMIT_MINUTES_PER_DAY, 2 * INT64_C(86400000)));
    /* What the province laid down is not the commune's to lift. */
    add_limit(b, "l", "p", "{\"what\":\"quiet_hours\",\"action\":\"refuse\",\"source\":\"s\",\"windows\":[]}");
    load(b, "{\"zone\":\"UTC\"}", &limits);
    assert_null(limits_exempt(&limits, LIMIT_QUIET_HOURS, 2 * INT64_C(86400000)));
    assert_string_equal(limits_exempt(&limits, LIMIT_WEEKDAYS, 2 * INT64_C(86400000)), "1/CV");
}

static void ceilings_of_its_noise_class_the_lowest_counts(void **state)
{
    struct bench *b = *state;
    struct limits limits;
    struct config config = {0};
    char many[4096] = "{\"zone\":\"UTC\",\"noise\":\"special\",\"quiet_hours\":[],\"gain_ceilings\":[";
    places(b);
    add_limit(b, "o", "p",
              "{\"what\":\"gain_ceiling\",\"noise\":\"ordinary\",\"action\":\"refuse\",\"windows\":"
              "[{\"from\":\"00:00\",\"to\":\"24:00\",\"gain_mb\":-100}]}");
    add_limit(b, "s", "p",
              "{\"what\":\"gain_ceiling\",\"noise\":\"special\",\"action\":\"refuse\",\"windows\":"
              "[{\"from\":\"21:00\",\"to\":\"06:00\",\"gain_mb\":-2500}]}");
    load(b,
         "{\"zone\":\"UTC\",\"noise\":\"special\",\"gain_ceilings\":[{\"from\":\"05:00\",\"to\":\"07:00\","
         "\"gain_mb\":-600}]}",
         &limits);
    limits_config(&limits, 0, b->arena, &config);
    assert_int_equal(config.n_gain_ceilings, 2);
    assert_int_equal(config.gain_ceilings[0].from_min, 360);
    assert_int_equal(config.gain_ceilings[0].gain_mb, -600);
    assert_int_equal(config.gain_ceilings[1].from_min, 1260);
    assert_int_equal(config.gain_ceilings[1].to_min, 360);
    /* More windows than a device takes become fewer, never laxer. */
    for (int i = 0; i < 40; i++) {
        size_t len = strlen(many);
        snprintf(many + len, sizeof(many) - len, "%s{\"from\":\"%02d:%02d\",\"to\":\"%02d:%02d\",\"gain_mb\":%d}",
                 i ? "," : "", i / 2, i % 2 * 30, i / 2, i % 2 * 30 + 10, -10 - i);
    }
    strcat(many, "]}");
    load(b, many, &limits);
    limits_config(&limits, 0, b->arena, &config);
    assert_int_equal(config.n_gain_ceilings, 24);
    for (int i = 0; i < 40; i++) {
        int64_t minute = i * 30 + 5, lowest = 0;
        for (size_t j = 0; j < config.n_gain_ceilings; j++) {
            const struct day_window *w = &config.gain_ceilings[j];
            bool in = w->from_min < w->to_min ? minute >= w->from_min && minute < w->to_min
                                              : minute >= w->from_min || minute < w->to_min;
            lowest = in && w->gain_mb < lowest ? w->gain_mb : lowest;
        }
        assert_true(lowest <= -10 - i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(memberships_are_the_same_before_and_after, setup, teardown),
        cmocka_unit_test_setup_teardown(the_default_holds_where_nobody_says_anything, setup, teardown),
        cmocka_unit_test_setup_teardown(an_exemption_is_of_its_days_and_its_unit, setup, teardown),
        cmocka_unit_test_setup_teardown(ceilings_of_its_noise_class_the_lowest_counts, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
