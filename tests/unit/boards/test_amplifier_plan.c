/* What is written to an amplifier, and in which order. */
#include "unit.h"

#include "boards/bus/amplifier_plan.h"

#include <math.h>
#include <string.h>

static struct profile profile;

static int make(void **state)
{
    (void)state;
    memset(&profile, 0, sizeof(profile));
    profile.kind = PROFILE_AMPLIFIER;
    for (int i = 0; i < 5; i++)
        profile.points[i] = (struct point){.scale = 1, .min = -INFINITY, .max = INFINITY, .on = 1, .verify = i};
    profile.n_points = 5;
    profile.mute = 0;
    profile.power = 1;
    profile.gain = 2;
    profile.points[2].min = -60;
    profile.points[2].max = 0;
    for (int i = 0; i < PROFILE_ZONES_MAX; i++)
        profile.zones[i] = i < 2 ? 3 + i : -1;
    profile.silence = 0;
    profile.silence_value = 1;
    profile.power_up_ms = 500;
    return 0;
}

/* Carry out the plan, as a device that obeys at once; returns the order of settings written, as letters. */
static const char *carry_out(const struct amplifier_want *want, struct setting *settings, bool *ret_settled)
{
    static char order[64];
    size_t n = 0;
    int64_t power_on = 0;
    for (int64_t now = 1000; n < 60 && now < 20000; now += 100) {
        struct amplifier_plan plan = amplifier_plan(&profile, want, settings, power_on, now);
        *ret_settled = plan.settled;
        if (plan.settled)
            break;
        if (plan.setting < 0)
            continue;
        order[n++] = "mpg12345678"[plan.setting];
        settings[plan.setting].known = true;
        settings[plan.setting].value = plan.value;
        if (plan.setting == SETTING_POWER && plan.value == 1)
            power_on = now;
    }
    order[n] = '\0';
    return order;
}

static void test_on_and_off(void **state)
{
    (void)state;
    struct setting settings[SETTINGS] = {0};
    struct amplifier_want on = {.power = true, .gain_mb = -650, .zones = 2};
    bool settled = false;
    assert_string_equal(carry_out(&on, settings, &settled), "mpg12m");
    assert_true(settled);
    assert_true(settings[SETTING_GAIN].value == -6.5);
    assert_true(settings[SETTING_ZONE_1].value == 0 && settings[SETTING_ZONE_1 + 1].value == 1);
    struct amplifier_want off = {.mute = true};
    assert_string_equal(carry_out(&off, settings, &settled), "m2p");
    assert_true(settled);
    struct amplifier_want off_unmuted = {0};
    assert_string_equal(carry_out(&off_unmuted, settings, &settled), "");
    assert_true(settled);
}

static void test_changes_while_on(void **state)
{
    (void)state;
    struct setting settings[SETTINGS] = {0};
    struct amplifier_want want = {.power = true, .gain_mb = -650, .zones = 1};
    bool settled;
    carry_out(&want, settings, &settled);
    want.gain_mb = 5000; /* beyond the profile: clamped */
    assert_string_equal(carry_out(&want, settings, &settled), "g");
    assert_true(settings[SETTING_GAIN].value == 0);
    settings[SETTING_POWER].value = 0; /* it lost its power: muted before it comes back */
    assert_string_equal(carry_out(&want, settings, &settled), "mpm");
    want.mute = true;
    settings[SETTING_GAIN].known = false; /* mute comes before anything else */
    assert_string_equal(carry_out(&want, settings, &settled), "mg");
}

static void test_waits_for_power(void **state)
{
    (void)state;
    struct setting settings[SETTINGS] = {0};
    settings[SETTING_MUTE] = (struct setting){.known = true, .value = 1};
    settings[SETTING_POWER] = (struct setting){.known = true, .value = 1};
    struct amplifier_want want = {.power = true};
    struct amplifier_plan plan = amplifier_plan(&profile, &want, settings, 1000, 1400);
    assert_int_equal(plan.setting, -1);
    assert_false(plan.ready);
    assert_int_equal(plan.ask_again_ms, 1500);
    plan = amplifier_plan(&profile, &want, settings, 1000, 1500);
    assert_true(plan.ready);
    assert_int_equal(plan.setting, SETTING_GAIN);
}

static void test_unmute_waits_for_what_failed(void **state)
{
    (void)state;
    struct setting settings[SETTINGS] = {0};
    for (int i = 0; i < SETTINGS; i++)
        settings[i].known = true;
    settings[SETTING_MUTE].value = settings[SETTING_POWER].value = 1;
    settings[SETTING_ZONE_1].retry_elapsed_ms = 9000;
    struct amplifier_want want = {.power = true, .zones = 1};
    struct amplifier_plan plan = amplifier_plan(&profile, &want, settings, 0, 8000);
    assert_int_equal(plan.setting, -1);
    assert_false(plan.settled);
    assert_int_equal(plan.ask_again_ms, 9000);
    plan = amplifier_plan(&profile, &want, settings, 0, 9000);
    assert_int_equal(plan.setting, SETTING_ZONE_1);
}

static void test_refuses_mute_while_off(void **state)
{
    (void)state;
    struct setting settings[SETTINGS] = {0};
    settings[SETTING_MUTE].refused = true;
    settings[SETTING_POWER].known = true;
    struct amplifier_want want = {.power = true, .mute = true};
    struct amplifier_plan plan = amplifier_plan(&profile, &want, settings, 0, 1000);
    assert_int_equal(plan.setting, SETTING_POWER);
    settings[SETTING_POWER].value = 1;
    plan = amplifier_plan(&profile, &want, settings, 1000, 1001);
    assert_int_equal(plan.setting, SETTING_MUTE);
}

static void test_without_mute(void **state)
{
    (void)state;
    profile.mute = -1;
    profile.silence = 2;
    profile.silence_value = -60;
    struct setting settings[SETTINGS] = {0};
    struct amplifier_want want = {.power = true, .mute = true, .gain_mb = -1000};
    bool settled;
    carry_out(&want, settings, &settled);
    assert_true(settled && settings[SETTING_GAIN].value == -60);
    want.mute = false;
    assert_string_equal(carry_out(&want, settings, &settled), "g");
    assert_true(settings[SETTING_GAIN].value == -10);
}

static void test_pauses(void **state)
{
    (void)state;
    assert_int_equal(amplifier_pause_ms(1), 250);
    assert_int_equal(amplifier_pause_ms(2), 500);
    assert_int_equal(amplifier_pause_ms(1000), 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup(test_on_and_off, make),
                                       cmocka_unit_test_setup(test_changes_while_on, make),
                                       cmocka_unit_test_setup(test_waits_for_power, make),
                                       cmocka_unit_test_setup(test_unmute_waits_for_what_failed, make),
                                       cmocka_unit_test_setup(test_refuses_mute_while_off, make),
                                       cmocka_unit_test_setup(test_without_mute, make),
                                       cmocka_unit_test(test_pauses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
