/* drafts.c - see drafts.h. */
#include "controller/drafts.h"

#include "controller/mandate.h"
#include "controller/places.h"
#include "controller/planner.h"
#include "controller/reader.h"
#include "playlists/base/clock.h"
#include "playlists/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TIME_MAX_MS = 15, /* of one piece of work; what is urgent waits for it, and all of it is one commit of the loop's */
    ITEMS_MIN = 8,
    PROBLEMS_MAX = 100,
};
#define LIFE_S (INT64_C(40) * 86400) /* of configurations and playlists */
#define DAY_S  INT64_C(86400)

struct drafts {
    uv_loop_t *loop;
    struct reader *reader;
    struct controller *own;        /* the thread's, while it is at work: the reader's */
    struct timetables *timetables; /* the thread's */
    uv_work_t work;
    struct store *store; /* the loop's */
    bool busy, trusted, shorten_log;
    struct draft drafts[DRAFTS_MAX];
    size_t asked, done;
    json_t *meant, *reached; /* owned */
    drafts_done_fn on_done;
    void *arg;
};

/* --- on the thread --- */

static int64_t member(const json_t *row, const char *name)
{
    return json_integer_value(json_object_get(row, name));
}

static json_t *current(struct drafts *d, const char *word, const char *device)
{
    return store_one(d->own->store,
                     "SELECT era, ver, iat_s, hash, body AS body__json FROM documents WHERE word = ? AND device = ?"
                     " ORDER BY era DESC, ver DESC LIMIT 1",
                     "ss", word, device);
}

/* What ours has to overtake, of one document, of this era and not beyond what can be. */
struct rivals {
    const json_t *reported; /* what the device says it holds; NULL: nothing */
    json_t *seen;           /* the highest that the broker showed us under a scheduler's seal; NULL: none. Owned */
};

static struct rivals rivals_of(struct drafts *d, const char *word, const char *device, const json_t *state)
{
    int64_t era = mandate_era(d->own->mandate), max = clock_wall_ms() + VERSION_AHEAD_MS;
    struct rivals rivals = {
        .seen = store_one(d->own->store,
                          "SELECT ver, hash FROM seen WHERE word = ? AND device = ? AND era = ? AND ver <= ?", "ssii",
                          word, device, era, max)};
    json_t *held;
    size_t i;
    json_array_foreach(json_object_get(state, "held"), i, held)
    {
        const char *doc = json_string_value(json_object_get(held, "doc"));
        if (doc && strcmp(doc, word) == 0 && member(held, "era") == era && member(held, "ver") <= max)
            rivals.reported = held;
    }
    return rivals;
}

/* `theirs` would not give way to ours: it is newer, or other content under our version. */
static bool overtaken(const json_t *mine, const json_t *theirs)
{
    int64_t diff = member(theirs, "ver") - member(mine, "ver");
    return theirs &&
           (diff > 0 || (diff == 0 && !json_equal(json_object_get(mine, "hash"), json_object_get(theirs, "hash"))));
}

/* Each day every device has its moment at which the horizon moves on, so that they do not all have the same; the first
 * one comes when what was made is a quarter of a day old at least. */
static bool renewal_due(const char *device, int64_t made_s, int64_t now_s)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    for (const char *at = device; *at; at++)
        hash = (hash ^ (unsigned char)*at) * UINT64_C(1099511628211);
    int64_t phase_s = (int64_t)((hash ^ hash >> 32) % (uint64_t)DAY_S);
    return (now_s - phase_s) / DAY_S > (made_s + DAY_S / 4 - phase_s) / DAY_S;
}

/* Ours stands: fresh enough, of this era, and nothing newer is with the device or the broker. */
static bool standing(struct drafts *d, const struct rivals *rivals, const char *device, const json_t *mine)
{
    return mine && member(mine, "era") == mandate_era(d->own->mandate) &&
           !renewal_due(device, member(mine, "iat_s"), clock_wall_ms() / 1000) && !overtaken(mine, rivals->reported) &&
           !overtaken(mine, rivals->seen);
}

static int64_t above(int64_t ver, int64_t other)
{
    return other >= ver ? other + 1 : ver;
}

static struct doc_head new_head(struct drafts *d, const struct rivals *rivals, const char *device, const json_t *mine,
                                char aud[64])
{
    int64_t now_ms = clock_wall_ms();
    int64_t ver = above(above(now_ms, member(rivals->seen, "ver")), member(rivals->reported, "ver"));
    snprintf(aud, 64, "dev/%s", device);
    return (struct doc_head){.aud = aud,
                             .era = mandate_era(d->own->mandate),
                             .ver = mine ? above(ver, member(mine, "ver")) : ver,
                             .iat_s = now_ms / 1000,
                             .exp_s = now_ms / 1000 + LIFE_S};
}

/* Consumes body and sealed. */
static void put_paper(struct draft_paper *ret, const struct doc_head *head, char *body, char *sealed)
{
    *ret = (struct draft_paper){.era = head->era,
                                .ver = head->ver,
                                .iat_s = head->iat_s,
                                .exp_s = head->exp_s,
                                .hash = hash_of(sealed, strlen(sealed)),
                                .body = body,
                                .sealed = sealed};
}

static json_t *without_head(const json_t *body)
{
    static const char *const head[] = {"aud", "era", "ver", "iat", "exp", NULL};
    json_t *copy = json_copy((json_t *)body);
    for (size_t i = 0; head[i]; i++)
        json_object_del(copy, head[i]);
    return copy;
}

/* Returns the version in force, 0 when there is none. */
static int64_t draft_config(struct drafts *d, struct draft *draft, const json_t *facts, const struct rivals *rivals,
                            struct arena *arena)
{
    struct config config;
    struct complaint why = {0};
    char aud[64], *sealed = NULL;
    json_t *mine = current(d, "config", draft->device);
    planner_config(d->own, facts, clock_wall_ms(), arena, &config);
    config.head = new_head(d, rivals, draft->device, mine, aud);
    json_t *fresh = doc_json(DOC_CONFIG, &config);
    json_t *a = without_head(json_object_get(mine, "body")), *b = without_head(fresh);
    int64_t ver = member(mine, "ver");
    if (!fresh) {
        log_err("publisher", "device=%s its configuration cannot be written; nothing is published", draft->device);
    } else if (!standing(d, rivals, draft->device, mine) || !json_equal(a, b)) {
        if (seal_doc(&d->own->scheduler, DOC_CONFIG, &config, true, &sealed, &why) < 0) {
            log_err("publisher", "device=%s configuration not sealed: %s", draft->device, why.text);
        } else {
            put_paper(&draft->config, &config.head, json_dumps(fresh, JSON_COMPACT), sealed);
            ver = config.head.ver;
        }
    }
    json_decref(a);
    json_decref(b);
    json_decref(fresh);
    json_decref(mine);
    return ver;
}

/* Compilation's problems, if they are others than those that are stored. */
static json_t *new_problems(struct drafts *d, const char *device, const struct compile_result *result)
{
    json_t *list = json_array();
    for (size_t i = 0; i < result->n_problems && i < PROBLEMS_MAX; i++) {
        const struct compile_problem *p = &result->problems[i];
        json_array_append_new(list, json_pack("[s, I, s, s?, I, i]", p->rule, (json_int_t)p->start_ms, p->why, p->other,
                                              (json_int_t)p->count, (int)p->warning));
    }
    char *old =
        store_text(d->own->store,
                   "SELECT json_group_array(json_array(rule, start_ms, why, other, count, warning)) FROM (SELECT *"
                   " FROM problems WHERE device = ? ORDER BY n)",
                   "s", device);
    json_t *old_list = old ? json_loads(old, 0, NULL) : NULL;
    bool same = old_list && json_equal(list, old_list);
    json_decref(old_list);
    free(old);
    if (!same)
        return list;
    json_decref(list);
    return NULL;
}

/* A playlist on its way: what is compiled, and its payload. */
struct
try {
    struct playlist playlist;
    struct compile_result result;
    struct buf text;
};

static int compile_try(struct drafts *d, const json_t *facts, const struct doc_head *head, int64_t config_ver,
                       size_t max_items, struct arena *arena, struct try *try, struct complaint *why)
{
    buf_done(&try->text);
    planner_playlist(d->own, d->timetables, facts, clock_wall_ms(), max_items, arena, &try->playlist, &try->result);
    try->playlist.head = *head;
    try->playlist.config_ver = config_ver;
    return doc_encode(DOC_PLAYLIST, &try->playlist, &try->text, why);
}

/* Compile with fewer items until it fits the wire. `r`: how the first try was written. */
static int fit(struct drafts *d, const json_t *facts, struct try *try, int r, struct arena *arena, char **ret_sealed,
               struct complaint *why)
{
    struct doc_head head = try->playlist.head;
    int64_t config_ver = try->playlist.config_ver;
    for (size_t max_items = PLAYLIST_ITEMS_MAX;;) {
        if (r >= 0) {
            r = seal(&d->own->scheduler, DOC_PLAYLIST, try->text.data, try->text.len, true, ret_sealed);
            if (r == ERR_LIMIT)
                complain(why, r, "it has more than %d bytes even when it is short", DOC_SEALED_MAX);
        }
        if (r != ERR_LIMIT || max_items < ITEMS_MIN)
            return r;
        max_items = max_items * 3 / 4;
        r = compile_try(d, facts, &head, config_ver, max_items, arena, try, why);
    }
}

static bool unchanged(struct drafts *d, const struct rivals *rivals, const char *device, const json_t *mine,
                      struct try *try)
{
    const json_t *old = json_object_get(mine, "body");
    if (!standing(d, rivals, device, mine) || member(old, "config_ver") != try->playlist.config_ver)
        return false;
    json_t *fresh = json_loadb((const char *)try->text.data, try->text.len, 0, NULL);
    bool same = planner_same(old, fresh, clock_wall_ms());
    json_decref(fresh);
    return same;
}

static void draft_playlist(struct drafts *d, struct draft *draft, const json_t *facts, const struct rivals *rivals,
                           int64_t config_ver, struct arena *arena)
{
    struct try try = {0};
    struct complaint why = {0};
    char aud[64], *sealed = NULL;
    json_t *mine = current(d, "playlist", draft->device);
    struct doc_head head = new_head(d, rivals, draft->device, mine, aud);
    int r = compile_try(d, facts, &head, config_ver, PLAYLIST_ITEMS_MAX, arena, &try, &why);
    if (r == ERR_LIMIT || (r >= 0 && !unchanged(d, rivals, draft->device, mine, &try)))
        r = fit(d, facts, &try, r, arena, &sealed, &why);
    if (r < 0) {
        draft->not_sealed = xasprintf("%s", why.text[0] ? why.text : err_name(r));
    } else {
        draft->problems = new_problems(d, draft->device, &try.result);
        draft->until_ms = try.playlist.until_ms;
        draft->n_items = (int64_t)try.playlist.n_items;
    }
    if (sealed)
        put_paper(&draft->playlist, &head, xstrdup(buf_text(&try.text)), sealed);
    buf_done(&try.text);
    json_decref(mine);
}

static void draft_one(struct drafts *d, struct draft *draft)
{
    json_t *facts = device_facts(d->own->store, draft->device);
    if (!facts)
        return;
    struct arena *arena = arena_new();
    json_t *row =
        store_one(d->own->store, "SELECT body AS body__json FROM states WHERE device = ?", "s", draft->device);
    const json_t *state = json_object_get(row, "body");
    struct rivals of_config = rivals_of(d, "config", draft->device, state);
    struct rivals of_playlist = rivals_of(d, "playlist", draft->device, state);
    int64_t config_ver = draft_config(d, draft, facts, &of_config, arena);
    if (config_ver > 0)
        draft_playlist(d, draft, facts, &of_playlist, config_ver, arena);
    arena_free(arena);
    json_decref(of_config.seen);
    json_decref(of_playlist.seen);
    json_decref(row);
    json_decref(facts);
}

/* Whom a change is for takes a look at every device of a province; and it may be urgent. */
static void find_meant(struct drafts *d, int64_t from_ms)
{
    while (json_array_size(d->meant) > 0 &&
           (json_array_size(d->reached) == 0 || clock_elapsed_ms() - from_ms < TIME_MAX_MS / 2)) {
        const json_t *body = json_array_get(d->meant, 0);
        json_array_append_new(d->reached, json_is_null(body) ? planner_devices(d->own->store)
                                                             : planner_devices_of(d->own->store, body));
        json_array_remove(d->meant, 0);
    }
}

static void on_thread(uv_work_t *work)
{
    struct drafts *d = work->data;
    d->done = 0;
    if (reader_begin(d->reader, &d->own) < 0)
        return;
    timetables_refresh(d->timetables, d->own->store, d->own->zones, clock_wall_ms());
    int64_t from_ms = clock_elapsed_ms();
    d->trusted = mandate_schedules(d->own->mandate, d->own->scheduler.kid);
    if (d->trusted)
        find_meant(d, from_ms);
    while (d->trusted && d->done < d->asked && (d->done == 0 || clock_elapsed_ms() - from_ms < TIME_MAX_MS))
        draft_one(d, &d->drafts[d->done++]);
    reader_end(d->reader, d->shorten_log);
}

/* --- on the loop --- */

static void paper_done(struct draft_paper *paper)
{
    free(paper->body);
    free(paper->sealed);
}

static void on_worked(uv_work_t *work, int status)
{
    struct drafts *d = work->data;
    (void)status; /* it is never cancelled */
    d->busy = false;
    struct draft drafts[DRAFTS_MAX];
    struct drafted drafted = {drafts, d->done, d->reached, d->meant, d->trusted};
    memcpy(drafts, d->drafts, sizeof(drafts));
    d->meant = d->reached = NULL;
    d->on_done(d->arg, &drafted); /* which may begin the next piece, or end us */
    for (size_t i = 0; i < drafted.n; i++) {
        paper_done(&drafts[i].config);
        paper_done(&drafts[i].playlist);
        json_decref(drafts[i].problems);
        free(drafts[i].not_sealed);
    }
    json_decref((json_t *)drafted.reached);
    json_decref((json_t *)drafted.left);
}

struct drafts *drafts_new(struct controller *c)
{
    struct drafts *d = xcalloc(1, sizeof(*d));
    d->loop = c->loop;
    d->store = c->store;
    d->reader = reader_new(c);
    d->timetables = timetables_new();
    return d;
}

void drafts_free(struct drafts *d)
{
    if (!d)
        return;
    timetables_free(d->timetables);
    reader_free(d->reader);
    free(d);
}

bool drafts_busy(const struct drafts *drafts)
{
    return drafts->busy;
}

int drafts_start(struct drafts *d, const char *const *devices, size_t n, json_t *meant, drafts_done_fn done, void *arg)
{
    memset(d->drafts, 0, sizeof(d->drafts));
    for (size_t i = 0; i < n; i++)
        snprintf(d->drafts[i].device, sizeof(d->drafts[i].device), "%s", devices[i]);
    d->asked = n;
    d->trusted = true;
    d->shorten_log = store_log_due(d->store);
    d->on_done = done;
    d->arg = arg;
    d->work.data = d;
    d->meant = meant ? json_incref(meant) : json_array(); /* whole before the thread is asked: it may begin at once */
    d->reached = json_array();
    int r = uv_queue_work(d->loop, &d->work, on_thread, on_worked);
    d->busy = r == 0;
    if (r < 0) {
        json_decref(d->meant);
        json_decref(d->reached);
        d->meant = d->reached = NULL;
        return r;
    }
    json_decref(meant);
    return 0;
}
