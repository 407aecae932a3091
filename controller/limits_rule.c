/* limits_rule.c - see limits_rule.h. Devices for which the same limits hold are asked once. */
#include "controller/limits_rule.h"

#include "controller/api_rules.h"
#include "controller/areas.h"
#include "controller/limits_store.h"
#include "controller/places.h"
#include "controller/planner.h"
#include "controller/rules.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STARTS_MAX = 400, AHEAD_DAYS = 20 * 366, WARNINGS_MAX = 8, PLACES_MAX = 2000 };

struct check {
    struct request *r;
    const struct rule *rule;
    const struct bulletin *bulletin; /* NULL: a session */
    const char *within;              /* the area that is asked alone; NULL: all that it means */
    json_t *warnings;
    json_t *seen; /* set of limits, as text, that were asked */
    struct arena *arena;
    int64_t starts_s[STARTS_MAX];
    size_t n_starts;
};

/* One place as it is asked. */
struct place {
    const char *id; /* device, or area without devices */
    struct limits limits;
    int64_t length_ms;
    bool sound;
};

/* "2026-07-01 05:00" in the device's zone */
static const char *civil_of(const struct limits *limits, int64_t at_ms, char ret[48])
{
    int64_t days;
    int32_t second;
    int year, month, day;
    zone_civil(limits->zone, at_ms / 1000, &days, &second);
    civil_date(days, &year, &month, &day);
    snprintf(ret, 48, "%04d-%02d-%02d %02d:%02d", year, month, day, second / 3600, second / 60 % 60);
    return ret;
}

static const char *minute_text(int64_t minute, char ret[24])
{
    snprintf(ret, 24, "%02lld:%02lld", (long long)minute / 60, (long long)minute % 60);
    return ret;
}

/* Whose line it is: "a001 Thất Khê", or the device. */
static char *whose(const struct check *check, const struct place *place, const struct limit_line *line)
{
    char *name =
        line->area ? store_text(check->r->c->store, "SELECT name FROM areas WHERE id = ?", "s", line->area) : NULL;
    char *ret = line->area ? xasprintf("%s %s", line->area, name ? name : "") : xstrdup(place->id);
    free(name);
    return ret;
}

static int say(const struct check *check, enum limit_action action, const char *member, const struct problem *said)
{
    if (action == LIMIT_REFUSE) {
        check->r->problem = *said;
        snprintf(check->r->problem.member, sizeof(said->member), "%s", member);
        return -1;
    }
    if (check->warnings && json_array_size(check->warnings) < WARNINGS_MAX)
        json_array_append_new(check->warnings, json_string(check->r->english ? said->en : said->vi));
    return 0;
}

static bool inside(const struct day_window *w, int64_t minute)
{
    return w->from_min < w->to_min ? minute >= w->from_min && minute < w->to_min
                                   : w->from_min != w->to_min && (minute >= w->from_min || minute < w->to_min);
}

/* The line and its window in which the moment lies; NULL: none. */
static const struct limit_line *quiet_line(const struct limits *limits, enum limit_action action, int64_t at_ms,
                                           const struct day_window **ret_window)
{
    int64_t days;
    int32_t second;
    zone_civil(limits->zone, at_ms / 1000, &days, &second);
    for (size_t i = 0; i < limits->n_lines; i++) {
        const struct limit_line *line = &limits->lines[i];
        bool holds = line->what == LIMIT_QUIET_HOURS && line->action == action && line->from_ms <= at_ms &&
                     (line->until_ms == 0 || at_ms < line->until_ms);
        for (size_t j = 0; holds && j < line->n_windows; j++) {
            *ret_window = &line->windows[j];
            if (inside(*ret_window, second / 60))
                return line;
        }
    }
    return NULL;
}

static int check_quiet(const struct check *check, const struct place *place, enum limit_action action)
{
    for (size_t i = 0; i < check->n_starts; i++) {
        int64_t from_ms = check->starts_s[i] * 1000, to_ms = from_ms + place->length_ms;
        int64_t at_ms = limits_quiet_from(&place->limits, action, from_ms, to_ms, NULL);
        const struct day_window *w = NULL;
        const struct limit_line *line = at_ms < to_ms ? quiet_line(&place->limits, action, at_ms, &w) : NULL;
        if (!line || limits_exempt(&place->limits, LIMIT_QUIET_HOURS, from_ms))
            continue;
        struct problem said = {0};
        char when[48], from[24], to[24], *who = whose(check, place, line);
        refuse(&said, 422, "value", "times",
               line->windows == &limits_quiet_default ? WORD_LIMIT_QUIET_DEFAULT : WORD_LIMIT_QUIET,
               civil_of(&place->limits, from_ms, when), minute_text(w->from_min, from), minute_text(w->to_min, to), who,
               line->authority ? line->authority : "-");
        free(who);
        return say(check, action, "times", &said);
    }
    return 0;
}

static int check_days(const struct check *check, const struct place *place, enum limit_action action)
{
    for (size_t i = 0; i < check->n_starts; i++) {
        int64_t at_ms = check->starts_s[i] * 1000;
        const struct limit_line *line = NULL;
        if (limits_day_open(&place->limits, action, at_ms, &line) || !line ||
            limits_exempt(&place->limits, LIMIT_WEEKDAYS, at_ms))
            continue;
        struct problem said = {0};
        char when[48], *who = whose(check, place, line);
        refuse(&said, 422, "value", "when", WORD_LIMIT_DAY, civil_of(&place->limits, at_ms, when), who,
               line->authority ? line->authority : "-");
        free(who);
        return say(check, action, "when", &said);
    }
    return 0;
}

/* How much of `what` the rule alone uses at each start: minutes of one, or the count or minutes of its day. */
static int64_t used(const struct check *check, const struct place *place, enum limit_what what, size_t i)
{
    int64_t day = limits_day(&place->limits, check->starts_s[i] * 1000), n = 1;
    for (size_t j = i; j-- > 0 && limits_day(&place->limits, check->starts_s[j] * 1000) == day;)
        n++;
    return what == LIMIT_SESSIONS_PER_DAY ? n * 60000 : place->length_ms * (what == LIMIT_MINUTES_PER_SESSION ? 1 : n);
}

static int check_number(const struct check *check, const struct place *place, enum limit_what what,
                        enum limit_action action)
{
    static_assert(LIMITS == 6, "a new kind of limit that has a number needs its sentence");
    static const enum word words[LIMITS] = {[LIMIT_SESSIONS_PER_DAY] = WORD_LIMIT_SESSIONS,
                                            [LIMIT_MINUTES_PER_SESSION] = WORD_LIMIT_SESSION_MINUTES,
                                            [LIMIT_MINUTES_PER_DAY] = WORD_LIMIT_MINUTES};
    for (size_t i = 0; i < check->n_starts; i++) {
        int64_t at_ms = check->starts_s[i] * 1000;
        const struct limit_line *line = NULL;
        int64_t number = limits_number(&place->limits, what, action, at_ms, &line), uses = used(check, place, what, i);
        if (!line || number > INT64_MAX / 60000 || uses <= number * 60000 || limits_exempt(&place->limits, what, at_ms))
            continue;
        struct problem said = {0};
        char when[48], *who = whose(check, place, line);
        refuse(&said, 422, "value", "times", words[what], civil_of(&place->limits, at_ms, when),
               (long long)((uses + 59999) / 60000), (long long)number, who, line->authority ? line->authority : "-");
        free(who);
        return say(check, action, what == LIMIT_MINUTES_PER_SESSION ? "bulletin" : "times", &said);
    }
    return 0;
}

static int check_place(const struct check *check, const struct place *place)
{
    static const enum limit_what numbers[] = {LIMIT_SESSIONS_PER_DAY, LIMIT_MINUTES_PER_SESSION, LIMIT_MINUTES_PER_DAY};
    for (enum limit_action action = LIMIT_WARN; action <= LIMIT_REFUSE; action++) {
        if (check_quiet(check, place, action) < 0)
            return -1;
        if (!place->sound)
            continue;
        if (check_days(check, place, action) < 0)
            return -1;
        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
            if (check_number(check, place, numbers[i], action) < 0)
                return -1;
    }
    return 0;
}

/* How long it keeps the outputs there. */
static void measure(const struct check *check, const json_t *facts, struct place *place)
{
    const json_t *settings = json_object_get(facts, "settings"), *kind = json_object_get(facts, "kind");
    struct texts languages = texts_of_json(json_object_get(settings, "languages"), check->arena);
    enum device_kind of = KIND_LOUDSPEAKER;
    for (int i = 0; kind && device_kind_names[i]; i++)
        if (strcmp(device_kind_names[i], json_string_value(kind)) == 0)
            of = (enum device_kind)i;
    place->sound = true;
    place->length_ms = check->rule->session ? check->rule->session->length_ms : 0;
    if (check->bulletin) {
        struct bulletin_use use = bulletin_use(check->bulletin, &languages, of);
        int64_t show_ms = check->rule->show_ms || use.sound || !use.text ? check->rule->show_ms : SHOW_DEFAULT_MS;
        place->sound = use.sound != 0;
        place->length_ms = item_length_ms(&use, use.text ? show_ms : 0);
    }
    place->length_ms = place->length_ms > 0 ? place->length_ms : 1;
}

/* The same limits for as long a time are asked once. */
static bool seen(const struct check *check, const struct place *place)
{
    struct buf key = {0};
    buf_putf(&key, "%s %lld %d", zone_name(place->limits.zone), (long long)place->length_ms, place->sound);
    for (size_t i = 0; i < place->limits.n_lines; i++) {
        const struct limit_line *l = &place->limits.lines[i];
        buf_putf(&key, ";%d %d %lld %d %lld %lld %s", (int)l->what, (int)l->action, (long long)l->number, l->weekdays,
                 (long long)l->from_ms, (long long)l->until_ms, l->area ? l->area : "");
        for (size_t j = 0; j < l->n_windows; j++)
            buf_putf(&key, ",%lld-%lld", (long long)l->windows[j].from_min, (long long)l->windows[j].to_min);
    }
    for (size_t i = 0; i < place->limits.n_exemptions; i++) {
        const struct exemption *e = &place->limits.exemptions[i];
        buf_putf(&key, ";%lld %lld %u", (long long)e->from_date, (long long)e->until_date, e->limits);
    }
    bool there = json_object_get(check->seen, buf_text(&key)) != NULL;
    json_object_set_new(check->seen, buf_text(&key), json_true());
    buf_done(&key);
    return there;
}

static int check_facts(const struct check *check, const json_t *facts)
{
    struct place place = {.id = json_string_value(json_object_get(facts, "id"))};
    limits_load(check->r->c->store, facts, check->r->c->zones, check->arena, &place.limits);
    if (!place.limits.zone)
        return 0;
    measure(check, facts, &place);
    return seen(check, &place) ? 0 : check_place(check, &place);
}

/* One device for each kind of place: what differs between those of one area is what they say themselves. */
static int check_devices(const struct check *check, const json_t *devices)
{
    json_t *rows =
               store_list(check->r->c->store,
                          "SELECT min(id) AS id FROM devices WHERE id IN (SELECT value FROM json_each(?1)) GROUP BY"
                          " area, kind, json_extract(settings, '$.zone'), json_extract(settings, '$.quiet_hours'),"
                          " json_extract(settings, '$.languages'), CASE WHEN id IN (SELECT j.value FROM exemptions e,"
                          " json_each(e.body, '$.devices') j WHERE e.ended_ms IS NULL) THEN id END LIMIT ?2",
                          "ji", devices, (int64_t)PLACES_MAX),
           *row;
    int result = 0;
    size_t i;
    json_array_foreach(rows, i, row)
    {
        json_t *facts =
            result == 0 ? device_facts(check->r->c->store, json_string_value(json_object_get(row, "id"))) : NULL;
        if (facts)
            result = check_facts(check, facts);
        json_decref(facts);
    }
    json_decref(rows);
    return result;
}

/* Areas in which no device stands yet: as though an ordinary one stood there. */
static int check_areas(const struct check *check, const json_t *areas)
{
    const json_t *area;
    int result = 0;
    size_t i;
    json_array_foreach(areas, i, area)
    {
        json_t *facts = json_pack("{s:O, s:o, s:{s:s, s:s}}", "id", area, "memberships",
                                  areas_memberships(check->r->c->store, json_string_value(area)), "settings", "zone",
                                  check->r->c->settings->zone, "noise", noise_class_names[NOISE_ORDINARY]);
        result = result < 0 ? result : check_facts(check, facts);
        json_decref(facts);
    }
    return result;
}

static int check_everywhere(struct check *check, const json_t *body)
{
    json_t *devices = planner_devices_within(check->r->c->store, body, check->within);
    json_t *one = check->within ? json_pack("[s]", check->within) : NULL;
    int result = json_array_size(devices) > 0 ? check_devices(check, devices)
                                              : check_areas(check, one ? one : json_object_get(body, "areas"));
    json_decref(one);
    json_decref(devices);
    return result;
}

int limits_check_within(struct request *r, const json_t *body, const char *area, json_t *warnings)
{
    struct arena *arena = arena_new();
    struct check *check = arena_alloc(arena, sizeof(*check));
    struct rule rule;
    struct bulletin *bulletin = NULL;
    int result = 0;
    *check = (struct check){
        .r = r, .rule = &rule, .within = area, .warnings = warnings, .seen = json_object(), .arena = arena};
    if (rule_build("x", body, r->c->zones, arena, &rule) == 0) {
        char *bytes = rule.bulletin
                          ? store_text(r->c->store, "SELECT body FROM bulletins WHERE hash = ?", "s", rule.bulletin)
                          : NULL;
        if (bytes && bulletin_decode(bytes, strlen(bytes), arena, &bulletin, NULL) >= 0)
            check->bulletin = bulletin;
        check->n_starts = recur_expand(&rule.recur, r->now_ms, r->now_ms + AHEAD_DAYS * INT64_C(86400000),
                                       check->starts_s, STARTS_MAX);
        result = check_everywhere(check, body);
        free(bytes);
    }
    json_decref(check->seen);
    arena_free(arena);
    return result;
}

int limits_check_rule(struct request *r, const json_t *body)
{
    return rule_check_languages(r, body) < 0 ? -1 : limits_check_within(r, body, NULL, NULL);
}

void limits_warn_rule(struct request *r, const json_t *body, json_t *warnings)
{
    struct problem before = r->problem;
    if (limits_check_within(r, body, NULL, warnings) < 0)
        r->problem = before;
}
