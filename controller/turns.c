/* turns.c - see turns.h. libuv tells how long it waited for events; the rest of a turn is work. */
#include "controller/turns.h"

#include "playlists/base/bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SPAN_NS (UINT64_C(60) * 1000000000) /* the longest is told of this span and the one before */

const unsigned turns_limits_ms[TURNS_LIMITS] = {1, 2, 5, 10, 20, 50, 100};

/* One way to look at the clock. */
struct clock_view {
    uint64_t at_ns;                /* when this turn began; of the wall, without the time that the loop has waited */
    uint64_t longer[TURNS_LIMITS]; /* turns longer than each limit */
    uint64_t longest_ns[2];        /* of this span, and of the one before */
};

struct turns {
    uv_prepare_t prepare;
    uint64_t n, span_from_ns;
    struct clock_view wall, cpu;
};

static uint64_t cpu_ns(void)
{
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
}

static uint64_t wall_ns(const struct turns *t)
{
    return uv_hrtime() - uv_metrics_idle_time(t->prepare.loop);
}

static void count(struct clock_view *view, uint64_t now_ns)
{
    uint64_t took_ns = now_ns > view->at_ns ? now_ns - view->at_ns : 0;
    view->at_ns = now_ns;
    if (took_ns > view->longest_ns[0])
        view->longest_ns[0] = took_ns;
    for (size_t i = 0; i < TURNS_LIMITS; i++)
        view->longer[i] += took_ns > (uint64_t)turns_limits_ms[i] * 1000000;
}

static void next_span(struct turns *t, uint64_t now_ns)
{
    if (now_ns - t->span_from_ns < SPAN_NS)
        return;
    t->span_from_ns = now_ns;
    t->wall.longest_ns[1] = t->wall.longest_ns[0];
    t->cpu.longest_ns[1] = t->cpu.longest_ns[0];
    t->wall.longest_ns[0] = t->cpu.longest_ns[0] = 0;
}

/* Just before the loop waits. */
static void on_prepare(uv_prepare_t *prepare)
{
    struct turns *t = prepare->data;
    t->n++;
    count(&t->wall, wall_ns(t));
    count(&t->cpu, cpu_ns());
    next_span(t, uv_hrtime());
}

struct turns *turns_new(uv_loop_t *loop)
{
    struct turns *t = xcalloc(1, sizeof(*t));
    uv_loop_configure(loop, UV_METRICS_IDLE_TIME);
    uv_prepare_init(loop, &t->prepare);
    t->prepare.data = t;
    t->span_from_ns = uv_hrtime();
    t->wall.at_ns = wall_ns(t);
    t->cpu.at_ns = cpu_ns();
    uv_prepare_start(&t->prepare, on_prepare);
    uv_unref((uv_handle_t *)&t->prepare);
    return t;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void turns_free(struct turns *turns)
{
    if (turns)
        uv_close((uv_handle_t *)&turns->prepare, on_closed);
}

static json_t *longer_json(const struct clock_view *view)
{
    json_t *json = json_object();
    for (size_t i = 0; i < TURNS_LIMITS; i++) {
        char limit[12];
        snprintf(limit, sizeof(limit), "%u", turns_limits_ms[i]);
        json_object_set_new(json, limit, json_integer((json_int_t)view->longer[i]));
    }
    return json;
}

static double longest_ms(const struct clock_view *view)
{
    uint64_t ns = view->longest_ns[0] > view->longest_ns[1] ? view->longest_ns[0] : view->longest_ns[1];
    return (double)ns / 1e6;
}

json_t *turns_json(struct turns *turns)
{
    return json_pack("{s:I, s:o, s:o, s:f, s:f}", "turns", (json_int_t)turns->n, "longer_than_ms",
                     longer_json(&turns->wall), "cpu_longer_than_ms", longer_json(&turns->cpu), "longest_ms",
                     longest_ms(&turns->wall), "longest_cpu_ms", longest_ms(&turns->cpu));
}
