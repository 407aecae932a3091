/* line.h - one line for people about a receipt, an event, a device's state: Vietnamese or English. Pure but for the
 * zone that the times are shown in. */
#ifndef LOA_LINE_H
#define LOA_LINE_H

#include "playlists/base/bytes.h"
#include "playlists/base/civil.h"

#include <jansson.h>

/* How the lines are written. */
struct line_style {
    const char *lang;        /* "vi" or "en" */
    const struct zone *zone; /* of the times; NULL: they stay in UTC. Borrowed */
    bool date;               /* the date before the time */
    int64_t now_ms;          /* stands where the item does not say when it happened */
};

/* Append the line about one event of the stream ("receipt", "event", "state", "health", "playlist", "command", "link")
 * to `ret`, without a line end. False: nothing to say about this one. */
bool line_put(const char *kind, const json_t *item, const struct line_style *style, struct buf *ret);

#endif
