/* outputs.c - see outputs.h. */
#include "tools/fleet-agents/outputs.h"

#include "playlists/base/bytes.h"
#include "playlists/base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FRAMES_PER_MS = 48,
    LEVEL_ABOVE_MB = 600, /* what a microphone at the horn measures above the least that counts as heard */
    LEVEL_DB = -6,
    TEMPERATURE_C = 35,
};
static const int64_t NS_PER_MS = 1000000;

static outputs_seen_fn seen_fn;
static void *seen_arg;
static outputs_decided_fn decided_fn;
static void *decided_arg;

struct stage {
    uv_loop_t *loop;
    const struct site *site;
    struct stage_events events;
    void *arg;
    uv_timer_t *timer; /* NULL until the first airing */
    struct showing *on;
};

/* What is on, or has ended by itself and waits for stage_end(). */
struct showing {
    struct stage_airing airing;
    int64_t heard_from_ns; /* elapsed time of its first frame */
    int64_t ends_ns;       /* by itself */
    bool failed, over;
    int64_t ended_ns;
    struct airing_evidence evidence; /* whole once it is over */
};

void outputs_watch(outputs_seen_fn seen, void *arg)
{
    seen_fn = seen;
    seen_arg = arg;
}

void outputs_watch_decisions(outputs_decided_fn decided, void *arg)
{
    decided_fn = decided;
    decided_arg = arg;
}

static void tell(const struct stage *stage, const struct stage_airing *airing, bool begins, bool cut)
{
    struct outputs_change change = {
        .site = stage->site, .airing = airing, .begins = begins, .cut = cut, .at_elapsed_ms = clock_elapsed_ms()};
    if (seen_fn)
        seen_fn(seen_arg, &change);
}

void stage_airing_done(struct stage_airing *airing)
{
    for (size_t i = 0; i < airing->n_sounds; i++)
        free(airing->sounds[i].path);
    for (size_t i = 0; i < airing->n_pages; i++)
        free(airing->pages[i].text);
    airing->n_sounds = airing->n_pages = 0;
}

/* --- what it proves --- */

static int64_t all_frames(const struct stage_airing *airing)
{
    int64_t frames = 0;
    for (size_t i = 0; i < airing->n_sounds; i++)
        frames += airing->sounds[i].frames;
    return frames;
}

/* Frames that are left of it where it is resumed. */
static int64_t frames_to_hear(const struct stage_airing *airing)
{
    int64_t frames = all_frames(airing) - airing->offset_ms * FRAMES_PER_MS;
    return frames > 0 ? frames : 0;
}

static int64_t page_ms(const struct stage_airing *airing, int64_t at_ns)
{
    return (at_ns - airing->start_elapsed_ns) / NS_PER_MS + airing->offset_ms;
}

static void prove_sound(const struct showing *on, int64_t until_ns, struct airing_sound *ret)
{
    *ret = (struct airing_sound){.asked = on->airing.n_sounds > 0, .frames_expected = all_frames(&on->airing)};
    int64_t frames = (until_ns - on->heard_from_ns) * FRAMES_PER_MS / NS_PER_MS;
    int64_t most = frames_to_hear(&on->airing);
    ret->frames = frames > most ? most : frames;
    if (!ret->asked || on->failed || ret->frames <= 0) {
        ret->frames = 0;
        return;
    }
    ret->first_elapsed_ns = on->heard_from_ns;
    ret->start_error_us = (on->heard_from_ns - on->airing.start_elapsed_ns) / 1000;
}

static bool zones_meet(uint32_t have, uint32_t wanted)
{
    return have == 0 || wanted == 0 || (have & wanted) != 0;
}

static void prove_horns(const struct stage *stage, const struct showing *on, bool heard, struct airing_horns *ret)
{
    const struct stage_airing *airing = &on->airing;
    bool open = true;
    *ret = (struct airing_horns){0};
    for (size_t i = 0; i < stage->site->n_amplifiers; i++) {
        uint32_t zones = stage->site->amplifiers[i].zones;
        if (!zones_meet(zones, airing->zones))
            continue;
        ret->asked = airing->n_sounds > 0;
        open = open && (airing->muted_zones == 0 || (zones & ~airing->muted_zones) != 0);
    }
    if (!ret->asked)
        return;
    ret->commanded = ret->power = true;
    ret->seen = heard && open;
    ret->level_mb = airing->heard_level_mb + (ret->seen ? LEVEL_ABOVE_MB : -LEVEL_ABOVE_MB);
    ret->temperature_c = TEMPERATURE_C;
}

/* Each page that was up for a moment, once. */
static void prove_panels(const struct stage *stage, const struct showing *on, int64_t until_ns,
                         struct airing_panels *ret)
{
    const struct stage_airing *airing = &on->airing;
    *ret = (struct airing_panels){0};
    if (airing->n_pages == 0 || stage->site->n_signs == 0)
        return;
    ret->asked = ret->written = ret->read_back = true;
    int64_t until_ms = page_ms(airing, until_ns);
    size_t used = 0;
    for (size_t i = 0; i < airing->n_pages; i++) {
        const struct stage_page *page = &airing->pages[i];
        bool up = page->from_ms < until_ms && page->to_ms > airing->offset_ms;
        for (size_t k = 0; k < i && up; k++)
            up = strcmp(airing->pages[k].text, page->text) != 0;
        size_t more = strlen(page->text);
        if (!up || used + more + 2 > sizeof(ret->text))
            continue;
        used += (size_t)snprintf(ret->text + used, sizeof(ret->text) - used, "%s%s", used ? "\n" : "", page->text);
    }
}

static void prove(const struct stage *stage, struct showing *on, int64_t until_ns)
{
    prove_sound(on, until_ns, &on->evidence.sound);
    prove_horns(stage, on, on->evidence.sound.frames > 0, &on->evidence.horns);
    prove_panels(stage, on, until_ns, &on->evidence.panels);
    if (on->failed)
        snprintf(on->evidence.problem, sizeof(on->evidence.problem), "no sound card is wired at this box");
}

/* --- time goes on --- */

static void on_timer(uv_timer_t *timer);

static void wait_for_end(struct stage *stage)
{
    int64_t left_ns = stage->on->ends_ns - clock_elapsed_ns();
    int64_t left_ms = left_ns > 0 ? (left_ns + NS_PER_MS - 1) / NS_PER_MS : 1;
    uv_update_time(stage->loop);
    uv_timer_start(stage->timer, on_timer, (uint64_t)left_ms, 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct stage *stage = timer->data;
    struct showing *on = stage->on;
    if (!on || on->over)
        return;
    if (clock_elapsed_ns() < on->ends_ns) {
        wait_for_end(stage);
        return;
    }
    on->over = true;
    on->ended_ns = on->ends_ns;
    prove(stage, on, on->ends_ns);
    tell(stage, &on->airing, false, false);
    stage->events.finished(stage->arg, on->airing.key, on->failed);
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static void end(struct stage *stage, bool told)
{
    struct showing *on = stage->on;
    if (!on)
        return;
    stage->on = NULL;
    uv_timer_stop(stage->timer);
    if (!on->over) {
        on->ended_ns = clock_elapsed_ns();
        prove(stage, on, on->ended_ns);
        tell(stage, &on->airing, false, true);
    }
    if (!told)
        stage->events.gathered(stage->arg, on->airing.key, &on->evidence, on->ended_ns);
    stage_airing_done(&on->airing);
    free(on);
}

/* --- stage.h --- */

int stage_new(uv_loop_t *loop, const struct site *site, const struct stage_events *events, void *arg,
              struct stage **ret_stage, struct complaint *why)
{
    (void)why;
    struct stage *stage = xcalloc(1, sizeof(*stage));
    stage->loop = loop;
    stage->site = site;
    stage->events = *events;
    stage->arg = arg;
    *ret_stage = stage;
    return 0;
}

void stage_free(struct stage *stage)
{
    if (!stage)
        return;
    end(stage, false);
    if (stage->timer)
        uv_close((uv_handle_t *)stage->timer, free_handle);
    free(stage);
}

/* The end of what has both sounds and pages is the later of both. A sound that is handed over late begins at once. */
static void lay_out(struct showing *on, bool card)
{
    const struct stage_airing *airing = &on->airing;
    int64_t now_ns = clock_elapsed_ns();
    on->heard_from_ns = airing->start_elapsed_ns > now_ns ? airing->start_elapsed_ns : now_ns;
    on->failed = airing->n_sounds > 0 && !card;
    on->ends_ns = now_ns;
    if (airing->n_sounds > 0 && !on->failed)
        on->ends_ns = on->heard_from_ns + frames_to_hear(airing) * NS_PER_MS / FRAMES_PER_MS;
    if (airing->n_pages > 0) {
        int64_t left_ms = airing->pages[airing->n_pages - 1].to_ms - airing->offset_ms;
        int64_t pages_ns = airing->start_elapsed_ns + left_ms * NS_PER_MS;
        on->ends_ns = pages_ns > on->ends_ns ? pages_ns : on->ends_ns;
    }
}

void stage_begin(struct stage *stage, struct stage_airing *airing)
{
    struct showing *on = xcalloc(1, sizeof(*on));
    if (!stage->timer) {
        stage->timer = xcalloc(1, sizeof(*stage->timer));
        uv_timer_init(stage->loop, stage->timer);
        stage->timer->data = stage;
    }
    on->airing = *airing;
    airing->n_sounds = airing->n_pages = 0;
    lay_out(on, stage->site->sound.wired);
    stage->on = on;
    tell(stage, &on->airing, true, false);
    wait_for_end(stage);
}

uint64_t stage_on(const struct stage *stage)
{
    return stage->on ? stage->on->airing.key : 0;
}

bool stage_evidence(struct stage *stage, uint64_t key, struct airing_evidence *ret, int64_t *ret_ended_elapsed_ns)
{
    const struct showing *on = stage->on;
    if (!on || on->airing.key != key || !on->over)
        return false;
    *ret = on->evidence;
    *ret_ended_elapsed_ns = on->ended_ns;
    return true;
}

void stage_end(struct stage *stage, bool told, bool keep)
{
    (void)keep; /* nothing here is opened or closed */
    end(stage, told);
}

void stage_hush(struct stage *stage)
{
    (void)stage; /* what is not on is silent */
}

void stage_adjust(struct stage *stage, int32_t gain_mb, uint32_t muted_zones)
{
    if (!stage->on)
        return;
    stage->on->airing.gain_mb = gain_mb;
    stage->on->airing.muted_zones = muted_zones;
}

void stage_silence(struct stage *stage)
{
    end(stage, false);
}

void stage_next(struct stage *stage, int64_t start_elapsed_ms, uint32_t zones)
{
    (void)start_elapsed_ms, (void)zones; /* always ready */
    if (decided_fn)
        decided_fn(decided_arg, stage->site);
}

void stage_close(struct stage *stage)
{
    end(stage, false);
}

bool stage_closed(const struct stage *stage)
{
    return !stage->on;
}

const char *stage_stuck(const struct stage *stage)
{
    (void)stage; /* no thread stands behind it */
    return NULL;
}

const char *stage_stuck_bus(const struct stage *stage)
{
    (void)stage;
    return NULL;
}

bool stage_quiet(const struct stage *stage, int64_t ms)
{
    (void)ms;
    return !stage->on;
}

size_t stage_parts(const struct stage *stage)
{
    return stage->site->n_amplifiers + stage->site->n_signs;
}

void stage_report(const struct stage *stage, size_t index, bool *ret_is_sign, struct part_report *ret)
{
    const struct site *site = stage->site;
    bool is_sign = index >= site->n_amplifiers;
    *ret_is_sign = is_sign;
    *ret = (struct part_report){.reachable = true};
    ret->name = is_sign ? site->signs[index - site->n_amplifiers].name : site->amplifiers[index].name;
    if (is_sign)
        return;
    ret->has_temperature = ret->has_level = true;
    ret->temperature_c = TEMPERATURE_C;
    ret->level_db = LEVEL_DB;
}

void stage_card(const struct stage *stage, bool *ret_wired, bool *ret_healthy, int *ret_error)
{
    *ret_wired = stage->site->sound.wired;
    *ret_healthy = true;
    *ret_error = 0;
}
