/* sounder.h - the real-time thread that owns the card.
 *
 * Between opening and closing the card it neither allocates, locks nor logs: orders and reports go through small queues
 * without locks, and eventfds. Functions belong to the loop thread. */
#ifndef LOA_SOUNDER_H
#define LOA_SOUNDER_H

#include "firmware/track.h"

enum sounder_order { SOUNDER_PLAY, SOUNDER_STOP, SOUNDER_DROP, SOUNDER_SILENCE, SOUNDER_PREPARE, SOUNDER_QUIT };
enum sounder_news { SOUNDER_STARTED, SOUNDER_FINISHED };

/* Tracks that the loop may have handed over and not seen finished; bounds the queues. */
enum { SOUNDER_TRACKS_MAX = 8 };

struct sounder_card {
    bool open;
    bool healthy;
    int error;
    unsigned rate_hz;
    unsigned channels;
    uint32_t xruns;
    uint32_t reopened;
    uint32_t changes; /* counts each change of `healthy`; 0 before the first opening */
};

struct sounder;

/* `device` is copied. `tell_loop` is an eventfd (borrowed), raised when there is news or the card changed;
 * `wake_decoder` (borrowed) is raised when a track is wanted at another rate. */
MUST_USE int sounder_new(const struct player_config *config, int tell_loop, struct sounder **ret_sounder);
int sounder_wake_fd(const struct sounder *sounder); /* eventfd, owned by the sounder: look at the tracks again */
/* Begin; the thread uses `wake_decoder` from now on. *ret_realtime: SCHED_FIFO was granted. */
MUST_USE int sounder_start(struct sounder *sounder, int wake_decoder, bool *ret_realtime);
/* Cuts the sound, finishes every track, joins. News can still be read until sounder_free(). */
void sounder_stop(struct sounder *sounder);
void sounder_free(struct sounder *sounder); /* NULL is fine */

void sounder_order(struct sounder *sounder, enum sounder_order order, struct track *track);
/* True: one piece of news, oldest first. After SOUNDER_FINISHED the track is the loop's again, its result filled in. */
bool sounder_news(struct sounder *sounder, enum sounder_news *ret_news, struct track **ret_track);
void sounder_card(const struct sounder *sounder, struct sounder_card *ret_card);
/* The thread did not come back when it should have. */
bool sounder_stuck(const struct sounder *sounder);

#endif
