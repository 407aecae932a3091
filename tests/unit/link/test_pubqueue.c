/* test_pubqueue.c - publishes on their way: order, places in the library's hands, both bounds, and the end. */
#include "unit.h"

#include "playlists/base/post.h"
#include "playlists/link/pubqueue.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static uint8_t payload[POST_PAYLOAD_MAX];

static void test_order_and_hands(void **state)
{
    (void)state;
    struct pubqueue q;
    pubqueue_init(&q);
    for (uint32_t i = 1; i <= 30; i++)
        assert_int_equal(pubqueue_add(&q, i, "topic", "abc", 3, i == 2 ? POST_QOS0 : POST_RETAIN), 0);
    int hand;
    for (uint32_t i = 1; i <= PUBQUEUE_HANDS; i++) {
        struct publish *p = pubqueue_next(&q, &hand);
        assert_non_null(p);
        assert_int_equal(p->id, i);
        assert_string_equal(p->topic, "topic");
        assert_int_equal(p->len, 3);
        assert_memory_equal(p->payload, "abc", 3);
        q.hands[hand].mid = (int)(1000 + i);
        publish_free(p);
    }
    assert_null(pubqueue_next(&q, &hand)); /* all hands are full */
    uint32_t id;
    bool qos0;
    assert_false(pubqueue_acked(&q, 7, &id, &qos0));
    assert_true(pubqueue_acked(&q, 1002, &id, &qos0));
    assert_int_equal(id, 2);
    assert_true(qos0);
    assert_false(pubqueue_acked(&q, 1002, &id, &qos0)); /* once */
    struct publish *p = pubqueue_next(&q, &hand);
    assert_int_equal(p->id, 21);
    publish_free(p);
    bool failed[31] = {false};
    unsigned n = 0;
    for (; pubqueue_fail(&q, &id); n++) {
        assert_in_range(id, 1, 30);
        assert_false(failed[id]);
        failed[id] = true;
    }
    assert_int_equal(n, 29); /* all but the one that was acknowledged */
    assert_int_equal(q.count, 0);
    assert_int_equal(q.bytes, 0);
    assert_int_equal(pubqueue_add(&q, 99, "again", NULL, 0, 0), 0);
    p = pubqueue_next(&q, &hand);
    assert_int_equal(p->id, 99);
    publish_free(p);
    pubqueue_done(&q);
}

static void test_bounds(void **state)
{
    (void)state;
    struct pubqueue q;
    pubqueue_init(&q);
    for (uint32_t i = 0; i < PUBQUEUE_MAX; i++)
        assert_int_equal(pubqueue_add(&q, i, "t", "x", 1, 0), 0);
    assert_int_equal(pubqueue_add(&q, 1, "t", "x", 1, 0), -ENOBUFS);
    pubqueue_done(&q);

    pubqueue_init(&q);
    unsigned n = 0;
    while (pubqueue_add(&q, n, "t", payload, sizeof(payload), 0) == 0)
        n++;
    assert_int_equal(n, PUBQUEUE_MAX_BYTES / (POST_PAYLOAD_MAX + 2));
    assert_true(q.bytes <= PUBQUEUE_MAX_BYTES);
    pubqueue_done(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order_and_hands), cmocka_unit_test(test_bounds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
