/* test_ring.c - samples come out as they went in, also across threads. */
#include "unit.h"

#include "firmware/mail.h"
#include "firmware/ring.h"

#include <pthread.h>

static void in_order_around_the_end(void **state)
{
    (void)state;
    struct ring ring;
    ring_init(&ring, 7);
    float next_in = 0;
    float next_out = 0;
    for (int round = 0; round < 50; round++) {
        float block[5];
        for (size_t i = 0; i < 5; i++) {
            block[i] = next_in + (float)i;
        }
        size_t put = ring_put(&ring, block, 5);
        next_in += (float)put;
        assert_int_equal(ring_count(&ring) + ring_room(&ring), 7);
        size_t got = ring_take(&ring, block, 3);
        for (size_t i = 0; i < got; i++) {
            assert_true(block[i] == next_out++);
        }
    }
    assert_true(next_out > 100);
    ring_done(&ring);
}

static void full_and_empty(void **state)
{
    (void)state;
    struct ring ring;
    ring_init(&ring, 4);
    float block[8] = {1, 2, 3, 4, 5};
    assert_int_equal(ring_take(&ring, block, 8), 0);
    assert_int_equal(ring_put(&ring, block, 8), 4);
    assert_int_equal(ring_put(&ring, block, 8), 0);
    assert_int_equal(ring_take(&ring, block, 8), 4);
    ring_reset(&ring);
    assert_int_equal(ring_count(&ring), 0);
    ring_done(&ring);
}

enum { MANY = 1000000 };

static void *write_many(void *arg)
{
    struct ring *ring = arg;
    for (int n = 0; n < MANY;) {
        float block[100];
        for (int i = 0; i < 100; i++) {
            block[i] = (float)(n + i);
        }
        n += (int)ring_put(ring, block, 100);
    }
    return NULL;
}

static void between_threads(void **state)
{
    (void)state;
    struct ring ring;
    pthread_t thread;
    ring_init(&ring, 333);
    assert_int_equal(pthread_create(&thread, NULL, write_many, &ring), 0);
    int wrong = 0;
    for (int n = 0; n < MANY;) {
        float block[77];
        size_t got = ring_take(&ring, block, 77);
        for (size_t i = 0; i < got; i++) {
            wrong += block[i] != (float)(n + (int)i);
        }
        n += (int)got;
    }
    (void)pthread_join(thread, NULL);
    assert_int_equal(wrong, 0);
    ring_done(&ring);
}

static void letters(void **state)
{
    (void)state;
    static struct mail mail;
    struct letter letter;
    assert_false(mail_take(&mail, &letter));
    for (int i = 0; i < MAIL_MAX; i++) {
        assert_true(mail_put(&mail, (struct letter){i, NULL}));
    }
    assert_false(mail_put(&mail, (struct letter){99, NULL}));
    for (int i = 0; i < MAIL_MAX; i++) {
        assert_true(mail_take(&mail, &letter));
        assert_int_equal(letter.what, i);
    }
    assert_false(mail_take(&mail, &letter));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_order_around_the_end),
        cmocka_unit_test(full_and_empty),
        cmocka_unit_test(between_threads),
        cmocka_unit_test(letters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
