/* voice.h - which frame of which track stands where in the card's stream.
 *
 * The stream's positions count every frame ever written; some of them have been heard. The voice makes the next frames
 * (tracks at their planned instants, zeros elsewhere), and, told how far the card is, knows what was heard of each
 * track. It knows no card and no clock: sound thread only, no allocation, lock or log. */
#ifndef LOA_VOICE_H
#define LOA_VOICE_H

#include "firmware/track.h"

enum { VOICE_TRACKS_MAX = 10, VOICE_READY_MS = 100 };

/* A track's first frame was heard (started), or it is over (its result is filled in and the voice has let go). */
typedef void (*voice_fn)(void *arg, struct track *track, bool finished);

struct voice {
    struct track *tracks[VOICE_TRACKS_MAX]; /* borrowed; in the order they play */
    size_t n;
    uint32_t rate_hz; /* 0: no card yet */
    uint32_t ramp_frames;
    int64_t written; /* positions written */
    int64_t heard;   /* position heard at `at_ns`, as the card's delay tells: what a start is placed by */
    int64_t proven;  /* at most `heard`, and taken by the card: what counts as played */
    int64_t at_ns;
    voice_fn tell;
    void *arg;
};

void voice_init(struct voice *voice, voice_fn tell, void *arg);

/* A card is there. True when a track needs other samples than its ring has (the decoder must be woken). */
bool voice_set_rate(struct voice *voice, uint32_t rate_hz);

/* Room is for VOICE_TRACKS_MAX. True: as for voice_set_rate(). */
bool voice_add(struct voice *voice, struct track *track);
void voice_stop(struct voice *voice);                      /* fade out what is on; what waits ends at once */
void voice_drop(struct voice *voice, struct track *track); /* the same for one; not there: harmless */
void voice_silence(struct voice *voice);                   /* all end now; what is not heard never will be */

/* The card has put out all positions before `heard` at `at_ns`, by its delay, and has taken those before `taken`. The
 * lesser counts: a card whose clock runs on, or whose delay lies, plays nothing that it has not taken. Tells starts and
 * ends. */
void voice_moment(struct voice *voice, int64_t at_ns, int64_t heard, int64_t taken);
/* Make the next n frames. */
void voice_fill(struct voice *voice, float *ret_samples, size_t n);
/* n frames of zeros were written without asking. */
void voice_skip(struct voice *voice, size_t n);

/* The card ran dry, or stopped as if it had, after taking all positions before `taken`; the rest is lost. What is on
 * goes on behind it. */
void voice_xrun(struct voice *voice, int64_t at_ns, int64_t taken);
/* The card has gone with what it had not put out. */
void voice_lose_card(struct voice *voice, int64_t at_ns, int error);
/* No card at `now_ns`: tracks that are due longer than `wait_ns`, or wait past their latest start, end. */
void voice_lack_card(struct voice *voice, int64_t now_ns, int64_t wait_ns, int error);
/* There is one again, and it moves. */
void voice_have_card(struct voice *voice);

/* When a card is next needed, `ahead_ns` before a planned start: INT64_MIN now, INT64_MAX never. */
int64_t voice_needs_card_ns(const struct voice *voice, int64_t ahead_ns);

#endif
