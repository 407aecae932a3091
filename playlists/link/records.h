/* records.h - what one turn of the loop writes to the broker leaves in as few TLS records as it fits in.
 *
 * libmosquitto calls SSL_write for each packet, which makes a record of each, and mosquitto takes one record of a
 * connection in each of its rounds. While thousands of devices greet, a round is long, and the hundreds of packets of a
 * controller would wait a round each. libmosquitto has no place for a buffer between itself and OpenSSL. So the program
 * has an SSL_write of its own, which the dynamic linker finds before the library's: it is the library's for every SSL
 * that was not attached here, and were it not found, each packet would go out by itself and nothing else would change.
 *
 * Loop thread. */
#ifndef LOA_LINK_RECORDS_H
#define LOA_LINK_RECORDS_H

#include "playlists/base/bytes.h"
#include "playlists/link/openssl.h"

#include <stdbool.h>

enum { RECORDS_MAX = 16 * 1024 }; /* bytes that wait; what a record holds (RFC 8446, 5.1) */

/* What one connection has written and not sent. Zero-initialise. */
struct records {
    SSL *ssl;           /* borrowed; NULL: none is attached */
    struct buf waiting; /* at most RECORDS_MAX; beyond it SSL_write says "not now", as for a full socket */
    bool blocked;       /* the socket took no more: flush when it can be written to */
};

/* From now on what is written to `ssl`, whose handshake is over, waits for records_flush(). `records` must outlive the
 * last write. What waited for another SSL is forgotten. */
void records_attach(struct records *records, SSL *ssl);
/* Send what waits, as much as the socket takes. False: the connection is broken. */
bool records_flush(struct records *records);
void records_detach(struct records *records); /* what waits is forgotten */

#endif
