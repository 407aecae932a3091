/* survey.c - see survey.h. */
#include "controller/survey.h"

#include "controller/fleet.h"
#include "controller/mandate.h"
#include "controller/publisher.h"
#include "playlists/base/clock.h"
#include "playlists/base/log.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PART_MAX = 64,    /* devices */
    SWIFT_MAX = 1024, /* where only states are read: a part takes some rounds of the broker's, and those may be long */
    PART_MS = 5000,
    FULL_MS = 200,
    FIRST_MS = 30000,
    SWEEP_MS = 10 * 60 * 1000,
    SWEEP_PART_MIN_MS = 1000,
    SOON_MS = 50,
};
#define SURVEY_ID UINT32_MAX /* of the echo; nobody else's */
static const char *const words[] = {"config", "playlist"};

struct surveyed {
    char device[44];
    bool ours[2]; /* of words[]: the broker holds what we published last */
};

struct survey {
    struct controller *c;
    struct post *post;
    uv_timer_t timer, limit;
    int open_handles;
    bool online, reading;
    bool first, head_read; /* of the process */
    bool swift;            /* the first pass of this session: part after part */
    char at[44];           /* the last device of this pass that was read; empty: it begins */
    bool whole;            /* this session has asked for every device */
    json_t *soon;          /* devices that go before the next ones */
    struct surveyed part[SWIFT_MAX];
    size_t n_part;
    char echo[64]; /* topic of the echo that is awaited; empty: none */
    bool restored; /* something newer of ours was found: the store is older than the world */
};

static void on_timer(uv_timer_t *timer);

static void again_in(struct survey *s, uint64_t ms)
{
    uv_timer_start(&s->timer, on_timer, ms, 0);
}

static void may_send(struct survey *s)
{
    s->first = false;
    uv_timer_stop(&s->limit);
    publisher_may_send(s->c->publisher);
}

static void on_limit(uv_timer_t *timer)
{
    log_warn("survey", "not all of what the broker holds could be read; publishing begins nevertheless");
    publisher_may_send(((struct survey *)timer->data)->c->publisher);
}

static int ask(struct survey *s, const char *device, const char *word, bool on)
{
    char topic[100];
    snprintf(topic, sizeof(topic), "loa/1/dev/%s/%s", device, word);
    return on ? post_subscribe_brief(s->post, topic) : post_unsubscribe(s->post, topic);
}

static int ask_documents(struct survey *s, const char *device, bool on)
{
    int r = 0;
    for (size_t i = 0; i < 2 && r >= 0 && s->first; i++)
        r = ask(s, device, words[i], on);
    return r;
}

static int send_echo(struct survey *s)
{
    unsigned char bytes[16];
    char token[2 * sizeof(bytes) + 1];
    random_bytes(bytes, sizeof(bytes));
    sodium_bin2hex(token, sizeof(token), bytes, sizeof(bytes));
    snprintf(s->echo, sizeof(s->echo), SURVEY_ECHO "%s", token);
    int r = post_subscribe_brief(s->post, s->echo);
    return r < 0 ? r : post_publish(s->post, SURVEY_ID, s->echo, "", 0, 0);
}

/* Trust and keys come first: by them the rest is judged. */
static int begin_head(struct survey *s)
{
    int r = post_subscribe_brief(s->post, "loa/1/trust");
    return r < 0 ? r : post_subscribe_brief(s->post, "loa/1/keys");
}

static void put_in_part(struct survey *s, const json_t *id)
{
    struct surveyed *d = &s->part[s->n_part++];
    *d = (struct surveyed){0};
    snprintf(d->device, sizeof(d->device), "%s", json_string_value(id));
}

static void next_of_pass(struct survey *s, size_t max)
{
    json_t *rows = store_list(s->c->store, "SELECT id FROM devices WHERE id > ? ORDER BY id LIMIT ?", "si", s->at,
                              (int64_t)max),
           *row;
    size_t i;
    json_array_foreach(rows, i, row) put_in_part(s, json_object_get(row, "id"));
    bool over = s->n_part < max; /* the next pass follows */
    snprintf(s->at, sizeof(s->at), "%s", over ? "" : s->part[max - 1].device);
    s->whole = s->whole || over;
    json_decref(rows);
}

static void choose_part(struct survey *s)
{
    size_t max = s->swift && !s->first ? SWIFT_MAX : PART_MAX;
    s->n_part = 0;
    if (s->first && !s->head_read)
        return;
    for (size_t n; s->n_part < max && (n = json_array_size(s->soon)) > 0; json_array_remove(s->soon, n - 1))
        put_in_part(s, json_array_get(s->soon, n - 1));
    if (s->n_part == 0)
        next_of_pass(s, max);
}

/* A state's filter stays until the session ends; asked for again, what the broker keeps comes again. */
static int begin_part(struct survey *s)
{
    choose_part(s);
    int r = s->first && !s->head_read ? begin_head(s) : 0;
    for (size_t i = 0; i < s->n_part && r >= 0; i++) {
        r = ask_documents(s, s->part[i].device, true);
        if (r >= 0)
            r = ask(s, s->part[i].device, "state", true);
    }
    if (r >= 0)
        r = send_echo(s);
    s->reading = r >= 0;
    for (size_t i = 0; i < s->n_part && r < 0; i++)
        json_array_append_new(s->soon, json_string(s->part[i].device));
    return r;
}

/* What the broker does not hold as we published it goes out again. */
static int note_lacking(struct survey *s)
{
    int r = store_begin(s->c->store);
    for (size_t i = 0; i < 2 * s->n_part && r >= 0; i++)
        if (!s->part[i / 2].ours[i % 2])
            r = store_run(s->c->store,
                          "UPDATE sent SET acked_ms = NULL WHERE word = ? AND device = ? AND acked_ms IS NOT NULL",
                          "ss", words[i % 2], s->part[i / 2].device);
    if (r >= 0)
        return store_commit(s->c->store);
    store_rollback(s->c->store);
    return r;
}

static bool any_lacking(const struct survey *s)
{
    bool any = false;
    for (size_t i = 0; i < s->n_part; i++)
        any = any || !s->part[i].ours[0] || !s->part[i].ours[1];
    return any;
}

static uint64_t sweep_ms(const struct survey *s)
{
    int64_t n = store_number(s->c->store, 0, "SELECT count(*) FROM devices", "");
    uint64_t each_ms = SWEEP_MS / ((uint64_t)n / PART_MAX + 1);
    return each_ms > SWEEP_PART_MIN_MS ? each_ms : SWEEP_PART_MIN_MS;
}

/* `whole`: the echo came, so that what did not come is not there. */
static void end_part(struct survey *s, bool whole)
{
    s->reading = false;
    int r = s->echo[0] ? post_unsubscribe(s->post, s->echo) : 0;
    s->echo[0] = '\0';
    for (size_t i = 0; i < s->n_part && r >= 0; i++)
        r = ask_documents(s, s->part[i].device, false);
    if (s->first && whole && any_lacking(s) && note_lacking(s) < 0)
        log_warn("survey", "devices=%zu what the broker lacks of theirs is not sent again", s->n_part);
    if (s->first && !s->head_read && r >= 0) {
        s->head_read = true;
        if (post_unsubscribe(s->post, "loa/1/trust") < 0 || post_unsubscribe(s->post, "loa/1/keys") < 0)
            log_debug("survey", "the link is full; trust and keys are still listened to");
    }
    if (s->swift && (!s->whole || json_array_size(s->soon) > 0)) {
        again_in(s, 0);
        return;
    }
    s->swift = false;
    if (s->first)
        may_send(s);
    again_in(s, json_array_size(s->soon) > 0 ? SOON_MS : sweep_ms(s));
}

static void on_timer(uv_timer_t *timer)
{
    struct survey *s = timer->data;
    if (!s->online)
        return;
    if (s->reading)
        end_part(s, false);
    else if (begin_part(s) < 0)
        again_in(s, FULL_MS); /* the link has no room: again then */
    else
        again_in(s, PART_MS);
}

struct survey *survey_new(struct controller *c, struct post *post)
{
    struct survey *s = xcalloc(1, sizeof(*s));
    s->c = c;
    s->post = post;
    s->first = true;
    s->soon = json_array();
    uv_timer_init(c->loop, &s->timer);
    uv_timer_init(c->loop, &s->limit);
    s->timer.data = s->limit.data = s;
    s->open_handles = 2;
    return s;
}

static void on_closed(uv_handle_t *handle)
{
    struct survey *s = handle->data;
    if (--s->open_handles > 0)
        return;
    json_decref(s->soon);
    free(s);
}

void survey_free(struct survey *s)
{
    if (!s)
        return;
    s->online = false;
    uv_close((uv_handle_t *)&s->timer, on_closed);
    uv_close((uv_handle_t *)&s->limit, on_closed);
}

void survey_online(struct survey *s)
{
    s->online = true;
    s->reading = s->head_read = false;
    s->swift = true;
    json_array_clear(s->soon);
    s->at[0] = '\0';
    s->whole = false;
    again_in(s, 0);
    if (s->first)
        uv_timer_start(&s->limit, on_limit, FIRST_MS, 0);
}

void survey_offline(struct survey *s)
{
    s->online = s->reading = false;
    uv_timer_stop(&s->timer);
    uv_timer_stop(&s->limit);
}

void survey_add(struct survey *s, const char *device)
{
    if (!s->online)
        return; /* the next session reads all */
    json_array_append_new(s->soon, json_string(device));
    if (!s->reading && uv_timer_get_due_in(&s->timer) > SOON_MS)
        again_in(s, SOON_MS); /* many that are new are read together */
}

static void note_restored(struct survey *s, const char *what)
{
    if (s->restored)
        return;
    s->restored = true;
    log_warn("survey",
             "%s on the broker is newer than this store, under our own seal: the store was restored from an"
             " older copy; versions go on above what is held",
             what);
    if (store_run(s->c->store, "UPDATE meta SET value = value + 1 WHERE key = 'epoch'", "") < 0)
        log_warn("survey", "the epoch is not counted up");
}

static void take_mandate(struct survey *s, enum doc_type type, const char *sealed, size_t len)
{
    struct problem problem = {0};
    bool same = false;
    if (mandate_adopt(s->c->mandate, type, sealed, len, clock_wall_ms(), &problem, &same) == 0 && !same) {
        note_restored(s, doc_word(type));
        publisher_touch_all(s->c->publisher);
    } else if (!same && store_run(s->c->store, "UPDATE sent SET acked_ms = NULL WHERE word = ? AND device = ''", "s",
                                  doc_word(type)) > 0) {
        log_warn("survey", "document=%s on the broker is not ours (%s); ours is published again", doc_word(type),
                 problem.en);
    }
}

/* Newer than ours (the row `mine`), or other content under our version: not to be gone back behind. */
static void note_seen(struct survey *s, const char *device, const char *word, const struct doc_head *head,
                      const char *hash, const json_t *mine)
{
    if (doc_version_cmp(head->era, head->ver, json_integer_value(json_object_get(mine, "era")),
                        json_integer_value(json_object_get(mine, "ver"))) < 0)
        return;
    if (store_run(s->c->store,
                  "INSERT INTO seen VALUES (?, ?, ?, ?, ?) ON CONFLICT (word, device) DO UPDATE SET era = excluded.era,"
                  " ver = excluded.ver, hash = excluded.hash WHERE (excluded.era, excluded.ver) >= (era, ver)",
                  "ssiis", word, device, head->era, head->ver, hash) < 0)
        log_warn("survey", "device=%s the newer %s that was seen is not noted", device, word);
    note_restored(s, word);
    publisher_touch(s->c->publisher, device);
}

/* What is not as we sealed it last. */
static void judge_other(struct survey *s, const char *device, size_t word, const char *sealed, size_t len,
                        const char *hash, const json_t *mine)
{
    enum doc_type type = word == 0 ? DOC_CONFIG : DOC_PLAYLIST;
    struct held_version none = {0};
    struct seal_header header;
    struct complaint why = {0};
    struct arena *arena = arena_new();
    char aud[64];
    void *doc = NULL;
    snprintf(aud, sizeof(aud), "dev/%s", device);
    enum refusal refusal = judge_open(mandate_authority(s->c->mandate), type, sealed, len, arena, &doc, &header, &why);
    const struct doc_head *head = doc; /* each document begins with its head */
    if (refusal == REFUSAL_NONE)
        refusal = judge_head(head, aud, &none, mandate_era(s->c->mandate), 0, NULL, &why);
    if (refusal == REFUSAL_NONE)
        note_seen(s, device, words[word], head, hash, mine);
    else
        log_warn("survey", "device=%s the %s on the broker is nobody's we know: %s", device, words[word], why.text);
    arena_free(arena);
}

/* Nearly all are what we published, byte for byte: then there is nothing to judge, and ten thousand take a second. */
static void take_document(struct survey *s, struct surveyed *d, size_t word, const char *sealed, size_t len)
{
    struct hash hash = hash_of(sealed, len);
    json_t *mine = store_one(s->c->store,
                             "SELECT era, ver, hash FROM documents WHERE word = ? AND device = ? ORDER BY era DESC,"
                             " ver DESC LIMIT 1",
                             "ss", words[word], d->device);
    const char *ours = json_string_value(json_object_get(mine, "hash"));
    d->ours[word] = ours && strcmp(ours, hash.hex) == 0;
    if (!d->ours[word])
        judge_other(s, d->device, word, sealed, len, hash.hex, mine);
    json_decref(mine);
}

static bool take_of_device(struct survey *s, const char *topic, const void *payload, size_t len)
{
    const char *slash = strncmp(topic, "loa/1/dev/", 10) == 0 ? strchr(topic + 10, '/') : NULL;
    for (size_t w = 0; slash && w < 2; w++) {
        if (strcmp(slash + 1, words[w]) != 0)
            continue;
        for (size_t i = 0; s->reading && i < s->n_part; i++)
            if (strlen(s->part[i].device) == (size_t)(slash - topic - 10) &&
                strncmp(s->part[i].device, topic + 10, (size_t)(slash - topic - 10)) == 0)
                take_document(s, &s->part[i], w, payload, len);
        return true;
    }
    return false;
}

bool survey_take(struct survey *s, const char *topic, const void *payload, size_t len)
{
    if (strncmp(topic, SURVEY_ECHO, strlen(SURVEY_ECHO)) == 0) {
        if (s->reading && strcmp(topic, s->echo) == 0)
            end_part(s, true);
        return true;
    }
    bool trust = strcmp(topic, "loa/1/trust") == 0;
    if (trust || strcmp(topic, "loa/1/keys") == 0) {
        if (s->first && len > 0)
            take_mandate(s, trust ? DOC_TRUST : DOC_KEYS, payload, len);
        return true;
    }
    return take_of_device(s, topic, payload, len);
}
