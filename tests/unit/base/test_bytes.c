/* bytes.h: hashes, base64url, UTF-8, ids, buffers, arenas; sentences of errors.h. */
#include "unit.h"

#include "playlists/base/bytes.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static void hashes_are_sha256(void **state)
{
    (void)state;
    struct hash h = hash_of("abc", 3); /* FIPS 180-4, appendix of examples */
    assert_string_equal(h.hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_true(hash_valid(h.hex));
    assert_false(hash_valid("BA7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    assert_false(hash_valid("ba78"));
    assert_false(hash_valid(NULL));
}

static void base64url_is_strict(void **state)
{
    (void)state;
    char *text = b64url_encode("\xfb\xff", 2);
    assert_string_equal(text, "-_8");
    free(text);
    char out[8];
    assert_int_equal(b64url_decode("-_8", 3, out, sizeof(out)), 2);
    assert_memory_equal(out, "\xfb\xff", 2);
    const char *bad[] = {"-_8=", "-_9", "+/8", "-_ 8", "A", "-_8\n"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_true(b64url_decode(bad[i], strlen(bad[i]), out, sizeof(out)) < 0);
    for (int c = 0; c <= 0xFF; c++) /* libsodium alone takes some above 0x7F for digits */
        for (size_t at = 0; at < 12; at++) {
            char any[] = "AAAAAAAAAAAA";
            any[at] = (char)c;
            bool digit = c != 0 && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", c);
            char nine[9];
            assert_int_equal(b64url_decode(any, 12, nine, sizeof(nine)), digit ? 9 : ERR_FORMAT);
        }
    assert_true(b64url_decode("AAAAAAAAAAAAAAAA", 16, out, sizeof(out)) < 0);
    char exact[12];
    assert_int_equal(b64url_decode("AAAAAAAAAAAAAAAA", 16, exact, sizeof(exact)), 12);
}

static void base64url_agrees_with_libsodium(void **state)
{
    (void)state;
    static const char some[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_AAAAAAAAAAAA";
    srand(1);
    for (int round = 0; round < 200000; round++) {
        char text[24];
        size_t len = (size_t)rand() % sizeof(text), theirs_len = 0;
        unsigned char ours[16] = {0}, theirs[16] = {0};
        for (size_t i = 0; i < len; i++)
            text[i] = rand() % 200 ? some[(size_t)rand() % (sizeof(some) - 1)] : (char)(rand() & 0x7F);
        const char *end = NULL;
        int r = sodium_base642bin(theirs, sizeof(theirs), text, len, NULL, &theirs_len, &end,
                                  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
        bool right = r == 0 && end == text + len;
        int mine = b64url_decode(text, len, ours, sizeof(ours));
        assert_int_equal(mine >= 0, right);
        if (right) {
            assert_int_equal(mine, theirs_len);
            assert_memory_equal(ours, theirs, sizeof(ours));
        }
    }
}

static void utf8_follows_rfc3629(void **state)
{
    (void)state;
    const char *good[] = {"", "Thông báo: đường lên Hữu Nghị", "友谊关", "\xF0\x9F\x93\xA2", "a\tb"};
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        assert_true(utf8_valid(good[i], strlen(good[i])));
    const char *bad[] = {"\xC0\x80", "\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE1\xBB", "\xFF", "\xE0\x80\x80"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(utf8_valid(bad[i], strlen(bad[i])));
    assert_false(utf8_valid("a\0b", 3));
}

static void ids_are_plain(void **state)
{
    (void)state;
    assert_true(id_valid("ls-loa-01"));
    const char *bad[] = {"",    "-a", "a-", "A", "a.b",
                         "a/b", "đ",  "a+", "#", "12345678901234567890123456789012345678901"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(id_valid(bad[i]));
    assert_false(id_valid(NULL));
}

static void buffers_grow_and_drop(void **state)
{
    (void)state;
    struct buf b = {0};
    for (int i = 0; i < 1000; i++)
        buf_putf(&b, "%d,", i);
    assert_memory_equal(b.data, "0,1,2,", 6);
    size_t len = b.len;
    buf_drop(&b, 2);
    assert_int_equal(b.len, len - 2);
    assert_memory_equal(buf_text(&b), "1,2,", 4);
    buf_drop(&b, 1u << 20);
    assert_int_equal(b.len, 0);
    buf_done(&b);
}

static void arenas_give_zeroed_aligned_memory(void **state)
{
    (void)state;
    struct arena *a = arena_new();
    for (size_t size = 1; size < 10000; size = size * 3 + 1) {
        unsigned char *p = arena_alloc(a, size);
        assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xAA, size);
    }
    arena_free(a);
    arena_free(NULL);
}

static void sentences_are_cut_between_characters(void **state)
{
    (void)state;
    char text[1001];
    for (size_t i = 0; i < 1000; i += 2)
        memcpy(text + i, "đ", 2);
    text[1000] = '\0';
    struct complaint why;
    assert_int_equal(complain(&why, ERR_LIMIT, "x%s", text), ERR_LIMIT);
    assert_true(utf8_valid(why.text, strlen(why.text)));
    complain_prefix(&why, "site.cfg:%d", 3);
    assert_memory_equal(why.text, "site.cfg:3: x", 13);
    assert_true(utf8_valid(why.text, strlen(why.text)));
    assert_string_equal(err_name(ERR_HASH), "hash");
    assert_string_equal(err_name(-ENOENT), strerror(ENOENT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_are_sha256),
        cmocka_unit_test(base64url_is_strict),
        cmocka_unit_test(base64url_agrees_with_libsodium),
        cmocka_unit_test(utf8_follows_rfc3629),
        cmocka_unit_test(ids_are_plain),
        cmocka_unit_test(buffers_grow_and_drop),
        cmocka_unit_test(arenas_give_zeroed_aligned_memory),
        cmocka_unit_test(sentences_are_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
