/* test_turns.c - work of the loop is counted, waiting is not. */
#include "unit.h"

#include "controller/turns.h"

enum { WORK_MS = 12, WAIT_MS = 60 };

static void on_work(uv_timer_t *timer)
{
    uint64_t until_ns = uv_hrtime() + (uint64_t)WORK_MS * 1000000;
    while (uv_hrtime() < until_ns)
        ;
    uv_close((uv_handle_t *)timer, NULL);
}

static json_int_t longer(const json_t *told, const char *how, const char *limit)
{
    return json_integer_value(json_object_get(json_object_get(told, how), limit));
}

static void test_work_is_counted_and_waiting_is_not(void **state)
{
    uv_loop_t loop;
    uv_timer_t work;
    (void)state;
    uv_loop_init(&loop);
    struct turns *turns = turns_new(&loop);
    uv_timer_init(&loop, &work);
    uv_timer_start(&work, on_work, WAIT_MS, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_run(&loop, UV_RUN_NOWAIT); /* which begins with the end of the last turn */
    json_t *told = turns_json(turns);
    assert_true(longer(told, "longer_than_ms", "10") >= 1);
    assert_true(json_real_value(json_object_get(told, "longest_ms")) >= WORK_MS);
    /* By its CPU no turn was as long as the wait. */
    assert_int_equal(longer(told, "cpu_longer_than_ms", "50"), 0);
    assert_true(json_integer_value(json_object_get(told, "turns")) >= 2);
    json_decref(told);
    turns_free(turns);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_work_is_counted_and_waiting_is_not)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
