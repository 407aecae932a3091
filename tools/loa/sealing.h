/* sealing.h - what the commands that seal documents share: heads, public keys named on the command line, files. */
#ifndef LOA_SEALING_H
#define LOA_SEALING_H

#include "playlists/seal.h"
#include "tools/loa/command.h"

/* A head issued now, for `days` days. ver is the present moment in Unix ms unless --ver says otherwise. */
MUST_USE int head_new(const struct call *call, int64_t era, int64_t days, struct doc_head *ret);

/* A public key from the command line: 43 characters of base64url, or a JWK file (public or private). x and kid are put
 * into the arena. EXIT_OK, or EXIT_REFUSED after saying what is wrong. */
MUST_USE int key_read(const struct call *call, const char *text, struct arena *arena, const char **ret_x,
                      const char **ret_kid);

/* A list "a,b" or "a+b" into texts in the arena. */
struct texts texts_split(const char *text, const char *separators, struct arena *arena);

/* Seal with the key in `key_file` and write the document whole to `out` ("-": standard output), mode 0644; then print
 * a line about it. */
MUST_USE int seal_to_file(const struct call *call, const char *key_file, enum doc_type type, const void *doc,
                          const char *out);

/* Read a sealed document that the key `x` must have sealed; the struct lives in the arena. */
MUST_USE int sealed_read(const struct call *call, const char *file, enum doc_type type, const char *x,
                         struct arena *arena, void **ret_doc);

/* The document's payload for people, without checking whose it is: header and payload as JSON. */
MUST_USE int sealed_print(const struct call *call, const char *file, enum doc_type type);

/* Index of `text` among `names`, or -1. */
int name_index(const char *const *names, const char *text);

#endif
