/* test_post.c - the client's side of the link: what it sends, what it makes of what comes, and that it comes back. */
#include "unit.h"

#include "playlists/base/bytes.h"
#include "playlists/base/post.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The other end: a listener that answers with what the test gives it. */
struct bench {
    uv_loop_t loop;
    char dir[64], path[96];
    uv_pipe_t listener;
    struct frame_conn *conn;
    struct post *post;
    struct buf heard; /* what the client sent, one line each */
    struct buf told;  /* what the client was told, one line each */
    bool free_on_online;
};

static void on_frame(void *arg, const struct frame *frame)
{
    struct bench *b = arg;
    buf_putf(&b->heard, "%u %u %u %s %.*s\n", frame->type, frame->flags, (unsigned)frame->id, frame->name,
             (int)frame->body_len, (const char *)frame->body);
}

static void on_gone(void *arg, int reason)
{
    (void)reason;
    struct bench *b = arg;
    frame_conn_close(b->conn);
    b->conn = NULL;
    buf_putf(&b->heard, "gone\n");
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct bench *b = listener->data;
    assert_int_equal(status, 0);
    uv_pipe_t *pipe = malloc(sizeof(*pipe));
    uv_pipe_init(&b->loop, pipe, 0);
    assert_int_equal(uv_accept(listener, (uv_stream_t *)pipe), 0);
    b->conn = frame_conn_new(pipe, on_frame, on_gone, b);
}

static void connected(void *arg)
{
    buf_putf(&((struct bench *)arg)->told, "connected\n");
}

static void disconnected(void *arg)
{
    buf_putf(&((struct bench *)arg)->told, "disconnected\n");
}

static void online(void *arg)
{
    struct bench *b = arg;
    buf_putf(&b->told, "online\n");
    if (b->free_on_online) {
        post_free(b->post);
        b->post = NULL;
    }
}

static void offline(void *arg, const char *why)
{
    buf_putf(&((struct bench *)arg)->told, "offline %s\n", why);
}

static void message(void *arg, const char *topic, const void *payload, size_t len, bool retained)
{
    buf_putf(&((struct bench *)arg)->told, "message %s %.*s %d\n", topic, (int)len, (const char *)payload, retained);
}

static void acked(void *arg, uint32_t id)
{
    buf_putf(&((struct bench *)arg)->told, "acked %u\n", (unsigned)id);
}

static void refused(void *arg, uint32_t id, const char *why)
{
    buf_putf(&((struct bench *)arg)->told, "refused %u %s\n", (unsigned)id, why);
}

static void fetched(void *arg, uint32_t id, const char *hash, const char *path, uint64_t size)
{
    buf_putf(&((struct bench *)arg)->told, "fetched %u %.4s %s %llu\n", (unsigned)id, hash, path,
             (unsigned long long)size);
}

static void not_fetched(void *arg, uint32_t id, const char *hash, const char *why, bool final)
{
    buf_putf(&((struct bench *)arg)->told, "not fetched %u %.4s %s %d\n", (unsigned)id, hash, why, final);
}

static void run_until(struct bench *b, struct buf *where, const char *text)
{
    for (int i = 0; i < 1000 && !strstr(buf_text(where), text); i++)
        uv_run(&b->loop, UV_RUN_ONCE);
    if (!strstr(buf_text(where), text))
        fail_msg("'%s' not in:\n%s", text, buf_text(where));
}

static void listen_now(struct bench *b)
{
    uv_pipe_init(&b->loop, &b->listener, 0);
    b->listener.data = b;
    assert_int_equal(uv_pipe_bind(&b->listener, b->path), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&b->listener, 4, on_connection), 0);
}

static void bench_open(struct bench *b, bool listening)
{
    static const struct post_events events = {.connected = connected,
                                              .disconnected = disconnected,
                                              .online = online,
                                              .offline = offline,
                                              .message = message,
                                              .acked = acked,
                                              .refused = refused,
                                              .fetched = fetched,
                                              .not_fetched = not_fetched};
    memset(b, 0, sizeof(*b));
    strcpy(b->dir, "/tmp/loa-post-XXXXXX");
    assert_non_null(mkdtemp(b->dir));
    snprintf(b->path, sizeof(b->path), "%s/s", b->dir);
    uv_loop_init(&b->loop);
    if (listening)
        listen_now(b);
    assert_int_equal(post_new(&b->loop, b->path, &events, b, &b->post), 0);
}

static void bench_close(struct bench *b)
{
    post_free(b->post);
    frame_conn_close(b->conn);
    if (b->listener.data)
        uv_close((uv_handle_t *)&b->listener, NULL);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&b->loop), 0);
    buf_done(&b->heard);
    buf_done(&b->told);
    unlink(b->path);
    rmdir(b->dir);
}

static void tell(struct bench *b, uint8_t type, uint8_t flags, uint32_t id, const char *name, const char *body)
{
    assert_int_equal(frame_send(b->conn, &(struct frame){.type = type,
                                                         .flags = flags,
                                                         .id = id,
                                                         .name = name,
                                                         .body = (const uint8_t *)body,
                                                         .body_len = strlen(body)}),
                     0);
}

static void test_requests(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, true);
    assert_int_equal(post_subscribe(b.post, "t"), -ENOTCONN);
    run_until(&b, &b.told, "connected\n");
    const char *topics[] = {"a", "b/c"};
    assert_int_equal(post_attach(b.post, "w", "off\"", 4, topics, 2), 0);
    assert_int_equal(post_attach(b.post, NULL, NULL, 0, NULL, 0), 0);
    assert_int_equal(post_attach(b.post, "w", "\xff", 1, topics, 2), -EINVAL);
    assert_int_equal(post_attach(b.post, "w", "", 0, topics, 257), -EMSGSIZE);
    assert_int_equal(post_publish(b.post, 9, "p", "body", 4, POST_RETAIN), 0);
    static char large[POST_PAYLOAD_MAX + 1];
    assert_int_equal(post_publish(b.post, 9, "p", large, sizeof(large), 0), -EMSGSIZE);
    assert_int_equal(post_subscribe(b.post, "s"), 0);
    assert_int_equal(post_unsubscribe(b.post, "u"), 0);
    assert_int_equal(post_fetch(b.post, 3, "h", 77, true), 0);
    assert_int_equal(post_cancel(b.post, 3), 0);
    assert_int_equal(post_time(b.post, 1700000000000), 0);
    run_until(&b, &b.heard, "signed_ms");
    assert_string_equal(buf_text(&b.heard), "1 0 0  {\"subscribe\":[\"a\",\"b/c\"],\"will\":{\"topic\":\"w\","
                                            "\"payload\":\"off\\\"\"}}\n"
                                            "1 0 0  {\"subscribe\":[]}\n"
                                            "4 1 9 p body\n2 0 0 s \n3 0 0 u \n5 4 3 h {\"size\":77}\n6 0 3  \n"
                                            "7 0 0  {\"signed_ms\":1700000000000}\n");
    bench_close(&b);
}

static void test_events_and_return(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, true);
    run_until(&b, &b.told, "connected\n");
    for (int i = 0; i < 100 && !b.conn; i++)
        uv_run(&b.loop, UV_RUN_ONCE);
    char hash[65];
    memset(hash, 'a', 64);
    hash[64] = '\0';
    tell(&b, POST_ONLINE, 0, 0, "", "");
    tell(&b, POST_MESSAGE, POST_RETAIN, 0, "t", "m");
    tell(&b, POST_ACK, 0, 4, "", "");
    tell(&b, POST_NACK, 0, 5, "", "full");
    tell(&b, POST_FETCHED, 0, 6, hash, "{\"path\":\"/p\",\"size\":12}");
    tell(&b, POST_NOT_FETCHED, 0, 7, hash, "{\"why\":\"no\",\"final\":true}");
    run_until(&b, &b.told, "not fetched 7 aaaa no 1\n");
    assert_true(post_online(b.post));
    tell(&b, POST_OFFLINE, 0, 0, "", "because");
    run_until(&b, &b.told, "offline because\n");
    assert_false(post_online(b.post));
    assert_string_equal(buf_text(&b.told),
                        "connected\nonline\nmessage t m 1\nacked 4\nrefused 5 full\nfetched 6 aaaa /p 12\n"
                        "not fetched 7 aaaa no 1\noffline because\n");
    tell(&b, POST_FETCHED, 0, 6, "no hash", "{}"); /* nonsense ends the connection, and it comes back */
    run_until(&b, &b.told, "disconnected\nconnected\n");
    bench_close(&b);
}

static void test_waits_for_the_link(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, false);
    for (int i = 0; i < 3; i++)
        uv_run(&b.loop, UV_RUN_NOWAIT);
    assert_string_equal(buf_text(&b.told), "");
    listen_now(&b);
    run_until(&b, &b.told, "connected\n");
    bench_close(&b);
}

static void test_free_inside_an_event(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, true);
    b.free_on_online = true;
    for (int i = 0; i < 100 && !b.conn; i++)
        uv_run(&b.loop, UV_RUN_ONCE);
    tell(&b, POST_ONLINE, 0, 0, "", "");
    tell(&b, POST_ACK, 0, 1, "", "");
    run_until(&b, &b.heard, "gone\n");
    assert_null(strstr(buf_text(&b.told), "acked"));
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_events_and_return),
        cmocka_unit_test(test_waits_for_the_link),
        cmocka_unit_test(test_free_inside_an_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
