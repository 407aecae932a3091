/* stage_run.c - see stage_run.h. */
#include "firmware/stage_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void stage_airing_done(struct stage_airing *airing)
{
    for (size_t i = 0; i < airing->n_sounds; i++)
        free(airing->sounds[i].path);
    for (size_t i = 0; i < airing->n_pages; i++)
        free(airing->pages[i].text);
    airing->n_sounds = airing->n_pages = 0;
}

void run_free(struct run *run)
{
    stage_airing_done(&run->airing);
    free(run);
}

bool run_has(const struct run *run, uint64_t id)
{
    return run && id >= run->first_id && id < run->first_id + run->airing.n_sounds;
}

int64_t run_frames_before(const struct run *run, size_t i)
{
    int64_t frames = 0;
    for (size_t k = 0; k < i; k++)
        frames += run->airing.sounds[k].frames;
    return frames;
}

bool run_sound_over(const struct run *run)
{
    return run->outstanding == 0 && (run->sound_failed || run->next_sound >= run->airing.n_sounds);
}

/* Without a card its first sound waits no longer than this (elapsed ns). */
static int64_t latest_ns(const struct run *run)
{
    int64_t late_ms = run->airing.late_ms > RUN_LATE_LEAST_MS ? run->airing.late_ms : RUN_LATE_LEAST_MS;
    return run->airing.start_elapsed_ns + late_ms * 1000000;
}

bool run_next_item(struct run *run, bool amplified, struct player_item *ret)
{
    int64_t skip = 0;
    if (run->sound_failed)
        return false;
    for (; run->next_sound < run->airing.n_sounds; run->next_sound++) {
        skip = run->airing.offset_ms * RUN_FRAMES_PER_MS - run_frames_before(run, run->next_sound);
        if (skip < run->airing.sounds[run->next_sound].frames)
            break; /* those before were heard before it was cut */
    }
    if (run->next_sound == run->airing.n_sounds)
        return false;
    const struct stage_sound *sound = &run->airing.sounds[run->next_sound];
    bool first = run->outstanding == 0 && run->evidence.sound.first_elapsed_ns == 0;
    *ret = (struct player_item){.path = sound->path,
                                .id = run->first_id + run->next_sound,
                                .start_elapsed_ns = first ? run->airing.start_elapsed_ns : 0,
                                .latest_elapsed_ns = first ? latest_ns(run) : 0,
                                .offset_frames = skip > 0 ? (uint64_t)skip : 0,
                                .expected_frames = (uint64_t)sound->frames,
                                .gain_mb = amplified ? 0 : run->airing.gain_mb};
    return true;
}

static void count_holes(struct run *run, const struct player_result *result)
{
    struct airing_evidence *evidence = &run->evidence;
    evidence->sound.xruns += (int64_t)result->xruns + result->losses + result->starvings;
    if (result->lost_frames == 0 && result->losses == 0)
        return;
    snprintf(evidence->problem, sizeof(evidence->problem),
             "the sound card %s (%u x); about %lld ms of the sound were not heard",
             result->losses > 0 ? "was lost" : "stopped",
             (unsigned)(result->losses > 0 ? result->losses : result->xruns),
             (long long)result->lost_frames / RUN_FRAMES_PER_MS);
}

bool run_heard(struct run *run, const struct player_result *result)
{
    struct airing_evidence *evidence = &run->evidence;
    run->outstanding--;
    evidence->sound.frames += (int64_t)result->played_frames;
    count_holes(run, result);
    if (evidence->sound.first_elapsed_ns == 0 && result->heard)
        evidence->sound.first_elapsed_ns = result->start_elapsed_ns;
    run->ended_elapsed_ns = result->end_elapsed_ns;
    if (result->end == PLAYER_DRAINED || result->end == PLAYER_STOPPED)
        return true;
    run->sound_failed = true;
    snprintf(evidence->problem, sizeof(evidence->problem), "%s: %s", player_end_name(result->end), result->why.text);
    return false;
}

const char *run_turn(struct run *run, int64_t now_elapsed_ms, int64_t *ret_next_ms)
{
    const struct stage_page *pages = run->airing.pages;
    size_t n = run->airing.n_pages, before = run->page, due = before;
    int64_t at_ms = now_elapsed_ms - run->airing.start_elapsed_ns / 1000000 + run->airing.offset_ms;
    while (due < n && pages[due].from_ms <= at_ms)
        due++;
    run->page = due;
    run->pages_over = n == 0 || at_ms >= pages[n - 1].to_ms;
    *ret_next_ms = INT64_MAX;
    if (!run->pages_over)
        *ret_next_ms = now_elapsed_ms + (due < n ? pages[due].from_ms : pages[n - 1].to_ms) - at_ms;
    if (due == before || pages[due - 1].to_ms <= at_ms)
        return NULL;
    bool same = before > 0 && strcmp(pages[before - 1].text, pages[due - 1].text) == 0;
    return same ? NULL : pages[due - 1].text;
}
