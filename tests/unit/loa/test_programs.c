/* Every program tells what it is in both languages, Vietnamese first, and refuses what it does not know. */
#include "unit.h"

#include "playlists/base/bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static const struct program {
    const char *name, *path; /* the path as the shell runs it, under an emulator where it must be */
    const char *check;       /* --check with a file that is not there; NULL: it has none */
} programs[] = {
    {"loa", PROGRAM_LOA, NULL},
    {"loa-agent", PROGRAM_AGENT, "--config missing.cfg --site missing.cfg --check"},
    {"loa-link", PROGRAM_LINK, "--config missing.cfg --check"},
    {"loa-controller", PROGRAM_CONTROLLER, "--config missing.cfg --check"},
    {"loa-modbus-sim", PROGRAM_SIM, NULL},
    {"loa-point", PROGRAM_POINT, NULL},
    {"loa-card", PROGRAM_CARD, NULL},
};
enum { PROGRAMS = sizeof(programs) / sizeof(programs[0]) };

/* Exit code; what it said on both streams in `ret`. */
static int said(const struct program *program, const char *args, char ret[16384])
{
    char *line = xasprintf("%s %s 2>&1 < /dev/null", program->path, args);
    FILE *pipe = popen(line, "r");
    assert_non_null(pipe);
    size_t n = fread(ret, 1, 16383, pipe);
    int status = pclose(pipe);
    ret[n] = '\0';
    free(line);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Letters that only Vietnamese has: U+1EA0 to U+1EF9. */
static bool is_vietnamese(const char *text)
{
    return strstr(text, "\xe1\xba") || strstr(text, "\xe1\xbb");
}

static void test_help(void **state)
{
    static char text[16384];
    (void)state;
    for (size_t i = 0; i < PROGRAMS; i++) {
        if (said(&programs[i], "--help", text) != 0 || !strstr(text, programs[i].name) || !is_vietnamese(text))
            fail_msg("%s --help: %s", programs[i].name, text);
    }
}

static void test_unknown_option(void **state)
{
    static char text[16384];
    (void)state;
    for (size_t i = 0; i < PROGRAMS; i++)
        if (said(&programs[i], "--frobnicate", text) != 2 || !*text)
            fail_msg("%s --frobnicate: %s", programs[i].name, text);
}

/* The file is named, whatever language its reader has. */
static void test_check(void **state)
{
    static char text[16384];
    (void)state;
    for (size_t i = 0; i < PROGRAMS; i++)
        if (programs[i].check && (said(&programs[i], programs[i].check, text) == 0 || !strstr(text, "missing.cfg")))
            fail_msg("%s %s: %s", programs[i].name, programs[i].check, text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_help), cmocka_unit_test(test_unknown_option),
                                       cmocka_unit_test(test_check)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
