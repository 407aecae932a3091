/* api_rules.c - rules: what plays when and where. Ended ones stay on record and can come back. What is asked of a rule
 * that may mean thousands of devices is asked aside; what is written is written on the loop. */
#include "controller/api_clashes.h"

#include "controller/carry.h"
#include "controller/limits_rule.h"
#include "controller/places.h"
#include "controller/publisher.h"
#include "controller/quotas.h"
#include "controller/rules.h"

#include <stdlib.h>
#include <string.h>

#define SQL_RULE                                                                                                       \
    "SELECT r.n AS cursor__text, r.id, r.unit, (SELECT title FROM bulletins b WHERE b.hash = r.bulletin) AS title,"    \
    " r.body AS body__json, r.created_ms AS created__at, r.ended_ms AS ended__at FROM rules r "

/* Made in this unit or below, or meant for it from here, below or above. */
#define IN_SIGHT                                                                                                       \
    "(r.unit IN (SELECT id FROM scope) OR EXISTS (SELECT 1 FROM json_each(r.body, '$.areas') j WHERE j.value IN"       \
    " (SELECT id FROM scope) OR j.value IN (SELECT id FROM over)) OR EXISTS (SELECT 1 FROM json_each(r.body,"          \
    " '$.devices') j JOIN devices d ON d.id = j.value WHERE d.area IN (SELECT id FROM scope)) OR EXISTS (SELECT 1"     \
    " FROM json_each(r.body, '$.groups') j JOIN group_members g ON g.grp = j.value JOIN devices d ON d.id = g.device"  \
    " WHERE d.area IN (SELECT id FROM scope))) "

/* What a row has beside the body. */
static const char *const row_members[] = {"cursor", "id", "unit", "title", "created", "ended"};

static json_t *spread(json_t *row)
{
    if (!row)
        return NULL;
    json_object_update(row, json_object_get(row, "body"));
    json_object_del(row, "body");
    return row;
}

json_t *rule_body_of(const json_t *row)
{
    json_t *body = json_copy((json_t *)row);
    for (size_t i = 0; i < sizeof(row_members) / sizeof(row_members[0]); i++)
        json_object_del(body, row_members[i]);
    return body;
}

int api_rules_list(struct request *r)
{
    struct page page;
    json_t *row;
    size_t i;
    bool ended;
    if (request_flag(r, "ended", &ended) < 0 || request_page(r, true, &page) < 0)
        return -1;
    json_t *rows = store_list(r->c->store,
                              SQL_SCOPE SQL_RULE "WHERE r.n > ?2 AND (?4 OR r.ended_ms IS NULL) AND " IN_SIGHT
                                                 "ORDER BY r.n LIMIT ?3",
                              "siii", r->token.unit, page.after_n, page.limit + 1, (int64_t)ended);
    json_array_foreach(rows, i, row) spread(row);
    return request_reply_page(r, &page, rows);
}

json_t *rule_find(struct request *r, const char *id)
{
    return spread(store_one(r->c->store, SQL_SCOPE SQL_RULE "WHERE r.id = ?2 AND " IN_SIGHT, "ss", r->token.unit, id));
}

json_t *rules_in_force(struct request *r, int64_t max)
{
    json_t *rows = store_list(r->c->store,
                              SQL_SCOPE SQL_RULE "WHERE r.ended_ms IS NULL AND " IN_SIGHT "ORDER BY r.n LIMIT ?2", "si",
                              r->token.unit, max),
           *row;
    size_t i;
    json_array_foreach(rows, i, row) spread(row);
    return rows;
}

int api_rule(struct request *r)
{
    size_t len = strlen(r->param[0]);
    if (len > 4 && strcmp(r->param[0] + len - 4, ".ics") == 0) {
        r->param[0][len - 4] = '\0';
        return api_rule_calendar(r, r->param[0]);
    }
    if (request_query(r, "from") || request_query(r, "days"))
        return refuse(&r->problem, 400, "query", NULL, WORD_QUERY_NONE, request_query(r, "from") ? "from" : "days");
    json_t *row = rule_find(r, r->param[0]);
    return row ? request_reply(r, 200, row) : request_missing(r, "rule", r->param[0]);
}

void rule_touch(struct request *r, const json_t *body)
{
    publisher_touch_meant(r->c->publisher, body);
}

/* Aside: that takes a look at every place that is meant. */
static int tell_warnings(struct request *r)
{
    json_t *list = rule_warnings(r, r->about);
    json_array_extend(list, json_object_get(r->reply, "warnings")); /* what came up when it was saved */
    json_object_set_new(r->reply, "warnings", list);
    return 0;
}

int rule_tell(struct request *r, unsigned status, const char *id, const json_t *body)
{
    request_reply(r, status, spread(store_one(r->c->store, SQL_RULE "WHERE r.id = ?", "s", id)));
    return request_aside(r, tell_warnings, json_deep_copy(body)); /* the thread's alone */
}

/* The same thing handed in twice is there already. */
static int tell_twin(struct request *r, const json_t *there, const char *id, const json_t *body)
{
    bool same = json_equal(json_object_get(there, "body"), body) && json_is_null(json_object_get(there, "ended")) &&
                area_in_unit(r->c->store, json_string_value(json_object_get(there, "unit")), r->token.unit);
    return same ? rule_tell(r, 200, id, body) : refuse_taken(&r->problem, "rule", id);
}

static int insert(struct request *r, const struct saving *saving)
{
    const char *bulletin = json_string_value(json_object_get(saving->body, "bulletin"));
    if (store_number(r->c->store, 0, "SELECT 1 FROM rules WHERE id = ?", "s", saving->id) == 1)
        return refuse_taken(&r->problem, "rule", saving->id);
    if (quota_check(r, QUOTA_RULES, r->token.unit) < 0)
        return -1;
    if (store_run(r->c->store, "INSERT INTO rules (id, unit, bulletin, body, created_ms) VALUES (?, ?, ?, ?, ?)",
                  "sssji", saving->id, r->token.unit, bulletin ? bulletin : "", saving->body, r->now_ms) < 0)
        return request_store_failed(r);
    return 0;
}

/* On the loop: {"id", "body"} is what was checked. */
static int save_new(struct request *r)
{
    json_t *about = json_incref(r->about); /* outlives the steps to come */
    struct saving saving = {.id = json_string_value(json_object_get(about, "id")),
                            .body = json_object_get(about, "body")};
    json_t *there = store_one(r->c->store, SQL_RULE "WHERE r.id = ?", "s", saving.id);
    int result = there ? tell_twin(r, there, saving.id, saving.body) : clashes_settle(r, &saving, insert);
    json_decref(there);
    json_decref(about);
    return result;
}

/* What is there already is not asked for its limits again. */
static int check_new(struct request *r, const char *id, const json_t *body)
{
    if (store_number(r->c->store, 0, "SELECT 1 FROM rules WHERE id = ?", "s", id) == 1)
        return 0;
    return rule_check_ahead(r, body) < 0 ? -1 : limits_check_rule(r, body);
}

int api_rules_new(struct request *r)
{
    struct form form = {.object = r->json, .problem = &r->problem};
    char made[24];
    const char *id = made;
    json_t *body;
    id_make("r-", made);
    if (rule_check(r->json, r->c->zones, r->c->settings->zone, &r->problem, &body) < 0)
        return -1;
    int result = form_id(&form, "id", false, &id) < 0 || rule_check_named(r, body) < 0 ||
                         carry_settle(r->c->store, &r->token, r->json, body, &r->problem) < 0
                     ? -1
                     : check_new(r, id, body);
    if (result == 0)
        request_on_loop(r, save_new, json_pack("{s:s, s:O}", "id", id, "body", body));
    json_decref(body);
    return result;
}

int rule_check_mine(struct request *r, const json_t *row, const json_t *body)
{
    if (!area_in_unit(r->c->store, json_string_value(json_object_get(row, "unit")), r->token.unit))
        return refuse(&r->problem, 403, "scope", NULL, WORD_SCOPE, json_string_value(json_object_get(row, "id")),
                      r->token.unit);
    return rule_check_named(r, body);
}

bool rule_stands(struct request *r, const char *id, const json_t *body)
{
    char *now = store_text(r->c->store, "SELECT body FROM rules WHERE id = ?", "s", id);
    json_t *json = now ? json_loads(now, 0, NULL) : NULL;
    bool same = json && json_equal(json, body);
    json_decref(json);
    free(now);
    return same;
}

static int restore(struct request *r, const struct saving *saving)
{
    char *unit = store_text(r->c->store, "SELECT unit FROM rules WHERE id = ?", "s", saving->id);
    int result = quota_check(r, QUOTA_RULES, unit);
    free(unit);
    if (result == 0 && store_run(r->c->store, "UPDATE rules SET ended_ms = NULL WHERE id = ?", "s", saving->id) < 0)
        result = request_store_failed(r);
    return result;
}

static bool has_ended(struct request *r, const char *id)
{
    return store_number(r->c->store, 0, "SELECT 1 FROM rules WHERE id = ? AND ended_ms IS NOT NULL", "s", id) == 1;
}

/* On the loop: the body is what was checked. */
static int set_ended(struct request *r)
{
    bool ends = r->route->handle == api_rule_end;
    const struct saving saving = {.id = r->param[0], .body = r->about, .old = r->about, .ended = true};
    if (!rule_stands(r, r->param[0], r->about))
        return request_aside(r, r->route->handle, NULL);
    if (!ends && has_ended(r, r->param[0]))
        return clashes_settle(r, &saving, restore);
    if (ends && store_run(r->c->store, "UPDATE rules SET ended_ms = coalesce(ended_ms, ?) WHERE id = ?", "is",
                          r->now_ms, r->param[0]) < 0)
        return request_store_failed(r);
    rule_touch(r, r->about);
    return rule_tell(r, 200, r->param[0], r->about);
}

static int check_and_end(struct request *r, bool ends)
{
    json_t *row = rule_find(r, r->param[0]);
    if (!row)
        return request_missing(r, "rule", r->param[0]);
    json_t *body = rule_body_of(row);
    int result = rule_check_mine(r, row, body);
    if (result == 0 && !ends)
        result = limits_check_rule(r, body);
    if (result == 0)
        request_on_loop(r, set_ended, json_incref(body));
    json_decref(body);
    json_decref(row);
    return result;
}

int api_rule_end(struct request *r)
{
    return check_and_end(r, true);
}

int api_rule_restore(struct request *r)
{
    return check_and_end(r, false);
}
