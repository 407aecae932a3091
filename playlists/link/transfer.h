/* transfer.h - one try to bring one file into the spool: resumes by range, bounds what may come, checks the hash.
 * Loop thread. */
#ifndef LOA_LINK_TRANSFER_H
#define LOA_LINK_TRANSFER_H

#include "playlists/link/http.h"
#include "playlists/link/settings.h"
#include "playlists/link/tls.h"

enum transfer_end {
    TRANSFER_DONE,      /* the file is at `<spool>/<hash>` */
    TRANSFER_NETWORK,   /* no connection, TLS, time-out, ended early */
    TRANSFER_STATUS,    /* an HTTP status that may change */
    TRANSFER_SIZE,      /* the server's file is shorter than stated, or its ranges make no sense */
    TRANSFER_ALTERED,   /* complete, and its hash is another; thrown away */
    TRANSFER_DISK,      /* the spool cannot be written */
    TRANSFER_GONE,      /* 404, 410: final */
    TRANSFER_TOO_LARGE, /* more than stated: final */
    TRANSFER_SLOW,      /* said by the owner, who stopped it: see pace.h */
};

/* Each transfer is started from these; all borrowed, must outlive it. */
struct transfer_ground {
    uv_loop_t *loop;
    struct http *http;
    const struct settings *settings;
    const struct tls_time *known;
};

struct transfer;

/* The end, once, never from inside transfer_start(). `path` only with TRANSFER_DONE. `progress`: bytes came that stay.
 * The owner frees the transfer, here if it likes. */
typedef void (*transfer_done_fn)(void *arg, enum transfer_end end, const char *why, const char *path, bool progress);

MUST_USE int transfer_start(const struct transfer_ground *ground, const char *hash, uint64_t size,
                            transfer_done_fn done, void *arg, struct transfer **ret_transfer);
/* Stop if it runs, and free; NULL is fine. What came stays for the next try unless `remove`. */
void transfer_free(struct transfer *transfer, bool remove);

/* Bytes of the file so far, while the server is waited for. -1: it waits for the disk, not for the server. */
int64_t transfer_got(const struct transfer *transfer);

/* To be given to http_new(). */
void transfer_http_done(void *arg, CURLcode result);

#endif
