/* reader.h - what a thread beside the loop has of the controller: the store for reading, zones, and the mandate as the
 * store has it, so that what only reads runs there as it would on the loop.
 *
 * One thread at a time, which gives way to the loop from then on. Nothing in it is shared with the loop's parts but the
 * settings, which do not change. */
#ifndef LOA_READER_H
#define LOA_READER_H

#include "controller/controller.h"

struct reader;

/* Opens nothing yet. */
struct reader *reader_new(const struct controller *c);
void reader_free(struct reader *reader); /* NULL is fine */

/* A view of one moment, until reader_end(): what was committed by then. *ret is the reader's: settings, scheduler,
 * store, zones and mandate are there, all else is NULL. ERR_STORE (logged): nothing is open. */
MUST_USE int reader_begin(struct reader *reader, struct controller **ret);
/* `shorten_log`: store_log_due() of the loop's store; the reader's time is taken for it. */
void reader_end(struct reader *reader, bool shorten_log);

#endif
