/* approvals.c - see approvals.h. */
#include "controller/approvals.h"

#include "controller/blobs.h"
#include "controller/mandate.h"
#include "playlists/base/file.h"

#include <stdlib.h>
#include <string.h>

enum {
    OF_ONE_KEY_MAX = 8, /* looked at of one key and bulletin, so that nobody crowds out others */
    LOOKED_AT_MAX = 64,
};

struct choice {
    const struct approvals_case *c;
    const struct candidate *candidates;
    size_t n;
    bool *counts;  /* [candidate * n_wanted + k]: it counts for the k-th wanted item */
    bool *wanting; /* [k]: not on air yet by those taken */
    bool *taken;   /* [candidate] */
    struct opened_approval chosen[APPROVALS_MAX];
    size_t picked[APPROVALS_MAX]; /* their indices */
    size_t n_chosen;
};

static enum item_verdict judge(const struct approvals_case *c, const struct opened_approval *approvals, size_t n,
                               size_t k)
{
    const struct playlist_item *item = &c->items[c->wanted[k]];
    struct complaint why = {0};
    return judge_item(c->authority, c->bulletin, c->hash, approvals, n, c->areas, (enum air_class)item->class,
                      item->start_ms, &why);
}

static void judge_each(struct choice *choice)
{
    size_t n_wanted = choice->c->n_wanted;
    for (size_t i = 0; i < choice->n; i++)
        for (size_t k = 0; k < n_wanted && choice->candidates[i].opened.approval; k++) {
            enum item_verdict verdict = judge(choice->c, &choice->candidates[i].opened, 1, k);
            choice->counts[i * n_wanted + k] = verdict == ITEM_APPROVED || verdict == ITEM_QUORUM;
        }
}

/* The person speaks for this item already. */
static bool spoken(const struct choice *choice, const char *person, size_t k)
{
    for (size_t i = 0; i < choice->n_chosen; i++)
        if (choice->counts[choice->picked[i] * choice->c->n_wanted + k] &&
            strcmp(choice->candidates[choice->picked[i]].person, person) == 0)
            return true;
    return false;
}

struct gain {
    size_t wanting, all;
};

static struct gain gain_of(const struct choice *choice, size_t i)
{
    struct gain gain = {0};
    for (size_t k = 0; k < choice->c->n_wanted; k++) {
        if (!choice->counts[i * choice->c->n_wanted + k] || spoken(choice, choice->candidates[i].person, k))
            continue;
        gain.all++;
        gain.wanting += choice->wanting[k];
    }
    return gain;
}

static bool better(struct gain a, int64_t a_until_ms, struct gain b, int64_t b_until_ms)
{
    if (a.wanting != b.wanting)
        return a.wanting > b.wanting;
    return a.all != b.all ? a.all > b.all : a_until_ms > b_until_ms;
}

/* The index of the best that is left; n when none of them adds anything. */
static size_t best_left(const struct choice *choice)
{
    size_t best = choice->n;
    struct gain most = {0};
    for (size_t i = 0; i < choice->n; i++) {
        struct gain gain = choice->taken[i] ? (struct gain){0} : gain_of(choice, i);
        if (gain.all == 0 || (best < choice->n &&
                              !better(gain, choice->candidates[i].until_ms, most, choice->candidates[best].until_ms)))
            continue;
        best = i;
        most = gain;
    }
    return best;
}

static void take(struct choice *choice, size_t i)
{
    choice->taken[i] = true;
    choice->picked[choice->n_chosen] = i;
    choice->chosen[choice->n_chosen++] = choice->candidates[i].opened;
    for (size_t k = 0; k < choice->c->n_wanted; k++)
        choice->wanting[k] =
            choice->wanting[k] && judge(choice->c, choice->chosen, choice->n_chosen, k) != ITEM_APPROVED;
}

static bool any(const bool *flags, size_t n)
{
    while (n > 0 && !flags[n - 1])
        n--;
    return n > 0;
}

static int by_hash(const void *a, const void *b)
{
    return strcmp(((const struct blob_ref *)a)->hash, ((const struct blob_ref *)b)->hash);
}

size_t approvals_choose(const struct approvals_case *c, const struct candidate *candidates, size_t n,
                        struct blob_ref ret[APPROVALS_MAX])
{
    struct choice choice = {.c = c, .candidates = candidates, .n = n};
    size_t i, n_ret = 0;
    choice.counts = xcalloc(n * c->n_wanted + 1, sizeof(bool));
    choice.wanting = xcalloc(c->n_wanted + 1, sizeof(bool));
    choice.taken = xcalloc(n + 1, sizeof(bool));
    memset(choice.wanting, true, c->n_wanted);
    judge_each(&choice);
    while (choice.n_chosen < APPROVALS_MAX && (i = best_left(&choice)) < n)
        take(&choice, i);
    bool silent = any(choice.wanting, c->n_wanted);
    for (i = 0; i < n; i++)
        if (choice.taken[i])
            ret[n_ret++] = candidates[i].ref;
    for (i = 0; i < n && silent && n_ret < APPROVALS_MAX; i++)
        if (!choice.taken[i])
            ret[n_ret++] = candidates[i].ref;
    qsort(ret, n_ret, sizeof(ret[0]), by_hash);
    free(choice.counts);
    free(choice.wanting);
    free(choice.taken);
    return n_ret;
}

static const char *keep(struct arena *arena, const json_t *row, const char *name)
{
    const json_t *value = json_object_get(row, name);
    return arena_strndup(arena, json_string_value(value), json_string_length(value));
}

/* Two keys of one person are one person, by the keys in force. */
static const char *person_of(const struct authority *authority, const char *kid, const char *noted)
{
    const struct keys *keys = authority->keys;
    for (size_t i = 0; keys && i < keys->n_persons; i++)
        if (strcmp(keys->persons[i].kid, kid) == 0)
            return keys->persons[i].person;
    return noted;
}

static struct candidate read_one(struct controller *c, const struct authority *authority, const json_t *row,
                                 struct arena *arena)
{
    struct candidate candidate = {
        .ref = {.hash = keep(arena, row, "hash"), .size = json_integer_value(json_object_get(row, "size"))},
        .opened.kid = keep(arena, row, "kid"),
        .until_ms = json_integer_value(json_object_get(row, "until_ms"))};
    struct buf text = {0};
    char path[440];
    void *doc = NULL;
    candidate.person = person_of(authority, candidate.opened.kid, keep(arena, row, "person"));
    blob_path(c->settings, candidate.ref.hash, path);
    if (file_read_whole(path, BLOB_DOC_MAX, &text) >= 0 &&
        judge_open(authority, DOC_APPROVAL, (const char *)text.data, text.len, arena, &doc, NULL, NULL) == REFUSAL_NONE)
        candidate.opened.approval = doc;
    buf_done(&text);
    return candidate;
}

static json_t *texts_json(const struct texts *texts)
{
    json_t *list = json_array();
    for (size_t i = 0; i < texts->n; i++)
        json_array_append_new(list, json_string(texts->at[i]));
    return list;
}

static void choose_stored(struct controller *c, const struct approvals_case *wanted, int64_t now_ms,
                          struct arena *arena, struct chosen *ret)
{
    json_t *areas = texts_json(wanted->areas);
    /* Of each key those that name an area of the device, the longest valid first. */
    json_t *rows = store_list(c->store,
                              "SELECT hash, size, kid, person, until_ms FROM (SELECT *, row_number() OVER (PARTITION BY"
                              " kid ORDER BY near DESC, until_ms DESC, hash) AS nth FROM (SELECT *, EXISTS (SELECT 1"
                              " FROM json_each(a.areas) WHERE value IN (SELECT value FROM json_each(?))) AS near"
                              " FROM approvals a WHERE bulletin = ? AND until_ms > ?)) WHERE nth <= ?"
                              " ORDER BY near DESC, nth, until_ms DESC, hash LIMIT ?",
                              "jsiii", areas, wanted->hash, now_ms, (int64_t)OF_ONE_KEY_MAX, (int64_t)LOOKED_AT_MAX);
    size_t n = json_array_size(rows);
    struct candidate *candidates = arena_alloc(arena, (n + 1) * sizeof(*candidates));
    for (size_t i = 0; i < n; i++)
        candidates[i] = read_one(c, wanted->authority, json_array_get(rows, i), arena);
    ret->n = approvals_choose(wanted, candidates, n, ret->ref);
    for (size_t i = 0; i < ret->n; i++)
        for (size_t k = 0; k < n; k++)
            if (candidates[k].opened.approval && strcmp(candidates[k].ref.hash, ret->ref[i].hash) == 0)
                ret->opened[ret->n_opened++] = candidates[k].opened;
    json_decref(rows);
    json_decref(areas);
}

struct chosen *approvals_add(struct controller *c, bulletin_of_fn bulletin_of, const void *arg,
                             const struct texts *areas, int64_t now_ms, struct arena *arena,
                             struct compile_result *result)
{
    struct chosen *chosen = arena_alloc(arena, (result->n_bulletins + 1) * sizeof(*chosen));
    size_t *wanted = arena_alloc(arena, (result->n_items + 1) * sizeof(*wanted));
    for (size_t i = 0; i < result->n_bulletins; i++) {
        struct playlist_bulletin *to = &result->bulletins[i];
        struct approvals_case wants = {.authority = mandate_authority(c->mandate),
                                       .bulletin = bulletin_of(arg, to->hash),
                                       .hash = to->hash,
                                       .areas = areas,
                                       .items = result->items,
                                       .wanted = wanted};
        for (size_t j = 0; j < result->n_items; j++)
            if (result->items[j].bulletin == (int64_t)i)
                wanted[wants.n_wanted++] = j;
        choose_stored(c, &wants, now_ms, arena, &chosen[i]);
        to->approvals = chosen[i].ref;
        to->n_approvals = chosen[i].n;
    }
    return chosen;
}
