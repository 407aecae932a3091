/* api_rules_change.c - rules that are changed while they stand: edits, days left out, and each change undone. What is
 * on the air follows: the playlists of all that the old or the new rule means are made anew. */
#include "controller/api_clashes.h"

#include "controller/carry.h"
#include "controller/limits_rule.h"
#include "controller/rules.h"

#include <stdio.h>
#include <string.h>

/* The rule that a change is about. */
struct target {
    json_t *row, *body; /* owned */
};

static void target_done(struct target *target)
{
    json_decref(target->row);
    json_decref(target->body);
}

/* Sees it, may change it, and it has not ended. */
static int target_get(struct request *r, struct target *ret)
{
    struct target target = {.row = rule_find(r, r->param[0])};
    if (!target.row)
        return request_missing(r, "rule", r->param[0]);
    target.body = rule_body_of(target.row);
    int result = rule_check_mine(r, target.row, target.body);
    if (result == 0 && !json_is_null(json_object_get(target.row, "ended")))
        result = refuse(&r->problem, 409, "conflict", NULL, WORD_RULE_ENDED, r->param[0]);
    if (result < 0) {
        target_done(&target);
        return result;
    }
    *ret = target;
    return 0;
}

static int write_body(struct request *r, const char *id, const json_t *body)
{
    const char *bulletin = json_string_value(json_object_get(body, "bulletin"));
    if (store_run(r->c->store, "UPDATE rules SET bulletin = ?, body = ? WHERE id = ?", "sjs", bulletin ? bulletin : "",
                  body, id) < 0)
        return request_store_failed(r);
    return 0;
}

int rule_write_change(struct request *r, const char *id, const char *what, const json_t *old, const json_t *fresh)
{
    if (json_equal(old, fresh))
        return 0;
    if (store_run(r->c->store, "INSERT INTO rule_changes (rule, what, body, token, made_ms) VALUES (?, ?, ?, ?, ?)",
                  "ssjsi", id, what, old, r->token.id, r->now_ms) < 0)
        return request_store_failed(r);
    return write_body(r, id, fresh);
}

/* What was checked aside is written on the loop. `what`: a word of the record, NULL: nothing is to change. `undone`:
 * the change that is taken back. Consumes fresh. */
static int then_write(struct request *r, route_fn step, const char *what, json_t *old, json_t *fresh, int64_t undone)
{
    return request_on_loop(
        r, step,
        json_pack("{s:s?, s:O, s:o, s:I}", "what", what, "old", old, "fresh", fresh, "undone", (json_int_t)undone));
}

static int save_undo(struct request *r, const struct saving *saving)
{
    if (store_run(r->c->store, "UPDATE rule_changes SET undone_ms = ? WHERE n = ? AND undone_ms IS NULL", "ii",
                  r->now_ms, json_integer_value(json_object_get(r->about, "undone"))) < 0)
        return request_store_failed(r);
    return write_body(r, saving->id, saving->body);
}

/* Both the change and its record, or neither. */
static int write_whole(struct request *r, const char *what, const json_t *old, const json_t *fresh)
{
    if (store_begin(r->c->store) < 0)
        return request_store_failed(r);
    if (rule_write_change(r, r->param[0], what, old, fresh) < 0) {
        store_rollback(r->c->store);
        return -1;
    }
    return store_commit(r->c->store) < 0 ? request_store_failed(r) : 0;
}

/* On the loop. What has changed since it was checked is checked again. */
static int write_change(struct request *r)
{
    const json_t *old = json_object_get(r->about, "old"), *fresh = json_object_get(r->about, "fresh");
    if (!rule_stands(r, r->param[0], old))
        return request_aside(r, r->route->handle, NULL);
    if (!json_equal(old, fresh)) {
        if (write_whole(r, json_string_value(json_object_get(r->about, "what")), old, fresh) < 0)
            return -1;
        rule_touch(r, old);
        rule_touch(r, fresh);
    }
    return rule_tell(r, 200, r->param[0], fresh);
}

static int save_edit(struct request *r, const struct saving *saving)
{
    const char *what = json_string_value(json_object_get(r->about, "what"));
    return rule_write_change(r, saving->id, what, saving->old, saving->body);
}

/* On the loop. */
static int settle_edit(struct request *r)
{
    json_t *about = json_incref(r->about); /* outlives the steps to come */
    struct saving saving = {
        .id = r->param[0], .body = json_object_get(about, "fresh"), .old = json_object_get(about, "old")};
    bool undo = json_integer_value(json_object_get(about, "undone")) > 0;
    int result = rule_stands(r, saving.id, saving.old) ? clashes_settle(r, &saving, undo ? save_undo : save_edit)
                                                       : request_aside(r, r->route->handle, NULL);
    json_decref(about);
    return result;
}

/* Checked like a new one. */
static int change_to(struct request *r, const struct target *target, const json_t *wanted)
{
    json_t *fresh = NULL;
    if (carry_check_change(r->c->store, &r->token, target->body, &r->problem) < 0 ||
        rule_check(wanted, r->c->zones, r->c->settings->zone, &r->problem, &fresh) < 0)
        return -1;
    int result = rule_check_named(r, fresh);
    if (result == 0 && r->json && json_object_get(r->json, "carry"))
        result = carry_settle(r->c->store, &r->token, r->json, fresh, &r->problem);
    if (result == 0)
        result = rule_check_ahead(r, fresh);
    if (result == 0)
        result = limits_check_rule(r, fresh);
    if (result == 0)
        return then_write(r, settle_edit, "edit", target->body, fresh, 0);
    json_decref(fresh);
    return result;
}

int api_rule_change(struct request *r)
{
    struct target target;
    if (json_object_get(r->json, "id"))
        return refuse(&r->problem, 422, "member", "id", WORD_MEMBER_STRAY, "id", "PATCH");
    if (rule_known(r->json, &r->problem) < 0 || target_get(r, &target) < 0)
        return -1;
    json_t *wanted = rule_merge(target.body, r->json);
    int result = change_to(r, &target, wanted);
    json_decref(wanted);
    target_done(&target);
    return result;
}

/* A day that can be left out: today or later, and the rule holds on it. */
static int check_day(struct request *r, const json_t *body, const char *date, int64_t day)
{
    struct arena *arena = arena_new();
    struct recurrence recur;
    int64_t today;
    int32_t second;
    int result = 0;
    if (rule_recur(body, r->c->zones, arena, &recur) < 0)
        result = refuse(&r->problem, 422, "value", "zone", WORD_VALUE_ZONE,
                        json_string_value(json_object_get(body, "zone")));
    else if (recur.when == WHEN_ONCE)
        result = refuse(&r->problem, 422, "value", "date", WORD_RULE_ONCE, r->param[0]);
    else if (zone_civil(recur.zone, r->now_ms / 1000, &today, &second), day < today)
        result = refuse(&r->problem, 422, "value", "date", WORD_RULE_DAY_PAST, date);
    else if (!recur_on(&recur, day))
        result = refuse(&r->problem, 422, "value", "date", WORD_RULE_OFF, r->param[0], date);
    else if (recur.n_except >= RECUR_EXCEPT_MAX)
        result = refuse(&r->problem, 422, "value", "date", WORD_RULE_EXCEPT_MANY, recur.n_except + 1,
                        (size_t)RECUR_EXCEPT_MAX);
    arena_free(arena);
    return result;
}

/* -1: not among the days that are left out. */
static int find_day(const json_t *list, const char *date)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(json_string_value(json_array_get(list, i)), date) == 0)
            return (int)i;
    return -1;
}

/* The body with that day left out, or not; in order. New reference. */
static json_t *with_day(const json_t *body, const char *date, bool out)
{
    json_t *fresh = json_copy((json_t *)body), *list = json_object_get(body, "except");
    json_t *days = list ? json_copy(list) : json_array();
    size_t at = 0;
    while (at < json_array_size(days) && strcmp(json_string_value(json_array_get(days, at)), date) < 0)
        at++;
    if (out)
        json_array_insert_new(days, at, json_string(date));
    else
        json_array_remove(days, at);
    if (json_array_size(days))
        json_object_set(fresh, "except", days);
    else
        json_object_del(fresh, "except");
    json_decref(days);
    return fresh;
}

int api_rule_except(struct request *r)
{
    struct form form = {.object = r->json, .problem = &r->problem};
    struct target target;
    const char *date = NULL;
    int64_t day = 0;
    if (form_known(&form, "date") < 0 || form_date(&form, "date", true, &date, &day) < 0 || target_get(r, &target) < 0)
        return -1;
    bool there = find_day(json_object_get(target.body, "except"), date) >= 0;
    int result = there ? 0 : check_day(r, target.body, date, day);
    if (result == 0)
        result = then_write(r, write_change, "exception", target.body,
                            there ? json_incref(target.body) : with_day(target.body, date, true), 0);
    target_done(&target);
    return result;
}

/* A day that comes back is a day more: it is held against limits and others like an edit. */
int api_rule_except_back(struct request *r)
{
    struct target target;
    if (target_get(r, &target) < 0)
        return -1;
    if (find_day(json_object_get(target.body, "except"), r->param[1]) < 0) {
        target_done(&target);
        return refuse(&r->problem, 404, "missing", NULL, WORD_RULE_NO_EXCEPTION, r->param[0], r->param[1]);
    }
    json_t *fresh = with_day(target.body, r->param[1], false);
    int result = limits_check_rule(r, fresh);
    if (result == 0)
        result = then_write(r, settle_edit, "exception taken back", target.body, json_incref(fresh), 0);
    json_decref(fresh);
    target_done(&target);
    return result;
}

/* The body before the last change that stands comes back, as far as it may still be said. */
static int undo(struct request *r, const struct target *target, const json_t *change)
{
    json_t *former = json_object_get(change, "body");
    if (rule_check_named(r, former) < 0 || limits_check_rule(r, former) < 0)
        return -1;
    return then_write(r, settle_edit, NULL, target->body, json_incref(former),
                      json_integer_value(json_object_get(change, "n")));
}

int api_rule_undo(struct request *r)
{
    struct target target;
    if (target_get(r, &target) < 0)
        return -1;
    json_t *change = store_one(r->c->store,
                               "SELECT n, body AS body__json FROM rule_changes WHERE rule = ? AND undone_ms IS NULL"
                               " ORDER BY n DESC LIMIT 1",
                               "s", r->param[0]);
    int result = change ? undo(r, &target, change)
                        : refuse(&r->problem, 409, "conflict", NULL, WORD_RULE_NO_CHANGE, r->param[0]);
    json_decref(change);
    target_done(&target);
    return result;
}

int api_rule_changes(struct request *r)
{
    struct page page;
    if (request_page(r, true, &page) < 0)
        return -1;
    json_t *row = rule_find(r, r->param[0]);
    if (!row)
        return request_missing(r, "rule", r->param[0]);
    json_decref(row);
    json_t *rows = store_list(r->c->store,
                              "SELECT n AS cursor__text, what, body AS before__json, token, made_ms AS made__at,"
                              " undone_ms AS undone__at FROM rule_changes WHERE rule = ? AND n > ? ORDER BY n LIMIT ?",
                              "sii", r->param[0], page.after_n, page.limit + 1);
    return request_reply_page(r, &page, rows);
}
