/* fetch.c - see fetch.h. */
#include "playlists/link/fetch.h"

#include "playlists/base/bytes.h"
#include "playlists/base/clock.h"
#include "playlists/base/file.h"
#include "playlists/base/log.h"
#include "playlists/base/post.h"
#include "playlists/link/backoff.h"
#include "playlists/link/pace.h"
#include "playlists/link/transfer.h"

#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { RETRY_BASE_MS = 2000, RETRY_FLOOR_MS = 1000, RETRY_MAX_MS = 60 * 1000 };
#define REMAINS_KEPT_MS ((int64_t)30 * 24 * 3600 * 1000)
#define FILE_SIZE_MAX   ((uint64_t)8 * 1024 * 1024 * 1024)

struct download {
    struct download *next;
    struct fetch *fetch;
    uint32_t id;
    struct hash hash;
    uint64_t size;
    bool urgent;
    struct transfer *transfer; /* owned; NULL while waiting */
    struct pace pace;          /* of the transfer */
    int64_t due_ms;            /* elapsed time of the next try */
    unsigned attempt;          /* tries without progress */
    unsigned told;             /* kinds of failure told, a bit each */
};

struct fetch {
    struct transfer_ground ground;
    fetch_send_fn send;
    void *arg;
    struct download *first, **tail; /* owned, oldest first */
    size_t count;
    uv_timer_t *timer; /* owned */
    unsigned long long altered;
};

static void schedule(struct fetch *f);

static void send_json(struct fetch *f, uint8_t type, uint32_t id, const char *hash, json_t *body)
{
    char *text = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    struct frame frame = {
        .type = type, .id = id, .name = hash, .body = (const uint8_t *)text, .body_len = text ? strlen(text) : 0};
    f->send(f->arg, &frame);
    free(text);
}

static void tell_not(struct fetch *f, uint32_t id, const char *hash, const char *why, bool final)
{
    log_warn("fetch", "hash=%.12s %s, %s", hash, why, final ? "given up" : "trying again");
    json_t *body = json_pack("{s:s, s:b}", "why", why, "final", (int) final);
    if (!body) /* a reason that is not UTF-8 */
        body = json_pack("{s:s, s:b}", "why", "failed", "final", (int) final);
    send_json(f, POST_NOT_FETCHED, id, hash, body);
}

static void drop(struct download *d, bool remove)
{
    struct fetch *f = d->fetch;
    struct download **at = &f->first;
    while (*at != d)
        at = &(*at)->next;
    *at = d->next;
    if (!d->next)
        f->tail = at;
    f->count--;
    transfer_free(d->transfer, remove);
    free(d);
}

static void to_the_end(struct download *d)
{
    struct fetch *f = d->fetch;
    struct download **at = &f->first;
    if (!d->next)
        return;
    while (*at != d)
        at = &(*at)->next;
    *at = d->next;
    d->next = NULL;
    *f->tail = d;
    f->tail = &d->next;
}

static void wait_again(struct download *d)
{
    struct backoff backoff = {.base_ms = RETRY_BASE_MS, .max_ms = RETRY_MAX_MS, .floor_ms = RETRY_FLOOR_MS};
    uint32_t chance;
    random_bytes(&chance, sizeof(chance));
    d->attempt++;
    d->due_ms = clock_elapsed_ms() + backoff_delay_ms(&backoff, d->attempt, chance);
}

static void on_ended(void *arg, enum transfer_end end, const char *why, const char *path, bool progress)
{
    struct download *d = arg;
    struct fetch *f = d->fetch;
    if (end == TRANSFER_DONE) {
        log_info("fetch", "hash=%.12s fetched, %llu bytes", d->hash.hex, (unsigned long long)d->size);
        send_json(f, POST_FETCHED, d->id, d->hash.hex,
                  json_pack("{s:s, s:I}", "path", path, "size", (json_int_t)d->size));
        drop(d, false);
    } else if (end == TRANSFER_GONE || end == TRANSFER_TOO_LARGE) {
        struct hash hash = d->hash;
        uint32_t id = d->id;
        char *said = xstrdup(why); /* dies with the transfer; and who is told finds the spool clean */
        drop(d, true);
        tell_not(f, id, hash.hex, said, true);
        free(said);
    } else {
        if (end == TRANSFER_ALTERED)
            log_warn("fetch", "hash=%.12s altered on its way, thrown away (%llu so far)", d->hash.hex, ++f->altered);
        if (!(d->told & 1u << end))
            tell_not(f, d->id, d->hash.hex, why, false);
        d->told |= 1u << end;
        transfer_free(d->transfer, false);
        d->transfer = NULL;
        if (progress)
            d->attempt = 0;
        wait_again(d);
    }
    schedule(f);
}

static void start(struct download *d)
{
    struct fetch *f = d->fetch;
    int r = transfer_start(&f->ground, d->hash.hex, d->size, on_ended, d, &d->transfer);
    if (r == 0) {
        pace_begin(&d->pace, clock_elapsed_ms(), transfer_got(d->transfer));
        return;
    }
    if (!(d->told & 1u << TRANSFER_DISK)) {
        char *why = xasprintf("the spool %s cannot be written: %s", f->ground.settings->spool, err_name(r));
        tell_not(f, d->id, d->hash.hex, why, false);
        free(why);
    }
    d->told |= 1u << TRANSFER_DISK;
    wait_again(d);
}

static struct download *next_due(struct fetch *f, int64_t now_ms)
{
    struct download *best = NULL;
    for (struct download *d = f->first; d; d = d->next)
        if (!d->transfer && d->due_ms <= now_ms && (!best || (d->urgent && !best->urgent)))
            best = d;
    return best;
}

/* Running ones are counted; *ret_bulk is the newest of them that is not urgent. */
static unsigned running(struct fetch *f, struct download **ret_bulk)
{
    unsigned n = 0;
    *ret_bulk = NULL;
    for (struct download *d = f->first; d; d = d->next) {
        if (!d->transfer)
            continue;
        n++;
        if (!d->urgent)
            *ret_bulk = d;
    }
    return n;
}

/* Stops a transfer whose server is too slow. What came stays. */
static void give_way(struct download *d, bool others_wait)
{
    struct fetch *f = d->fetch;
    if (!(d->told & 1u << TRANSFER_SLOW)) {
        char *why =
            xasprintf("the server sent less than %lld bytes a second for %lld s",
                      (long long)f->ground.settings->media.min_bytes_s, (long long)f->ground.settings->media.slow_s);
        tell_not(f, d->id, d->hash.hex, why, false);
        free(why);
    }
    d->told |= 1u << TRANSFER_SLOW;
    transfer_free(d->transfer, false);
    d->transfer = NULL;
    if (!others_wait)
        d->attempt = 0; /* perhaps the whole network is slow: then a long pause helps nobody */
    wait_again(d);
    to_the_end(d);
}

static void watch_pace(struct fetch *f, int64_t now_ms)
{
    const struct pace_floor floor = {.bytes_s = f->ground.settings->media.min_bytes_s,
                                     .over_ms = f->ground.settings->media.slow_s * 1000};
    bool others_wait = next_due(f, now_ms) != NULL;
    for (struct download *d = f->first, *next; d; d = next) {
        next = d->next;
        if (d->transfer && pace_slow(&d->pace, &floor, now_ms, transfer_got(d->transfer)))
            give_way(d, others_wait);
    }
}

static void on_timer(uv_timer_t *timer)
{
    watch_pace(timer->data, clock_elapsed_ms());
    schedule(timer->data);
}

static void schedule(struct fetch *f)
{
    int64_t now_ms = clock_elapsed_ms();
    for (struct download *d; (d = next_due(f, now_ms));) {
        struct download *bulk;
        if (running(f, &bulk) >= FETCH_RUNNING) {
            if (!d->urgent || !bulk)
                break;
            transfer_free(bulk->transfer, false);
            bulk->transfer = NULL;
        }
        start(d);
    }
    int64_t wake_ms = INT64_MAX;
    for (struct download *d = f->first; d; d = d->next) {
        int64_t at_ms = d->transfer ? d->pace.since_ms + f->ground.settings->media.slow_s * 1000 : d->due_ms;
        if (at_ms < wake_ms && (d->transfer || at_ms > now_ms))
            wake_ms = at_ms;
    }
    if (wake_ms < INT64_MAX)
        uv_timer_start(f->timer, on_timer, wake_ms > now_ms ? (uint64_t)(wake_ms - now_ms) : 1, 0);
    else
        uv_timer_stop(f->timer);
}

void fetch_add(struct fetch *f, uint32_t id, const char *hash, uint64_t size, bool urgent)
{
    if (!f->ground.settings->media.url) {
        tell_not(f, id, hash, "no media server is configured", true);
        return;
    }
    if (size == 0 || size > FILE_SIZE_MAX) {
        tell_not(f, id, hash, "the stated size is 0 or above 8 GiB", true);
        return;
    }
    struct download *d = f->first;
    while (d && strcmp(d->hash.hex, hash) != 0)
        d = d->next;
    if (!d && f->count >= FETCH_MAX) {
        tell_not(f, id, hash, "512 downloads wait already", true);
        return;
    }
    if (!d) {
        d = xcalloc(1, sizeof(*d));
        memcpy(d->hash.hex, hash, HASH_HEX_LEN);
        d->fetch = f;
        *f->tail = d;
        f->tail = &d->next;
        f->count++;
    } else if (d->size != size) {
        transfer_free(d->transfer, false);
        d->transfer = NULL;
    }
    d->id = id;
    d->size = size;
    d->urgent = urgent;
    d->told = 0;
    d->due_ms = 0;
    schedule(f);
}

void fetch_cancel(struct fetch *f, uint32_t id)
{
    for (struct download *d = f->first, *next; d; d = next) {
        next = d->next;
        if (d->id == id)
            drop(d, true);
    }
    schedule(f);
}

void fetch_forget_all(struct fetch *f)
{
    while (f->first)
        drop(f->first, false);
    uv_timer_stop(f->timer);
}

void fetch_time_changed(struct fetch *f)
{
    for (struct download *d = f->first; d; d = d->next)
        if (d->told & 1u << TRANSFER_NETWORK)
            d->due_ms = 0;
    schedule(f);
}

/* Downloads that nobody asked for again in a month. Other files in the folder are left alone. */
static void sweep(const char *spool)
{
    DIR *dir = opendir(spool);
    if (!dir)
        return;
    for (struct dirent *e; (e = readdir(dir));) {
        size_t len = strspn(e->d_name, "0123456789abcdef");
        struct stat st;
        if (len != HASH_HEX_LEN || (e->d_name[len] && strcmp(e->d_name + len, ".part") != 0))
            continue;
        if (fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
            clock_wall_ms() - (int64_t)st.st_mtime * 1000 > REMAINS_KEPT_MS)
            unlinkat(dirfd(dir), e->d_name, 0);
    }
    closedir(dir);
}

struct fetch *fetch_new(uv_loop_t *loop, const struct settings *settings, const struct tls_time *known,
                        fetch_send_fn send, void *arg)
{
    struct fetch *f = xcalloc(1, sizeof(*f));
    f->ground = (struct transfer_ground){.loop = loop, .settings = settings, .known = known};
    f->send = send;
    f->arg = arg;
    f->tail = &f->first;
    f->timer = xcalloc(1, sizeof(*f->timer));
    uv_timer_init(loop, f->timer);
    f->timer->data = f;
    if (settings->media.url) {
        f->ground.http = http_new(loop, transfer_http_done);
        int r = file_make_dir(settings->spool, 0750);
        if (r < 0)
            log_err("fetch", "spool=%s cannot be made: %s, no downloads until it can", settings->spool, err_name(r));
        sweep(settings->spool);
    }
    return f;
}

bool fetch_stuck(const struct fetch *f)
{
    return f->ground.http && http_stuck(f->ground.http);
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

void fetch_free(struct fetch *f)
{
    if (!f)
        return;
    fetch_forget_all(f);
    http_free(f->ground.http);
    uv_close((uv_handle_t *)f->timer, free_handle);
    free(f);
}
