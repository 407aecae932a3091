/* postman.c - see postman.h. */
#include "tools/fleet-agents/postman.h"

#include "playlists/base/bytes.h"
#include "playlists/link/serve.h"
#include "playlists/link/tls.h"

#include <stdlib.h>

struct postman {
    struct settings settings;
    char *id, *cert, *socket, *spool; /* owned */
    struct tls *tls;                  /* owned */
    struct serve *serve;              /* owned */
};

int postman_new(uv_loop_t *loop, const struct postman_ground *ground, const char *id, const char *cert,
                const char *socket, const char *spool, struct postman **ret_postman, struct complaint *why)
{
    struct postman *postman = xcalloc(1, sizeof(*postman));
    postman->id = xstrdup(id);
    postman->cert = xstrdup(cert);
    postman->socket = xstrdup(socket);
    postman->spool = xstrdup(spool);
    struct tls_files files = {.ca = ground->ca, .cert = postman->cert, .key = ground->key};
    struct settings *settings = &postman->settings;
    *settings = (struct settings){
        .socket = postman->socket,
        .spool = postman->spool,
        .client_id = postman->id,
        .broker = {.host = ground->host, .port = ground->port, .keepalive_s = ground->keepalive_s, .tls = files},
        .media = {.url = ground->media, .tls = files},
        .spread_ms = ground->spread_ms,
        .backoff_max_ms = ground->backoff_max_ms};
    int r = tls_new(ground->host, &files, &postman->tls, why);
    if (r == 0)
        r = serve_new(loop, settings, postman->tls, &postman->serve, why);
    if (r < 0) {
        postman_free(postman);
        return r;
    }
    *ret_postman = postman;
    return 0;
}

void postman_stop(struct postman *postman)
{
    if (!postman)
        return;
    serve_free(postman->serve);
    postman->serve = NULL;
}

void postman_free(struct postman *postman)
{
    if (!postman)
        return;
    postman_stop(postman);
    tls_free(postman->tls);
    free(postman->id);
    free(postman->cert);
    free(postman->socket);
    free(postman->spool);
    free(postman);
}
