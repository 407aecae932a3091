/* What waits for a vault that cannot be written: found as if it were there, bounded, receipts before events. */
#include "unit.h"

#include "firmware/deeds.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct airing airing_of(uint64_t key)
{
    struct airing airing = {.key = key, .started_ms = 5};
    snprintf(airing.occurrence, sizeof(airing.occurrence), "r.%d", (int)key);
    return airing;
}

static void the_newest_counts(void **state)
{
    (void)state;
    struct deeds deeds = {0};
    struct airing airing = airing_of(7), found;
    struct airing_evidence evidence = {.sound = {.frames = 10}};
    assert_int_equal(deeds_find(&deeds, 7, &found), -ENODATA);
    deeds_airing(&deeds, &airing);
    deeds_evidence(&deeds, 7, &evidence);
    evidence.sound.frames = 30;
    deeds_evidence(&deeds, 7, &evidence);
    assert_int_equal(deeds.n, 2); /* the first evidence is in the second */
    assert_int_equal(deeds_find_evidence(&deeds, 7)->sound.frames, 30);
    airing.over = true;
    deeds_airing(&deeds, &airing);
    assert_int_equal(deeds_find(&deeds, 7, &found), 0);
    assert_true(found.over);
    deeds_receipt(&deeds, &airing, &evidence, "why");
    assert_int_equal(deeds_find(&deeds, 7, &found), -ENOENT);
    assert_null(deeds_find_evidence(&deeds, 7));
    assert_int_equal(deeds.n, 1);
    assert_string_equal(deeds.at[0].detail, "why");
    assert_int_equal(deeds.at[0].evidence->sound.frames, 30);
    deeds_done(&deeds);
}

static void what_did_not_happen_is_cut_out(void **state)
{
    (void)state;
    struct deeds deeds = {0};
    deeds_event(&deeds, "a", NULL, NULL, 1);
    for (uint64_t key = 1; key <= 40; key++) {
        struct airing airing = airing_of(key);
        deeds_airing(&deeds, &airing);
    }
    deeds_event(&deeds, "b", "x", "y", 2);
    deeds_cut(&deeds, 1, 40);
    assert_int_equal(deeds.n, 2);
    assert_string_equal(deeds.at[0].code, "a");
    assert_string_equal(deeds.at[1].code, "b");
    deeds_cut(&deeds, 1, 100);
    assert_int_equal(deeds.n, 1);
    deeds_cut(&deeds, 0, 1);
    assert_null(deeds.at); /* no memory is held while nothing waits */
    deeds_done(&deeds);
}

static void bounded_and_events_leave_first(void **state)
{
    (void)state;
    struct deeds deeds = {0};
    for (int i = 0; i < 100; i++)
        deeds_event(&deeds, "e", NULL, NULL, i);
    for (uint64_t key = 1; key <= DEEDS_MAX + 10; key++) {
        struct airing airing = airing_of(key), found;
        deeds_airing(&deeds, &airing);
        assert_int_equal(deeds_find(&deeds, key, &found), 0);
        deeds_receipt(&deeds, &airing, NULL, NULL);
    }
    assert_int_equal(deeds.n, DEEDS_MAX);
    assert_int_equal(deeds.lost_events, 100);
    assert_int_equal(deeds.lost_receipts, 10);
    for (size_t i = 0; i < deeds.n; i++)
        assert_int_equal(deeds.at[i].kind, DEED_RECEIPT);
    deeds_done(&deeds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_newest_counts),
                                       cmocka_unit_test(what_did_not_happen_is_cut_out),
                                       cmocka_unit_test(bounded_and_events_leave_first)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
