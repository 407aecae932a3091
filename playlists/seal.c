/* seal.c - see seal.h. */
#include "playlists/seal.h"

#include "playlists/base/file.h"
#include "playlists/codec.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <libgen.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

const char *const refusal_names[] = {
    "none",      "format",   "alg", "type",  "unknown_key", "compromised_key", "retired_key", "signature",
    "too_large", "audience", "era", "older", "expired",     "nonce",           NULL};

enum {
    HEADER_MAX = 1024,   /* bytes of a decoded JOSE header */
    SIGNATURE_TEXT = 86, /* 64 bytes in base64url */
    KEY_TEXT = 43,       /* 32 bytes in base64url */
    KEY_FILE_MAX = 4096,
    INFLATE_RATIO = 8, /* what a playlist grows to, so that room is seldom made twice */
    RAW_WINDOW = -15,  /* raw DEFLATE, 32 KiB window (RFC 1951) */
    DEFLATE_BITS_MIN = 10,
    DEFLATE_LEVEL_MAX = 9,
    DEFLATE_AHEAD = 262, /* bytes of its window that zlib does not look back at */
};

/* The three parts of a compact JWS; borrowed. */
struct parts {
    const char *header, *payload, *signature;
    size_t header_len, payload_len, signature_len;
};

static enum refusal split(const char *compact, size_t len, struct parts *ret)
{
    if (len > DOC_SEALED_MAX)
        return REFUSAL_TOO_LARGE;
    const char *end = compact + len;
    const char *dot1 = memchr(compact, '.', len);
    const char *dot2 = dot1 ? memchr(dot1 + 1, '.', (size_t)(end - dot1 - 1)) : NULL;
    if (!dot2 || memchr(dot2 + 1, '.', (size_t)(end - dot2 - 1)))
        return REFUSAL_FORMAT;
    *ret = (struct parts){
        compact, dot1 + 1, dot2 + 1, (size_t)(dot1 - compact), (size_t)(dot2 - dot1 - 1), (size_t)(end - dot2 - 1)};
    return ret->header_len == 0 || ret->payload_len == 0 ? REFUSAL_FORMAT : REFUSAL_NONE;
}

/* Members that change how the rest is to be read. Others that we do not know are ignored (RFC 7515 section 4). */
static enum refusal read_header(const json_t *header, struct seal_header *ret)
{
    const char *alg = json_string_value(json_object_get(header, "alg"));
    const char *typ = json_string_value(json_object_get(header, "typ"));
    const char *kid = json_string_value(json_object_get(header, "kid"));
    const json_t *zip = json_object_get(header, "zip");
    if (!alg || strcmp(alg, "EdDSA") != 0)
        return REFUSAL_ALG;
    if (json_object_get(header, "crit") || json_object_get(header, "b64"))
        return REFUSAL_FORMAT;
    int type = typ ? doc_type_of(typ) : -1;
    if (type < 0)
        return REFUSAL_TYPE;
    unsigned char thumbprint[32];
    if (!kid || strlen(kid) != KEY_TEXT || b64url_decode(kid, KEY_TEXT, thumbprint, sizeof(thumbprint)) != 32)
        return REFUSAL_FORMAT;
    if (zip && (!json_is_string(zip) || strcmp(json_string_value(zip), "DEF") != 0))
        return REFUSAL_FORMAT;
    *ret = (struct seal_header){.type = (enum doc_type)type, .deflated = zip != NULL};
    memcpy(ret->kid, kid, KEY_TEXT + 1);
    return REFUSAL_NONE;
}

static enum refusal parse_header(const struct parts *parts, struct seal_header *ret)
{
    char text[HEADER_MAX];
    if (parts->header_len > HEADER_MAX)
        return REFUSAL_FORMAT;
    int len = b64url_decode(parts->header, parts->header_len, text, sizeof(text));
    if (len <= 0 || !codec_depth_ok(text, (size_t)len, CODEC_DEPTH_MAX))
        return REFUSAL_FORMAT;
    json_error_t error;
    json_t *header = json_loadb(text, (size_t)len, JSON_REJECT_DUPLICATES, &error);
    enum refusal refusal = json_is_object(header) ? read_header(header, ret) : REFUSAL_FORMAT;
    json_decref(header);
    return refusal;
}

/* The header speaks first: another algorithm's signature has another length, and is to be told as what it is. */
static enum refusal parse(const char *compact, size_t len, struct parts *ret_parts, struct seal_header *ret_header)
{
    enum refusal refusal = split(compact, len, ret_parts);
    if (refusal == REFUSAL_NONE)
        refusal = parse_header(ret_parts, ret_header);
    if (refusal == REFUSAL_NONE && ret_parts->signature_len != SIGNATURE_TEXT)
        refusal = REFUSAL_FORMAT;
    return refusal;
}

enum refusal seal_peek(const char *compact, size_t len, struct seal_header *ret)
{
    struct parts parts;
    struct seal_header header;
    enum refusal refusal = parse(compact, len, &parts, &header);
    if (refusal == REFUSAL_NONE)
        *ret = header;
    return refusal;
}

/* What is inflated is bounded as it comes, so that a bomb costs no more than an honest document. */
static enum refusal inflate_into(const unsigned char *data, size_t len, struct buf *ret)
{
    z_stream z = {.next_in = (unsigned char *)(uintptr_t)data, .avail_in = (unsigned)len};
    if (inflateInit2(&z, RAW_WINDOW) != Z_OK)
        abort();
    const size_t step = len * INFLATE_RATIO + 1;
    size_t before = ret->len;
    int status;
    enum refusal refusal = REFUSAL_NONE;
    do {
        z.next_out = buf_room(ret, step);
        z.avail_out = (unsigned)step;
        status = inflate(&z, Z_NO_FLUSH);
        ret->len += step - z.avail_out;
        if (status != Z_OK && status != Z_STREAM_END)
            refusal = REFUSAL_FORMAT;
        else if (ret->len - before > DOC_INFLATED_MAX)
            refusal = REFUSAL_TOO_LARGE;
    } while (refusal == REFUSAL_NONE && status != Z_STREAM_END);
    if (refusal == REFUSAL_NONE && z.avail_in > 0)
        refusal = REFUSAL_FORMAT;
    inflateEnd(&z);
    return refusal;
}

static bool signature_holds(const struct parts *parts, const char *x)
{
    unsigned char key[32], signature[64];
    if (strlen(x) != KEY_TEXT || b64url_decode(x, KEY_TEXT, key, sizeof(key)) != 32)
        return false;
    if (b64url_decode(parts->signature, parts->signature_len, signature, sizeof(signature)) != 64)
        return false;
    size_t signed_len = parts->header_len + 1 + parts->payload_len;
    return crypto_sign_verify_detached(signature, (const unsigned char *)parts->header, signed_len, key) == 0;
}

static enum refusal read_payload(const struct parts *parts, bool deflated, struct buf *ret)
{
    size_t cap = parts->payload_len / 4 * 3 + 3;
    unsigned char *bytes = xcalloc(1, cap);
    int len = b64url_decode(parts->payload, parts->payload_len, bytes, cap);
    enum refusal refusal = REFUSAL_NONE;
    size_t before = ret->len;
    if (len < 0)
        refusal = REFUSAL_FORMAT;
    else if (deflated)
        refusal = inflate_into(bytes, (size_t)len, ret);
    else
        buf_put(ret, bytes, (size_t)len);
    free(bytes);
    if (refusal)
        ret->len = before;
    buf_put(ret, "", 0); /* terminated either way */
    return refusal;
}

enum refusal seal_open(const char *compact, size_t len, const char *x, struct buf *ret_payload)
{
    struct parts parts;
    struct seal_header header;
    enum refusal refusal = parse(compact, len, &parts, &header);
    if (refusal)
        return refusal;
    if (!signature_holds(&parts, x))
        return REFUSAL_SIGNATURE;
    return read_payload(&parts, header.deflated, ret_payload);
}

/* Raw DEFLATE of the payload when that is smaller; true then. */
static bool deflate_into(const void *payload, size_t len, struct buf *ret)
{
    z_stream z = {.next_in = (unsigned char *)(uintptr_t)payload, .avail_in = (unsigned)len};
    int bits = DEFLATE_BITS_MIN; /* a window as large as the payload: a larger one only costs memory that is cleared */
    while (bits < -RAW_WINDOW && len + DEFLATE_AHEAD > (size_t)1 << bits)
        bits++;
    int level = bits < DEFLATE_LEVEL_MAX + 6 ? bits - 6 : DEFLATE_LEVEL_MAX;
    if (deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, -bits, level, Z_DEFAULT_STRATEGY) != Z_OK)
        abort();
    size_t cap = deflateBound(&z, len);
    unsigned char *out = xcalloc(1, cap);
    z.next_out = out;
    z.avail_out = (unsigned)cap;
    int status = deflate(&z, Z_FINISH);
    size_t size = cap - z.avail_out;
    deflateEnd(&z);
    bool smaller = status == Z_STREAM_END && size < len;
    if (smaller)
        buf_put(ret, out, size);
    free(out);
    return smaller;
}

static void put_part(struct buf *ret, const void *data, size_t len, const char *after)
{
    char *text = b64url_encode(data, len);
    buf_putf(ret, "%s%s", text, after);
    free(text);
}

int seal(const struct signer *signer, enum doc_type type, const void *payload, size_t len, bool deflate, char **ret)
{
    if (len == 0)
        return ERR_FORMAT;
    if (len > DOC_INFLATED_MAX)
        return ERR_LIMIT;
    struct buf small = {0}, header = {0}, compact = {0};
    bool deflated = deflate && deflate_into(payload, len, &small);
    buf_putf(&header, "{\"alg\":\"EdDSA\",\"kid\":\"%s\",\"typ\":\"%s\"%s}", signer->kid, doc_typ(type),
             deflated ? ",\"zip\":\"DEF\"" : "");
    put_part(&compact, header.data, header.len, ".");
    put_part(&compact, deflated ? small.data : payload, deflated ? small.len : len, "");
    unsigned char signature[crypto_sign_BYTES];
    crypto_sign_detached(signature, NULL, compact.data, compact.len, signer->secret);
    buf_put(&compact, ".", 1);
    put_part(&compact, signature, sizeof(signature), "");
    int err = compact.len > DOC_SEALED_MAX ? ERR_LIMIT : 0;
    if (err == 0)
        *ret = xstrdup(buf_text(&compact));
    buf_done(&small);
    buf_done(&header);
    buf_done(&compact);
    return err;
}

int seal_doc(const struct signer *signer, enum doc_type type, const void *doc, bool deflate, char **ret,
             struct complaint *why)
{
    struct buf payload = {0};
    int err = doc_encode(type, doc, &payload, why);
    if (err == 0) {
        err = seal(signer, type, payload.data, payload.len, deflate, ret);
        if (err)
            complain(why, err, "is too large: sealed it must have at most %d bytes", DOC_SEALED_MAX);
    }
    if (err)
        complain_prefix(why, "%s", doc_typ(type));
    buf_done(&payload);
    return err;
}

/* --- keys --- */

int key_thumbprint(const char *x, char ret_kid[44])
{
    unsigned char key[32];
    if (!x || strlen(x) != KEY_TEXT || b64url_decode(x, KEY_TEXT, key, sizeof(key)) != 32 ||
        !crypto_core_ed25519_is_valid_point(key))
        return ERR_FORMAT;
    return key_name(x, ret_kid);
}

int key_name(const char *x, char ret_kid[44])
{
    if (strlen(x) != KEY_TEXT)
        return ERR_FORMAT;
    struct buf jwk = {0};
    buf_putf(&jwk, "{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"%s\"}", x);
    unsigned char digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(digest, jwk.data, jwk.len);
    buf_done(&jwk);
    sodium_bin2base64(ret_kid, KEY_TEXT + 1, digest, sizeof(digest), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    return 0;
}

static int from_seed(const unsigned char seed[32], struct signer *ret)
{
    unsigned char public[32];
    crypto_sign_seed_keypair(public, ret->secret, seed);
    sodium_bin2base64(ret->x, sizeof(ret->x), public, sizeof(public), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    return key_thumbprint(ret->x, ret->kid);
}

void signer_generate(struct signer *ret)
{
    unsigned char seed[32];
    if (sodium_init() < 0)
        abort();
    random_bytes(seed, sizeof(seed));
    if (from_seed(seed, ret))
        abort();
    sodium_memzero(seed, sizeof(seed));
}

void signer_wipe(struct signer *signer)
{
    sodium_memzero(signer, sizeof(*signer));
}

static int check_key_file(int fd, struct complaint *why)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return complain(why, -errno, "cannot be read: %s", strerror(errno));
    if (!S_ISREG(st.st_mode))
        return complain(why, -EINVAL, "is no plain file");
    if (st.st_mode & 077)
        return complain(why, -EPERM, "is open to others (mode %03o), its mode must be 600",
                        (unsigned)st.st_mode & 0777);
    if (st.st_uid != geteuid() && st.st_uid != 0)
        return complain(why, -EPERM, "belongs to user %u, it must belong to the user who runs this", st.st_uid);
    return 0;
}

/* At most `cap` bytes; -EFBIG beyond. */
static int read_key_file(const char *path, char *ret, size_t cap, struct complaint *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return complain(why, -errno, "cannot be opened: %s", strerror(errno));
    int err = check_key_file(fd, why);
    size_t len = 0;
    while (err == 0 && len < cap) {
        ssize_t n = read(fd, ret + len, cap - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            err = complain(why, -errno, "cannot be read: %s", strerror(errno));
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    close(fd);
    if (err == 0 && len == cap)
        err = complain(why, -EFBIG, "is larger than a key, it must have at most %zu bytes", cap - 1);
    return err ? err : (int)len;
}

static const char *jwk_text(const json_t *jwk, const char *name)
{
    const char *text = json_string_value(json_object_get(jwk, name));
    return text ? text : "";
}

static int signer_of_jwk(const json_t *jwk, struct signer *ret, struct complaint *why)
{
    if (strcmp(jwk_text(jwk, "kty"), "OKP") != 0 || strcmp(jwk_text(jwk, "crv"), "Ed25519") != 0)
        return complain(why, ERR_FORMAT, "is no Ed25519 key, kty must be \"OKP\" and crv \"Ed25519\"");
    const char *d = jwk_text(jwk, "d");
    unsigned char seed[32];
    int err = b64url_decode(d, strlen(d), seed, sizeof(seed)) == 32 ? from_seed(seed, ret) : ERR_FORMAT;
    sodium_memzero(seed, sizeof(seed));
    if (err)
        return complain(why, ERR_FORMAT, "has no private key, d must be 32 bytes in base64url");
    if (strcmp(jwk_text(jwk, "x"), ret->x) != 0)
        return complain(why, ERR_KEY, "does not fit together: x is not the public key of d");
    if (json_object_get(jwk, "kid") && strcmp(jwk_text(jwk, "kid"), ret->kid) != 0)
        return complain(why, ERR_KEY, "does not fit together: kid is not the thumbprint of x, which is %s", ret->kid);
    return 0;
}

int signer_load(const char *path, struct signer *ret, struct complaint *why)
{
    char text[KEY_FILE_MAX + 1];
    struct signer signer = {0};
    int len = read_key_file(path, text, sizeof(text), why);
    int err = len < 0 ? len : 0;
    json_t *jwk = NULL;
    if (err == 0 && codec_depth_ok(text, (size_t)len, CODEC_DEPTH_MAX)) {
        json_error_t error;
        jwk = json_loadb(text, (size_t)len, JSON_REJECT_DUPLICATES, &error);
    }
    if (err == 0)
        err = json_is_object(jwk) ? signer_of_jwk(jwk, &signer, why)
                                  : complain(why, ERR_FORMAT, "is no key: it must be a JWK (JSON, RFC 8037)");
    json_decref(jwk);
    sodium_memzero(text, sizeof(text));
    if (err == 0)
        *ret = signer;
    else
        complain_prefix(why, "key file %s", path);
    signer_wipe(&signer);
    return err;
}

static int write_key(int fd, const char *text, size_t len)
{
    if (fchmod(fd, 0600) < 0)
        return -errno;
    while (len > 0) {
        ssize_t n = write(fd, text, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        text += n;
        len -= (size_t)n;
    }
    return fsync(fd) < 0 ? -errno : 0;
}

static int sync_folder_of(const char *path)
{
    char *copy = xstrdup(path);
    int err = file_sync_dir(dirname(copy));
    free(copy);
    return err;
}

int signer_save(const char *path, const struct signer *signer, struct complaint *why)
{
    char d[KEY_TEXT + 1], text[512];
    sodium_bin2base64(d, sizeof(d), signer->secret, 32, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    int len =
        snprintf(text, sizeof(text), "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\",\"d\":\"%s\",\"kid\":\"%s\"}\n",
                 signer->x, d, signer->kid);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    int err = fd < 0 ? -errno : write_key(fd, text, (size_t)len);
    sodium_memzero(d, sizeof(d));
    sodium_memzero(text, sizeof(text));
    if (fd >= 0) {
        close(fd);
        if (err)
            unlink(path);
    }
    if (err == 0)
        err = sync_folder_of(path);
    if (err == -EEXIST)
        return complain(why, err, "key file %s: is there already, and a key is never overwritten", path);
    return err ? complain(why, err, "key file %s: cannot be written: %s", path, strerror(-err)) : 0;
}
