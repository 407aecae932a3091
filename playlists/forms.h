/* forms.h - what the texts of documents must look like. Internal to playlists/. Pure; any thread. */
#ifndef LOA_FORMS_H
#define LOA_FORMS_H

#include <stdbool.h>
#include <stddef.h>

/* What a text must look like. Forms other than ANY, TEXT and LINE have their own length limits. */
enum text_form {
    FORM_ANY,        /* any text: what a device read back may hold anything */
    FORM_TEXT,       /* line ends and tabs are the only control characters */
    FORM_LINE,       /* no control characters */
    FORM_ID,         /* id_valid() */
    FORM_WORD,       /* 1..64 of a-z 0-9 _ - . */
    FORM_TOKEN,      /* 1..64 of A-Z a-z 0-9 _ - */
    FORM_NONCE,      /* a token of 8..64 */
    FORM_HASH,       /* SHA-256, 64 lower-case hex digits */
    FORM_KEY,        /* 32 bytes as base64url: 43 characters */
    FORM_AUDIENCE,   /* all, controller, dev/<id>, area/<id> */
    FORM_OCCURRENCE, /* an id; or that, a dot and 1..13 digits; or that, a dot and 1..16 of a-z 0-9 */
    FORM_LANG,       /* BCP 47 primary tag: 2 or 3 of a-z */
    FORM_ZONE,       /* name in the tz database */
    FORM_NAME,       /* one of `names` */
    FORMS,
};

/* One form. `fits` is asked about terminated, valid UTF-8 of the right length. */
struct form {
    bool (*fits)(const char *text, size_t len);
    size_t min, max; /* bytes; 0, 0: the field says */
    const char *right;
};

extern const struct form forms[FORMS];

#endif
