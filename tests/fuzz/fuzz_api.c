/* Bodies, rules, instants, ranges and routes as a stranger sends them: whatever comes, a refusal has a sentence, and
 * what is accepted can be built. */
#include "controller/blobs.h"
#include "controller/limits_store.h"
#include "controller/request.h"
#include "controller/rules.h"

#include <stdlib.h>
#include <string.h>

static void body(const uint8_t *data, size_t size, struct zones *zones)
{
    struct problem problem = {0};
    json_t *json = NULL, *rule = NULL;
    if (form_parse(data, size, &problem, &json) < 0) {
        if (!problem.en[0] || !problem.vi[0])
            abort();
        return;
    }
    if (rule_check(json, zones, "Asia/Ho_Chi_Minh", &problem, &rule) == 0) {
        struct arena *arena = arena_new();
        struct rule built;
        if (rule_build("x", rule, zones, arena, &built) < 0 || built.recur.n_times == 0)
            abort();
        int64_t at_s[8];
        if (recur_expand(&built.recur, 0, INT64_C(4102444800000), at_s, 8) > 8)
            abort();
        recur_last_s(&built.recur);
        arena_free(arena);
        json_decref(rule);
    } else if (!problem.en[0]) {
        abort();
    }
    json_decref(json);
}

/* Windows that a device takes: few, in order, within the day. */
static void check_windows(const struct day_window *windows, size_t n)
{
    if (n > 24)
        abort();
    for (size_t i = 0; i < n; i++)
        if (windows[i].from_min < 0 || windows[i].from_min > 1439 || windows[i].to_min < 0 ||
            windows[i].to_min > 1440 || windows[i].from_min == windows[i].to_min || windows[i].gain_mb > 0 ||
            windows[i].gain_mb < -6000 || (i > 0 && windows[i].from_min < windows[i - 1].to_min))
            abort();
}

static void limit(const uint8_t *data, size_t size, struct zones *zones)
{
    struct problem problem = {0};
    json_t *json = NULL, *line = NULL;
    if (form_parse(data, size, &problem, &json) < 0)
        return;
    struct form form = {.object = json, .problem = &problem};
    if (limit_check(&form, &line) == 0) {
        struct arena *arena = arena_new();
        struct limit_line built;
        struct config config = {0};
        limit_build(line, arena, &built);
        struct limits limits = {.zone = zones_get(zones, "Asia/Ho_Chi_Minh"), .lines = &built, .n_lines = 1};
        limits_config(&limits, 0, arena, &config);
        check_windows(config.quiet_hours, config.n_quiet_hours);
        check_windows(config.gain_ceilings, config.n_gain_ceilings);
        int64_t at_ms = limits_quiet_from(&limits, built.action, 0, 86400000, NULL);
        if (at_ms < 0 || at_ms > 86400000)
            abort();
        arena_free(arena);
        json_decref(line);
    } else if (!problem.en[0] || !problem.vi[0]) {
        abort();
    }
    json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct zones *zones;
    if (!zones)
        zones = zones_new(NULL, NULL);
    body(data, size, zones);
    limit(data, size, zones);
    char *text = xcalloc(1, size + 1);
    memcpy(text, data, size);
    int64_t ms;
    uint64_t from = 0, len = 0;
    instant_parse(text, &ms);
    if (range_parse(text, 1000, &from, &len) > 0 && (len == 0 || from + len > 1000))
        abort();
    struct request r = {0};
    route_find(&r, "GET", text);
    free(text);
    return 0;
}
