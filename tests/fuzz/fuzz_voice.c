/* fuzz_voice.c - any order of orders, decoder deliveries, beats and losses: every track ends exactly once, counts stay
 * in bounds, zeros stand where nothing is on. */
#include "firmware/voice.h"

#undef NDEBUG /* the asserts are the test */
#include <assert.h>
#include <errno.h>
#include <string.h>

enum { TRACKS = 6, RATE = 8000, BLOCK = 480, RING = 2 * RATE };

struct bench {
    struct voice voice;
    struct track tracks[TRACKS];
    int ends[TRACKS];
    int starts[TRACKS];
    size_t given[TRACKS]; /* samples decoded */
    size_t n;
    int64_t now;
    float block[BLOCK];
};

static void on_tell(void *arg, struct track *track, bool finished)
{
    struct bench *bench = arg;
    size_t i = (size_t)(track - bench->tracks);
    bench->ends[i] += finished ? 1 : 0;
    bench->starts[i] += finished ? 0 : 1;
    assert(bench->ends[i] <= 1 && bench->starts[i] <= 1);
    assert(finished || bench->ends[i] == 0);
    if (finished) {
        assert(track->result.played_frames <= bench->given[i] * 6 + 6);
        assert(track->result.heard || track->result.played_frames == 0);
    }
}

static void decode(struct bench *bench, size_t i, uint8_t value)
{
    static const float samples[255] = {0.5f};
    if (i >= bench->n || atomic_load(&bench->tracks[i].source) != TRACK_DECODING) {
        return;
    }
    for (int k = 0; k < 16; k++) {
        bench->given[i] += ring_put(&bench->tracks[i].ring, samples, value);
    }
    if (value % 8 == 7) {
        atomic_store(&bench->tracks[i].source, 1 + value / 8 % 3);
    }
}

static void add(struct bench *bench, uint8_t value)
{
    if (bench->n == TRACKS) {
        return;
    }
    struct track *track = &bench->tracks[bench->n++];
    track->start_ns = value < 128 ? 0 : bench->now + value * INT64_C(1000000);
    track->id = bench->n;
    atomic_store(&track->wanted_hz, RATE);
    atomic_store(&track->ring_hz, RATE);
    ring_init(&track->ring, RING);
    (void)voice_add(&bench->voice, track);
}

/* What the card has taken: it may lag behind its own delay, or be ahead of it. */
static int64_t taken(const struct bench *bench, uint8_t value)
{
    int64_t open = bench->voice.written - bench->voice.proven;
    return bench->voice.proven + (value % 4 == 0 ? open : open * (value % 64) / 64);
}

static void beat(struct bench *bench, uint8_t value)
{
    int64_t behind = bench->voice.written - bench->voice.heard;
    int64_t step = value * INT64_C(8) < behind ? value * INT64_C(8) : behind;
    bench->now += step * 1000000000 / RATE;
    voice_moment(&bench->voice, bench->now, bench->voice.heard + step, taken(bench, value));
    bool nothing = bench->voice.n == 0;
    voice_fill(&bench->voice, bench->block, BLOCK);
    for (size_t i = 0; i < BLOCK; i++) {
        assert(bench->block[i] >= 0 && bench->block[i] <= 0.5f);
        assert(!nothing || bench->block[i] == 0.0f);
    }
}

static void obey(struct bench *bench, uint8_t order, uint8_t value)
{
    switch (order % 12) {
    case 0:
        add(bench, value);
        return;
    case 1:
        voice_stop(&bench->voice);
        return;
    case 2:
        if (value % TRACKS < bench->n) {
            voice_drop(&bench->voice, &bench->tracks[value % TRACKS]);
        }
        return;
    case 3:
        if (value < 32) {
            voice_silence(&bench->voice);
        }
        return;
    case 4:
        voice_xrun(&bench->voice, bench->now, taken(bench, value));
        voice_skip(&bench->voice, 160);
        return;
    case 5:
        voice_lose_card(&bench->voice, bench->now, -ENODEV);
        bench->now += value * INT64_C(10000000);
        voice_lack_card(&bench->voice, bench->now, 500000000, -ENODEV);
        (void)voice_set_rate(&bench->voice, RATE);
        voice_have_card(&bench->voice);
        return;
    case 6:
        atomic_store(&bench->tracks[value % TRACKS].gain_mb, -100 * value);
        return;
    case 7:
    case 8:
        decode(bench, order % TRACKS, value);
        return;
    default:
        beat(bench, value);
        return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct bench bench;
    memset(&bench, 0, sizeof(bench));
    bench.now = INT64_C(1000000000000); /* since boot: no moment of a track is 0 */
    voice_init(&bench.voice, on_tell, &bench);
    (void)voice_set_rate(&bench.voice, RATE);
    for (size_t i = 0; i + 1 < size && i < 2000; i += 2) {
        obey(&bench, data[i], data[i + 1]);
    }
    voice_silence(&bench.voice);
    for (size_t i = 0; i < bench.n; i++) {
        assert(bench.ends[i] == 1);
        ring_done(&bench.tracks[i].ring);
    }
    return 0;
}
