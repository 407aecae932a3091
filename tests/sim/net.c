/* net.c - see net.h. Each deed that is still to come is one timer. */
#include "tests/sim/net.h"

#include "playlists/base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RETAINED_MAX = 8, LATENCY_MS = 20, WAITING_MAX = 64 };

enum deed_kind { TO_AGENT, TO_CENTRE, ANSWER, HAND_OVER };

/* Something that happens later. */
struct deed {
    uv_timer_t timer;
    struct net *net; /* NULL: the net is gone */
    struct deed *next;
    enum deed_kind kind;
    enum post_type type;
    uint32_t id;
    bool retained;
    uint64_t session;
    char *name; /* topic or hash; owned */
    struct buf body;
};

struct net {
    uv_loop_t *loop;
    struct centre **centre;
    struct postman *postman;
    char *spool;
    struct net_hooks hooks;
    void *arg;
    net_tap_fn tap;
    void *tap_arg;
    int64_t latency_ms;
    uint64_t session;
    struct {
        char *topic;
        struct buf payload;
    } retained[RETAINED_MAX];
    char *will_topic, *will;
    struct deed *deeds;
    uint32_t waiting[WAITING_MAX];
    size_t n_waiting, most_waiting;
};

static void on_closed(uv_handle_t *handle)
{
    struct deed *deed = (struct deed *)handle;
    buf_done(&deed->body);
    free(deed->name);
    free(deed);
}

static void drop_deed(struct net *net, struct deed *deed)
{
    struct deed **at = &net->deeds;
    while (*at != deed)
        at = &(*at)->next;
    *at = deed->next;
    uv_close((uv_handle_t *)&deed->timer, on_closed);
}

static void put_into_spool(struct net *net, const char *hash, const struct buf *data)
{
    char *path = xasprintf("%s/%s", net->spool, hash);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(data->data, 1, data->len, file) != data->len)
        abort(); /* a folder of our own */
    fclose(file);
    free(path);
}

static void no_longer_waiting(struct net *net, uint32_t id)
{
    for (size_t i = 0; i < net->n_waiting; i++)
        if (net->waiting[i] == id)
            net->waiting[i--] = net->waiting[--net->n_waiting];
}

static void do_deed(struct net *net, struct deed *deed)
{
    const void *body = deed->body.data;
    size_t len = deed->body.len;
    if (deed->kind == TO_CENTRE) {
        centre_take(*net->centre, deed->name, body, len);
        return;
    }
    if (!postman_attached(net->postman))
        return;
    if (deed->kind == TO_AGENT) {
        postman_send(net->postman, POST_MESSAGE, deed->retained ? POST_RETAIN : 0, 0, deed->name, body, len);
        return;
    }
    if (deed->session != net->session)
        return; /* an answer is of its session */
    if (deed->kind == ANSWER) {
        if (deed->type == POST_ACK || deed->type == POST_NACK)
            no_longer_waiting(net, deed->id);
        postman_send(net->postman, deed->type, 0, deed->id, deed->name, body, len);
        return;
    }
    char said[100];
    snprintf(said, sizeof(said), "{\"path\":\"/somewhere\",\"size\":%zu}", len);
    put_into_spool(net, deed->name, &deed->body);
    postman_send(net->postman, POST_FETCHED, 0, deed->id, deed->name, said, strlen(said));
}

static void on_due(uv_timer_t *timer)
{
    struct deed *deed = (struct deed *)timer;
    struct net *net = deed->net;
    do_deed(net, deed);
    drop_deed(net, deed);
}

static void later(struct net *net, struct deed what, const char *name, const void *body, size_t len, int64_t in_ms)
{
    struct deed *deed = xcalloc(1, sizeof(*deed));
    *deed = what;
    deed->net = net;
    deed->session = net->session;
    deed->name = xstrdup(name ? name : "");
    buf_put(&deed->body, body ? body : "", len);
    deed->next = net->deeds;
    net->deeds = deed;
    uv_timer_init(net->loop, &deed->timer);
    uv_timer_start(&deed->timer, on_due, (uint64_t)(net->latency_ms + in_ms), 0);
}

void net_to_agent(struct net *net, const char *topic, const void *payload, size_t len, bool retained, int64_t in_ms)
{
    later(net, (struct deed){.kind = TO_AGENT, .retained = retained}, topic, payload, len, in_ms);
}

void net_to_centre(struct net *net, const char *topic, const void *payload, size_t len, int64_t in_ms)
{
    later(net, (struct deed){.kind = TO_CENTRE}, topic, payload, len, in_ms);
}

void net_answer(struct net *net, enum post_type type, uint32_t id, const char *name, const char *body, int64_t in_ms)
{
    later(net, (struct deed){.kind = ANSWER, .type = type, .id = id}, name, body, body ? strlen(body) : 0, in_ms);
}

void net_hand_over(struct net *net, uint32_t id, const char *hash, const void *data, size_t len, int64_t in_ms)
{
    later(net, (struct deed){.kind = HAND_OVER, .id = id}, hash, data, len, in_ms);
}

void net_retain(struct net *net, const char *topic, const void *payload, size_t len)
{
    size_t i = 0;
    while (i < RETAINED_MAX - 1 && net->retained[i].topic && strcmp(net->retained[i].topic, topic) != 0)
        i++;
    if (!net->retained[i].topic)
        net->retained[i].topic = xstrdup(topic);
    net->retained[i].payload.len = 0;
    buf_put(&net->retained[i].payload, payload ? payload : "", len);
}

void net_publish(struct net *net, const char *topic, const void *payload, size_t len, bool retain)
{
    if (net->hooks.down && net->hooks.down(net->arg, topic, payload, len, retain))
        return;
    if (retain)
        net_retain(net, topic, payload, len);
    net_to_agent(net, topic, payload, len, false, 0);
}

/* What is retained under this topic; NULL: under any. */
static void say_retained(struct net *net, const char *topic)
{
    for (size_t i = 0; i < RETAINED_MAX; i++)
        if (net->retained[i].topic && net->retained[i].payload.len > 0 &&
            (!topic || strcmp(topic, net->retained[i].topic) == 0))
            net_to_agent(net, net->retained[i].topic, net->retained[i].payload.data, net->retained[i].payload.len, true,
                         0);
}

void net_online(struct net *net)
{
    net_answer(net, POST_ONLINE, 0, NULL, NULL, 0);
    say_retained(net, NULL);
}

/* --- the agent --- */

static void on_attached(void *arg, const char *will_topic, const char *will, size_t will_len)
{
    struct net *net = arg;
    net->session++;
    net->n_waiting = 0;
    free(net->will_topic);
    free(net->will);
    net->will_topic = will_topic ? xstrdup(will_topic) : NULL;
    net->will = will ? xasprintf("%.*s", (int)will_len, will) : NULL;
    if (!net->hooks.attached || !net->hooks.attached(net->arg))
        net_online(net);
}

static void on_gone(void *arg)
{
    struct net *net = arg;
    if (net->will_topic && net->will)
        net_to_centre(net, net->will_topic, net->will, strlen(net->will), 0);
    free(net->will_topic);
    free(net->will);
    net->will_topic = net->will = NULL;
}

static void on_subscribed(void *arg, const char *topic)
{
    say_retained(arg, topic);
}

static bool is_record(const char *topic)
{
    const char *word = strrchr(topic, '/');
    return word && (strcmp(word, "/receipt") == 0 || strcmp(word, "/event") == 0);
}

static void on_published(void *arg, uint32_t id, const char *topic, const void *payload, size_t len, bool retain)
{
    struct net *net = arg;
    if (net->tap)
        net->tap(net->tap_arg, topic, payload, len);
    if (is_record(topic) && net->n_waiting < WAITING_MAX) {
        net->waiting[net->n_waiting++] = id;
        if (net->n_waiting > net->most_waiting)
            net->most_waiting = net->n_waiting;
    }
    if (net->hooks.up && net->hooks.up(net->arg, id, topic, payload, len, retain))
        return;
    net_answer(net, POST_ACK, id, NULL, NULL, 0);
    net_to_centre(net, topic, payload, len, 0);
}

static void on_fetch(void *arg, uint32_t id, const char *hash)
{
    struct net *net = arg;
    if (net->hooks.fetch && net->hooks.fetch(net->arg, id, hash))
        return;
    const struct centre_blob *blob = centre_blob(*net->centre, hash);
    if (blob)
        net_hand_over(net, id, hash, blob->data, blob->len, 0);
    else
        net_answer(net, POST_NOT_FETCHED, id, hash, "{\"why\":\"it is not there\",\"final\":true}", 0);
}

size_t net_waiting(const struct net *net, size_t *ret_most)
{
    *ret_most = net->most_waiting;
    return net->n_waiting;
}

/* --- set --- */

void net_hooks(struct net *net, const struct net_hooks *hooks, void *arg)
{
    net->hooks = hooks ? *hooks : (struct net_hooks){0};
    net->arg = arg;
}

void net_tap(struct net *net, net_tap_fn tap, void *arg)
{
    net->tap = tap;
    net->tap_arg = arg;
}

struct postman *net_postman(struct net *net)
{
    return net->postman;
}

void net_there(struct net *net, bool there)
{
    postman_listen(net->postman, there);
    if (!there)
        postman_hang_up(net->postman);
}

void net_latency(struct net *net, int64_t latency_ms)
{
    net->latency_ms = latency_ms;
}

struct net *net_new(uv_loop_t *loop, const char *socket_path, const char *spool, struct centre **centre)
{
    struct net *net = xcalloc(1, sizeof(*net));
    struct postman_events events = {.attached = on_attached,
                                    .subscribed = on_subscribed,
                                    .published = on_published,
                                    .fetch = on_fetch,
                                    .gone = on_gone};
    net->loop = loop;
    net->centre = centre;
    net->spool = xstrdup(spool);
    net->latency_ms = LATENCY_MS;
    net->postman = postman_new(loop, socket_path, &events, net);
    return net;
}

void net_free(struct net *net)
{
    postman_free(net->postman);
    while (net->deeds)
        drop_deed(net, net->deeds);
    for (size_t i = 0; i < RETAINED_MAX; i++) {
        free(net->retained[i].topic);
        buf_done(&net->retained[i].payload);
    }
    free(net->will_topic);
    free(net->will);
    free(net->spool);
    free(net);
}
