/* agent_wire.c - the agent's side of the link: one attach is one session, named by a fresh nonce. */
#include "firmware/agent_parts.h"

#include "playlists/base/clock.h"
#include "playlists/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef LOA_VERSION
#define LOA_VERSION "0"
#endif

enum { WITHHELD_AFTER_MS = 60000, HELD_MAX = 8, LINK_ID_MAX = 0x3fffffff };

static uint32_t next_id(struct agent *agent)
{
    agent->last_id = agent->last_id >= LINK_ID_MAX ? 1 : agent->last_id + 1;
    return agent->last_id;
}

static void topic_of(const struct agent *agent, const char *word, char ret[96])
{
    snprintf(ret, 96, "loa/1/dev/%s/%s", agent->settings->device, word);
}

int agent_publish(struct agent *agent, const char *word, enum doc_type type, const void *doc, unsigned flags)
{
    char topic[96];
    char *sealed = NULL;
    if (!agent->post || !agent->online)
        return -ENOTCONN;
    topic_of(agent, word, topic);
    int r = letters_seal(&agent->letters, type, doc, &sealed);
    if (r == 0)
        r = post_publish(agent->post, next_id(agent), topic, sealed, strlen(sealed), flags);
    free(sealed);
    return r;
}

int agent_send_row(void *arg, uint32_t id, enum outbox_kind kind, const void *sealed, size_t len)
{
    struct agent *agent = arg;
    char topic[96];
    if (!agent->post || !agent->online)
        return -ENOTCONN;
    topic_of(agent, outbox_kind_names[kind], topic);
    return post_publish(agent->post, id, topic, sealed, len, 0);
}

int agent_fetch(void *arg, uint32_t id, const char *hash, int64_t size, bool urgent)
{
    struct agent *agent = arg;
    return agent->post ? post_fetch(agent->post, id, hash, (uint64_t)size, urgent) : -ENOTCONN;
}

void agent_cancel_fetch(void *arg, uint32_t id)
{
    struct agent *agent = arg;
    if (agent->post)
        (void)!post_cancel(agent->post, id); /* without a socket there is nothing to cancel */
}

/* --- state --- */

struct state_paper {
    struct state state;
    struct held_doc held[HELD_MAX];
    struct outbox_head outbox[OUTBOX_KINDS];
};

static void make_state(struct agent *agent, bool on, struct state_paper *ret)
{
    memset(ret, 0, sizeof(*ret));
    for (int kind = 0; kind < OUTBOX_KINDS; kind++)
        ret->outbox[kind] = (struct outbox_head){.kind = outbox_kind_names[kind],
                                                 .last = outbox_last(agent->outbox, (enum outbox_kind)kind)};
    ret->state = (struct state){.head = letters_head(&agent->letters, agent_stamp_ms(agent)),
                                .device = agent->settings->device,
                                .on = on,
                                .nonce = agent->nonce,
                                .store = vault_store(agent->vault)};
    if (!on)
        return;
    ret->state.serial = agent->settings->serial;
    ret->state.software = "loa-agent " LOA_VERSION;
    ret->state.grade = time_grade_names[agent->time.grade];
    ret->state.boot = agent->boot;
    ret->state.on_air = agent->on_air[0] ? agent->on_air : NULL;
    ret->state.held = ret->held;
    ret->state.n_held = courier_held(agent->courier, ret->held, HELD_MAX);
    ret->state.outbox = ret->outbox;
    ret->state.n_outbox = OUTBOX_KINDS;
}

/* What a state says, as one number: all but its head. */
static uint64_t state_mark(const struct state_paper *paper)
{
    struct buf text = {0};
    buf_putf(&text, "%s %s %s", paper->state.nonce, paper->state.grade, paper->state.on_air ? paper->state.on_air : "");
    for (size_t i = 0; i < paper->state.n_held; i++)
        buf_putf(&text, " %s", paper->state.held[i].hash);
    for (int kind = 0; kind < OUTBOX_KINDS; kind++)
        buf_putf(&text, " %lld", (long long)paper->outbox[kind].last);
    uint64_t mark = arbiter_key(buf_text(&text));
    buf_done(&text);
    return mark;
}

void agent_tell_state(struct agent *agent)
{
    struct state_paper paper;
    if (!agent->online)
        return;
    make_state(agent, true, &paper);
    uint64_t mark = state_mark(&paper);
    if (mark != agent->state_told && agent_publish(agent, "state", DOC_STATE, &paper.state, POST_RETAIN) == 0)
        agent->state_told = mark;
}

void agent_tell_link(struct agent *agent)
{
    if (!agent->post)
        return;
    if (agent->tk.newest_ms != agent->link_told_ms && post_time(agent->post, agent->tk.newest_ms) == 0)
        agent->link_told_ms = agent->tk.newest_ms;
    if (agent->spread_s != agent->link_spread_s && post_spread(agent->post, agent->spread_s) == 0)
        agent->link_spread_s = agent->spread_s;
}

/* --- the session --- */

static void on_connected(void *arg)
{
    struct agent *agent = arg;
    struct state_paper paper;
    char will_topic[96], topics[4][96];
    static const char *const down[] = {"config", "playlist", "welcome", "cmd"};
    const char *filters[6] = {"loa/1/trust", "loa/1/keys"};
    uint8_t random[16];
    random_bytes(random, sizeof(random));
    char *nonce = b64url_encode(random, sizeof(random));
    snprintf(agent->nonce, sizeof(agent->nonce), "%s", nonce);
    free(nonce);
    courier_session(agent->courier, agent->nonce, clock_elapsed_ms());
    timekeeper_session_began(&agent->tk, clock_elapsed_ms());
    for (size_t i = 0; i < 4; i++) {
        topic_of(agent, down[i], topics[i]);
        filters[2 + i] = topics[i];
    }
    topic_of(agent, "state", will_topic);
    make_state(agent, false, &paper);
    char *will = NULL;
    if (letters_seal(&agent->letters, DOC_STATE, &paper.state, &will) < 0)
        return;
    agent->link_told_ms = 0;
    agent->link_spread_s = -1;
    agent_tell_link(agent);
    if (post_attach(agent->post, will_topic, will, strlen(will), filters, 6) < 0)
        log_warn("link", "attaching failed; tried again when the socket is made anew");
    free(will);
    fetcher_online(agent->fetcher, true);
    agent_wants(agent);
}

void agent_ask_for_retained(struct agent *agent)
{
    static const char *const retained[] = {"config", "playlist"};
    if (!agent->post || !agent->online)
        return; /* the next session brings it */
    int r = post_subscribe(agent->post, "loa/1/trust");
    if (r == 0)
        r = post_subscribe(agent->post, "loa/1/keys");
    for (size_t i = 0; r == 0 && i < 2; i++) {
        char topic[96];
        topic_of(agent, retained[i], topic);
        r = post_subscribe(agent->post, topic);
    }
    if (r < 0)
        log_warn("link", "what the broker retains cannot be asked for again now; the next session brings it");
}

static void session_over(struct agent *agent)
{
    agent->online = agent->welcomed = false;
    agent->state_told = 0;
    timekeeper_session_ended(&agent->tk);
    outbox_offline(agent->outbox);
}

static void on_disconnected(void *arg)
{
    struct agent *agent = arg;
    session_over(agent);
    courier_session(agent->courier, "", clock_elapsed_ms());
    fetcher_online(agent->fetcher, false);
    log_warn("link", "no loa-link behind %s; goes on from the vault", agent->settings->link_path);
}

static void on_online(void *arg)
{
    struct agent *agent = arg;
    agent->online = true;
    agent->state_told = 0;
    agent->health_told_ms = 0;
    log_info("link", "session stands");
    agent_tell_state(agent);
    outbox_online(agent->outbox, clock_elapsed_ms());
}

static void on_offline(void *arg, const char *why)
{
    struct agent *agent = arg;
    session_over(agent);
    log_warn("link", "broker is away: %s; goes on from the vault", why);
}

static void on_message(void *arg, const char *topic, const void *payload, size_t len, bool retained)
{
    struct agent *agent = arg;
    if (agent->stopping)
        return; /* nothing is decided any more: what the broker retains comes again with the next session */
    agent_look_at_time(agent);
    struct courier_now now = agent_courier_now(agent);
    courier_message(agent->courier, topic, payload, len, retained, &now);
}

static void on_acked(void *arg, uint32_t id)
{
    struct agent *agent = arg;
    outbox_acked(agent->outbox, id, clock_elapsed_ms());
}

static void on_refused(void *arg, uint32_t id, const char *why)
{
    struct agent *agent = arg;
    if (!outbox_refused(agent->outbox, id)) {
        agent->state_told = 0; /* state or health: told again at the next tick */
        log_debug("link", "message was dropped: %s", why);
    }
}

/* What counts is `<spool>/<hash>`; the path that the link says is for people. */
static void on_fetched(void *arg, uint32_t id, const char *hash, const char *path, uint64_t size)
{
    struct agent *agent = arg;
    int64_t expected = fetcher_fetched(agent->fetcher, id, hash);
    if (expected >= 0 && size == (uint64_t)expected) {
        blobs_take(agent->blobs, hash, expected);
        return;
    }
    blobs_discard(agent->blobs, hash); /* handed over for good, and of no use */
    if (expected < 0)
        return;
    log_warn("fetch", "%.12s: the link handed over %s of %llu bytes, which is not what was asked for", hash, path,
             (unsigned long long)size);
    fetcher_spoilt(agent->fetcher, hash, clock_elapsed_ms());
}

static void on_not_fetched(void *arg, uint32_t id, const char *hash, const char *why, bool final)
{
    struct agent *agent = arg;
    log_warn("fetch", "%.12s: %s%s", hash, why, final ? "; asked for again later" : "");
    fetcher_failed(agent->fetcher, id, final, clock_elapsed_ms());
}

int agent_open_link(struct agent *agent)
{
    struct post_events events = {.connected = on_connected,
                                 .disconnected = on_disconnected,
                                 .online = on_online,
                                 .offline = on_offline,
                                 .message = on_message,
                                 .acked = on_acked,
                                 .refused = on_refused,
                                 .fetched = on_fetched,
                                 .not_fetched = on_not_fetched};
    return post_new(agent->loop, agent->settings->link_path, &events, agent, &agent->post);
}

/* --- what the controller says --- */

void agent_welcome(void *arg, const struct welcome *welcome, const char *kid)
{
    struct agent *agent = arg;
    struct clocks clocks = {
        .wall_ms = clock_wall_ms(), .elapsed_ms = clock_elapsed_ms(), .kernel_synced = clock_kernel_synced()};
    memcpy(clocks.boot, agent->boot, sizeof(clocks.boot));
    timekeeper_welcome(&agent->tk, &clocks, welcome->time_ms, courier_trust_exp_ms(agent->courier), kid);
    agent_look_at_time(agent);
    if (!agent->welcomed)
        log_info("link", "welcomed, time is %s", time_grade_names[agent->time.grade]);
    agent->welcomed = agent->below_floor = true;
    int r =
        outbox_welcomed(agent->outbox, welcome->stored, welcome->n_stored, agent_stamp_ms(agent), clocks.elapsed_ms);
    if (r < 0)
        log_warn("outbox", "what a welcome says is stored cannot be noted now; it is sent once more");
    else if (r > 0)
        log_warn("outbox",
                 "what the centre has of store id %s is not what is here (a copied or an older SD card?); all"
                 " that is here is sent once more",
                 vault_store(agent->vault));
    agent->spread_s = welcome->spread_s;
    agent_tell_link(agent);
    agent_ask_soon(agent);
}

/* A floor above what is held, for longer than a journey takes: somebody keeps the newer document back. */
void agent_watch_floors(struct agent *agent)
{
    int64_t now_ms = clock_elapsed_ms();
    if (!agent->below_floor)
        return; /* only a welcome raises one */
    agent->below_floor = false;
    for (enum doc_type type = DOC_TRUST; type <= DOC_PLAYLIST; type++) {
        struct held_version held;
        vault_held(agent->vault, type, &held);
        bool below = doc_version_cmp(held.era, held.ver, held.floor_era, held.floor_ver) < 0;
        agent->below_floor |= below;
        if (!below || !agent->welcomed) {
            agent->floors_at_ms[type] = 0;
            continue;
        }
        if (agent->floors_at_ms[type] == 0)
            agent->floors_at_ms[type] = now_ms;
        if (now_ms - agent->floors_at_ms[type] < WITHHELD_AFTER_MS || agent->floor_told[type] == held.floor_ver)
            continue;
        agent->floor_told[type] = held.floor_ver;
        log_warn("courier", "%s: the centre says %lld is valid, but it does not arrive; plays what it has",
                 doc_word(type), (long long)held.floor_ver);
        agent_event(agent, "withheld", doc_word(type), "the centre's floor is %lld.%lld, held is %lld.%lld",
                    (long long)held.floor_era, (long long)held.floor_ver, (long long)held.era, (long long)held.ver);
    }
}
