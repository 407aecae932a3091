/* stage_run.c - see stage_run.h. */
#include "firmware/stage_run.h"

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

int64_t run_ms(const struct run *run, int64_t now_ms)
{
    return now_ms - run->airing.start_elapsed_ns / 1000000 + run->airing.offset_ms;
}
