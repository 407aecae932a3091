/* document_keys.c - trust and keys: who has a say. See document_tables.h. */
#include "playlists/document_tables.h"

#include "playlists/seal.h"

#include <stdlib.h>
#include <string.h>

/* --- trust --- */

static int check_kid(const char *kid, const char *x, struct complaint *why)
{
    char right[44];
    if (key_thumbprint(x, right))
        return complain(why, ERR_FORMAT, "x: is no Ed25519 public key");
    if (strcmp(kid, right) != 0)
        return complain(why, ERR_FORMAT, "kid: is not the thumbprint of x, which is %s", right);
    return 0;
}

static int check_public_key(const void *value, struct complaint *why)
{
    const struct public_key *key = value;
    return check_kid(key->kid, key->x, why);
}

static const struct field public_key_fields[] = {
    FORM(public_key, "kid", kid, REQUIRED, FORM_KEY),
    FORM(public_key, "x", x, REQUIRED, FORM_KEY),
    TEXT(public_key, "name", name, OPTIONAL, FORM_LINE, 1, NAME_MAX_BYTES),
};
SHAPE(public_key, check_public_key);

static const struct field quorum_fields[] = {
    CHOICE(quorum, "class", class, REQUIRED, air_class_names, CLASS_EMERGENCY),
    TEXTS(quorum, "areas", areas, OPTIONAL, FORM_ID, 0, SCOPE_MAX),
    INT(quorum, "persons", persons, REQUIRED, 1, 9),
};
SHAPE(quorum, NULL);

static const struct field trust_fields[] = {
    HEAD(trust),
    LIST(trust, "registrars", registrars, REQUIRED, public_key_shape, 1, 16),
    LIST(trust, "schedulers", schedulers, REQUIRED, public_key_shape, 0, 16),
    LIST(trust, "quorums", quorums, OPTIONAL, quorum_shape, 0, 64),
};
DOCUMENT(trust, document_check);

/* --- keys --- */

static int check_person(const void *value, struct complaint *why)
{
    const struct person_key *key = value;
    if (key->ended != KEY_LIVE && key->ended_ms == 0)
        return complain(why, ERR_FORMAT, "ended_ms: is missing, a key that is %s has the moment of its end",
                        key_end_names[key->ended]);
    if (key->ended == KEY_LIVE && key->ended_ms != 0)
        return complain(why, ERR_FORMAT, "ended_ms: is set, but ended says that the key has not ended");
    return check_kid(key->kid, key->x, why);
}

static int by_kid(const void *a, const void *b)
{
    return strcmp((*(const struct person_key *const *)a)->kid, (*(const struct person_key *const *)b)->kid);
}

/* One key in two lines could be live in one and compromised in the other. */
static int check_keys(const void *value, struct complaint *why)
{
    const struct keys *keys = value;
    const struct person_key **sorted = xcalloc(keys->n_persons, sizeof(*sorted));
    for (size_t i = 0; i < keys->n_persons; i++)
        sorted[i] = &keys->persons[i];
    qsort(sorted, keys->n_persons, sizeof(*sorted), by_kid);
    int err = document_check_head(&keys->head, why);
    for (size_t i = 1; err == 0 && i < keys->n_persons; i++)
        if (strcmp(sorted[i - 1]->kid, sorted[i]->kid) == 0)
            err = complain(why, ERR_FORMAT, "persons: names the key %s twice, each may stand once", sorted[i]->kid);
    free(sorted);
    return err;
}

static const struct field person_key_fields[] = {
    FORM(person_key, "kid", kid, REQUIRED, FORM_KEY),
    FORM(person_key, "x", x, REQUIRED, FORM_KEY),
    FORM(person_key, "person", person, REQUIRED, FORM_ID),
    TEXT(person_key, "name", name, OPTIONAL, FORM_LINE, 1, NAME_MAX_BYTES),
    TEXTS(person_key, "roles", roles, REQUIRED, FORM_WORD, 1, 8),
    TEXTS(person_key, "areas", areas, REQUIRED, FORM_ID, 1, SCOPE_MAX),
    CHOICE(person_key, "class", class, REQUIRED, air_class_names, CLASS_EMERGENCY),
    CHOICE(person_key, "ended", ended, OPTIONAL, key_end_names, KEY_COMPROMISED),
    INT(person_key, "ended_ms", ended_ms, OPTIONAL, 0, TIME_MAX_MS),
};
SHAPE(person_key, check_person);

static const struct field keys_fields[] = {
    HEAD(keys),
    LIST(keys, "persons", persons, REQUIRED, person_key_shape, 0, 2000),
};
DOCUMENT(keys, check_keys);
