/* trust.c - `loa trust`: who may vouch and who may schedule, sealed by a root key. */
#include "tools/loa/answer.h"
#include "tools/loa/sealing.h"

#include <stdlib.h>
#include <string.h>

enum { TRUST_DAYS = 730, TRUST_LIST_MAX = 16 };

/* All public keys that a repeated option names. */
static int read_keys(const struct call *call, const char *option, struct arena *arena, struct public_key **ret,
                     size_t *ret_n)
{
    struct public_key *keys = arena_alloc(arena, TRUST_LIST_MAX * sizeof(*keys));
    const char *text;
    size_t n = 0;
    for (; (text = call_option_at(call, option, n)); n++) {
        if (n == TRUST_LIST_MAX)
            return misused(call, "--%s is given more than %d times", option, TRUST_LIST_MAX);
        int r = key_read(call, text, arena, &keys[n].x, &keys[n].kid);
        if (r != EXIT_OK)
            return r;
    }
    *ret = keys;
    *ret_n = n;
    return EXIT_OK;
}

/* "class:areas:persons"; areas joined by '+', empty or '*' for everywhere. */
static int read_quorum(const struct call *call, const char *text, struct arena *arena, struct quorum *ret)
{
    const char *first = strchr(text, ':');
    const char *last = strrchr(text, ':');
    if (!first || first == last)
        return misused(call,
                       "--quorum is '%s'; right would be class:areas:persons, such as priority:a000+a001:2 or "
                       "normal::1",
                       text);
    char *class = arena_strndup(arena, text, (size_t)(first - text));
    char *areas = arena_strndup(arena, first + 1, (size_t)(last - first - 1));
    char *end;
    ret->class = name_index(air_class_names, class);
    ret->areas = texts_split(strcmp(areas, "*") == 0 ? "" : areas, "+,", arena);
    ret->persons = strtoll(last + 1, &end, 10);
    if (ret->class < 0)
        return misused(call, "--quorum names the class '%s'; right would be filler, normal, priority or emergency",
                       class);
    if (!last[1] || *end || ret->persons < 1 || ret->persons > 9)
        return misused(call, "--quorum asks for '%s' persons; right would be 1 to 9", last + 1);
    return EXIT_OK;
}

static int read_quorums(const struct call *call, struct arena *arena, struct trust *trust)
{
    const char *text;
    trust->quorums = arena_alloc(arena, TRUST_LIST_MAX * sizeof(*trust->quorums));
    for (; (text = call_option_at(call, "quorum", trust->n_quorums)); trust->n_quorums++) {
        if (trust->n_quorums == TRUST_LIST_MAX)
            return misused(call, "--quorum is given more than %d times", TRUST_LIST_MAX);
        int r = read_quorum(call, text, arena, &trust->quorums[trust->n_quorums]);
        if (r != EXIT_OK)
            return r;
    }
    return EXIT_OK;
}

static int trust_make(struct call *call)
{
    struct arena *arena = arena_new();
    struct trust trust = {0};
    int64_t era = 0;
    int r = call_number(call, "era", 1, INT64_C(1) << 31, &era);
    if (r == EXIT_OK)
        r = head_new(call, era, TRUST_DAYS, &trust.head);
    if (r == EXIT_OK)
        r = read_keys(call, "registrar", arena, &trust.registrars, &trust.n_registrars);
    if (r == EXIT_OK)
        r = read_keys(call, "scheduler", arena, &trust.schedulers, &trust.n_schedulers);
    if (r == EXIT_OK)
        r = read_quorums(call, arena, &trust);
    if (r == EXIT_OK)
        r = seal_to_file(call, call_option(call, "root"), DOC_TRUST, &trust, call_option(call, "out"));
    arena_free(arena);
    return r;
}

static int trust_show(struct call *call)
{
    if (call->n_args > 0)
        return sealed_print(call, call->args[0], DOC_TRUST);
    return ask(call, "GET", "/api/v1/trust", NULL);
}

static int trust_publish(struct call *call)
{
    return ask_document(call, "/api/v1/trust", call->args[0]);
}

static const struct option_spec make_options[] = {
    {"root", "FILE", "private key of a root", true, false},
    {"registrar", "X|FILE", "public key of a registrar", true, true},
    {"scheduler", "X|FILE", "public key of a scheduler", true, true},
    {"quorum", "CLASS:AREAS:N", "N persons must approve; areas joined by +, empty: everywhere", false, true},
    {"era", "N", "era of this trust; what an earlier era sealed falls", true, false},
    {"ver", "N", "version (else the present moment in Unix ms)", false, false},
    {"days", "N", "how long it holds (else 730)", false, false},
    {"out", "FILE", "where to write it (-: standard output)", true, false},
    {0},
};

const struct cli_command trust_commands[] = {
    {"trust", "make", "", 0, 0, "Lập văn bản tin cậy, ký bằng khóa gốc",
     "Make the trust document, sealed by a root key", make_options, trust_make},
    {"trust", "publish", "FILE", 1, 1, "Nộp văn bản tin cậy", "Hand in a trust document", NULL, trust_publish},
    {"trust", "show", "[FILE]", 0, 1, "Xem văn bản tin cậy đang có hiệu lực, hoặc trong tệp",
     "Show the trust in force, or the header of one in a file", NULL, trust_show},
    {0},
};
