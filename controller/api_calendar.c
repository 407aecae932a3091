/* api_calendar.c - rules as iCalendar, for the calendars of people. */
#include "controller/api_rules.h"
#include "controller/rules.h"
#include "playlists/ical.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DAYS_MAX = 1830, RULES_MAX = 2000, TEXT_MAX = 1024 * 1024 /* it is written on the loop */ };

/* "from" as a date in the controller's zone (today) and "days" (366). */
static int read_span(struct request *r, int64_t *ret_from_ms, int64_t *ret_until_ms)
{
    const struct zone *zone = zones_get(r->c->zones, r->c->settings->zone);
    const char *from = request_query(r, "from"), *days = request_query(r, "days");
    char *end = NULL;
    int64_t day = 0;
    int32_t second;
    long n = days ? strtol(days, &end, 10) : 366;
    zone_civil(zone, r->now_ms / 1000, &day, &second);
    if (from && civil_parse_date(from, &day) < 0)
        return refuse(&r->problem, 400, "query", NULL, WORD_VALUE_DATE, "from", from);
    if (days && (*days < '0' || *days > '9' || *end || n < 1 || n > DAYS_MAX))
        return refuse(&r->problem, 400, "query", NULL, WORD_VALUE_INT, "days", 1LL, (long long)DAYS_MAX);
    *ret_from_ms = zone_instant_s(zone, day, 0, NULL) * 1000;
    *ret_until_ms = zone_instant_s(zone, day + n, 0, NULL) * 1000;
    return 0;
}

/* The longest of its languages, in seconds; 0: it has no sound. */
static int64_t length_s(const char *text, struct arena *arena)
{
    struct bulletin *bulletin = NULL;
    int64_t frames = 0;
    if (!text || bulletin_decode(text, strlen(text), arena, &bulletin, NULL) < 0)
        return 0;
    for (size_t i = 0; i < bulletin->n_contents; i++)
        if (bulletin->contents[i].audio && bulletin->contents[i].audio->frames > frames)
            frames = bulletin->contents[i].audio->frames;
    return (frames + DOC_RATE_HZ - 1) / DOC_RATE_HZ;
}

/* "areas a001, a002" and so on: what the rule names. */
static const char *where_of(const json_t *row, struct arena *arena)
{
    static const char *const lists[] = {"areas", "groups", "devices"};
    struct buf text = {0};
    const json_t *value;
    size_t i, k;
    for (k = 0; k < sizeof(lists) / sizeof(lists[0]); k++)
        json_array_foreach(json_object_get(row, lists[k]), i, value)
            buf_putf(&text, "%s%s", text.len ? ", " : "", json_string_value(value));
    const char *kept = arena_strndup(arena, buf_text(&text), text.len);
    buf_done(&text);
    return kept;
}

/* Titles and length of what is said. */
static void fill_what(struct request *r, const json_t *row, struct arena *arena, struct ical_event *event)
{
    const char *id = json_string_value(json_object_get(row, "id"));
    json_t *said = store_list(r->c->store,
                              "SELECT b.title, b.body AS text FROM rule_bulletins s JOIN bulletins b ON b.hash ="
                              " s.bulletin WHERE s.rule = ? ORDER BY b.n",
                              "s", id),
           *bulletin;
    const json_t *session = json_object_get(row, "session");
    struct buf titles = {0};
    size_t i;
    json_array_foreach(said, i, bulletin)
    {
        const char *title = json_string_value(json_object_get(bulletin, "title"));
        buf_putf(&titles, "%s%s", i ? "; " : "", title ? title : "");
        if (!session)
            event->length_s = length_s(json_string_value(json_object_get(bulletin, "text")), arena);
    }
    if (session)
        event->length_s = json_integer_value(json_object_get(session, "length_ms")) / 1000;
    event->summary = titles.len ? arena_strndup(arena, buf_text(&titles), titles.len) : id;
    buf_done(&titles);
    json_decref(said);
}

static bool make_event(struct request *r, const json_t *row, struct arena *arena, struct ical_event *ret)
{
    struct recurrence *recur = arena_alloc(arena, sizeof(*recur));
    json_t *body = rule_body_of(row);
    bool fine = rule_recur(body, r->c->zones, arena, recur) == 0;
    json_decref(body);
    if (!fine)
        return false;
    const json_t *id = json_object_get(row, "id"), *class = json_object_get(row, "class");
    *ret = (struct ical_event){.uid = arena_strndup(arena, json_string_value(id), json_string_length(id)),
                               .location = where_of(row, arena),
                               .category = arena_strndup(arena, json_string_value(class), json_string_length(class)),
                               .recur = recur};
    fill_what(r, row, arena, ret);
    return true;
}

static int reply(struct request *r, const json_t *rows, int64_t from_ms, int64_t until_ms)
{
    struct arena *arena = arena_new();
    struct ical_event *events = arena_alloc(arena, (json_array_size(rows) + 1) * sizeof(*events));
    struct buf text = {0};
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(rows) && json_array_size(rows) < RULES_MAX; i++)
        n += make_event(r, json_array_get(rows, i), arena, &events[n]);
    if (json_array_size(rows) >= RULES_MAX ||
        ical_write(r->token.unit, events, n, from_ms, until_ms, r->now_ms, TEXT_MAX, &text) < 0) {
        buf_done(&text);
        arena_free(arena);
        return refuse(&r->problem, 422, "size", NULL, WORD_CALENDAR_LONG, TEXT_MAX / 1024, RULES_MAX);
    }
    r->response = MHD_create_response_from_buffer(text.len, text.data, MHD_RESPMEM_MUST_COPY);
    MHD_add_response_header(r->response, "Content-Type", "text/calendar; charset=utf-8");
    r->status = 200;
    buf_done(&text);
    arena_free(arena);
    return 0;
}

int api_rules_calendar(struct request *r)
{
    int64_t from_ms, until_ms;
    if (read_span(r, &from_ms, &until_ms) < 0)
        return -1;
    json_t *rows = rules_in_force(r, RULES_MAX);
    int result = reply(r, rows, from_ms, until_ms);
    json_decref(rows);
    return result;
}

int api_rule_calendar(struct request *r, const char *id)
{
    int64_t from_ms, until_ms;
    if (read_span(r, &from_ms, &until_ms) < 0)
        return -1;
    json_t *row = rule_find(r, id);
    if (!row)
        return request_missing(r, "rule", id);
    json_t *rows = json_pack("[o]", row);
    int result = reply(r, rows, from_ms, until_ms);
    json_decref(rows);
    return result;
}
