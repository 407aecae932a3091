/* api_clashes.c - see api_clashes.h. The request waits while another thread looks; then all of it is done at once on
 * the loop, or nothing. */
#include "controller/api_clashes.h"

#include "controller/clashes.h"
#include "controller/limits_together.h"
#include "controller/places.h"
#include "controller/publisher.h"
#include "controller/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLASHES_TOLD_MAX = 20, DAYS_TOLD_MAX = 31, DATES_NAMED_MAX = 3 };

/* "replace": the other rule leaves out its days, or ends. "after", "shift": this rule gets other times. */
static const char *const way_names[] = {"tell", "refuse", "replace", "after", "shift", NULL};
enum way { WAY_TELL, WAY_REFUSE, WAY_REPLACE, WAY_AFTER, WAY_SHIFT };

struct settling {
    struct request *request; /* NULL: the caller is gone */
    struct saving saving;
    char id[44];
    save_fn save;
    enum way way;
};

/* --- words --- */

static const char *class_word(const char *class, bool english)
{
    static const char *const vietnamese[] = {"lấp giờ trống", "thông thường", "ưu tiên", "khẩn cấp"};
    for (int i = 0; air_class_names[i]; i++)
        if (strcmp(air_class_names[i], class) == 0)
            return english ? class : vietnamese[i];
    return class;
}

/* What the devices are called: by their kind when all are of one. */
static const char *devices_word(const json_t *kinds, bool english)
{
    bool sound = true, board = true;
    const json_t *kind;
    size_t i;
    json_array_foreach(kinds, i, kind)
    {
        const char *word = json_string_value(kind);
        board = board && strcmp(word, "board") == 0;
        sound = sound && (strcmp(word, "loudspeaker") == 0 || strcmp(word, "cluster") == 0);
    }
    if (sound)
        return english ? "loudspeaker cluster(s)" : "cụm loa";
    if (board)
        return english ? "board(s)" : "bảng tin";
    return english ? "device(s)" : "thiết bị";
}

static void put_weekdays(struct buf *text, unsigned mask, bool english)
{
    static const char *const names[2][7] = {
        {"thứ Hai", "thứ Ba", "thứ Tư", "thứ Năm", "thứ Sáu", "thứ Bảy", "Chủ nhật"},
        {"Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays"}};
    const char *comma = "";
    if (mask == 0x7f) {
        buf_putf(text, "%s", english ? "every day" : "hằng ngày");
        return;
    }
    buf_putf(text, "%s", english ? "on " : "các ngày ");
    for (int i = 0; i < 7; i++)
        if (mask >> i & 1) {
            buf_putf(text, "%s%s", comma, names[english][i]);
            comma = ", ";
        }
}

/* "2026-07-01" as 01/07/2026 or as it is. */
static void put_date(struct buf *text, const json_t *date, bool english)
{
    const char *is = json_string_value(date);
    if (english || !is || strlen(is) != 10)
        buf_putf(text, "%s", is ? is : "?");
    else
        buf_putf(text, "%.2s/%.2s/%.4s", is + 8, is + 5, is);
}

/* Weekdays say it only where the rule itself goes by them: market days hit every weekday sooner or later. */
static bool goes_by_weekdays(const json_t *body, const json_t *clash)
{
    const char *when = json_string_value(json_object_get(body, "when"));
    return json_is_true(json_object_get(clash, "every_week")) && when &&
           (strcmp(when, "daily") == 0 || strcmp(when, "weekly") == 0);
}

static void put_days(struct buf *text, const json_t *body, const json_t *clash, bool english)
{
    const json_t *days = json_object_get(clash, "days");
    size_t n = json_array_size(days), n_named = n > DATES_NAMED_MAX + 1 ? DATES_NAMED_MAX : n;
    if (n > 1 && goes_by_weekdays(body, clash)) {
        put_weekdays(text, (unsigned)json_integer_value(json_object_get(clash, "weekdays")), english);
        return;
    }
    buf_putf(text, "%s", english ? "on " : n > 1 && n == n_named ? "các ngày " : "ngày ");
    for (size_t i = 0; i < n_named; i++) {
        buf_putf(text, "%s", i ? ", " : "");
        put_date(text, json_array_get(days, i), english);
    }
    if (n > n_named)
        buf_putf(text, english ? " and %zu more days" : " và %zu ngày khác", n - n_named);
}

static void put_time(struct buf *text, const struct zone *zone, int64_t at_ms)
{
    int64_t day;
    int32_t second;
    zone_civil(zone, at_ms / 1000, &day, &second);
    buf_putf(text, "%02d:%02d", (int)second / 3600, (int)second / 60 % 60);
    if (second % 60)
        buf_putf(text, ":%02d", (int)second % 60);
}

/* The title of what the other rule says, or its id. The caller frees it. */
static char *title_of(struct request *r, const char *id)
{
    char *title = store_text(
        r->c->store, "SELECT b.title FROM rules r JOIN bulletins b ON b.hash = r.bulletin WHERE r.id = ?", "s", id);
    return title ? title : xstrdup(id);
}

/* What was done about it: `body` is the rule as it is saved. */
static void put_taken(struct buf *text, const json_t *body, const char *way, bool english)
{
    const json_t *times = json_object_get(body, "times"), *time;
    size_t i;
    if (strcmp(way, way_names[WAY_REPLACE]) == 0) {
        buf_putf(text, "%s", english ? "; this one takes its place there" : "; lịch này phát thay");
        return;
    }
    buf_putf(text, "%s", english ? "; moved to" : "; đã dời sang");
    json_array_foreach(times, i, time) buf_putf(text, "%s %s", i ? "," : "", json_string_value(time));
}

/* "05:10-05:25 trùng với 'Tin huyện' (ưu tiên) trên 12 cụm loa, các ngày thứ Hai; đã dời sang 05:25". `taken`: the way
 * out; NULL: none was taken. */
static json_t *sentence(struct request *r, const json_t *body, const json_t *clash, const json_t *kinds,
                        const char *taken)
{
    bool english = r->english;
    const struct zone *zone = zones_get(r->c->zones, json_string_value(json_object_get(body, "zone")));
    const char *class = json_string_value(json_object_get(clash, "class"));
    char *title = title_of(r, json_string_value(json_object_get(clash, "rule")));
    struct buf text = {0};
    put_time(&text, zone, json_integer_value(json_object_get(clash, "from_ms")));
    buf_putf(&text, "-");
    put_time(&text, zone, json_integer_value(json_object_get(clash, "to_ms")));
    buf_putf(&text, english ? " clashes with '%s' (%s) on %lld %s, " : " trùng với '%s' (%s) trên %lld %s, ", title,
             class_word(class, english), (long long)json_integer_value(json_object_get(clash, "devices")),
             devices_word(kinds, english));
    put_days(&text, body, clash, english);
    if (taken)
        put_taken(&text, body, taken, english);
    json_t *json = json_string(buf_text(&text));
    buf_done(&text);
    free(title);
    return json;
}

static json_t *first_of(const json_t *list, size_t max)
{
    json_t *some = json_array();
    for (size_t i = 0; i < json_array_size(list) && i < max; i++)
        json_array_append(some, json_array_get(list, i));
    return some;
}

static json_t *told_clash(struct request *r, const json_t *body, const json_t *clash, const json_t *kinds,
                          const char *taken)
{
    json_t *told = json_object();
    json_object_set(told, "rule", json_object_get(clash, "rule"));
    json_object_set(told, "class", json_object_get(clash, "class"));
    json_object_set_new(told, "sentence", sentence(r, body, clash, kinds, taken));
    json_object_set_new(told, "from", json_instant(json_integer_value(json_object_get(clash, "from_ms"))));
    json_object_set_new(told, "to", json_instant(json_integer_value(json_object_get(clash, "to_ms"))));
    json_object_set(told, "devices", json_object_get(clash, "devices"));
    json_object_set_new(told, "days", first_of(json_object_get(clash, "days"), DAYS_TOLD_MAX));
    json_object_set_new(told, "n_days", json_integer((json_int_t)json_array_size(json_object_get(clash, "days"))));
    return told;
}

/* --- ways out --- */

static int refuse_clash(struct request *r, const json_t *body, const json_t *report)
{
    const json_t *clashes = json_object_get(report, "clashes");
    json_t *first = sentence(r, body, json_array_get(clashes, 0), json_object_get(report, "kinds"), NULL);
    refuse(&r->problem, 409, "clash", "on_clash", WORD_CLASH, json_string_value(first), json_array_size(clashes));
    json_decref(first);
    return -1;
}

/* Other times for this rule. */
static int move_times(struct request *r, json_t *body, const json_t *report, const char *way)
{
    json_t *times = json_object_get(report, way);
    if (!json_is_array(times))
        return refuse(&r->problem, 409, "clash", "on_clash", WORD_CLASH_FULL, way);
    json_object_set(body, "times", times);
    return 0;
}

/* The other rule leaves out the days on which it is hit, or ends. Within a transaction. */
static int replace_one(struct request *r, const json_t *clash)
{
    const char *id = json_string_value(json_object_get(clash, "rule"));
    json_t *row = rule_find(r, id);
    if (!row)
        return refuse(&r->problem, 403, "scope", "on_clash", WORD_SCOPE, id, r->token.unit);
    json_t *body = rule_body_of(row), *days = json_object_get(clash, "other_days"), *day;
    json_t *list = json_object_get(body, "except"), *fresh = json_copy(body);
    size_t i;
    int result = rule_check_mine(r, row, body);
    bool once = strcmp(json_string_value(json_object_get(body, "when")), "once") == 0;
    if (result == 0 && (once || json_is_true(json_object_get(clash, "other_whole")))) {
        if (store_run(r->c->store, "UPDATE rules SET ended_ms = ? WHERE id = ?", "is", r->now_ms, id) < 0)
            result = request_store_failed(r);
    } else if (result == 0) {
        list = list ? json_copy(list) : json_array();
        json_array_foreach(days, i, day) json_array_append(list, day);
        json_object_set_new(fresh, "except", list);
        json_t *canonical = NULL;
        result = rule_check(fresh, r->c->zones, r->c->settings->zone, &r->problem, &canonical);
        if (result == 0)
            result = rule_write_change(r, id, "replaced", body, canonical);
        json_decref(canonical);
    }
    if (result == 0)
        rule_touch(r, body);
    json_decref(fresh);
    json_decref(body);
    json_decref(row);
    return result;
}

static int take_way(struct settling *s, const json_t *report)
{
    struct request *r = s->request;
    const json_t *clashes = json_object_get(report, "clashes"), *clash;
    size_t i;
    if (json_array_size(clashes) == 0 || s->way == WAY_TELL)
        return 0;
    if (s->way == WAY_REFUSE)
        return refuse_clash(r, s->saving.body, report);
    if (s->way == WAY_AFTER || s->way == WAY_SHIFT)
        return move_times(r, s->saving.body, report, way_names[s->way]);
    json_array_foreach(clashes, i, clash) if (replace_one(r, clash) < 0) return -1;
    return 0;
}

static void tell_clashes(struct settling *s, const json_t *report)
{
    struct request *r = s->request;
    const json_t *clashes = json_object_get(report, "clashes"), *clash;
    const char *taken = s->way == WAY_TELL ? NULL : way_names[s->way];
    json_t *told = json_array();
    size_t i;
    json_array_foreach(clashes, i, clash) if (i < CLASHES_TOLD_MAX)
        json_array_append_new(told, told_clash(r, s->saving.body, clash, json_object_get(report, "kinds"), taken));
    json_object_set_new(r->reply, "clashes", report ? json_incref(told) : json_null());
    json_decref(told);
    if (json_array_size(clashes))
        json_object_set_new(r->reply, "ways",
                            json_pack("{s:b, s:O, s:O}", "replace", 1, "after", json_object_get(report, "after"),
                                      "shift", json_object_get(report, "shift")));
    if (json_array_size(clashes) && s->way != WAY_TELL)
        json_object_set_new(r->reply, "way", json_string(way_names[s->way]));
}

/* The rule is still what the change was made from: else an edit in between would be lost. */
static int check_base(struct request *r, const struct settling *s)
{
    if (!s->saving.old)
        return 0;
    json_t *row = rule_find(r, s->id), *now = row ? rule_body_of(row) : NULL;
    bool same = now && json_equal(now, s->saving.old) && json_is_null(json_object_get(row, "ended")) != s->saving.ended;
    json_decref(now);
    json_decref(row);
    return same ? 0 : refuse(&r->problem, 409, "conflict", NULL, WORD_RULE_MEANWHILE, s->id);
}

/* All of it, or nothing. */
static int settle(struct settling *s, const json_t *report)
{
    struct request *r = s->request;
    const json_t *excess = json_object_get(report, s->way == WAY_REPLACE ? "excess_replaced" : "excess");
    if (!report && (s->way != WAY_TELL || limits_refuse_days(r->c->store)))
        return refuse(&r->problem, 503, "busy", NULL, WORD_BUSY);
    if (check_base(r, s) < 0 || limits_check_together(r, excess) < 0)
        return -1;
    if (store_begin(r->c->store) < 0)
        return request_store_failed(r);
    if (take_way(s, report) < 0 || s->save(r, &s->saving) < 0) {
        store_rollback(r->c->store);
        return -1;
    }
    if (store_commit(r->c->store) < 0)
        return request_store_failed(r);
    if (s->saving.old)
        rule_touch(r, s->saving.old);
    rule_touch(r, s->saving.body);
    if (rule_tell(r, s->saving.old ? 200 : 201, s->id, s->saving.body) < 0)
        return -1;
    tell_clashes(s, report);
    json_object_set_new(r->reply, "warnings", limits_warn_together(r, excess));
    return 0;
}

static void on_report(void *arg, json_t *report)
{
    struct settling *s = arg;
    struct request *r = s->request;
    if (r && settle(s, report) == 0)
        request_finish(r, r->status, json_incref(r->reply));
    else if (r)
        request_finish(r, 0, NULL);
    json_decref(report);
    json_decref(s->saving.body);
    json_decref(s->saving.old);
    free(s);
}

static void on_request_gone(void *arg)
{
    ((struct settling *)arg)->request = NULL;
}

static int way_of(struct request *r, enum way *ret)
{
    struct form form = {.object = r->json, .problem = &r->problem};
    int way = WAY_TELL;
    if (form_choice(&form, "on_clash", false, way_names, &way) < 0)
        return -1;
    *ret = (enum way)way;
    return 0;
}

int clashes_settle(struct request *r, const struct saving *saving, save_fn save)
{
    struct settling *s = xcalloc(1, sizeof(*s));
    if (way_of(r, &s->way) < 0) {
        free(s);
        return -1;
    }
    s->request = r;
    s->saving = *saving;
    s->save = save;
    snprintf(s->id, sizeof(s->id), "%s", saving->id);
    s->saving.id = s->id;
    json_incref(s->saving.body);
    json_incref(s->saving.old);
    if (clashes_find(r->c->clashes, r->token.id, s->id, s->saving.body, NULL, on_report, s) < 0) {
        json_decref(s->saving.body);
        json_decref(s->saving.old);
        free(s);
        return refuse(&r->problem, 503, "busy", NULL, WORD_BUSY);
    }
    return request_suspend(r, s, on_request_gone);
}
