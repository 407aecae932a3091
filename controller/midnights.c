/* midnights.c - see midnights.h. */
#include "controller/midnights.h"

#include "controller/areas.h"
#include "controller/publisher.h"
#include "playlists/base/bytes.h"
#include "playlists/base/clock.h"
#include "playlists/base/log.h"

#include <stdlib.h>

enum { LOOK_MS = 1000 };

struct midnights {
    struct controller *c;
    uv_timer_t look;
};

static void do_what_is_due(struct midnights *m)
{
    json_t *devices = NULL;
    int64_t now_ms = clock_wall_ms();
    if (areas_next_ms(m->c->store) > now_ms)
        return;
    int n = areas_apply(m->c->store, now_ms, &devices);
    if (n < 0)
        log_warn("areas", "what is due is not written; tried again in a second");
    else
        log_info("areas", "changes=%d devices=%zu in effect", n, json_array_size(devices));
    if (n > 0)
        publisher_touch_list(m->c->publisher, devices);
    json_decref(devices);
}

static void on_look(uv_timer_t *timer)
{
    do_what_is_due(timer->data);
}

struct midnights *midnights_new(struct controller *c)
{
    struct midnights *m = xcalloc(1, sizeof(*m));
    m->c = c;
    uv_timer_init(c->loop, &m->look);
    m->look.data = m;
    do_what_is_due(m);
    uv_timer_start(&m->look, on_look, LOOK_MS, LOOK_MS);
    return m;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void midnights_free(struct midnights *midnights)
{
    if (midnights)
        uv_close((uv_handle_t *)&midnights->look, on_closed);
}
