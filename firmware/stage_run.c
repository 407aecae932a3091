/* stage_run.c - see stage_run.h. */
#include "firmware/stage_run.h"

#include <stdio.h>
#include <stdlib.h>

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

int64_t run_latest_ns(const struct run *run)
{
    int64_t late_ms = run->airing.late_ms > RUN_LATE_LEAST_MS ? run->airing.late_ms : RUN_LATE_LEAST_MS;
    return run->airing.start_elapsed_ns + late_ms * 1000000;
}

void run_count_holes(struct run *run, const struct player_result *result)
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

int64_t run_ms(const struct run *run, int64_t now_ms)
{
    return now_ms - run->airing.start_elapsed_ns / 1000000 + run->airing.offset_ms;
}
