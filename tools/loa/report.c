/* report.c - `loa receipts`, `loa events`, `loa follow`, `loa status`, `loa whoami`: what was heard and shown. */
#include "playlists/base/clock.h"
#include "tools/loa/answer.h"
#include "tools/loa/line.h"
#include "tools/loa/when.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FOLLOW_WAIT_MIN_MS = 250, FOLLOW_WAIT_MAX_MS = 10000, CATCH_UP_ITEMS = 1000 };

static const struct column event_columns[] = {
    {"at", "at"},       {"device", "device"}, {"meaning", "meaning"}, {"code", "code"},
    {"about", "about"}, {"detail", "detail"}, {NULL, NULL},
};

/* --since and --until as instants of the query. */
static int add_window(const struct call *call, struct buf *path)
{
    static const char *const names[][2] = {{"since", "from"}, {"until", "to"}};
    struct complaint why = {0};
    struct zone *zone = NULL;
    int r = EXIT_OK;
    for (size_t i = 0; i < 2 && r == EXIT_OK; i++) {
        const char *text = call_option(call, names[i][0]);
        int64_t at_ms;
        char instant[32];
        if (!text)
            continue;
        if ((!zone && zone_load(NULL, WHEN_ZONE, &zone, &why) < 0) ||
            when_parse(text, zone, i == 1, i == 0 ? "--since" : "--until", &at_ms, &why) < 0) {
            r = misused(call, "%s", why.text);
            break;
        }
        when_format_utc(at_ms, instant);
        query_add(path, names[i][1], instant);
    }
    zone_free(zone);
    return r;
}

static int list_log(struct call *call, const char *route, const char *filter, print_items_fn print, const void *how)
{
    struct buf path = {0};
    buf_putf(&path, "%s", route);
    query_add(&path, "device", call_option(call, "device"));
    query_add(&path, filter, call_option(call, filter));
    query_add(&path, "order", call_option(call, "newest") ? "desc" : NULL);
    int r = add_window(call, &path);
    if (r == EXIT_OK)
        r = ask_list_as(call, buf_text(&path), print, how);
    buf_done(&path);
    return r;
}

static void print_receipts(const struct call *call, const json_t *items, const void *how)
{
    (void)call;
    const struct line_style *style = how;
    size_t i;
    const json_t *item;
    json_array_foreach((json_t *)(uintptr_t)items, i, item)
    {
        struct buf line = {0};
        if (line_put("receipt", item, style, &line))
            puts(buf_text(&line));
        buf_done(&line);
    }
}

static int receipts(struct call *call)
{
    struct zone *zone = NULL;
    if (zone_load(NULL, WHEN_ZONE, &zone, NULL) < 0)
        zone = NULL; /* then the times are in UTC */
    struct line_style style = {call->lang, zone, true, clock_wall_ms()};
    int r = list_log(call, "/api/v1/receipts", "rule", print_receipts, &style);
    zone_free(zone);
    return r;
}

/* What the codes mean, in the reader's language. */
static void print_events(const struct call *call, const json_t *items, const void *how)
{
    json_t *item;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)items, i, item) json_object_set(
        item, "meaning",
        (json_t *)(uintptr_t)answer_at(item, strcmp(call->lang, "en") == 0 ? "meaning.en" : "meaning.vi"));
    print_columns(call, items, how);
}

static int events(struct call *call)
{
    return list_log(call, "/api/v1/events", "code", print_events, event_columns);
}

/* What `follow` knows across connections: the last record of each kind that was printed. */
struct follow {
    const struct call *call;
    struct client *client;
    struct zone *zone;
    char *receipts, *events; /* cursors, owned; NULL before the first hello */
    bool connected;          /* this connection said hello */
    int64_t left;            /* events still wanted; negative: no end */
};

static bool print_event(struct follow *f, const char *kind, const json_t *item)
{
    if (f->call->json) {
        json_t *line = json_pack("{s:s,s:O}", "event", kind, "data", item);
        char *text = json_dumps(line, JSON_COMPACT);
        puts(text ? text : "{}");
        free(text);
        json_decref(line);
    } else {
        struct buf line = {0};
        struct line_style style = {f->call->lang, f->zone, false, clock_wall_ms()};
        if (line_put(kind, item, &style, &line))
            puts(buf_text(&line));
        buf_done(&line);
    }
    bool counts = strcmp(kind, "hello") != 0;
    f->left -= counts && f->left > 0;
    return f->left != 0;
}

static void remember(char **cursor, const char *text)
{
    char *copy = text ? xstrdup(text) : NULL;
    if (copy) {
        free(*cursor);
        *cursor = copy;
    }
}

/* Print what was stored between the last cursor and now, while nobody listened. */
static bool catch_up(struct follow *f, const char *kind, const char *route, char **cursor)
{
    struct complaint why = {0};
    struct buf path = {0};
    struct client *client; /* the stream's own connection is busy */
    json_t *page = NULL, *item;
    size_t i;
    bool more = true;
    if (!*cursor || client_new(f->call, &client) != EXIT_OK)
        return true;
    buf_putf(&path, "%s?limit=%d", route, CATCH_UP_ITEMS);
    query_add(&path, "after", *cursor);
    query_add(&path, "device", call_option(f->call, "device"));
    if (client_send(client, "GET", buf_text(&path), NULL, &page, &why) < 0)
        (void)refuse(f->call, "%s", why.text);
    json_array_foreach(json_object_get(page, "items"), i, item)
    {
        more = more && print_event(f, kind, item);
        remember(cursor, answer_text(item, "cursor", NULL));
    }
    json_decref(page);
    buf_done(&path);
    client_free(client);
    return more;
}

static bool on_event(void *arg, const char *kind, const char *data)
{
    struct follow *f = arg;
    json_t *item = json_loads(data, JSON_REJECT_DUPLICATES, NULL);
    bool more = true;
    if (!json_is_object(item)) {
        json_decref(item);
        return true;
    }
    if (strcmp(kind, "hello") == 0) {
        f->connected = true;
        more = print_event(f, kind, item) && catch_up(f, "receipt", "/api/v1/receipts", &f->receipts) &&
               catch_up(f, "event", "/api/v1/events", &f->events);
        if (!f->receipts)
            remember(&f->receipts, answer_text(item, "receipts", NULL));
        if (!f->events)
            remember(&f->events, answer_text(item, "events", NULL));
    } else {
        more = print_event(f, kind, item);
        if (strcmp(kind, "receipt") == 0)
            remember(&f->receipts, answer_text(item, "cursor", NULL));
        if (strcmp(kind, "event") == 0)
            remember(&f->events, answer_text(item, "cursor", NULL));
    }
    json_decref(item);
    return more;
}

/* Follow until told to stop. A connection that once stood is made again, with growing patience; one that never stood
 * is an error at once. */
static int follow_stream(struct follow *f, const char *path)
{
    int64_t wait_ms = FOLLOW_WAIT_MIN_MS;
    bool ever = false;
    for (;;) {
        struct complaint why = {0};
        f->connected = false;
        int r = client_stream(f->client, path, on_event, f, &why);
        if (r == 0)
            return EXIT_OK;
        ever = ever || f->connected;
        if (!ever || call_option(f->call, "once"))
            return refuse(f->call, "%s", why.text);
        wait_ms = f->connected ? FOLLOW_WAIT_MIN_MS : wait_ms * 2;
        wait_ms = wait_ms < FOLLOW_WAIT_MAX_MS ? wait_ms : FOLLOW_WAIT_MAX_MS;
        (void)refuse(f->call, "%s; trying again", why.text);
        nanosleep(&(struct timespec){wait_ms / 1000, wait_ms % 1000 * 1000000}, NULL);
    }
}

static int follow(struct call *call)
{
    struct follow f = {.call = call, .left = -1};
    struct complaint why = {0};
    struct buf path = {0};
    int r = call_number(call, "count", 1, INT64_C(1) << 40, &f.left);
    if (r == EXIT_OK)
        r = client_new(call, &f.client);
    if (r != EXIT_OK)
        return r;
    if (zone_load(NULL, WHEN_ZONE, &f.zone, &why) < 0)
        f.zone = NULL;
    buf_putf(&path, "/api/v1/stream");
    query_add(&path, "device", call_option(call, "device"));
    r = follow_stream(&f, buf_text(&path));
    buf_done(&path);
    free(f.receipts);
    free(f.events);
    zone_free(f.zone);
    client_free(f.client);
    return r;
}

static int status(struct call *call)
{
    return ask(call, "GET", "/api/v1/status", NULL);
}

static int whoami(struct call *call)
{
    return ask(call, "GET", "/api/v1/whoami", NULL);
}

static const struct option_spec receipt_options[] = {
    {"device", "DEVICE", "only of this device", false, false},
    {"rule", "RULE", "only of this rule", false, false},
    {"since", "INSTANT", "planned at or after this", false, false},
    {"until", "INSTANT", "planned before this; a date counts to its end", false, false},
    {"newest", NULL, "newest first", false, false},
    {"limit", "N", "at most so many (else 100; 0: all)", false, false},
    {0},
};

static const struct option_spec event_options[] = {
    {"device", "DEVICE", "only of this device", false, false},
    {"code", "CODE", "only this code", false, false},
    {"since", "INSTANT", "at or after this", false, false},
    {"until", "INSTANT", "before this; a date counts to its end", false, false},
    {"newest", NULL, "newest first", false, false},
    {"limit", "N", "at most so many (else 100; 0: all)", false, false},
    {0},
};

static const struct option_spec follow_options[] = {
    {"device", "DEVICE", "only of this device", false, false},
    {"count", "N", "end after so many events", false, false},
    {"once", NULL, "end with an error when the connection breaks", false, false},
    {0},
};

const struct cli_command report_commands[] = {
    {"receipts", NULL, "", 0, 0, "Nhật ký phát", "The play log", receipt_options, receipts},
    {"events", NULL, "", 0, 0, "Sự kiện", "What devices and the controller noticed", event_options, events},
    {"follow", NULL, "", 0, 0, "Theo dõi trực tiếp, mỗi sự kiện một dòng", "Follow live, one line an event",
     follow_options, follow},
    {"status", NULL, "", 0, 0, "Tình trạng bộ điều khiển trung tâm", "State of the controller", NULL, status},
    {"whoami", NULL, "", 0, 0, "Mã truy cập này là của ai", "Whose token this is", NULL, whoami},
    {0},
};
