/* ledger_form.h - the arbiter's ledger and the timekeeper as bytes on disk: a format number, a length, the plain
 * value. They are read back by the same machine; the layout of the former format is
 * known too, any other is refused, never guessed at. Pure; any thread. */
#ifndef LOA_LEDGER_FORM_H
#define LOA_LEDGER_FORM_H

#include "playlists/arbiter.h"
#include "playlists/timekeeper.h"

void ledger_write(const struct ledger *ledger, struct buf *ret); /* appended */
/* ERR_FORMAT for another format number or length, or counts out of bounds; *ret stays untouched. */
MUST_USE int ledger_read(const void *data, size_t len, struct ledger *ret);

void timekeeper_write(const struct timekeeper *tk, struct buf *ret);
MUST_USE int timekeeper_read(const void *data, size_t len, struct timekeeper *ret);

#endif
