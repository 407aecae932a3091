/* welcome.c - see welcome.h. */
#include "controller/welcome.h"

#include "controller/chains.h"
#include "playlists/base/clock.h"

#include <string.h>

enum { MARKS_MAX = 64, BACK_A_SECOND = 220, SPREAD_MIN_S = 5, SPREAD_MAX_S = 3600 };

/* Floors: what was published and the broker has. */
static size_t floors_of(struct store *store, const char *device, struct arena *arena, struct doc_floor **ret)
{
    json_t *rows = store_list(store,
                              "SELECT word, era, ver FROM sent WHERE device = '' AND acked_ms > 0 UNION ALL"
                              " SELECT word, era, ver FROM sent WHERE device = ? AND acked_ms > 0",
                              "s", device);
    size_t n = json_array_size(rows);
    *ret = arena_alloc(arena, (n + 1) * sizeof(**ret));
    for (size_t i = 0; i < n; i++) {
        const json_t *row = json_array_get(rows, i), *word = json_object_get(row, "word");
        (*ret)[i] = (struct doc_floor){
            .doc = arena_strndup(arena, json_string_value(word), json_string_length(word)),
            .era = json_integer_value(json_object_get(row, "era")),
            .ver = json_integer_value(json_object_get(row, "ver")),
        };
    }
    json_decref(rows);
    return n;
}

static size_t marks_of(struct store *store, const char *device, struct arena *arena, struct stored_mark **ret)
{
    json_t *rows = chain_marks(store, device, MARKS_MAX);
    size_t n = json_array_size(rows);
    *ret = arena_alloc(arena, (n + 1) * sizeof(**ret));
    for (size_t i = 0; i < n; i++) {
        const json_t *row = json_array_get(rows, i), *id = json_object_get(row, "store"),
                     *hash = json_object_get(row, "hash");
        bool receipt = strcmp(json_string_value(json_object_get(row, "kind")), "receipt") == 0;
        (*ret)[i] = (struct stored_mark){
            .kind = receipt ? "receipt" : "event",
            .store = arena_strndup(arena, json_string_value(id), json_string_length(id)),
            .upto = json_integer_value(json_object_get(row, "upto")),
            .hash =
                json_is_string(hash) ? arena_strndup(arena, json_string_value(hash), json_string_length(hash)) : NULL,
        };
    }
    json_decref(rows);
    return n;
}

int64_t welcome_spread_s(int64_t boxes)
{
    int64_t spread_s = boxes / BACK_A_SECOND;
    return spread_s < SPREAD_MIN_S ? SPREAD_MIN_S : spread_s > SPREAD_MAX_S ? SPREAD_MAX_S : spread_s;
}

int welcome_seal(struct controller *c, const struct doc_head *head, const char *device, const char *nonce,
                 int64_t spread_s, char **ret_sealed, struct complaint *why)
{
    struct arena *arena = arena_new();
    struct welcome w = {.head = *head,
                        .nonce = nonce,
                        .spread_s = spread_s,
                        .epoch = store_number(c->store, 1, "SELECT value FROM meta WHERE key = 'epoch'", "")};
    w.n_floors = floors_of(c->store, device, arena, &w.floors);
    w.n_stored = marks_of(c->store, device, arena, &w.stored);
    w.time_ms = clock_wall_ms();
    int r = seal_doc(&c->scheduler, DOC_WELCOME, &w, true, ret_sealed, why);
    arena_free(arena);
    return r;
}
