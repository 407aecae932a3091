/* line.c - see line.h. */
#include "tools/modbus-sim/line.h"

#include "playlists/base/bytes.h"
#include "playlists/base/clock.h"

#include <stdlib.h>
#include <string.h>

struct parcel {
    struct line *line;
    uv_timer_t timer;
    uint8_t bytes[2 * LINE_ADU_MAX];
    size_t len, at;
    uint32_t byte_ms;
    struct parcel *next, **prev;
};

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void end(struct parcel *parcel)
{
    *parcel->prev = parcel->next;
    if (parcel->next)
        parcel->next->prev = parcel->prev;
    uv_close((uv_handle_t *)&parcel->timer, on_closed);
}

static void on_due(uv_timer_t *timer)
{
    struct parcel *parcel = timer->data;
    size_t n = parcel->byte_ms ? 1 : parcel->len - parcel->at;
    parcel->line->put(parcel->line->arg, parcel->bytes + parcel->at, n);
    parcel->at += n;
    if (parcel->at < parcel->len)
        uv_timer_start(&parcel->timer, on_due, parcel->byte_ms, 0);
    else
        end(parcel);
}

static size_t spoil(enum fault_kind how, uint8_t *bytes, size_t len)
{
    if (how == FAULT_SHORT)
        return len - 3;
    if (how == FAULT_TWICE) {
        memcpy(bytes + len, bytes, len);
        return 2 * len;
    }
    for (size_t i = 0; how == FAULT_GARBAGE && i < len; i++)
        bytes[i] = (uint8_t)(random() >> 8);
    return len;
}

void line_send(struct line *line, const struct reply *reply, const uint8_t *adu, size_t len, int64_t now_ms)
{
    uint8_t bytes[2 * LINE_ADU_MAX];
    memcpy(bytes, adu, len);
    len = spoil(reply->spoil, bytes, len);
    if (reply->due_ms <= now_ms && reply->byte_ms == 0) {
        line->put(line->arg, bytes, len);
        return;
    }
    struct parcel *parcel = xcalloc(1, sizeof(*parcel));
    parcel->line = line;
    memcpy(parcel->bytes, bytes, len);
    parcel->len = len;
    parcel->byte_ms = reply->byte_ms;
    parcel->timer.data = parcel;
    parcel->next = line->parcels;
    parcel->prev = &line->parcels;
    if (parcel->next)
        parcel->next->prev = &parcel->next;
    line->parcels = parcel;
    uv_timer_init(line->loop, &parcel->timer);
    int64_t wait_ms = reply->due_ms > now_ms ? reply->due_ms - now_ms : 0;
    uv_update_time(line->loop);
    uv_timer_start(&parcel->timer, on_due, (uint64_t)wait_ms + reply->byte_ms, 0);
}

void line_clear(struct line *line)
{
    while (line->parcels)
        end(line->parcels);
}
