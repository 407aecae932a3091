/* Wrong command lines: each is refused with a sentence, the right exit code, and nothing made. */
#include "unit.h"

#include "playlists/base/bytes.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define HASH "0000000000000000000000000000000000000000000000000000000000000000"

#define KEY "--AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" /* one in 4,096 begins like an option */

struct wrong {
    const char *line; /* of the shell, in a folder with the key pair a.jwk and the public key open.jwk (mode 0644) */
    int code;
    const char *says;
};

static const struct wrong wrongs[] = {
    {"nonsense", 2, "nonsense"},
    {"keys", 2, ""},
    {"keys nonsense", 2, "nonsense"},
    {"keys new", 2, "too few arguments"},
    {"keys new a b", 2, "too many"},
    {"preview", 2, "too few arguments"},
    {"preview box-1 --draft missing.json", 1, "missing.json"},
    {"keys new a.jwk", 1, "a.jwk"},
    {"keys new nowhere/a.jwk", 1, "nowhere"},
    {"keys show missing.jwk", 1, "missing.jwk"},
    {"keys show open.jwk", 1, "open.jwk"},
    {"keys show not.jwk", 1, "not.jwk"},
    {"keys new x --frob", 2, "--frob"},
    {"keys new x --json=1", 2, "takes no value"},
    {"trust make", 2, "--root"},
    {"trust make --root a.jwk --registrar a.jwk --scheduler a.jwk --era 0 --out o", 2, "--era"},
    {"trust make --root a.jwk --registrar a.jwk --scheduler a.jwk --era x --out o", 2, "--era"},
    {"trust make --root a.jwk --registrar " KEY " --scheduler " KEY " --era 0 --out o", 2, "--era"},
    {"trust make --root a.jwk --registrar xyz --scheduler a.jwk --era 1 --out o", 1, "xyz"},
    {"trust make --root a.jwk --registrar a.jwk --scheduler not.jwk --era 1 --out o", 1, "not.jwk"},
    {"trust make --root missing --registrar a.jwk --scheduler a.jwk --era 1 --out o", 1, "missing"},
    {"trust make --root a.jwk --registrar a.jwk --scheduler a.jwk --era 1 --out o --quorum normal", 2,
     "class:areas:persons"},
    {"trust make --root a.jwk --registrar a.jwk --scheduler a.jwk --era 1 --out o --quorum loud::2", 2, "loud"},
    {"trust make --root a.jwk --registrar a.jwk --scheduler a.jwk --era 1 --out o --quorum normal::0", 2, "1 to 9"},
    {"trust make --root a.jwk --registrar a.jwk --scheduler a.jwk --era 1 --out o --quorum normal::99", 2, "1 to 9"},
    {"trust make --root a.jwk --root a.jwk --registrar a.jwk --scheduler a.jwk --era 1 --out o", 2, "twice"},
    {"trust make --root a.jwk --registrar a.jwk --scheduler a.jwk --era 1 --out nowhere/o", 1, "nowhere"},
    {"trust show a.jwk", 1, "a.jwk"},
    {"persons make --registrar a.jwk --out o", 2, "--person"},
    {"persons make --registrar a.jwk --out o --person lan", 2, "name=value"},
    {"persons make --registrar a.jwk --out o --person id=lan,areas=a000", 2, "key"},
    {"persons make --registrar a.jwk --out o --person id=lan,key=a.jwk", 2, "areas"},
    {"persons make --registrar a.jwk --out o --person id=lan,key=a.jwk,areas=a000,class=top", 2, "top"},
    {"persons make --registrar a.jwk --out o --person id=lan,key=a.jwk,areas=a000,pin=1", 2, "pin"},
    {"persons make --registrar a.jwk --out o --person id=lan,key=a.jwk,areas=a000,roles=king", 2, "king"},
    {"persons add --in a.jwk --registrar a.jwk --out o --person id=lan,key=a.jwk,areas=a000", 1, "a.jwk"},
    {"persons end --in a.jwk --registrar a.jwk --out o --kid k --as gone", 1, "a.jwk"},
    {"bulletin add --title t", 2, "--category"},
    {"bulletin add --title t --category c --answerable a --content vi", 2, "LANG"},
    {"bulletin add --title t --category c --answerable a --content vi:", 2, "neither"},
    {"bulletin add --title t --category c --answerable a --content vi:colour=red", 2, "colour"},
    {"bulletin add --title t --category c --answerable a --content vi:text=a,audio=b,text=c", 2, "once"},
    {"bulletin add --title t --category c --answerable a --content vi:audio=b,media=c", 2, "one of them"},
    {"bulletin add --title t --category c --answerable a --content vi:text=x", 2, "--url"},
    {"bulletin show 12", 2, "not a hash"},
    {"approve 12 --key a.jwk", 2, "not a hash"},
    {"approve " HASH, 2, "--key"},
    {"rule add --bulletin " HASH, 2, "where"},
    {"rule add --bulletin " HASH " --area a000", 2, "--once"},
    {"rule add --bulletin " HASH " --area a000 --once tomorrow", 2, "tomorrow"},
    {"rule add --bulletin " HASH " --area a000 --once 2026-07-01T05:00 --daily 05:00", 2, "--once"},
    {"rule add --bulletin " HASH " --area a000 --daily 05:00 --late-s -1", 2, "--late-s"},
    {"rule add --bulletin " HASH " --area a000 --daily 05:00 --gain 3", 2, "--gain"},
    {"rule add --bulletin " HASH " --area a000 --daily 05:00 --gain loud", 2, "loud"},
    {"rule add --bulletin " HASH " --area a000 --once 2026-07-01T05:00 --until 2026-07-02", 2, "--daily"},
    {"rule delete", 2, "too few"},
    {"rule add --bulletin " HASH " --area a000 --lunar-days x --at 05:00", 2, "1,15,-1"},
    {"rule add --bulletin " HASH " --area a000 --weekdays mon", 2, "--at"},
    {"rule add --bulletin " HASH " --area a000 --weekdays mon --month-days 1 --at 05:00", 2, "--month-days"},
    {"rule add --area a000 --daily 05:00", 2, "--session"},
    {"rule add --session missing.json --area a000 --daily 05:00", 1, "missing.json"},
    {"rule change r-1 --url https://localhost:1 --token-file tok", 2, "nothing is changed"},
    {"rule skip r-1", 2, "too few"},
    {"area import missing.csv --url https://localhost:1 --token-file tok", 1, "missing.csv"},
    {"device add d", 2, "--kind"},
    {"device add d --kind board --area a --name n --serial 1", 2, "--key"},
    {"device add d --kind board --area a --name n --quiet-hours 21", 2, "21:00-05:00"},
    {"device add d --kind board --area a --name n --quiet-hours none,21:00-05:00", 2, "none"},
    {"device change d", 2, "nothing is changed"},
    {"device box d --serial 1", 2, "--key"},
    {"token add --unit a000", 2, "--role"},
    {"receipts --since yesterday --url https://localhost:1 --token-file tok", 2, "yesterday"},
    {"receipts --limit 1x --url https://localhost:1 --token-file tok", 2, "--limit"},
    {"receipts", 2, "--url"},
    {"receipts --url http://localhost", 2, "https://"},
    {"receipts --url https://localhost:1", 2, "token"},
    {"receipts --url https://localhost:1 --token-file missing", 1, "missing"},
    {"receipts --url https://localhost:1 --token-file empty", 1, "empty"},
    {"receipts --url https://localhost:1 --token-file tok", 1, "localhost"},
    {"follow --count 0", 2, "--count"},
    {"--url https://localhost:1 status", 2, "no token"},
    {"--frob status", 2, "--frob"},
    {"--json=1 status", 2, "takes no value"},
    {"status x", 2, "right would be: loa status\n"},
    {"bulletin add", 2, "missing, and required: --title TEXT, --category TEXT, --answerable NAME, --content"},
    {"rule add --bulletin " HASH " --area a000 --once +10d", 2, "+10d"},
    {"rule add --bulletin " HASH " --area a000 --daily 5:00,25:00", 2, "--daily has '25:00'; right would be"},
    {"rule add --bulletin " HASH " --area a000 --weekdays mon --at sáng", 2, "--at has 'sáng'"},
    {"rule add --bulletin " HASH " --area a000 --once +10s --zone No/Where", 2, "No/Where"},
    {"receipts --url https://localhost:1 --token-file tok", 1, "cannot connect"},
    {"status --url https://localhost:1 --token-file tok --ca missing.pem", 1, "missing.pem"},
};

/* The same in Vietnamese, which is what is said unless --lang en is given. */
static const struct wrong wrongs_vi[] = {
    {"keys new", 2, "thiếu đối số; cách viết đúng: loa keys new FILE"},
    {"bulletin add", 2, "thiếu (bắt buộc phải có): --title TEXT, --category"},
    {"nonsense", 2, "không có lệnh 'nonsense'"},
    {"receipts", 2, "chưa có địa chỉ máy chủ"},
    {"receipts --url https://localhost:1 --token-file tok", 1, "không kết nối được với máy chủ"},
    {"keys new x --lang fr", 2, "phải là vi hoặc en"},
};

static char folder[] = "/tmp/loa-usage-XXXXXX";

static void shell(const char *command)
{
    char *line = xasprintf("cd %s && %s", folder, command);
    assert_int_equal(system(line), 0);
    free(line);
}

static int setup(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    shell(LOA_PROGRAM
          " keys new a.jwk > /dev/null && cp a.jwk open.jwk && chmod 644 open.jwk && echo '{}' > not.jwk && "
          "chmod 600 not.jwk && echo loa_token > tok && : > empty");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    shell("rm -f a.jwk open.jwk not.jwk tok empty");
    return rmdir(folder); /* fails when a wrong command left something */
}

static void check(const struct wrong *wrong, const char *before, const char *json)
{
    char *line = xasprintf("cd %s && env -u LOA_URL -u LOA_CA -u LOA_TOKEN %s %s %s %s 2>&1 > /dev/null < /dev/null",
                           folder, LOA_PROGRAM, before, wrong->line, json);
    char said[4096] = "";
    FILE *pipe = popen(line, "r");
    assert_non_null(pipe);
    size_t n = fread(said, 1, sizeof(said) - 1, pipe);
    int status = pclose(pipe);
    said[n] = '\0';
    free(line);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != wrong->code || !strstr(said, wrong->says))
        fail_msg("loa %s: exit %d instead of %d, said: %s", wrong->line, WEXITSTATUS(status), wrong->code, said);
    if (*json && wrong->code == 1)
        assert_non_null(strstr(said, "{\"error\""));
}

static void test_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++)
        check(&wrongs[i], "--lang en", "");
    for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++)
        if (!strstr(wrongs[i].line, "--json"))
            check(&wrongs[i], "--lang en", wrongs[i].code == 1 ? "--json" : "");
    for (size_t i = 0; i < sizeof(wrongs_vi) / sizeof(wrongs_vi[0]); i++)
        check(&wrongs_vi[i], "", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_wrong)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
