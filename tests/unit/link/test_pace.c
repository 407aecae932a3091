/* test_pace.c - whether a download keeps its place. */
#include "unit.h"

#include "playlists/link/pace.h"

static const struct pace_floor floor_1k = {.bytes_s = 1000, .over_ms = 30000};

static void test_the_mean_counts(void **state)
{
    (void)state;
    struct pace pace;
    pace_begin(&pace, 5000, 0);
    assert_false(pace_slow(&pace, &floor_1k, 34999, 0)); /* the window has not ended */
    assert_true(pace_slow(&pace, &floor_1k, 35000, 29999));
    assert_false(pace_slow(&pace, &floor_1k, 65000, 59999));         /* exactly at the floor */
    assert_true(pace_slow(&pace, &floor_1k, 155000, 60000 + 89000)); /* asked late: the longer window counts whole */
}

/* 29 kB at once every 30 s look fast at any moment at which they come. */
static void test_bursts_do_not_help(void **state)
{
    (void)state;
    struct pace pace;
    pace_begin(&pace, 0, 0);
    for (int64_t i = 1; i < 50; i++)
        assert_true(pace_slow(&pace, &floor_1k, i * 30000, i * 29000));
}

static void test_our_disk_is_not_the_servers_fault(void **state)
{
    (void)state;
    struct pace pace;
    pace_begin(&pace, 0, 0);
    assert_false(pace_slow(&pace, &floor_1k, 30000, -1));
    assert_false(pace_slow(&pace, &floor_1k, 60000, 100)); /* waited for the disk when it began */
    assert_true(pace_slow(&pace, &floor_1k, 90000, 200));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_mean_counts),
                                       cmocka_unit_test(test_bursts_do_not_help),
                                       cmocka_unit_test(test_our_disk_is_not_the_servers_fault)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
