/* When the watchdog may go hungry for a bus that hangs: never at the cost of what is on, and seldom. */
#include "unit.h"

#include "firmware/agent_parts.h"

static void test_a_bus_restarts_nothing_that_is_on(void **state)
{
    (void)state;
    assert_false(agent_bus_restarts(BUS_RESTART_MS + 1, false));
    assert_true(agent_bus_restarts(BUS_RESTART_MS + 1, true));
}

static void test_a_bus_restarts_seldom(void **state)
{
    (void)state;
    assert_false(agent_bus_restarts(0, true));
    assert_false(agent_bus_restarts(BUS_RESTART_MS, true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_bus_restarts_nothing_that_is_on),
        cmocka_unit_test(test_a_bus_restarts_seldom),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
