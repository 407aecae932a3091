/* mandate.c - see mandate.h. */
#include "controller/mandate.h"

#include "controller/meaning.h"

#include "playlists/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct mandate {
    struct store *store;
    struct authority authority;
    struct arena *trust_arena, *keys_arena; /* own what the authority points at */
};

void sealed_trim(const char **text, size_t *len)
{
    while (*len > 0 && strchr(" \t\r\n", (*text)[*len - 1]))
        (*len)--;
    while (*len > 0 && strchr(" \t\r\n", **text)) {
        (*text)++;
        (*len)--;
    }
}

int refuse_document(struct problem *problem, enum refusal refusal, const struct complaint *why)
{
    bool older = refusal == REFUSAL_OLDER;
    const char *code = refusal_names[refusal];
    refuse(problem, older ? 409 : 422, older ? "conflict" : "document", NULL, WORD_DOCUMENT,
           meaning_of_code(code, false), meaning_of_code(code, true), code, why->text[0] ? why->text : code);
    problem->refusal = code;
    return -1;
}

json_t *doc_json(enum doc_type type, const void *doc)
{
    struct buf text = {0};
    json_t *json = NULL;
    if (doc_encode(type, doc, &text, NULL) >= 0)
        json = json_loadb((const char *)text.data, text.len, 0, NULL);
    buf_done(&text);
    return json;
}

/* Judge what the store has, newest first, until one holds. */
static void load(struct mandate *m, enum doc_type type)
{
    json_t *rows =
        store_list(m->store, "SELECT sealed FROM documents WHERE word = ? AND device = '' ORDER BY era DESC, ver DESC",
                   "s", doc_word(type));
    struct arena **arena = type == DOC_TRUST ? &m->trust_arena : &m->keys_arena;
    json_t *row;
    size_t i;
    if (type == DOC_TRUST)
        m->authority.trust = NULL;
    else
        m->authority.keys = NULL;
    arena_free(*arena);
    *arena = NULL;
    json_array_foreach(rows, i, row)
    {
        const char *sealed = json_string_value(json_object_get(row, "sealed"));
        struct seal_header header;
        struct complaint why = {0};
        void *doc = NULL;
        *arena = arena_new();
        if (judge_open(&m->authority, type, sealed, strlen(sealed), *arena, &doc, &header, &why) == REFUSAL_NONE) {
            if (type == DOC_TRUST)
                m->authority.trust = doc;
            else
                m->authority.keys = doc;
            break;
        }
        log_warn("mandate", "document=%s a stored one does not hold any more: %s; it is passed over", doc_word(type),
                 why.text);
        arena_free(*arena);
        *arena = NULL;
    }
    json_decref(rows);
}

struct mandate *mandate_new(struct store *store, const struct settings *settings)
{
    struct mandate *m = xcalloc(1, sizeof(*m));
    m->store = store;
    for (size_t i = 0; i < settings->n_roots; i++)
        snprintf(m->authority.root_x[i], sizeof(m->authority.root_x[i]), "%s", settings->roots[i]);
    load(m, DOC_TRUST);
    load(m, DOC_KEYS);
    return m;
}

void mandate_free(struct mandate *mandate)
{
    if (!mandate)
        return;
    arena_free(mandate->trust_arena);
    arena_free(mandate->keys_arena);
    free(mandate);
}

const struct authority *mandate_authority(const struct mandate *mandate)
{
    return &mandate->authority;
}

int64_t mandate_era(const struct mandate *mandate)
{
    return mandate->authority.trust ? mandate->authority.trust->head.era : 0;
}

int64_t mandate_exp_s(const struct mandate *mandate)
{
    return mandate->authority.trust ? mandate->authority.trust->head.exp_s : 0;
}

bool mandate_schedules(const struct mandate *mandate, const char *kid)
{
    const struct trust *trust = mandate->authority.trust;
    for (size_t i = 0; trust && i < trust->n_schedulers; i++)
        if (strcmp(trust->schedulers[i].kid, kid) == 0)
            return true;
    return false;
}

static int keep(struct mandate *m, enum doc_type type, const struct doc_head *head, const void *doc,
                const char *compact, size_t len, int64_t now_ms, struct problem *problem)
{
    struct hash hash = hash_of(compact, len);
    json_t *body = doc_json(type, doc);
    char *sealed = xasprintf("%.*s", (int)len, compact);
    int r = store_begin(m->store);
    if (r == 0) {
        r = store_run(m->store,
                      "INSERT INTO documents (word, device, era, ver, iat_s, exp_s, hash, body, sealed, made_ms)"
                      " VALUES (?, '', ?, ?, ?, ?, ?, ?, ?, ?)",
                      "siiiisjsi", doc_word(type), head->era, head->ver, head->iat_s, head->exp_s, hash.hex, body,
                      sealed, now_ms);
        if (r >= 0)
            r = store_run(m->store, "INSERT OR REPLACE INTO sent VALUES (?, '', ?, ?, ?, ?, NULL)", "siiii",
                          doc_word(type), head->era, head->ver, type == DOC_TRUST ? INT64_C(0) : INT64_C(1), now_ms);
        if (r >= 0)
            r = store_commit(m->store);
        else
            store_rollback(m->store);
    }
    free(sealed);
    json_decref(body);
    if (r < 0)
        return refuse(problem, 500, "store", NULL, WORD_STORE);
    return 0;
}

static struct held_version held_of(const struct mandate *m, enum doc_type type)
{
    const struct doc_head *head = NULL;
    if (type == DOC_TRUST && m->authority.trust)
        head = &m->authority.trust->head;
    if (type == DOC_KEYS && m->authority.keys)
        head = &m->authority.keys->head;
    return head ? (struct held_version){.era = head->era, .ver = head->ver} : (struct held_version){0};
}

int mandate_adopt(struct mandate *mandate, enum doc_type type, const char *compact, size_t len, int64_t now_ms,
                  struct problem *problem, bool *ret_same)
{
    sealed_trim(&compact, &len);
    struct hash hash = hash_of(compact, len);
    *ret_same = store_number(mandate->store, 0, "SELECT 1 FROM documents WHERE word = ? AND device = '' AND hash = ?",
                             "ss", doc_word(type), hash.hex) == 1;
    if (*ret_same)
        return 0;
    struct arena *arena = arena_new();
    struct seal_header header;
    struct complaint why = {0};
    void *doc = NULL;
    int r;
    struct held_version held = held_of(mandate, type);
    enum refusal refusal = judge_open(&mandate->authority, type, compact, len, arena, &doc, &header, &why);
    const struct doc_head *head = doc; /* each document begins with its head */
    if (refusal == REFUSAL_NONE)
        refusal =
            judge_head(head, "all", &held, type == DOC_TRUST ? head->era : mandate_era(mandate), now_ms, NULL, &why);
    if (refusal != REFUSAL_NONE)
        r = refuse_document(problem, refusal, &why);
    else
        r = keep(mandate, type, head, doc, compact, len, now_ms, problem);
    arena_free(arena);
    if (r < 0)
        return r;
    /* Who is trusted decides about the keys too: judge both again. */
    if (type == DOC_TRUST)
        load(mandate, DOC_TRUST);
    load(mandate, DOC_KEYS);
    return 0;
}
