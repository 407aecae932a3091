/* Our reader of JSON against jansson: what one takes the other takes, and both read the same values. */
#include "unit.h"

#include "playlists/json_read.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { DEPTH_MAX = 8, ROUNDS = 30000, TEXT_MAX = 400 };

static const char *const seeds[] = {
    "{\"aud\":\"all\",\"era\":1,\"ver\":12345678901,\"list\":[1,-2,3.5e2,0,-0,1e-3],\"o\":{\"a\":true,\"b\":null}}",
    " [ {\"vi\" : \"L\xE1\xBB\x8B\xE2\x80\x93 \\u1ECB \\ud83d\\ude00\"} , [[[[[[]]]]]], false ] \n",
    "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\", {\"\\u0041\":\"\\u00e9\", \"A\":\"\"}]",
    "{\"a\":\"\\u0041\\u00e9\",\"a2\":\"\\ud800\",\"\":[],\"n\":9223372036854775807,\"m\":-9223372036854775808}",
    "{\"x\":[\"\",{},{\"y\":{\"z\":[0.5,1E+2,true,false,null]}}],\"x\":1}",
};

static bool same(const json_t *theirs, const struct json_value *values, const struct json_value *ours);

static bool same_object(const json_t *theirs, const struct json_value *values, const struct json_value *ours)
{
    if (ours->kind != JSON_IS_OBJECT || json_object_size(theirs) != ours->n)
        return false;
    const struct json_value *name = ours + 1;
    for (size_t i = 0; i < ours->n; i++, name = &values[name[1].next]) {
        char *key = strndup(name->text, name->n);
        const json_t *value = json_object_get(theirs, key);
        free(key);
        if (!value || !same(value, values, name + 1))
            return false;
    }
    return true;
}

static bool same_list(const json_t *theirs, const struct json_value *values, const struct json_value *ours)
{
    if (ours->kind != JSON_IS_LIST || json_array_size(theirs) != ours->n)
        return false;
    const struct json_value *entry = ours + 1;
    for (size_t i = 0; i < ours->n; i++, entry = &values[entry->next])
        if (!same(json_array_get(theirs, i), values, entry))
            return false;
    return true;
}

static bool same(const json_t *theirs, const struct json_value *values, const struct json_value *ours)
{
    switch (json_typeof(theirs)) {
    case JSON_OBJECT:
        return same_object(theirs, values, ours);
    case JSON_ARRAY:
        return same_list(theirs, values, ours);
    case JSON_STRING:
        return ours->kind == JSON_IS_TEXT && json_string_length(theirs) == ours->n &&
               memcmp(json_string_value(theirs), ours->text, ours->n) == 0;
    case JSON_INTEGER:
        return ours->kind == JSON_IS_INT && json_integer_value(theirs) == ours->integer;
    case JSON_REAL:
        return ours->kind == JSON_IS_REAL && ours->real == json_real_value(theirs) &&
               signbit(ours->real) == signbit(json_real_value(theirs));
    case JSON_NULL:
        return ours->kind == JSON_IS_NULL;
    default:
        return ours->kind == JSON_IS_BOOL && ours->yes == json_is_true(theirs);
    }
}

static size_t depth_of(const json_t *value)
{
    size_t most = 0, i;
    const char *name;
    json_t *entry;
    if (!json_is_object(value) && !json_is_array(value))
        return 0;
    json_object_foreach((json_t *)(uintptr_t)value, name, entry) most = depth_of(entry) > most ? depth_of(entry) : most;
    json_array_foreach(value, i, entry) most = depth_of(entry) > most ? depth_of(entry) : most;
    return most + 1;
}

/* A copy before a page that nobody may read, so that a byte beyond it is found in libraries too. */
static char *at_the_edge(const char *text, size_t len)
{
    static char *edge;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (!edge) {
        char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_true(pages != MAP_FAILED && mprotect(pages + page, page, PROT_NONE) == 0);
        edge = pages + page;
    }
    return memcpy(edge - len, text, len);
}

/* True when both say the same of this text. */
static bool agree(const char *text, size_t len)
{
    char *exact = at_the_edge(text, len);
    struct arena *arena = arena_new();
    struct json_value *values = NULL;
    struct complaint why = {0};
    json_error_t error;
    bool ours = json_read(exact, len, DEPTH_MAX, arena, &values, &why) == 0;
    json_t *theirs = json_loadb(exact, len, JSON_REJECT_DUPLICATES, &error);
    bool right = ours ? theirs && same(theirs, values, values) : !theirs || depth_of(theirs) > DEPTH_MAX;
    if (ours)
        free(values);
    else
        assert_true(strlen(why.text) > 10);
    json_decref(theirs);
    arena_free(arena);
    return right;
}

static uint64_t dice(uint64_t *state, uint64_t sides)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (*state >> 33) % sides;
}

static size_t spoil(uint64_t *state, char *text, size_t len)
{
    static const char bytes[] = "{}[]\",:\\/ue+-.0123456789dDfF8 \n\x01\x7F\x80\xC3\xED\xA0tn";
    size_t from = dice(state, len), to = dice(state, len), n = 1 + dice(state, 6);
    switch (dice(state, 4)) {
    case 0:
        text[to] = bytes[dice(state, sizeof(bytes) - 1)];
        return len;
    case 1: /* a piece is copied to another place */
        n = from + n > len || to + n > len ? 1 : n;
        memmove(text + to, text + from, n);
        return len;
    case 2: /* a piece is put in twice */
        if (len + n > TEXT_MAX || from + n > len)
            return len;
        memmove(text + from + n, text + from, len - from);
        return len + n;
    default: /* a piece is taken out */
        if (from + n >= len)
            return len;
        memmove(text + from, text + from + n, len - from - n);
        return len - n;
    }
}

static void agrees_with_jansson(void **state)
{
    (void)state;
    const char *given = getenv("LOA_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : 20260722, now = seed;
    for (int round = 0; round < ROUNDS; round++) {
        char text[TEXT_MAX];
        const char *from = seeds[dice(&now, sizeof(seeds) / sizeof(seeds[0]))];
        size_t len = strlen(from);
        memcpy(text, from, len);
        for (uint64_t i = dice(&now, 4); i > 0; i--)
            len = spoil(&now, text, len);
        if (!agree(text, len))
            fail_msg("LOA_SEED=%" PRIu64 " round %d: %.*s", seed, round, (int)len, text);
    }
}

static void says_where_it_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text, *sentence;
    } cases[] = {
        {"{\"a\":1,\n \"a\":2}", "duplicate name in an object (line 2, column 5)"},
        {"{\"a\":[1 2]}", "after array element, I expect ',' or ']'"},
        {"{\"a\":tru}", "invalid string in json text"},
        {"{\"a\":\"\xC3\"}", "is not UTF-8 text"},
        {"{\"a\":\"b", "premature EOF"},
        {"", "nothing is there"},
        {"1", "'{' or '[' is expected here"},
        {"{} x", "something stands behind its end"},
        {"{} \"x", "something stands behind its end"},
        {"{} /* x */", "something stands behind its end"},
        {"{}\v", "a control character stands in it"},
        {"{\"a\":\"\\udc00\"}", "half of a surrogate pair"},
        {"{\"a\":\"\\ud800\\u0041\"}", "half of a surrogate pair"},
        {"{\"a\\u0000\":1}", "a text holds NUL"},
        {"[[[[[[[[[", "is nested deeper than 8 levels"},
        {"{\"a\":01}", "after key and value"},
        {"{\"a\":1.00000000000000000000000000000000000000000000000000000000000001}", "a number has too many digits"},
        {"{\"a\":1e999}", "a number is too big"},
        {"{\"a\":9223372036854775808}", "a number is too big"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena *arena = arena_new();
        struct json_value *values = NULL;
        struct complaint why = {0};
        assert_true(json_read(cases[i].text, strlen(cases[i].text), DEPTH_MAX, arena, &values, &why) < 0);
        if (!strstr(why.text, cases[i].sentence))
            fail_msg("\"%s\" is not in \"%s\"", cases[i].sentence, why.text);
        arena_free(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_jansson),
        cmocka_unit_test(says_where_it_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
