/* limiter.c - see limiter.h. */
#include "controller/limiter.h"

#include <math.h>

enum { QUEUE = LIMITER_LOOKAHEAD + 1 };

void limiter_init(struct limiter *limiter, double ceiling, double release_ms, int rate_hz)
{
    *limiter = (struct limiter){.ceiling = ceiling, .held = 1.0};
    limiter->release = 1.0 - exp(-1000.0 / (release_ms * rate_hz));
    for (size_t i = 0; i < LIMITER_LOOKAHEAD; i++)
        limiter->average[i] = 1.0;
    limiter->sum = LIMITER_LOOKAHEAD;
}

/* The smallest gain among the last QUEUE frames, this one included. */
static double moving_minimum(struct limiter *limiter, double gain)
{
    while (limiter->count > 0 && limiter->at[limiter->front] + QUEUE <= limiter->frame) {
        limiter->front = (limiter->front + 1) % QUEUE;
        limiter->count--;
    }
    while (limiter->count > 0 && limiter->minimum[(limiter->front + limiter->count - 1) % QUEUE] >= gain)
        limiter->count--;
    size_t back = (limiter->front + limiter->count++) % QUEUE;
    limiter->minimum[back] = gain;
    limiter->at[back] = limiter->frame;
    return limiter->minimum[limiter->front];
}

float limiter_step(struct limiter *limiter, float in)
{
    double peak = fabs((double)in);
    double need = moving_minimum(limiter, peak > limiter->ceiling ? limiter->ceiling / peak : 1.0);
    double back = limiter->held + (1.0 - limiter->held) * limiter->release;
    limiter->held = need < back ? need : back;
    size_t slot = limiter->frame % LIMITER_LOOKAHEAD;
    limiter->sum += limiter->held - limiter->average[slot];
    limiter->average[slot] = limiter->held;
    double gain = limiter->sum / LIMITER_LOOKAHEAD;
    float out = limiter->delay[slot];
    limiter->delay[slot] = in;
    limiter->frame++;
    return (float)(out * gain);
}
