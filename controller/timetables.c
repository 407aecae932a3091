/* timetables.c - see timetables.h. Each rule and each bulletin lies in an arena of its own, so that one change throws
 * away one of them. */
#include "controller/timetables.h"

#include "controller/carry.h"
#include "controller/rules.h"
#include "playlists/base/clock.h"
#include "playlists/base/sorted.h"

#include <stdlib.h>
#include <string.h>

enum { FILLERS_OF_TOPIC = 64 };
#define DAY_MS INT64_C(86400000)

/* A rule or a bulletin. */
struct entry {
    char *id; /* owned; of a rule, or the hash of a bulletin */
    struct arena *arena;
    struct rule rule;
    struct compile_bulletin bulletin;
};

struct table {
    struct entry **at; /* by id; owned */
    size_t n, cap;
};

struct timetables {
    struct table rules, bulletins;
    struct compile_set *set; /* NULL: nothing was read yet */
    struct arena *arena;     /* lists that the set began with */
    int64_t from_ms;         /* of the set: midnight of UTC */
    int64_t seen_n;          /* the latest change that was taken in */
};

static const char *id_at(const void *entries, size_t i)
{
    return ((struct entry *const *)entries)[i]->id;
}

static size_t place_of(const struct table *table, const char *id)
{
    return sorted_place(table->at, table->n, id_at, id);
}

static struct entry *find(const struct table *table, const char *id)
{
    size_t at = place_of(table, id);
    return at < table->n && strcmp(table->at[at]->id, id) == 0 ? table->at[at] : NULL;
}

static void entry_free(struct entry *entry)
{
    if (!entry)
        return;
    arena_free(entry->arena);
    free(entry->id);
    free(entry);
}

/* Put in the place of what has this id; the old one is the caller's. `entry` NULL: nothing is there any more. */
static struct entry *put(struct table *table, const char *id, struct entry *entry)
{
    size_t at = place_of(table, id);
    struct entry *old = at < table->n && strcmp(table->at[at]->id, id) == 0 ? table->at[at] : NULL;
    if (old && entry) {
        table->at[at] = entry;
    } else if (old) {
        memmove(&table->at[at], &table->at[at + 1], (--table->n - at) * sizeof(table->at[0]));
    } else if (entry) {
        if (table->n == table->cap) {
            table->cap = table->cap ? table->cap * 2 : 64;
            table->at = realloc(table->at, table->cap * sizeof(table->at[0]));
            if (!table->at)
                abort();
        }
        memmove(&table->at[at + 1], &table->at[at], (table->n++ - at) * sizeof(table->at[0]));
        table->at[at] = entry;
    }
    return old;
}

static void table_clear(struct table *table)
{
    for (size_t i = 0; i < table->n; i++)
        entry_free(table->at[i]);
    free(table->at);
    *table = (struct table){0};
}

static struct entry *entry_new(const char *id)
{
    struct entry *entry = xcalloc(1, sizeof(*entry));
    entry->id = xstrdup(id);
    entry->arena = arena_new();
    return entry;
}

/* --- bulletins --- */

/* NULL: the store does not have it, or it cannot be read. */
static struct entry *load_bulletin(struct store *store, const char *hash)
{
    char *body = store_text(store, "SELECT body FROM bulletins WHERE hash = ?", "s", hash);
    struct entry *entry = body ? entry_new(hash) : NULL;
    struct bulletin *bulletin = NULL;
    if (entry && bulletin_decode(body, strlen(body), entry->arena, &bulletin, NULL) < 0) {
        entry_free(entry);
        entry = NULL;
    }
    if (entry)
        entry->bulletin =
            (struct compile_bulletin){.hash = entry->id, .size = (int64_t)strlen(body), .bulletin = bulletin};
    free(body);
    return entry;
}

static void know_bulletin(struct timetables *t, struct store *store, const char *hash, bool filler)
{
    struct entry *entry = find(&t->bulletins, hash);
    if (entry && (entry->bulletin.filler || !filler))
        return;
    if (!entry) {
        entry = load_bulletin(store, hash);
        if (!entry)
            return;
        (void)put(&t->bulletins, hash, entry);
    }
    entry->bulletin.filler = filler;
    if (t->set)
        compile_set_bulletin(t->set, hash, &entry->bulletin);
}

/* Sessions fill with the latest revisions that somebody has approved, the newest first. */
static json_t *fillers_of(struct store *store, const char *topic)
{
    return store_list(store,
                      "SELECT hash FROM bulletins b WHERE json_extract(body, '$.category') = ?1 AND revision = (SELECT"
                      " max(revision) FROM bulletins WHERE id = b.id) AND EXISTS (SELECT 1 FROM approvals a WHERE"
                      " a.bulletin = b.hash AND a.until_ms > ?2) ORDER BY n DESC LIMIT ?3",
                      "sii", topic, clock_wall_ms(), (int64_t)FILLERS_OF_TOPIC);
}

static void know_fillers(struct timetables *t, struct store *store, const char *topic)
{
    json_t *rows = fillers_of(store, topic), *row;
    size_t i;
    json_array_foreach(rows, i, row) know_bulletin(t, store, json_string_value(json_object_get(row, "hash")), true);
    json_decref(rows);
}

/* A bulletin came or was approved: it may fill, and an earlier revision no longer does. */
static void bulletin_changed(struct timetables *t, struct store *store, const char *hash)
{
    char *topic = store_text(store, "SELECT json_extract(body, '$.category') FROM bulletins WHERE hash = ?", "s", hash);
    bool asked = false;
    for (size_t i = 0; topic && i < t->rules.n; i++) {
        const struct session *session = t->rules.at[i]->rule.session;
        for (size_t k = 0; session && k < session->n_topics; k++)
            asked = asked || strcmp(session->topics[k].topic, topic) == 0;
    }
    for (size_t i = 0; asked && i < t->bulletins.n; i++) {
        struct compile_bulletin *b = &t->bulletins.at[i]->bulletin;
        if (!b->filler || !b->bulletin->category || strcmp(b->bulletin->category, topic) != 0)
            continue;
        compile_set_bulletin(t->set, b->hash, NULL);
        b->filler = false;
        compile_set_bulletin(t->set, b->hash, b);
    }
    if (asked)
        know_fillers(t, store, topic);
    free(topic);
}

/* --- rules --- */

void timetables_learn(struct timetables *t, struct store *store, const struct rule *rule)
{
    const struct session *session = rule->session;
    if (rule->bulletin)
        know_bulletin(t, store, rule->bulletin, false);
    if (!session)
        return;
    if (session->opening)
        know_bulletin(t, store, session->opening, false);
    if (session->closing)
        know_bulletin(t, store, session->closing, false);
    for (size_t i = 0; i < session->n_parts; i++)
        if (session->parts[i].bulletin)
            know_bulletin(t, store, session->parts[i].bulletin, false);
    for (size_t i = 0; i < session->n_topics; i++)
        know_fillers(t, store, session->topics[i].topic);
}

/* NULL: it has ended, or cannot be read (its zone is gone). */
static struct entry *load_rule(struct store *store, struct zones *zones, const char *id)
{
    json_t *row =
        store_one(store, "SELECT unit, body AS body__json FROM rules WHERE id = ? AND ended_ms IS NULL", "s", id);
    struct entry *entry = row ? entry_new(id) : NULL;
    if (entry && rule_build(id, json_object_get(row, "body"), zones, entry->arena, &entry->rule) < 0) {
        entry_free(entry);
        entry = NULL;
    }
    if (entry) {
        const json_t *unit = json_object_get(row, "unit");
        entry->rule.unit = arena_strndup(entry->arena, json_string_value(unit), json_string_length(unit));
        placements_load(store, id, entry->arena, &entry->rule);
    }
    json_decref(row);
    return entry;
}

static void rule_changed(struct timetables *t, struct store *store, struct zones *zones, const char *id)
{
    struct entry *entry = load_rule(store, zones, id);
    if (entry)
        timetables_learn(t, store, &entry->rule);
    struct entry *old = put(&t->rules, id, entry);
    if (t->set)
        compile_set_rule(t->set, id, entry ? &entry->rule : NULL);
    entry_free(old);
}

/* --- the whole --- */

struct timetables *timetables_new(void)
{
    return xcalloc(1, sizeof(struct timetables));
}

void timetables_free(struct timetables *t)
{
    if (!t)
        return;
    compile_set_free(t->set);
    arena_free(t->arena);
    table_clear(&t->rules);
    table_clear(&t->bulletins);
    free(t);
}

/* Once a day, or when the clock has jumped. */
static void renew_set(struct timetables *t, int64_t now_ms)
{
    if (t->set && now_ms >= t->from_ms && now_ms < t->from_ms + DAY_MS)
        return;
    struct rule *rules;
    struct compile_bulletin *bulletins;
    compile_set_free(t->set);
    arena_free(t->arena);
    t->arena = arena_new();
    size_t n_rules = timetables_rules(t, t->arena, &rules);
    size_t n_bulletins = timetables_bulletins(t, t->arena, &bulletins);
    t->from_ms = now_ms / DAY_MS * DAY_MS;
    t->set =
        compile_set_new(rules, n_rules, bulletins, n_bulletins, t->from_ms, t->from_ms + (HORIZON_DAYS + 2) * DAY_MS);
}

void timetables_refresh(struct timetables *t, struct store *store, struct zones *zones, int64_t now_ms)
{
    json_t *rows = store_list(store, "SELECT n, what, id FROM changes WHERE n > ? ORDER BY n", "i", t->seen_n), *row;
    bool first = t->seen_n == 0; /* rules bring the bulletins that they use */
    size_t i;
    if (!first)
        renew_set(t, now_ms);
    json_array_foreach(rows, i, row)
    {
        const char *id = json_string_value(json_object_get(row, "id"));
        if (strcmp(json_string_value(json_object_get(row, "what")), "rule") == 0)
            rule_changed(t, store, zones, id);
        else if (!first)
            bulletin_changed(t, store, id);
        t->seen_n = json_integer_value(json_object_get(row, "n"));
    }
    json_decref(rows);
    renew_set(t, now_ms);
}

const struct timeline *timetables_timeline(struct timetables *timetables, const struct compile_device *device)
{
    return compile_set_timeline(timetables->set, device);
}

const struct compile_bulletin *timetables_bulletin(const struct timetables *timetables, const char *hash)
{
    const struct entry *entry = find(&timetables->bulletins, hash);
    return entry ? &entry->bulletin : NULL;
}

size_t timetables_rules(const struct timetables *t, struct arena *arena, struct rule **ret)
{
    *ret = arena_alloc(arena, (t->rules.n + 1) * sizeof(**ret));
    for (size_t i = 0; i < t->rules.n; i++)
        (*ret)[i] = t->rules.at[i]->rule;
    return t->rules.n;
}

size_t timetables_bulletins(const struct timetables *t, struct arena *arena, struct compile_bulletin **ret)
{
    *ret = arena_alloc(arena, (t->bulletins.n + 1) * sizeof(**ret));
    for (size_t i = 0; i < t->bulletins.n; i++)
        (*ret)[i] = t->bulletins.at[i]->bulletin;
    return t->bulletins.n;
}
