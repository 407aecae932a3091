/* compile_speed - a province's timetable from its rules, as the planner compiles it.
 *
 *   compile_speed DEVICES RULES DAYS   {"devices", "rules", "days", "items", "timelines", "written", "full_s",
 * "peak_kib", "before_kib", "write_all_s", "change_ms": [...]} on stdout
 *
 * 65 communes below one province; one device in five is a board, one in fifty has a language or a rule of its own.
 * Nineteen rules in twenty are a commune's (once or twice a day, weekly, monthly, lunar market days, every third day;
 * one in twelve a session with signature tune and fillers), the others hold for the whole province.
 *
 * full_s: the set is made, each device gets its timeline, each different timeline is written out. write_all_s: every
 * device's is written out, as one does who seals them all. change_ms: after one commune's rule got another time, that
 * commune's devices have their timelines and each different one is written out, for several communes. peak_kib:
 * resident memory of the process at its highest up to the end of the full compile. One thread. Exit 2: wrong use. */
#include "playlists/base/clock.h"
#include "playlists/compile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { COMMUNES = 65, BULLETINS = 200, CHANGES = 40, NAME_MAX = 24 };

#define BEGIN_MS INT64_C(1784480400000) /* 2026-07-20 00:00 at UTC+7 */
#define DAY_MS   INT64_C(86400000)

struct province {
    size_t n_devices, n_rules;
    int64_t until_ms;
    struct zone *zone;
    struct compile_device *devices;
    struct membership (*areas)[2]; /* of each device */
    char (*device_ids)[NAME_MAX];
    struct rule *rules;
    char (*rule_ids)[NAME_MAX];
    char area_ids[COMMUNES + 1][NAME_MAX];
    const char *area_names[COMMUNES + 1]; /* the province last */
    struct bulletin bulletins[BULLETINS];
    struct bulletin_content contents[BULLETINS];
    struct media_ref media[BULLETINS];
    char hashes[BULLETINS][65];
    struct compile_bulletin listed[BULLETINS];
    struct session session;
    struct session_part parts[6];
    struct session_topic topic;
};

static const char *vi[] = {"vi"}, *vi_tay[] = {"vi", "tyz"};

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void make_bulletins(struct province *p)
{
    for (size_t i = 0; i < BULLETINS; i++) {
        snprintf(p->hashes[i], sizeof(p->hashes[i]), "%064zx", i * 7919 + 1);
        p->media[i] =
            (struct media_ref){.hash = p->hashes[i], .size = 100000, .frames = (int64_t)(30 + i % 90) * DOC_RATE_HZ};
        p->contents[i] = (struct bulletin_content){.lang = "vi", .text = "Thông báo", .audio = &p->media[i]};
        p->bulletins[i] = (struct bulletin){.id = "b",
                                            .revision = 1,
                                            .title = "Tin",
                                            .category = i % 4 ? "tin" : "nhac",
                                            .answerable = "Mai",
                                            .unit = p->area_names[i % COMMUNES],
                                            .class = CLASS_PRIORITY,
                                            .contents = &p->contents[i],
                                            .n_contents = 1};
        p->listed[i] = (struct compile_bulletin){
            .hash = p->hashes[i], .size = 400, .bulletin = &p->bulletins[i], .filler = i % 4 == 0};
    }
}

static void make_session(struct province *p)
{
    for (size_t i = 0; i < sizeof(p->parts) / sizeof(p->parts[0]); i++)
        p->parts[i] = (struct session_part){.bulletin = p->hashes[10 + i], .class = -1};
    p->topic = (struct session_topic){.topic = "nhac", .weight = 1};
    p->session = (struct session){.length_ms = 1800000,
                                  .opening = p->hashes[1],
                                  .closing = p->hashes[2],
                                  .parts = p->parts,
                                  .n_parts = sizeof(p->parts) / sizeof(p->parts[0]),
                                  .topics = &p->topic,
                                  .n_topics = 1};
}

static void make_recurrence(const struct province *p, size_t i, struct recurrence *ret)
{
    static const enum recur_when kinds[] = {WHEN_DAILY,   WHEN_WEEKLY,     WHEN_DAILY,
                                            WHEN_MONTHLY, WHEN_LUNAR_DAYS, WHEN_EVERY};
    *ret = (struct recurrence){.when = kinds[i % 6],
                               .zone = p->zone,
                               .n_times = 1 + i % 2,
                               .from_date = INT64_MIN,
                               .until_date = INT64_MAX,
                               .weekdays = 1 | 1 << 2 | 1 << 4,
                               .month_days = 1 << 1 | 1 << 15,
                               .lunar_days = 1 << 2 | 1 << 7 | 1 << 12 | 1 << 17 | 1 << 22 | 1 << 27,
                               .every_days = 3};
    for (size_t k = 0; k < ret->n_times; k++)
        ret->times[k] = (int32_t)(5 * 3600 + (i * 1130 + k * 43200) % 57600);
}

static void make_rules(struct province *p)
{
    for (size_t i = 0; i < p->n_rules; i++) {
        bool own = i % 20 != 19; /* a commune's */
        bool session = i % 12 == 0;
        snprintf(p->rule_ids[i], NAME_MAX, "r%zu", i);
        p->rules[i] = (struct rule){.id = p->rule_ids[i],
                                    .bulletin = session ? NULL : p->hashes[i % BULLETINS],
                                    .session = session ? &p->session : NULL,
                                    .areas = {&p->area_names[own ? i % COMMUNES : COMMUNES], 1},
                                    .class = own ? CLASS_NORMAL : CLASS_PRIORITY,
                                    .late_ms = 1200000};
        make_recurrence(p, i, &p->rules[i].recur);
    }
}

static void make_devices(struct province *p)
{
    for (size_t i = 0; i < p->n_devices; i++) {
        snprintf(p->device_ids[i], NAME_MAX, "ls-%zu", i);
        p->areas[i][0] = (struct membership){p->area_names[i % COMMUNES], INT64_MIN, INT64_MAX};
        p->areas[i][1] = (struct membership){p->area_names[COMMUNES], INT64_MIN, INT64_MAX};
        bool other = i % 50 == 7;
        p->devices[i] = (struct compile_device){.id = p->device_ids[i],
                                                .kind = i / COMMUNES % 5 == 4 ? KIND_BOARD : KIND_LOUDSPEAKER,
                                                .languages = {other ? vi_tay : vi, other ? 2 : 1},
                                                .areas = p->areas[i],
                                                .n_areas = 2,
                                                .limits = {.zone = p->zone}};
    }
    for (size_t i = 0; i < p->n_rules && i < p->n_devices; i += 50) /* a rule that names one device too */
        p->rules[i].devices = (struct texts){.at = (const char **)&p->devices[i * 11 % p->n_devices].id, .n = 1};
}

static void make_province(struct province *p)
{
    p->devices = xcalloc(p->n_devices, sizeof(*p->devices));
    p->areas = xcalloc(p->n_devices, sizeof(*p->areas));
    p->device_ids = xcalloc(p->n_devices, sizeof(*p->device_ids));
    p->rules = xcalloc(p->n_rules, sizeof(*p->rules));
    p->rule_ids = xcalloc(p->n_rules, sizeof(*p->rule_ids));
    for (size_t i = 0; i <= COMMUNES; i++) {
        snprintf(p->area_ids[i], NAME_MAX, "a%zu", i);
        p->area_names[i] = p->area_ids[i];
    }
    make_bulletins(p);
    make_session(p);
    make_rules(p);
    make_devices(p);
}

static size_t write_one(const struct province *p, const struct timeline *timeline)
{
    struct arena *arena = arena_new();
    struct compile_result result;
    timeline_write(timeline, BEGIN_MS, p->until_ms, PLAYLIST_ITEMS_MAX, arena, &result);
    size_t n = result.n_items;
    arena_free(arena);
    return n;
}

static int by_address(const void *a, const void *b)
{
    const struct timeline *x = *(const struct timeline *const *)a, *y = *(const struct timeline *const *)b;
    return ((uintptr_t)x > (uintptr_t)y) - ((uintptr_t)x < (uintptr_t)y);
}

/* Timelines of devices first, first + step, ...; each different one is written out once. Items of all of them. */
static size_t devices_and_write(struct province *p, struct compile_set *set, size_t first, size_t step,
                                size_t *ret_written)
{
    const struct timeline **all = xcalloc(p->n_devices, sizeof(struct timeline *));
    size_t n = 0, items = 0;
    for (size_t i = first; i < p->n_devices; i += step)
        all[n++] = compile_set_timeline(set, &p->devices[i]);
    qsort(all, n, sizeof(struct timeline *), by_address);
    *ret_written = 0;
    for (size_t i = 0, last = 0; i < n; i++) {
        if (i > 0 && all[i] == all[i - 1]) {
            items += last;
            continue;
        }
        last = write_one(p, all[i]);
        items += last;
        (*ret_written)++;
    }
    free(all);
    return items;
}

static long peak_kib(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

static double change_one(struct province *p, struct compile_set *set, size_t k)
{
    struct rule *rule = &p->rules[k * 7 % p->n_rules];
    size_t written;
    while (rule->areas.at[0] == p->area_names[COMMUNES]) /* the province's: take the next */
        rule = rule + 1 < p->rules + p->n_rules ? rule + 1 : p->rules;
    size_t commune = (size_t)(rule->areas.at - (const char **)p->area_names);
    rule->recur.times[0] = (int32_t)(rule->recur.times[0] + 60);
    double began_s = now_s();
    compile_set_rule(set, rule->id, rule);
    devices_and_write(p, set, commune, COMMUNES, &written);
    return (now_s() - began_s) * 1000;
}

int main(int argc, char **argv)
{
    struct province *p = xcalloc(1, sizeof(*p));
    struct complaint why = {0};
    p->n_devices = argc == 4 ? strtoul(argv[1], NULL, 10) : 0;
    p->n_rules = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
    long days = argc == 4 ? strtol(argv[3], NULL, 10) : 0;
    if (p->n_devices < COMMUNES || p->n_rules < 6 || days < 1 || days > HORIZON_DAYS) {
        fprintf(stderr, "usage: compile_speed DEVICES RULES DAYS (at least %d devices and 6 rules, 1 to %d days)\n",
                COMMUNES, HORIZON_DAYS);
        return 2;
    }
    if (zone_load(NULL, "Asia/Ho_Chi_Minh", &p->zone, &why) < 0) {
        fprintf(stderr, "%s\n", why.text);
        return 1;
    }
    p->until_ms = BEGIN_MS + days * DAY_MS;
    make_province(p);
    long before_kib = peak_kib();
    double began_s = now_s();
    struct compile_set *set = compile_set_new(p->rules, p->n_rules, p->listed, BULLETINS, BEGIN_MS, p->until_ms);
    size_t written = 0, items = devices_and_write(p, set, 0, 1, &written);
    double full_s = now_s() - began_s;
    long kib = peak_kib();
    began_s = now_s();
    for (size_t i = 0; i < p->n_devices; i++)
        write_one(p, compile_set_timeline(set, &p->devices[i]));
    double write_s = now_s() - began_s;
    printf("{\"devices\": %zu, \"rules\": %zu, \"days\": %ld, \"items\": %zu, \"timelines\": %zu, \"written\": %zu, "
           "\"full_s\": %.4f, \"peak_kib\": %ld, \"before_kib\": %ld, \"write_all_s\": %.4f, \"change_ms\": [",
           p->n_devices, p->n_rules, days, items, compile_set_timelines(set), written, full_s, kib, before_kib,
           write_s);
    for (size_t k = 0; k < CHANGES; k++)
        printf("%s%.3f", k ? ", " : "", change_one(p, set, k));
    printf("]}\n");
    compile_set_free(set);
    zone_free(p->zone);
    free(p->devices);
    free(p->areas);
    free(p->device_ids);
    free(p->rules);
    free(p->rule_ids);
    free(p);
    return 0;
}
