/* tls.h - how the link checks whom it talks to, the same for MQTT and HTTPS.
 *
 * Certificates are checked at the latest of: the clock, the newest signed time, the moment of this build. A box that
 * boots in 1970 can then reach its broker, and the signed time that comes from there only ever narrows what is
 * accepted. Loop thread. */
#ifndef LOA_LINK_TLS_H
#define LOA_LINK_TLS_H

#include "playlists/link/openssl.h"
#include "playlists/link/settings.h"

#include <stdbool.h>

/* What is known of time; one for the process. */
struct tls_time {
    int64_t signed_ms; /* newest signed time the client told; 0: none */
};
int64_t tls_time_ms(const struct tls_time *known); /* moment to check certificates at, Unix ms */

/* Set the moment at which this context checks certificates to now. */
void tls_set_time(SSL_CTX *ctx, const struct tls_time *known);

struct tls; /* context and the reason of the last refusal */

/* A client context for `host` (name or numeric address): CA, own certificate and key from `files`, TLS 1.2 at least.
 * A file that does not fit is named in the sentence. Files are read once. */
MUST_USE int tls_new(const char *host, const struct tls_files *files, struct tls **ret_tls, struct complaint *why);
void tls_free(struct tls *tls);
SSL_CTX *tls_context(struct tls *tls); /* borrowed */

/* Begin a new attempt: set the time, forget the last refusal. */
void tls_begin(struct tls *tls, const struct tls_time *known);
/* X509_V_ERR_... for which the peer was refused in this attempt; X509_V_OK: it was not. */
int tls_refusal(const struct tls *tls);
/* True for the reasons that another time could mend: not yet valid, expired. */
bool tls_refusal_is_time(int refusal);

#endif
