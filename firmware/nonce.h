/* nonce.h - the name of a session, which welcomes and commands must quote. Pure.
 *
 * Nobody knows it before the session begins, so what quotes it was sealed since then. That bounds the time from above,
 * whatever a clock says that was led astray: a welcome which sets it right is not refused as expired by it. */
#ifndef LOA_NONCE_H
#define LOA_NONCE_H

#include "playlists/documents.h"

struct nonce {
    char text[64]; /* "": there is no session */
    int64_t began_elapsed_ms;
    int64_t sealed_s; /* lowest iat that quoted it; INT64_MAX: none yet */
    int64_t era, ver; /* of its last welcome: an earlier one is not to undo what it said; 0: none came yet */
};

/* `text` is "" when a session has ended. */
void nonce_begin(struct nonce *nonce, const char *text, int64_t elapsed_ms);
/* The document quotes this session; false of those that quote none. */
bool nonce_quoted(const struct nonce *nonce, enum doc_type type, const void *doc);
/* The moment by which a document's expiry is judged, when the clock says `now_ms`. Its seal was found to hold. */
int64_t nonce_moment_ms(struct nonce *nonce, enum doc_type type, const void *doc, int64_t now_ms, int64_t elapsed_ms);
/* A welcome that quotes the session was taken. */
void nonce_welcomed(struct nonce *nonce, const struct welcome *welcome);

#endif
