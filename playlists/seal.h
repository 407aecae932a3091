/* seal.h - signing and opening: JWS compact form (RFC 7515) with EdDSA over Ed25519 (RFC 8037), nothing else.
 *
 * Header, all of it: {"alg":"EdDSA","kid":...,"typ":...} and, when the payload is raw DEFLATE (RFC 1951), "zip":"DEF".
 * Verify first, then parse those very bytes: the signature is checked before anything of the payload is inflated or
 * read. Any thread. */
#ifndef LOA_SEAL_H
#define LOA_SEAL_H

#include "playlists/documents.h"

struct signer {
    char kid[44];
    unsigned char secret[64]; /* libsodium's Ed25519 secret key */
    char x[44];
};

/* Make a new key pair. */
void signer_generate(struct signer *ret);
/* Private keys are files in JWK form ({"kty":"OKP","crv":"Ed25519","x","d","kid"}), mode 0600; others' access is
 * refused. */
MUST_USE int signer_load(const char *path, struct signer *ret, struct complaint *why);
MUST_USE int signer_save(const char *path, const struct signer *signer, struct complaint *why); /* never overwrites */
void signer_wipe(struct signer *signer);

/* Thumbprint (RFC 7638) of a public key given as base64url `x`; ERR_FORMAT when x is no Ed25519 key. */
MUST_USE int key_thumbprint(const char *x, char ret_kid[44]);
/* The same without the costly look at the key itself: enough where a signature is checked against it next. */
MUST_USE int key_name(const char *x, char ret_kid[44]);

/* Seal `payload`. `typ` is doc_typ(). deflate: use DEF when it makes it smaller. ERR_LIMIT beyond DOC_SEALED_MAX
 * (nothing returned). On 0 the caller owns *ret (compact form, terminated). */
MUST_USE int seal(const struct signer *signer, enum doc_type type, const void *payload, size_t len, bool deflate,
                  char **ret);
/* doc_encode and seal in one. */
MUST_USE int seal_doc(const struct signer *signer, enum doc_type type, const void *doc, bool deflate, char **ret,
                      struct complaint *why);

/* Why a document is not acted upon. Wire (events): lower case of the name. */
enum refusal {
    REFUSAL_NONE,
    REFUSAL_FORMAT,      /* not a JWS of ours, or members missing or out of bounds */
    REFUSAL_ALG,         /* alg other than EdDSA */
    REFUSAL_TYPE,        /* unknown or unexpected typ */
    REFUSAL_UNKNOWN_KEY, /* nobody who may seal this vouches for the key: kept, judged again when trust or keys change
                          */
    REFUSAL_COMPROMISED_KEY,
    REFUSAL_RETIRED_KEY, /* signed after its end */
    REFUSAL_SIGNATURE,
    REFUSAL_TOO_LARGE, /* sealed or inflated */
    REFUSAL_AUDIENCE,
    REFUSAL_ERA,   /* beyond the era of the trust in force */
    REFUSAL_OLDER, /* not above what is held, or below the floor */
    REFUSAL_EXPIRED,
    REFUSAL_NONCE, /* quotes another session */
    REFUSALS,
};
extern const char *const refusal_names[];

/* The header of a compact JWS, read without believing it. */
struct seal_header {
    enum doc_type type;
    char kid[44];
    bool deflated;
};
enum refusal seal_peek(const char *compact, size_t len, struct seal_header *ret);

/* Check the signature by public key `x` and hand out the payload, inflated when it was deflated (appended to ret). */
enum refusal seal_open(const char *compact, size_t len, const char *x, struct buf *ret_payload);

#endif
