/* stage.c - see stage.h. One run (stage_run.h) is on, others wait for the player to tell how their fade ended. */
#include "firmware/stage_run.h"

#include "firmware/horns.h"
#include "firmware/panels.h"
#include "firmware/player.h"
#include "playlists/base/bytes.h"
#include "playlists/base/clock.h"
#include "playlists/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { READY_MARGIN_MS = 1500, REST_AFTER_MS = 15000, REST_GAP_MS = 60000 };

struct stage {
    uv_loop_t *loop;
    const struct site *site;
    struct stage_events events;
    void *arg;
    struct bus *buses[SITE_BUSES_MAX];
    struct horns *horns;
    struct panels *panels;
    struct player *player; /* NULL: no card here */
    uv_timer_t *timer;
    struct run *on;
    struct run *leaving;
    uint64_t last_id;
    int64_t next_start_ms;
    uint32_t next_zones;
    int64_t prepared_start_ms; /* the card was warmed for this start */
    int64_t idle_since_ms;
    bool card_healthy;
    int card_error;
};

static void feed(struct stage *stage, struct run *run);
static void look(struct stage *stage);

/* --- the player tells --- */

static struct run *find_run(struct stage *stage, uint64_t id)
{
    if (run_has(stage->on, id))
        return stage->on;
    for (struct run *run = stage->leaving; run; run = run->next)
        if (run_has(run, id))
            return run;
    return NULL;
}

static void on_started(void *arg, uint64_t id, int64_t start_elapsed_ns)
{
    struct stage *stage = arg;
    struct run *run = find_run(stage, id);
    if (!run)
        return;
    struct airing_sound *sound = &run->evidence.sound;
    if (sound->first_elapsed_ns == 0) {
        sound->first_elapsed_ns = start_elapsed_ns;
        sound->start_error_us = (start_elapsed_ns - run->airing.start_elapsed_ns) / 1000;
        if (run == stage->on)
            horns_mark(stage->horns, run->airing.heard_level_mb);
    }
    if (run == stage->on)
        feed(stage, run);
}

/* A run that was ended has heard all from the player. */
static void gather(struct stage *stage, struct run *run)
{
    struct run **at = &stage->leaving;
    while (*at != run)
        at = &(*at)->next;
    *at = run->next;
    if (!run->told)
        stage->events.gathered(stage->arg, run->airing.key, &run->evidence, run->ended_elapsed_ns);
    run_free(run);
}

static void on_finished(void *arg, const struct player_result *result)
{
    struct stage *stage = arg;
    struct run *run = find_run(stage, result->id);
    if (!run)
        return;
    if (!run_heard(run, result))
        log_warn("stage", "sound ended early: %s; what is left of this item is not played", run->evidence.problem);
    if (run->leaving) {
        if (run->outstanding == 0)
            gather(stage, run);
        return;
    }
    if (run->sound_failed)
        player_drop_next(stage->player);
    feed(stage, run);
    look(stage);
}

static void on_card(void *arg, bool healthy, int error)
{
    struct stage *stage = arg;
    stage->card_healthy = healthy;
    stage->card_error = error;
    stage->events.card(stage->arg, healthy, error);
}

/* --- one run --- */

/* The player holds two items; hand over what it takes. */
static void feed(struct stage *stage, struct run *run)
{
    struct player_item item;
    while (run_next_item(run, horns_set_gain(stage->horns, run->airing.zones), &item)) {
        int r = player_play(stage->player, &item);
        if (r == -EBUSY)
            return;
        if (r < 0) {
            run->sound_failed = true;
            snprintf(run->evidence.problem, sizeof(run->evidence.problem), "the player refuses this sound: %s",
                     err_name(r));
            log_warn("stage", "%s; this item is not played", run->evidence.problem);
            return;
        }
        run->next_sound++;
        run->outstanding++;
    }
}

static void take_evidence(struct stage *stage, struct run *run)
{
    char problem[460] = "";
    if (run->evidence.sound.asked)
        horns_evidence(stage->horns, run->airing.zones, &run->evidence.horns);
    if (run->airing.n_pages > 0)
        panels_evidence(stage->panels, &run->evidence.panels, problem, sizeof(problem));
    if (!run->evidence.problem[0])
        snprintf(run->evidence.problem, sizeof(run->evidence.problem), "%s", problem);
}

static void close_outputs(struct stage *stage)
{
    horns_mute(stage->horns);
    panels_clear(stage->panels);
    stage->idle_since_ms = clock_elapsed_ms();
}

/* --- time goes on --- */

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Power and card for what comes next; returns when to look again. */
static int64_t get_ready(struct stage *stage, int64_t now_ms)
{
    int64_t start_ms = stage->next_start_ms;
    int64_t wake_ms = INT64_MAX;
    if (start_ms != INT64_MAX) {
        int64_t power_ms = start_ms - horns_lead_ms(stage->horns) - READY_MARGIN_MS;
        int64_t warm_ms = start_ms - PLAYER_AHEAD_MS;
        if (now_ms >= power_ms)
            horns_ready(stage->horns, stage->next_zones);
        else
            wake_ms = power_ms;
        if (now_ms < warm_ms)
            wake_ms = earlier(wake_ms, warm_ms);
        else if (stage->player && stage->prepared_start_ms != start_ms) {
            player_prepare(stage->player);
            stage->prepared_start_ms = start_ms;
        }
    }
    if (stage->on || stage->idle_since_ms == 0)
        return wake_ms;
    bool soon = start_ms != INT64_MAX && start_ms - now_ms < REST_GAP_MS + (int64_t)horns_lead_ms(stage->horns);
    int64_t rest_ms = stage->idle_since_ms + REST_AFTER_MS;
    if (!soon && now_ms >= rest_ms) {
        horns_rest(stage->horns);
        stage->idle_since_ms = 0;
    } else if (!soon) {
        wake_ms = earlier(wake_ms, rest_ms);
    }
    return wake_ms;
}

static void on_timer(uv_timer_t *timer)
{
    look(timer->data);
}

static void look(struct stage *stage)
{
    int64_t now_ms = clock_elapsed_ms();
    int64_t wake_ms = get_ready(stage, now_ms);
    struct run *run = stage->on;
    bool just_over = false;
    if (run && !run->over) {
        int64_t next_ms;
        const char *text = run_turn(run, now_ms, &next_ms);
        if (text)
            panels_show(stage->panels, text);
        wake_ms = earlier(wake_ms, next_ms);
        if (run_sound_over(run) && run->pages_over) {
            run->over = just_over = true;
            if (run->ended_elapsed_ns == 0 || run->airing.n_pages > 0)
                run->ended_elapsed_ns = clock_elapsed_ns();
            take_evidence(stage, run);
            close_outputs(stage);
        } else if (run_sound_over(run) && run->evidence.sound.asked) {
            horns_mute(stage->horns); /* the text stays, nothing is to be heard any more */
        }
    }
    if (wake_ms != INT64_MAX) {
        int64_t wait_ms = wake_ms > now_ms ? wake_ms - now_ms : 1;
        uv_update_time(stage->loop);
        uv_timer_start(stage->timer, on_timer, (uint64_t)earlier(wait_ms, 3600000), 0);
    }
    if (just_over)
        stage->events.finished(stage->arg, run->airing.key, run->sound_failed);
}

/* --- from outside --- */

static int make_outputs(struct stage *stage, struct complaint *why)
{
    const struct site *site = stage->site;
    for (size_t i = 0; i < site->n_buses; i++) {
        int r = bus_new(stage->loop, &site->buses[i].config, &stage->buses[i], why);
        if (r < 0) {
            complain_prefix(why, "bus %s", site->buses[i].name);
            return r;
        }
    }
    int r = horns_new(stage->loop, site, stage->buses, &stage->horns, why);
    if (r == 0)
        r = panels_new(site, stage->buses, &stage->panels, why);
    if (r < 0 || !site->sound.wired)
        return r;
    struct player_config config = {.device = site->sound.device,
                                   .rate_hz = site->sound.rate_hz,
                                   .channels = site->sound.channels,
                                   .card_wait_ms = site->sound.card_wait_ms};
    struct player_events events = {.started = on_started, .finished = on_finished, .card = on_card};
    r = player_new(stage->loop, &config, &events, stage, &stage->player);
    return r < 0 ? complain(why, r, "the player cannot be started: %s", err_name(r)) : 0;
}

int stage_new(uv_loop_t *loop, const struct site *site, const struct stage_events *events, void *arg,
              struct stage **ret_stage, struct complaint *why)
{
    struct stage *stage = xcalloc(1, sizeof(*stage));
    stage->loop = loop;
    stage->site = site;
    stage->events = *events;
    stage->arg = arg;
    stage->next_start_ms = INT64_MAX;
    stage->prepared_start_ms = INT64_MIN;
    stage->card_healthy = true;
    stage->timer = xcalloc(1, sizeof(*stage->timer));
    uv_timer_init(loop, stage->timer);
    stage->timer->data = stage;
    int r = make_outputs(stage, why);
    if (r < 0) {
        stage_free(stage);
        return r;
    }
    *ret_stage = stage;
    return 0;
}

void stage_free(struct stage *stage)
{
    if (!stage)
        return;
    stage_end(stage, false, false);
    player_free(stage->player); /* ends what it holds: gathers the runs that wait */
    stage->player = NULL;
    panels_free(stage->panels);
    horns_free(stage->horns);
    for (size_t i = 0; i < SITE_BUSES_MAX; i++)
        bus_free(stage->buses[i]);
    uv_close((uv_handle_t *)stage->timer, (uv_close_cb)free);
    free(stage);
}

/* An amplifier that is not up yet would swallow the first words: then the sound waits for it. */
static void wait_for_power(struct stage *stage, struct stage_airing *airing)
{
    int64_t now_ms = clock_elapsed_ms();
    int64_t up_ns = (now_ms + horns_ready_in_ms(stage->horns, airing->zones, now_ms)) * 1000000;
    if (airing->n_sounds == 0 || up_ns <= airing->start_elapsed_ns || up_ns <= now_ms * 1000000)
        return;
    log_info("stage", "amplifiers are not up yet: the sound begins %lld ms later",
             (long long)((up_ns - airing->start_elapsed_ns) / 1000000));
    airing->start_elapsed_ns = up_ns;
}

void stage_begin(struct stage *stage, struct stage_airing *airing)
{
    struct run *run = xcalloc(1, sizeof(*run));
    wait_for_power(stage, airing);
    run->airing = *airing;
    airing->n_sounds = airing->n_pages = 0;
    run->first_id = stage->last_id + 1;
    stage->last_id += run->airing.n_sounds;
    run->evidence.sound.asked = run->airing.n_sounds > 0;
    run->evidence.sound.frames_expected = run_frames_before(run, run->airing.n_sounds);
    stage->on = run;
    stage->idle_since_ms = 0;
    panels_mark(stage->panels);
    horns_mark(stage->horns, run->airing.heard_level_mb);
    if (run->airing.n_sounds > 0 && !stage->player) {
        run->sound_failed = true;
        snprintf(run->evidence.problem, sizeof(run->evidence.problem), "no sound card is wired at this box");
    }
    if (run->airing.n_pages == 0)
        panels_clear(stage->panels);
    if (run->airing.n_sounds == 0)
        horns_mute(stage->horns);
    if (run->airing.n_sounds > 0 && stage->player) {
        horns_open(stage->horns, run->airing.zones, run->airing.muted_zones, run->airing.gain_mb);
        feed(stage, run);
    }
    uv_update_time(stage->loop);
    uv_timer_start(stage->timer, on_timer, 1, 0);
}

uint64_t stage_on(const struct stage *stage)
{
    return stage->on ? stage->on->airing.key : 0;
}

bool stage_evidence(struct stage *stage, uint64_t key, struct airing_evidence *ret, int64_t *ret_ended_elapsed_ns)
{
    struct run *run = stage->on;
    if (!run || run->airing.key != key || !run->over)
        return false;
    *ret = run->evidence;
    *ret_ended_elapsed_ns = run->ended_elapsed_ns;
    return true;
}

/* keep: outputs stay as they are, since something else begins right away. */
static void end_run(struct stage *stage, bool told, bool keep)
{
    struct run *run = stage->on;
    if (!run)
        return;
    stage->on = NULL;
    run->leaving = true;
    run->told = told;
    run->next = stage->leaving;
    stage->leaving = run;
    if (!run->over) {
        take_evidence(stage, run);
        run->ended_elapsed_ns = clock_elapsed_ns();
        if (stage->player)
            player_stop(stage->player);
        if (!keep)
            close_outputs(stage);
    }
    if (run->outstanding == 0)
        gather(stage, run);
}

void stage_end(struct stage *stage, bool told, bool keep)
{
    end_run(stage, told, keep);
    if (stage->panels && stage->horns)
        look(stage);
}

void stage_hush(struct stage *stage)
{
    if (!stage->on)
        close_outputs(stage);
}

void stage_adjust(struct stage *stage, int32_t gain_mb, uint32_t muted_zones)
{
    struct run *run = stage->on;
    if (!run || run->over || (run->airing.gain_mb == gain_mb && run->airing.muted_zones == muted_zones))
        return;
    run->airing.gain_mb = gain_mb;
    run->airing.muted_zones = muted_zones;
    if (run->evidence.sound.asked && !run_sound_over(run)) {
        horns_open(stage->horns, run->airing.zones, muted_zones, gain_mb);
        if (stage->player && !horns_set_gain(stage->horns, run->airing.zones))
            (void)!player_set_gain(stage->player, gain_mb); /* nothing on: the next sound takes the new one */
    }
}

void stage_silence(struct stage *stage)
{
    if (stage->player)
        player_silence(stage->player);
    horns_silence(stage->horns);
    panels_blank(stage->panels);
    end_run(stage, false, true);
    stage->idle_since_ms = clock_elapsed_ms();
}

void stage_next(struct stage *stage, int64_t start_elapsed_ms, uint32_t zones)
{
    stage->next_start_ms = start_elapsed_ms;
    stage->next_zones = zones;
    look(stage);
}

void stage_close(struct stage *stage)
{
    stage->next_start_ms = INT64_MAX;
    end_run(stage, false, false);
    horns_rest(stage->horns);
    panels_blank(stage->panels);
}

bool stage_closed(const struct stage *stage)
{
    return !stage->leaving && horns_settled(stage->horns) && panels_settled(stage->panels);
}

const char *stage_stuck(const struct stage *stage)
{
    return stage->player ? player_stuck(stage->player) : NULL;
}

bool stage_quiet(const struct stage *stage, int64_t ms)
{
    return !stage->on && !stage->leaving && stage->next_start_ms - clock_elapsed_ms() > ms;
}

const char *stage_stuck_bus(const struct stage *stage)
{
    for (size_t i = 0; i < stage->site->n_buses; i++)
        if (stage->buses[i] && bus_stuck(stage->buses[i]))
            return bus_name(stage->buses[i]);
    return NULL;
}

size_t stage_parts(const struct stage *stage)
{
    return horns_count(stage->horns) + panels_count(stage->panels);
}

void stage_report(const struct stage *stage, size_t index, bool *ret_is_sign, struct part_report *ret)
{
    size_t n = horns_count(stage->horns);
    *ret_is_sign = index >= n;
    if (index < n)
        horns_report(stage->horns, index, ret);
    else
        panels_report(stage->panels, index - n, ret);
}

void stage_card(const struct stage *stage, bool *ret_wired, bool *ret_healthy, int *ret_error)
{
    *ret_wired = stage->player != NULL;
    *ret_healthy = stage->card_healthy;
    *ret_error = stage->card_error;
}
