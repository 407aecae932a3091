/* One airing on its way through the outputs: what is played next, which page is due, what a sound's end says. */
#include "unit.h"

#include "firmware/stage_run.h"

#include <errno.h>
#include <string.h>

enum { SECOND = 1000 * RUN_FRAMES_PER_MS };

/* Three sounds of 1, 2 and 3 s, which begin at 10 s. */
static struct run three_sounds(void)
{
    struct run run = {.first_id = 7, .airing = {.start_elapsed_ns = INT64_C(10000000000), .gain_mb = -300}};
    for (size_t i = 0; i < 3; i++)
        run.airing.sounds[run.airing.n_sounds++] = (struct stage_sound){.frames = (int64_t)(i + 1) * SECOND};
    return run;
}

static void take(struct run *run)
{
    run->next_sound++;
    run->outstanding++;
}

static void the_first_sound_has_an_instant_the_others_follow(void **state)
{
    (void)state;
    struct run run = three_sounds();
    struct player_item item;
    assert_true(run_next_item(&run, false, &item));
    assert_int_equal(item.id, 7);
    assert_int_equal(item.start_elapsed_ns, run.airing.start_elapsed_ns);
    assert_int_equal(item.latest_elapsed_ns, run.airing.start_elapsed_ns + RUN_LATE_LEAST_MS * INT64_C(1000000));
    assert_int_equal(item.offset_frames, 0);
    assert_int_equal(item.gain_mb, -300);
    take(&run);
    assert_true(run_next_item(&run, true, &item));
    assert_int_equal(item.id, 8);
    assert_int_equal(item.start_elapsed_ns, 0);
    assert_int_equal(item.gain_mb, 0); /* the amplifiers make it */
    take(&run);
    assert_true(run_next_item(&run, false, &item));
    take(&run);
    assert_false(run_next_item(&run, false, &item));
    assert_false(run_sound_over(&run));
}

static void what_was_heard_before_a_cut_is_left_out(void **state)
{
    (void)state;
    struct run run = three_sounds();
    struct player_item item;
    run.airing.offset_ms = 1500;
    assert_true(run_next_item(&run, false, &item));
    assert_int_equal(item.id, 8);
    assert_int_equal(item.offset_frames, SECOND / 2);
    take(&run);
    assert_true(run_next_item(&run, false, &item));
    assert_int_equal(item.id, 9);
    assert_int_equal(item.offset_frames, 0);
    run.airing.offset_ms = 6000; /* all of it */
    assert_false(run_next_item(&run, false, &item));
}

static void a_sound_that_failed_is_the_last(void **state)
{
    (void)state;
    struct run run = three_sounds();
    struct player_item item;
    struct player_result whole = {
        .end = PLAYER_DRAINED, .heard = true, .start_elapsed_ns = 11, .played_frames = SECOND};
    struct player_result lost = {.end = PLAYER_CARD_LOST, .played_frames = 5, .losses = 1, .end_elapsed_ns = 99};
    complain(&lost.why, -ENODEV, "no card");
    take(&run);
    take(&run);
    assert_true(run_heard(&run, &whole));
    assert_int_equal(run.evidence.sound.first_elapsed_ns, 11);
    assert_string_equal(run.evidence.problem, "");
    assert_false(run_heard(&run, &lost));
    assert_int_equal(run.evidence.sound.frames, SECOND + 5);
    assert_int_equal(run.ended_elapsed_ns, 99);
    assert_non_null(strstr(run.evidence.problem, "no card"));
    assert_false(run_next_item(&run, false, &item));
    assert_true(run_sound_over(&run));
}

static void pages_turn_when_they_are_due(void **state)
{
    (void)state;
    char one[] = "một", same[] = "một", two[] = "hai";
    struct run run = {.airing = {.start_elapsed_ns = INT64_C(10000000000), .n_pages = 3}};
    run.airing.pages[0] = (struct stage_page){.text = one, .from_ms = 0, .to_ms = 1000};
    run.airing.pages[1] = (struct stage_page){.text = same, .from_ms = 1000, .to_ms = 2000};
    run.airing.pages[2] = (struct stage_page){.text = two, .from_ms = 2000, .to_ms = 3000};
    int64_t next_ms;
    assert_null(run_turn(&run, 9000, &next_ms)); /* ahead of its start */
    assert_int_equal(next_ms, 10000);
    assert_ptr_equal(run_turn(&run, 10000, &next_ms), one);
    assert_int_equal(next_ms, 11000);
    assert_null(run_turn(&run, 10500, &next_ms));
    assert_null(run_turn(&run, 11000, &next_ms)); /* the same is shown already */
    assert_int_equal(next_ms, 12000);
    assert_ptr_equal(run_turn(&run, 12001, &next_ms), two);
    assert_false(run.pages_over);
    assert_null(run_turn(&run, 13000, &next_ms));
    assert_true(run.pages_over);
    assert_int_equal(next_ms, INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_sound_has_an_instant_the_others_follow),
        cmocka_unit_test(what_was_heard_before_a_cut_is_left_out),
        cmocka_unit_test(a_sound_that_failed_is_the_last),
        cmocka_unit_test(pages_turn_when_they_are_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
