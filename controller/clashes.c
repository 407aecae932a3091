/* clashes.c - see clashes.h. */
#include "controller/clashes.h"

#include "controller/areas.h"
#include "controller/carry.h"
#include "controller/places.h"
#include "controller/planner.h"
#include "controller/reader.h"
#include "controller/rules.h"
#include "playlists/base/clock.h"
#include "playlists/clash.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_MS INT64_C(86400000)

#define LOOK_MS (366 * DAY_MS)
#define FAR_MS  (1830 * DAY_MS) /* a time further away than this is none */

enum { LOOKS_MAX = 3, EXCESSES_TOLD_MAX = 8 };

struct job {
    struct job *next;
    char token[24]; /* whose it is */
    uint64_t round; /* its turn */
    unsigned looks; /* how often it was looked at */
    int64_t seen_n; /* the latest change of a rule that the thread saw */
    char id[44];
    json_t *body, *placed, *report; /* owned */
    clashes_done_fn done;           /* NULL: told */
    void *arg;
};

struct clashes {
    struct controller *c;
    struct reader *reader;  /* the thread's */
    struct controller *own; /* what it gave, while the thread is at it */
    struct timetables *timetables;
    uv_work_t work;
    struct job *jobs; /* the first is worked at; by round */
    size_t n_jobs;
    bool stopping;
};

static json_t *date_json(int64_t day)
{
    char text[48];
    int year, month, month_day;
    civil_date(day, &year, &month, &month_day);
    snprintf(text, sizeof(text), "%04d-%02d-%02d", year, month, month_day);
    return json_string(text);
}

static json_t *dates_json(const int64_t *days, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, date_json(days[i]));
    return list;
}

static json_t *way_json(const struct clash_way *way)
{
    if (!way->possible)
        return json_null();
    json_t *list = json_array();
    for (size_t i = 0; i < way->n_times; i++) {
        char text[32];
        snprintf(text, sizeof(text), "%02d:%02d", (int)way->times[i] / 3600, (int)way->times[i] / 60 % 60);
        json_array_append_new(list, json_string(text));
    }
    return list;
}

static json_t *clash_json(const struct clash *clash)
{
    json_t *json =
        json_pack("{s:s, s:s, s:I, s:I, s:i, s:b, s:b, s:I}", "rule", clash->other->id, "class",
                  air_class_names[clash->other->class], "from_ms", (json_int_t)clash->from_ms, "to_ms",
                  (json_int_t)clash->to_ms, "weekdays", (int)clash->weekdays, "every_week", (int)clash->every_week,
                  "other_whole", (int)clash->other_whole, "devices", (json_int_t)clash->n_devices);
    json_object_set_new(json, "days", dates_json(clash->days, clash->n_days));
    json_object_set_new(json, "other_days", dates_json(clash->other_days, clash->n_other_days));
    return json;
}

/* The devices that the rule reaches, as rules see them; their kinds in `kinds`. */
static size_t devices_of(struct clashes *k, const struct job *job, json_t *kinds, struct arena *arena,
                         struct compile_device **ret)
{
    const char *area = json_string_value(json_object_get(job->placed, "area"));
    json_t *ids = planner_devices_within(k->own->store, job->body, area), *id;
    size_t n = 0, i, j;
    *ret = arena_alloc(arena, (json_array_size(ids) + 1) * sizeof(**ret));
    json_array_foreach(ids, i, id)
    {
        json_t *facts = device_facts(k->own->store, json_string_value(id));
        if (!facts)
            continue;
        bool there = false;
        json_t *kind = json_object_get(facts, "kind"), *known;
        json_array_foreach(kinds, j, known) there = there || json_equal(known, kind);
        if (!there)
            json_array_append(kinds, kind);
        planner_device(k->own, facts, arena, &(*ret)[n++]);
        json_decref(facts);
    }
    json_decref(ids);
    return n;
}

/* Areas in which no device stands yet: as though an ordinary loudspeaker stood in each. */
static size_t devices_to_come(struct clashes *k, const struct job *job, struct arena *arena,
                              struct compile_device **ret)
{
    json_t *one = job->placed ? json_pack("[O]", json_object_get(job->placed, "area")) : NULL;
    const json_t *areas = one ? one : json_object_get(job->body, "areas"), *area;
    size_t i;
    *ret = arena_alloc(arena, (json_array_size(areas) + 1) * sizeof(**ret));
    json_array_foreach(areas, i, area)
    {
        json_t *facts =
            json_pack("{s:O, s:s, s:o, s:{s:s, s:s}}", "id", area, "kind", device_kind_names[KIND_LOUDSPEAKER],
                      "memberships", areas_memberships(k->own->store, json_string_value(area)), "settings", "zone",
                      k->own->settings->zone, "noise", noise_class_names[NOISE_ORDINARY]);
        planner_device(k->own, facts, arena, &(*ret)[i]);
        json_decref(facts);
    }
    json_decref(one);
    return i;
}

/* The rule's next time from now on, or a bound behind all of them. */
static int64_t begin_of(const struct rule *rule, int64_t now_ms)
{
    int64_t at_s;
    if (recur_expand(&rule->recur, now_ms, now_ms + FAR_MS, &at_s, 1) == 0)
        return INT64_MAX;
    return at_s * 1000 > now_ms ? at_s * 1000 : now_ms;
}

/* A year from the rule's next time on; longer when another rule begins later: a year from there. */
static int64_t end_of(const struct rule *others, size_t n, int64_t from_ms)
{
    int64_t until_ms = from_ms + LOOK_MS;
    for (size_t i = 0; i < n; i++) {
        int64_t begin_ms = begin_of(&others[i], from_ms);
        if (begin_ms < INT64_MAX && begin_ms + LOOK_MS > until_ms)
            until_ms = begin_ms + LOOK_MS;
    }
    return until_ms;
}

static json_t *excess_json(const struct excess *excess)
{
    const struct limit_line *line = excess->line;
    json_t *others = json_array();
    for (size_t i = 0; i < excess->n_others && i < EXCESS_OTHERS_MAX; i++)
        json_array_append_new(others, json_string(excess->others[i]->id));
    return json_pack("{s:s, s:i, s:b, s:I, s:I, s:o, s:s?, s:s?, s:s, s:o, s:I, s:i}", "what",
                     limit_what_names[line->what], "action", (int)line->action, "worse", (int)excess->worse, "wanted",
                     (json_int_t)excess->wanted, "number", (json_int_t)line->number, "day",
                     date_json(limits_day(&excess->device->limits, excess->start_ms)), "area", line->area, "authority",
                     line->authority, "device", excess->device->id, "others", others, "n_others",
                     (json_int_t)excess->n_others, "days", (int)excess_days(excess));
}

static json_t *excesses_json(const struct excess_report *report)
{
    json_t *list = json_array();
    for (size_t i = 0; i < report->n && i < EXCESSES_TOLD_MAX; i++)
        json_array_append_new(list, excess_json(&report->at[i]));
    return list;
}

static json_t *report_json(const struct clash_report *report, json_t *kinds)
{
    json_t *list = json_array();
    for (size_t i = 0; i < report->n; i++)
        json_array_append_new(list, clash_json(&report->clashes[i]));
    return json_pack("{s:o, s:o, s:o, s:O, s:o, s:o}", "clashes", list, "after", way_json(&report->after), "shift",
                     way_json(&report->shift), "kinds", kinds, "excess", excesses_json(&report->excess),
                     "excess_replaced", excesses_json(&report->excess_replaced));
}

static json_t *look_at(struct clashes *k, const struct job *job, const struct rule *rule, struct arena *arena)
{
    struct clash_report report = {0};
    struct compile_bulletin *bulletins;
    struct compile_device *devices;
    struct rule *others;
    json_t *kinds = json_array();
    int64_t now_ms = clock_wall_ms(), from_ms = begin_of(rule, now_ms);
    timetables_learn(k->timetables, k->own->store, rule);
    size_t n_others = timetables_rules(k->timetables, arena, &others);
    size_t n_bulletins = timetables_bulletins(k->timetables, arena, &bulletins);
    size_t n_devices = devices_of(k, job, kinds, arena, &devices), n_there = n_devices;
    if (n_there == 0)
        n_devices = devices_to_come(k, job, arena, &devices);
    from_ms = from_ms == INT64_MAX ? now_ms : from_ms;
    clash_find(rule, others, n_others, bulletins, n_bulletins, devices, n_devices, from_ms,
               end_of(others, n_others, from_ms), arena, &report);
    if (n_there == 0)
        report.n = 0; /* on no device */
    json_t *json = report_json(&report, kinds);
    json_decref(kinds);
    return json;
}

static json_t *look(struct clashes *k, const struct job *job)
{
    struct arena *arena = arena_new();
    struct rule rule;
    json_t *json = NULL;
    timetables_refresh(k->timetables, k->own->store, k->own->zones, clock_wall_ms());
    if (rule_build(job->id, job->body, k->own->zones, arena, &rule) == 0) {
        placements_load(k->own->store, job->id, arena, &rule);
        if (job->placed)
            placements_put(job->placed, arena, &rule);
        json = look_at(k, job, &rule, arena);
    }
    arena_free(arena);
    return json;
}

static int64_t latest_change(struct store *store)
{
    return store_number(store, 0, "SELECT max(n) FROM changes WHERE what = 'rule'", "");
}

static void on_thread(uv_work_t *work)
{
    struct clashes *k = work->data;
    if (reader_begin(k->reader, &k->own) < 0)
        return;
    k->jobs->seen_n = latest_change(k->own->store);
    k->jobs->report = look(k, k->jobs);
    reader_end(k->reader, false);
}

static void on_worked(uv_work_t *work, int status);

/* Told once, though the thread may still be at it. */
static void tell(struct job *job, json_t *report)
{
    if (job->done)
        job->done(job->arg, report);
    else
        json_decref(report);
    job->done = NULL;
}

static void job_free(struct job *job)
{
    json_decref(job->body);
    json_decref(job->placed);
    free(job);
}

/* Begin with the first that waits; those that cannot be begun are told so. */
static void go_on(struct clashes *k)
{
    while (k->jobs && (k->stopping || uv_queue_work(k->c->loop, &k->work, on_thread, on_worked) < 0)) {
        struct job *job = k->jobs;
        k->jobs = job->next;
        k->n_jobs--;
        tell(job, NULL);
        job_free(job);
    }
}

/* A rule changed while the thread was at it: what it found is of a world that is gone. */
static bool look_again(struct clashes *k, struct job *job)
{
    if (k->stopping || !job->report || latest_change(k->c->store) == job->seen_n)
        return false;
    json_decref(job->report);
    job->report = NULL;
    return ++job->looks < LOOKS_MAX && uv_queue_work(k->c->loop, &k->work, on_thread, on_worked) == 0;
}

static void on_worked(uv_work_t *work, int status)
{
    struct clashes *k = work->data;
    struct job *job = k->jobs;
    (void)status; /* it is never cancelled */
    if (look_again(k, job))
        return;
    k->jobs = job->next;
    k->n_jobs--;
    tell(job, job->report);
    job_free(job);
    go_on(k);
}

struct clashes *clashes_new(struct controller *c)
{
    struct clashes *k = xcalloc(1, sizeof(*k));
    k->c = c;
    k->reader = reader_new(&(struct controller){.settings = c->settings}); /* without the key that seals */
    k->timetables = timetables_new();
    k->work.data = k;
    return k;
}

/* One behind the last one of the same token, and not ahead of the turn that it is. Tokens that ask for much and those
 * that ask for little take turns so. */
static uint64_t round_of(const struct clashes *k, const char *token, size_t *ret_n)
{
    uint64_t round = k->jobs ? k->jobs->round : 0;
    *ret_n = 0;
    for (const struct job *job = k->jobs; job; job = job->next)
        if (strcmp(job->token, token) == 0) {
            ++*ret_n;
            round = job->round + 1 > round ? job->round + 1 : round;
        }
    return round;
}

int clashes_find(struct clashes *clashes, const char *token, const char *id, const json_t *body, const json_t *placed,
                 clashes_done_fn done, void *arg)
{
    struct job **at = &clashes->jobs;
    size_t n_own;
    uint64_t round = round_of(clashes, token, &n_own);
    if (clashes->stopping || clashes->n_jobs > CLASHES_WAITING_MAX || n_own > CLASHES_OF_ONE_MAX)
        return -EBUSY;
    struct job *job = xcalloc(1, sizeof(*job));
    snprintf(job->token, sizeof(job->token), "%s", token);
    snprintf(job->id, sizeof(job->id), "%s", id);
    job->round = round;
    job->body = json_deep_copy(body); /* the thread's alone */
    job->placed = json_deep_copy(placed);
    job->done = done;
    job->arg = arg;
    while (*at && (*at == clashes->jobs || (*at)->round <= round)) /* the first is worked at */
        at = &(*at)->next;
    job->next = *at;
    *at = job;
    if (clashes->n_jobs++ == 0 && uv_queue_work(clashes->c->loop, &clashes->work, on_thread, on_worked) < 0) {
        *at = NULL;
        clashes->n_jobs--;
        job_free(job);
        return -EBUSY;
    }
    return 0;
}

void clashes_stop(struct clashes *clashes)
{
    clashes->stopping = true;
    for (struct job *job = clashes->jobs; job; job = job->next)
        tell(job, NULL);
}

void clashes_free(struct clashes *clashes)
{
    if (!clashes)
        return;
    timetables_free(clashes->timetables);
    reader_free(clashes->reader);
    free(clashes);
}
