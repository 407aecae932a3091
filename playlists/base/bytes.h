/* bytes.h - hashes, base64url, hex, growing buffers, arenas. Any thread; no shared state. */
#ifndef LOA_BYTES_H
#define LOA_BYTES_H

#include "playlists/base/errors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HASH_HEX_LEN = 64 };

/* A SHA-256 (FIPS 180-4) as 64 lower-case hex digits and a terminator; the name of everything content-addressed. */
struct hash {
    char hex[HASH_HEX_LEN + 1];
};

struct hash hash_of(const void *data, size_t len);
/* Hash a file's content, up to `max_size` bytes (-EFBIG beyond). -errno when it cannot be read. */
MUST_USE int hash_of_file(const char *path, uint64_t max_size, struct hash *ret_hash, uint64_t *ret_size);
bool hash_valid(const char *hex); /* exactly 64 lower-case hex digits; NULL is not */
bool hash_equal(const struct hash *a, const struct hash *b);

/* base64url without padding (RFC 4648 section 5). Encode: returns a heap string the caller owns. */
char *b64url_encode(const void *data, size_t len);
/* Strict: rejects padding, white space, and unused bits that are not zero. Returns the decoded length or ERR_FORMAT,
 * ERR_LIMIT when `cap` is too small. */
MUST_USE int b64url_decode(const char *text, size_t text_len, void *ret_data, size_t cap);

/* A buffer that grows up to a limit. Zero-initialise; buf_done frees. */
struct buf {
    uint8_t *data; /* owned */
    size_t len;
    size_t cap;
};
void buf_put(struct buf *buf, const void *data, size_t len);
uint8_t *buf_room(struct buf *buf, size_t len); /* makes room behind the end for as many; then add to buf->len */
void buf_putf(struct buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *buf_text(struct buf *buf);    /* terminated view; valid until the next change */
void buf_drop(struct buf *buf, size_t n); /* drop n bytes from the front */
void buf_done(struct buf *buf);

/* Memory that lives and dies together. */
struct arena;
struct arena *arena_new(void);
void *arena_alloc(struct arena *arena, size_t size); /* zeroed, aligned for any type; aborts when memory is out */
char *arena_strndup(struct arena *arena, const char *text, size_t len);
void arena_free(struct arena *arena); /* NULL is fine */

/* malloc family that aborts when memory is out: the supervisor restarts us, and state on disk is always whole. */
void *xcalloc(size_t n, size_t size);
char *xstrdup(const char *text);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Fill with bytes of the kernel's random generator. */
void random_bytes(void *ret_data, size_t len);
uint32_t random_below(uint32_t bound); /* uniform in [0, bound) */

/* Identifier rule of the wire: 1 to 40 of a-z 0-9 and '-', not beginning or ending with '-'. */
bool id_valid(const char *id);

/* True for well-formed UTF-8 (RFC 3629) without U+0000. */
bool utf8_valid(const char *text, size_t len);

#endif
