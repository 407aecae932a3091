/* api_changes.c - areas that merge, move, end or are renamed at a midnight: planned, undone until then, told
 * afterwards. */
#include "controller/api.h"
#include "controller/areas.h"
#include "controller/places.h"
#include "controller/publisher.h"
#include "controller/zones.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AHEAD_MAX_DAYS = 5 * 366 };
enum what { MERGE, RENAME, MOVE, END };

static const char *const what_names[] = {"merge", "rename", "move", "end", NULL};

#define SQL_CHANGE                                                                                                     \
    "SELECT c.n AS cursor__text, c.n AS id__text, c.what, c.area, c.into_area AS \"into\", c.name, c.former, c.date,"  \
    " c.effective_ms AS effective__at, c.note, c.unit, c.made_ms AS made__at, c.done_ms AS done__at, c.undone_ms AS"   \
    " undone__at FROM area_changes c "
#define IN_SIGHT "(c.area IN (SELECT id FROM scope) OR c.into_area IN (SELECT id FROM scope)) "

struct wish {
    int what;
    const char *area, *into, *name, *date, *note;
    int64_t effective_ms;
};

static int read_stray(const struct form *form, const char *member, int what)
{
    const json_t *value = json_object_get(form->object, member);
    return value && !json_is_null(value)
               ? refuse(form->problem, 422, "member", member, WORD_MEMBER_STRAY, member, what_names[what])
               : 0;
}

/* The midnight with which the day begins must be to come. */
static int read_date(struct request *r, const struct form *form, struct wish *wish)
{
    int64_t days = 0, today = 0;
    int32_t second;
    const struct zone *zone = zones_get(r->c->zones, r->c->settings->zone);
    if (form_date(form, "date", true, &wish->date, &days) < 0)
        return -1;
    zone_civil(zone, r->now_ms / 1000, &today, &second);
    wish->effective_ms = zone_instant_s(zone, days, 0, NULL) * 1000;
    if (wish->effective_ms > r->now_ms && days <= today + AHEAD_MAX_DAYS)
        return 0;
    int year, month, day;
    char first[40];
    civil_date(today + 1, &year, &month, &day);
    snprintf(first, sizeof(first), "%04d-%02d-%02d", year, month, day);
    return refuse(&r->problem, 422, "value", "date", WORD_AREA_DATE, wish->date, first);
}

static int read_wish(struct request *r, struct wish *wish)
{
    struct form form = {.object = r->json, .problem = &r->problem};
    if (form_known(&form, "what area into name date note") < 0 ||
        form_choice(&form, "what", true, what_names, &wish->what) < 0 ||
        form_id(&form, "area", true, &wish->area) < 0 || form_text(&form, "note", false, 1, 400, &wish->note) < 0)
        return -1;
    bool lifts = wish->what == MERGE || wish->what == MOVE;
    if (lifts ? form_id(&form, "into", true, &wish->into) < 0 : read_stray(&form, "into", wish->what) < 0)
        return -1;
    if (wish->what == RENAME ? form_text(&form, "name", true, 1, 200, &wish->name) < 0
                             : read_stray(&form, "name", wish->what) < 0)
        return -1;
    return read_date(r, &form, wish);
}

static int check_area(struct request *r, const char *member, const char *area)
{
    if (!area_exists(r->c->store, area))
        return refuse(&r->problem, 422, "value", member, WORD_NO_AREA, member, area);
    return area_in_unit(r->c->store, area, r->token.unit)
               ? 0
               : refuse(&r->problem, 403, "scope", member, WORD_SCOPE, area, r->token.unit);
}

/* Who has a unit does not decide what becomes of it; its name is its own. */
static int check_wish(struct request *r, const struct wish *wish)
{
    if (check_area(r, "area", wish->area) < 0 || (wish->into && check_area(r, "into", wish->into) < 0))
        return -1;
    if (wish->into && strcmp(wish->into, wish->area) == 0)
        return refuse(&r->problem, 422, "value", "into", WORD_AREA_SAME, wish->area, "into");
    if (wish->what != RENAME && strcmp(wish->area, r->token.unit) == 0)
        return refuse(&r->problem, 403, "scope", "area", WORD_OWN_UNIT, wish->area);
    int64_t planned = store_number(r->c->store, 0,
                                   "SELECT count(*) FROM area_changes WHERE done_ms IS NULL AND undone_ms IS NULL", "");
    return planned < AREA_PLANNED_MAX
               ? 0
               : refuse(&r->problem, 409, "conflict", NULL, WORD_AREA_PLANNED, (int)AREA_PLANNED_MAX);
}

static json_t *find(struct request *r, const char *id)
{
    return store_one(r->c->store, SQL_SCOPE SQL_CHANGE "WHERE CAST(c.n AS TEXT) = ?2 AND " IN_SIGHT, "ss",
                     r->token.unit, id);
}

/* Its devices are compiled anew; the answer says how many they are. */
static int tell(struct request *r, unsigned status, const char *id)
{
    json_t *row = find(r, id);
    if (!row)
        return request_missing(r, "change", id);
    json_t *devices = areas_devices(r->c->store, json_string_value(json_object_get(row, "area")));
    publisher_touch_list(r->c->publisher, devices);
    json_object_set_new(row, "devices", json_integer((json_int_t)json_array_size(devices)));
    json_decref(devices);
    return request_reply(r, status, row);
}

/* The same is planned already. */
static char *planned_already(struct request *r, const struct wish *wish)
{
    return store_text(r->c->store,
                      "SELECT n FROM area_changes WHERE done_ms IS NULL AND undone_ms IS NULL AND what = ? AND area = ?"
                      " AND into_area IS ? AND name IS ? AND effective_ms = ?",
                      "ssssi", what_names[wish->what], wish->area, wish->into, wish->name, wish->effective_ms);
}

static int plan(struct request *r, const struct wish *wish)
{
    if (store_begin(r->c->store) < 0)
        return request_store_failed(r);
    int n = store_run(r->c->store,
                      "INSERT INTO area_changes (what, area, into_area, name, date, effective_ms, unit, token, note,"
                      " made_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                      "sssssisssi", what_names[wish->what], wish->area, wish->into, wish->name, wish->date,
                      wish->effective_ms, r->token.unit, r->token.id, wish->note, r->now_ms);
    char *id = store_text(r->c->store, "SELECT max(n) FROM area_changes", "");
    int result = n < 0 || !id ? request_store_failed(r) : areas_check(r->c->store, &r->problem);
    if (result == 0 && store_commit(r->c->store) < 0)
        result = request_store_failed(r);
    else if (result < 0)
        store_rollback(r->c->store);
    if (result == 0)
        result = tell(r, 201, id);
    free(id);
    return result;
}

int api_changes_new(struct request *r)
{
    struct wish wish = {0};
    if (read_wish(r, &wish) < 0 || check_wish(r, &wish) < 0)
        return -1;
    char *there = planned_already(r, &wish);
    int result = there ? tell(r, 200, there) : plan(r, &wish);
    free(there);
    return result;
}

int api_changes_list(struct request *r)
{
    struct page page;
    const char *state = request_query(r, "state");
    if (state && strcmp(state, "planned") != 0 && strcmp(state, "all") != 0)
        return refuse(&r->problem, 400, "query", NULL, WORD_VALUE_CHOICE, "state", "planned, all");
    if (request_page(r, true, &page) < 0)
        return -1;
    return request_reply_page(
        r, &page,
        store_list(r->c->store,
                   SQL_SCOPE SQL_CHANGE "WHERE c.n > ?2 AND (?4 OR (c.done_ms IS NULL AND"
                                        " c.undone_ms IS NULL)) AND " IN_SIGHT "ORDER BY c.n LIMIT ?3",
                   "siii", r->token.unit, page.after_n, page.limit + 1, (int64_t)(state && strcmp(state, "all") == 0)));
}

static int check_undo(struct request *r, const json_t *row)
{
    const char *unit = json_string_value(json_object_get(row, "unit"));
    if (!json_is_null(json_object_get(row, "undone")))
        return refuse(&r->problem, 409, "conflict", NULL, WORD_AREA_UNDONE, r->param[0]);
    if (!json_is_null(json_object_get(row, "done")))
        return refuse(&r->problem, 409, "conflict", NULL, WORD_AREA_DONE, r->param[0],
                      json_string_value(json_object_get(row, "date")));
    return area_in_unit(r->c->store, unit, r->token.unit)
               ? 0
               : refuse(&r->problem, 403, "scope", NULL, WORD_AREA_OF_OTHERS, r->param[0], unit);
}

/* What is planned after it must still be possible without it. */
static int undo(struct request *r)
{
    if (store_begin(r->c->store) < 0)
        return request_store_failed(r);
    int n =
        store_run(r->c->store, "UPDATE area_changes SET undone_ms = ? WHERE CAST(n AS TEXT) = ? AND done_ms IS NULL",
                  "is", r->now_ms, r->param[0]);
    int result = n < 0 ? request_store_failed(r) : areas_check(r->c->store, &r->problem);
    if (result == 0 && store_commit(r->c->store) < 0)
        result = request_store_failed(r);
    else if (result < 0)
        store_rollback(r->c->store);
    return result < 0 ? result : tell(r, 200, r->param[0]);
}

int api_change_undo(struct request *r)
{
    json_t *row = find(r, r->param[0]);
    if (!row)
        return request_missing(r, "change", r->param[0]);
    int result = check_undo(r, row);
    json_decref(row);
    return result < 0 ? result : undo(r);
}

/* What became of an area, and what came into it. */
int api_area_history(struct request *r)
{
    struct page page;
    if (!area_in_unit(r->c->store, r->param[0], r->token.unit))
        return request_missing(r, "area", r->param[0]);
    if (request_page(r, true, &page) < 0)
        return -1;
    return request_reply_page(r, &page,
                              store_list(r->c->store,
                                         SQL_CHANGE "WHERE c.n > ? AND (c.area = ? OR c.into_area = ?) ORDER BY c.n"
                                                    " LIMIT ?",
                                         "issi", page.after_n, r->param[0], r->param[0], page.limit + 1));
}
