/* frame.h - whole messages over a Unix stream socket.
 *
 * One frame: length u32 (big endian, of all that follows), type u8, flags u8, id u32 BE, name length u16 BE, name
 * (UTF-8), body. Lengths are checked before anything is kept; a frame beyond the limits ends the connection.
 * Everything runs on the loop thread. */
#ifndef LOA_FRAME_H
#define LOA_FRAME_H

#include "playlists/base/errors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

enum { FRAME_NAME_MAX = 255, FRAME_BODY_MAX = 128 * 1024, FRAME_QUEUE_MAX = 8 * 1024 * 1024 };

struct frame {
    uint8_t type;
    uint8_t flags;
    uint32_t id;
    const char *name; /* terminated; "" (or NULL when sending) when none; borrowed for the call */
    const uint8_t *body;
    size_t body_len;
};

struct frame_conn; /* one side of one connection */

typedef void (*frame_fn)(void *arg, const struct frame *frame);
/* The connection is gone: 0 for an orderly end, else the reason. Called once, never after frame_conn_close(), never
 * from inside frame_send(). The connection is still the owner's to close. */
typedef void (*frame_gone_fn)(void *arg, int reason);
/* Something was written; frame_queued() tells what is left. */
typedef void (*frame_drained_fn)(void *arg);

/* Take over an accepted or connected pipe (heap-allocated by the caller with malloc; consumed). */
struct frame_conn *frame_conn_new(uv_pipe_t *pipe, frame_fn on_frame, frame_gone_fn on_gone, void *arg);
/* Queue one frame. -ENOBUFS when FRAME_QUEUE_MAX bytes wait already (nothing queued); -EMSGSIZE beyond the limits. */
MUST_USE int frame_send(struct frame_conn *conn, const struct frame *frame);
size_t frame_queued(const struct frame_conn *conn);                     /* bytes that wait to be written */
void frame_watch(struct frame_conn *conn, frame_drained_fn on_drained); /* `arg` is that of frame_conn_new() */
void frame_pause(struct frame_conn *conn, bool paused);                 /* stop or resume reading */
/* NULL is fine; what still waits to be written is dropped; frees once the loop has let go. May be called from any of
 * the callbacks above. */
void frame_conn_close(struct frame_conn *conn);

/* Pure decoder, for the reader above and for fuzzing: 1 = one frame at the front of data (its whole length in
 * *ret_used), 0 = more bytes needed, ERR_LIMIT / ERR_FORMAT. `name` is copied into name_buf. */
MUST_USE int frame_parse(const uint8_t *data, size_t len, char name_buf[FRAME_NAME_MAX + 1], struct frame *ret_frame,
                         size_t *ret_used);

#endif
