/* test_outputs.c - what the outputs of a perfect box prove: all of it, as much as was on, or why not. */
#include "playlists/base/bytes.h"
#include "playlists/base/clock.h"
#include "tools/fleet-agents/outputs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SOUND_MS = 40, PAGE_MS = 60, FRAMES_PER_MS = 48 };

struct world {
    uv_loop_t loop;
    struct site site;
    struct stage *stage;
    struct airing_evidence gathered;
    uint64_t finished_key, gathered_key;
    int64_t ended_ns;
    bool failed;
    int begun, over, cut, decided;
};

static void on_finished(void *arg, uint64_t key, bool failed)
{
    struct world *w = arg;
    w->finished_key = key;
    w->failed = failed;
    uv_stop(&w->loop);
}

static void on_gathered(void *arg, uint64_t key, const struct airing_evidence *evidence, int64_t ended_elapsed_ns)
{
    struct world *w = arg;
    w->gathered_key = key;
    w->gathered = *evidence;
    w->ended_ns = ended_elapsed_ns;
}

static void on_card(void *arg, bool healthy, int error)
{
    (void)arg, (void)healthy, (void)error;
    fail();
}

static void on_seen(void *arg, const struct outputs_change *change)
{
    struct world *w = arg;
    assert_ptr_equal(change->site, &w->site);
    w->begun += change->begins;
    w->over += !change->begins && !change->cut;
    w->cut += change->cut;
}

static void on_decided(void *arg, const struct site *site)
{
    struct world *w = arg;
    assert_ptr_equal(site, &w->site);
    w->decided++;
}

static int set_up(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));
    struct stage_events events = {.finished = on_finished, .gathered = on_gathered, .card = on_card};
    struct complaint why;
    uv_loop_init(&w->loop);
    w->site.sound.wired = true;
    w->site.n_amplifiers = 1;
    w->site.amplifiers[0].name = "tang-am";
    w->site.amplifiers[0].zones = 1;
    w->site.n_signs = 1;
    w->site.signs[0].name = "bang";
    outputs_watch(on_seen, w);
    outputs_watch_decisions(on_decided, w);
    *state = w;
    return stage_new(&w->loop, &w->site, &events, w, &w->stage, &why);
}

static int tear_down(void **state)
{
    struct world *w = *state;
    stage_free(w->stage);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&w->loop), 0);
    assert_int_equal(w->begun, w->over + w->cut);
    outputs_watch(NULL, NULL);
    outputs_watch_decisions(NULL, NULL);
    free(w);
    return 0;
}

/* One sound of SOUND_MS and two pages that last PAGE_MS together, on everything. */
static struct stage_airing airing_of(uint64_t key)
{
    struct stage_airing airing = {.key = key,
                                  .start_elapsed_ns = clock_elapsed_ns(),
                                  .length_ms = PAGE_MS,
                                  .n_sounds = 1,
                                  .n_pages = 2,
                                  .heard_level_mb = -3000};
    airing.sounds[0] = (struct stage_sound){.path = xstrdup("/sound"), .frames = SOUND_MS * FRAMES_PER_MS};
    airing.pages[0] = (struct stage_page){.text = xstrdup("một"), .from_ms = 0, .to_ms = PAGE_MS / 2};
    airing.pages[1] = (struct stage_page){.text = xstrdup("hai"), .from_ms = PAGE_MS / 2, .to_ms = PAGE_MS};
    return airing;
}

static void a_whole_airing_proves_all_of_it(void **state)
{
    struct world *w = *state;
    struct airing_evidence evidence;
    int64_t ended_ns = 0;
    struct stage_airing airing = airing_of(7);
    int64_t start_ns = airing.start_elapsed_ns;
    stage_begin(w->stage, &airing);
    assert_int_equal(airing.n_sounds, 0); /* consumed */
    assert_int_equal(stage_on(w->stage), 7);
    assert_false(stage_evidence(w->stage, 7, &evidence, &ended_ns));
    uv_run(&w->loop, UV_RUN_DEFAULT);
    assert_int_equal(w->finished_key, 7);
    assert_false(w->failed);
    assert_true(stage_evidence(w->stage, 7, &evidence, &ended_ns));
    int64_t planned_ns = start_ns + PAGE_MS * INT64_C(1000000);
    assert_in_range(ended_ns, planned_ns, planned_ns + INT64_C(10000000000)); /* a loaded machine begins late */
    assert_int_equal(evidence.sound.frames, SOUND_MS * FRAMES_PER_MS);
    assert_int_equal(evidence.sound.frames_expected, SOUND_MS * FRAMES_PER_MS);
    assert_true(evidence.horns.asked && evidence.horns.commanded && evidence.horns.power && evidence.horns.seen);
    assert_true(evidence.horns.level_mb > -3000);
    assert_true(evidence.panels.written && evidence.panels.read_back && !evidence.panels.cut);
    assert_string_equal(evidence.panels.text, "một\nhai");
    stage_end(w->stage, true, false);
    assert_int_equal(w->gathered_key, 0); /* it was told already */
    assert_int_equal(stage_on(w->stage), 0);
}

static void what_is_cut_proves_what_was_on(void **state)
{
    struct world *w = *state;
    struct stage_airing airing = airing_of(8);
    airing.start_elapsed_ns += INT64_C(3600) * 1000000000; /* an hour ahead: nothing of it has been heard */
    stage_begin(w->stage, &airing);
    stage_silence(w->stage);
    assert_int_equal(w->gathered_key, 8);
    assert_int_equal(w->gathered.sound.frames, 0);
    assert_int_equal(w->gathered.sound.first_elapsed_ns, 0);
    assert_false(w->gathered.horns.seen);
    assert_string_equal(w->gathered.panels.text, "");
    assert_int_equal(w->finished_key, 0);
    assert_int_equal(w->cut, 1);
}

static void what_is_resumed_counts_only_the_rest(void **state)
{
    struct world *w = *state;
    struct airing_evidence evidence;
    int64_t ended_ns;
    struct stage_airing airing = airing_of(9);
    airing.offset_ms = SOUND_MS / 2;
    stage_begin(w->stage, &airing);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    assert_true(stage_evidence(w->stage, 9, &evidence, &ended_ns));
    assert_int_equal(evidence.sound.frames, SOUND_MS / 2 * FRAMES_PER_MS);
    assert_int_equal(evidence.sound.frames_expected, SOUND_MS * FRAMES_PER_MS);
}

static void without_a_card_the_sound_fails(void **state)
{
    struct world *w = *state;
    struct airing_evidence evidence;
    int64_t ended_ns;
    w->site.sound.wired = false;
    struct stage_airing airing = airing_of(10);
    stage_begin(w->stage, &airing);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    assert_true(w->failed);
    assert_true(stage_evidence(w->stage, 10, &evidence, &ended_ns));
    assert_int_equal(evidence.sound.frames, 0);
    assert_non_null(strstr(evidence.problem, "card"));
}

static void a_muted_zone_is_not_heard(void **state)
{
    struct world *w = *state;
    struct airing_evidence evidence;
    int64_t ended_ns;
    struct stage_airing airing = airing_of(11);
    airing.muted_zones = 1;
    stage_begin(w->stage, &airing);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    assert_true(stage_evidence(w->stage, 11, &evidence, &ended_ns));
    assert_true(evidence.horns.asked);
    assert_false(evidence.horns.seen);
}

static void it_tells_of_decisions_and_parts(void **state)
{
    struct world *w = *state;
    struct part_report report;
    bool is_sign, wired, healthy;
    int error;
    stage_next(w->stage, INT64_MAX, 0);
    assert_int_equal(w->decided, 1);
    assert_int_equal(stage_parts(w->stage), 2);
    stage_report(w->stage, 1, &is_sign, &report);
    assert_true(is_sign && report.reachable && !report.faulty);
    assert_string_equal(report.name, "bang");
    stage_card(w->stage, &wired, &healthy, &error);
    assert_true(wired && healthy);
    assert_true(stage_closed(w->stage));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_whole_airing_proves_all_of_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_cut_proves_what_was_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_resumed_counts_only_the_rest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_card_the_sound_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_muted_zone_is_not_heard, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_tells_of_decisions_and_parts, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
