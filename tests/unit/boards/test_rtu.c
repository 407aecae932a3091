/* Modbus RTU against slaves that misbehave in every way we know: bounded, never believed, and a mute gets through. */
#include "unit.h"

#include "boards/bus/bus.h"
#include "boards/bus/rtu.h"
#include "playlists/base/clock.h"
#include "pty_script.h"

#include <errno.h>
#include <stdio.h>

enum { NOISE_MS = 1000, DEAD_UNITS = 10, LIVE_UNIT = 40 };

struct outcome {
    bool ended;
    struct bus_answer answer;
    uint16_t first;
    int64_t took_ms, began_ms;
};

static void on_done(void *arg, const struct bus_answer *answer)
{
    struct outcome *o = arg;
    o->ended = true;
    o->answer = *answer;
    o->first = answer->values ? answer->values[0] : 0;
    o->took_ms = clock_elapsed_ms() - o->began_ms;
}

static void ask(struct bus *bus, const struct bus_request *request, struct outcome *o)
{
    *o = (struct outcome){.began_ms = clock_elapsed_ms()};
    assert_int_equal(bus_ask(bus, request, on_done, o, NULL), 0);
}

static void do_one(uv_loop_t *loop, struct bus *bus, const struct bus_request *request, struct outcome *o)
{
    ask(bus, request, o);
    while (!o->ended)
        uv_run(loop, UV_RUN_ONCE);
}

static struct bus *start_bus(uv_loop_t *loop, const char *path)
{
    struct bus_config config = {.transport = BUS_RTU,
                                .host = path,
                                .baud = 19200,
                                .parity = 'E',
                                .stop_bits = 1,
                                .backoff_min_ms = 100,
                                .backoff_max_ms = 400};
    struct bus *bus = NULL;
    struct complaint why = {0};
    uv_loop_init(loop);
    assert_int_equal(bus_new(loop, &config, &bus, &why), 0);
    return bus;
}

static void stop_bus(uv_loop_t *loop, struct bus *bus)
{
    bus_free(bus);
    uv_run(loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(loop), 0);
}

static struct bus_request read_one(void)
{
    return (struct bus_request){.act = BUS_READ, .unit = 5, .kind = POINT_HOLDING, .address = 16, .count = 1};
}

/* ---- pure ---- */

static void test_frames(void **state)
{
    (void)state;
    uint8_t frame[16] = {0x01, 0x03, 0x00, 0x00, 0x00, 0x0A};
    assert_int_equal(rtu_seal(frame, 6), 8);
    assert_int_equal(frame[6], 0xC5); /* as mbpoll and every other master sends it */
    assert_int_equal(frame[7], 0xCD);
    assert_true(rtu_whole(frame, 8));
    for (size_t i = 0; i < 64; i++) { /* every flipped bit is seen */
        frame[i / 8] ^= (uint8_t)(1U << (i % 8));
        assert_false(rtu_whole(frame, 8));
        frame[i / 8] ^= (uint8_t)(1U << (i % 8));
    }
    assert_int_equal(rtu_answer_len((const uint8_t[]){1, 3, 250}, 3), 255);
    assert_int_equal(rtu_answer_len((const uint8_t[]){1, 0x90}, 2), 5);
    assert_int_equal(rtu_answer_len((const uint8_t[]){1, 16}, 2), 8);
    assert_int_equal(rtu_answer_len((const uint8_t[]){1}, 1), 0);
    assert_true(rtu_answer_len((const uint8_t[]){1, 77}, 2) > RTU_MAX);
    assert_int_equal(rtu_gap_ns(115200), 1750000);
    assert_int_equal(rtu_gap_ns(9600) / 1000, 4010);
}

static void test_debts(void **state)
{
    (void)state;
    static struct rtu_debts debts;
    uint8_t probe[RTU_PROBE_LEN], older[RTU_PROBE_LEN];
    uint8_t refusal[] = {5, 0x88, 1, 0, 0};
    rtu_owe(&debts, 5, 3, 0);
    assert_true(rtu_owes(&debts, 5, 3, 1) && !rtu_owes(&debts, 5, 4, 1) && !rtu_owes(&debts, 6, 3, 1));
    rtu_probe(&debts, 5, older);
    rtu_probe(&debts, 5, probe);
    assert_false(rtu_probe_answered(&debts, older, sizeof(older)));
    assert_true(rtu_owes(&debts, 5, 3, 1));
    assert_true(rtu_probe_answered(&debts, probe, sizeof(probe)));
    assert_false(rtu_owes(&debts, 5, 3, 1));
    assert_false(rtu_probe_answered(&debts, probe, sizeof(probe))); /* nobody asked for this one */
    rtu_owe(&debts, 5, 3, 0);
    rtu_probe(&debts, 5, older);
    rtu_probe(&debts, 5, probe);
    assert_false(rtu_probe_answered(&debts, refusal, sizeof(refusal))); /* of the older one */
    assert_true(rtu_probe_answered(&debts, refusal, sizeof(refusal)));
    rtu_owe(&debts, 7, 3, 0);
    assert_false(rtu_owes(&debts, 8, 3, 1));
    rtu_doubt_all(&debts, 0);
    assert_true(rtu_owes(&debts, 8, 3, 1) && rtu_owes(&debts, 8, 16, 1));
    assert_true(rtu_owes(&debts, 7, 3, (int64_t)RTU_FORGET_MS * 1000000));
    assert_false(rtu_owes(&debts, 7, 3, (int64_t)RTU_FORGET_MS * 1000000 + 1));
}

/* ---- tricks ---- */

enum trick {
    RIGHT,
    SILENT,
    WRONG_UNIT,
    WRONG_FUNCTION,
    WRONG_LENGTH,
    BAD_CRC,
    SHORT,
    LONG,
    GARBAGE,
    EXCEPTION,
    DRIBBLE,
    DRIBBLE_FAST,
    LATE,
    TWICE,
    FOREIGN_FIRST
};

struct play {
    atomic_int trick;
    atomic_int value; /* told by the next right answer */
};

static void dribble(int fd, const uint8_t *bytes, size_t len, int pause_ms)
{
    uint8_t frame[RTU_MAX];
    memcpy(frame, bytes, len);
    len = rtu_seal(frame, len);
    for (size_t i = 0; i < len; i++) {
        poll(NULL, 0, pause_ms);
        if (write(fd, frame + i, 1) < 0)
            abort();
    }
}

static void play(int fd, const uint8_t *request, size_t len, void *arg)
{
    struct play *p = arg;
    int value = atomic_load(&p->value);
    uint8_t a[64] = {request[0], request[1], 2, (uint8_t)(value >> 8), (uint8_t)value};
    size_t n = 5;
    if (request[1] == 8 || request[1] == 6)
        memcpy(a, request, n = len);
    switch ((enum trick)atomic_load(&p->trick)) {
    case RIGHT:
        break;
    case SILENT:
        return;
    case WRONG_UNIT:
        a[0]++;
        break;
    case WRONG_FUNCTION:
        a[1] = a[1] == 3 ? 4 : 6;
        break;
    case WRONG_LENGTH:
        a[2] = 4;
        n = 7;
        break;
    case BAD_CRC:
    case SHORT: {
        size_t whole = rtu_seal(a, n);
        a[whole - 1] ^= 1;
        if (write(fd, a, atomic_load(&p->trick) == SHORT ? 4 : whole) < 0)
            abort();
        return;
    }
    case LONG: {
        n = rtu_seal(a, n);
        memset(a + n, 0x55, 3);
        if (write(fd, a, n + 3) < 0)
            abort();
        return;
    }
    case GARBAGE:
        memset(a, 0xFF, sizeof(a));
        if (write(fd, a, sizeof(a)) < 0)
            abort();
        return;
    case EXCEPTION:
        a[1] |= 0x80;
        a[2] = 2;
        n = 3;
        break;
    case DRIBBLE:
    case DRIBBLE_FAST:
        dribble(fd, a, n, atomic_load(&p->trick) == DRIBBLE ? 400 : 60);
        return;
    case LATE:
        poll(NULL, 0, 600);
        break;
    case TWICE:
        pty_say(fd, a, n);
        break;
    case FOREIGN_FIRST: {
        const uint8_t other[] = {9, 3, 2, 0, 1};
        pty_say(fd, other, sizeof(other));
        break;
    }
    }
    pty_say(fd, a, n);
}

/* Asked again when the slave was starved of the processor: only one that is meant to may time out. */
static void do_expecting(uv_loop_t *loop, struct bus *bus, const struct bus_request *request, int wanted,
                         struct outcome *o)
{
    int64_t end_ms = clock_elapsed_ms() + 60000;
    do {
        ask(bus, request, o);
        while (!o->ended)
            uv_run(loop, UV_RUN_ONCE);
        if (wanted == -ETIMEDOUT || (o->answer.result != -ETIMEDOUT && o->answer.result != -EHOSTDOWN))
            return;
        poll(NULL, 0, 20);
    } while (clock_elapsed_ms() < end_ms);
}

static void check_trick(enum trick trick, int wanted)
{
    uv_loop_t loop;
    struct pty_script script;
    struct play p = {.value = 0x1111};
    atomic_store(&p.trick, RIGHT);
    assert_true(pty_start(&script, play, &p));
    struct bus *bus = start_bus(&loop, script.path);
    struct bus_request request = read_one();
    struct outcome o;
    do_expecting(&loop, bus, &request, 0, &o);
    assert_int_equal(o.answer.result, 0);
    atomic_store(&p.trick, (int)trick);
    do_expecting(&loop, bus, &request, wanted, &o);
    assert_int_equal(o.answer.result, wanted);
    assert_true(o.took_ms <= BUS_LIMIT_MS + NOISE_MS);
    if (wanted != 0)
        assert_null(o.answer.values);
    atomic_store(&p.trick, RIGHT); /* and then only what belongs to the new request */
    atomic_store(&p.value, 0x2222);
    o.answer.result = -1;
    int64_t end_ms = clock_elapsed_ms() + 60000;
    while (o.answer.result != 0 && clock_elapsed_ms() < end_ms) {
        do_one(&loop, bus, &request, &o);
        poll(NULL, 0, o.answer.result == -EHOSTDOWN ? 20 : 0);
    }
    assert_int_equal(o.answer.result, 0);
    assert_int_equal(o.first, 0x2222);
    stop_bus(&loop, bus);
    pty_stop(&script);
}

static void test_tricks(void **state)
{
    (void)state;
    check_trick(RIGHT, 0);
    check_trick(SILENT, -ETIMEDOUT);
    check_trick(WRONG_UNIT, -ETIMEDOUT); /* for all we know the other one owed it */
    check_trick(WRONG_FUNCTION, ERR_DEVICE);
    check_trick(WRONG_LENGTH, ERR_DEVICE);
    check_trick(BAD_CRC, ERR_DEVICE);
    check_trick(SHORT, -ETIMEDOUT);
    check_trick(LONG, ERR_DEVICE);
    check_trick(GARBAGE, ERR_DEVICE);
    check_trick(EXCEPTION, ERR_LIMIT);
    check_trick(TWICE, ERR_DEVICE);
    check_trick(FOREIGN_FIRST, 0);
}

static void test_slow_slaves_are_bounded(void **state)
{
    (void)state;
    check_trick(DRIBBLE, -ETIMEDOUT);
    check_trick(DRIBBLE_FAST, -ETIMEDOUT);
}

static void test_late_answer_is_not_believed(void **state)
{
    (void)state;
    check_trick(LATE, -ETIMEDOUT);
}

/* ---- the tty ---- */

static void test_tty_that_is_missing_comes(void **state)
{
    (void)state;
    uv_loop_t loop;
    struct pty_script script;
    struct play p = {.value = 7};
    char link[] = "/tmp/loa-rtu-XXXXXX";
    assert_non_null(mkdtemp(link));
    char path[64];
    snprintf(path, sizeof(path), "%s/tty", link);
    struct bus *bus = start_bus(&loop, path);
    struct bus_request request = read_one();
    struct outcome o;
    do_one(&loop, bus, &request, &o);
    assert_int_equal(o.answer.result, -ENOENT);
    for (int round = 0; round < 2; round++) { /* it comes, goes, and comes again elsewhere */
        assert_true(pty_start(&script, play, &p));
        assert_int_equal(symlink(script.path, path), 0);
        int64_t end_ms = clock_elapsed_ms() + 60000;
        while ((do_one(&loop, bus, &request, &o), o.answer.result != 0) && clock_elapsed_ms() < end_ms)
            poll(NULL, 0, 10);
        assert_int_equal(o.answer.result, 0);
        pty_stop(&script);
        unlink(path);
        do_one(&loop, bus, &request, &o);
        assert_true(o.answer.result == -EIO || o.answer.result == -ENOENT);
    }
    stop_bus(&loop, bus);
    rmdir(link);
}

static void test_tty_is_not_shared(void **state)
{
    (void)state;
    uv_loop_t loop;
    uv_loop_t other_loop;
    struct pty_script script;
    struct play p = {.value = 7};
    assert_true(pty_start(&script, play, &p));
    struct bus *bus = start_bus(&loop, script.path);
    struct bus *other = start_bus(&other_loop, script.path);
    struct bus_request request = read_one();
    struct outcome o;
    do_one(&loop, bus, &request, &o);
    assert_int_equal(o.answer.result, 0);
    do_one(&other_loop, other, &request, &o);
    assert_int_equal(o.answer.result, -EBUSY);
    stop_bus(&loop, bus);
    stop_bus(&other_loop, other);
    pty_stop(&script);
}

/* A pseudo-terminal keeps no parity, and the second opening finds everything else as it wants it. */
static void test_tty_opens_again(void **state)
{
    (void)state;
    uv_loop_t loop;
    struct pty_script script;
    struct play p = {.value = 7};
    assert_true(pty_start(&script, play, &p));
    for (int i = 0; i < 3; i++) {
        struct bus *bus = start_bus(&loop, script.path);
        struct bus_request request = read_one();
        struct outcome o;
        do_one(&loop, bus, &request, &o);
        assert_int_equal(o.answer.result, 0);
        stop_bus(&loop, bus);
    }
    pty_stop(&script);
}

/* ---- dead slaves ---- */

struct crowd {
    atomic_int muted, babble;
};

static void live_alone(int fd, const uint8_t *request, size_t len, void *arg)
{
    struct crowd *crowd = arg;
    if (request[0] != LIVE_UNIT)
        return;
    uint8_t a[8] = {request[0], request[1], 1, (uint8_t)atomic_load(&crowd->muted)};
    if (request[1] == 5)
        atomic_store(&crowd->muted, request[4] == 0xFF);
    if (request[1] == 1)
        pty_say(fd, a, 4);
    else
        pty_say(fd, request, len);
}

static void count_end(void *arg, const struct bus_answer *answer)
{
    (void)answer;
    ++*(int *)arg;
}

/* Everybody is polled and everybody is muted at once; the one that lives is muted within a second, always. */
static void test_mute_among_dead_slaves(void **state)
{
    (void)state;
    uv_loop_t loop;
    struct pty_script script;
    struct crowd crowd = {0};
    assert_true(pty_start(&script, live_alone, &crowd));
    struct bus *bus = start_bus(&loop, script.path);
    int64_t worst_ms = 0, best_ms = INT64_MAX;
    int ended = 0, asked = 0;
    for (int round = 0; round < 4; round++) {
        atomic_store(&crowd.muted, 0);
        for (int i = 0; i <= DEAD_UNITS; i++) {
            struct bus_request poll_it = read_one();
            poll_it.kind = POINT_COIL;
            poll_it.unit = (uint8_t)(i == DEAD_UNITS / 2 ? LIVE_UNIT : 1 + i);
            for (int k = 0; k < 3; k++)
                asked += bus_ask(bus, &poll_it, count_end, &ended, NULL) == 0;
        }
        int64_t until_ms = clock_elapsed_ms() + 700;
        while (clock_elapsed_ms() < until_ms && ended < asked)
            uv_run(&loop, UV_RUN_NOWAIT);
        struct outcome o[DEAD_UNITS + 1];
        for (int i = 0; i <= DEAD_UNITS; i++) { /* the living one is asked last */
            struct bus_request mute = {.act = BUS_WRITE, .kind = POINT_COIL, .address = 1, .count = 1, .values = {1}};
            mute.urgent = true;
            mute.unit = (uint8_t)(i == DEAD_UNITS ? LIVE_UNIT : 1 + i);
            ask(bus, &mute, &o[i]);
        }
        while (!o[DEAD_UNITS].ended)
            uv_run(&loop, UV_RUN_ONCE);
        assert_int_equal(o[DEAD_UNITS].answer.result, 0);
        assert_int_equal(atomic_load(&crowd.muted), 1);
        worst_ms = o[DEAD_UNITS].took_ms > worst_ms ? o[DEAD_UNITS].took_ms : worst_ms;
        best_ms = o[DEAD_UNITS].took_ms < best_ms ? o[DEAD_UNITS].took_ms : best_ms;
        for (int i = 0; i < DEAD_UNITS; i++)
            while (!o[i].ended)
                uv_run(&loop, UV_RUN_ONCE);
    }
    print_message("mute among %d dead slaves: at most %d ms\n", DEAD_UNITS, (int)worst_ms);
    assert_true(best_ms <= 1000);
    assert_true(worst_ms <= 1000 + NOISE_MS);
    stop_bus(&loop, bus);
    pty_stop(&script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_debts),
        cmocka_unit_test(test_tricks),
        cmocka_unit_test(test_slow_slaves_are_bounded),
        cmocka_unit_test(test_late_answer_is_not_believed),
        cmocka_unit_test(test_tty_that_is_missing_comes),
        cmocka_unit_test(test_tty_is_not_shared),
        cmocka_unit_test(test_tty_opens_again),
        cmocka_unit_test(test_mute_among_dead_slaves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
