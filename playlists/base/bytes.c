/* bytes.c - see bytes.h. Hashing and random numbers are libsodium's. */
#include "playlists/base/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct hash to_hash(const unsigned char digest[crypto_hash_sha256_BYTES])
{
    struct hash h;
    sodium_bin2hex(h.hex, sizeof(h.hex), digest, crypto_hash_sha256_BYTES);
    return h;
}

struct hash hash_of(const void *data, size_t len)
{
    unsigned char digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(digest, data, len);
    return to_hash(digest);
}

int hash_of_file(const char *path, uint64_t max_size, struct hash *ret_hash, uint64_t *ret_size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    crypto_hash_sha256_state st;
    crypto_hash_sha256_init(&st);
    uint64_t total = 0;
    int r = 0;
    unsigned char chunk[65536];
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            r = -errno;
        if (n <= 0)
            break;
        total += (uint64_t)n;
        if (total > max_size) {
            r = -EFBIG;
            break;
        }
        crypto_hash_sha256_update(&st, chunk, (unsigned long long)n);
    }
    close(fd);
    if (r < 0)
        return r;
    unsigned char digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_final(&st, digest);
    *ret_hash = to_hash(digest);
    if (ret_size)
        *ret_size = total;
    return 0;
}

bool hash_valid(const char *hex)
{
    return hex && strlen(hex) == HASH_HEX_LEN && strspn(hex, "0123456789abcdef") == HASH_HEX_LEN;
}

bool hash_equal(const struct hash *a, const struct hash *b)
{
    return memcmp(a->hex, b->hex, HASH_HEX_LEN) == 0;
}

char *b64url_encode(const void *data, size_t len)
{
    size_t cap = sodium_base64_encoded_len(len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    char *text = xcalloc(1, cap);
    sodium_bin2base64(text, cap, data, len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    return text;
}

/* Digit + 1 of each character; 0: none. libsodium's own decoder hides from a clock what it reads, at ten times the
 * cost; what is read here is public, or from a file that only we can read. */
static const uint8_t digits[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
    ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['-'] = 63, ['_'] = 64};

int b64url_decode(const char *text, size_t text_len, void *ret_data, size_t cap)
{
    const unsigned char *in = (const unsigned char *)text;
    unsigned char *out = ret_data;
    size_t rest = text_len % 4, len = text_len / 4 * 3 + (rest ? rest - 1 : 0);
    if (len > cap)
        return ERR_LIMIT;
    for (const unsigned char *end = in + text_len - rest; in < end; in += 4, out += 3) {
        uint32_t a = digits[in[0]], b = digits[in[1]], c = digits[in[2]], d = digits[in[3]];
        if (!a || !b || !c || !d)
            return ERR_FORMAT;
        uint32_t bits = (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6 | (d - 1);
        out[0] = (unsigned char)(bits >> 16);
        out[1] = (unsigned char)(bits >> 8);
        out[2] = (unsigned char)bits;
    }
    uint32_t bits = 0;
    for (size_t i = 0; i < rest; i++) {
        if (!digits[in[i]])
            return ERR_FORMAT;
        bits |= (uint32_t)(digits[in[i]] - 1) << (18 - 6 * i);
    }
    if (rest == 1 || (rest && (bits << 8 * (rest - 1) & 0xFFFFFF) != 0)) /* what no byte takes must be zero */
        return ERR_FORMAT;
    for (size_t i = 0; i + 1 < rest; i++)
        out[i] = (unsigned char)(bits >> (16 - 8 * i));
    return (int)len;
}

uint8_t *buf_room(struct buf *buf, size_t len)
{
    if (buf->len + len + 1 > buf->cap) {
        size_t cap = buf->cap ? buf->cap : 256;
        while (cap < buf->len + len + 1)
            cap *= 2;
        uint8_t *grown = realloc(buf->data, cap);
        if (!grown)
            abort();
        buf->data = grown;
        buf->cap = cap;
    }
    return buf->data + buf->len;
}

void buf_put(struct buf *buf, const void *data, size_t len)
{
    uint8_t *room = buf_room(buf, len);
    if (len)
        memcpy(room, data, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
}

void buf_putf(struct buf *buf, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n > 0) {
        char *text = xcalloc(1, (size_t)n + 1);
        vsnprintf(text, (size_t)n + 1, fmt, again);
        buf_put(buf, text, (size_t)n);
        free(text);
    }
    va_end(again);
}

const char *buf_text(struct buf *buf)
{
    buf_put(buf, "", 0);
    return (const char *)buf->data;
}

void buf_drop(struct buf *buf, size_t n)
{
    if (n >= buf->len) {
        buf->len = 0;
        return;
    }
    memmove(buf->data, buf->data + n, buf->len - n);
    buf->len -= n;
}

void buf_done(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf){0};
}

struct arena_chunk {
    struct arena_chunk *next;
    alignas(max_align_t) unsigned char data[];
};

struct arena {
    struct arena_chunk *chunks; /* newest first */
    size_t used, cap;           /* of the newest */
};

/* Each chunk is twice the one before: few of them, and little is left over. */
enum { CHUNK_MIN = 1024, CHUNK_MAX = 65536 };

struct arena *arena_new(void)
{
    return xcalloc(1, sizeof(struct arena));
}

void *arena_alloc(struct arena *arena, size_t size)
{
    size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    if (!arena->chunks || arena->used + size > arena->cap) {
        size_t cap = arena->cap ? arena->cap * 2 : CHUNK_MIN;
        if (cap > CHUNK_MAX)
            cap = CHUNK_MAX;
        if (cap < size)
            cap = size;
        struct arena_chunk *chunk = xcalloc(1, sizeof(*chunk) + cap);
        chunk->next = arena->chunks;
        arena->chunks = chunk;
        arena->used = 0;
        arena->cap = cap;
    }
    void *p = arena->chunks->data + arena->used;
    arena->used += size;
    return p;
}

char *arena_strndup(struct arena *arena, const char *text, size_t len)
{
    char *copy = arena_alloc(arena, len + 1);
    memcpy(copy, text, len);
    return copy;
}

void arena_free(struct arena *arena)
{
    if (!arena)
        return;
    for (struct arena_chunk *c = arena->chunks, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    free(arena);
}

void *xcalloc(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size ? size : 1);
    if (!p)
        abort();
    return p;
}

char *xstrdup(const char *text)
{
    char *copy = strdup(text);
    if (!copy)
        abort();
    return copy;
}

char *xasprintf(const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;
    va_start(ap, fmt);
    int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (n < 0)
        abort();
    return text;
}

void random_bytes(void *ret_data, size_t len)
{
    randombytes_buf(ret_data, len);
}

uint32_t random_below(uint32_t bound)
{
    return randombytes_uniform(bound);
}

bool id_valid(const char *id)
{
    size_t len = id ? strlen(id) : 0;
    return len >= 1 && len <= 40 && strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-") == len && id[0] != '-' &&
           id[len - 1] != '-';
}

/* Bytes that follow a lead byte, and the least code point that may be written so (RFC 3629 section 4). */
static int utf8_tail(unsigned char lead, uint32_t *ret_bits, uint32_t *ret_least)
{
    if (lead < 0x80) {
        *ret_bits = lead;
        *ret_least = 1; /* U+0000 is refused */
        return 0;
    }
    if (lead >= 0xC2 && lead <= 0xDF) {
        *ret_bits = lead & 0x1Fu;
        *ret_least = 0x80;
        return 1;
    }
    if ((lead & 0xF0) == 0xE0) {
        *ret_bits = lead & 0x0Fu;
        *ret_least = 0x800;
        return 2;
    }
    if (lead >= 0xF0 && lead <= 0xF4) {
        *ret_bits = lead & 0x07u;
        *ret_least = 0x10000;
        return 3;
    }
    return -1;
}

bool utf8_valid(const char *text, size_t len)
{
    const unsigned char *p = (const unsigned char *)text;
    for (size_t i = 0; i < len;) {
        uint32_t code, least;
        int tail = utf8_tail(p[i++], &code, &least);
        if (tail < 0 || (size_t)tail > len - i)
            return false;
        for (; tail > 0; tail--, i++) {
            if ((p[i] & 0xC0) != 0x80)
                return false;
            code = code << 6 | (p[i] & 0x3Fu);
        }
        if (code < least || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
            return false;
    }
    return true;
}
