/* crew.c - see crew.h. */
#include "tools/fleet-agents/crew.h"

#include "playlists/base/bytes.h"
#include "playlists/base/clock.h"
#include "playlists/base/log.h"
#include "tools/fleet-agents/outputs.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAKE_EVERY_MS = 10, /* between two turns of making; those that are made already live meanwhile */
    MAKE_FOR_MS = 20,
    COUNT_EVERY_MS = 200,
};

struct counts {
    unsigned made, online, welcomed, holding;
    unsigned long begun, over, cut;
};

struct crew {
    uv_loop_t loop;
    const struct member_ground *ground;
    unsigned first, n;
    struct member **members; /* owned, n places, `now.made` of them are there */
    uv_signal_t terminate, interrupt;
    uv_timer_t make, count;
    struct counts now, told;
    int failed;
    struct complaint *why;
};

static void on_adopted(void *arg, unsigned index, int64_t ver, int64_t at_unix_ms)
{
    (void)arg;
    printf("adopted %" PRId64 " %u %" PRId64 "\n", at_unix_ms, index, ver);
}

static void on_seen(void *arg, const struct outputs_change *change)
{
    struct crew *crew = arg;
    if (change->begins)
        crew->now.begun++;
    else if (change->cut)
        crew->now.cut++;
    else
        crew->now.over++;
}

static void fail(struct crew *crew, int code)
{
    crew->failed = code;
    uv_stop(&crew->loop);
}

/* --- made --- */

static void on_make(uv_timer_t *timer)
{
    struct crew *crew = timer->data;
    int64_t until_ms = clock_elapsed_ms() + MAKE_FOR_MS;
    while (crew->now.made < crew->n && clock_elapsed_ms() < until_ms) {
        struct member *member = member_new(&crew->loop, crew->ground, crew->first + crew->now.made, on_adopted, crew);
        crew->members[crew->now.made++] = member;
        int r = member_start(member, crew->why);
        if (r < 0) {
            fail(crew, r);
            return;
        }
    }
    if (crew->now.made == crew->n)
        uv_timer_stop(timer);
}

/* --- counted --- */

static void on_count(uv_timer_t *timer)
{
    struct crew *crew = timer->data;
    struct counts *now = &crew->now;
    now->online = now->welcomed = now->holding = 0;
    for (unsigned i = 0; i < now->made; i++) {
        struct member_look look;
        int r = member_revive(crew->members[i], crew->why);
        if (r < 0) {
            fail(crew, r);
            return;
        }
        member_look(crew->members[i], &look);
        now->online += look.online;
        now->welcomed += look.welcomed;
        now->holding += look.holds;
    }
    if (memcmp(now, &crew->told, sizeof(*now)) != 0)
        printf("count %" PRId64 " %u %u %u %u %lu %lu %lu\n", clock_wall_ms(), now->made, now->online, now->welcomed,
               now->holding, now->begun, now->over, now->cut);
    crew->told = *now;
    fflush(stdout);
}

/* --- ended --- */

static void on_signal(uv_signal_t *signal, int number)
{
    (void)number;
    uv_stop(signal->loop);
}

static void start_handles(struct crew *crew)
{
    uv_loop_init(&crew->loop);
    uv_signal_init(&crew->loop, &crew->terminate);
    uv_signal_init(&crew->loop, &crew->interrupt);
    uv_timer_init(&crew->loop, &crew->make);
    uv_timer_init(&crew->loop, &crew->count);
    crew->make.data = crew->count.data = crew;
    uv_signal_start(&crew->terminate, on_signal, SIGTERM);
    uv_signal_start(&crew->interrupt, on_signal, SIGINT);
    uv_timer_start(&crew->make, on_make, 0, MAKE_EVERY_MS);
    uv_timer_start(&crew->count, on_count, COUNT_EVERY_MS, COUNT_EVERY_MS);
}

static void end_all(struct crew *crew)
{
    uv_handle_t *handles[] = {(uv_handle_t *)&crew->terminate, (uv_handle_t *)&crew->interrupt,
                              (uv_handle_t *)&crew->make, (uv_handle_t *)&crew->count};
    for (size_t i = 0; i < sizeof(handles) / sizeof(handles[0]); i++)
        uv_close(handles[i], NULL);
    for (unsigned i = 0; i < crew->now.made; i++)
        member_stop(crew->members[i]);
    uv_run(&crew->loop, UV_RUN_DEFAULT); /* until every handle and job has let go */
    for (unsigned i = 0; i < crew->now.made; i++)
        member_free(crew->members[i]);
    free(crew->members);
    uv_loop_close(&crew->loop);
    fflush(stdout);
}

int crew_run(const struct member_ground *ground, unsigned first, unsigned n, struct complaint *why)
{
    struct crew *crew = xcalloc(1, sizeof(*crew));
    crew->ground = ground;
    crew->first = first;
    crew->n = n;
    crew->why = why;
    crew->members = xcalloc(n, sizeof(struct member *));
    outputs_watch(on_seen, crew);
    outputs_watch_decisions(member_decided, crew);
    start_handles(crew);
    uv_run(&crew->loop, UV_RUN_DEFAULT);
    end_all(crew);
    int failed = crew->failed;
    free(crew);
    return failed;
}
