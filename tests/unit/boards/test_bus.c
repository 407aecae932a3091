/* The bus against slaves that misbehave in every way we know: bounded, and never believed. */
#include "unit.h"

#include "boards/bus/bus.h"
#include "boards/bus/pdu.h"
#include "playlists/base/clock.h"
#include "script.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>

enum { NOISE_MS = 1000 }; /* what a loaded machine may add to a bound */

struct outcome {
    bool ended;
    struct bus_answer answer;
    uint16_t first;
    int64_t took_ms, began_ms;
    int order;
};

static int ended_so_far;

static void on_done(void *arg, const struct bus_answer *answer)
{
    struct outcome *o = arg;
    assert_false(o->ended);
    o->ended = true;
    o->answer = *answer;
    o->first = answer->values ? answer->values[0] : 0;
    o->took_ms = clock_elapsed_ms() - o->began_ms;
    o->order = ++ended_so_far;
}

static struct bus_request read_one(void)
{
    return (struct bus_request){.act = BUS_READ, .unit = 5, .kind = POINT_HOLDING, .address = 16, .count = 1};
}

static void ask(struct bus *bus, const struct bus_request *request, struct outcome *o)
{
    *o = (struct outcome){.began_ms = clock_elapsed_ms()};
    assert_int_equal(bus_ask(bus, request, on_done, o, NULL), 0);
}

static void await(uv_loop_t *loop, const struct outcome *o)
{
    while (!o->ended)
        uv_run(loop, UV_RUN_ONCE);
}

static struct bus *start_bus(uv_loop_t *loop, const char *host, uint16_t port)
{
    struct bus_config config = {
        .transport = BUS_TCP, .host = host, .port = port, .backoff_min_ms = 100, .backoff_max_ms = 400};
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

/* Every answer begins as the right one: unit 5, function 3, one register 0x1234. */
static size_t right(const uint8_t *request, uint8_t out[16])
{
    static const uint8_t pdu[] = {5, 3, 2, 0x12, 0x34};
    memcpy(out, request, 2);
    memset(out + 2, 0, 4);
    out[5] = sizeof(pdu);
    memcpy(out + 6, pdu, sizeof(pdu));
    return 6 + sizeof(pdu);
}

enum trick {
    RIGHT,
    SILENT,
    WRONG_UNIT,
    WRONG_FUNCTION,
    WRONG_LENGTH,
    WRONG_TRANSACTION,
    WRONG_PROTOCOL,
    SHORT,
    GARBAGE,
    EXCEPTION,
    HANG_UP,
    DRIBBLE,
    DRIBBLE_FAST,
    LATE,
    TWICE
};

static bool play(int fd, const uint8_t *request, size_t len, void *arg)
{
    (void)len;
    uint8_t out[300] = {0};
    size_t n = right(request, out);
    const atomic_int *trick = arg;
    switch ((enum trick)atomic_load(trick)) {
    case RIGHT:
        break;
    case SILENT:
        return true;
    case WRONG_UNIT:
        out[6] = 6;
        break;
    case WRONG_FUNCTION:
        out[7] = 4;
        break;
    case WRONG_LENGTH:
        out[5] = 9;
        break;
    case WRONG_TRANSACTION:
        out[1] ^= 1;
        break;
    case WRONG_PROTOCOL:
        out[3] = 1;
        break;
    case SHORT:
        out[8] = 1;
        out[5] = 4;
        n = 10;
        break;
    case GARBAGE:
        memset(out, 0xFF, n = 300);
        break;
    case EXCEPTION:
        out[7] = 0x83;
        out[8] = 2;
        out[5] = 3;
        n = 9;
        break;
    case HANG_UP:
        return false;
    case TWICE:
        if (send(fd, out, n, MSG_NOSIGNAL) < 0)
            return false;
        break;
    case LATE:
        poll(NULL, 0, 600);
        break;
    case DRIBBLE:
    case DRIBBLE_FAST:
        for (size_t i = 0; i < n; i++) {
            poll(NULL, 0, atomic_load(trick) == DRIBBLE ? 400 : 45);
            if (send(fd, out + i, 1, MSG_NOSIGNAL) < 0)
                return false;
        }
        return true;
    }
    return send(fd, out, n, MSG_NOSIGNAL) == (ssize_t)n;
}

/* Asked again when the slave was starved of the processor: only one that is meant to may time out. */
static void do_expecting(uv_loop_t *loop, struct bus *bus, const struct bus_request *request, int wanted,
                         struct outcome *o)
{
    int64_t end_ms = clock_elapsed_ms() + 60000;
    do {
        ask(bus, request, o);
        await(loop, o);
        if (wanted == -ETIMEDOUT || (o->answer.result != -ETIMEDOUT && o->answer.result != -EHOSTDOWN))
            return;
        poll(NULL, 0, 20);
    } while (clock_elapsed_ms() < end_ms);
}

static void check_trick(enum trick trick, int wanted)
{
    uv_loop_t loop;
    struct script script;
    atomic_int current = (int)trick;
    assert_true(script_start(&script, play, &current));
    struct bus *bus = start_bus(&loop, "127.0.0.1", script.port);
    struct bus_request request = read_one();
    struct outcome o;
    do_expecting(&loop, bus, &request, wanted, &o);
    assert_int_equal(o.answer.result, wanted);
    assert_true(o.took_ms <= BUS_LIMIT_MS + NOISE_MS);
    if (wanted == 0)
        assert_int_equal(o.first, 0x1234);
    else
        assert_null(o.answer.values);
    atomic_store(&current, RIGHT); /* and the next one is fine again, on whatever connection */
    for (int i = 0; i < 20 && o.answer.result != 0; i++) {
        ask(bus, &request, &o);
        await(&loop, &o);
    }
    assert_int_equal(o.answer.result, 0);
    assert_int_equal(o.first, 0x1234);
    stop_bus(&loop, bus);
    script_stop(&script);
}

static void test_tricks(void **state)
{
    (void)state;
    check_trick(RIGHT, 0);
    check_trick(SILENT, -ETIMEDOUT);
    check_trick(WRONG_UNIT, ERR_DEVICE);
    check_trick(WRONG_FUNCTION, ERR_DEVICE);
    check_trick(WRONG_LENGTH, ERR_DEVICE);
    check_trick(WRONG_TRANSACTION, ERR_DEVICE);
    check_trick(WRONG_PROTOCOL, ERR_DEVICE);
    check_trick(SHORT, ERR_DEVICE);
    check_trick(GARBAGE, ERR_DEVICE);
    check_trick(EXCEPTION, ERR_LIMIT);
    check_trick(HANG_UP, -ECONNRESET);
    check_trick(TWICE, 0);
}

static void test_slow_slaves_are_bounded(void **state)
{
    (void)state;
    check_trick(DRIBBLE, -ETIMEDOUT);
    check_trick(DRIBBLE_FAST, -ETIMEDOUT);
}

/* The answer to the first request comes when the second is out: it must not be taken for its answer. */
static void test_late_answer_is_not_believed(void **state)
{
    (void)state;
    check_trick(LATE, -ETIMEDOUT);
}

static void test_nobody_listens(void **state)
{
    (void)state;
    uv_loop_t loop;
    struct script script;
    atomic_int trick = RIGHT;
    assert_true(script_start(&script, play, &trick));
    uint16_t port = script.port;
    script_stop(&script);
    struct bus *bus = start_bus(&loop, "127.0.0.1", port);
    struct bus_request request = read_one();
    struct outcome o;
    for (int i = 0; i < BUS_DEAD_AFTER; i++) {
        ask(bus, &request, &o);
        await(&loop, &o);
        assert_int_equal(o.answer.result, -ECONNREFUSED);
    }
    ask(bus, &request, &o);
    await(&loop, &o);
    assert_int_equal(o.answer.result, -EHOSTDOWN);
    request.urgent = true;
    ask(bus, &request, &o);
    await(&loop, &o);
    assert_int_equal(o.answer.result, -ECONNREFUSED);
    struct bus_counters counters;
    bus_counters(bus, 5, &counters);
    assert_int_equal(counters.unreachable, BUS_DEAD_AFTER + 1);
    assert_true(counters.retry_elapsed_ms > 0);
    stop_bus(&loop, bus);
}

static void test_name_is_resolved(void **state)
{
    (void)state;
    uv_loop_t loop;
    struct script script;
    atomic_int trick = RIGHT;
    assert_true(script_start(&script, play, &trick));
    struct bus *bus = start_bus(&loop, "localhost", script.port);
    struct bus_request request = read_one();
    struct outcome o = {0};
    int64_t end = clock_elapsed_ms() + 5000;
    do {
        ask(bus, &request, &o);
        await(&loop, &o);
    } while (o.answer.result != 0 && clock_elapsed_ms() < end);
    assert_int_equal(o.answer.result, 0);
    stop_bus(&loop, bus);
    script_stop(&script);
}

static void test_urgent_goes_first_and_replaces(void **state)
{
    (void)state;
    uv_loop_t loop;
    struct script script;
    atomic_int trick = SILENT;
    assert_true(script_start(&script, play, &trick));
    struct bus *bus = start_bus(&loop, "127.0.0.1", script.port);
    struct bus_request request = read_one();
    struct bus_request mute = {
        .act = BUS_WRITE, .unit = 5, .kind = POINT_COIL, .address = 1, .count = 1, .values = {1}, .urgent = true};
    struct outcome first;
    struct outcome second;
    struct outcome old;
    struct outcome urgent;
    ended_so_far = 0;
    ask(bus, &request, &first);
    while (atomic_load(&script.requests) == 0)
        poll(NULL, 0, 1);
    ask(bus, &request, &second);
    ask(bus, &mute, &old);
    ask(bus, &mute, &urgent);
    await(&loop, &second);
    assert_true(old.ended && urgent.ended);
    assert_int_equal(old.answer.result, -ECANCELED);
    assert_true(urgent.order < second.order);
    stop_bus(&loop, bus);
    script_stop(&script);
}

static void test_full_queue_and_free(void **state)
{
    (void)state;
    uv_loop_t loop;
    struct script script;
    atomic_int trick = SILENT;
    assert_true(script_start(&script, play, &trick));
    struct bus *bus = start_bus(&loop, "127.0.0.1", script.port);
    struct bus_request request = read_one();
    static struct outcome all[BUS_QUEUE_MAX + 2];
    int n = 0;
    int r = 0;
    while (n < BUS_QUEUE_MAX + 2 && r == 0) {
        all[n] = (struct outcome){0};
        r = bus_ask(bus, &request, on_done, &all[n], bus);
        n += r == 0;
    }
    assert_int_equal(r, -ENOBUFS);
    assert_true(n >= BUS_QUEUE_MAX);
    bus_free(bus);
    for (int i = 0; i < n; i++)
        assert_int_equal(all[i].answer.result, -ECANCELED);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    script_stop(&script);
}

static void test_forget(void **state)
{
    (void)state;
    uv_loop_t loop;
    struct script script;
    atomic_int trick = RIGHT;
    assert_true(script_start(&script, play, &trick));
    struct bus *bus = start_bus(&loop, "127.0.0.1", script.port);
    struct bus_request request = read_one();
    struct outcome mine = {0};
    struct outcome other;
    assert_int_equal(bus_ask(bus, &request, on_done, &mine, &mine), 0);
    ask(bus, &request, &other);
    bus_forget(bus, &mine);
    await(&loop, &other);
    assert_false(mine.ended);
    stop_bus(&loop, bus);
    script_stop(&script);
}

static void test_refused_configurations(void **state)
{
    (void)state;
    uv_loop_t loop;
    uv_loop_init(&loop);
    const struct bus_config bad[] = {{.transport = BUS_RTU, .host = "/dev/ttyS0"},
                                     {.transport = BUS_TCP, .host = "", .port = 502},
                                     {.transport = BUS_TCP, .host = "a", .port = 0}};
    for (size_t i = 0; i < 3; i++) {
        struct bus *bus = NULL;
        struct complaint why = {0};
        assert_int_equal(bus_new(&loop, &bad[i], &bus, &why), ERR_FORMAT);
        assert_true(strlen(why.text) > 10);
        assert_null(bus);
    }
    assert_int_equal(uv_loop_close(&loop), 0);
}

/* libmodbus waits with select(): a descriptor above 1023 would write past its set. */
static void test_high_descriptor_is_refused(void **state)
{
    (void)state;
    struct rlimit limit = {.rlim_cur = 1200, .rlim_max = 4096};
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        skip();
    uv_loop_t loop;
    struct script script;
    atomic_int trick = RIGHT;
    assert_true(script_start(&script, play, &trick));
    struct bus *bus = start_bus(&loop, "127.0.0.1", script.port);
    int fds[1100];
    int n = 0;
    while (n < 1100 && (fds[n] = dup(0)) >= 0 && fds[n] < 1023)
        n++;
    struct bus_request request = read_one();
    struct outcome o;
    ask(bus, &request, &o);
    await(&loop, &o);
    assert_int_equal(o.answer.result, -EMFILE);
    for (int i = 0; i <= n; i++)
        close(fds[i]);
    ask(bus, &request, &o);
    await(&loop, &o);
    assert_int_equal(o.answer.result, 0);
    stop_bus(&loop, bus);
    script_stop(&script);
}

static void test_pdu(void **state)
{
    (void)state;
    uint8_t frame[PDU_MAX];
    struct bus_request w = {.act = BUS_WRITE,
                            .unit = 1,
                            .kind = POINT_COIL,
                            .address = 19,
                            .count = 10,
                            .values = {1, 0, 1, 1, 0, 0, 1, 1, 1}};
    static const uint8_t coils[] = {1, 15, 0, 19, 0, 10, 2, 0xCD, 0x01}; /* the standard's own example, 6.11 */
    assert_int_equal(pdu_request(&w, frame), sizeof(coils));
    assert_memory_equal(frame, coils, sizeof(coils));
    struct bus_request r = {.act = BUS_READ, .unit = 1, .kind = POINT_HOLDING, .address = 107, .count = 3};
    static const uint8_t answer[] = {1, 3, 6, 2, 0x2B, 0, 0, 0, 0x64}; /* 6.3 */
    uint16_t values[3];
    uint8_t exception = 0;
    assert_int_equal(pdu_answer(&r, answer, sizeof(answer), values, &exception), 0);
    assert_int_equal(values[0], 555);
    assert_int_equal(values[2], 100);
    for (size_t len = 0; len < sizeof(answer); len++)
        assert_int_equal(pdu_answer(&r, answer, len, values, &exception), ERR_DEVICE);
    struct bus_request one = {
        .act = BUS_WRITE, .unit = 1, .kind = POINT_HOLDING, .address = 1, .count = 1, .values = {3}};
    static const uint8_t echo_wrong[] = {1, 6, 0, 1, 0, 4};
    assert_int_equal(pdu_answer(&one, echo_wrong, sizeof(echo_wrong), values, &exception), ERR_DEVICE);
    r.count = 126;
    assert_false(pdu_possible(&r));
    r.count = 2;
    r.address = 65535;
    assert_false(pdu_possible(&r));
    r = (struct bus_request){.act = BUS_WRITE, .kind = POINT_INPUT, .count = 1};
    assert_false(pdu_possible(&r));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pdu),
        cmocka_unit_test(test_refused_configurations),
        cmocka_unit_test(test_tricks),
        cmocka_unit_test(test_slow_slaves_are_bounded),
        cmocka_unit_test(test_late_answer_is_not_believed),
        cmocka_unit_test(test_nobody_listens),
        cmocka_unit_test(test_name_is_resolved),
        cmocka_unit_test(test_urgent_goes_first_and_replaces),
        cmocka_unit_test(test_full_queue_and_free),
        cmocka_unit_test(test_forget),
        cmocka_unit_test(test_high_descriptor_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
