/* line.h - one line for people about a receipt, an event, a device's state: Vietnamese or English. Pure but for the
 * zone that the times are shown in. */
#ifndef LOA_LINE_H
#define LOA_LINE_H

#include "playlists/base/bytes.h"
#include "playlists/base/civil.h"

#include <jansson.h>

/* Append the line about one event of the stream ("receipt", "event", "state", "health", "playlist", "command", "link")
 * to `ret`, without a line end. False: nothing to say about this one. `zone` may be NULL: times stay in UTC. */
bool line_put(const char *kind, const json_t *item, const char *lang, const struct zone *zone, struct buf *ret);

#endif
