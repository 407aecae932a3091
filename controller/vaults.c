/* vaults.c - see vaults.h. */
#include "controller/vaults.h"

#include "playlists/documents.h"

#include <stdio.h>
#include <string.h>

static bool is_former(const struct vault_row *row, const char *nonce)
{
    for (size_t i = 0; i < VAULT_FORMER_MAX; i++)
        if (strcmp(row->former[i], nonce) == 0)
            return true;
    return false;
}

static const struct vault_row *holder_of(const struct vault_row *rows, size_t n, const char *nonce, const char *kid)
{
    for (size_t i = 0; i < n && nonce[0]; i++)
        if (strcmp(rows[i].nonce, nonce) == 0 && strcmp(rows[i].kid, kid) == 0)
            return &rows[i];
    return NULL;
}

static void name_other(struct vault_verdict *verdict, const struct vault_row *row)
{
    snprintf(verdict->other, sizeof(verdict->other), "%s", row->store);
}

struct vault_verdict vault_judge(const struct vault_row *rows, size_t n, const char *current,
                                 const struct vault_state *state)
{
    struct vault_verdict verdict = {.order = VAULT_NEWER, .at = n};
    const struct vault_row *now = holder_of(rows, n, current, state->kid);
    for (size_t i = 0; i < n && verdict.at == n; i++)
        if (strcmp(rows[i].store, state->store) == 0 && strcmp(rows[i].kid, state->kid) == 0)
            verdict.at = i;
    if (verdict.at == n) {
        verdict.changed = now != NULL;
        if (now)
            name_other(&verdict, now);
        return verdict;
    }
    const struct vault_row *row = &rows[verdict.at];
    int order = doc_version_cmp(state->era, state->ver, row->era, row->ver);
    verdict.order = order < 0 ? VAULT_OLD : order == 0 ? VAULT_SAME : VAULT_NEWER;
    verdict.same_session = strcmp(row->nonce, state->nonce) == 0 && row->up;
    verdict.stray =
        verdict.order != VAULT_NEWER && strcmp(row->nonce, state->nonce) != 0 && !is_former(row, state->nonce);
    if (verdict.order != VAULT_NEWER)
        return verdict;
    bool elsewhere = now && now != row;
    if (strcmp(row->nonce, state->nonce) == 0 ? elsewhere : is_former(row, state->nonce)) {
        verdict.twins = true;
        name_other(&verdict, elsewhere ? now : row);
    } else if (elsewhere) { /* a card that was here before is back */
        verdict.changed = true;
        name_other(&verdict, now);
    }
    return verdict;
}

void vault_follow(struct vault_row *row, const struct vault_state *state, int64_t now_ms)
{
    if (strcmp(row->nonce, state->nonce) != 0 && row->nonce[0]) {
        /* The session that returns leaves the list, the one that it follows joins it. */
        char left[68];
        size_t keep = 0;
        snprintf(left, sizeof(left), "%s", row->nonce);
        while (keep < VAULT_FORMER_MAX - 1 && strcmp(row->former[keep], state->nonce) != 0)
            keep++;
        memmove(row->former[1], row->former[0], keep * sizeof(row->former[0]));
        memcpy(row->former[0], left, sizeof(left));
    }
    snprintf(row->store, sizeof(row->store), "%s", state->store);
    snprintf(row->kid, sizeof(row->kid), "%s", state->kid);
    snprintf(row->nonce, sizeof(row->nonce), "%s", state->nonce);
    row->era = state->era;
    row->ver = state->ver;
    row->up = true;
    row->seen_ms = now_ms;
}

static void read_text(char *ret, size_t size, const json_t *value)
{
    const char *text = json_string_value(value);
    snprintf(ret, size, "%s", text ? text : "");
}

size_t vaults_load(struct store *store, const char *device, struct vault_row ret[VAULTS_MAX])
{
    json_t *rows = store_list(store,
                              "SELECT store, kid, nonce, former AS former__json, era, ver, up, seen_ms FROM vaults"
                              " WHERE device = ? ORDER BY seen_ms DESC LIMIT ?",
                              "si", device, (int64_t)VAULTS_MAX);
    size_t n = json_array_size(rows);
    for (size_t i = 0; i < n; i++) {
        const json_t *row = json_array_get(rows, i);
        ret[i] = (struct vault_row){.era = json_integer_value(json_object_get(row, "era")),
                                    .ver = json_integer_value(json_object_get(row, "ver")),
                                    .up = json_integer_value(json_object_get(row, "up")) != 0,
                                    .seen_ms = json_integer_value(json_object_get(row, "seen_ms"))};
        read_text(ret[i].store, sizeof(ret[i].store), json_object_get(row, "store"));
        read_text(ret[i].kid, sizeof(ret[i].kid), json_object_get(row, "kid"));
        read_text(ret[i].nonce, sizeof(ret[i].nonce), json_object_get(row, "nonce"));
        for (size_t k = 0; k < VAULT_FORMER_MAX; k++)
            read_text(ret[i].former[k], sizeof(ret[i].former[k]), json_array_get(json_object_get(row, "former"), k));
    }
    json_decref(rows);
    return n;
}

int vaults_save(struct store *store, const char *device, const struct vault_row *row)
{
    json_t *former = json_array();
    for (size_t k = 0; k < VAULT_FORMER_MAX && row->former[k][0]; k++)
        json_array_append_new(former, json_string(row->former[k]));
    int r = store_run(store,
                      "INSERT INTO vaults (device, store, kid, era, ver, nonce, former, up, since_ms, seen_ms) VALUES"
                      " (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9) ON CONFLICT (device, store) DO UPDATE SET kid = ?3,"
                      " era = ?4, ver = ?5, nonce = ?6, former = ?7, up = ?8, seen_ms = ?9",
                      "sssiisjii", device, row->store, row->kid, row->era, row->ver, row->nonce, former,
                      (int64_t)row->up, row->seen_ms);
    json_decref(former);
    if (r >= 0 && store_number(store, 0, "SELECT count(*) FROM vaults WHERE device = ?", "s", device) > VAULTS_MAX)
        r = store_run(store,
                      "DELETE FROM vaults WHERE device = ?1 AND store NOT IN (SELECT store FROM vaults WHERE device ="
                      " ?1 ORDER BY seen_ms DESC LIMIT ?2)",
                      "si", device, (int64_t)VAULTS_MAX);
    return r < 0 ? r : 0;
}
