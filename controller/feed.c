/* feed.c - see feed.h. A reader with nothing to read is suspended; news resume it. */
#include "controller/feed.h"

#include "controller/listener.h"
#include "controller/places.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    struct feed *feed;
    struct reader *next;
    struct MHD_Connection *connection;
    char token[24]; /* its id */
    char unit[44];
    char device[44]; /* "" all */
    struct buf waiting;
    bool suspended;
    bool ending;
};

struct feed {
    struct controller *c;
    struct reader *readers;
    size_t n;
    uv_timer_t keepalive;
};

static void wake(struct reader *reader)
{
    if (!reader->suspended)
        return;
    reader->suspended = false;
    MHD_resume_connection(reader->connection);
    listener_kick(reader->feed->c->api_port);
}

static void put(struct reader *reader, const char *data, size_t len)
{
    if (reader->waiting.len + len > FEED_BEHIND_MAX)
        reader->ending = true;
    else
        buf_put(&reader->waiting, data, len);
    wake(reader);
}

static ssize_t on_read(void *arg, uint64_t pos, char *ret, size_t max)
{
    struct reader *reader = arg;
    (void)pos;
    size_t n = reader->waiting.len < max ? reader->waiting.len : max;
    if (n > 0) {
        memcpy(ret, reader->waiting.data, n);
        buf_drop(&reader->waiting, n);
        return (ssize_t)n;
    }
    if (reader->ending)
        return MHD_CONTENT_READER_END_OF_STREAM;
    reader->suspended = true;
    MHD_suspend_connection(reader->connection);
    return 0;
}

static void on_gone(void *arg)
{
    struct reader *reader = arg;
    struct reader **at = &reader->feed->readers;
    while (*at && *at != reader)
        at = &(*at)->next;
    if (*at)
        *at = reader->next;
    reader->feed->n--;
    buf_done(&reader->waiting);
    free(reader);
}

/* What waits for a reader whose token ended is not its any more. */
static void cut_off(struct reader *reader)
{
    buf_drop(&reader->waiting, reader->waiting.len);
    reader->ending = true;
    wake(reader);
}

/* Tokens are also revoked by the command line, which cannot tell us. */
static void on_keepalive(uv_timer_t *timer)
{
    struct feed *feed = timer->data;
    for (struct reader *reader = feed->readers; reader; reader = reader->next) {
        if (people_live(feed->c->store, reader->token))
            put(reader, ": \n\n", 4);
        else
            cut_off(reader);
    }
}

struct feed *feed_new(struct controller *c)
{
    struct feed *feed = xcalloc(1, sizeof(*feed));
    feed->c = c;
    uv_timer_init(c->loop, &feed->keepalive);
    feed->keepalive.data = feed;
    uv_timer_start(&feed->keepalive, on_keepalive, FEED_KEEPALIVE_MS, FEED_KEEPALIVE_MS);
    return feed;
}

void feed_end(struct feed *feed)
{
    for (struct reader *reader = feed->readers; reader; reader = reader->next) {
        reader->ending = true;
        wake(reader);
    }
}

void feed_end_token(struct feed *feed, const char *token)
{
    for (struct reader *reader = feed->readers; reader; reader = reader->next)
        if (strcmp(reader->token, token) == 0)
            cut_off(reader);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void feed_free(struct feed *feed)
{
    if (feed)
        uv_close((uv_handle_t *)&feed->keepalive, on_closed);
}

bool feed_heard(const struct feed *feed)
{
    return feed->readers != NULL;
}

void feed_emit(struct feed *feed, const char *device, const char *kind, const json_t *data)
{
    if (!feed->readers)
        return;
    char *json = json_dumps(data, JSON_COMPACT);
    char *text = xasprintf("event: %s\ndata: %s\n\n", kind, json ? json : "{}");
    for (struct reader *reader = feed->readers; reader; reader = reader->next) {
        if (reader->ending)
            continue;
        if (device && reader->device[0] && strcmp(reader->device, device) != 0)
            continue;
        if (!device || device_in_unit(feed->c->store, device, reader->unit))
            put(reader, text, strlen(text));
    }
    free(text);
    free(json);
}

static void hello(struct feed *feed, struct reader *reader)
{
    int64_t receipts = store_number(feed->c->store, 0, "SELECT max(cursor) FROM receipts", "");
    int64_t events = store_number(feed->c->store, 0, "SELECT max(cursor) FROM events", "");
    buf_putf(&reader->waiting, "event: hello\ndata: {\"receipts\":\"%lld\",\"events\":\"%lld\"}\n\n",
             (long long)receipts, (long long)events);
}

static size_t readers_of(const struct feed *feed, const char *token)
{
    size_t n = 0;
    for (const struct reader *reader = feed->readers; reader; reader = reader->next)
        n += strcmp(reader->token, token) == 0;
    return n;
}

int feed_join(struct feed *feed, struct request *r, const char *device)
{
    bool many = readers_of(feed, r->token.id) >= FEED_OF_TOKEN_MAX;
    if (many || feed->n >= FEED_READERS_MAX) {
        if (many)
            refuse(&r->problem, 429, "throttle", NULL, WORD_STREAMS, FEED_OF_TOKEN_MAX);
        else
            refuse(&r->problem, 503, "busy", NULL, WORD_BUSY);
        r->problem.retry_after_s = 10;
        return -1;
    }
    struct reader *reader = xcalloc(1, sizeof(*reader));
    reader->feed = feed;
    reader->connection = r->connection;
    snprintf(reader->token, sizeof(reader->token), "%s", r->token.id);
    snprintf(reader->unit, sizeof(reader->unit), "%s", r->token.unit);
    snprintf(reader->device, sizeof(reader->device), "%s", device ? device : "");
    reader->next = feed->readers;
    feed->readers = reader;
    feed->n++;
    hello(feed, reader);
    r->response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 16 * 1024, on_read, reader, on_gone);
    MHD_add_response_header(r->response, "Content-Type", "text/event-stream");
    MHD_add_response_header(r->response, "X-Accel-Buffering", "no");
    r->status = 200;
    return 0;
}
