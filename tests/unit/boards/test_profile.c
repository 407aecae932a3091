/* Profiles: the shipped ones are read, and each bad one is refused by a sentence that names file, line and thing. */
#include "unit.h"

#include "boards/bus/profile.h"
#include "playlists/base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[] = "/tmp/loa-profile-XXXXXX";

static int make_path(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_path(void **state)
{
    (void)state;
    return unlink(path);
}

static int open_text(const char *text, struct profile **ret, struct complaint *why)
{
    assert_int_equal(file_write_whole(path, text, strlen(text), 0600), 0);
    return profile_open(path, ret, why);
}

/* A good amplifier and a good sign; each case replaces one piece of it. The first line is 1. */
static const char amplifier[] =
    "model = \"A\"; maker = \"B\";\n"
    "kind = \"amplifier\"; power_up_ms = 100;\n"
    "bus = { max_read = 10; max_write = 5; };\n"
    "silence = { point = \"mute\"; value = 1; };\n"
    "points = (\n"
    "{ name = \"mute\"; kind = \"coil\"; address = 1; access = \"rw\"; verify = \"mute\"; },\n"
    "{ name = \"gain\"; kind = \"holding\"; address = 2; type = \"s16\"; access = \"w\";\n"
    " unit = \"dB\"; scale = 0.1; min = -60; max = 6; },\n"
    "{ name = \"fault_a\"; kind = \"input\"; address = 9; type = \"bit\"; bit = 3; },\n"
    "{ name = \"zone_2\"; kind = \"coil\"; address = 4; access = \"w\"; }\n"
    ");\n";
static const char sign[] = "model = \"S\"; maker = \"B\";\n"
                           "kind = \"sign\"; lines = 2; columns = 20;\n"
                           "silence = { point = \"clear\"; value = 1; };\n"
                           "show = ( { write = \"clear\"; }, { write = \"text\"; },\n"
                           " { wait = \"busy\"; value = 0; }, { pulse = \"commit\"; ms = 10; }, { pause_ms = 5; } );\n"
                           "points = (\n"
                           "{ name = \"clear\"; kind = \"coil\"; address = 0; access = \"w\"; },\n"
                           "{ name = \"commit\"; kind = \"coil\"; address = 1; access = \"w\"; },\n"
                           "{ name = \"busy\"; kind = \"discrete\"; address = 0; },\n"
                           "{ name = \"text\"; kind = \"holding\"; address = 10; length = 40; type = \"text\";\n"
                           " encoding = \"utf-8\"; access = \"w\"; },\n"
                           "{ name = \"text_shown\"; kind = \"input\"; address = 10; length = 40; type = \"text\";\n"
                           " encoding = \"utf-8\"; }\n"
                           ");\n";

static const struct bad {
    bool of_sign;
    const char *old, *new;
    int line;
    const char *says;
} bads[] = {
    {false, "model = \"A\";", "", 1, "'model' is missing"},
    {false, "maker = \"B\";", "maker = 3;", 1, "'maker' must be text"},
    {false, "\"amplifier\"", "\"toaster\"", 2, "must be one of"},
    {false, "kind = \"amplifier\";", "", 1, "'kind' is missing"},
    {false, "power_up_ms = 100", "power_up_ms = -1", 2, "'power_up_ms' is -1"},
    {false, "power_up_ms", "power_up", 2, "'power_up' is not a setting"},
    {false, "max_read = 10", "max_read = 126", 3, "'max_read' is 126"},
    {false, "max_write = 5", "max_write = 0", 3, "'max_write' is 0"},
    {false, "max_write = 5", "max_write = \"x\"", 3, "whole number"},
    {false, "max_write = 5", "pause_ms = 201", 3, "'pause_ms' is 201"},
    {false, "silence = { point = \"mute\"; value = 1; };", "", 1, "'silence' is missing"},
    {false, "point = \"mute\"", "point = \"moot\"", 4, "no point named 'moot'"},
    {false, "point = \"mute\"", "point = \"fault_a\"", 4, "cannot be written"},
    {false, "value = 1; }", "value = 2; }", 4, "outside"},
    {false, "value = 1; }", "value = 0; }", 1, "'on' value is 1"},
    {false, "value = 1; }", "}", 4, "'value' is missing"},
    {false, "name = \"mute\"; ", "", 6, "'name' is missing"},
    {false, "name = \"mute\"; ", "name = \"Mute\"; ", 6, "a-z"},
    {false, "name = \"gain\"", "name = \"mute\"", 7, "another point named 'mute'"},
    {false, "kind = \"coil\"; address = 1;", "kind = \"coal\"; address = 1;", 6, "one of: coil"},
    {false, "address = 1; ", "", 6, "'address' is missing"},
    {false, "address = 1; ", "address = 65536; ", 6, "'address' is 65536"},
    {false, "address = 1; ", "address = -1; ", 6, "'address' is -1"},
    {false, "address = 1; access", "address = 1; type = \"u16\"; access", 6, "a coil is a bit"},
    {false, "verify = \"mute\"", "verify = \"nix\"", 6, "no such point"},
    {false, "verify = \"mute\"", "verify = \"gain\"", 6, "cannot be read"},
    {false, "verify = \"mute\"", "verify = \"mute\"; poll = 3", 6, "'poll' is not a setting"},
    {false, "type = \"s16\"", "type = \"s17\"", 7, "one of: bit"},
    {false, "type = \"s16\"; ", "", 7, "'type' is missing"},
    {false, "type = \"s16\"", "type = \"u32\"; order = \"ACDB\"", 7, "'order' is \"ACDB\""},
    {false, "access = \"w\";\n unit", "access = \"x\";\n unit", 7, "one of: r, w, rw"},
    {false, "access = \"w\";\n unit", "unit", 7, "'access' is missing"},
    {false, "unit = \"dB\"", "unit = \"%\"", 7, "must have unit \"dB\""},
    {false, "scale = 0.1", "scale = 0", 7, "scale must not be 0"},
    {false, "min = -60", "min = 60", 7, "min 60 is above max 6"},
    {false, "min = -60", "poll_ms = 100", 7, "cannot be polled"},
    {false, "min = -60", "mask = 6", 7, "bit or u16"},
    {false, "address = 2;", "address = 65535; type = \"f32\";", 7, "duplicate setting"},
    {false, "bit = 3", "bit = 16", 9, "'bit' is 16"},
    {false, "bit = 3", "mask = 5", 9, "must be neighbours"},
    {false, "bit = 3", "mask = 6", 9, "a mask of one bit"},
    {false, "bit = 3", "bit = 3; mask = 8", 9, "one is enough"},
    {false, "bit = 3", "bit = 3; access = \"rw\"", 9, "can only be read"},
    {false, "bit = 3", "bit = 3; label = { vi = \"x\"; }", 9, "'en' is missing"},
    {false, "bit = 3", "scale = 2", 9, "use 'on' and 'off'"},
    {false, "bit = 3", "on = 0", 9, "both 0"},
    {false, "\"zone_2\"", "\"zone_9\"", 10, "zone_1 to zone_8"},
    {false, "address = 4; access = \"w\"", "address = 1; access = \"w\"", 10, "lies over 'mute'"},
    {false, "address = 4; access = \"w\"", "address = 4; access = \"r\"", 10, "must be writable"},
    {false, "\"zone_2\"; kind", "\"text\"; kind", 10, "must be text"},
    {false, "{ name = \"zone_2\"; kind = \"coil\"; address = 4; access = \"w\"; }",
     "{ name = \"text_2\"; kind = \"holding\"; address = 4; access = \"w\"; type = \"text\"; length = 2; encoding = "
     "\"ascii\"; }",
     1, "an amplifier has no text"},
    {false, ");\n", "", 11, "syntax error"},
    {false, "points = (", "points = ( 3,", 5, "item 1 of 'points' must be a group"},
    {false, "points", "pints", 1, "'points' is missing"},
    {true, "point = \"clear\"", "point = \"text\"", 3, "is text, a number is needed"},
    {true, "lines = 2", "lines = 0", 2, "'lines' is 0"},
    {true, "columns = 20", "line_break = \"pad\"", 1, "needs 'columns'"},
    {true, "columns = 20", "line_break = \"tab\"", 2, "one of: lf"},
    {true, "{ write = \"text\"; }", "{ pause_ms = 1; }", 4, "exactly once"},
    {true, "{ write = \"clear\"; }", "{ write = \"claer\"; }", 4, "no point named 'claer'"},
    {true, "{ write = \"clear\"; }", "{ write = \"clear\"; value = 3; }", 4, "outside"},
    {true, "{ write = \"clear\"; }", "{ write = \"clear\"; pause_ms = 3; }", 4, "exactly one of"},
    {true, "{ write = \"clear\"; }", "{ }", 4, "exactly one of"},
    {true, "wait = \"busy\"; value = 0", "wait = \"busy\"", 5, "'value' is missing"},
    {true, "wait = \"busy\"", "wait = \"commit\"", 5, "cannot be read"},
    {true, "pulse = \"commit\"", "pulse = \"busy\"", 5, "cannot be written"},
    {true, "length = 40; type = \"text\";\n encoding = \"utf-8\"; access", "type = \"text\";\n access", 10,
     "'length' is missing"},
    {true, "length = 40", "length = 513", 10, "'length' is 513"},
    {true, "address = 10; length = 40; type = \"text\";\n encoding = \"utf-8\"; access",
     "address = 65530; length = 40; type = \"text\";\n encoding = \"utf-8\"; access", 10, "go beyond 65535"},
    {true, "encoding = \"utf-8\"; access", "encoding = \"ebcdic\"; access", 11, "one of: utf-8"},
    {true, "encoding = \"utf-8\"; access", "access", 10, "'encoding' is missing"},
    {true, "encoding = \"utf-8\"; access", "encoding = \"utf-8\"; scale = 2.0; access", 11, "'scale' is not a setting"},
    {true, "name = \"text\"", "name = \"text_2\"", 1, "text_1 is missing"},
    {true, "name = \"text\"", "name = \"text_17\"", 10, "text_1 to text_16"},
    {true, "name = \"busy\"; kind", "name = \"text_shown_1\"; kind", 9, "must be text"},
};

/* `old` replaced by `new`; the caller frees. */
static char *altered(const char *text, const char *old, const char *new)
{
    const char *at = strstr(text, old);
    assert_non_null(at);
    char *out = NULL;
    assert_true(asprintf(&out, "%.*s%s%s", (int)(at - text), text, new, at + strlen(old)) > 0);
    return out;
}

static void test_bad_profiles(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
        char *text = altered(bads[i].of_sign ? sign : amplifier, bads[i].old, bads[i].new);
        struct profile *profile = NULL;
        struct complaint why = {0};
        int r = open_text(text, &profile, &why);
        free(text);
        char start[80];
        snprintf(start, sizeof(start), "%s:%d: ", path, bads[i].line);
        if (r != ERR_FORMAT || strncmp(why.text, start, strlen(start)) != 0 || !strstr(why.text, bads[i].says))
            fail_msg("case %zu (%s): %d \"%s\", wanted \"%s...%s\"", i, bads[i].new, r, why.text, start, bads[i].says);
        assert_null(profile);
    }
}

static void test_good_profiles(void **state)
{
    (void)state;
    struct profile *p = NULL;
    struct complaint why = {0};
    assert_int_equal(open_text(amplifier, &p, &why), 0);
    assert_int_equal(p->silence, p->mute);
    assert_int_equal(p->zones[1], 3);
    assert_int_equal(p->zones[0], -1);
    assert_int_equal(p->n_faults, 1);
    assert_int_equal(p->points[p->mute].verify, p->mute);
    assert_int_equal(p->points[p->faults[0]].mask, 8);
    assert_int_equal(p->max_write, 5);
    profile_free(p);
    assert_int_equal(open_text(sign, &p, &why), 0);
    assert_int_equal(p->n_show, 5);
    assert_int_equal(p->points[p->text[0]].verify, profile_find(p, "text_shown"));
    profile_free(p);
}

static void test_usual_sequence(void **state)
{
    (void)state;
    const char *from = strstr(sign, "show = ");
    const char *to = strstr(sign, "points = ");
    char *without = NULL;
    assert_true(asprintf(&without, "%.*s%s", (int)(from - sign), sign, to) > 0);
    struct profile *p = NULL;
    struct complaint why = {0};
    assert_int_equal(open_text(without, &p, &why), 0);
    free(without);
    assert_int_equal(p->n_show, 3);
    assert_int_equal(p->show[0].point, p->clear);
    assert_int_equal(p->show[1].act, STEP_TEXT);
    assert_int_equal(p->show[2].point, p->commit);
    profile_free(p);
}

static void test_shipped_profiles(void **state)
{
    (void)state;
    const char *const shipped[] = {"amplifier-sim-a100.cfg", "sign-sim-t4.cfg", "relay-sim-r8.cfg", "meter-sim-m1.cfg"};
    for (size_t i = 0; i < sizeof(shipped) / sizeof(shipped[0]); i++) {
        char file[300];
        snprintf(file, sizeof(file), "%s/boards/profiles/%s", LOA_SOURCE_DIR, shipped[i]);
        struct profile *p = NULL;
        struct complaint why = {0};
        int r = profile_open(file, &p, &why);
        assert_string_equal(why.text, "");
        assert_int_equal(r, 0);
        profile_free(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_good_profiles), cmocka_unit_test(test_usual_sequence),
                                       cmocka_unit_test(test_shipped_profiles), cmocka_unit_test(test_bad_profiles)};
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
