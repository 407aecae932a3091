/* sealing.c - see sealing.h. */
#include "tools/loa/sealing.h"
#include "tools/loa/sentences.h"

#include "playlists/base/clock.h"
#include "playlists/base/file.h"
#include "tools/loa/answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEY_FILE_MAX = 4096, DAY_S = 86400 };

int head_new(const struct call *call, int64_t era, int64_t days, struct doc_head *ret)
{
    int64_t now_ms = clock_wall_ms();
    int64_t ver = now_ms;
    int r = call_number(call, "ver", 1, INT64_C(1) << 52, &ver);
    if (r == EXIT_OK)
        r = call_number(call, "days", 1, 36500, &days);
    if (r != EXIT_OK)
        return r;
    *ret = (struct doc_head){"all", era, ver, now_ms / 1000, now_ms / 1000 + days * DAY_S};
    return EXIT_OK;
}

static int key_from_file(const struct call *call, const char *file, struct arena *arena, const char **ret_x)
{
    struct buf data = {0};
    int r = file_read_whole(file, KEY_FILE_MAX, &data);
    if (r < 0) {
        buf_done(&data);
        return refuse(call, "'%s' is neither a public key (43 characters of base64url) nor a file that can be read: %s",
                      file, error_in(call->lang, r));
    }
    json_t *jwk = json_loadb((const char *)data.data, data.len, JSON_REJECT_DUPLICATES, NULL);
    const char *x = answer_text(jwk, "x", NULL);
    if (strcmp(answer_text(jwk, "kty", ""), "OKP") != 0 || strcmp(answer_text(jwk, "crv", ""), "Ed25519") != 0 || !x)
        r = refuse(call, "%s: is not an Ed25519 key in JWK form (kty OKP, crv Ed25519, x)", file);
    else
        *ret_x = arena_strndup(arena, x, strlen(x));
    json_decref(jwk);
    buf_done(&data);
    return r;
}

int key_read(const struct call *call, const char *text, struct arena *arena, const char **ret_x, const char **ret_kid)
{
    char kid[44];
    const char *x = text;
    if (key_thumbprint(x, kid) < 0) {
        int r = key_from_file(call, text, arena, &x);
        if (r != EXIT_OK)
            return r;
        if (key_thumbprint(x, kid) < 0)
            return refuse(call, "%s: its x is not an Ed25519 public key", text);
    }
    *ret_x = arena_strndup(arena, x, strlen(x));
    *ret_kid = arena_strndup(arena, kid, strlen(kid));
    return EXIT_OK;
}

struct texts texts_split(const char *text, const char *separators, struct arena *arena)
{
    size_t n = 1;
    for (const char *p = text; *p; p++)
        n += strchr(separators, *p) != NULL;
    struct texts list = {arena_alloc(arena, n * sizeof(char *)), 0};
    while (*text) {
        size_t len = strcspn(text, separators);
        if (len > 0)
            list.at[list.n++] = arena_strndup(arena, text, len);
        text += len + (text[len] != '\0');
    }
    return list;
}

static int write_sealed(const struct call *call, const char *sealed, const char *out)
{
    if (strcmp(out, "-") == 0) {
        puts(sealed);
        return EXIT_OK;
    }
    char *line = xasprintf("%s\n", sealed);
    int r = file_write_whole(out, line, strlen(line), 0644);
    free(line);
    if (r < 0)
        return refuse(call, "%s: cannot be written: %s", out, error_in(call->lang, r));
    return EXIT_OK;
}

int seal_to_file(const struct call *call, const char *key_file, enum doc_type type, const void *doc, const char *out)
{
    const struct doc_head *head = doc; /* every sealed document begins with its head */
    struct complaint why = {0};
    struct signer signer;
    if (signer_load(key_file, &signer, &why) < 0)
        return refuse(call, "%s", why.text);
    char *sealed = NULL;
    int r = seal_doc(&signer, type, doc, true, &sealed, &why);
    if (r < 0) {
        r = refuse(call, "%s: %s", doc_typ(type), *why.text ? why.text : error_in(call->lang, r));
    } else {
        r = write_sealed(call, sealed, out);
        json_t *about =
            json_pack("{s:s,s:s,s:s,s:I,s:I,s:I}", "file", out, "typ", doc_typ(type), "kid", signer.kid, "era",
                      (json_int_t)head->era, "ver", (json_int_t)head->ver, "size", (json_int_t)strlen(sealed));
        if (r == EXIT_OK && strcmp(out, "-") != 0)
            print_value(call, about);
        json_decref(about);
    }
    free(sealed);
    signer_wipe(&signer);
    return r;
}

static int read_compact(const struct call *call, const char *file, struct buf *ret)
{
    int r = file_read_whole(file, DOC_SEALED_MAX + 2, ret);
    if (r < 0)
        return refuse(call, "%s: cannot be read: %s", file, error_in(call->lang, r));
    while (ret->len > 0 && (ret->data[ret->len - 1] == '\n' || ret->data[ret->len - 1] == '\r'))
        ret->len--;
    return EXIT_OK;
}

int sealed_read(const struct call *call, const char *file, enum doc_type type, const char *x, struct arena *arena,
                void **ret_doc)
{
    struct buf compact = {0}, payload = {0};
    struct seal_header header;
    struct complaint why = {0};
    int r = read_compact(call, file, &compact);
    if (r != EXIT_OK) {
        buf_done(&compact);
        return r;
    }
    enum refusal refusal = seal_peek((const char *)compact.data, compact.len, &header);
    if (refusal == REFUSAL_NONE && header.type != type)
        refusal = REFUSAL_TYPE;
    if (refusal == REFUSAL_NONE)
        refusal = seal_open((const char *)compact.data, compact.len, x, &payload);
    if (refusal != REFUSAL_NONE)
        r = refuse(call, "%s: is not a %s that this key sealed: %s", file, doc_typ(type), refusal_names[refusal]);
    else if (doc_decode(type, payload.data, payload.len, arena, ret_doc, &why) < 0)
        r = refuse(call, "%s: %s", file, why.text);
    buf_done(&compact);
    buf_done(&payload);
    return r;
}

int sealed_print(const struct call *call, const char *file, enum doc_type type)
{
    struct buf compact = {0};
    struct seal_header header;
    int r = read_compact(call, file, &compact);
    if (r != EXIT_OK) {
        buf_done(&compact);
        return r;
    }
    enum refusal refusal = seal_peek((const char *)compact.data, compact.len, &header);
    if (refusal != REFUSAL_NONE || header.type != type) {
        r = refuse(call, "%s: is not a sealed %s: %s", file, doc_typ(type),
                   refusal_names[refusal != REFUSAL_NONE ? refusal : REFUSAL_TYPE]);
    } else {
        json_t *about = json_pack("{s:s,s:s,s:s,s:i,s:b}", "file", file, "typ", doc_typ(header.type), "kid", header.kid,
                                  "size", (int)compact.len, "deflated", header.deflated);
        print_value(call, about);
        json_decref(about);
    }
    buf_done(&compact);
    return r;
}

int name_index(const char *const *names, const char *text)
{
    for (int i = 0; names[i]; i++)
        if (strcmp(names[i], text) == 0)
            return i;
    return -1;
}
