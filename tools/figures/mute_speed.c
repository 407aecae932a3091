/* mute_speed - how long a mute takes to an amplifier whose bus is full of slaves that do not answer.
 *
 *   mute_speed TTY UNIT DEAD ROUNDS   amplifier UNIT with coil 1 for its mute; units 1 to DEAD are silent; milliseconds
 *                                     from the asking to the amplifier's answer, one line for each round, on stdout
 *
 * All of them are polled, and all are muted at once at some moment of that, the living one last. Exit 1: a mute was not
 * answered. Exit 2: wrong use. */
#include "boards/bus/bus.h"
#include "playlists/base/bytes.h"
#include "playlists/base/clock.h"

#include <stdio.h>
#include <stdlib.h>

enum { COIL_MUTE = 1, POLLS_EACH = 3, PHASE_MS = 800 };

struct outcome {
    bool ended;
    int result;
    int64_t at_ns;
};

struct field_bus {
    uv_loop_t loop;
    struct bus *bus;
    uint8_t live, dead;
    int polls; /* under way */
};

static void on_poll(void *arg, const struct bus_answer *answer)
{
    struct field_bus *f = arg;
    (void)answer;
    f->polls--;
}

static void on_mute(void *arg, const struct bus_answer *answer)
{
    *(struct outcome *)arg = (struct outcome){true, answer->result, clock_elapsed_ns()};
}

static void poll_all(struct field_bus *f)
{
    for (int i = 0; i < POLLS_EACH * (f->dead + 1); i++) {
        struct bus_request request = {.act = BUS_READ, .kind = POINT_COIL, .address = COIL_MUTE, .count = 1};
        request.unit = (uint8_t)(i % (f->dead + 1));
        request.unit = request.unit ? request.unit : f->live;
        f->polls += bus_ask(f->bus, &request, on_poll, f, NULL) == 0;
    }
}

static int write_mute(struct field_bus *f, uint8_t unit, uint16_t value, struct outcome *o)
{
    struct bus_request request = {
        .act = BUS_WRITE, .kind = POINT_COIL, .address = COIL_MUTE, .count = 1, .urgent = true};
    request.unit = unit;
    request.values[0] = value;
    *o = (struct outcome){0};
    return bus_ask(f->bus, &request, on_mute, o, NULL);
}

/* The bus ends every request. */
static int until_ended(struct field_bus *f, const struct outcome *o)
{
    while (!o->ended)
        uv_run(&f->loop, UV_RUN_ONCE);
    return o->result;
}

static void on_time(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

static void wait_ms(struct field_bus *f, uint32_t ms)
{
    bool over = false;
    uv_timer_t timer;
    uv_timer_init(&f->loop, &timer);
    timer.data = &over;
    uv_timer_start(&timer, on_time, ms, 0);
    while (!over)
        uv_run(&f->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&f->loop, UV_RUN_NOWAIT);
}

/* Nanoseconds, negative when it was not answered. */
static int64_t one_round(struct field_bus *f)
{
    struct outcome others[UINT8_MAX], mute;
    if (write_mute(f, f->live, 0, &mute) < 0 || until_ended(f, &mute) < 0)
        return -1;
    poll_all(f);
    wait_ms(f, random_below(PHASE_MS));
    int64_t began_ns = clock_elapsed_ns();
    for (uint8_t unit = 1; unit <= f->dead; unit++)
        if (write_mute(f, unit, 1, &others[unit]) < 0)
            return -1;
    int r = write_mute(f, f->live, 1, &mute);
    int64_t took_ns = r == 0 && until_ended(f, &mute) == 0 ? mute.at_ns - began_ns : -1;
    for (uint8_t unit = 1; unit <= f->dead; unit++)
        (void)!until_ended(f, &others[unit]); /* nobody is there */
    while (f->polls > 0)
        uv_run(&f->loop, UV_RUN_ONCE);
    return took_ns;
}

static int run(struct field_bus *f, int rounds)
{
    for (int i = 0; i < rounds; i++) {
        int64_t took_ns = one_round(f);
        if (took_ns < 0)
            return 1;
        printf("%.3f\n", (double)took_ns / 1e6);
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct field_bus f = {0};
    struct complaint why = {0};
    int numbers[3] = {0};
    for (int i = 0; argc == 5 && i < 3; i++)
        numbers[i] = atoi(argv[2 + i]);
    if (numbers[1] < 1 || numbers[1] > 20 || numbers[0] <= numbers[1] || numbers[0] > 247 || numbers[2] < 1) {
        fprintf(stderr, "use: mute_speed TTY UNIT DEAD ROUNDS; UNIT is above DEAD, which is 1 to 20\n");
        return 2;
    }
    f.live = (uint8_t)numbers[0];
    f.dead = (uint8_t)numbers[1];
    uv_loop_init(&f.loop);
    struct bus_config config = {.transport = BUS_RTU, .host = argv[1], .baud = 19200, .parity = 'E', .stop_bits = 1};
    if (bus_new(&f.loop, &config, &f.bus, &why) < 0) {
        fprintf(stderr, "mute_speed: %s\n", why.text);
        return 1;
    }
    int code = run(&f, numbers[2]);
    bus_free(f.bus);
    uv_run(&f.loop, UV_RUN_DEFAULT);
    uv_loop_close(&f.loop);
    return code;
}
