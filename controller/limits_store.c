/* limits_store.c - see limits_store.h. */
#include "controller/limits_store.h"

#include "controller/places.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOWS_MAX = 16, DAY_MIN = 1440, NUMBER_MAX = 1440, SESSIONS_MAX = 200 };

const char *const weekday_names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun", NULL};

static int index_of(const char *const *names, const char *word, int otherwise)
{
    for (int i = 0; word && names[i]; i++)
        if (strcmp(names[i], word) == 0)
            return i;
    return otherwise;
}

static const char *text_of(const json_t *row, const char *name)
{
    return json_string_value(json_object_get(row, name));
}

/* --- as people write them --- */

static int check_stray(const struct form *form, int what, const char *member, bool belongs)
{
    const json_t *value = json_object_get(form->object, member);
    char full[96];
    snprintf(full, sizeof(full), "%s%s", form->path, member);
    return !belongs && value && !json_is_null(value)
               ? refuse(form->problem, 422, "member", full, WORD_MEMBER_STRAY, full, limit_what_names[what])
               : 0;
}

static int put_windows(const struct form *form, int what, json_t *ret)
{
    const json_t *list;
    if (form_list(form, "windows", true, what == LIMIT_GAIN_CEILING ? 1 : 0, WINDOWS_MAX, &list) < 0)
        return -1;
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct form window;
        int64_t from_min, to_min, gain_mb;
        if (form_item(form, "windows", list, i, &window) < 0 ||
            form_known(&window, what == LIMIT_GAIN_CEILING ? "from to gain_mb" : "from to") < 0 ||
            form_minute(&window, "from", false, &from_min) < 0 || form_minute(&window, "to", true, &to_min) < 0 ||
            (what == LIMIT_GAIN_CEILING && form_int(&window, "gain_mb", true, -6000, 0, &gain_mb) < 0))
            return -1;
        if (from_min == to_min)
            return refuse(form->problem, 422, "value", window.path, WORD_LIMIT_EMPTY, window.path);
    }
    json_object_set(ret, "windows", (json_t *)(uintptr_t)list);
    return 0;
}

static int put_noise(const struct form *form, json_t *ret)
{
    int noise = 0;
    if (form_choice(form, "noise", true, noise_class_names, &noise) < 0)
        return -1;
    json_object_set_new(ret, "noise", json_string(noise_class_names[noise]));
    return 0;
}

static int put_number(const struct form *form, int what, json_t *ret)
{
    int64_t number;
    if (form_int(form, "number", true, 0, what == LIMIT_SESSIONS_PER_DAY ? SESSIONS_MAX : NUMBER_MAX, &number) < 0)
        return -1;
    json_object_set_new(ret, "number", json_integer(number));
    return 0;
}

static int put_weekdays(const struct form *form, json_t *ret)
{
    const json_t *list;
    if (form_choices(form, "weekdays", weekday_names, &list) < 0)
        return -1;
    if (!list)
        return refuse(form->problem, 422, "member", "weekdays", WORD_MEMBER_MISSING, "weekdays");
    json_object_set(ret, "weekdays", (json_t *)(uintptr_t)list);
    return 0;
}

static int put_value(const struct form *form, int what, json_t *ret)
{
    bool windows = what == LIMIT_QUIET_HOURS || what == LIMIT_GAIN_CEILING;
    bool number = !windows && what != LIMIT_WEEKDAYS;
    if (check_stray(form, what, "windows", windows) < 0 || check_stray(form, what, "number", number) < 0 ||
        check_stray(form, what, "noise", what == LIMIT_GAIN_CEILING) < 0 ||
        check_stray(form, what, "weekdays", what == LIMIT_WEEKDAYS) < 0)
        return -1;
    if (what == LIMIT_GAIN_CEILING && put_noise(form, ret) < 0)
        return -1;
    return windows ? put_windows(form, what, ret) : number ? put_number(form, what, ret) : put_weekdays(form, ret);
}

int limit_check(const struct form *form, json_t **ret)
{
    int what = 0, action = LIMIT_REFUSE;
    const char *source = NULL;
    if (form_choice(form, "what", true, limit_what_names, &what) < 0 ||
        form_choice(form, "action", false, limit_action_names, &action) < 0 ||
        form_text(form, "source", true, 1, 200, &source) < 0)
        return -1;
    if (what == LIMIT_GAIN_CEILING && action == LIMIT_WARN)
        return refuse(form->problem, 422, "value", "action", WORD_LIMIT_CEILING);
    json_t *line = json_pack("{s:s, s:s, s:s}", "what", limit_what_names[what], "action", limit_action_names[action],
                             "source", source);
    if (put_value(form, what, line) < 0) {
        json_decref(line);
        return -1;
    }
    *ret = line;
    return 0;
}

/* --- as struct limits --- */

struct gather {
    struct store *store;
    struct arena *arena;
    const json_t *memberships;
    struct limit_line *lines;
    const char **units; /* by whom each line was laid down; NULL: the device's own */
    size_t n, cap;
    struct exemption *exemptions;
    size_t n_exemptions, cap_exemptions;
};

static struct limit_line *add_line(struct gather *g)
{
    if (g->n == g->cap) {
        struct limit_line *more = arena_alloc(g->arena, (g->cap * 2 + 16) * sizeof(*more));
        const char **more_units = arena_alloc(g->arena, (g->cap * 2 + 16) * sizeof(*more_units));
        if (g->n) {
            memcpy(more, g->lines, g->n * sizeof(*more));
            memcpy(more_units, g->units, g->n * sizeof(*more_units));
        }
        g->lines = more;
        g->units = more_units;
        g->cap = g->cap * 2 + 16;
    }
    g->lines[g->n] = (struct limit_line){.from_ms = INT64_MIN};
    g->units[g->n] = NULL;
    return &g->lines[g->n++];
}

static const char *keep(struct arena *arena, const char *text)
{
    return text ? arena_strndup(arena, text, strlen(text)) : NULL;
}

static int64_t minute_of(const json_t *window, const char *name)
{
    const char *text = text_of(window, name);
    int32_t second;
    if (text && strcmp(text, "24:00") == 0)
        return DAY_MIN;
    return text && civil_parse_time(text, &second) >= 0 ? second / 60 : 0;
}

static struct day_window *windows_of(const json_t *list, struct arena *arena, size_t *ret_n)
{
    size_t n = json_array_size(list);
    struct day_window *all = arena_alloc(arena, (n + 1) * sizeof(*all));
    for (size_t i = 0; i < n; i++) {
        const json_t *window = json_array_get(list, i);
        all[i] = (struct day_window){.from_min = minute_of(window, "from"),
                                     .to_min = minute_of(window, "to"),
                                     .gain_mb = json_integer_value(json_object_get(window, "gain_mb"))};
    }
    *ret_n = n;
    return all;
}

void limit_build(const json_t *body, struct arena *arena, struct limit_line *ret)
{
    const json_t *day;
    size_t i;
    *ret = (struct limit_line){
        .what = (enum limit_what)index_of(limit_what_names, text_of(body, "what"), 0),
        .action = (enum limit_action)index_of(limit_action_names, text_of(body, "action"), LIMIT_REFUSE),
        .number = json_integer_value(json_object_get(body, "number")),
        .authority = keep(arena, text_of(body, "source")),
        .from_ms = INT64_MIN,
    };
    ret->windows = windows_of(json_object_get(body, "windows"), arena, &ret->n_windows);
    json_array_foreach(json_object_get(body, "weekdays"), i, day) ret->weekdays |=
        (uint8_t)(1 << index_of(weekday_names, json_string_value(day), 7));
}

/* A line of an area, for as long as the device belongs to it. */
static void put_line(struct gather *g, const json_t *body, const json_t *membership)
{
    int64_t until_ms = json_integer_value(json_object_get(membership, "until_ms"));
    struct limit_line *line = add_line(g);
    limit_build(body, g->arena, line);
    line->from_ms = json_integer_value(json_object_get(membership, "from_ms"));
    line->until_ms = until_ms == INT64_MAX ? 0 : until_ms;
    line->area = keep(g->arena, text_of(membership, "area"));
    const char *unit = text_of(body, "unit");
    g->units[g->n - 1] = unit ? keep(g->arena, unit) : line->area;
}

static void put_areas(struct gather *g, const char *noise)
{
    const json_t *membership, *row;
    size_t i, j;
    json_array_foreach(g->memberships, i, membership)
    {
        json_t *rows = store_list(g->store, "SELECT body AS body__json FROM limits WHERE area = ? ORDER BY n", "s",
                                  text_of(membership, "area"));
        json_array_foreach(rows, j, row)
        {
            const json_t *body = json_object_get(row, "body");
            const char *for_noise = text_of(body, "noise");
            if (!for_noise || (noise && strcmp(for_noise, noise) == 0))
                put_line(g, body, membership);
        }
        json_decref(rows);
    }
}

static void put_own(struct gather *g, const json_t *settings)
{
    const json_t *quiet = json_object_get(settings, "quiet_hours"),
                 *ceilings = json_object_get(settings, "gain_ceilings");
    if (json_is_array(quiet)) {
        struct limit_line *line = add_line(g);
        line->action = LIMIT_REFUSE;
        line->windows = windows_of(quiet, g->arena, &line->n_windows);
    }
    if (json_array_size(ceilings) > 0) {
        struct limit_line *line = add_line(g);
        line->what = LIMIT_GAIN_CEILING;
        line->action = LIMIT_REFUSE;
        line->windows = windows_of(ceilings, g->arena, &line->n_windows);
    }
}

/* Somebody says something about quiet hours at at_ms; else *ret_next is when somebody first does after it. */
static bool quiet_is_said(const struct gather *g, size_t n, int64_t at_ms, int64_t *ret_next)
{
    bool said = false;
    *ret_next = INT64_MAX;
    for (size_t i = 0; i < n; i++) {
        const struct limit_line *line = &g->lines[i];
        int64_t until_ms = line->until_ms ? line->until_ms : INT64_MAX;
        if (line->what != LIMIT_QUIET_HOURS)
            continue;
        if (line->from_ms <= at_ms && at_ms < until_ms) {
            if (!said || until_ms > *ret_next)
                *ret_next = until_ms;
            said = true;
        } else if (!said && line->from_ms > at_ms && line->from_ms < *ret_next) {
            *ret_next = line->from_ms;
        }
    }
    return said;
}

/* The default, for all the time about which nobody says anything. */
static void put_default(struct gather *g)
{
    size_t n = g->n;
    int64_t at_ms = INT64_MIN, next_ms;
    while (at_ms < INT64_MAX) {
        bool said = quiet_is_said(g, n, at_ms, &next_ms);
        if (!said) {
            struct limit_line *line = add_line(g);
            line->action = LIMIT_REFUSE;
            line->windows = &limits_quiet_default;
            line->n_windows = 1;
            line->from_ms = at_ms;
            line->until_ms = next_ms == INT64_MAX ? 0 : next_ms;
        }
        at_ms = next_ms;
    }
}

/* --- exemptions --- */

/* The limits that it may lift: none that a unit above its own laid down. */
static uint32_t lifted(const struct gather *g, const json_t *body, const char *unit)
{
    const json_t *word;
    size_t i;
    uint32_t bits = 0;
    json_array_foreach(json_object_get(body, "limits"), i, word)
    {
        int what = index_of(limit_what_names, json_string_value(word), -1);
        bits |= what >= 0 ? UINT32_C(1) << what : 0;
    }
    for (i = 0; i < g->n; i++)
        if (g->units[i] && bits & (UINT32_C(1) << g->lines[i].what) && !area_in_unit(g->store, g->units[i], unit))
            bits &= ~(UINT32_C(1) << g->lines[i].what);
    return bits;
}

static void add_exemption(struct gather *g, const struct exemption *exemption)
{
    if (exemption->limits == 0 || exemption->from_date > exemption->until_date)
        return;
    if (g->n_exemptions == g->cap_exemptions) {
        size_t cap = g->cap_exemptions * 2 + 8;
        struct exemption *more = arena_alloc(g->arena, cap * sizeof(*more));
        if (g->n_exemptions)
            memcpy(more, g->exemptions, g->n_exemptions * sizeof(*more));
        g->exemptions = more;
        g->cap_exemptions = cap;
    }
    g->exemptions[g->n_exemptions++] = *exemption;
}

static bool named(const json_t *list, const char *id)
{
    const json_t *value;
    size_t i;
    json_array_foreach(list, i, value) if (id && strcmp(json_string_value(value), id) == 0) return true;
    return false;
}

static int64_t floor_s(int64_t ms)
{
    return ms >= 0 ? ms / 1000 : -((-ms + 999) / 1000);
}

/* The days of a membership, within those of the exemption. */
static void clip(struct exemption *exemption, const json_t *membership, const struct zone *zone)
{
    int64_t from_ms = json_integer_value(json_object_get(membership, "from_ms")), day;
    int64_t until_ms = json_integer_value(json_object_get(membership, "until_ms"));
    int32_t second;
    if (from_ms > INT64_MIN) {
        zone_civil(zone, floor_s(from_ms), &day, &second);
        exemption->from_date = day > exemption->from_date ? day : exemption->from_date;
    }
    if (until_ms < INT64_MAX) {
        zone_civil(zone, floor_s(until_ms - 1), &day, &second);
        exemption->until_date = day < exemption->until_date ? day : exemption->until_date;
    }
}

static void put_exemption(struct gather *g, const json_t *row, const char *device, const struct zone *zone)
{
    const json_t *body = json_object_get(row, "body"), *membership;
    const char *from = text_of(row, "from_date"), *until = text_of(row, "until_date");
    struct exemption whole = {.order = keep(g->arena, text_of(body, "order"))};
    size_t i;
    if (!from || !until || civil_parse_date(from, &whole.from_date) < 0 ||
        civil_parse_date(until, &whole.until_date) < 0)
        return;
    whole.limits = lifted(g, body, text_of(row, "unit"));
    if (named(json_object_get(body, "devices"), device)) {
        add_exemption(g, &whole);
        return;
    }
    json_array_foreach(g->memberships, i, membership)
    {
        struct exemption part = whole;
        if (!named(json_object_get(body, "areas"), text_of(membership, "area")))
            continue;
        clip(&part, membership, zone);
        add_exemption(g, &part);
    }
}

static void put_exemptions(struct gather *g, const char *device, const struct zone *zone)
{
    json_t *rows = store_list(g->store,
                              "SELECT unit, body AS body__json, from_date, until_date FROM exemptions WHERE ended_ms IS"
                              " NULL ORDER BY n",
                              ""),
           *row;
    size_t i;
    json_array_foreach(rows, i, row) put_exemption(g, row, device, zone);
    json_decref(rows);
}

void limits_load(struct store *store, const json_t *facts, struct zones *zones, struct arena *arena, struct limits *ret)
{
    const json_t *settings = json_object_get(facts, "settings");
    const char *name = text_of(settings, "zone");
    struct gather g = {.store = store, .arena = arena, .memberships = json_object_get(facts, "memberships")};
    const struct zone *zone = name ? zones_get(zones, name) : NULL;
    *ret = (struct limits){0};
    if (!zone)
        return;
    put_areas(&g, text_of(settings, "noise"));
    put_own(&g, settings);
    put_default(&g);
    put_exemptions(&g, text_of(facts, "id"), zone);
    *ret = (struct limits){zone, g.lines, g.n, g.exemptions, g.n_exemptions};
}
