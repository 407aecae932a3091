/* rules.c - see rules.h. */
#include "controller/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LATE_MS = 60000, DAY_MS = 86400000, WAIT_MAX_MS = 600000, TARGETS_MAX = 500, ZONES_OF_RULE_MAX = 32 };

static const char known[] =
    "id bulletin when date from until times zone areas devices kinds class policy late_ms wait_ms "
    "gain_mb show_ms zones";

static const char *const when_names[] = {"once", "daily", NULL};

static int put_date(const struct form *form, const char *name, bool required, json_t *ret)
{
    const char *text = NULL;
    int64_t days;
    if (form_text(form, name, required, 0, 100, &text) < 0)
        return -1;
    if (text && civil_parse_date(text, &days) < 0)
        return refuse(form->problem, 422, "value", name, WORD_VALUE_DATE, name, text);
    json_object_set_new(ret, name, text ? json_string(text) : json_null());
    return 0;
}

static int put_times(const struct form *form, json_t *ret)
{
    const json_t *list, *value;
    int32_t second[RECUR_TIMES_MAX];
    size_t i;
    if (form_list(form, "times", true, 1, RECUR_TIMES_MAX, &list) < 0)
        return -1;
    json_array_foreach(list, i, value)
    {
        char name[32];
        snprintf(name, sizeof(name), "times[%zu]", i);
        const char *text = json_string_value(value);
        if (!text || civil_parse_time(text, &second[i]) < 0)
            return refuse(form->problem, 422, "value", name, WORD_VALUE_TIME, name, text ? text : "?");
        for (size_t j = 0; j < i; j++)
            if (second[j] == second[i])
                return refuse(form->problem, 422, "value", name, WORD_VALUE_TWICE, name, text);
    }
    json_object_set(ret, "times", (json_t *)list);
    return 0;
}

static int put_when(const struct form *form, json_t *ret)
{
    int when = 0;
    if (form_choice(form, "when", true, when_names, &when) < 0)
        return -1;
    json_object_set_new(ret, "when", json_string(when_names[when]));
    const char *stray = when == WHEN_ONCE ? (json_object_get(form->object, "from") ? "from" : "until") : "date";
    const json_t *value = json_object_get(form->object, stray);
    if (value && !json_is_null(value))
        return refuse(form->problem, 422, "member", stray, WORD_RULE_STRAY, stray, when_names[when]);
    if (put_date(form, "date", when == WHEN_ONCE, ret) < 0 || put_date(form, "from", false, ret) < 0 ||
        put_date(form, "until", false, ret) < 0)
        return -1;
    const char *from = json_string_value(json_object_get(ret, "from"));
    const char *until = json_string_value(json_object_get(ret, "until"));
    if (from && until && strcmp(from, until) > 0)
        return refuse(form->problem, 422, "value", "until", WORD_RULE_ORDER, until, from);
    return put_times(form, ret);
}

static int put_list(json_t *ret, const char *name, const json_t *list)
{
    json_object_set_new(ret, name, list ? json_copy((json_t *)list) : json_array());
    return 0;
}

static int put_targets(const struct form *form, json_t *ret)
{
    const json_t *areas, *devices, *kinds, *zones;
    if (form_ids(form, "areas", false, TARGETS_MAX, &areas) < 0 ||
        form_ids(form, "devices", false, TARGETS_MAX, &devices) < 0 ||
        form_choices(form, "kinds", device_kind_names, &kinds) < 0 ||
        form_words(form, "zones", ZONES_OF_RULE_MAX, &zones) < 0)
        return -1;
    if (json_array_size(areas) + json_array_size(devices) == 0)
        return refuse(form->problem, 422, "member", "areas", WORD_RULE_TARGETS);
    put_list(ret, "areas", areas);
    put_list(ret, "devices", devices);
    put_list(ret, "kinds", kinds);
    return put_list(ret, "zones", zones);
}

static int put_int(const struct form *form, const char *name, int64_t min, int64_t max, int64_t value, json_t *ret)
{
    if (form_int(form, name, false, min, max, &value) < 0)
        return -1;
    json_object_set_new(ret, name, json_integer(value));
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

static int put_zone(const struct form *form, struct zones *zones, const char *zone, json_t *ret)
{
    if (form_text(form, "zone", false, 1, 60, &zone) < 0)
        return -1;
    if (!zones_get(zones, zone))
        return refuse(form->problem, 422, "value", "zone", WORD_VALUE_ZONE, zone);
    json_object_set_new(ret, "zone", json_string(zone));
    return 0;
}

int rule_check(const json_t *body, struct zones *zones, const char *zone, struct problem *problem, json_t **ret)
{
    struct form form = {.object = body, .problem = problem};
    const char *bulletin = NULL;
    json_t *rule = json_object();
    if (form_known(&form, known) < 0 || form_hash(&form, "bulletin", true, &bulletin) < 0)
        goto refused;
    json_object_set_new(rule, "bulletin", json_string(bulletin));
    if (put_when(&form, rule) < 0 || put_zone(&form, zones, zone, rule) < 0 || put_targets(&form, rule) < 0 ||
        put_how(&form, rule) < 0)
        goto refused;
    *ret = rule;
    return 0;
refused:
    json_decref(rule);
    return -1;
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

static const char *text_of(const json_t *body, const char *name, struct arena *arena)
{
    const json_t *value = json_object_get(body, name);
    return json_is_string(value) ? arena_strndup(arena, json_string_value(value), json_string_length(value)) : NULL;
}

static int index_of(const char *const *names, const char *word)
{
    for (int i = 0; word && names[i]; i++)
        if (strcmp(names[i], word) == 0)
            return i;
    return 0;
}

static int64_t date_of(const json_t *body, const char *name, int64_t open)
{
    const char *text = json_string_value(json_object_get(body, name));
    int64_t days;
    return text && civil_parse_date(text, &days) >= 0 ? days : open;
}

static int64_t int_of(const json_t *body, const char *name)
{
    return json_integer_value(json_object_get(body, name));
}

int rule_build(const char *id, const json_t *body, struct zones *zones, struct arena *arena, struct rule *ret)
{
    const char *zone = json_string_value(json_object_get(body, "zone"));
    struct rule rule = {
        .id = arena_strndup(arena, id, strlen(id)),
        .bulletin = text_of(body, "bulletin", arena),
        .recur.when = (enum recur_when)index_of(when_names, json_string_value(json_object_get(body, "when"))),
        .recur.date = date_of(body, "date", 0),
        .recur.from_date = date_of(body, "from", INT64_MIN),
        .recur.until_date = date_of(body, "until", INT64_MAX),
        .recur.zone = zone ? zones_get(zones, zone) : NULL,
        .areas = texts_of_json(json_object_get(body, "areas"), arena),
        .devices = texts_of_json(json_object_get(body, "devices"), arena),
        .kinds = texts_of_json(json_object_get(body, "kinds"), arena),
        .zones = texts_of_json(json_object_get(body, "zones"), arena),
        .class = (enum air_class)index_of(air_class_names, json_string_value(json_object_get(body, "class"))),
        .policy = (enum cut_policy)index_of(cut_policy_names, json_string_value(json_object_get(body, "policy"))),
        .late_ms = int_of(body, "late_ms"),
        .wait_ms = int_of(body, "wait_ms"),
        .gain_mb = int_of(body, "gain_mb"),
        .show_ms = int_of(body, "show_ms"),
    };
    const json_t *times = json_object_get(body, "times"), *value;
    size_t i;
    json_array_foreach(
        times, i, value) if (rule.recur.n_times < RECUR_TIMES_MAX &&
                             civil_parse_time(json_string_value(value), &rule.recur.times[rule.recur.n_times]) >= 0)
        rule.recur.n_times++;
    if (!rule.recur.zone || !rule.bulletin)
        return ERR_FORMAT;
    *ret = rule;
    return 0;
}

int64_t rule_last_ms(const struct rule *rule)
{
    int64_t last_s = INT64_MIN;
    if (rule->recur.when != WHEN_ONCE)
        return INT64_MAX;
    for (size_t i = 0; i < rule->recur.n_times; i++) {
        int64_t at_s = zone_instant_s(rule->recur.zone, rule->recur.date, rule->recur.times[i], NULL);
        last_s = at_s > last_s ? at_s : last_s;
    }
    return last_s * 1000;
}
