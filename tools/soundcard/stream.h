/* stream.h - the card's side of one player's stream: requests, shared memory, frames. The player is not trusted: its
 * counts are checked, and the shared memory cannot be shrunk under the card. One thread. */
#ifndef LOA_CARD_STREAM_H
#define LOA_CARD_STREAM_H

#include "tools/soundcard/card.h"

void stream_init(struct card_stream *stream);
/* The stream is over; the next may come. */
void stream_done(struct card_stream *stream);

/* Take the connected descriptor and greet. A status below 0 is told, and the descriptor closed; as is -EBUSY when there
 * is a stream. */
MUST_USE int stream_attach(struct card_stream *stream, int fd, int status, struct card_answer *hello);
/* 1: a request; 0: none yet; negative: the player is gone or does not keep to the wire. */
MUST_USE int stream_receive(struct card_stream *stream, struct card_request *ret_request);
/* Do what is asked and answer; `head`: the card's frame that a stream started now begins at. `pace`: all but the anchor
 * is right. */
MUST_USE int stream_answer(struct card_stream *stream, const struct card_request *request, struct card_answer *answer,
                           uint64_t head, const struct card_pace *pace);

/* Fill n frames of 16 bit; zeros and -EPIPE when the ring ran dry (the stream has stopped then). */
MUST_USE int stream_take(struct card_stream *stream, enum card_format format, uint32_t channels, int16_t *ret_frames,
                         uint32_t n);
/* As if the ring had run dry; what waits in it is not taken any more. */
void stream_stop_dry(struct card_stream *stream);
/* Tell the player the pace; no stream: harmless. */
void stream_tell_pace(struct card_stream *stream, const struct card_pace *pace);
/* Tell the player how far it is, and wake it. */
void stream_tick(struct card_stream *stream);

#endif
