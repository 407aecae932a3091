/* scene.h - a commune to compile for: bulletins of known lengths, one device, rules in Vietnam's time. */
#ifndef LOA_UNIT_COMPILE_SCENE_H
#define LOA_UNIT_COMPILE_SCENE_H

#include "unit.h"

#include "playlists/compile.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_MS    INT64_C(86400000)
#define MINUTE_MS INT64_C(60000)
#define LIST(...)                                                                                                      \
    (struct texts)                                                                                                     \
    {                                                                                                                  \
        (const char *[]){__VA_ARGS__}, sizeof((const char *[]){__VA_ARGS__}) / sizeof(const char *)                    \
    }

enum { SCENE_BULLETINS = 40 };

/* Bulletin n is bulletins[n], its hash begins with n in eight hex digits; n minutes long in each of its languages.
 * Those from 10 on speak Vietnamese only, those below Vietnamese, Chinese and English; from 30 on they may fill, in
 * turn with "news" and "music". */
struct scene {
    struct arena *arena;
    struct zone *home;
    struct compile_bulletin bulletins[SCENE_BULLETINS];
    struct compile_device device;
    struct compile_result result;
};

static struct scene scene;

static inline const char *hash_number(size_t n)
{
    char *hash = arena_alloc(scene.arena, HASH_HEX_LEN + 1);
    snprintf(hash, HASH_HEX_LEN + 1, "%08zx%056zx", n, n);
    return hash;
}

static inline const struct bulletin *make_bulletin(size_t n, size_t n_contents, const char *category)
{
    static const char *const languages[] = {"vi", "zh", "en"};
    struct bulletin *b = arena_alloc(scene.arena, sizeof(*b));
    *b = (struct bulletin){.id = "b", .revision = 1, .category = category, .n_contents = n_contents};
    b->contents = arena_alloc(scene.arena, n_contents * sizeof(b->contents[0]));
    for (size_t i = 0; i < n_contents; i++) {
        struct media_ref *sound = arena_alloc(scene.arena, sizeof(*sound));
        *sound = (struct media_ref){hash_number(n), 1000, (int64_t)n * 60 * DOC_RATE_HZ};
        b->contents[i] = (struct bulletin_content){languages[i], "Thông báo", sound};
    }
    return b;
}

static inline int scene_set_up(void **state)
{
    static const struct membership areas[] = {{"xa-1", INT64_MIN, INT64_MAX}, {"tinh", INT64_MIN, INT64_MAX}};
    static const char *languages[] = {"vi"};
    (void)state;
    scene = (struct scene){.arena = arena_new()};
    for (size_t i = 0; i < SCENE_BULLETINS; i++)
        scene.bulletins[i] = (struct compile_bulletin){.hash = hash_number(i),
                                                       .size = 100,
                                                       .bulletin = make_bulletin(i ? i : 1, i < 10 ? 3 : 1,
                                                                                 i < 30  ? "notice"
                                                                                 : i % 2 ? "news"
                                                                                         : "music"),
                                                       .filler = i >= 30};
    scene.device = (struct compile_device){
        .id = "loa-1", .kind = KIND_LOUDSPEAKER, .areas = areas, .n_areas = 2, .languages = {languages, 1}};
    return zone_load(NULL, "Asia/Ho_Chi_Minh", &scene.home, NULL);
}

static inline int scene_tear_down(void **state)
{
    (void)state;
    arena_free(scene.arena);
    zone_free(scene.home);
    return 0;
}

#define SCENE_TEST(name) cmocka_unit_test_setup_teardown(name, scene_set_up, scene_tear_down)

/* Each day at this minute, for everybody. */
static inline struct rule scene_rule(const char *id, size_t bulletin, int32_t minute)
{
    static const char *everywhere[] = {"tinh"};
    return (struct rule){.id = id,
                         .bulletin = bulletin < SCENE_BULLETINS ? scene.bulletins[bulletin].hash : NULL,
                         .recur = {.when = WHEN_DAILY,
                                   .zone = scene.home,
                                   .times = {minute * 60},
                                   .n_times = 1,
                                   .from_date = INT64_MIN,
                                   .until_date = INT64_MAX},
                         .areas = {everywhere, 1},
                         .class = CLASS_NORMAL,
                         .late_ms = -1};
}

/* The instant of a minute of a day of July 2026 (32 is the first of August). */
static inline int64_t july_ms(int day, int32_t minute)
{
    return zone_instant_s(scene.home, civil_days(2026, 7, day), minute * 60, NULL) * 1000;
}

static inline void scene_compile(const struct rule *rules, size_t n, int first_day, int days)
{
    compile(rules, n, scene.bulletins, SCENE_BULLETINS, &scene.device, july_ms(first_day, 0),
            july_ms(first_day + days, 0), PLAYLIST_ITEMS_MAX, scene.arena, &scene.result);
}

static inline const struct compile_problem *problem(const char *rule, enum problem_what what)
{
    for (size_t i = 0; i < scene.result.n_problems; i++)
        if (scene.result.problems[i].what == what && strcmp(scene.result.problems[i].rule, rule) == 0)
            return &scene.result.problems[i];
    return NULL;
}

#endif
