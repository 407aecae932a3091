/* The lines are those of libmosquitto 2.0.11. */
#include "unit.h"

#include "playlists/link/conduct.h"

#include <stdint.h>

#define MESSAGE(qos, topic) "Client box-1-0a received PUBLISH (d0, q" qos ", r0, m7, '" topic "', ... (3 bytes))"

static const char *fault_of(const char *line)
{
    struct conduct conduct = {0};
    const char *fault = NULL;
    assert_true(conduct_heard(&conduct, line, true, &fault));
    return fault;
}

static void only_what_comes_counts(void **state)
{
    (void)state;
    struct conduct conduct = {0};
    const char *fault = NULL;
    assert_false(conduct_heard(&conduct, "Client box-1-0a sending PUBACK (m7, rc0)", true, &fault));
    assert_false(conduct_heard(&conduct, "Client a sending SUBSCRIBE (Mid: 1, Topic: x received PINGREQ, QoS: 1)", true,
                               &fault));
    assert_null(fault);
    assert_null(fault_of("Client box-1-0a received SUBACK"));
    assert_null(fault_of("Client box-1-0a received PINGRESP"));
    assert_null(fault_of(MESSAGE("0", "loa/1/trust")));
    assert_null(fault_of(MESSAGE("1", "a, q2, b")));
}

static void what_is_answered_or_kept_without_bound_is_a_fault(void **state)
{
    (void)state;
    assert_non_null(fault_of(MESSAGE("2", "loa/1/trust")));
    assert_non_null(fault_of(MESSAGE("2", "a sending b")));
    assert_non_null(fault_of("Client box-1-0a received PINGREQ"));
    assert_non_null(fault_of("Client box-1-0a received PUBREL (Mid: 5)"));
    assert_non_null(fault_of("Client box-1-0a received PUBREC (Mid: 5)"));
}

static void acknowledgements_that_are_not_taken_are_bounded(void **state)
{
    (void)state;
    struct conduct conduct = {0};
    const char *fault = NULL;
    for (int i = 0; i < UINT16_MAX; i++)
        assert_true(conduct_heard(&conduct, MESSAGE("1", "t"), true, &fault));
    assert_null(fault);
    assert_true(conduct_heard(&conduct, MESSAGE("1", "t"), false, &fault)); /* all has left */
    for (int i = 0; i < UINT16_MAX; i++)
        assert_true(conduct_heard(&conduct, MESSAGE("1", "t"), true, &fault));
    assert_null(fault);
    assert_true(conduct_heard(&conduct, MESSAGE("1", "t"), true, &fault));
    assert_non_null(fault);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_comes_counts),
        cmocka_unit_test(what_is_answered_or_kept_without_bound_is_a_fault),
        cmocka_unit_test(acknowledgements_that_are_not_taken_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
