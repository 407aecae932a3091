/* records.c - see records.h. */
#include "playlists/link/records.h"

static int slot = -1;

static int write_now(SSL *ssl, const void *data, size_t len)
{
    size_t n;
    return SSL_write_ex(ssl, data, len, &n) ? (int)n : -1;
}

void records_attach(struct records *r, SSL *ssl)
{
    if (slot < 0)
        slot = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    records_detach(r);
    r->ssl = ssl;
    SSL_set_ex_data(ssl, slot, r);
}

void records_detach(struct records *r)
{
    buf_done(&r->waiting);
    *r = (struct records){0};
}

bool records_flush(struct records *r)
{
    r->blocked = false;
    while (r->waiting.len > 0) {
        ERR_clear_error();
        int n = write_now(r->ssl, r->waiting.data, r->waiting.len);
        if (n < 0) {
            int error = SSL_get_error(r->ssl, n);
            r->blocked = error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ;
            return r->blocked;
        }
        buf_drop(&r->waiting, (size_t)n);
    }
    buf_done(&r->waiting); /* thousands of connections may share a process */
    return true;
}

/* Stands before libssl's; who asks SSL_get_error() after -1 gets the true answer, since the flush that failed was the
 * last thing done with this SSL. */
int SSL_write(SSL *ssl, const void *data, int len)
{
    struct records *r = slot < 0 ? NULL : SSL_get_ex_data(ssl, slot);
    if (!r || r->ssl != ssl || len <= 0)
        return write_now(ssl, data, len > 0 ? (size_t)len : 0);
    if (r->waiting.len == RECORDS_MAX && (!records_flush(r) || r->waiting.len == RECORDS_MAX))
        return -1;
    size_t room = RECORDS_MAX - r->waiting.len, n = (size_t)len < room ? (size_t)len : room;
    buf_put(&r->waiting, data, n);
    return (int)n;
}
