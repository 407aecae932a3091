/* boots.c - see boots.h. */
#include "time/boots.h"

#include <stdio.h>
#include <string.h>

struct timekeeper tk;
struct clocks clocks;

void boot(const char *name, int64_t wall_ms, int64_t elapsed_ms)
{
    clocks = (struct clocks){.wall_ms = wall_ms, .elapsed_ms = elapsed_ms};
    snprintf(clocks.boot, sizeof(clocks.boot), "%s", name);
}

int set_up(void **state)
{
    (void)state;
    memset(&tk, 0, sizeof(tk));
    boot("first-boot", T0, 50000);
    return 0;
}

void pass(int64_t ms)
{
    clocks.wall_ms += ms;
    clocks.elapsed_ms += ms;
}

struct time_now look(void)
{
    return timekeeper_look(&tk, &clocks, BUILD);
}

void welcome(int64_t time_ms)
{
    timekeeper_welcome(&tk, &clocks, time_ms, LIMIT, KID);
}

void assert_time(enum time_grade grade, int64_t now_ms)
{
    struct time_now now = look();
    assert_string_equal(time_grade_names[now.grade], time_grade_names[grade]);
    assert_int_equal(now.now_ms, now_ms);
    if (grade != GRADE_UNKNOWN)
        assert_int_equal(now.lower_ms, now_ms);
}

void restart(void)
{
    struct timekeeper stored = {.offset_ms = tk.offset_ms,
                                .trusted_at_ms = tk.trusted_at_ms,
                                .newest_ms = tk.newest_ms,
                                .has_offset = tk.has_offset,
                                .signed_session = true, /* rubbish in what is not stored must not count */
                                .wall_offset_ms = 12345,
                                .has_wall_offset = true,
                                .dirty = true};
    memcpy(stored.newest_kid, tk.newest_kid, sizeof(stored.newest_kid));
    memcpy(stored.boot, tk.boot, sizeof(stored.boot));
    tk = stored;
    timekeeper_restore(&tk, &clocks);
    assert_false(tk.dirty);
    assert_false(tk.signed_session);
}
