/* fuzz_seal - any bytes as a sealed document. The first byte picks what they are: 0: the compact form; 1: a header, a
 * line end, and a payload's bytes, under a signature that holds; 2: a payload to be sealed and opened again. */
#include "playlists/judge.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* The same in each run, so that what is found can be found again. */
static const struct signer *signer(void)
{
    static struct signer s;
    if (s.kid[0])
        return &s;
    static const unsigned char seed[32] = {7};
    unsigned char public[32];
    crypto_sign_seed_keypair(public, s.secret, seed);
    char *x = b64url_encode(public, sizeof(public));
    memcpy(s.x, x, sizeof(s.x));
    free(x);
    require(key_thumbprint(s.x, s.kid) == 0);
    return &s;
}

static void open_compact(const char *compact, size_t len)
{
    struct seal_header header;
    struct buf payload = {0};
    struct authority authority = {.box_x = signer()->x};
    memcpy(authority.root_x[0], signer()->x, sizeof(authority.root_x[0]));
    enum refusal peeked = seal_peek(compact, len, &header);
    enum refusal opened = seal_open(compact, len, signer()->x, &payload);
    require(peeked == REFUSAL_NONE || opened == peeked);
    require(opened == REFUSAL_NONE ? payload.len <= DOC_INFLATED_MAX : payload.len == 0);
    if (peeked == REFUSAL_NONE) {
        struct arena *arena = arena_new();
        struct complaint why = {0};
        void *doc = NULL;
        enum refusal judged = judge_open(&authority, header.type, compact, len, arena, &doc, NULL, &why);
        require((judged == REFUSAL_NONE) == (doc != NULL) && (doc != NULL) == (why.text[0] == '\0'));
        require(judged != REFUSAL_NONE || opened == REFUSAL_NONE);
        arena_free(arena);
    }
    buf_done(&payload);
}

static void put_b64(struct buf *out, const void *data, size_t len)
{
    char *text = b64url_encode(data, len);
    buf_put(out, text, strlen(text));
    free(text);
}

static void open_signed(const uint8_t *data, size_t len)
{
    const uint8_t *end = len ? memchr(data, '\n', len) : NULL;
    size_t header_len = end ? (size_t)(end - data) : len;
    struct buf compact = {0};
    put_b64(&compact, data, header_len);
    buf_put(&compact, ".", 1);
    if (end)
        put_b64(&compact, end + 1, len - header_len - 1);
    unsigned char signature[crypto_sign_BYTES];
    crypto_sign_detached(signature, NULL, compact.data, compact.len, signer()->secret);
    buf_put(&compact, ".", 1);
    put_b64(&compact, signature, sizeof(signature));
    open_compact((const char *)compact.data, compact.len);
    buf_done(&compact);
}

static void seal_and_open(const uint8_t *data, size_t len)
{
    for (int deflate = 0; deflate < 2; deflate++) {
        char *compact = NULL;
        if (seal(signer(), DOC_EVENT, data, len, deflate, &compact))
            continue;
        struct buf payload = {0};
        require(seal_open(compact, strlen(compact), signer()->x, &payload) == REFUSAL_NONE);
        require(payload.len == len && memcmp(payload.data, data, len) == 0);
        buf_done(&payload);
        free(compact);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0)
        return 0;
    if (data[0] % 3 == 0)
        open_compact((const char *)data + 1, len - 1);
    else if (data[0] % 3 == 1)
        open_signed(data + 1, len - 1);
    else
        seal_and_open(data + 1, len - 1);
    return 0;
}
