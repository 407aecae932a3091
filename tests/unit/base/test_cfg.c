/* cfg.h: every error is a sentence with file:line, and a misspelt setting is one. */
#include "unit.h"

#include "playlists/base/bytes.h"
#include "playlists/base/cfg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[] = "/tmp/loa-test-cfg-XXXXXX";

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int drop_file(void **state)
{
    (void)state;
    return unlink(path);
}

static const char *const kinds[] = {"amplifier", "sign", NULL};

static enum log_level level; /* as the last file read set it */

/* A reader as our programs have them. */
static int read_all(const char *text, size_t len, struct complaint *why)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fwrite(text, 1, len, f);
    fclose(f);
    struct cfg *cfg = NULL;
    int r = cfg_open(path, &cfg, why);
    if (r < 0)
        return r;
    const struct cfg_node *root = cfg_root(cfg), *group = NULL, *list = NULL;
    int64_t port = 8883;
    double gain = 0;
    bool on = false;
    int kind = 0;
    const char *host = NULL, *zone = NULL;
    level = LOG_LEVEL_INFO;
    r = cfg_text(root, "host", true, 20, &host, why);
    if (r == 0)
        r = cfg_log(root, &level, why);
    if (r == 0)
        r = cfg_int(root, "port", false, 1, 65535, &port, why);
    if (r == 0)
        r = cfg_real(root, "gain", false, -60, 0, &gain, why);
    if (r == 0)
        r = cfg_bool(root, "on", false, &on, why);
    if (r == 0)
        r = cfg_choice(root, "kind", false, kinds, &kind, why);
    if (r == 0)
        r = cfg_group(root, "group", false, &group, why);
    if (r == 0 && group)
        r = cfg_int(group, "n", true, 0, 9, &port, why);
    if (r == 0)
        r = cfg_list(root, "zones", false, 2, &list, why);
    for (size_t i = 0; r == 0 && i < cfg_len(list); i++)
        r = cfg_text_at(list, i, 8, &zone, why);
    if (r == 0)
        r = cfg_finish(cfg, why);
    cfg_close(cfg);
    return r;
}

static void good_files_are_read(void **state)
{
    (void)state;
    const char *text = "host = \"a\"; port = 1; gain = -3; on = true; kind = \"sign\";\n"
                       "group = { n = 3; }; zones = [ \"x\", \"y\" ];\n";
    struct complaint why = {{0}};
    assert_int_equal(read_all(text, strlen(text), &why), 0);
    assert_string_equal(why.text, "");
    assert_int_equal(level, LOG_LEVEL_INFO);
    const char *debug = "host = \"a\"; log = \"debug\";";
    assert_int_equal(read_all(debug, strlen(debug), &why), 0);
    assert_int_equal(level, LOG_LEVEL_DEBUG);
}

static void bad_files_get_a_sentence_with_their_line(void **state)
{
    (void)state;
    const struct {
        const char *text;
        int line;
        const char *says;
    } bad[] = {
        {"port = 1;", 1, "'host' is missing"},
        {"\nhost = 3;", 2, "must be text in quotes"},
        {"host = \"\";", 1, "is empty"},
        {"host = \"123456789012345678901\";", 1, "longer than 20 bytes"},
        {"host = \"a\";\n\nport = 0;", 3, "it must be 1 to 65535"},
        {"host = \"a\";\nport = \"x\";", 2, "whole number"},
        {"host = \"a\";\nport = 1.5;", 2, "whole number"},
        {"host = \"a\";\ngain = -99;", 2, "-60 to 0"},
        {"host = \"a\";\ngain = true;", 2, "must be a number"},
        {"host = \"a\";\non = 1;", 2, "true or false"},
        {"host = \"a\";\nkind = \"lamp\";", 2, "one of: amplifier, sign"},
        {"host = \"a\";\nlog = \"loud\";", 2, "one of: error, warning, info, debug"},
        {"host = \"a\";\ngroup = 1;", 2, "must be a group"},
        {"host = \"a\";\ngroup = { };", 2, "'n' is missing"},
        {"host = \"a\";\ngroup = { n = 1;\n m = 2; };", 3, "'m' is not a setting"},
        {"host = \"a\";\nzones = 1;", 2, "must be a list"},
        {"host = \"a\";\nzones = [\"a\",\"b\",\"c\"];", 2, "it may have 2"},
        {"host = \"a\";\nzones = [1];", 2, "must be text"},
        {"host = \"a\";\nhots = 1;", 2, "'hots' is not a setting"},
        {"host = \"a\"\n@include \"/etc/passwd\"", 2, "@include"},
        {"host = {", 1, "syntax error"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct complaint why = {{0}};
        assert_true(read_all(bad[i].text, strlen(bad[i].text), &why) < 0);
        char *begins = xasprintf("%s:%d: ", path, bad[i].line);
        if (strncmp(why.text, begins, strlen(begins)) != 0 || !strstr(why.text, bad[i].says))
            fail_msg("case %zu: %s", i, why.text);
        free(begins);
    }
    struct complaint why;
    assert_true(read_all("host = \"\xff\";", 12, &why) < 0);
    assert_non_null(strstr(why.text, "UTF-8"));
    char *big = xcalloc(1, 300000);
    memset(big, ' ', 300000);
    assert_true(read_all(big, 300000, &why) < 0);
    free(big);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_files_are_read),
        cmocka_unit_test(bad_files_get_a_sentence_with_their_line),
    };
    return cmocka_run_group_tests(tests, make_file, drop_file);
}
