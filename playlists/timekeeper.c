/* timekeeper.c - see timekeeper.h. */
#include "playlists/timekeeper.h"

#include <stdio.h>
#include <string.h>

/* An offset that moved by less is not worth a write to disk. */
enum { OFFSET_STORE_MS = 100 };

static int64_t distance(int64_t a, int64_t b)
{
    return a < b ? b - a : a - b;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static bool same_boot(const struct timekeeper *tk, const struct clocks *clocks)
{
    return strcmp(tk->boot, clocks->boot) == 0 && clocks->elapsed_ms >= tk->trusted_at_ms;
}

void timekeeper_restore(struct timekeeper *tk, const struct clocks *clocks)
{
    tk->signed_session = false;
    tk->session_elapsed_ms = 0;
    tk->has_wall_offset = false;
    tk->wall_offset_ms = 0;
    tk->dirty = false;
    tk->boot[sizeof(tk->boot) - 1] = '\0';
    tk->newest_kid[sizeof(tk->newest_kid) - 1] = '\0';
    /* A boot without a name could be any. */
    bool named = clocks->boot[0] && strcmp(clocks->boot, "unknown") != 0;
    if (tk->has_offset && (!named || !same_boot(tk, clocks))) {
        tk->has_offset = false;
        tk->offset_ms = 0;
        tk->trusted_at_ms = 0;
        tk->boot[0] = '\0';
    }
}

static void take_offset(struct timekeeper *tk, const struct clocks *clocks, int64_t offset_ms)
{
    tk->has_offset = true;
    tk->offset_ms = offset_ms;
    tk->trusted_at_ms = clocks->elapsed_ms;
    snprintf(tk->boot, sizeof(tk->boot), "%s", clocks->boot);
    tk->dirty = true;
}

void timekeeper_session_began(struct timekeeper *tk, int64_t elapsed_ms)
{
    tk->session_elapsed_ms = elapsed_ms;
}

/* The least that it can be now: by the time that is carried already, when a welcome that says less may just be late. */
static int64_t least_ms(const struct timekeeper *tk, const struct clocks *clocks, int64_t time_ms)
{
    int64_t since_ms = clocks->elapsed_ms - tk->trusted_at_ms;
    if (!tk->has_offset || !same_boot(tk, clocks) || since_ms > TIMEKEEPER_HELD_MS || tk->session_elapsed_ms == 0)
        return INT64_MIN;
    int64_t now_ms = clocks->elapsed_ms + tk->offset_ms;
    bool older = now_ms - time_ms > clocks->elapsed_ms - tk->session_elapsed_ms; /* than the session: not just late */
    return older ? INT64_MIN : now_ms - since_ms / TIMEKEEPER_DRIFT;
}

void timekeeper_welcome(struct timekeeper *tk, const struct clocks *clocks, int64_t time_ms, int64_t limit_ms,
                        const char *kid)
{
    if (time_ms <= 0 || time_ms > limit_ms)
        return;
    bool agrees = distance(clocks->wall_ms, time_ms) <= TIMEKEEPER_AGREE_MS;
    int64_t now_ms = larger(agrees ? clocks->wall_ms : time_ms, least_ms(tk, clocks, time_ms));
    take_offset(tk, clocks, now_ms - clocks->elapsed_ms);
    tk->signed_session = true;
    tk->signed_offset_ms = tk->offset_ms;
    tk->signed_at_ms = clocks->elapsed_ms;
    if (time_ms > tk->newest_ms) {
        tk->newest_ms = time_ms;
        snprintf(tk->newest_kid, sizeof(tk->newest_kid), "%s", kid);
    }
}

void timekeeper_session_ended(struct timekeeper *tk)
{
    tk->signed_session = false;
}

void timekeeper_forget(struct timekeeper *tk)
{
    tk->newest_ms = 0;
    tk->newest_kid[0] = '\0';
    tk->has_offset = false;
    tk->offset_ms = 0;
    tk->trusted_at_ms = 0;
    tk->boot[0] = '\0';
    tk->signed_session = false;
    tk->dirty = true;
}

/* How far the wall clock jumped since the last look. */
static int64_t wall_step(struct timekeeper *tk, const struct clocks *clocks)
{
    int64_t offset = clocks->wall_ms - clocks->elapsed_ms;
    int64_t step = tk->has_wall_offset ? offset - tk->wall_offset_ms : 0;
    tk->wall_offset_ms = offset;
    tk->has_wall_offset = true;
    return distance(step, 0) >= TIMEKEEPER_STEP_MS ? step : 0;
}

static void follow_disciplined(struct timekeeper *tk, const struct clocks *clocks)
{
    int64_t offset = clocks->wall_ms - clocks->elapsed_ms;
    bool due = !tk->has_offset || !same_boot(tk, clocks) || distance(offset, tk->offset_ms) >= OFFSET_STORE_MS ||
               clocks->elapsed_ms - tk->trusted_at_ms >= TIMEKEEPER_STORE_MS;
    if (due)
        take_offset(tk, clocks, offset);
}

/* A clock that was called disciplined and was led astray is not carried on in the name of a session that said else. */
static void return_to_signed(struct timekeeper *tk, const struct clocks *clocks)
{
    if (!tk->signed_session || !tk->has_offset || !same_boot(tk, clocks) || clocks->elapsed_ms < tk->signed_at_ms)
        return;
    int64_t drift_ms = (clocks->elapsed_ms - tk->signed_at_ms) / TIMEKEEPER_DRIFT;
    if (distance(tk->offset_ms, tk->signed_offset_ms) <= TIMEKEEPER_AGREE_MS + drift_ms)
        return;
    take_offset(tk, clocks, tk->signed_offset_ms);
    tk->trusted_at_ms = tk->signed_at_ms;
}

struct time_now timekeeper_look(struct timekeeper *tk, const struct clocks *clocks, int64_t build_ms)
{
    struct time_now now = {.step_ms = wall_step(tk, clocks)};
    if (clocks->kernel_synced && clocks->wall_ms >= build_ms) {
        follow_disciplined(tk, clocks);
        now.grade = GRADE_SYNCED;
        now.now_ms = clocks->wall_ms;
        now.lower_ms = now.now_ms;
        return now;
    }
    return_to_signed(tk, clocks);
    if (tk->has_offset && same_boot(tk, clocks) && clocks->elapsed_ms - tk->trusted_at_ms <= TIMEKEEPER_HELD_MS) {
        now.grade = tk->signed_session ? GRADE_SIGNED : GRADE_HELD;
        now.now_ms = clocks->elapsed_ms + tk->offset_ms;
    } else {
        now.grade = GRADE_UNKNOWN;
        now.now_ms = clocks->wall_ms;
        now.lower_ms = larger(build_ms, tk->newest_ms);
        return now;
    }
    now.lower_ms = now.now_ms;
    return now;
}
