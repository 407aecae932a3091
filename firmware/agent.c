/* agent.c - life of the agent: made, ticking, ended. See agent.h and agent_parts.h. */
#include "firmware/agent_parts.h"

#include "playlists/base/clock.h"
#include "playlists/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TICK_MS = 1000, STOP_MS = 3000, SWEEP_TICKS = 3600, WANTS_TICKS = 30, FLOOR_TICKS = 5 };

static struct clocks read_clocks(const struct agent *agent)
{
    struct clocks clocks = {
        .wall_ms = clock_wall_ms(), .elapsed_ms = clock_elapsed_ms(), .kernel_synced = clock_kernel_synced()};
    memcpy(clocks.boot, agent->boot, sizeof(clocks.boot));
    return clocks;
}

void agent_look_at_time(struct agent *agent)
{
    struct clocks clocks = read_clocks(agent);
    agent->time = timekeeper_look(&agent->tk, &clocks, clock_build_ms());
    agent->time_elapsed_ms = clocks.elapsed_ms;
    if (agent->tk.dirty && vault_save_timekeeper(agent->vault, &agent->tk) == 0)
        agent->tk.dirty = false;
    if (agent->time.step_ms != 0) {
        log_warn("time", "the wall clock stepped by %lld ms, time is now %s", (long long)agent->time.step_ms,
                 time_grade_names[agent->time.grade]);
        agent_event(agent, "clock_step", "clock", "the wall clock stepped by %lld ms", (long long)agent->time.step_ms);
        agent_ask_soon(agent);
    }
}

int64_t agent_stamp_ms(const struct agent *agent)
{
    int64_t now_ms = agent_time_of_elapsed(agent, clock_elapsed_ms()); /* the last look may be a second old */
    return now_ms > agent->time.lower_ms ? now_ms : agent->time.lower_ms;
}

int64_t agent_time_of_elapsed(const struct agent *agent, int64_t elapsed_ms)
{
    return agent->time.now_ms + (elapsed_ms - agent->time_elapsed_ms);
}

/* True when this event may be told; *ret_left_out: those of its kind that were not. */
static bool may_tell(struct agent *agent, const char *code, const char *about, unsigned *ret_left_out)
{
    char name[200];
    snprintf(name, sizeof(name), "%s %s", code, about);
    uint64_t key = arbiter_key(name);
    int64_t now_ms = clock_elapsed_ms();
    struct event_damper *damper = &agent->dampers[0];
    for (size_t i = 0; i < DAMPERS; i++) {
        if (agent->dampers[i].key == key) {
            damper = &agent->dampers[i];
            break;
        }
        if (agent->dampers[i].since_ms < damper->since_ms)
            damper = &agent->dampers[i];
    }
    *ret_left_out = 0;
    if (damper->key != key || now_ms - damper->since_ms > DAMPER_MS) {
        *ret_left_out = damper->key == key ? damper->left_out : 0;
        *damper = (struct event_damper){.key = key, .since_ms = now_ms};
    }
    if (damper->told < DAMPER_EVENTS) {
        damper->told++;
        return true;
    }
    damper->left_out++;
    return false;
}

void agent_event(struct agent *agent, const char *code, const char *about, const char *fmt, ...)
{
    char detail[800];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(detail, sizeof(detail), fmt, ap);
    va_end(ap);
    unsigned left_out = 0;
    if (!may_tell(agent, code, about, &left_out))
        return;
    if (left_out) {
        size_t used = strlen(detail);
        snprintf(detail + used, sizeof(detail) - used, " (%u more of these were left out)", left_out);
    }
    deeds_event(&agent->deeds, code, about, detail, agent_stamp_ms(agent));
    (void)!agent_settle(agent, NULL); /* kept in memory then, and tried again with each tick */
}

struct courier_now agent_courier_now(const struct agent *agent)
{
    return (struct courier_now){
        .now_ms = agent->time.lower_ms,
        .elapsed_ms = clock_elapsed_ms(),
        .idle = agent->ledger.on == ON_NOTHING,
        .timeless = agent->time.grade == GRADE_UNKNOWN,
    };
}

/* --- asked again --- */

static void on_ask(uv_timer_t *timer)
{
    agent_ask(timer->data);
}

void agent_ask_soon(struct agent *agent)
{
    if (!agent->over)
        uv_timer_start(agent->ask_timer, on_ask, 0, 0);
}

/* --- documents --- */

static void load_zone(struct agent *agent)
{
    const struct config *config = courier_config(agent->courier);
    struct complaint why = {0};
    zone_free(agent->zone);
    agent->zone = NULL;
    if (config && zone_load(agent->settings->zone_dir, config->zone, &agent->zone, &why) < 0) {
        log_err("agent", "%s; quiet hours and gain ceilings cannot be kept, so nothing is played", why.text);
        agent_event(agent, "zone_unknown", config->zone, "%s", why.text);
    }
}

static void on_settle(void *arg)
{
    struct agent *agent = arg;
    if (!agent->restarted)
        agent_ask(agent);
}

static void on_changed(void *arg, enum doc_type type)
{
    struct agent *agent = arg;
    agent->letters.era = courier_era(agent->courier);
    if (type == DOC_CONFIG)
        load_zone(agent);
    if (type == DOC_TRUST && agent->tk.newest_kid[0] && !courier_trusts(agent->courier, agent->tk.newest_kid)) {
        timekeeper_forget(&agent->tk);
        agent_look_at_time(agent);
    }
    /* Without its zone a device cannot tell its quiet hours: then it has no timetable. */
    const struct config *config = agent->zone ? courier_config(agent->courier) : NULL;
    if (type == DOC_PLAYLIST)
        timetable_replace(agent->timetable, courier_playlist(agent->courier));
    else
        timetable_set(agent->timetable, courier_playlist(agent->courier), config, courier_authority(agent->courier));
    agent->wants_changed = true;
    agent_ask_soon(agent);
}

static void on_refused(void *arg, const char *about, const char *reason, const char *why)
{
    agent_event(arg, "document_refused", about, "%s: %s", reason, why);
}

static void on_approval_refused(void *arg, const char *about, const char *hash, enum refusal refusal, const char *why)
{
    struct agent *agent = arg;
    struct hash name;
    snprintf(name.hex, sizeof(name.hex), "%s", hash);
    if (vault_refusal_is_new(agent->vault, &name, refusal_names[refusal]))
        agent_event(agent, "document_refused", about, "%s: %s", refusal_names[refusal], why);
}

/* --- ticking --- */

static void finish_stop(struct agent *agent)
{
    bool late = clock_elapsed_ms() - agent->stop_elapsed_ms > STOP_MS;
    if (!late && !stage_closed(agent->stage))
        return;
    if (late)
        log_warn("agent", "outputs did not all answer within %d ms; going anyway", STOP_MS);
    agent->over = true;
    agent->stopped(agent->stopped_arg);
}

static void on_tick(uv_timer_t *timer)
{
    struct agent *agent = timer->data;
    pulse_within(&agent->pulse, PULSE_STEP_MS);
    if (agent->stopping) {
        if (!agent->over)
            finish_stop(agent);
        return;
    }
    agent->ticks++;
    agent_look_at_time(agent);
    agent_watch_vault(agent);
    vault_tidy(agent->vault);
    struct courier_now now = agent_courier_now(agent);
    courier_expire(agent->courier, &now);
    courier_again(agent->courier, &now);
    if (agent->wants_changed || agent->ticks % WANTS_TICKS == 0)
        agent_wants(agent);
    fetcher_look(agent->fetcher, agent_stamp_ms(agent), now.elapsed_ms);
    agent_adjust(agent);
    agent_watch_parts(agent);
    if (agent->ticks % FLOOR_TICKS == 0)
        agent_watch_floors(agent);
    agent_tell_link(agent);
    agent_tell_state(agent);
    outbox_again(agent->outbox, now.elapsed_ms);
    outbox_push(agent->outbox, now.elapsed_ms);
    if (agent->ticks % SWEEP_TICKS == 0)
        agent_sweep_blobs(agent);
    if (agent->ticks % SWEEP_TICKS == 0 || agent->sweeping)
        agent->sweeping = outbox_sweep(agent->outbox, agent_stamp_ms(agent));
    if (agent->ticks % 10 == 0)
        agent_ask_soon(agent); /* blocked sound is checked again, what was heard is written down */
}

/* --- made and ended --- */

static uv_timer_t *new_timer(struct agent *agent)
{
    uv_timer_t *timer = xcalloc(1, sizeof(*timer));
    uv_timer_init(agent->loop, timer);
    timer->data = agent;
    return timer;
}

static int open_stores(struct agent *agent, struct complaint *why)
{
    struct blobs_events blob_events = {.taken = agent_blob_taken, .checked = agent_blob_checked};
    int r = vault_open(agent->settings->vault_dir, clock_wall_ms(), &agent->vault, why);
    if (r == 0)
        r = blobs_new(agent->loop, agent->settings->vault_dir, agent->settings->spool_dir, &blob_events, agent,
                      &agent->blobs, why);
    return r;
}

static void make_pieces(struct agent *agent)
{
    struct courier_events courier_events = {.changed = on_changed,
                                            .settle = on_settle,
                                            .welcome = agent_welcome,
                                            .command = agent_command,
                                            .refused = on_refused};
    struct fetcher_link fetcher_link = {.fetch = agent_fetch, .cancel = agent_cancel_fetch};
    agent->letters.vault = agent->vault;
    agent->letters.device = agent->settings->device;
    agent->letters.era = 1;
    agent->outbox = outbox_new(agent->vault, agent_send_row, agent);
    agent->fetcher = fetcher_new(&fetcher_link, agent);
    agent->timetable = timetable_new(agent->blobs, agent->site, on_approval_refused, agent);
    agent->courier = courier_new(agent->vault, agent->settings->device, agent->settings->roots, &courier_events, agent);
    agent->ask_timer = new_timer(agent);
    agent->tick_timer = new_timer(agent);
}

/* Everything that the disk knows, before anything else. */
static void wake_up(struct agent *agent)
{
    clock_boot_id(agent->boot);
    vault_load_timekeeper(agent->vault, &agent->tk);
    struct clocks clocks = read_clocks(agent);
    timekeeper_restore(&agent->tk, &clocks);
    vault_load_ledger(agent->vault, &agent->ledger);
    agent->restarted = true;
    agent_look_at_time(agent);
    agent_receipts_left_over(agent);
    if (vault_set_aside(agent->vault))
        agent_event(agent, "vault_damaged", "vault", "it is set aside as %s; a new one is begun, store %s",
                    vault_set_aside(agent->vault), vault_store(agent->vault));
    agent_event(agent, "started", "agent", "time is %s", time_grade_names[agent->time.grade]);
    struct courier_now now = agent_courier_now(agent);
    courier_load(agent->courier, &now);
    agent_ask(agent);
}

int agent_new(uv_loop_t *loop, const struct settings *settings, const struct site *site, const struct signer *signer,
              agent_stopped_fn stopped, void *arg, struct agent **ret_agent, struct complaint *why)
{
    struct agent *agent = xcalloc(1, sizeof(*agent));
    struct stage_events stage_events = {.finished = agent_finished, .gathered = agent_gathered, .card = agent_card};
    agent->loop = loop;
    agent->settings = settings;
    agent->site = site;
    agent->letters.signer = signer;
    agent->spread_s = agent->link_spread_s = -1;
    agent->born_elapsed_ms = clock_elapsed_ms();
    agent->stopped = stopped;
    agent->stopped_arg = arg;
    int r = open_stores(agent, why);
    if (r == 0) {
        make_pieces(agent);
        r = stage_new(loop, site, &stage_events, agent, &agent->stage, why);
    }
    if (r < 0) {
        agent_free(agent);
        return r;
    }
    wake_up(agent);
    r = agent_open_link(agent);
    if (r < 0) {
        agent_free(agent);
        return complain(why, r, "%s: the link's socket cannot be used: %s", settings->link_path, err_name(r));
    }
    uv_timer_start(agent->tick_timer, on_tick, TICK_MS, TICK_MS);
    *ret_agent = agent;
    return 0;
}

void agent_stop(struct agent *agent)
{
    if (agent->stopping) {
        agent->stop_elapsed_ms = 0;
        return;
    }
    log_info("agent", "ends in order: fades, mutes, blanks");
    agent_ask(agent); /* what was heard so far goes into the ledger */
    agent->stopping = true;
    agent->stop_elapsed_ms = clock_elapsed_ms();
    if (agent_settle(agent, &agent->ledger) < 0)
        log_err("agent", "the ledger cannot be saved; what is on may begin again at an earlier place");
    stage_close(agent->stage);
    uv_timer_stop(agent->ask_timer);
    uv_timer_start(agent->tick_timer, on_tick, 50, 50);
}

static void close_timer(uv_timer_t *timer)
{
    if (timer)
        uv_close((uv_handle_t *)timer, (uv_close_cb)free);
}

void agent_free(struct agent *agent)
{
    if (!agent)
        return;
    agent->over = true;
    post_free(agent->post);
    agent->post = NULL;
    stage_free(agent->stage);
    close_timer(agent->ask_timer);
    close_timer(agent->tick_timer);
    timetable_free(agent->timetable);
    fetcher_free(agent->fetcher);
    courier_free(agent->courier);
    outbox_free(agent->outbox);
    blobs_free(agent->blobs);
    zone_free(agent->zone);
    deeds_done(&agent->deeds);
    vault_close(agent->vault);
    free(agent);
}
