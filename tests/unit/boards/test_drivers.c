/* The amplifier's driver against a slow slave with a memory: silence stays, evidence counts. */
#include "unit.h"

#include "boards/bus/amplifier.h"
#include "playlists/base/clock.h"
#include "playlists/base/file.h"
#include "script.h"

#include <errno.h>
#include <stdlib.h>

static const char text[] =
    "model = \"A\"; maker = \"B\"; kind = \"amplifier\"; poll_ms = 100;\n"
    "silence = { point = \"mute\"; value = 1; };\n"
    "points = (\n"
    "{ name = \"mute\"; kind = \"coil\"; address = 1; access = \"rw\"; verify = \"mute\"; },\n"
    "{ name = \"power\"; kind = \"coil\"; address = 0; access = \"w\"; },\n"
    "{ name = \"power_state\"; kind = \"discrete\"; address = 0; },\n"
    "{ name = \"output_level\"; kind = \"input\"; address = 0; type = \"s16\"; unit = \"dB\"; poll_ms = 50; },\n"
    "{ name = \"fault_x\"; kind = \"discrete\"; address = 1; }\n"
    ");\n";

/* A slave with coils, the power lamp, a level and a fault. */
struct slave {
    atomic_int coil[2], level, fault, delay_ms, unmutes;
};

static bool serve(int fd, const uint8_t *q, size_t len, void *arg)
{
    struct slave *slave = arg;
    uint8_t a[16];
    size_t n = 0;
    memcpy(a, q, 8);
    poll(NULL, 0, atomic_load(&slave->delay_ms));
    if (len == 12 && q[7] == 5) {
        bool on = q[10] == 0xFF;
        atomic_store(&slave->coil[q[9] & 1], on);
        atomic_fetch_add(&slave->unmutes, q[9] == 1 && !on);
        memcpy(a, q, n = 12);
        return send(fd, a, n, MSG_NOSIGNAL) == (ssize_t)n;
    }
    int mute = atomic_load(&slave->coil[1]);
    int power = atomic_load(&slave->coil[0]);
    int level = atomic_load(&slave->level);
    a[8] = 1;
    if (q[7] == 1)
        a[9] = (uint8_t)(q[9] == 1 ? mute : power);
    else if (q[7] == 2)
        a[9] = (uint8_t)(power | atomic_load(&slave->fault) << 1);
    if (q[7] == 4) {
        a[8] = 2;
        a[9] = (uint8_t)(level >> 8);
        a[10] = (uint8_t)level;
    }
    a[5] = (uint8_t)(3 + a[8]);
    n = 9U + a[8];
    return send(fd, a, n, MSG_NOSIGNAL) == (ssize_t)n;
}

struct site {
    struct slave slave;
    struct script script;
    uv_loop_t loop;
    uv_timer_t beat; /* lets the loop come round while a test waits for the slave */
    struct profile *profile;
    struct bus *bus;
    struct amplifier *amplifier;
    int silenced; /* result of amplifier_silence(), 1 while it is open */
};

static void on_beat(uv_timer_t *beat)
{
    (void)beat;
}

static int make(void **state)
{
    struct site *site = calloc(1, sizeof(*site));
    char path[] = "/tmp/loa-drivers-XXXXXX";
    int fd = mkstemp(path);
    struct complaint why = {0};
    if (!site || fd < 0 || close(fd) < 0 || file_write_whole(path, text, strlen(text), 0600) < 0 ||
        profile_open(path, &site->profile, &why) < 0 || !script_start(&site->script, serve, &site->slave))
        return -1;
    unlink(path);
    struct bus_config config = {.transport = BUS_TCP, .host = "127.0.0.1", .port = site->script.port};
    uv_loop_init(&site->loop);
    uv_timer_init(&site->loop, &site->beat);
    uv_timer_start(&site->beat, on_beat, 5, 5);
    *state = site;
    if (bus_new(&site->loop, &config, &site->bus, &why) < 0)
        return -1;
    return amplifier_new(site->bus, site->profile, 1, "amp", NULL, NULL, &site->amplifier);
}

static int unmake(void **state)
{
    struct site *site = *state;
    amplifier_free(site->amplifier);
    bus_free(site->bus);
    uv_close((uv_handle_t *)&site->beat, NULL);
    uv_run(&site->loop, UV_RUN_DEFAULT);
    script_stop(&site->script);
    int r = uv_loop_close(&site->loop);
    profile_free(site->profile);
    free(site);
    return r;
}

static bool is_settled(struct site *site)
{
    struct amplifier_status status;
    amplifier_status(site->amplifier, &status);
    return status.settled;
}

#define run_until(site, what)                                                                                          \
    do {                                                                                                               \
        int64_t end_ms = clock_elapsed_ms() + 60000;                                                                   \
        while (!(what)) {                                                                                              \
            assert_true(clock_elapsed_ms() < end_ms);                                                                  \
            uv_run(&(site)->loop, UV_RUN_ONCE);                                                                        \
        }                                                                                                              \
    } while (0)

static void on_silenced(void *arg, int result)
{
    struct site *site = arg;
    site->silenced = result;
}

static const struct amplifier_want loud = {.power = true};

static void test_begins_muted_and_off(void **state)
{
    struct site *site = *state;
    struct amplifier_status status;
    amplifier_status(site->amplifier, &status);
    assert_false(status.reachable);
    assert_non_null(strstr(status.problem, "does not answer")); /* one that never did has its sentence, too */
    run_until(site, is_settled(site));
    amplifier_status(site->amplifier, &status);
    assert_string_equal(status.problem, "");
    assert_int_equal(atomic_load(&site->slave.coil[1]), 1);
    assert_int_equal(atomic_load(&site->slave.coil[0]), 0);
    assert_int_equal(atomic_load(&site->slave.unmutes), 0);
}

/* Silence at every stage of an unmute: nothing that was queued before it may come after it. */
static void test_silence_stays(void **state)
{
    struct site *site = *state;
    run_until(site, is_settled(site));
    for (int stage_ms = 0; stage_ms < 300; stage_ms += 30) {
        atomic_store(&site->slave.delay_ms, 40);
        amplifier_want(site->amplifier, &loud);
        int64_t begin_ms = clock_elapsed_ms();
        run_until(site, clock_elapsed_ms() >= begin_ms + stage_ms);
        site->silenced = 1;
        amplifier_silence(site->amplifier, on_silenced, site);
        run_until(site, site->silenced != 1);
        assert_int_equal(site->silenced, 0);
        int unmutes = atomic_load(&site->slave.unmutes);
        assert_int_equal(atomic_load(&site->slave.coil[1]), 1);
        run_until(site, is_settled(site));
        assert_int_equal(atomic_load(&site->slave.unmutes), unmutes);
        assert_int_equal(atomic_load(&site->slave.coil[1]), 1);
    }
}

static void test_silence_is_answered_when_freed(void **state)
{
    struct site *site = *state;
    site->silenced = 1;
    amplifier_silence(site->amplifier, on_silenced, site);
    amplifier_free(site->amplifier);
    site->amplifier = NULL;
    assert_int_equal(site->silenced, -ECANCELED);
}

static void test_evidence(void **state)
{
    struct site *site = *state;
    struct amplifier_sights e;
    atomic_store(&site->slave.level, -120);
    amplifier_want(site->amplifier, &loud);
    run_until(site, is_settled(site));
    amplifier_mark(site->amplifier, -6000);
    run_until(site, (amplifier_sights(site->amplifier, &e), e.n_levels >= 2));
    assert_int_equal(e.n_above, 0);
    assert_true(e.can_see);
    assert_int_equal(e.level_max_mb, -12000);
    atomic_store(&site->slave.level, -20);
    atomic_store(&site->slave.fault, 1);
    run_until(site, (amplifier_sights(site->amplifier, &e), e.n_above >= 2 && e.faults_seen && e.power_seen));
    assert_int_equal(e.level_max_mb, -2000);
    assert_int_equal(e.level_min_mb, -12000);
    assert_true(e.level_avg_mb < -2000 && e.level_avg_mb > -12000);
    assert_true(e.unmuted_seen && !e.power_lost && !e.unreachable);
    atomic_store(&site->slave.coil[0], 0);
    run_until(site, (amplifier_sights(site->amplifier, &e), e.power_lost));
    amplifier_mark(site->amplifier, 0);
    amplifier_sights(site->amplifier, &e);
    assert_int_equal(e.n_levels, 0);
    assert_false(e.power_lost);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_begins_muted_and_off, make, unmake),
        cmocka_unit_test_setup_teardown(test_silence_stays, make, unmake),
        cmocka_unit_test_setup_teardown(test_silence_is_answered_when_freed, make, unmake),
        cmocka_unit_test_setup_teardown(test_evidence, make, unmake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
