/* rows.h - the lines that WIRE.md must hold for the table of a document, up to the words that only people can write. */
#ifndef LOA_TESTS_ROWS_H
#define LOA_TESTS_ROWS_H

#include "playlists/codec.h"

typedef void (*row_fn)(void *arg, const char *row);

/* "| `items[].start_ms` | int | yes | 0 to 4102444800000 |" for each member below `shape`, depth first. `skip` leaves
 * out the first fields (the head, which is described once). */
void rows_walk(const struct shape *shape, const char *prefix, size_t skip, row_fn row, void *arg);

#endif
