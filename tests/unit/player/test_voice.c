/* test_voice.c - tracks in the card's stream, without a card: the test is decoder, card and clock. */
#include "unit.h"

#include "firmware/voice.h"

#include <errno.h>
#include <string.h>

enum { RATE = 48000, RAMP = 480, BLOCK = 480, STREAM = 200000 };
#define AT INT64_C(7000000000)

struct bench {
    struct voice voice;
    struct track tracks[4];
    float stream[STREAM];
    size_t len;
    int started;
    int finished;
    struct track *last;
};

static void on_tell(void *arg, struct track *track, bool finished)
{
    struct bench *bench = arg;
    bench->started += finished ? 0 : 1;
    bench->finished += finished ? 1 : 0;
    bench->last = track;
}

static int setup(void **state)
{
    static struct bench bench;
    memset(&bench, 0, sizeof(bench));
    voice_init(&bench.voice, on_tell, &bench);
    (void)voice_set_rate(&bench.voice, RATE);
    voice_moment(&bench.voice, AT, 0, 0);
    for (size_t i = 0; i < 4; i++) {
        ring_init(&bench.tracks[i].ring, 2 * RATE);
        bench.tracks[i].id = i + 1;
        bench.tracks[i].latest_ns = INT64_MAX;
        atomic_store(&bench.tracks[i].wanted_hz, RATE);
        atomic_store(&bench.tracks[i].ring_hz, RATE);
    }
    *state = &bench;
    return 0;
}

static int teardown(void **state)
{
    struct bench *bench = *state;
    for (size_t i = 0; i < 4; i++) {
        ring_done(&bench->tracks[i].ring);
    }
    return 0;
}

static void decode(struct track *track, size_t n, enum track_source source)
{
    for (size_t i = 0; i < n; i++) {
        const float one = 1;
        assert_int_equal(ring_put(&track->ring, &one, 1), 1);
    }
    atomic_store(&track->source, (int)source);
}

/* Write n frames, the card being `behind` frames behind all the time. */
static void go(struct bench *bench, size_t n, int64_t behind)
{
    for (size_t end = bench->len + n; bench->len < end;) {
        size_t part = end - bench->len < BLOCK ? end - bench->len : BLOCK;
        int64_t heard = bench->voice.written - behind > 0 ? bench->voice.written - behind : 0;
        voice_moment(&bench->voice, AT + heard * 1000000000 / RATE, heard, heard);
        voice_fill(&bench->voice, bench->stream + bench->len, part);
        bench->len += part;
    }
    voice_moment(&bench->voice, AT + bench->voice.written * 1000000000 / RATE, bench->voice.written,
                 bench->voice.written);
}

static size_t first_sound(const struct bench *bench)
{
    size_t i = 0;
    while (i < bench->len && bench->stream[i] == 0.0f) {
        i++;
    }
    return i;
}

static size_t last_sound(const struct bench *bench)
{
    size_t i = bench->len;
    while (i > 0 && bench->stream[i - 1] == 0.0f) {
        i--;
    }
    return i - 1;
}

static void nothing_on_is_zero(void **state)
{
    struct bench *bench = *state;
    go(bench, 5000, 100);
    assert_int_equal(first_sound(bench), 5000);
}

static void a_track_stands_at_its_instant(void **state)
{
    struct bench *bench = *state;
    struct track *track = &bench->tracks[0];
    track->start_ns = AT + 250000000; /* frame 12000 */
    decode(track, 10000, TRACK_WHOLE);
    assert_false(voice_add(&bench->voice, track));
    go(bench, 30000, 4800);
    assert_int_equal(first_sound(bench), 12001); /* the ramp's first frame is 0 */
    assert_int_equal(last_sound(bench), 12000 + 9999);
    assert_true(bench->stream[12000 + RAMP] == 1.0f);
    assert_int_equal(bench->started, 1);
    assert_int_equal(bench->finished, 1);
    assert_int_equal(track->result.end, PLAYER_DRAINED);
    assert_int_equal(track->result.played_frames, 10000);
    assert_in_range(track->result.start_elapsed_ns, AT + 250000000 - 30000, AT + 250000000 + 30000);
    assert_in_range(track->result.end_elapsed_ns - track->result.start_elapsed_ns, 208333333 - 30000,
                    208333333 + 30000);
}

static void a_late_decoder_starts_late(void **state)
{
    struct bench *bench = *state;
    struct track *track = &bench->tracks[0];
    decode(track, 100, TRACK_DECODING);
    (void)voice_add(&bench->voice, track);
    go(bench, 4800, 1000);
    assert_int_equal(first_sound(bench), 4800);
    decode(track, 8000, TRACK_WHOLE);
    go(bench, 20000, 1000);
    assert_int_equal(first_sound(bench), 4801);
    assert_int_equal(track->result.played_frames, 8100);
    assert_int_equal(track->result.starved_frames, 0);
}

static void the_next_follows_without_a_gap(void **state)
{
    struct bench *bench = *state;
    decode(&bench->tracks[0], 5000, TRACK_WHOLE);
    decode(&bench->tracks[1], 6000, TRACK_WHOLE);
    (void)voice_add(&bench->voice, &bench->tracks[0]);
    (void)voice_add(&bench->voice, &bench->tracks[1]);
    go(bench, 20000, 4800);
    assert_int_equal(bench->tracks[1].begin_pos, 5000);
    assert_int_equal(last_sound(bench), 10999);
    assert_int_equal(bench->finished, 2);
}

static void a_stop_fades_within_the_ramp(void **state)
{
    struct bench *bench = *state;
    struct track *track = &bench->tracks[0];
    decode(track, 50000, TRACK_DECODING);
    decode(&bench->tracks[1], 5000, TRACK_WHOLE);
    (void)voice_add(&bench->voice, track);
    (void)voice_add(&bench->voice, &bench->tracks[1]);
    go(bench, 9600, 1000);
    voice_stop(&bench->voice);
    assert_ptr_equal(bench->last, &bench->tracks[1]); /* what waits is over at once */
    go(bench, 9600, 1000);
    assert_int_equal(last_sound(bench), 9600 + RAMP - 1);
    assert_true(bench->stream[9600 + RAMP / 2] < 0.51f && bench->stream[9600 + RAMP / 2] > 0.49f);
    assert_int_equal(track->result.end, PLAYER_STOPPED);
    assert_int_equal(track->result.played_frames, 9600 + RAMP);
    assert_int_equal(track->result.resume_frames, 9600 + RAMP);
}

static void silence_counts_what_was_heard(void **state)
{
    struct bench *bench = *state;
    struct track *track = &bench->tracks[0];
    track->offset_frames = 1000;
    decode(track, 50000, TRACK_DECODING);
    (void)voice_add(&bench->voice, track);
    go(bench, 9600, 1000);
    voice_fill(&bench->voice, bench->stream, 4000);
    voice_silence(&bench->voice);
    assert_int_equal(track->result.played_frames, 9600);
    assert_int_equal(track->result.resume_frames, 10600);
    assert_int_equal(bench->voice.n, 0);
}

static void starving_fades_and_comes_back(void **state)
{
    struct bench *bench = *state;
    struct track *track = &bench->tracks[0];
    decode(track, 6000, TRACK_DECODING);
    (void)voice_add(&bench->voice, track);
    go(bench, 12000, 1000);
    assert_int_equal(last_sound(bench), 5999);
    assert_true(bench->stream[5999] < 0.01f); /* no click */
    decode(track, 6000, TRACK_WHOLE);
    go(bench, 12000, 1000);
    assert_int_equal(last_sound(bench), 12000 + 5999);
    assert_int_equal(track->result.starved_frames, 6000);
    assert_int_equal(track->result.starvings, 1);
    assert_int_equal(track->result.played_frames, 12000);
    assert_int_equal(track->result.end, PLAYER_DRAINED);
}

static void broken_before_its_start_is_not_heard(void **state)
{
    struct bench *bench = *state;
    struct track *track = &bench->tracks[0];
    track->start_ns = AT + 100000000;
    track->error = -EMSGSIZE;
    decode(track, 3000, TRACK_ODD);
    (void)voice_add(&bench->voice, track);
    go(bench, 9600, 1000);
    assert_int_equal(first_sound(bench), 9600);
    assert_int_equal(track->result.end, PLAYER_LENGTH_MISMATCH);
    assert_false(track->result.heard);
}

static void a_lost_card_takes_its_frames_along(void **state)
{
    struct bench *bench = *state;
    struct track *track = &bench->tracks[0];
    decode(track, 20000, TRACK_WHOLE);
    (void)voice_add(&bench->voice, track);
    go(bench, 9600, 1000);
    voice_fill(&bench->voice, bench->stream + bench->len, 2000);
    bench->len += 2000;
    voice_lose_card(&bench->voice, AT + 300000000, -ENODEV);
    assert_int_equal(track->lost, 2000);
    voice_skip(&bench->voice, 960);
    go(bench, 20000, 1000);
    assert_int_equal(track->result.end, PLAYER_DRAINED);
    assert_int_equal(track->result.played_frames, 18000);
}

static void without_a_card_the_item_waits_then_ends(void **state)
{
    struct bench *bench = *state;
    struct track *track = &bench->tracks[0];
    decode(track, 20000, TRACK_DECODING);
    (void)voice_add(&bench->voice, track);
    go(bench, 9600, 1000);
    voice_fill(&bench->voice, bench->stream, 2000);
    voice_lose_card(&bench->voice, AT + 300000000, -ENODEV);
    voice_lack_card(&bench->voice, AT + 400000000, 500000000, -ENODEV);
    assert_int_equal(bench->finished, 0);
    voice_lack_card(&bench->voice, AT + 901000000, 500000000, -ENODEV);
    assert_int_equal(bench->finished, 1);
    assert_int_equal(track->result.end, PLAYER_CARD_LOST);
    assert_int_equal(track->result.error, -ENODEV);
    assert_int_equal(track->result.resume_frames, 9600); /* what went down with the card is played again */
    assert_true(track->result.why.text[0] != '\0');
}

/* Ran dry honestly: all was taken, so nothing is lost, and the gap is counted. */
static void a_card_that_ran_dry_played_all_it_had(void **state)
{
    struct bench *bench = *state;
    struct track *track = &bench->tracks[0];
    decode(track, 20000, TRACK_WHOLE);
    (void)voice_add(&bench->voice, track);
    go(bench, 9600, 1000);
    voice_fill(&bench->voice, bench->stream + bench->len, 2000);
    bench->len += 2000;
    voice_xrun(&bench->voice, AT + 300000000, bench->voice.written);
    voice_skip(&bench->voice, 960);
    go(bench, 20000, 1000);
    assert_int_equal(track->result.end, PLAYER_DRAINED);
    assert_int_equal(track->result.played_frames, 20000);
    assert_int_equal(track->result.lost_frames, 0);
    assert_int_equal(track->result.xruns, 1);
}

/* Stopped with frames waiting: they were never put out, and do not count. */
static void a_card_that_stopped_did_not_play_what_waited(void **state)
{
    struct bench *bench = *state;
    struct track *track = &bench->tracks[0];
    decode(track, 20000, TRACK_WHOLE);
    (void)voice_add(&bench->voice, track);
    go(bench, 9600, 1000);
    voice_fill(&bench->voice, bench->stream + bench->len, 2000);
    bench->len += 2000;
    voice_xrun(&bench->voice, AT + 300000000, 9600 + 500);
    voice_skip(&bench->voice, 960);
    go(bench, 20000, 1000);
    assert_int_equal(track->result.end, PLAYER_DRAINED);
    assert_int_equal(track->result.played_frames, 20000 - 1500);
    assert_int_equal(track->result.lost_frames, 1500);
    assert_int_equal(track->result.xruns, 1);
}

/* Its clock runs on, or its delay lies: what the card has not taken is not played. */
static void what_was_not_taken_is_not_played(void **state)
{
    struct bench *bench = *state;
    struct track *track = &bench->tracks[0];
    decode(track, 5000, TRACK_WHOLE);
    (void)voice_add(&bench->voice, track);
    voice_fill(&bench->voice, bench->stream, 6000);
    voice_moment(&bench->voice, AT + 125000000, 6000, 3000);
    assert_int_equal(bench->started, 1);
    assert_int_equal(bench->finished, 0);
    assert_int_equal(atomic_load(&track->played), 3000);
    voice_lose_card(&bench->voice, AT + 126000000, -ENODEV);
    assert_int_equal(bench->finished, 1);
    assert_int_equal(track->result.end, PLAYER_CARD_LOST);
    assert_int_equal(track->result.played_frames, 3000);
    assert_int_equal(track->result.resume_frames, 3000);
}

static void lost_before_its_first_frame_it_was_never_heard(void **state)
{
    struct bench *bench = *state;
    struct track *track = &bench->tracks[0];
    decode(track, 1000, TRACK_WHOLE);
    (void)voice_add(&bench->voice, track);
    voice_fill(&bench->voice, bench->stream, 2000);
    voice_xrun(&bench->voice, AT + 10000000, 0);
    assert_int_equal(bench->started, 0);
    assert_int_equal(bench->finished, 1);
    assert_int_equal(track->result.end, PLAYER_CARD_LOST);
    assert_false(track->result.heard);
    assert_int_equal(track->result.played_frames, 0);
    assert_int_equal(track->result.lost_frames, 1000);
    assert_int_equal(track->result.resume_frames, 0);
}

/* A start that was with the card when it stopped comes later in the file, but is told when it is heard. */
static void a_start_that_was_lost_is_told_when_heard(void **state)
{
    struct bench *bench = *state;
    struct track *track = &bench->tracks[0];
    decode(track, 10000, TRACK_WHOLE);
    (void)voice_add(&bench->voice, track);
    voice_fill(&bench->voice, bench->stream, 2000);
    bench->len = 2000;
    voice_xrun(&bench->voice, AT + 10000000, 0);
    assert_int_equal(bench->started, 0);
    go(bench, 20000, 1000);
    assert_int_equal(bench->started, 1);
    assert_int_equal(track->result.played_frames, 8000);
    assert_int_equal(track->result.lost_frames, 2000);
}

static void a_late_card_is_waited_for_as_long_as_the_item_allows(void **state)
{
    struct bench *bench = *state;
    struct track *track = &bench->tracks[0];
    track->start_ns = AT;
    track->latest_ns = AT + 2000000000;
    decode(track, 10000, TRACK_WHOLE);
    (void)voice_add(&bench->voice, track);
    voice_lack_card(&bench->voice, AT + 1999000000, 10000000000, -EBUSY);
    assert_int_equal(bench->finished, 0);
    voice_lack_card(&bench->voice, AT + 2001000000, 10000000000, -EBUSY);
    assert_int_equal(bench->finished, 1);
    assert_int_equal(track->result.end, PLAYER_CARD_LOST);
    assert_int_equal(track->result.error, -EBUSY);
}

static void another_rate_asks_the_decoder(void **state)
{
    struct bench *bench = *state;
    struct track *track = &bench->tracks[0];
    decode(track, 20000, TRACK_DECODING);
    (void)voice_add(&bench->voice, track);
    assert_true(voice_set_rate(&bench->voice, 44100));
    assert_int_equal(atomic_load(&track->wanted_hz), 44100);
    voice_moment(&bench->voice, AT, 0, 0);
    go(bench, 4800, 1000);
    assert_int_equal(first_sound(bench), 4800); /* samples of the wrong rate are not touched */
    assert_int_equal(ring_count(&track->ring), 20000);
}

static void when_the_card_is_needed(void **state)
{
    struct bench *bench = *state;
    assert_true(voice_needs_card_ns(&bench->voice, 2000) == INT64_MAX);
    bench->tracks[0].start_ns = 10000;
    (void)voice_add(&bench->voice, &bench->tracks[0]);
    assert_int_equal(voice_needs_card_ns(&bench->voice, 2000), 8000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_on_is_zero),
        TEST(a_track_stands_at_its_instant),
        TEST(a_late_decoder_starts_late),
        TEST(the_next_follows_without_a_gap),
        TEST(a_stop_fades_within_the_ramp),
        TEST(silence_counts_what_was_heard),
        TEST(starving_fades_and_comes_back),
        TEST(broken_before_its_start_is_not_heard),
        TEST(a_lost_card_takes_its_frames_along),
        TEST(without_a_card_the_item_waits_then_ends),
        TEST(a_card_that_ran_dry_played_all_it_had),
        TEST(a_card_that_stopped_did_not_play_what_waited),
        TEST(what_was_not_taken_is_not_played),
        TEST(lost_before_its_first_frame_it_was_never_heard),
        TEST(a_start_that_was_lost_is_told_when_heard),
        TEST(a_late_card_is_waited_for_as_long_as_the_item_allows),
        TEST(another_rate_asks_the_decoder),
        TEST(when_the_card_is_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
