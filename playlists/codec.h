/* codec.h - one table drives decoding, limits and encoding of a JSON document, so that the three cannot disagree.
 *
 * Internal to playlists/ (document_tables.h says where the tables are); tests read the tables to compare them with
 * WIRE.md. Pure; any thread. Members stand in the table's order when encoded. An optional scalar that is 0, false or
 * the first name, an optional text, object or list that is empty, is not written; absent, it is read as that. */
#ifndef LOA_CODEC_H
#define LOA_CODEC_H

#include "playlists/documents.h"
#include "playlists/forms.h"

#include <stddef.h>
#include <stdint.h>

enum { CODEC_DEPTH_MAX = 8 };
#define CODEC_INT_MAX INT64_C(9007199254740991) /* 2^53 - 1: what every JSON reader keeps exactly (RFC 7493) */

enum field_kind {
    FIELD_INT,    /* int64_t in [min, max] */
    FIELD_REAL,   /* double, finite, in [min, max] */
    FIELD_BOOL,   /* bool */
    FIELD_CHOICE, /* int, an index into names in [min, max]; a name on the wire */
    FIELD_TEXT,   /* const char *, NULL when absent; of `form`, min to max bytes */
    FIELD_TEXTS,  /* struct texts of `form`, min to max of them, none twice */
    FIELD_OBJECT, /* pointer to `shape`, NULL when absent */
    FIELD_LIST,   /* pointer to `shape`s and a size_t at count_offset; min to max of them */
};

struct shape;

struct field {
    const char *name;
    size_t name_len;
    enum field_kind kind;
    bool required;
    enum text_form form;
    size_t offset;
    size_t count_offset;
    int64_t min, max;
    const char *const *names;  /* NULL-terminated */
    const struct shape *shape; /* of the objects below */
};

struct shape {
    size_t size; /* of the C struct */
    const struct field *fields;
    size_t n_fields; /* at most 64 */
    /* What no single member can tell; NULL when there is nothing. 0, or complain() with a sentence that begins with the
     * member's path within this object. */
    int (*check)(const void *value, struct complaint *why);
};

/* JSON text to a fresh struct of `shape` in `arena`. At most `max_len` bytes. */
MUST_USE int codec_decode(const struct shape *shape, const void *data, size_t len, size_t max_len, struct arena *arena,
                          void **ret, struct complaint *why);
/* The struct to compact JSON, appended to `ret` (left as it was on failure). The same limits hold. */
MUST_USE int codec_encode(const struct shape *shape, const void *value, size_t max_len, struct buf *ret,
                          struct complaint *why);

/* True when no array or object lies deeper than `max_depth`; the outermost one has depth 1. Looks at brackets outside
 * of strings only, so it can be asked before anything is parsed. */
bool codec_depth_ok(const char *text, size_t len, int max_depth);

/* The tables, for those who compare them with words. */
const struct shape *documents_shape(enum doc_type type);
const struct shape *documents_bulletin_shape(void);

#endif
