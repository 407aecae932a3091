/* centre_ear.c - what the model centre hears: states, records, replies. See centre.h. */
#include "tests/sim/centre_parts.h"

#include "tests/sim/simclock.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { SOON_MS = 500, LANE_MAX = 1000000 };

static void fault(struct centre *centre, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void fault(struct centre *centre, const char *fmt, ...)
{
    if (centre->fault[0])
        return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(centre->fault, sizeof(centre->fault), fmt, ap);
    va_end(ap);
}

static void welcome_in(struct centre *centre, int64_t in_ms)
{
    int64_t at_ms = sim_true_ms() + in_ms;
    if (at_ms < centre->welcome_at_ms)
        centre->welcome_at_ms = at_ms;
    centre_look(centre);
}

/* --- states --- */

static void note_held(struct centre *centre, const struct state *state)
{
    memset(centre->held, 0, sizeof(centre->held));
    memset(centre->held_hash, 0, sizeof(centre->held_hash));
    for (size_t i = 0; i < state->n_held; i++)
        for (enum doc_type type = DOC_TRUST; type <= DOC_PLAYLIST; type++)
            if (strcmp(state->held[i].doc, doc_word(type)) == 0) {
                centre->held[type] = (struct held_version){.era = state->held[i].era, .ver = state->held[i].ver};
                snprintf(centre->held_hash[type].hex, sizeof(centre->held_hash[type].hex), "%s", state->held[i].hash);
            }
}

static void take_state(struct centre *centre, const struct state *state)
{
    bool same_session = centre->up && strcmp(centre->nonce, state->nonce) == 0;
    if (!state->on) {
        if (same_session)
            centre->up = false; /* the will of this session and no other */
        return;
    }
    int order = doc_version_cmp(state->head.era, state->head.ver, centre->state_era, centre->state_ver);
    if (order < 0)
        return;
    if (centre->store[0] && strcmp(centre->store, state->store) != 0)
        fault(centre, "the vault's store id changed from %s to %s", centre->store, state->store);
    if (order > 0) {
        centre->state_era = state->head.era;
        centre->state_ver = state->head.ver;
        centre->up = true;
        snprintf(centre->nonce, sizeof(centre->nonce), "%s", state->nonce);
        snprintf(centre->store, sizeof(centre->store), "%s", state->store);
        snprintf(centre->grade, sizeof(centre->grade), "%s", state->grade ? state->grade : "");
        snprintf(centre->boot, sizeof(centre->boot), "%s", state->boot ? state->boot : "");
        snprintf(centre->on_air, sizeof(centre->on_air), "%s", state->on_air ? state->on_air : "");
        note_held(centre, state);
        centre_fill_gaps(centre);
    }
    welcome_in(centre, same_session ? SOON_MS : 0);
}

/* --- records --- */

static struct centre_row *row_of(struct centre *centre, enum centre_kind kind, int64_t n)
{
    struct centre_lane *lane = &centre->lanes[kind];
    if (n > LANE_MAX)
        return NULL;
    if ((size_t)n > lane->cap) {
        size_t cap = lane->cap ? lane->cap : 64;
        while (cap < (size_t)n)
            cap *= 2;
        struct centre_row *rows = xcalloc(cap, sizeof(*rows));
        if (lane->n)
            memcpy(rows, lane->rows, lane->n * sizeof(*rows));
        free(lane->rows);
        lane->rows = rows;
        lane->cap = cap;
    }
    if ((size_t)n > lane->n)
        lane->n = (size_t)n;
    return &lane->rows[n - 1];
}

/* The row to be filled, or NULL: it was here before. */
static struct centre_row *new_row(struct centre *centre, enum centre_kind kind, const char *store, int64_t n,
                                  const struct hash *hash)
{
    struct centre_lane *lane = &centre->lanes[kind];
    if (centre->store[0] && strcmp(store, centre->store) != 0) {
        fault(centre, "a record of another store id: %s", store);
        return NULL;
    }
    struct centre_row *row = row_of(centre, kind, n);
    welcome_in(centre, SOON_MS);
    if (!row) {
        fault(centre, "a record has the number %lld", (long long)n);
        return NULL;
    }
    if (row->here) {
        centre->n_repeated++;
        if (!hash_equal(&row->hash, hash))
            fault(centre, "number %lld came twice with different content", (long long)n);
        return NULL;
    }
    *row = (struct centre_row){.here = true, .hash = *hash, .came_ms = sim_true_ms()};
    while ((size_t)lane->upto < lane->n && lane->rows[lane->upto].here)
        lane->upto++;
    return row;
}

static void take_receipt(struct centre *centre, const struct receipt *receipt, const struct hash *hash)
{
    struct centre_row *row = new_row(centre, CENTRE_RECEIPT, receipt->store, receipt->n, hash);
    if (!row)
        return;
    const struct sound_evidence *sound = receipt->evidence ? receipt->evidence->sound : NULL;
    snprintf(row->occurrence, sizeof(row->occurrence), "%s", receipt->occurrence);
    snprintf(row->grade, sizeof(row->grade), "%s", receipt->grade);
    snprintf(row->detail, sizeof(row->detail), "%.190s", receipt->detail ? receipt->detail : "");
    snprintf(row->bulletin, sizeof(row->bulletin), "%s", receipt->bulletin ? receipt->bulletin : "");
    snprintf(row->exempt, sizeof(row->exempt), "%s", receipt->exempt ? receipt->exempt : "");
    row->class = (enum air_class)receipt->class;
    row->planned_ms = receipt->planned_ms;
    row->started_ms = receipt->started_ms;
    row->ended_ms = receipt->ended_ms;
    row->reason = (enum reason)receipt->reason;
    row->proven = sound != NULL;
    row->frames = sound ? sound->frames : 0;
    row->frames_expected = sound ? sound->frames_expected : 0;
}

static void take_event(struct centre *centre, const struct event *event, const struct hash *hash)
{
    struct centre_row *row = new_row(centre, CENTRE_EVENT, event->store, event->n, hash);
    if (!row)
        return;
    row->at_ms = event->at_ms;
    snprintf(row->code, sizeof(row->code), "%s", event->code);
    snprintf(row->about, sizeof(row->about), "%.47s", event->about ? event->about : "");
    snprintf(row->detail, sizeof(row->detail), "%.190s", event->detail ? event->detail : "");
}

static void take_reply(struct centre *centre, const struct reply *reply)
{
    for (size_t i = 0; i < centre->n_commands; i++)
        if (strcmp(centre->commands[i].id, reply->id) == 0)
            centre->commands[i].answered = true;
}

void centre_take(struct centre *centre, const char *topic, const void *payload, size_t len)
{
    static const enum doc_type up[] = {DOC_STATE, DOC_RECEIPT, DOC_EVENT, DOC_REPLY};
    char prefix[96];
    int at = snprintf(prefix, sizeof(prefix), "loa/1/dev/%s/", centre->device);
    enum doc_type type = DOC_TYPES;
    for (size_t i = 0; i < sizeof(up) / sizeof(up[0]); i++)
        if (strncmp(topic, prefix, (size_t)at) == 0 && strcmp(topic + at, doc_word(up[i])) == 0)
            type = up[i];
    if (type == DOC_TYPES || centre->deaf)
        return;
    struct authority authority = {.trust = centre->trust, .box_x = centre->box.x};
    struct arena *arena = arena_new();
    struct complaint why = {0};
    void *doc = NULL;
    enum refusal refusal = judge_open(&authority, type, payload, len, arena, &doc, NULL, &why);
    struct hash hash = hash_of(payload, len);
    if (refusal == REFUSAL_NONE && type == DOC_STATE)
        take_state(centre, doc);
    else if (refusal == REFUSAL_NONE && type == DOC_RECEIPT)
        take_receipt(centre, doc, &hash);
    else if (refusal == REFUSAL_NONE && type == DOC_EVENT)
        take_event(centre, doc, &hash);
    else if (refusal == REFUSAL_NONE && type == DOC_REPLY)
        take_reply(centre, doc);
    arena_free(arena);
}

/* --- asked --- */

const struct centre_row *centre_receipt(const struct centre *centre, const char *occurrence)
{
    const struct centre_lane *lane = &centre->lanes[CENTRE_RECEIPT];
    for (size_t i = 0; i < lane->n; i++)
        if (lane->rows[i].here && strcmp(lane->rows[i].occurrence, occurrence) == 0)
            return &lane->rows[i];
    return NULL;
}

const struct centre_row *centre_event(const struct centre *centre, const char *code)
{
    const struct centre_lane *lane = &centre->lanes[CENTRE_EVENT];
    for (size_t i = lane->n; i-- > 0;)
        if (lane->rows[i].here && strcmp(lane->rows[i].code, code) == 0)
            return &lane->rows[i];
    return NULL;
}
