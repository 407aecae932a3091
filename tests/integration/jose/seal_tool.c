/* seal_tool - our sealing on the command line, for tests that hold it against another implementation.
 *
 *   seal_tool key FILE             make a key file, print its public x
 *   seal_tool seal FILE TYP [DEF]  JSON on stdin -> compact form on stdout; DEF: deflate
 *   seal_tool open X               compact form on stdin -> {"typ","kid","deflated","payload"} on stdout
 *
 * Exit 1: refused, with one line on stderr (for `open` the name of the refusal first). Exit 2: wrong use. */
#include "playlists/seal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void read_stdin(struct buf *ret)
{
    char chunk[4096];
    size_t n;
    while (ret->len <= 2 * DOC_INFLATED_MAX && (n = fread(chunk, 1, sizeof(chunk), stdin)) > 0)
        buf_put(ret, chunk, n);
}

static int refuse(const char *what, const struct complaint *why)
{
    fprintf(stderr, "%s %s\n", what, why->text);
    return 1;
}

static int make_key(const char *path)
{
    struct signer signer;
    struct complaint why = {0};
    signer_generate(&signer);
    if (signer_save(path, &signer, &why))
        return refuse("key", &why);
    puts(signer.x);
    signer_wipe(&signer);
    return 0;
}

static int seal_stdin(const char *path, const char *typ, bool deflate)
{
    struct signer signer = {0};
    struct complaint why = {0};
    struct buf in = {0};
    struct arena *arena = arena_new();
    void *doc = NULL;
    char *compact = NULL;
    int type = doc_type_of(typ);
    if (type < 0) {
        arena_free(arena);
        return 2;
    }
    read_stdin(&in);
    int err = signer_load(path, &signer, &why);
    if (err == 0)
        err = doc_decode((enum doc_type)type, in.data, in.len, arena, &doc, &why);
    if (err == 0)
        err = seal_doc(&signer, (enum doc_type)type, doc, deflate, &compact, &why);
    if (err == 0)
        fputs(compact, stdout);
    free(compact);
    arena_free(arena);
    buf_done(&in);
    signer_wipe(&signer);
    return err ? refuse("seal", &why) : 0;
}

static int show(const struct seal_header *header, const struct buf *payload)
{
    struct complaint why = {0};
    struct arena *arena = arena_new();
    struct buf out = {0};
    void *doc = NULL;
    int err = doc_decode(header->type, payload->data, payload->len, arena, &doc, &why);
    if (err == 0)
        err = doc_encode(header->type, doc, &out, &why);
    if (err == 0)
        printf("{\"typ\":\"%s\",\"kid\":\"%s\",\"deflated\":%s,\"payload\":%s}\n", doc_typ(header->type), header->kid,
               header->deflated ? "true" : "false", buf_text(&out));
    buf_done(&out);
    arena_free(arena);
    return err ? refuse("format", &why) : 0;
}

static int open_stdin(const char *x)
{
    struct buf in = {0}, payload = {0};
    struct seal_header header;
    struct complaint none = {0};
    read_stdin(&in);
    const char *text = buf_text(&in);
    enum refusal refusal = seal_peek(text, in.len, &header);
    if (refusal == REFUSAL_NONE)
        refusal = seal_open(text, in.len, x, &payload);
    int status = refusal ? refuse(refusal_names[refusal], &none) : show(&header, &payload);
    buf_done(&in);
    buf_done(&payload);
    return status;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "key") == 0)
        return make_key(argv[2]);
    if ((argc == 4 || (argc == 5 && strcmp(argv[4], "DEF") == 0)) && strcmp(argv[1], "seal") == 0)
        return seal_stdin(argv[2], argv[3], argc == 5);
    if (argc == 3 && strcmp(argv[1], "open") == 0)
        return open_stdin(argv[2]);
    fprintf(stderr, "use: seal_tool key FILE | seal FILE TYP [DEF] | open X\n");
    return 2;
}
