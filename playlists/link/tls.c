/* tls.c - see tls.h. */
#include "playlists/link/tls.h"

#include "playlists/base/bytes.h"
#include "playlists/base/clock.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

struct tls {
    SSL_CTX *ctx;
    char *name; /* sent as server name (RFC 6066); NULL for a numeric address */
    int refusal;
};

static int context_slot(void)
{
    static int slot = -1;
    if (slot < 0)
        slot = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    return slot;
}

int64_t tls_time_ms(const struct tls_time *known)
{
    int64_t at_ms = clock_wall_ms();
    if (at_ms < known->signed_ms)
        at_ms = known->signed_ms;
    if (at_ms < clock_build_ms())
        at_ms = clock_build_ms();
    return at_ms;
}

void tls_set_time(SSL_CTX *ctx, const struct tls_time *known)
{
    X509_VERIFY_PARAM_set_time(SSL_CTX_get0_param(ctx), (time_t)(tls_time_ms(known) / 1000));
}

static int on_verify(int ok, X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls *tls = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), context_slot());
    if (!ok && tls->refusal == X509_V_OK)
        tls->refusal = X509_STORE_CTX_get_error(store);
    return ok;
}

/* libmosquitto is given a numeric address and would send that as server name; brokers behind a shared port choose their
 * certificate by the true one. This runs before the first byte of the handshake is made. */
static void on_progress(const SSL *ssl, int where, int ret)
{
    (void)ret;
    if (!(where & SSL_CB_HANDSHAKE_START))
        return;
    struct tls *tls = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), context_slot());
    SSL_set_tlsext_host_name((SSL *)(uintptr_t)ssl, tls->name);
}

static int bad_file(struct complaint *why, const char *path, const char *must_be)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    ERR_clear_error();
    return complain(why, ERR_FORMAT, "%s: must be %s: %s", path, must_be, reason ? reason : "it is not");
}

static int load_files(SSL_CTX *ctx, const struct tls_files *files, struct complaint *why)
{
    if (SSL_CTX_load_verify_locations(ctx, files->ca, NULL) != 1)
        return bad_file(why, files->ca, "PEM certificates of the authority");
    if (SSL_CTX_use_certificate_chain_file(ctx, files->cert) != 1)
        return bad_file(why, files->cert, "a PEM certificate");
    if (SSL_CTX_use_PrivateKey_file(ctx, files->key, SSL_FILETYPE_PEM) != 1)
        return bad_file(why, files->key, "a PEM private key that fits the certificate");
    if (SSL_CTX_check_private_key(ctx) != 1)
        return bad_file(why, files->key, "the private key of the certificate");
    return 0;
}

static bool is_numeric(const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

/* Nobody is there to type a pass phrase: without this OpenSSL would ask on the terminal and hang. */
static int no_pass_phrase(char *text, int size, int writing, void *arg)
{
    (void)text, (void)size, (void)writing, (void)arg;
    return -1;
}

int tls_new(const char *host, const struct tls_files *files, struct tls **ret_tls, struct complaint *why)
{
    struct tls *tls = xcalloc(1, sizeof(*tls));
    tls->ctx = SSL_CTX_new(TLS_client_method());
    if (!tls->ctx)
        abort();
    SSL_CTX_set_default_passwd_cb(tls->ctx, no_pass_phrase);
    int r = load_files(tls->ctx, files, why);
    if (r < 0) {
        tls_free(tls);
        return r;
    }
    SSL_CTX_set_ex_data(tls->ctx, context_slot(), tls);
    SSL_CTX_set_min_proto_version(tls->ctx, TLS1_2_VERSION);
    SSL_CTX_set_verify(tls->ctx, SSL_VERIFY_PEER, on_verify);
    SSL_CTX_set_info_callback(tls->ctx, on_progress);
    /* libmosquitto hands over its whole packet again after a short write, from another place in memory. */
    SSL_CTX_set_mode(tls->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(tls->ctx);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    bool numeric = is_numeric(host);
    if ((numeric ? X509_VERIFY_PARAM_set1_ip_asc(param, host) : X509_VERIFY_PARAM_set1_host(param, host, 0)) != 1)
        abort();
    tls->name = numeric ? NULL : xstrdup(host);
    *ret_tls = tls;
    return 0;
}

void tls_free(struct tls *tls)
{
    if (!tls)
        return;
    SSL_CTX_free(tls->ctx);
    free(tls->name);
    free(tls);
}

SSL_CTX *tls_context(struct tls *tls)
{
    return tls->ctx;
}

void tls_begin(struct tls *tls, const struct tls_time *known)
{
    tls->refusal = X509_V_OK;
    tls_set_time(tls->ctx, known);
}

int tls_refusal(const struct tls *tls)
{
    return tls->refusal;
}

bool tls_refusal_is_time(int refusal)
{
    return refusal == X509_V_ERR_CERT_NOT_YET_VALID || refusal == X509_V_ERR_CERT_HAS_EXPIRED;
}
