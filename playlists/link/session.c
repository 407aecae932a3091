/* session.c - see session.h. */
#include "playlists/link/session.h"

#include "playlists/base/bytes.h"
#include "playlists/base/clock.h"
#include "playlists/base/log.h"
#include "playlists/base/post.h"
#include "playlists/link/backoff.h"
#include "playlists/link/filters.h"
#include "playlists/link/pubqueue.h"

#include <errno.h>
#include <mosquitto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A session that stood this long was a good one: the next try is a first try again. */
enum { STEADY_MS = 30 * 1000, BACKOFF_BASE_MS = 1000 };

struct session {
    uv_loop_t *loop;
    const struct settings *settings;
    struct tls *tls;
    const struct tls_time *known;
    struct mqtt_will will; /* owned */
    char *client_id;       /* owned; the same for all connections of this attach, so that a half-open one is replaced */
    link_send_fn send;
    void *arg;
    struct mqtt *mqtt;       /* owned; NULL while waiting */
    uv_timer_t *timer;       /* owned; the next try, or what is to be subscribed on this connection */
    struct filters *filters; /* owned */
    struct pubqueue queue;
    unsigned attempt;           /* tries since the last steady session */
    int64_t online_since_ms;    /* elapsed time */
    int64_t signed_ms_at_try;   /* what was known of time when this try began */
    unsigned long long dropped; /* messages not passed on */
    int64_t spread_ms;          /* window of a first try */
    bool up, online, paused, told, time_refused;
    char why[300]; /* last sentence told */
};

static void pump(struct session *s);

static void tell(struct session *s, uint8_t type, uint32_t id, const char *text)
{
    struct frame frame = {.type = type, .id = id, .body = (const uint8_t *)text, .body_len = text ? strlen(text) : 0};
    s->send(s->arg, &frame);
}

static void check_online(struct session *s)
{
    if (!s->up || s->online || filters_waiting(s->filters) > 0)
        return;
    s->online = true;
    s->told = false;
    s->online_since_ms = clock_elapsed_ms();
    log_info("session", "client=%s broker=%s:%d online, %zu subscriptions", s->client_id, s->settings->broker.host,
             s->settings->broker.port, filters_count(s->filters));
    tell(s, POST_ONLINE, 0, NULL);
}

/* Send SUBSCRIBE for all that were not asked for on this connection. */
static void subscribe_pending(struct session *s)
{
    char *texts[FILTERS_BATCH_MAX];
    bool brief;
    for (int n; (n = filters_take(s->filters, texts, &brief)) > 0;) {
        int mid = 0;
        if (mqtt_subscribe(s->mqtt, texts, n, brief ? 0 : 1, &mid) < 0)
            return;
        filters_asked(s->filters, mid);
    }
}

static void on_up(void *arg)
{
    struct session *s = arg;
    s->up = true;
    subscribe_pending(s);
    check_online(s);
}

static void end_connection(struct session *s, const char *why);

static void on_subscribed(void *arg, int mid, const int *granted, int count)
{
    struct session *s = arg;
    const char *refused = filters_answered(s->filters, mid, granted, count);
    if (refused) {
        char *why = xasprintf("the broker refused the subscription to %s", refused);
        end_connection(s, why);
        free(why);
        return;
    }
    check_online(s);
}

static void on_message(void *arg, const char *topic, const void *payload, size_t len, bool retained)
{
    struct session *s = arg;
    if (len > POST_PAYLOAD_MAX || strlen(topic) > FRAME_NAME_MAX) {
        s->dropped++;
        log_warn("session", "topic=%.80s a message of %zu bytes is longer than allowed, dropped (%llu so far)", topic,
                 len, s->dropped);
        return;
    }
    struct frame frame = {
        .type = POST_MESSAGE, .flags = retained ? POST_RETAIN : 0, .name = topic, .body = payload, .body_len = len};
    s->send(s->arg, &frame);
}

static void on_published(void *arg, int mid)
{
    struct session *s = arg;
    uint32_t id;
    bool qos0;
    if (!pubqueue_acked(&s->queue, mid, &id, &qos0))
        return;
    if (!qos0)
        tell(s, POST_ACK, id, NULL);
    pump(s);
}

static void connect_now(uv_timer_t *timer);

static void retry_in(struct session *s, int64_t delay_ms)
{
    log_debug("session", "client=%s next try in %lld ms", s->client_id, (long long)delay_ms);
    uv_timer_start(s->timer, connect_now, (uint64_t)delay_ms, 0);
}

/* `lost`: a session stood. Then all others may have lost theirs too, and the window counts, however short it stood. */
static int64_t next_delay_ms(struct session *s, bool lost)
{
    if (s->time_refused && s->signed_ms_at_try != s->known->signed_ms)
        return 0;
    /* What spreads a crowd over a window must not hurry once its tries begin to fail: that is when it is too many. */
    int64_t base_ms = s->spread_ms / 4 > BACKOFF_BASE_MS ? s->spread_ms / 4 : BACKOFF_BASE_MS;
    struct backoff backoff = {.spread_ms = s->spread_ms, .base_ms = base_ms, .max_ms = s->settings->backoff_max_ms};
    uint32_t chance;
    random_bytes(&chance, sizeof(chance));
    int64_t again_ms = backoff_delay_ms(&backoff, s->attempt, chance);
    int64_t first_ms = lost ? backoff_delay_ms(&backoff, 0, chance) : 0;
    return again_ms > first_ms ? again_ms : first_ms;
}

static void fail_publishes(struct session *s)
{
    uint32_t id;
    while (pubqueue_fail(&s->queue, &id))
        tell(s, POST_NACK, id, "offline");
}

static void end_connection(struct session *s, const char *why)
{
    bool was_online = s->online;
    s->up = s->online = false;
    s->time_refused = tls_refusal_is_time(tls_refusal(s->tls));
    mqtt_stop(s->mqtt);
    s->mqtt = NULL;
    filters_begin_anew(s->filters);
    if (was_online && clock_elapsed_ms() - s->online_since_ms >= STEADY_MS)
        s->attempt = 0;
    else
        s->attempt++;
    if (was_online || !s->told || strcmp(s->why, why) != 0) {
        log_warn("session", "client=%s offline: %s; trying again", s->client_id, why);
        snprintf(s->why, sizeof(s->why), "%s", why);
        s->told = true;
        tell(s, POST_OFFLINE, 0, why);
    }
    fail_publishes(s);
    retry_in(s, next_delay_ms(s, was_online));
}

static void on_down(void *arg, const char *why)
{
    end_connection(arg, why);
}

static void connect_now(uv_timer_t *timer)
{
    static const struct mqtt_events events = {
        .up = on_up, .message = on_message, .subscribed = on_subscribed, .published = on_published, .down = on_down};
    struct session *s = timer->data;
    s->signed_ms_at_try = s->known->signed_ms;
    tls_begin(s->tls, s->known);
    s->mqtt = mqtt_start(s->loop, s->settings, s->tls, s->client_id, &s->will, &events, s);
    if (s->paused)
        mqtt_pause(s->mqtt, true);
}

struct session *session_new(uv_loop_t *loop, const struct settings *settings, struct tls *tls,
                            const struct tls_time *known, const struct mqtt_will *will, int64_t delay_ms,
                            link_send_fn send, void *arg)
{
    struct session *s = xcalloc(1, sizeof(*s));
    s->loop = loop;
    s->settings = settings;
    s->spread_ms = settings->spread_ms;
    s->tls = tls;
    s->known = known;
    s->will = *will;
    s->send = send;
    s->arg = arg;
    uint32_t tail;
    random_bytes(&tail, sizeof(tail));
    s->client_id = xasprintf("%s-%08x", settings->client_id, (unsigned)tail);
    s->filters = filters_new();
    pubqueue_init(&s->queue);
    s->timer = xcalloc(1, sizeof(*s->timer));
    uv_timer_init(loop, s->timer);
    s->timer->data = s;
    retry_in(s, delay_ms);
    return s;
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

void session_free(struct session *s)
{
    if (!s)
        return;
    mqtt_stop(s->mqtt);
    uv_close((uv_handle_t *)s->timer, free_handle);
    pubqueue_done(&s->queue);
    filters_free(s->filters);
    free(s->will.topic);
    free(s->will.payload);
    free(s->client_id);
    free(s);
}

static void on_gathered(uv_timer_t *timer)
{
    subscribe_pending(timer->data);
}

int session_subscribe(struct session *s, const char *filter, bool brief)
{
    if (filter[0] == '\0' || mosquitto_sub_topic_check(filter) != MOSQ_ERR_SUCCESS)
        return ERR_FORMAT;
    if (brief && !s->up)
        return 0; /* the connection it was for is gone */
    int r = filters_want(s->filters, filter, brief, POST_FILTERS_MAX);
    if (r == 0 && s->up)
        uv_timer_start(s->timer, on_gathered, 0, 0); /* many at once share a packet */
    return r;
}

void session_unsubscribe(struct session *s, const char *filter)
{
    struct filter *found = filters_find(s->filters, filter);
    if (!found)
        return;
    if (s->mqtt && filter_asked(found) && mqtt_unsubscribe(s->mqtt, filter) < 0)
        log_debug("session", "the connection broke before %s was unsubscribed",
                  filter); /* the next knows nothing of it */
    filters_drop(s->filters, found);
    check_online(s);
}

/* Give libmosquitto what there is room for. */
static void pump(struct session *s)
{
    int hand;
    if (s->online)
        subscribe_pending(s); /* a client that publishes behind them counts on that order */
    for (struct publish *p; s->online && (p = pubqueue_next(&s->queue, &hand));) {
        int r = mqtt_publish(s->mqtt, p->topic, p->payload, p->len, p->flags & POST_QOS0 ? 0 : 1,
                             p->flags & POST_RETAIN, &s->queue.hands[hand].mid);
        if (r == ERR_FORMAT) {
            s->queue.hands[hand].used = false;
            tell(s, POST_NACK, p->id, "bad topic");
        }
        publish_free(p);
        if (r == ERR_STATE)
            return; /* `down` comes and answers for all */
    }
}

void session_publish(struct session *s, const struct frame *publish)
{
    if (publish->body_len > POST_PAYLOAD_MAX)
        tell(s, POST_NACK, publish->id, "too large");
    else if (mosquitto_pub_topic_check(publish->name) != MOSQ_ERR_SUCCESS || publish->name[0] == '\0')
        tell(s, POST_NACK, publish->id, "bad topic");
    else if (!s->online)
        tell(s, POST_NACK, publish->id, "offline");
    else if (pubqueue_add(&s->queue, publish->id, publish->name, publish->body, publish->body_len, publish->flags) < 0)
        tell(s, POST_NACK, publish->id, "full");
    else
        pump(s);
}

void session_time_changed(struct session *s)
{
    if (s->mqtt || !s->time_refused || s->signed_ms_at_try == s->known->signed_ms)
        return;
    retry_in(s, 0);
}

void session_spread(struct session *s, int64_t spread_ms)
{
    s->spread_ms = spread_ms;
}

void session_pause(struct session *s, bool paused)
{
    if (s->paused == paused)
        return;
    s->paused = paused;
    if (s->mqtt)
        mqtt_pause(s->mqtt, paused);
}
