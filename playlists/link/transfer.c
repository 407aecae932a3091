/* transfer.c - see transfer.h. */
#include "playlists/link/transfer.h"

#include "playlists/link/part.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECT_S = 15 };

struct transfer {
    struct transfer_ground ground;
    char *url, *path; /* owned */
    uint64_t size;    /* stated by the client */
    uint64_t from;    /* where this try began */
    uint64_t got;     /* bytes of the file so far */
    struct part *part;
    CURL *easy;
    bool running;      /* curl has it */
    bool head_checked; /* status and lengths agree with what was asked */
    bool paused;       /* curl waits for room in the part */
    bool discard;      /* what is there is of no use */
    CURLcode result;
    enum transfer_end end; /* TRANSFER_DONE: nothing wrong yet */
    char why[200];
    char curl_error[CURL_ERROR_SIZE];
    transfer_done_fn done;
    void *arg;
};

static void go_wrong(struct transfer *t, enum transfer_end end, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void go_wrong(struct transfer *t, enum transfer_end end, const char *fmt, ...)
{
    if (t->end != TRANSFER_DONE)
        return;
    t->end = end;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(t->why, sizeof(t->why), fmt, ap);
    va_end(ap);
}

static void check_total(struct transfer *t, uint64_t total)
{
    if (total > t->size)
        go_wrong(t, TRANSFER_TOO_LARGE, "the server's file has %" PRIu64 " bytes, %" PRIu64 " were stated", total,
                 t->size);
    else if (total < t->size)
        go_wrong(t, TRANSFER_SIZE, "the server's file has %" PRIu64 " bytes, %" PRIu64 " were stated", total, t->size);
}

/* Content-Range: bytes FIRST-LAST/TOTAL (RFC 9110, 14.4). */
static void check_range(struct transfer *t)
{
    struct curl_header *header = NULL;
    uint64_t first, last, total;
    bool told = curl_easy_header(t->easy, "Content-Range", 0, CURLH_HEADER, -1, &header) == CURLHE_OK &&
                sscanf(header->value, "bytes %" SCNu64 "-%" SCNu64 "/%" SCNu64, &first, &last, &total) == 3;
    if (!told || first != t->from) {
        t->discard = true;
        go_wrong(t, TRANSFER_SIZE, "the server answered with another range than was asked for");
        return;
    }
    check_total(t, total);
}

static void check_whole(struct transfer *t)
{
    curl_off_t length = -1;
    curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    if (length >= 0)
        check_total(t, (uint64_t)length);
    if (t->from == 0 || t->end != TRANSFER_DONE)
        return;
    int r = part_restart(t->part); /* the server does not do ranges: it begins at the beginning */
    if (r < 0)
        go_wrong(t, TRANSFER_DISK, "the spool cannot be written: %s", err_name(r));
    t->from = t->got = 0;
}

/* Before the first byte is taken: is this what was asked for? */
static void check_head(struct transfer *t)
{
    t->head_checked = true;
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status == 206) {
        check_range(t);
    } else if (status == 200) {
        check_whole(t);
    } else if (status == 404 || status == 410) {
        go_wrong(t, TRANSFER_GONE, "the server has no such file (%ld)", status);
    } else if (status == 416) {
        t->discard = true;
        go_wrong(t, TRANSFER_SIZE, "the server has no byte %" PRIu64 " of this file", t->from);
    } else {
        go_wrong(t, TRANSFER_STATUS, "the server answered %ld", status);
    }
}

static size_t on_data(char *data, size_t one, size_t len, void *arg)
{
    (void)one;
    struct transfer *t = arg;
    if (!t->head_checked)
        check_head(t);
    if (t->end == TRANSFER_DONE && len > t->size - t->got)
        go_wrong(t, TRANSFER_TOO_LARGE, "the server sends more than the %" PRIu64 " bytes that were stated", t->size);
    if (t->end != TRANSFER_DONE)
        return CURL_WRITEFUNC_ERROR;
    if (len > part_room(t->part)) {
        t->paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    part_put(t->part, data, len);
    t->got += len;
    return len;
}

static CURLcode on_ssl_context(CURL *easy, void *context, void *arg)
{
    (void)easy;
    struct transfer *t = arg;
    tls_set_time(context, t->ground.known);
    return CURLE_OK;
}

static void finish(struct transfer *t)
{
    if (t->discard && t->part) {
        part_close(t->part, true);
        t->part = NULL;
    }
    t->done(t->arg, t->end, t->why, t->path, t->end == TRANSFER_NETWORK && t->got > t->from);
}

static void on_checked(void *arg, int result)
{
    struct transfer *t = arg;
    if (result == ERR_HASH) {
        t->discard = true;
        go_wrong(t, TRANSFER_ALTERED, "what came does not have this hash");
    } else if (result < 0) {
        go_wrong(t, TRANSFER_DISK, "the spool cannot be used: %s", err_name(result));
    }
    finish(t);
}

/* Curl is done and everything is written. */
static void conclude(struct transfer *t)
{
    if (t->result == CURLE_OK && !t->head_checked)
        check_head(t);
    if (t->end == TRANSFER_DONE && t->result != CURLE_OK)
        go_wrong(t, TRANSFER_NETWORK, "%s", t->curl_error[0] ? t->curl_error : curl_easy_strerror(t->result));
    if (t->end == TRANSFER_DONE && t->got < t->size)
        go_wrong(t, TRANSFER_NETWORK, "the server ended after %" PRIu64 " of %" PRIu64 " bytes", t->got, t->size);
    if (t->end == TRANSFER_DONE)
        part_check(t->part, t->size);
    else
        finish(t);
}

static void on_idle(void *arg, int error)
{
    struct transfer *t = arg;
    if (error < 0) {
        go_wrong(t, TRANSFER_DISK, "the spool cannot be written: %s", err_name(error));
        if (t->running)
            http_drop(t->ground.http, t->easy);
        t->running = false;
        finish(t);
        return;
    }
    if (t->paused) {
        t->paused = false;
        curl_easy_pause(t->easy, CURLPAUSE_CONT);
    }
    if (!t->running && !part_busy(t->part))
        conclude(t);
}

void transfer_http_done(void *arg, CURLcode result)
{
    struct transfer *t = arg;
    t->running = false;
    t->result = result;
    if (!part_busy(t->part))
        conclude(t);
}

static void set_up(struct transfer *t)
{
    const struct tls_files *files = &t->ground.settings->media.tls;
    CURL *easy = t->easy;
    curl_easy_setopt(easy, CURLOPT_URL, t->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* nor one from the environment */
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_CAINFO, files->ca);
    curl_easy_setopt(easy, CURLOPT_SSLCERT, files->cert);
    curl_easy_setopt(easy, CURLOPT_SSLKEY, files->key);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_ssl_context);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, t);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->curl_error);
    if (t->from > 0) {
        char range[32];
        snprintf(range, sizeof(range), "%" PRIu64 "-", t->from);
        curl_easy_setopt(easy, CURLOPT_RANGE, range);
    }
}

int transfer_start(const struct transfer_ground *ground, const char *hash, uint64_t size, transfer_done_fn done,
                   void *arg, struct transfer **ret_transfer)
{
    struct transfer *t = xcalloc(1, sizeof(*t));
    int r = part_open(ground->loop, ground->settings->spool, hash, on_idle, on_checked, t, &t->part, &t->from);
    if (r == 0 && t->from > size) {
        r = part_restart(t->part);
        t->from = 0;
    }
    if (r < 0) {
        part_close(t->part, false);
        free(t);
        return r;
    }
    t->ground = *ground;
    t->size = size;
    t->got = t->from;
    t->done = done;
    t->arg = arg;
    t->url = xasprintf("%s%s", ground->settings->media.url, hash);
    t->path = xasprintf("%s/%s", ground->settings->spool, hash);
    *ret_transfer = t;
    if (t->from == size) { /* all of it came before */
        part_check(t->part, size);
        return 0;
    }
    t->easy = curl_easy_init();
    if (!t->easy)
        abort();
    set_up(t);
    t->running = true;
    http_start(ground->http, t->easy, t);
    return 0;
}

int64_t transfer_got(const struct transfer *t)
{
    return t->running && !t->paused ? (int64_t)t->got : -1;
}

void transfer_free(struct transfer *t, bool remove)
{
    if (!t)
        return;
    if (t->running)
        http_drop(t->ground.http, t->easy);
    if (t->easy)
        curl_easy_cleanup(t->easy);
    part_close(t->part, remove);
    free(t->url);
    free(t->path);
    free(t);
}
