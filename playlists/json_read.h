/* json_read.h - strict JSON (RFC 8259) as one flat list of values, read in one pass without an allocation for each.
 *
 * Stricter than the grammar where readers differ: UTF-8 without NUL, no name twice in an object, no lone surrogates,
 * integers within 64 bits, bounded depth, names of an object and digits of a number. Pure; any thread.
 *
 * Why not jansson, which reads all other JSON here: a playlist of 30 days must be a decision within 5 ms, and jansson's
 * tree of one takes most of that (1,200 items: 4 ms with decoding, against 1). The grammar is yajl's; test_json_read
 * holds each answer against jansson's. */
#ifndef LOA_JSON_READ_H
#define LOA_JSON_READ_H

#include "playlists/base/bytes.h"

enum json_kind { JSON_IS_OBJECT, JSON_IS_LIST, JSON_IS_TEXT, JSON_IS_INT, JSON_IS_REAL, JSON_IS_BOOL, JSON_IS_NULL };
enum { JSON_NAMES_MAX = 256, JSON_DIGITS_MAX = 60 };

/* One value. Behind an object follow its names (texts), each with its value; behind a list its entries. */
struct json_value {
    enum json_kind kind;
    uint32_t next; /* place of what follows this value and all that is in it */
    uint32_t n;    /* object: names; list: entries; text: bytes */
    union {
        const char *text; /* not terminated; in what was read, or in the arena */
        int64_t integer;
        double real;
        bool yes;
    };
};

/* One object or list, and nothing behind it but space. `text` is borrowed for as long as the values are used. On 0 the
 * caller frees *ret_values. ERR_LIMIT: deeper than `max_depth`. ERR_FORMAT: no such JSON. */
MUST_USE int json_read(const char *text, size_t len, int max_depth, struct arena *arena, struct json_value **ret_values,
                       struct complaint *why);

#endif
