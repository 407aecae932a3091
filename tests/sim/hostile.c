/* hostile.c - see hostile.h: standing in the way of others' messages, and cutting. */
#include "tests/sim/hostile_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DELAY_MAX_MS = 60000, AWAY_MAX_MS = 90000, PAUSE_MAX_MS = 8000 };

static bool hit(struct hostile *hostile, uint32_t percent)
{
    return chance_hit(&hostile->chance, percent);
}

static int64_t some_ms(struct hostile *hostile)
{
    return chance_below(&hostile->chance, DELAY_MAX_MS);
}

static void record(struct hostile *hostile, const char *topic, const void *payload, size_t len, bool down)
{
    size_t i =
        hostile->n_recorded < RECORDED_MAX ? hostile->n_recorded++ : chance_below(&hostile->chance, RECORDED_MAX);
    struct recorded *at = &hostile->recorded[i];
    snprintf(at->topic, sizeof(at->topic), "%s", topic);
    at->payload.len = 0;
    buf_put(&at->payload, payload, len);
    at->down = down;
}

static void see_id(struct hostile *hostile, uint32_t id)
{
    hostile->ids[hostile->n_ids++ % SEEN_IDS] = id;
}

/* --- down --- */

/* Deliver it, perhaps late, twice, under the wrong flag. */
static void pass_down(struct hostile *hostile, const char *topic, const void *payload, size_t len)
{
    struct net *net = hostile->world->net;
    net_to_agent(net, topic, payload, len, hit(hostile, 10), hit(hostile, 40) ? some_ms(hostile) : 0);
    if (hit(hostile, 20))
        net_to_agent(net, topic, payload, len, hit(hostile, 50), some_ms(hostile));
}

static bool on_down(void *arg, const char *topic, const void *payload, size_t len, bool retain)
{
    struct hostile *hostile = arg;
    struct net *net = hostile->world->net;
    record(hostile, topic, payload, len, true);
    if (hostile->mode != HOSTILE_ATTACKS)
        return false;
    if (retain == hit(hostile, 80)) /* also: retained what was not to be, or not retained what was */
        net_retain(net, topic, payload, len);
    uint32_t what = chance_below(&hostile->chance, 100);
    hostile->deeds++;
    if (what < 25)
        return true; /* dropped */
    if (what < 40) {
        struct buf altered = {0};
        buf_put(&altered, payload, len);
        forge_alter(hostile, &altered);
        net_to_agent(net, topic, altered.data, altered.len, hit(hostile, 30), 0);
        buf_done(&altered);
        if (hit(hostile, 50))
            return true;
    } else if (what < 44) {
        postman_break(net_postman(net), POST_MESSAGE, topic, payload, len, chance_below(&hostile->chance, 60));
        return true;
    }
    pass_down(hostile, topic, payload, len);
    return true;
}

/* --- up --- */

static bool on_up(void *arg, uint32_t id, const char *topic, const void *payload, size_t len, bool retain)
{
    struct hostile *hostile = arg;
    struct net *net = hostile->world->net;
    (void)retain;
    see_id(hostile, id);
    record(hostile, topic, payload, len, false);
    if (hostile->mode != HOSTILE_ATTACKS)
        return false;
    hostile->deeds++;
    uint32_t answer = chance_below(&hostile->chance, 100);
    if (answer < 75) /* the same whether it was passed on or not */
        net_answer(net, POST_ACK, id, NULL, NULL, hit(hostile, 30) ? some_ms(hostile) : 0);
    else if (answer < 85)
        net_answer(net, POST_NACK, id, NULL, "offline", 0);
    uint32_t what = chance_below(&hostile->chance, 100);
    if (what < 35)
        return true;
    struct buf copy = {0};
    buf_put(&copy, payload, len);
    if (what < 45)
        forge_alter(hostile, &copy);
    net_to_centre(net, topic, copy.data, copy.len, hit(hostile, 30) ? some_ms(hostile) : 0);
    if (hit(hostile, 15))
        net_to_centre(net, topic, payload, len, some_ms(hostile));
    buf_done(&copy);
    return true;
}

static const struct buf *evil_blob(const struct hostile *hostile, const char *hash)
{
    for (size_t i = 0; i < hostile->n_blobs; i++)
        if (strcmp(hostile->blobs[i].hash.hex, hash) == 0)
            return &hostile->blobs[i].bytes;
    return NULL;
}

static bool on_fetch(void *arg, uint32_t id, const char *hash)
{
    struct hostile *hostile = arg;
    struct net *net = hostile->world->net;
    const struct centre_blob *blob = centre_blob(hostile->world->centre, hash);
    const struct buf *evil = evil_blob(hostile, hash);
    see_id(hostile, id);
    if (hostile->mode != HOSTILE_ATTACKS)
        return false;
    uint32_t what = chance_below(&hostile->chance, 100);
    hostile->deeds++;
    if (what < 15)
        return true; /* never answered */
    if (what < 25) {
        net_answer(net, POST_NOT_FETCHED, id, hash, "{\"why\":\"no\",\"final\":true}", some_ms(hostile) / 10);
    } else if (what < 40) { /* as long as it should be, and something else */
        struct buf wrong = {0};
        if (blob)
            buf_put(&wrong, blob->data, blob->len);
        forge_alter(hostile, &wrong);
        net_hand_over(net, id, hash, wrong.data, wrong.len, 0);
        buf_done(&wrong);
    } else if (what < 50) {
        const struct buf *other = &hostile->blobs[chance_below(&hostile->chance, EVIL_BLOBS)].bytes;
        net_hand_over(net, id, hash, other->data, other->len, 0);
    } else if (evil) { /* his own are handed over gladly */
        net_hand_over(net, id, hash, evil->data, evil->len, 0);
    } else if (blob) {
        net_hand_over(net, id, hash, blob->data, blob->len, hit(hostile, 30) ? some_ms(hostile) : 0);
    }
    return true;
}

static bool on_attached(void *arg)
{
    struct hostile *hostile = arg;
    if (hostile->mode != HOSTILE_ATTACKS || hit(hostile, 70))
        return false;
    hostile->deeds++;
    if (hit(hostile, 60))
        net_answer(hostile->world->net, POST_ONLINE, 0, NULL, NULL, some_ms(hostile));
    return true; /* nothing of what is retained */
}

/* --- cuts and lies about the session --- */

static void cut(struct hostile *hostile)
{
    struct postman *postman = net_postman(hostile->world->net);
    uint32_t what = chance_below(&hostile->chance, 5);
    uint8_t noise[40];
    for (size_t i = 0; i < sizeof(noise); i++)
        noise[i] = (uint8_t)chance_next(&hostile->chance);
    if (what == 0) {
        postman_hang_up(postman);
    } else if (what == 1) {
        postman_babble(postman, noise, sizeof(noise));
    } else if (what == 2) {
        net_answer(hostile->world->net, POST_OFFLINE, 0, NULL, "the broker is away", 0);
    } else if (what == 3) {
        net_online(hostile->world->net);
    } else {
        hostile->away = true;
        net_there(hostile->world->net, false);
    }
}

/* Answers that nobody gave. */
static void lie(struct hostile *hostile)
{
    static const enum post_type answers[] = {POST_ACK, POST_ACK, POST_ACK, POST_NACK, POST_NOT_FETCHED, POST_FETCHED};
    enum post_type type = answers[chance_below(&hostile->chance, 6)];
    uint32_t id = hit(hostile, 80) ? hostile->ids[chance_below(&hostile->chance, SEEN_IDS)]
                                   : (uint32_t)chance_next(&hostile->chance);
    const struct world *world = hostile->world;
    const struct centre_blob *blob =
        &world->centre->blobs[chance_below(&hostile->chance, (uint32_t)world->centre->n_blobs)];
    char fetched[100];
    snprintf(fetched, sizeof(fetched), "{\"path\":\"/etc/passwd\",\"size\":%zu}", blob->len);
    net_answer(world->net, type, id, blob->hash.hex, type == POST_FETCHED ? fetched : "{\"why\":\"no\",\"final\":true}",
               0);
}

static void on_timer(uv_timer_t *timer)
{
    struct hostile *hostile = timer->data;
    int64_t pause_ms = 1 + chance_below(&hostile->chance, PAUSE_MAX_MS);
    if (hostile->away) {
        hostile->away = false;
        net_there(hostile->world->net, true);
    } else {
        uint32_t what = chance_below(&hostile->chance, 100);
        hostile->deeds++;
        if (what < 8)
            cut(hostile);
        else if (what < 35)
            lie(hostile);
        else
            forge_one(hostile);
        if (hostile->away)
            pause_ms = chance_below(&hostile->chance, AWAY_MAX_MS);
    }
    uv_timer_start(timer, on_timer, (uint64_t)pause_ms, 0);
}

/* --- modes --- */

static const struct net_hooks hooks = {.down = on_down, .up = on_up, .fetch = on_fetch, .attached = on_attached};

void hostile_record(struct hostile *hostile)
{
    hostile->mode = HOSTILE_LISTENS;
    net_hooks(hostile->world->net, &hooks, hostile);
}

void hostile_attack(struct hostile *hostile)
{
    hostile->mode = HOSTILE_ATTACKS;
    net_hooks(hostile->world->net, &hooks, hostile);
    uv_timer_start(&hostile->timer, on_timer, PAUSE_MAX_MS, 0);
}

void hostile_behave(struct hostile *hostile)
{
    struct world *world = hostile->world;
    char topic[96];
    hostile->mode = HOSTILE_QUIET;
    uv_timer_stop(&hostile->timer);
    net_hooks(world->net, NULL, NULL);
    for (enum doc_type type = DOC_TRUST; type <= DOC_COMMAND; type++) {
        const struct centre_doc *doc = type <= DOC_PLAYLIST ? &world->centre->docs[type] : NULL;
        centre_topic(world->centre, type, topic);
        net_retain(world->net, topic, doc ? doc->sealed : "", doc ? strlen(doc->sealed) : 0);
    }
    if (hit(hostile, 50))
        net_there(world->net, false);
    else
        net_online(world->net); /* within the session, as a link says it after a reconnect of its own */
    net_there(world->net, true);
}

size_t hostile_deeds(const struct hostile *hostile)
{
    return hostile->deeds;
}

struct hostile *hostile_new(struct world *world, uint64_t seed)
{
    struct hostile *hostile = xcalloc(1, sizeof(*hostile));
    hostile->world = world;
    hostile->chance.state = seed ^ UINT64_C(0xbad);
    signer_generate(&hostile->thief);
    forge_make_blobs(hostile);
    uv_timer_init(&world->loop, &hostile->timer);
    hostile->timer.data = hostile;
    return hostile;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void hostile_free(struct hostile *hostile)
{
    net_hooks(hostile->world->net, NULL, NULL);
    for (size_t i = 0; i < RECORDED_MAX; i++)
        buf_done(&hostile->recorded[i].payload);
    for (size_t i = 0; i < hostile->n_blobs; i++)
        buf_done(&hostile->blobs[i].bytes);
    uv_close((uv_handle_t *)&hostile->timer, on_closed);
}
