/* A day of one site on the simulated clock: what is planned is put out and told, whatever happens to link and agent. */
#include "unit.h"

#include "tests/sim/sim.h"

#include <stdio.h>
#include <string.h>

#define NOON   INT64_C(1783054800000) /* 2026-07-03 12:00 in Viet Nam */
#define MINUTE INT64_C(60000)

static void a_quiet_hour(void **state)
{
    (void)state;
    struct world *world = world_new(&(struct world_options){.seed = 1, .true_ms = NOON, .kind = KIND_CLUSTER});
    size_t b = centre_bulletin(world->centre, "b1", "Xin chào bà con", 20000);
    for (int i = 1; i < 60; i += 2)
        centre_item(world->centre, "r1", b, NOON + i * MINUTE);
    world_begin(world);
    world_run_until(world, NOON + 61 * MINUTE);
    const char *why;
    if (!world_settled(world, &why))
        fail_msg("%s", why);
    assert_null(world_fault(world));
    for (size_t i = 0; i < world->centre->n_items; i++) {
        const struct playlist_item *item = &world->centre->items[i];
        const struct centre_row *row = centre_receipt(world->centre, item->id);
        assert_non_null(row);
        assert_int_equal(row->reason, REASON_ON_TIME);
        assert_string_equal(row->grade, "signed");
        assert_int_equal(row->frames, row->frames_expected);
        assert_in_range(row->started_ms, item->start_ms, item->start_ms + 100);
        assert_int_equal(world_begun(world, item->id), 1);
    }
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_quiet_hour)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
