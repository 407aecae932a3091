/* rules_named.c - what a rule's body names, asked of the store; and what people are told about a rule that is fine. See
 * api_rules.h. */
#include "controller/api_rules.h"

#include "controller/limits_rule.h"

#include "controller/blobs.h"
#include "controller/groups.h"
#include "controller/mandate.h"
#include "controller/meaning.h"
#include "controller/places.h"
#include "controller/planner.h"
#include "controller/rules.h"
#include "controller/rules_part.h"
#include "playlists/base/file.h"
#include "playlists/judge.h"
#include "playlists/lunar.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WARNINGS_MAX = 8, LUNAR_YEARS_AHEAD = 3 };

static int class_of(const char *word)
{
    for (int i = 0; word && air_class_names[i]; i++)
        if (strcmp(air_class_names[i], word) == 0)
            return i;
    return 0;
}

/* Each bulletin that a rule says, with the member that names it and the class that it is said in. */
typedef int (*said_fn)(void *arg, const char *member, const char *hash, const char *class);

static int each_said(const json_t *rule, said_fn tell, void *arg)
{
    const json_t *session = json_object_get(rule, "session"), *part;
    const char *class = json_string_value(json_object_get(rule, "class")), *hash;
    static const char *const tunes[] = {"opening", "closing"};
    char member[64];
    size_t i;
    int r = 0;
    if ((hash = json_string_value(json_object_get(rule, "bulletin"))))
        r = tell(arg, "bulletin", hash, class);
    for (i = 0; r == 0 && i < 2; i++)
        if ((hash = json_string_value(json_object_get(session, tunes[i])))) {
            snprintf(member, sizeof(member), "session.%s", tunes[i]);
            r = tell(arg, member, hash, class);
        }
    json_array_foreach(json_object_get(session, "parts"), i, part)
    {
        const char *own = json_string_value(json_object_get(part, "class"));
        hash = json_string_value(json_object_get(part, "bulletin"));
        snprintf(member, sizeof(member), "session.parts[%zu].bulletin", i);
        if (r == 0 && hash)
            r = tell(arg, member, hash, own ? own : class);
    }
    return r;
}

static int refuse_class(struct request *r, const char *member, const char *class, const char *limit, const char *hash)
{
    char *title = store_text(r->c->store, "SELECT title FROM bulletins WHERE hash = ?", "s", hash);
    int result = refuse(&r->problem, 422, "value", member, WORD_RULE_CLASS, class, limit, title ? title : hash);
    free(title);
    return result;
}

static int check_said(void *arg, const char *member, const char *hash, const char *class)
{
    struct request *r = arg;
    int64_t limit = store_number(r->c->store, -1, "SELECT class FROM bulletins WHERE hash = ?", "s", hash);
    if (limit < 0)
        return refuse_missing(&r->problem, 422, "value", member, "bulletin", hash);
    if (class_of(class) > limit)
        return refuse_class(r, strcmp(member, "bulletin") == 0 ? "class" : member, class, air_class_names[limit], hash);
    return 0;
}

static int check_area(struct request *r, const char *member, const char *area)
{
    if (!area_exists(r->c->store, area))
        return refuse(&r->problem, 422, "value", member, WORD_NO_AREA, member, area);
    if (!area_in_unit(r->c->store, area, r->token.unit))
        return refuse(&r->problem, 403, "scope", member, WORD_SCOPE, area, r->token.unit);
    return 0;
}

static int check_device(struct request *r, const char *member, const char *device)
{
    if (store_number(r->c->store, 0, "SELECT 1 FROM devices WHERE id = ?", "s", device) != 1)
        return refuse_missing(&r->problem, 422, "value", member, "device", device);
    if (!device_in_unit(r->c->store, device, r->token.unit))
        return refuse(&r->problem, 403, "scope", member, WORD_SCOPE, device, r->token.unit);
    return 0;
}

static int check_group(struct request *r, const char *member, const char *group)
{
    if (!group_exists(r->c->store, group))
        return refuse_missing(&r->problem, 422, "value", member, "group", group);
    if (!group_in_unit(r->c->store, group, r->token.unit))
        return refuse(&r->problem, 403, "scope", member, WORD_SCOPE, group, r->token.unit);
    return 0;
}

int rule_check_named(struct request *r, const json_t *body)
{
    static const struct {
        const char *list;
        int (*check)(struct request *r, const char *member, const char *id);
    } named[] = {{"areas", check_area},        {"groups", check_group},        {"devices", check_device},
                 {"except_areas", check_area}, {"except_groups", check_group}, {"except_devices", check_device}};
    int result = each_said(body, check_said, r);
    for (size_t i = 0; result == 0 && i < sizeof(named) / sizeof(named[0]); i++) {
        const json_t *list = json_object_get(body, named[i].list);
        for (size_t j = 0; result == 0 && j < json_array_size(list); j++) {
            char member[40];
            snprintf(member, sizeof(member), "%s[%zu]", named[i].list, j);
            result = named[i].check(r, member, json_string_value(json_array_get(list, j)));
        }
    }
    return result;
}

int rule_check_ahead(struct request *r, const json_t *body)
{
    struct arena *arena = arena_new();
    struct recurrence recur;
    int64_t late_ms = json_integer_value(json_object_get(body, "late_ms"));
    int result = 0;
    if (rule_recur(body, r->c->zones, arena, &recur) == 0) {
        int64_t last_s = recur_last_s(&recur);
        if (last_s != INT64_MAX && last_s < (r->now_ms - late_ms) / 1000)
            result = refuse(&r->problem, 422, "value", "times", WORD_RULE_PAST);
    }
    arena_free(arena);
    return result;
}

/* What a rule is asked about. */
struct outlook {
    struct request *r;
    json_t *warnings;
    const json_t *devices;
    int64_t at_ms; /* of the next time */
};

/* Devices that are alike in what they say are asked once. */
static int check_languages(void *arg, const char *member, const char *hash, const char *class)
{
    const struct outlook *o = arg;
    struct store *store = o->r->c->store;
    struct arena *arena = arena_new();
    struct bulletin *bulletin = NULL;
    char *bytes = store_text(store, "SELECT body FROM bulletins WHERE hash = ?", "s", hash);
    json_t *row, *rows = store_list(store,
                                    "SELECT min(id) AS id, kind, json_extract(settings, '$.languages') AS"
                                    " languages__json FROM devices WHERE id IN (SELECT value FROM json_each(?))"
                                    " GROUP BY kind, json_extract(settings, '$.languages') ORDER BY id",
                                    "j", o->devices);
    bool tune = strcmp(member, "session.opening") == 0 || strcmp(member, "session.closing") == 0;
    int result = 0;
    size_t i;
    (void)class;
    if (tune || !bytes || bulletin_decode(bytes, strlen(bytes), arena, &bulletin, NULL) < 0)
        bulletin = NULL;
    json_array_foreach(rows, i, row)
    {
        struct texts languages = texts_of_json(json_object_get(row, "languages"), arena);
        enum device_kind kind = (enum device_kind)rule_index_of(device_kind_names, json_object_get(row, "kind"));
        const char *lacks = bulletin && result == 0 ? bulletin_lacks(bulletin, &languages, kind) : NULL;
        if (lacks)
            result = refuse(&o->r->problem, 422, "value", member, WORD_RULE_LANGUAGE, bulletin->title, lacks,
                            json_string_value(json_object_get(row, "id")), word_thing(device_kind_names[kind]),
                            device_kind_names[kind]);
    }
    json_decref(rows);
    free(bytes);
    arena_free(arena);
    return result;
}

int rule_check_languages(struct request *r, const json_t *body)
{
    const json_t *session = json_object_get(body, "session");
    const char *languages = json_string_value(json_object_get(session ? session : body, "languages"));
    if (!languages || strcmp(languages, session_languages_names[LANGUAGES_COMPLETE]) != 0)
        return 0;
    json_t *devices = planner_devices_of(r->c->store, body);
    struct outlook outlook = {.r = r, .devices = devices};
    int result = each_said(body, check_languages, &outlook);
    json_decref(devices);
    return result;
}

/* Once: a session may say one bulletin several times. */
static void put_warning(json_t *warnings, const struct request *r, const struct problem *said)
{
    const char *text = r->english ? said->en : said->vi;
    const json_t *known;
    size_t i;
    json_array_foreach(warnings, i, known) if (strcmp(json_string_value(known), text) == 0) return;
    if (json_array_size(warnings) < WARNINGS_MAX)
        json_array_append_new(warnings, json_string(text));
}

static void warn(json_t *warnings, const struct request *r, enum word word, const char *what, const char *more)
{
    struct problem said = {0};
    refuse(&said, 200, "", NULL, word, what, more);
    put_warning(warnings, r, &said);
}

/* `meaning`: why not, in both languages (meaning.h). */
static void warn_silent(json_t *warnings, const struct request *r, const char *device, const char *title,
                        const json_t *meaning)
{
    struct problem said = {0};
    refuse(&said, 200, "", NULL, WORD_WARN_UNAPPROVED, device, title, json_string_value(json_object_get(meaning, "vi")),
           json_string_value(json_object_get(meaning, "en")));
    put_warning(warnings, r, &said);
}

/* Open the approvals of a bulletin; returns how many. All in `arena`. */
static size_t open_approvals(struct request *r, const char *hash, struct arena *arena, struct opened_approval *ret,
                             size_t cap)
{
    json_t *rows = store_list(r->c->store, "SELECT hash FROM approvals WHERE bulletin = ?", "s", hash), *row;
    size_t i, n = 0;
    json_array_foreach(rows, i, row)
    {
        struct buf text = {0};
        struct seal_header header;
        char path[440];
        void *doc = NULL;
        blob_path(r->c->settings, json_string_value(json_object_get(row, "hash")), path);
        if (n < cap && file_read_whole(path, BLOB_DOC_MAX, &text) >= 0 &&
            judge_open(mandate_authority(r->c->mandate), DOC_APPROVAL, (const char *)text.data, text.len, arena, &doc,
                       &header, NULL) == REFUSAL_NONE)
            ret[n++] = (struct opened_approval){.approval = doc, .kid = arena_strndup(arena, header.kid, 43)};
        buf_done(&text);
    }
    json_decref(rows);
    return n;
}

static int64_t next_start(const json_t *body, int64_t now_ms, struct zones *zones, struct arena *arena)
{
    struct recurrence recur;
    int64_t at_s;
    if (rule_recur(body, zones, arena, &recur) < 0 ||
        recur_expand(&recur, now_ms, now_ms + INT64_C(366) * 86400000, &at_s, 1) == 0)
        return now_ms;
    return at_s * 1000;
}

/* What would be judged on air, and by which approvals. */
struct hearing {
    const struct bulletin *bulletin;
    const char *hash;
    const struct opened_approval *approvals;
    size_t n_approvals;
    enum air_class class;
};

/* Would the agents there let it on air? Asked of the very code that they run, once for the places of one area: the
 * answer does not depend on more, and a rule may mean thousands of them. {area: meaning}; new reference. */
static json_t *objections(const struct outlook *o, const struct hearing *h, struct arena *arena)
{
    struct store *store = o->r->c->store;
    json_t *found = json_object(), *row;
    json_t *rows = store_list(store, "SELECT DISTINCT area FROM devices WHERE id IN (SELECT value FROM json_each(?))",
                              "j", o->devices);
    size_t i;
    json_array_foreach(rows, i, row)
    {
        struct complaint why = {0};
        const char *area = json_string_value(json_object_get(row, "area"));
        json_t *path = area_path(store, area);
        struct texts areas = texts_of_json(path, arena);
        enum item_verdict verdict = judge_item(mandate_authority(o->r->c->mandate), h->bulletin, h->hash, h->approvals,
                                               h->n_approvals, &areas, h->class, o->at_ms, &why);
        complain_prefix(&why, "%s", item_verdict_names[verdict]);
        if (verdict != ITEM_APPROVED)
            json_object_set_new(found, area, meaning_of_detail(why.text));
        json_decref(path);
    }
    json_decref(rows);
    return found;
}

static int warn_unapproved(void *arg, const char *member, const char *hash, const char *class)
{
    const struct outlook *o = arg;
    struct request *r = o->r;
    struct arena *arena = arena_new();
    struct opened_approval approvals[64];
    struct bulletin *bulletin = NULL;
    char *bytes = store_text(r->c->store, "SELECT body FROM bulletins WHERE hash = ?", "s", hash);
    struct hearing hearing = {.hash = hash, .approvals = approvals, .class = (enum air_class)class_of(class)};
    json_t *objected = NULL;
    (void)member;
    hearing.n_approvals = open_approvals(r, hash, arena, approvals, 64);
    if (bytes && bulletin_decode(bytes, strlen(bytes), arena, &bulletin, NULL) >= 0) {
        hearing.bulletin = bulletin;
        objected = objections(o, &hearing, arena);
    }
    for (size_t i = 0; json_object_size(objected) > 0 && i < json_array_size(o->devices); i++) {
        if (json_array_size(o->warnings) >= WARNINGS_MAX)
            break;
        const char *device = json_string_value(json_array_get(o->devices, i));
        char *area = store_text(r->c->store, "SELECT area FROM devices WHERE id = ?", "s", device);
        const json_t *meaning = json_object_get(objected, area ? area : "");
        if (meaning)
            warn_silent(o->warnings, r, device, bulletin->title, meaning);
        free(area);
    }
    json_decref(objected);
    free(bytes);
    arena_free(arena);
    return 0;
}

/* The years ahead in which the lunar day does not exist. */
static void lunar_gaps(const struct recur_range *range, int year, char *ret, size_t cap)
{
    size_t len = 0;
    ret[0] = '\0';
    for (int i = 0; i < LUNAR_YEARS_AHEAD && len < cap; i++) {
        int64_t day;
        bool plain =
            range->leap != LEAP_ONLY && lunar_day(year + i, range->from_month, false, range->from_day, &day) == 0;
        bool leap = range->leap != LEAP_NO && lunar_day(year + i, range->from_month, true, range->from_day, &day) == 0;
        if (!plain && !leap)
            len += (size_t)snprintf(ret + len, cap - len, "%s%d", len ? ", " : "", year + i);
    }
}

static void warn_lunar(struct request *r, const json_t *body, json_t *warnings)
{
    struct arena *arena = arena_new();
    struct recurrence recur;
    struct lunar_date today;
    if (rule_recur(body, r->c->zones, arena, &recur) == 0 && recur.when == WHEN_LUNAR_DATES &&
        lunar_date(r->now_ms / 86400000, &today) == 0)
        for (size_t i = 0; i < recur.n_lunar_dates; i++) {
            const struct recur_range *range = &recur.lunar_dates[i];
            char date[16], years[40];
            bool single = range->from_month == range->to_month && range->from_day == range->to_day;
            snprintf(date, sizeof(date), "%d/%d", range->from_day, range->from_month);
            lunar_gaps(range, today.year, years, sizeof(years));
            if (single && years[0])
                warn(warnings, r, WORD_WARN_LUNAR_SHORT, date, years);
        }
    arena_free(arena);
}

json_t *rule_warnings(struct request *r, const json_t *body)
{
    struct arena *arena = arena_new();
    json_t *warnings = json_array(), *devices = planner_devices_of(r->c->store, body);
    struct outlook outlook = {r, warnings, devices, next_start(body, r->now_ms, r->c->zones, arena)};
    if (json_array_size(devices) == 0)
        warn(warnings, r, WORD_WARN_NOBODY, "", "");
    warn_lunar(r, body, warnings);
    each_said(body, warn_unapproved, &outlook);
    limits_warn_rule(r, body, warnings);
    json_decref(devices);
    arena_free(arena);
    return warnings;
}
