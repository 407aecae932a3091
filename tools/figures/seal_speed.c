/* seal_speed - how many documents a second are sealed and opened by our own code.
 *
 *   seal_speed TYP SECONDS [DEF]   payload (JSON of that type) on stdin; {"seal", "open", "seal_doc", "open_doc"} in
 *                                  documents a second, {"payload_bytes", "sealed_bytes"} on stdout
 *
 * seal, open: signature, base64url, deflate; seal_doc, open_doc: with encoding from, or decoding to, the struct too.
 * Exit 1: the payload is refused. Exit 2: wrong use. */
#include "playlists/base/clock.h"
#include "playlists/seal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct work {
    struct signer signer;
    enum doc_type type;
    bool deflate;
    struct buf payload;
    char *compact;
    void *doc; /* in arena */
    struct arena *arena;
};

typedef int (*work_fn)(struct work *work);

static int do_seal(struct work *work)
{
    char *out = NULL;
    int r = seal(&work->signer, work->type, work->payload.data, work->payload.len, work->deflate, &out);
    free(out);
    return r;
}

static int do_open(struct work *work)
{
    struct buf out = {0};
    enum refusal refusal = seal_open(work->compact, strlen(work->compact), work->signer.x, &out);
    buf_done(&out);
    return refusal == REFUSAL_NONE ? 0 : ERR_FORMAT;
}

static int do_seal_doc(struct work *work)
{
    struct complaint why = {0};
    char *out = NULL;
    int r = seal_doc(&work->signer, work->type, work->doc, work->deflate, &out, &why);
    free(out);
    return r;
}

static int do_open_doc(struct work *work)
{
    struct complaint why = {0};
    struct buf out = {0};
    struct seal_header header;
    void *doc = NULL;
    struct arena *arena = arena_new();
    int r = seal_peek(work->compact, strlen(work->compact), &header) == REFUSAL_NONE &&
                    seal_open(work->compact, strlen(work->compact), work->signer.x, &out) == REFUSAL_NONE
                ? doc_decode(header.type, out.data, out.len, arena, &doc, &why)
                : ERR_FORMAT;
    arena_free(arena);
    buf_done(&out);
    return r;
}

/* Documents a second; negative: refused. */
static double speed(struct work *work, work_fn fn, double seconds)
{
    int64_t start_ns = clock_elapsed_ns();
    for (int64_t done = 1;; done++) {
        if (fn(work) < 0)
            return -1;
        int64_t now_ns = clock_elapsed_ns();
        if ((double)(now_ns - start_ns) >= seconds * 1e9)
            return (double)done * 1e9 / (double)(now_ns - start_ns);
    }
}

static void read_stdin(struct buf *ret)
{
    char chunk[4096];
    size_t n;
    while (ret->len <= DOC_INFLATED_MAX && (n = fread(chunk, 1, sizeof(chunk), stdin)) > 0)
        buf_put(ret, chunk, n);
}

static int run(struct work *work, double seconds)
{
    struct complaint why = {0};
    int r = doc_decode(work->type, work->payload.data, work->payload.len, work->arena, &work->doc, &why);
    if (r == 0)
        r = seal(&work->signer, work->type, work->payload.data, work->payload.len, work->deflate, &work->compact);
    if (r < 0) {
        fprintf(stderr, "seal_speed: the payload is refused: %s\n", why.text[0] ? why.text : err_name(r));
        return 1;
    }
    double sealed = speed(work, do_seal, seconds), opened = speed(work, do_open, seconds);
    double sealed_doc = speed(work, do_seal_doc, seconds), opened_doc = speed(work, do_open_doc, seconds);
    printf("{\"seal\": %.1f, \"open\": %.1f, \"seal_doc\": %.1f, \"open_doc\": %.1f, \"payload_bytes\": %zu, "
           "\"sealed_bytes\": %zu}\n",
           sealed, opened, sealed_doc, opened_doc, work->payload.len, strlen(work->compact));
    return sealed < 0 || opened < 0 || sealed_doc < 0 || opened_doc < 0;
}

int main(int argc, char **argv)
{
    struct work work = {.deflate = argc == 4 && strcmp(argv[3], "DEF") == 0};
    int type = argc >= 3 ? doc_type_of(argv[1]) : -1;
    double seconds = argc >= 3 ? atof(argv[2]) : 0;
    if (type < 0 || seconds <= 0 || argc > 4 || (argc == 4 && !work.deflate)) {
        fprintf(stderr, "use: seal_speed TYP SECONDS [DEF] < payload.json\n");
        return 2;
    }
    work.type = (enum doc_type)type;
    work.arena = arena_new();
    signer_generate(&work.signer);
    read_stdin(&work.payload);
    int code = run(&work, seconds);
    free(work.compact);
    buf_done(&work.payload);
    arena_free(work.arena);
    signer_wipe(&work.signer);
    return code;
}
