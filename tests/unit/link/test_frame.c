/* test_frame.c - the framed socket: the pure decoder on hostile bytes, and two ends of a real socket pair. */
#include "unit.h"

#include "playlists/base/bytes.h"
#include "playlists/base/frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static char name_buf[FRAME_NAME_MAX + 1];

/* The head of a frame with lengths as stated, and `extra` bytes of 'x' behind it. */
static size_t make(uint8_t *out, uint32_t rest, uint16_t name_len, size_t extra)
{
    const uint8_t head[] = {
        (uint8_t)(rest >> 24),    (uint8_t)(rest >> 16), (uint8_t)(rest >> 8), (uint8_t)rest, 4, 1, 0, 0, 1, 2,
        (uint8_t)(name_len >> 8), (uint8_t)name_len};
    memcpy(out, head, sizeof(head));
    memset(out + sizeof(head), 'x', extra);
    return sizeof(head) + extra;
}

static int parse(const uint8_t *data, size_t len, struct frame *ret, size_t *used)
{
    /* Exactly as long as stated, on the heap, so that a read past the end is seen. */
    uint8_t *copy = malloc(len ? len : 1);
    memcpy(copy, data, len);
    int r = frame_parse(copy, len, name_buf, ret, used);
    if (r > 0)
        ret->body = data + (ret->body - copy);
    free(copy);
    return r;
}

static void test_whole_frame(void **state)
{
    (void)state;
    uint8_t data[64];
    size_t len = make(data, 8 + 3 + 5, 3, 8);
    struct frame frame;
    size_t used = 0;
    for (size_t i = 0; i < len; i++)
        assert_int_equal(parse(data, i, &frame, &used), 0);
    assert_int_equal(parse(data, len + 7, &frame, &used), 1);
    assert_int_equal(used, len);
    assert_int_equal(frame.type, 4);
    assert_int_equal(frame.flags, 1);
    assert_int_equal(frame.id, 258);
    assert_string_equal(frame.name, "xxx");
    assert_int_equal(frame.body_len, 5);
    assert_memory_equal(frame.body, "xxxxx", 5);
}

static void test_hostile_lengths(void **state)
{
    (void)state;
    static uint8_t data[FRAME_BODY_MAX + 1024];
    struct frame frame;
    size_t used;
    for (uint32_t rest = 0; rest < 8; rest++)
        assert_int_equal(parse(data, make(data, rest, 0, 40), &frame, &used), ERR_FORMAT);
    const uint32_t too_long[] = {8 + 255 + FRAME_BODY_MAX + 1, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffff7};
    for (size_t i = 0; i < sizeof(too_long) / sizeof(too_long[0]); i++) {
        make(data, too_long[i], 0, 0);
        assert_int_equal(parse(data, 4, &frame, &used), ERR_LIMIT); /* told before anything is kept */
    }
    assert_int_equal(parse(data, make(data, 400, 256, 0), &frame, &used), ERR_LIMIT);
    assert_int_equal(parse(data, make(data, 400, 65535, 0), &frame, &used), ERR_LIMIT);
    assert_int_equal(parse(data, make(data, 8 + 4, 5, 100), &frame, &used), ERR_FORMAT);
    assert_int_equal(parse(data, make(data, 8 + FRAME_BODY_MAX + 1, 0, 0), &frame, &used), ERR_LIMIT);
    assert_int_equal(parse(data, make(data, 8 + 255 + FRAME_BODY_MAX, 255, 255 + FRAME_BODY_MAX), &frame, &used), 1);
    assert_int_equal(frame.body_len, FRAME_BODY_MAX);
}

static void test_name_must_be_text(void **state)
{
    (void)state;
    uint8_t data[64];
    struct frame frame;
    size_t used;
    size_t len = make(data, 8 + 3, 3, 3);
    memcpy(data + 12, "a\0b", 3);
    assert_int_equal(parse(data, len, &frame, &used), ERR_FORMAT);
    memcpy(data + 12, "\xc3\x28x", 3);
    assert_int_equal(parse(data, len, &frame, &used), ERR_FORMAT);
    memcpy(data + 12, "\xe1\xbb\x87", 3);
    assert_int_equal(parse(data, len, &frame, &used), 1);
    assert_string_equal(frame.name, "\xe1\xbb\x87");
}

/* Two ends of a socket pair on one loop. */
struct end {
    struct frame_conn *conn;
    unsigned got, drained;
    size_t bytes;
    uint32_t last_id;
    int gone; /* reason; 1: not yet */
    unsigned close_at, pause_at;
    uint64_t slow_ns; /* what each frame takes */
};

static void on_frame(void *arg, const struct frame *frame)
{
    struct end *end = arg;
    end->got++;
    end->bytes += frame->body_len;
    assert_int_equal(frame->id, end->last_id + 1);
    end->last_id = frame->id;
    for (uint64_t until_ns = uv_hrtime() + end->slow_ns; end->slow_ns && uv_hrtime() < until_ns;)
        ;
    if (end->got == end->close_at) {
        frame_conn_close(end->conn);
        end->conn = NULL;
    } else if (end->got == end->pause_at) {
        frame_pause(end->conn, true);
    }
}

static void on_gone(void *arg, int reason)
{
    struct end *end = arg;
    assert_int_equal(end->gone, 1);
    end->gone = reason;
}

static void on_drained(void *arg)
{
    ((struct end *)arg)->drained++;
}

static uv_pipe_t *pipe_on(uv_loop_t *loop, int fd)
{
    uv_pipe_t *pipe = malloc(sizeof(*pipe));
    uv_pipe_init(loop, pipe, 0);
    assert_int_equal(uv_pipe_open(pipe, fd), 0);
    return pipe;
}

struct pair {
    uv_loop_t loop;
    struct end a, b;
};

static void pair_open(struct pair *pair)
{
    int fds[2];
    memset(pair, 0, sizeof(*pair));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    uv_loop_init(&pair->loop);
    pair->a.gone = pair->b.gone = 1;
    pair->a.conn = frame_conn_new(pipe_on(&pair->loop, fds[0]), on_frame, on_gone, &pair->a);
    pair->b.conn = frame_conn_new(pipe_on(&pair->loop, fds[1]), on_frame, on_gone, &pair->b);
    frame_watch(pair->a.conn, on_drained);
}

static void pair_close(struct pair *pair)
{
    frame_conn_close(pair->a.conn);
    frame_conn_close(pair->b.conn);
    uv_run(&pair->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&pair->loop), 0);
}

static void run_until(struct pair *pair, const unsigned *value, unsigned wanted)
{
    for (int i = 0; i < 100000 && *value < wanted; i++)
        uv_run(&pair->loop, UV_RUN_ONCE);
    assert_int_equal(*value, wanted);
}

static uint8_t body[FRAME_BODY_MAX + 1];

static int send_id(struct end *end, uint32_t id, size_t len)
{
    return frame_send(end->conn, &(struct frame){.type = 1, .id = id, .name = "n", .body = body, .body_len = len});
}

static void test_order_and_size(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair);
    for (uint32_t i = 1; i <= 50; i++)
        assert_int_equal(send_id(&pair.a, i, i == 50 ? FRAME_BODY_MAX : i * 7), 0);
    assert_int_equal(send_id(&pair.a, 51, FRAME_BODY_MAX + 1), -EMSGSIZE);
    char long_name[FRAME_NAME_MAX + 2];
    memset(long_name, 'n', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    assert_int_equal(frame_send(pair.a.conn, &(struct frame){.name = long_name}), -EMSGSIZE);
    run_until(&pair, &pair.b.got, 50);
    assert_true(pair.a.drained > 0);
    assert_int_equal(frame_queued(pair.a.conn), 0);
    pair_close(&pair);
}

static void test_full_queue_is_refused(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair);
    frame_pause(pair.b.conn, true);
    uint32_t id = 0;
    int r;
    while ((r = send_id(&pair.a, id + 1, FRAME_BODY_MAX)) == 0)
        id++;
    assert_int_equal(r, -ENOBUFS);
    assert_in_range(frame_queued(pair.a.conn), FRAME_QUEUE_MAX - FRAME_BODY_MAX - 64, FRAME_QUEUE_MAX);
    frame_pause(pair.b.conn, false);
    run_until(&pair, &pair.b.got, id); /* what was taken arrives */
    pair_close(&pair);
}

static void test_pause_in_the_middle(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair);
    pair.b.pause_at = 3;
    for (uint32_t i = 1; i <= 10; i++)
        assert_int_equal(send_id(&pair.a, i, 10), 0);
    run_until(&pair, &pair.b.got, 3);
    for (int i = 0; i < 10; i++)
        uv_run(&pair.loop, UV_RUN_NOWAIT);
    assert_int_equal(pair.b.got, 3);
    frame_pause(pair.b.conn, false);
    run_until(&pair, &pair.b.got, 10);
    pair_close(&pair);
}

static void on_turn(uv_check_t *check)
{
    (*(unsigned *)check->data)++;
}

/* Forty frames that came at once and take a millisecond each: the rest of the loop has its turns between them. */
static void test_others_have_their_turn(void **state)
{
    (void)state;
    enum { FRAMES = 40 };
    struct pair pair;
    uv_check_t check;
    unsigned turns = 0;
    pair_open(&pair);
    pair.b.slow_ns = 1000 * 1000;
    for (uint32_t i = 1; i <= FRAMES; i++)
        assert_int_equal(send_id(&pair.a, i, 10), 0);
    uv_check_init(&pair.loop, &check);
    check.data = &turns;
    uv_check_start(&check, on_turn);
    run_until(&pair, &pair.b.got, FRAMES);
    assert_in_range(turns, FRAMES / 4, FRAMES + 10);
    assert_int_equal(send_id(&pair.a, FRAMES + 1, 10), 0); /* and it reads on */
    run_until(&pair, &pair.b.got, FRAMES + 1);
    uv_close((uv_handle_t *)&check, NULL);
    pair_close(&pair);
}

static void test_close_in_a_callback_and_gone(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair);
    pair.b.close_at = 2;
    for (uint32_t i = 1; i <= 10; i++)
        assert_int_equal(send_id(&pair.a, i, 10), 0);
    run_until(&pair, &pair.b.got, 2);
    for (int i = 0; i < 1000 && pair.a.gone == 1; i++)
        uv_run(&pair.loop, UV_RUN_ONCE);
    assert_int_not_equal(pair.a.gone, 1);
    assert_int_equal(send_id(&pair.a, 11, 1), -ENOTCONN);
    assert_int_equal(pair.b.gone, 1); /* who closes is not told */
    pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_frame),
        cmocka_unit_test(test_hostile_lengths),
        cmocka_unit_test(test_name_must_be_text),
        cmocka_unit_test(test_order_and_size),
        cmocka_unit_test(test_full_queue_is_refused),
        cmocka_unit_test(test_pause_in_the_middle),
        cmocka_unit_test(test_others_have_their_turn),
        cmocka_unit_test(test_close_in_a_callback_and_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
