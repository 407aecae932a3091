/* A card that puts out but takes nothing, or the other way round, stands still. */
#include "unit.h"

#include "firmware/motion.h"

static void both_ways_are_looked_at(void **state)
{
    (void)state;
    struct motion motion;
    motion_begin(&motion, 1000, 50);
    assert_int_equal(motion_stood_ns(&motion, 1010, 40, 50), 10); /* takes nothing yet */
    assert_int_equal(motion_stood_ns(&motion, 1020, 45, 60), 0);
    assert_int_equal(motion_stood_ns(&motion, 1030, 50, 60), 10);
    assert_int_equal(motion_stood_ns(&motion, 1040, 55, 60), 20); /* heard, and takes nothing */
    assert_int_equal(motion_stood_ns(&motion, 1050, 55, 70), 10); /* takes, and is not heard */
    assert_int_equal(motion_stood_ns(&motion, 1060, 55, 80), 20);
    assert_int_equal(motion_stood_ns(&motion, 1070, 60, 90), 0);
    motion_begin(&motion, 2000, 90);
    assert_int_equal(motion_stood_ns(&motion, 2000, 60, 90), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(both_ways_are_looked_at)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
