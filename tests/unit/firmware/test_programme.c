/* Which sound and which page, when: programmes, quiet hours, gain ceilings, receipts. */
#include "unit.h"

#include "firmware/programme.h"
#include "firmware/receipts.h"
#include "playlists/hours.h"

#include <string.h>

static const char *vi_en[] = {"vi", "en"};
static const struct texts languages = {.at = vi_en, .n = 2};
static struct media_ref two_s = {.hash = "", .size = 1, .frames = 96000};
static struct media_ref one_s = {.hash = "", .size = 1, .frames = 48000};

static void each_text_beside_its_sound(void **state)
{
    (void)state;
    struct bulletin_content contents[] = {{"vi", "chào", &two_s}, {"en", "hello", &one_s}};
    struct bulletin bulletin = {.contents = contents, .n_contents = 2};
    struct programme p;
    programme_make(&bulletin, &languages, KIND_CLUSTER, 0, &p);
    assert_int_equal(p.n_sounds, 2);
    assert_int_equal(p.sounds[1].frames, 48000);
    assert_int_equal(p.n_pages, 2);
    assert_int_equal(p.pages[0].to_ms, 2000);
    assert_int_equal(p.pages[1].from_ms, 2000);
    assert_int_equal(p.length_ms, 3000);
    programme_make(&bulletin, &languages, KIND_CLUSTER, 5000, &p);
    assert_int_equal(p.length_ms, 5000);
    assert_int_equal(p.n_pages, 4); /* the two seconds that are left are shared in turn */
    assert_int_equal(p.pages[3].from_ms, 4000);
    assert_int_equal(p.pages[3].to_ms, 5000);
}

static void a_board_shows_all_texts_in_turn(void **state)
{
    (void)state;
    struct bulletin_content contents[] = {{"vi", "chào", &two_s}, {"en", "hello", NULL}};
    struct bulletin bulletin = {.contents = contents, .n_contents = 2};
    struct programme p;
    programme_make(&bulletin, &languages, KIND_BOARD, 10000, &p);
    assert_int_equal(p.n_sounds, 0);
    assert_int_equal(p.n_pages, 2);
    assert_int_equal(p.pages[0].to_ms, 5000);
    assert_int_equal(p.pages[1].to_ms, 10000);
    programme_make(&bulletin, &languages, KIND_BOARD, 0, &p);
    assert_int_equal(p.length_ms, PROGRAMME_SHOW_MS);
    programme_make(&bulletin, &languages, KIND_CLUSTER, 0, &p);
    assert_int_equal(p.n_pages, 2); /* a text without a sound shares the time of the one before it */
    assert_int_equal(p.pages[0].to_ms, 1000);
    assert_int_equal(p.pages[1].to_ms, 2000);
}

static void quiet_hours_past_midnight(void **state)
{
    (void)state;
    struct zone *zone = NULL;
    struct complaint why = {0};
    struct quiet_span spans[HOURS_SPANS_MAX];
    struct day_window night = {.from_min = 21 * 60, .to_min = 6 * 60};
    struct day_window quiet_gain = {.from_min = 22 * 60, .to_min = 5 * 60, .gain_mb = -1200};
    struct config config = {
        .quiet_hours = &night, .n_quiet_hours = 1, .gain_ceilings = &quiet_gain, .n_gain_ceilings = 1};
    assert_int_equal(zone_load(NULL, "Asia/Ho_Chi_Minh", &zone, &why), 0);
    int64_t midnight_ms = INT64_C(1782838800000); /* 2026-07-01 00:00 in Viet Nam */
    size_t n = hours_quiet(&config, zone, midnight_ms, spans);
    bool inside = false, noon = false;
    for (size_t i = 0; i < n; i++) {
        inside |= spans[i].from_ms <= midnight_ms && midnight_ms < spans[i].to_ms;
        noon |= spans[i].from_ms <= midnight_ms + 43200000 && midnight_ms + 43200000 < spans[i].to_ms;
        assert_int_equal(spans[i].to_ms - spans[i].from_ms, 9 * 3600000);
    }
    assert_true(inside);
    assert_false(noon);
    assert_int_equal(hours_ceiling_mb(&config, zone, midnight_ms), -1200);
    assert_int_equal(hours_ceiling_mb(&config, zone, midnight_ms + 43200000), 0);
    /* From 02:00 on another ceiling and no quiet hours, from 03:00 on neither. */
    struct day_window always = {.to_min = 1440, .gain_mb = -300};
    struct config_hours later[] = {
        {.from_ms = midnight_ms + 2 * 3600000, .gain_ceilings = &always, .n_gain_ceilings = 1},
        {.from_ms = midnight_ms + 3 * 3600000}};
    config.later = later;
    config.n_later = 2;
    n = hours_quiet(&config, zone, midnight_ms + 43200000, spans);
    assert_int_equal(n, 1);
    assert_int_equal(spans[0].to_ms, later[0].from_ms);
    assert_int_equal(hours_ceiling_mb(&config, zone, later[0].from_ms - 1), -1200);
    assert_int_equal(hours_ceiling_mb(&config, zone, later[0].from_ms), -300);
    assert_int_equal(hours_ceiling_mb(&config, zone, later[1].from_ms), 0);
    zone_free(zone);
}

static void a_receipt_says_only_what_is_proven(void **state)
{
    (void)state;
    struct airing airing = {.started_ms = 5, .ended_ms = 9, .reason = REASON_ON_TIME};
    struct airing_evidence evidence = {.sound = {.asked = true, .frames = 10, .frames_expected = 20}};
    struct receipt_paper paper;
    receipt_make(&airing, &evidence, "", &paper);
    assert_non_null(paper.receipt.evidence->sound);
    assert_null(paper.receipt.evidence->amplifier);
    assert_null(paper.receipt.evidence->sign);
    assert_null(paper.receipt.detail);
    airing.started_ms = 0;
    receipt_make(&airing, &evidence, "why", &paper);
    assert_null(paper.receipt.evidence);
    assert_string_equal(paper.receipt.detail, "why");
}

static void parts_of_an_airing_add_up(void **state)
{
    (void)state;
    struct airing_evidence sum = {.sound = {.asked = true, .frames = 10, .frames_expected = 30, .first_elapsed_ns = 7}};
    struct airing_evidence more = sum;
    sum.horns = (struct airing_horns){.asked = true, .commanded = true, .seen = true, .level_mb = -100};
    more.horns =
        (struct airing_horns){.asked = true, .commanded = true, .seen = false, .level_mb = -900, .n_faults = 1};
    strcpy(more.horns.faults[0], "amp.fault_fan");
    more.sound.first_elapsed_ns = 99;
    evidence_add(&sum, &more);
    assert_int_equal(sum.sound.frames, 20);
    assert_int_equal(sum.sound.frames_expected, 30);
    assert_int_equal(sum.sound.first_elapsed_ns, 7);
    assert_true(sum.horns.commanded);
    assert_false(sum.horns.seen);
    assert_int_equal(sum.horns.n_faults, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_text_beside_its_sound), cmocka_unit_test(a_board_shows_all_texts_in_turn),
        cmocka_unit_test(quiet_hours_past_midnight),  cmocka_unit_test(a_receipt_says_only_what_is_proven),
        cmocka_unit_test(parts_of_an_airing_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
