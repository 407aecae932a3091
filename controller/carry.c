/* carry.c - see carry.h. */
#include "controller/carry.h"

#include "controller/places.h"

#include <string.h>

static const json_t *given_of(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return value && !json_is_null(value) ? value : NULL;
}

int carry_check(const struct form *form, json_t *ret)
{
    int carry = CARRY_DIRECT;
    int64_t from_min, to_min;
    json_t *window = json_object_get(form->object, "window");
    if (form_choice(form, "carry", false, rule_carry_names, &carry) < 0)
        return -1;
    if (carry != CARRY_DIRECT)
        json_object_set_new(ret, "carry", json_string(rule_carry_names[carry]));
    if (!given_of(form->object, "window"))
        return 0;
    if (!json_is_object(window))
        return refuse(form->problem, 422, "value", "window", WORD_VALUE_OBJECT, "window");
    if (carry == CARRY_DIRECT && given_of(form->object, "carry"))
        return refuse(form->problem, 422, "member", "window", WORD_CARRY_WINDOW, rule_carry_names[carry]);
    struct form inner = {.object = window, .path = "window.", .problem = form->problem};
    if (form_known(&inner, "from to") < 0 || form_minute(&inner, "from", false, &from_min) < 0 ||
        form_minute(&inner, "to", true, &to_min) < 0)
        return -1;
    if (from_min == to_min)
        return refuse(form->problem, 422, "value", "window", WORD_LIMIT_EMPTY, "window");
    json_object_set(ret, "window", window);
    return 0;
}

/* Of a unit with communes below it, and not an admin's. */
static bool from_above(struct store *store, const struct token *token)
{
    return token->role != ROLE_ADMIN &&
           store_number(store, 0,
                        SQL_SCOPE "SELECT 1 FROM areas a JOIN scope ON scope.id = a.id WHERE a.id <> ?1 AND"
                                  " a.kind IN ('commune', 'ward') LIMIT 1",
                        "s", token->unit) == 1;
}

int carry_settle(struct store *store, const struct token *token, const json_t *given, json_t *body,
                 struct problem *problem)
{
    const char *class = json_string_value(json_object_get(body, "class"));
    bool direct = !json_object_get(body, "carry"), above = direct && from_above(store, token);
    if (above && given_of(given, "carry"))
        return refuse(problem, 403, "role", "carry", WORD_CARRY_DIRECT, token->unit);
    if (above)
        json_object_set_new(
            body, "carry",
            json_string(rule_carry_names[class && strcmp(class, "priority") == 0 ? CARRY_MUST : CARRY_OFFER]));
    else if (direct)
        json_object_del(body, "window");
    return 0;
}

int carry_check_change(struct store *store, const struct token *token, const json_t *old, struct problem *problem)
{
    if (!json_object_get(old, "carry") && from_above(store, token))
        return refuse(problem, 403, "role", "carry", WORD_CARRY_DIRECT, token->unit);
    return 0;
}

void carry_build(const json_t *body, struct rule *ret)
{
    const char *word = json_string_value(json_object_get(body, "carry"));
    ret->carry = CARRY_DIRECT;
    for (int i = 0; word && rule_carry_names[i]; i++)
        if (strcmp(rule_carry_names[i], word) == 0)
            ret->carry = (enum rule_carry)i;
}

static const int32_t *times_of(const json_t *list, struct arena *arena, size_t *ret_n)
{
    size_t n = json_array_size(list);
    int32_t *times = arena_alloc(arena, (n + 1) * sizeof(*times));
    *ret_n = 0;
    for (size_t i = 0; i < n; i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (text && civil_parse_time(text, &times[*ret_n]) >= 0)
            ++*ret_n;
    }
    return times;
}

static struct rule_placement placement_of(const json_t *row, struct arena *arena)
{
    const char *area = json_string_value(json_object_get(row, "area"));
    const char *state = json_string_value(json_object_get(row, "state"));
    struct rule_placement placement = {.area = arena_strndup(arena, area, strlen(area)),
                                       .taken = state && strcmp(state, "taken") == 0,
                                       .declined = state && strcmp(state, "declined") == 0};
    placement.times = times_of(json_object_get(row, "times"), arena, &placement.n_times);
    return placement;
}

void placements_load(struct store *store, const char *rule, struct arena *arena, struct rule *ret)
{
    json_t *rows = store_list(store,
                              "SELECT area, state, times AS times__json FROM placements WHERE rule = ? ORDER BY area",
                              "s", rule),
           *row;
    size_t i;
    struct rule_placement *all = arena_alloc(arena, (json_array_size(rows) + 1) * sizeof(*all));
    json_array_foreach(rows, i, row) all[i] = placement_of(row, arena);
    ret->placements = all;
    ret->n_placements = json_array_size(rows);
    json_decref(rows);
}

void placements_put(const json_t *word, struct arena *arena, struct rule *rule)
{
    struct rule_placement *all = arena_alloc(arena, (rule->n_placements + 1) * sizeof(*all));
    const struct rule_placement placement = placement_of(word, arena);
    size_t n = 0;
    for (size_t i = 0; i < rule->n_placements; i++)
        if (strcmp(rule->placements[i].area, placement.area) != 0)
            all[n++] = rule->placements[i];
    all[n++] = placement;
    rule->placements = all;
    rule->n_placements = n;
}
