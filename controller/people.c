/* people.c - see people.h. */
#include "controller/people.h"

#include "playlists/base/bytes.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECRET_BYTES = 32, ID_HEX = 12 };

static const struct {
    const char *word;
    enum role role;
} roles[] = {
    {"viewer", ROLE_VIEWER},     {"technician", ROLE_TECHNICIAN}, {"operator", ROLE_OPERATOR},
    {"approver", ROLE_APPROVER}, {"admin", ROLE_ADMIN},
};

enum role role_of(const char *word)
{
    for (size_t i = 0; word && i < sizeof(roles) / sizeof(roles[0]); i++)
        if (strcmp(roles[i].word, word) == 0)
            return roles[i].role;
    return 0;
}

const char *role_name(enum role role)
{
    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
        if (roles[i].role == role)
            return roles[i].word;
    return "";
}

int people_add(struct store *store, const char *unit, enum role role, const char *note, int64_t now_ms,
               struct token *ret_token, char ret_text[96])
{
    unsigned char secret[SECRET_BYTES], id[ID_HEX / 2];
    char id_hex[ID_HEX + 1];
    random_bytes(secret, sizeof(secret));
    random_bytes(id, sizeof(id));
    sodium_bin2hex(id_hex, sizeof(id_hex), id, sizeof(id));
    char *coded = b64url_encode(secret, sizeof(secret));
    struct hash hash = hash_of(secret, sizeof(secret));
    int r =
        store_run(store, "INSERT INTO tokens (id, hash, unit, role, note, created_ms) VALUES (?, ?, ?, ?, ?, ?)",
                  "sbsssi", id_hex, (const void *)hash.hex, (size_t)HASH_HEX_LEN, unit, role_name(role), note, now_ms);
    if (r >= 0) {
        *ret_token = (struct token){.role = role};
        snprintf(ret_token->id, sizeof(ret_token->id), "%s", id_hex);
        snprintf(ret_token->unit, sizeof(ret_token->unit), "%s", unit);
        snprintf(ret_text, 96, "loa_%s_%s", id_hex, coded);
    }
    sodium_memzero(secret, sizeof(secret));
    sodium_memzero(coded, strlen(coded));
    free(coded);
    return r < 0 ? r : 0;
}

bool people_live(struct store *store, const char *id)
{
    return store_number(store, 0, "SELECT 1 FROM tokens WHERE id = ? AND revoked_ms IS NULL", "s", id) == 1;
}

static bool split(const char *text, char ret_id[ID_HEX + 1], unsigned char ret_secret[SECRET_BYTES])
{
    if (strncmp(text, "loa_", 4) != 0 || strlen(text) != 4 + ID_HEX + 1 + 43 || text[4 + ID_HEX] != '_')
        return false;
    memcpy(ret_id, text + 4, ID_HEX);
    ret_id[ID_HEX] = '\0';
    return b64url_decode(text + 4 + ID_HEX + 1, 43, ret_secret, SECRET_BYTES) == SECRET_BYTES;
}

bool people_check(struct store *store, const char *text, struct token *ret)
{
    char id[ID_HEX + 1];
    unsigned char secret[SECRET_BYTES];
    if (!split(text, id, secret))
        return false;
    struct hash hash = hash_of(secret, sizeof(secret));
    sodium_memzero(secret, sizeof(secret));
    json_t *row = store_one(
        store, "SELECT CAST(hash AS TEXT) AS hash, unit, role FROM tokens WHERE id = ? AND revoked_ms IS NULL", "s",
        id);
    const char *kept = json_string_value(json_object_get(row, "hash"));
    /* An unknown id costs the same comparison. */
    static const char none[HASH_HEX_LEN + 1] = "0000000000000000000000000000000000000000000000000000000000000000";
    bool long_enough = kept && strlen(kept) == HASH_HEX_LEN;
    bool same = sodium_memcmp(hash.hex, long_enough ? kept : none, HASH_HEX_LEN) == 0 && long_enough;
    if (same) {
        *ret = (struct token){.role = role_of(json_string_value(json_object_get(row, "role")))};
        snprintf(ret->id, sizeof(ret->id), "%s", id);
        snprintf(ret->unit, sizeof(ret->unit), "%s", json_string_value(json_object_get(row, "unit")));
    }
    json_decref(row);
    return same;
}
