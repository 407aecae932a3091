/* rules.c - see rules.h. What, where and how; when is in rules_when.c, sessions in rules_session.c. */
#include "controller/carry.h"
#include "controller/rules_part.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LATE_MS = 60000,
    DAY_MS = 86400000,
    CATCH_UP_MAX_MS = 7 * DAY_MS,
    WAIT_MAX_MS = 600000,
    TARGETS_MAX = 500,
    ZONES_OF_RULE_MAX = 32,
};

static const char known[] =
    RULE_REQUEST_MEMBERS " bulletin session languages " RULE_WHEN_MEMBERS
                         " areas groups devices kinds tags except_areas except_groups except_devices"
                         " " RULE_CARRY_MEMBERS " class policy start late_ms wait_ms catch_up_ms gain_mb show_ms zones";

/* How a rule begins beside what is on air. "boundary": never cuts, whatever its class. */
static const char *const start_names[] = {"exact", "wait", "boundary", NULL};
enum start { START_EXACT, START_WAIT, START_BOUNDARY };

int rule_index_of(const char *const *names, const json_t *word)
{
    const char *text = json_string_value(word);
    for (int i = 0; text && names[i]; i++)
        if (strcmp(names[i], text) == 0)
            return i;
    return 0;
}

int put_list(json_t *ret, const char *name, const json_t *list)
{
    json_object_set_new(ret, name, list ? json_copy((json_t *)list) : json_array());
    return 0;
}

int put_choice(const struct form *form, const char *name, const char *const *names, json_t *ret)
{
    int choice = 0;
    if (form_choice(form, name, false, names, &choice) < 0)
        return -1;
    if (choice > 0)
        json_object_set_new(ret, name, json_string(names[choice]));
    return 0;
}

int put_int(const struct form *form, const char *name, int64_t min, int64_t max, int64_t value, json_t *ret)
{
    if (form_int(form, name, false, min, max, &value) < 0)
        return -1;
    json_object_set_new(ret, name, json_integer(value));
    return 0;
}

int put_some_int(const struct form *form, const char *name, int64_t min, int64_t max, json_t *ret)
{
    int64_t value = 0;
    if (form_int(form, name, false, min, max, &value) < 0)
        return -1;
    if (value)
        json_object_set_new(ret, name, json_integer(value));
    return 0;
}

static bool given(const struct form *form, const char *name)
{
    const json_t *value = json_object_get(form->object, name);
    return value && !json_is_null(value);
}

/* A bulletin or a session. */
static int put_what(const struct form *form, json_t *ret)
{
    const char *bulletin = NULL;
    bool session = given(form, "session");
    if (session && given(form, "bulletin"))
        return refuse(form->problem, 422, "member", "session", WORD_RULE_CONTENT);
    if (session && given(form, "languages"))
        return refuse(form->problem, 422, "member", "languages", WORD_MEMBER_STRAY, "languages", "session");
    if (form_hash(form, "bulletin", !session, &bulletin) < 0 ||
        put_choice(form, "languages", session_languages_names, ret) < 0)
        return -1;
    json_object_set_new(ret, "bulletin", bulletin ? json_string(bulletin) : json_null());
    return 0;
}

static int put_targets(const struct form *form, json_t *ret)
{
    const json_t *areas, *devices, *groups, *kinds, *zones;
    if (form_ids(form, "areas", false, TARGETS_MAX, &areas) < 0 ||
        form_ids(form, "devices", false, TARGETS_MAX, &devices) < 0 ||
        form_ids(form, "groups", false, TARGETS_MAX, &groups) < 0 ||
        form_choices(form, "kinds", device_kind_names, &kinds) < 0 ||
        form_words(form, "zones", ZONES_OF_RULE_MAX, &zones) < 0)
        return -1;
    if (json_array_size(areas) + json_array_size(devices) + json_array_size(groups) == 0)
        return refuse(form->problem, 422, "member", "areas", WORD_RULE_TARGETS);
    put_list(ret, "areas", areas);
    put_list(ret, "devices", devices);
    put_list(ret, "kinds", kinds);
    return put_list(ret, "zones", zones);
}

static int put_some_ids(const struct form *form, const char *name, json_t *ret)
{
    const json_t *list;
    if (form_ids(form, name, false, TARGETS_MAX, &list) < 0)
        return -1;
    return json_array_size(list) ? put_list(ret, name, list) : 0;
}

static int put_more_targets(const struct form *form, json_t *ret)
{
    const json_t *tags;
    if (put_some_ids(form, "groups", ret) < 0 || put_some_ids(form, "except_areas", ret) < 0 ||
        put_some_ids(form, "except_groups", ret) < 0 || put_some_ids(form, "except_devices", ret) < 0 ||
        form_words(form, "tags", ZONES_OF_RULE_MAX, &tags) < 0)
        return -1;
    return json_array_size(tags) ? put_list(ret, "tags", tags) : 0;
}

static int put_start(const struct form *form, json_t *ret)
{
    int64_t wait_ms = json_integer_value(json_object_get(ret, "wait_ms"));
    int start = wait_ms ? START_WAIT : START_EXACT;
    if (form_choice(form, "start", false, start_names, &start) < 0)
        return -1;
    if ((start == START_WAIT) != (wait_ms > 0))
        return refuse(form->problem, 422, "value", "wait_ms", WORD_RULE_START, start_names[start]);
    if (start == START_BOUNDARY)
        json_object_set_new(ret, "start", json_string(start_names[start]));
    return 0;
}

static int put_how(const struct form *form, json_t *ret)
{
    int class = CLASS_NORMAL, policy = CUT_DROP;
    if (form_choice(form, "class", false, air_class_names, &class) < 0 ||
        form_choice(form, "policy", false, cut_policy_names, &policy) < 0)
        return -1;
    if (class == CLASS_EMERGENCY)
        return refuse(form->problem, 422, "value", "class", WORD_RULE_EMERGENCY);
    json_object_set_new(ret, "class", json_string(air_class_names[class]));
    json_object_set_new(ret, "policy", json_string(cut_policy_names[policy]));
    if (put_int(form, "late_ms", 0, DAY_MS, LATE_MS, ret) < 0 || put_int(form, "wait_ms", 0, WAIT_MAX_MS, 0, ret) < 0 ||
        put_int(form, "gain_mb", -6000, 0, 0, ret) < 0)
        return -1;
    return put_int(form, "show_ms", 0, DAY_MS, 0, ret);
}

int rule_known(const json_t *body, struct problem *problem)
{
    return form_known(&(struct form){.object = body, .problem = problem}, known);
}

int rule_check(const json_t *body, struct zones *zones, const char *zone, struct problem *problem, json_t **ret)
{
    struct form form = {.object = body, .problem = problem};
    json_t *rule = json_object();
    if (form_known(&form, known) < 0 || put_what(&form, rule) < 0 || put_when(&form, rule) < 0 ||
        put_zone(&form, zones, zone, rule) < 0 || put_targets(&form, rule) < 0 || put_how(&form, rule) < 0 ||
        put_more_when(&form, zones, rule) < 0 || put_more_targets(&form, rule) < 0 || put_start(&form, rule) < 0 ||
        put_some_int(&form, "catch_up_ms", 0, CATCH_UP_MAX_MS, rule) < 0 ||
        (given(&form, "session") && put_session(&form, rule) < 0) || carry_check(&form, rule) < 0) {
        json_decref(rule);
        return -1;
    }
    *ret = rule;
    return 0;
}

struct texts texts_of_json(const json_t *list, struct arena *arena)
{
    struct texts texts = {0};
    size_t n = json_array_size(list);
    if (n == 0)
        return texts;
    texts.at = arena_alloc(arena, n * sizeof(*texts.at));
    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_array_get(list, i);
        texts.at[texts.n++] = arena_strndup(arena, json_string_value(value), json_string_length(value));
    }
    return texts;
}

static int64_t int_of(const json_t *body, const char *name)
{
    return json_integer_value(json_object_get(body, name));
}

static struct texts texts_of(const json_t *body, const char *name, struct arena *arena)
{
    return texts_of_json(json_object_get(body, name), arena);
}

/* When it begins at once, and when it waits for what is on to end. */
static int64_t wait_of(const json_t *body)
{
    bool boundary = rule_index_of(start_names, json_object_get(body, "start")) == START_BOUNDARY;
    return boundary ? int_of(body, "late_ms") + 1 : int_of(body, "wait_ms");
}

int rule_build(const char *id, const json_t *body, struct zones *zones, struct arena *arena, struct rule *ret)
{
    const json_t *bulletin = json_object_get(body, "bulletin");
    struct rule rule = {
        .id = arena_strndup(arena, id, strlen(id)),
        .bulletin = json_is_string(bulletin)
                        ? arena_strndup(arena, json_string_value(bulletin), json_string_length(bulletin))
                        : NULL,
        .session = session_build(body, arena),
        .areas = texts_of(body, "areas", arena),
        .groups = texts_of(body, "groups", arena),
        .devices = texts_of(body, "devices", arena),
        .kinds = texts_of(body, "kinds", arena),
        .tags = texts_of(body, "tags", arena),
        .except_areas = texts_of(body, "except_areas", arena),
        .except_groups = texts_of(body, "except_groups", arena),
        .except_devices = texts_of(body, "except_devices", arena),
        .zones = texts_of(body, "zones", arena),
        .class = (enum air_class)rule_index_of(air_class_names, json_object_get(body, "class")),
        .policy = (enum cut_policy)rule_index_of(cut_policy_names, json_object_get(body, "policy")),
        .late_ms = int_of(body, "late_ms"),
        .wait_ms = wait_of(body),
        .catch_up_ms = int_of(body, "catch_up_ms"),
        .gain_mb = int_of(body, "gain_mb"),
        .show_ms = int_of(body, "show_ms"),
        .complete = rule_index_of(session_languages_names, json_object_get(body, "languages")) == LANGUAGES_COMPLETE,
    };
    carry_build(body, &rule);
    if (rule_recur(body, zones, arena, &rule.recur) < 0 || !rule.bulletin == !rule.session)
        return ERR_FORMAT;
    *ret = rule;
    return 0;
}
