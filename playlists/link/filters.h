/* filters.h - the subscriptions of one session: which are asked for, which are acknowledged. No I/O.
 *
 * A filter is wanted until it is dropped; a brief one until the connection ends. On each connection it is asked for
 * once, in a batch that one SUBACK answers; found by name in constant time, since a controller has one for each of its
 * devices. Loop thread. */
#ifndef LOA_LINK_FILTERS_H
#define LOA_LINK_FILTERS_H

#include "playlists/base/errors.h"

#include <stdbool.h>
#include <stddef.h>

enum { FILTERS_BATCH_MAX = 64 };

struct filters;
struct filter; /* valid until it is dropped, or answered after it was dropped */

struct filters *filters_new(void);
void filters_free(struct filters *filters); /* NULL is fine */

size_t filters_count(const struct filters *filters);   /* also those dropped whose answer is awaited */
size_t filters_waiting(const struct filters *filters); /* wanted and not acknowledged */

/* Want it (again: it is asked for again, so that retained messages come again). ERR_LIMIT beyond `max`. */
MUST_USE int filters_want(struct filters *filters, const char *text, bool brief, size_t max);
struct filter *filters_find(struct filters *filters, const char *text); /* NULL: unknown */
bool filter_asked(const struct filter *filter); /* on this connection: the broker knows of it, or will */
void filters_drop(struct filters *filters, struct filter *filter);

/* Take up to FILTERS_BATCH_MAX that were not asked for, in order, all brief or none; their texts are borrowed. Then
 * filters_asked() with the packet's id, before the next batch is taken; without it they are taken again. */
int filters_take(struct filters *filters, char *ret_texts[FILTERS_BATCH_MAX], bool *ret_brief);
void filters_asked(struct filters *filters, int mid);
/* The answer to a packet: `granted` as MQTT 3.1.1, 3.9.3 has it (0x80: failure). Returns the first one that the broker
 * refused, borrowed, else NULL. */
const char *filters_answered(struct filters *filters, int mid, const int *granted, int count);
void filters_begin_anew(struct filters *filters); /* the connection is gone: nothing is asked for */

#endif
