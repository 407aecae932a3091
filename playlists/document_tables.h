/* document_tables.h - how the table of a document is written, and which there are. Inside of playlists/: the tables are
 * in document_keys.c (who has a say), document_down.c (what the centre tells a device), document_up.c (what a device
 * tells the centre) and document_said.c (what is said on air, and who approved it); documents.c lists them.
 *
 * A new document is a DOCUMENT() of the file it belongs to, its line below and its line in the list. */
#ifndef LOA_DOCUMENT_TABLES_H
#define LOA_DOCUMENT_TABLES_H

#include "playlists/codec.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Bounds that several documents share. */
enum {
    AREAS_MAX = 32,  /* of one device */
    SCOPE_MAX = 128, /* areas of an approval, a person or a quorum */
    ZONES_MAX = 32,
    SOURCE_MAX_BYTES = 200,
    ORDER_MAX_BYTES = 100,
    LINE_MAX_BYTES = 300,
    NAME_MAX_BYTES = 200,
    DETAIL_MAX_BYTES = 1000,
    TEXT_MAX_BYTES = 4000,
};
#define TIME_MAX_MS  INT64_C(4102444800000) /* 2100-01-01 */
#define TIME_MAX_S   INT64_C(4102444800)
#define DAY_MS       INT64_C(86400000)
#define FRAMES_MAX   INT64_C(172800000) /* 60 minutes */
#define ERA_MAX      INT64_C(1000000)
#define LEVEL_MAX_MB INT64_C(20000)

enum { OPTIONAL = 0, REQUIRED = 1 };

#define CALLED(n) .name = n, .name_len = sizeof(n) - 1
/* One line of a table each. `s` is the struct, `m` its member. */
#define INT(s, n, m, need, lo, hi)                                                                                     \
    {                                                                                                                  \
        CALLED(n), .kind = FIELD_INT, .required = need, .offset = offsetof(struct s, m), .min = lo, .max = hi          \
    }
#define REAL(s, n, m, need, lo, hi)                                                                                    \
    {                                                                                                                  \
        CALLED(n), .kind = FIELD_REAL, .required = need, .offset = offsetof(struct s, m), .min = lo, .max = hi         \
    }
#define BOOL(s, n, m, need)                                                                                            \
    {                                                                                                                  \
        CALLED(n), .kind = FIELD_BOOL, .required = need, .offset = offsetof(struct s, m)                               \
    }
#define CHOICE(s, n, m, need, all, last)                                                                               \
    {                                                                                                                  \
        CALLED(n), .kind = FIELD_CHOICE, .required = need, .offset = offsetof(struct s, m), .names = all, .max = last  \
    }
#define TEXT(s, n, m, need, how, lo, hi)                                                                               \
    {                                                                                                                  \
        CALLED(n), .kind = FIELD_TEXT, .required = need, .form = how, .offset = offsetof(struct s, m), .min = lo,      \
                   .max = hi                                                                                           \
    }
#define FORM(s, n, m, need, how) TEXT(s, n, m, need, how, 0, 0)
#define NAMED(s, n, m, need, all)                                                                                      \
    {                                                                                                                  \
        CALLED(n), .kind = FIELD_TEXT, .required = need, .form = FORM_NAME, .offset = offsetof(struct s, m),           \
                   .names = all                                                                                        \
    }
#define TEXTS(s, n, m, need, how, lo, hi)                                                                              \
    {                                                                                                                  \
        CALLED(n), .kind = FIELD_TEXTS, .required = need, .form = how, .offset = offsetof(struct s, m), .min = lo,     \
                   .max = hi                                                                                           \
    }
#define OBJECT(s, n, m, need, what)                                                                                    \
    {                                                                                                                  \
        CALLED(n), .kind = FIELD_OBJECT, .required = need, .offset = offsetof(struct s, m), .shape = &(what)           \
    }
#define LIST(s, n, m, need, what, lo, hi)                                                                              \
    {                                                                                                                  \
        CALLED(n), .kind = FIELD_LIST, .required = need, .offset = offsetof(struct s, m),                              \
                   .count_offset = offsetof(struct s, n_##m), .min = lo, .max = hi, .shape = &(what)                   \
    }
#define HEAD(s)                                                                                                        \
    FORM(s, "aud", head.aud, REQUIRED, FORM_AUDIENCE), INT(s, "era", head.era, REQUIRED, 1, ERA_MAX),                  \
        INT(s, "ver", head.ver, REQUIRED, 1, CODEC_INT_MAX), INT(s, "iat", head.iat_s, REQUIRED, 0, TIME_MAX_S),       \
        INT(s, "exp", head.exp_s, REQUIRED, 1, TIME_MAX_S)
/* Of a part; DOCUMENT() of a whole one, which is named below and in the list of documents.c. */
#define SHAPE(s, verify)    static const struct shape s##_shape = {sizeof(struct s), s##_fields, COUNT(s##_fields), verify}
#define DOCUMENT(s, verify) const struct shape s##_shape = {sizeof(struct s), s##_fields, COUNT(s##_fields), verify}

extern const struct shape trust_shape, keys_shape;
extern const struct shape config_shape, playlist_shape, welcome_shape, command_shape;
extern const struct shape state_shape, receipt_shape, event_shape, reply_shape, health_shape;
extern const struct shape approval_shape, bulletin_shape;

/* `exp` is after `iat`. */
MUST_USE int document_check_head(const struct doc_head *head, struct complaint *why);
/* The check of a document of which no more is asked: that of its head, with which every document begins. */
MUST_USE int document_check(const void *value, struct complaint *why);

#endif
