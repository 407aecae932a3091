/* api_inbox_answer.c - what a commune says to a rule from above: it takes, declines or moves it. What is heard more or
 * elsewhere by that is held against the limits there, as a rule is that is saved: by itself aside, with the others in
 * clashes.h; then it is written on the loop. */
#include "controller/api_inbox.h"

#include "controller/areas.h"
#include "controller/clashes.h"
#include "controller/limits_rule.h"
#include "controller/limits_together.h"
#include "controller/places.h"
#include "controller/publisher.h"
#include "playlists/recur.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const answer_names[] = {"take", "decline", "wait", NULL};
enum answer { ANSWER_TAKE, ANSWER_DECLINE, ANSWER_WAIT };

struct word_of {
    int answer;
    const json_t *times;
    char *commune; /* owned */
    json_t *row;   /* the rule as it waits for the commune; owned */
};

/* A word whose limits are looked at. */
struct answering {
    struct request *request; /* NULL: the caller is gone */
    json_t *about;           /* what was checked; owned */
};

static void word_done(struct word_of *word)
{
    json_decref(word->row);
    free(word->commune);
}

static int read_times(struct request *r, const struct form *form, struct word_of *word)
{
    const json_t *value;
    size_t i;
    int32_t second;
    if (form_list(form, "times", false, 1, RECUR_TIMES_MAX, &word->times) < 0)
        return -1;
    json_array_foreach(word->times, i, value)
    {
        const char *text = json_string_value(value);
        char name[32];
        snprintf(name, sizeof(name), "times[%zu]", i);
        if (!text || civil_parse_time(text, &second) < 0)
            return refuse(&r->problem, 422, "value", name, WORD_VALUE_TIME, name, text ? text : "?");
        for (size_t j = 0; j < i; j++)
            if (json_equal(json_array_get(word->times, j), value))
                return refuse(&r->problem, 422, "value", name, WORD_VALUE_TWICE, name, text);
    }
    return word->times && word->answer != ANSWER_TAKE
               ? refuse(&r->problem, 422, "member", "times", WORD_MEMBER_STRAY, "times", answer_names[word->answer])
               : 0;
}

static int read_word(struct request *r, struct word_of *word)
{
    struct form form = {.object = r->json, .problem = &r->problem};
    const char *commune = NULL;
    if (form_known(&form, "answer times commune") < 0 ||
        form_choice(&form, "answer", true, answer_names, &word->answer) < 0 ||
        form_id(&form, "commune", false, &commune) < 0 || read_times(r, &form, word) < 0)
        return -1;
    if (commune && !area_exists(r->c->store, commune))
        return refuse(&r->problem, 422, "value", "commune", WORD_NO_AREA, "commune", commune);
    if (commune && !area_in_unit(r->c->store, commune, r->token.unit))
        return refuse(&r->problem, 403, "scope", "commune", WORD_SCOPE, commune, r->token.unit);
    /* A village's token does not answer for its commune. */
    word->commune = commune ? xstrdup(commune) : area_commune(r->c->store, r->token.unit);
    if (!word->commune || !area_in_unit(r->c->store, word->commune, r->token.unit))
        return refuse(&r->problem, 422, "member", "commune", WORD_INBOX_WHERE, r->token.unit);
    return 0;
}

static int64_t minute_of(const json_t *window, const char *name)
{
    const char *text = json_string_value(json_object_get(window, name));
    int32_t second = 86400;
    if (!text || (strcmp(text, "24:00") != 0 && civil_parse_time(text, &second) < 0))
        return 0;
    return second / 60;
}

static int check_window(struct request *r, const json_t *window, const json_t *times)
{
    int64_t from = minute_of(window, "from"), to = minute_of(window, "to");
    const json_t *value;
    size_t i;
    json_array_foreach(times, i, value)
    {
        const char *text = json_string_value(value);
        int32_t second = 0;
        bool read = civil_parse_time(text, &second) >= 0;
        int64_t minute = second / 60;
        bool in = read && (from < to ? minute >= from && minute < to : minute >= from || minute < to);
        if (!in)
            return refuse(&r->problem, 422, "value", "times", WORD_INBOX_WINDOW, text,
                          json_string_value(json_object_get(window, "from")),
                          json_string_value(json_object_get(window, "to")));
    }
    return 0;
}

static bool is_must(const struct word_of *word)
{
    return strcmp(json_string_value(json_object_get(word->row, "carry")), "must") == 0;
}

static int check_word(struct request *r, const struct word_of *word)
{
    const json_t *window = json_object_get(word->row, "window");
    size_t own = json_array_size(json_object_get(word->row, "times")), n = json_array_size(word->times);
    if (is_must(word) && word->answer == ANSWER_DECLINE)
        return refuse(&r->problem, 409, "conflict", "answer", WORD_INBOX_MUST, r->param[0]);
    if (!word->times)
        return 0;
    if (is_must(word) && !json_is_object(window))
        return refuse(&r->problem, 409, "conflict", "times", WORD_INBOX_FIXED, r->param[0]);
    if (is_must(word) && n != own)
        return refuse(&r->problem, 422, "value", "times", WORD_INBOX_COUNT, n, own);
    return json_is_object(window) ? check_window(r, window, word->times) : 0;
}

/* On 0 the caller has word_done() to call. */
static int word_get(struct request *r, struct word_of *ret)
{
    struct word_of word = {0};
    int result = read_word(r, &word);
    word.row = result == 0 ? inbox_find(r, r->param[0], word.commune) : NULL;
    if (result == 0 && !word.row)
        result = refuse(&r->problem, 404, "missing", NULL, WORD_INBOX_NOT, r->param[0], word.commune);
    if (result == 0)
        result = check_word(r, &word);
    if (result < 0)
        word_done(&word);
    else
        *ret = word;
    return result;
}

/* When it would be heard there: NULL: not at all. Borrowed. */
static const json_t *times_of(const struct word_of *word, bool holds, const json_t *times)
{
    if (!holds && !is_must(word))
        return NULL;
    return json_array_size(times) > 0 ? times : json_object_get(word->row, "times");
}

/* More or other times than up to now: limits are asked then. */
static bool is_more(const struct word_of *word)
{
    bool held = strcmp(json_string_value(json_object_get(word->row, "state")), "taken") == 0;
    const json_t *now = times_of(word, held, json_object_get(word->row, "times_here"));
    const json_t *then = times_of(word, word->answer == ANSWER_TAKE, word->times);
    return then && (!now || !json_equal(now, then));
}

/* --- done aside --- */

/* The rule as it would be there. New reference; NULL: it is gone. */
static json_t *body_there(struct request *r, const struct word_of *word)
{
    json_t *row = store_one(r->c->store, "SELECT body AS body__json FROM rules WHERE id = ?", "s", r->param[0]);
    json_t *body = row ? json_deep_copy(json_object_get(row, "body")) : NULL;
    if (body && json_array_size(word->times) > 0)
        json_object_set(body, "times", (json_t *)word->times);
    json_decref(row);
    return body;
}

static int check_limits(struct request *r, const struct word_of *word, json_t *warnings)
{
    json_t *body = is_more(word) ? body_there(r, word) : NULL;
    int result = body ? limits_check_within(r, body, word->commune, warnings) : 0;
    json_decref(body);
    return result;
}

static int settle_word(struct request *r);

int api_inbox_answer(struct request *r)
{
    struct word_of word;
    if (word_get(r, &word) < 0)
        return -1;
    json_t *warnings = json_array();
    int result = check_limits(r, &word, warnings);
    if (result == 0)
        result = request_on_loop(r, settle_word, json_pack("{s:O, s:O}", "row", word.row, "warnings", warnings));
    json_decref(warnings);
    word_done(&word);
    return result;
}

/* --- on the loop --- */

static int write_word(struct request *r, const struct word_of *word)
{
    int n = word->answer == ANSWER_WAIT
                ? store_run(r->c->store, "DELETE FROM placements WHERE rule = ? AND area = ?", "ss", r->param[0],
                            word->commune)
                : store_run(r->c->store, "INSERT OR REPLACE INTO placements VALUES (?, ?, ?, ?, ?, ?)", "sssjsi",
                            r->param[0], word->commune, word->answer == ANSWER_TAKE ? "taken" : "declined", word->times,
                            r->token.id, r->now_ms);
    if (n < 0)
        return request_store_failed(r);
    json_t *devices = areas_devices(r->c->store, word->commune);
    publisher_touch_list(r->c->publisher, devices);
    json_decref(devices);
    return 0;
}

/* What was checked is still so: else it is checked again. */
static int word_again(struct request *r, const json_t *about, struct word_of *ret)
{
    if (word_get(r, ret) < 0)
        return -1;
    if (json_equal(ret->row, json_object_get(about, "row")))
        return 0;
    word_done(ret);
    return refuse(&r->problem, 409, "conflict", NULL, WORD_RULE_MEANWHILE, r->param[0]);
}

/* `report`: NULL when nothing was looked at. */
static int save_word(struct request *r, const json_t *about, const json_t *report)
{
    const json_t *excess = json_object_get(report, "excess");
    struct word_of word;
    if (word_again(r, about, &word) < 0)
        return -1;
    int result = limits_check_together(r, excess);
    if (result == 0)
        result = write_word(r, &word);
    if (result == 0) {
        json_t *warnings = json_copy(json_object_get(about, "warnings")), *more = limits_warn_together(r, excess);
        json_array_extend(warnings, more);
        json_decref(more);
        result = request_reply(r, 200, inbox_find(r, r->param[0], word.commune));
        json_object_set_new(r->reply, "warnings", warnings);
    }
    word_done(&word);
    return result;
}

static void on_report(void *arg, json_t *report)
{
    struct answering *a = arg;
    struct request *r = a->request;
    int result = -1;
    if (r && !report && limits_refuse_days(r->c->store))
        refuse(&r->problem, 503, "busy", NULL, WORD_BUSY);
    else if (r)
        result = save_word(r, a->about, report);
    if (r)
        request_finish(r, r->status, result == 0 ? json_incref(r->reply) : NULL);
    json_decref(report);
    json_decref(a->about);
    free(a);
}

static void on_request_gone(void *arg)
{
    ((struct answering *)arg)->request = NULL;
}

/* What the rule and those of the commune want together of a day. */
static int look_together(struct request *r, const struct word_of *word)
{
    json_t *row = store_one(r->c->store, "SELECT body AS body__json FROM rules WHERE id = ?", "s", r->param[0]);
    json_t *placed = json_pack("{s:s, s:s?, s:O?}", "area", word->commune, "state",
                               word->answer == ANSWER_TAKE ? "taken" : NULL, "times", word->times);
    struct answering *a = xcalloc(1, sizeof(*a));
    *a = (struct answering){r, json_incref(r->about)};
    int result =
        clashes_find(r->c->clashes, r->token.id, r->param[0], json_object_get(row, "body"), placed, on_report, a);
    json_decref(placed);
    json_decref(row);
    if (result == 0)
        return request_suspend(r, a, on_request_gone);
    json_decref(a->about);
    free(a);
    return refuse(&r->problem, 503, "busy", NULL, WORD_BUSY);
}

static int settle_word(struct request *r)
{
    struct word_of word;
    json_t *about = json_incref(r->about); /* outlives the steps to come */
    int result = word_again(r, about, &word);
    if (result == 0) {
        result = is_more(&word) ? look_together(r, &word) : save_word(r, about, NULL);
        word_done(&word);
    }
    json_decref(about);
    return result;
}
