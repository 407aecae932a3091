/* Sealing and opening: what holds opens to the same bytes, and whatever was touched does not open. */
#include "unit.h"

#include "samples.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static enum refusal open_with(const char *compact, const char *x)
{
    struct buf payload = {0};
    enum refusal refusal = seal_open(compact, strlen(compact), x, &payload);
    if (refusal)
        assert_int_equal(payload.len, 0);
    buf_done(&payload);
    return refusal;
}

static void test_round_trip(void **unused)
{
    (void)unused;
    struct signer s;
    signer_generate(&s);
    for (int type = 0; type < DOC_TYPES; type++) {
        char *text = json_text(wire_example(doc_typ((enum doc_type)type)));
        for (int deflate = 0; deflate < 2; deflate++) {
            char *compact = NULL;
            assert_int_equal(seal(&s, (enum doc_type)type, text, strlen(text), deflate, &compact), 0);
            struct seal_header header;
            assert_int_equal(seal_peek(compact, strlen(compact), &header), REFUSAL_NONE);
            assert_int_equal(header.type, type);
            assert_string_equal(header.kid, s.kid);
            assert_int_equal(header.deflated, deflate);
            struct buf payload = {0};
            buf_put(&payload, "kept", 4);
            assert_int_equal(seal_open(compact, strlen(compact), s.x, &payload), REFUSAL_NONE);
            assert_string_equal(buf_text(&payload) + 4, text);
            buf_done(&payload);
            free(compact);
        }
        free(text);
    }
}

static void test_deflate_only_when_smaller(void **unused)
{
    (void)unused;
    struct signer s;
    signer_generate(&s);
    char *compact = NULL;
    struct seal_header header;
    assert_int_equal(seal(&s, DOC_REPLY, "{}", 2, true, &compact), 0);
    assert_int_equal(seal_peek(compact, strlen(compact), &header), REFUSAL_NONE);
    assert_false(header.deflated);
    free(compact);
}

/* No byte of a sealed document can be changed, lost or added. */
static void test_every_byte(void **unused)
{
    (void)unused;
    struct signer s;
    signer_generate(&s);
    static const unsigned char flips[] = {0x01, 0x02, 0x20, 0x80};
    for (int deflate = 0; deflate < 2; deflate++) {
        char *text = json_text(wire_example("loa-approval")), *compact = NULL;
        assert_int_equal(seal(&s, DOC_APPROVAL, text, strlen(text), deflate, &compact), 0);
        size_t len = strlen(compact);
        for (size_t i = 0; i < len; i++) {
            for (size_t k = 0; k < sizeof(flips); k++) {
                compact[i] = (char)(compact[i] ^ (char)flips[k]);
                struct buf payload = {0};
                if (seal_open(compact, len, s.x, &payload) == REFUSAL_NONE)
                    fail_msg("byte %zu xor %02x still opens", i, flips[k]);
                buf_done(&payload);
                compact[i] = (char)(compact[i] ^ (char)flips[k]);
            }
            struct buf payload = {0};
            assert_int_not_equal(seal_open(compact, i, s.x, &payload), REFUSAL_NONE);
            buf_done(&payload);
        }
        assert_int_equal(open_with(compact, s.x), REFUSAL_NONE);
        free(compact);
        free(text);
    }
}

static void expect_header(const struct signer *s, const char *fmt, enum refusal expected)
{
    char header[1400];
    snprintf(header, sizeof(header), fmt, s->kid);
    char *compact = craft(s, header, "{}", 2);
    enum refusal got = open_with(compact, s->x);
    if (got != expected)
        fail_msg("%s: %s, expected %s", header, refusal_names[got], refusal_names[expected]);
    struct seal_header unused;
    assert_int_equal(seal_peek(compact, strlen(compact), &unused), expected);
    free(compact);
}

static void test_headers(void **unused)
{
    (void)unused;
    struct signer s;
    signer_generate(&s);
#define KID "\"kid\":\"%s\","
#define TYP "\"typ\":\"loa-keys\""
#define ALG "\"alg\":\"EdDSA\","
    expect_header(&s, "{" ALG KID TYP "}", REFUSAL_NONE);
    expect_header(&s, "{" TYP "," ALG KID "\"x5c\":[],\"jwk\":{},\"later\":1}", REFUSAL_NONE);
    expect_header(&s, "{\"alg\":\"none\"," KID TYP "}", REFUSAL_ALG);
    expect_header(&s, "{\"alg\":\"HS256\"," KID TYP "}", REFUSAL_ALG);
    expect_header(&s, "{\"alg\":\"ES256\"," KID TYP "}", REFUSAL_ALG);
    expect_header(&s, "{\"alg\":\"eddsa\"," KID TYP "}", REFUSAL_ALG);
    expect_header(&s, "{\"alg\":\"Ed25519\"," KID TYP "}", REFUSAL_ALG);
    expect_header(&s, "{\"alg\":[\"EdDSA\"]," KID TYP "}", REFUSAL_ALG);
    expect_header(&s, "{" KID TYP "}", REFUSAL_ALG);
    expect_header(&s, "{" ALG KID "\"alg\":\"EdDSA\"," TYP "}", REFUSAL_FORMAT);
    expect_header(&s, "{" ALG KID TYP ",\"crit\":[\"exp\"]}", REFUSAL_FORMAT);
    expect_header(&s, "{" ALG KID TYP ",\"crit\":[]}", REFUSAL_FORMAT);
    expect_header(&s, "{" ALG KID TYP ",\"b64\":false}", REFUSAL_FORMAT);
    expect_header(&s, "{" ALG KID TYP ",\"b64\":true}", REFUSAL_FORMAT);
    expect_header(&s, "{" ALG KID TYP ",\"zip\":\"GZ\"}", REFUSAL_FORMAT);
    expect_header(&s, "{" ALG KID TYP ",\"zip\":null}", REFUSAL_FORMAT);
    expect_header(&s, "{" ALG KID "\"typ\":\"loa-order\"}", REFUSAL_TYPE);
    expect_header(&s, "{" ALG KID "\"typ\":\"JWT\"}", REFUSAL_TYPE);
    expect_header(&s, "{" ALG KID "\"typ\":7}", REFUSAL_TYPE);
    expect_header(&s, "{\"alg\":\"EdDSA\",\"kid\":\"%.42s\"," TYP "}", REFUSAL_FORMAT);
    expect_header(&s, "{\"alg\":\"EdDSA\",\"kid\":\"%sA\"," TYP "}", REFUSAL_FORMAT);
    expect_header(&s, "{" ALG TYP "}", REFUSAL_FORMAT);
    expect_header(&s, "[" ALG "]", REFUSAL_FORMAT);
    expect_header(&s, "{", REFUSAL_FORMAT);
    expect_header(&s, "{" ALG KID TYP ",\"x\":[[[[[[[[0]]]]]]]]}", REFUSAL_FORMAT);
    expect_header(&s, "{" ALG KID TYP "} ", REFUSAL_NONE);
    char large[1200] = "{" ALG KID TYP ",\"x\":\"";
    memset(large + strlen(large), 'x', 1000);
    strcat(large, "\"}");
    expect_header(&s, large, REFUSAL_FORMAT);
}

static void test_parts(void **unused)
{
    (void)unused;
    struct signer s;
    signer_generate(&s);
    char *good = NULL;
    assert_int_equal(seal(&s, DOC_KEYS, "{}", 2, false, &good), 0);
    const char *fmts[] = {"%s.", ".%s", "%s=", "%s==", " %s", "%s\n", "%s.AAAA", "%sA", "%sAA"};
    for (size_t i = 0; i < sizeof(fmts) / sizeof(fmts[0]); i++) {
        char text[1000];
        const char *mark = strstr(fmts[i], "%s");
        snprintf(text, sizeof(text), "%.*s%s%s", (int)(mark - fmts[i]), fmts[i], good, mark + 2);
        assert_int_equal(open_with(text, s.x), REFUSAL_FORMAT);
    }
    assert_int_equal(open_with("", s.x), REFUSAL_FORMAT);
    assert_int_equal(open_with("..", s.x), REFUSAL_FORMAT);
    assert_int_equal(open_with("{\"payload\":\"\"}", s.x), REFUSAL_FORMAT);
    char *cut = strrchr(good, '.');
    *cut = '\0';
    assert_int_equal(open_with(good, s.x), REFUSAL_FORMAT);
    *cut = '.';
    char *unsigned_text = craft(&s, "{\"alg\":\"none\"}", "{}", 2);
    strrchr(unsigned_text, '.')[1] = '\0';
    assert_int_equal(open_with(unsigned_text, s.x), REFUSAL_ALG);
    free(unsigned_text);
    assert_int_equal(open_with(good, "short"), REFUSAL_SIGNATURE);
    struct signer other;
    signer_generate(&other);
    assert_int_equal(open_with(good, other.x), REFUSAL_SIGNATURE);
    free(good);
}

/* Bits that base64url has no use for must be zero, or one document would have several names. */
static void test_unused_bits(void **unused)
{
    (void)unused;
    struct signer s;
    signer_generate(&s);
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char *good = NULL;
    assert_int_equal(seal(&s, DOC_KEYS, "{}", 2, false, &good), 0);
    char *last = good + strlen(good) - 1;
    long value = strchr(digits, *last) - digits;
    for (long low = 1; low < 16; low++) {
        *last = digits[value | low];
        if ((value | low) != value)
            assert_int_equal(open_with(good, s.x), REFUSAL_SIGNATURE);
    }
    free(good);
}

/* Signatures that a lenient checker lets pass. */
static void test_weak_signatures(void **unused)
{
    (void)unused;
    struct signer s;
    signer_generate(&s);
    char *good = NULL;
    assert_int_equal(seal(&s, DOC_KEYS, "{}", 2, false, &good), 0);
    char *dot = strrchr(good, '.');
    unsigned char sig[64];
    assert_int_equal(b64url_decode(dot + 1, 86, sig, 64), 64);
    static const unsigned char order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
                                            0xa2, 0xde, 0xf9, 0xde, 0x14, 0,    0,    0,    0,    0,    0,
                                            0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};
    unsigned carry = 0;
    for (size_t i = 0; i < 32; i++) {
        carry += (unsigned)sig[32 + i] + order[i];
        sig[32 + i] = (unsigned char)carry;
        carry >>= 8;
    }
    char *text = b64url_encode(sig, 64);
    memcpy(dot + 1, text, 86);
    free(text);
    assert_int_equal(open_with(good, s.x), REFUSAL_SIGNATURE);

    /* the neutral point as key and R, S = 0: [S]B = R + [h]A for every message */
    unsigned char neutral[32] = {1}, weak[64] = {1};
    char *weak_x = b64url_encode(neutral, 32), *weak_sig = b64url_encode(weak, 64), kid[44];
    memcpy(dot + 1, weak_sig, 86);
    assert_int_equal(open_with(good, weak_x), REFUSAL_SIGNATURE);
    assert_int_equal(key_thumbprint(weak_x, kid), ERR_FORMAT);
    free(weak_x);
    free(weak_sig);
    free(good);
}

static size_t pack(const void *data, size_t len, int window, unsigned char *ret, size_t cap)
{
    z_stream z = {.next_in = (unsigned char *)(uintptr_t)data, .avail_in = (unsigned)len};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, window, 9, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_out = ret;
    z.avail_out = (unsigned)cap;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return cap - z.avail_out;
}

static enum refusal open_packed(const struct signer *s, const void *packed, size_t len, size_t *ret_cap)
{
    char header[200];
    snprintf(header, sizeof(header), "{\"alg\":\"EdDSA\",\"kid\":\"%s\",\"typ\":\"loa-keys\",\"zip\":\"DEF\"}", s->kid);
    char *compact = craft(s, header, packed, len);
    struct buf payload = {0};
    enum refusal refusal = seal_open(compact, strlen(compact), s->x, &payload);
    if (refusal)
        assert_int_equal(payload.len, 0);
    *ret_cap = payload.cap;
    buf_done(&payload);
    free(compact);
    return refusal;
}

static void test_inflating(void **unused)
{
    (void)unused;
    struct signer s;
    signer_generate(&s);
    size_t cap, huge = 40 * 1024 * 1024;
    unsigned char *zeros = xcalloc(1, huge), *out = xcalloc(1, 65536);
    size_t n = pack(zeros, DOC_INFLATED_MAX, -15, out, 65536);
    assert_int_equal(open_packed(&s, out, n, &cap), REFUSAL_NONE);
    n = pack(zeros, DOC_INFLATED_MAX + 1, -15, out, 65536);
    assert_int_equal(open_packed(&s, out, n, &cap), REFUSAL_TOO_LARGE);
    n = pack(zeros, huge, -15, out, 65536);
    assert_int_equal(open_packed(&s, out, n, &cap), REFUSAL_TOO_LARGE);
    assert_true(cap <= 2 * DOC_INFLATED_MAX); /* a bomb costs no more than an honest document */
    n = pack(zeros, 1000, -15, out, 65536);
    assert_int_equal(open_packed(&s, out, n, &cap), REFUSAL_NONE);
    assert_int_equal(open_packed(&s, out, n - 1, &cap), REFUSAL_FORMAT); /* cut */
    out[n] = 0;
    assert_int_equal(open_packed(&s, out, n + 1, &cap), REFUSAL_FORMAT); /* something follows */
    n = pack(zeros, 1000, 15, out, 65536);
    assert_int_equal(open_packed(&s, out, n, &cap), REFUSAL_FORMAT); /* zlib frame */
    n = pack(zeros, 1000, 31, out, 65536);
    assert_int_equal(open_packed(&s, out, n, &cap), REFUSAL_FORMAT); /* gzip frame */
    assert_int_equal(open_packed(&s, "{}", 2, &cap), REFUSAL_FORMAT);
    free(zeros);
    free(out);
}

/* The signature is looked at before anything is inflated. */
static void test_bomb_without_signature(void **unused)
{
    (void)unused;
    struct signer s, thief;
    signer_generate(&s);
    signer_generate(&thief);
    unsigned char *zeros = xcalloc(1, 2 * DOC_INFLATED_MAX), out[8192];
    size_t n = pack(zeros, 2 * DOC_INFLATED_MAX, -15, out, sizeof(out));
    char header[200];
    snprintf(header, sizeof(header), "{\"alg\":\"EdDSA\",\"kid\":\"%s\",\"typ\":\"loa-keys\",\"zip\":\"DEF\"}", s.kid);
    char *compact = craft(&thief, header, out, n);
    assert_int_equal(open_with(compact, s.x), REFUSAL_SIGNATURE);
    free(compact);
    free(zeros);
}

static void test_sealed_size(void **unused)
{
    (void)unused;
    struct signer s;
    signer_generate(&s);
    size_t len = DOC_SEALED_MAX / 4 * 3 - 100; /* header and signature take more than these */
    char *payload = xcalloc(1, DOC_SEALED_MAX), *compact = NULL;
    randombytes_buf(payload, DOC_SEALED_MAX); /* does not deflate */
    while (seal(&s, DOC_KEYS, payload, len, true, &compact) == ERR_LIMIT)
        len--;
    assert_non_null(compact);
    assert_in_range(strlen(compact), DOC_SEALED_MAX - 2, DOC_SEALED_MAX);
    assert_int_equal(open_with(compact, s.x), REFUSAL_NONE);
    free(compact);
    compact = NULL;
    assert_int_equal(seal(&s, DOC_KEYS, payload, len + 2, false, &compact), ERR_LIMIT);
    assert_null(compact);
    char header[200];
    snprintf(header, sizeof(header), "{\"alg\":\"EdDSA\",\"kid\":\"%s\",\"typ\":\"loa-keys\"}", s.kid);
    compact = craft(&s, header, payload, len + 2);
    assert_int_equal(open_with(compact, s.x), REFUSAL_TOO_LARGE);
    free(compact);
    free(payload);
    char *large = xcalloc(1, DOC_INFLATED_MAX + 1);
    compact = NULL;
    assert_int_equal(seal(&s, DOC_KEYS, large, DOC_INFLATED_MAX + 1, true, &compact), ERR_LIMIT);
    assert_int_equal(seal(&s, DOC_KEYS, large, 0, true, &compact), ERR_FORMAT);
    assert_null(compact);
    free(large);
}

static void test_seal_doc(void **unused)
{
    (void)unused;
    struct world w;
    world_init(&w);
    char *compact = NULL;
    struct complaint why = {0};
    assert_int_equal(seal_doc(&w.registrar, DOC_KEYS, &w.keys, true, &compact, &why), 0);
    assert_int_equal(open_with(compact, w.registrar.x), REFUSAL_NONE);
    free(compact);
    compact = NULL;
    w.keys.head.exp_s = 0;
    assert_int_equal(seal_doc(&w.registrar, DOC_KEYS, &w.keys, true, &compact, &why), ERR_LIMIT);
    assert_string_equal(why.text, "loa-keys: exp: is 0, it must be 1 to 4102444800");
    assert_null(compact);
    world_done(&w);
}

/* RFC 8037 appendix A.3: the thumbprint of its key. */
static void test_thumbprint(void **unused)
{
    (void)unused;
    char kid[44];
    assert_int_equal(key_thumbprint("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", kid), 0);
    assert_string_equal(kid, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    assert_int_equal(key_thumbprint("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHUR", kid), ERR_FORMAT);
    assert_int_equal(key_thumbprint("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURp", kid), ERR_FORMAT);
    assert_int_equal(key_thumbprint("", kid), ERR_FORMAT);
    assert_int_equal(key_thumbprint(NULL, kid), ERR_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_deflate_only_when_smaller),
        cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_unused_bits),
        cmocka_unit_test(test_weak_signatures),
        cmocka_unit_test(test_inflating),
        cmocka_unit_test(test_bomb_without_signature),
        cmocka_unit_test(test_sealed_size),
        cmocka_unit_test(test_seal_doc),
        cmocka_unit_test(test_thumbprint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
