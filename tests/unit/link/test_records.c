/* test_records.c - what is written at once shares a record; what a full socket does not take waits, and nothing of it
 * is lost or doubled. Two ends of TLS over a pair of memory buffers. */
#include "unit.h"

#include "playlists/link/records.h"

#include <string.h>

enum { PIPE = 20000 }; /* less than two full records */

struct ends {
    SSL_CTX *server_ctx, *client_ctx;
    SSL *server, *client;
    struct records records;
};

static X509 *self_signed(EVP_PKEY *key)
{
    X509 *cert = X509_new();
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC, (const unsigned char *)"test", -1, -1,
                               0);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    X509_set_pubkey(cert, key);
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    return cert;
}

static void shake_hands(struct ends *e)
{
    bool done = false;
    for (int i = 0; i < 20 && !done; i++) {
        int one = SSL_do_handshake(e->client), two = SSL_do_handshake(e->server);
        done = one == 1 && two == 1;
    }
    assert_true(done);
    char none;
    assert_int_equal(SSL_read(e->client, &none, 1), -1); /* takes in the session tickets */
}

static int set_up(void **state)
{
    struct ends *e = calloc(1, sizeof(*e));
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = self_signed(key);
    BIO *near, *far;
    e->server_ctx = SSL_CTX_new(TLS_server_method());
    e->client_ctx = SSL_CTX_new(TLS_client_method());
    assert_int_equal(SSL_CTX_use_certificate(e->server_ctx, cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(e->server_ctx, key), 1);
    SSL_CTX_set_mode(e->client_ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    X509_free(cert);
    EVP_PKEY_free(key);
    e->server = SSL_new(e->server_ctx);
    e->client = SSL_new(e->client_ctx);
    assert_int_equal(BIO_new_bio_pair(&near, PIPE, &far, PIPE), 1);
    SSL_set_bio(e->client, near, near);
    SSL_set_bio(e->server, far, far);
    SSL_set_connect_state(e->client);
    SSL_set_accept_state(e->server);
    shake_hands(e);
    *state = e;
    return 0;
}

static int tear_down(void **state)
{
    struct ends *e = *state;
    records_detach(&e->records);
    SSL_free(e->client);
    SSL_free(e->server);
    SSL_CTX_free(e->client_ctx);
    SSL_CTX_free(e->server_ctx);
    free(e);
    return 0;
}

static void test_one_record(void **state)
{
    struct ends *e = *state;
    char got[16];
    records_attach(&e->records, e->client);
    assert_int_equal(SSL_write(e->client, "ab", 2), 2);
    assert_int_equal(SSL_write(e->client, "c", 1), 1);
    assert_int_equal(SSL_read(e->server, got, sizeof(got)), -1); /* nothing has left */
    assert_true(records_flush(&e->records));
    assert_int_equal(e->records.waiting.len, 0);
    assert_int_equal(SSL_read(e->server, got, 1), 1);
    assert_int_equal(SSL_pending(e->server), 2); /* the rest is of the same record */
    assert_int_equal(SSL_read(e->server, got + 1, sizeof(got) - 1), 2);
    assert_memory_equal(got, "abc", 3);
}

static void test_not_attached(void **state)
{
    struct ends *e = *state;
    char got[16];
    assert_int_equal(SSL_write(e->client, "ab", 2), 2);
    assert_int_equal(SSL_read(e->server, got, sizeof(got)), 2);
    records_attach(&e->records, e->client);
    records_detach(&e->records);
    assert_int_equal(SSL_write(e->client, "cd", 2), 2);
    assert_int_equal(SSL_read(e->server, got, sizeof(got)), 2);
    assert_memory_equal(got, "cd", 2);
}

static uint8_t byte_at(size_t i)
{
    return (uint8_t)(i * 31 + i / 251);
}

/* All that has come is the sequence from `from` on; returns how far it goes. */
static size_t take(struct ends *e, size_t from)
{
    uint8_t got[4096];
    for (int n; (n = SSL_read(e->server, got, sizeof(got))) > 0;)
        for (int i = 0; i < n; i++, from++)
            assert_int_equal(got[i], byte_at(from));
    return from;
}

static void test_full_and_free_again(void **state)
{
    struct ends *e = *state;
    size_t written = 0, taken = 0;
    records_attach(&e->records, e->client);
    for (unsigned round = 0; round < 20; round++) {
        uint8_t packet[3000];
        for (int n = 1; n > 0; written += n > 0 ? (size_t)n : 0) {
            for (size_t i = 0; i < sizeof(packet); i++)
                packet[i] = byte_at(written + i);
            n = SSL_write(e->client, packet, (int)(1 + round * 149));
            if (n < 0)
                assert_int_equal(SSL_get_error(e->client, n), SSL_ERROR_WANT_WRITE);
        }
        assert_true(e->records.blocked);
        assert_int_equal(e->records.waiting.len, RECORDS_MAX);
        taken = take(e, taken);
        assert_true(records_flush(&e->records));
    }
    while (e->records.waiting.len > 0) {
        taken = take(e, taken);
        assert_true(records_flush(&e->records));
    }
    assert_false(e->records.blocked);
    assert_int_equal(take(e, taken), written);
}

static void test_broken(void **state)
{
    struct ends *e = *state;
    records_attach(&e->records, e->client);
    assert_int_equal(SSL_write(e->client, "ab", 2), 2);
    SSL_set_shutdown(e->client, SSL_SENT_SHUTDOWN); /* nothing may be sent any more */
    assert_false(records_flush(&e->records));
    assert_false(e->records.blocked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_record, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_attached, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full_and_free_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_broken, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
