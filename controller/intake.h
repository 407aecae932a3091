/* intake.h - recordings on their way in: the work of sound.h on worker threads, its outcome kept as blobs and a row.
 * Loop thread only, but for the work itself, which owns its own files and nothing else. */
#ifndef LOA_INTAKE_H
#define LOA_INTAKE_H

#include "controller/request.h"

struct intake;
struct intake *intake_new(struct controller *c);
/* Running work is waited for by the loop; its requests are answered 503 now. */
void intake_stop(struct intake *intake);
void intake_free(struct intake *intake); /* after the loop ended; NULL is fine */

/* The body of a recording begins to come: at most settings->uploads_max of them are on their way or taken in at once,
 * more are told to come again (-1, r->problem). intake_end() when it came whole or never will; fine when it never
 * began.
 */
int intake_begin(struct intake *intake, struct request *r);
void intake_end(struct intake *intake, struct request *r);
/* Take the request's body in. The request is answered when it is done. `name` may be NULL. */
int intake_start(struct intake *intake, struct request *r, const char *name);

#define SQL_MEDIA                                                                                                      \
    "SELECT n AS cursor__text, hash, size, frames, frames / 48 AS duration_ms, loudness_lufs, true_peak_dbtp,"         \
    " source AS source__json, unit, created_ms AS created__at FROM media "

#endif
