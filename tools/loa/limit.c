/* limit.c - `loa limit`, `loa exempt`, `loa inbox`, `loa carriage`: what may be heard when, and what comes from above.
 */
#include "playlists/base/file.h"
#include "tools/loa/answer.h"
#include "tools/loa/rule_form.h"
#include "tools/loa/sentences.h"

#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 256 * 1024 };

static void put_text(const struct call *call, const char *option, const char *member, json_t *body)
{
    if (call_option(call, option))
        json_object_set_new(body, member, json_string(call_option(call, option)));
}

static void put_list(const struct call *call, const char *option, const char *member, json_t *body)
{
    json_t *list = option_list(call, option);
    if (list)
        json_object_set_new(body, member, list);
}

static int send_one(const struct call *call, const char *method, const char *route)
{
    char *id = client_escape(call->args[0]);
    char *path = xasprintf("/api/v1/%s/%s", route, id);
    int r = ask(call, method, path, NULL);
    free(path);
    free(id);
    return r;
}

/* Lines of the file get the area that they do not name themselves. */
static int limit_load(struct call *call)
{
    struct buf text = {0};
    json_error_t error;
    const char *area = call_option(call, "area");
    int r = file_read_whole(call->args[0], FILE_MAX, &text);
    if (r < 0) {
        buf_done(&text);
        return refuse(call, "%s: cannot be read: %s", call->args[0], error_in(call->lang, r));
    }
    json_t *body = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, &error), *line;
    json_t *items = json_object_get(body, "items");
    size_t i;
    if (!body)
        r = refuse(call, "%s:%d: is not JSON: %s", call->args[0], error.line, error.text);
    else if (!json_is_array(items))
        r = refuse(call,
                   "%s: has no list \"items\"; right would be {\"items\": [{\"what\": \"quiet_hours\", ...}]}, as in "
                   "limits-rural.json",
                   call->args[0]);
    else {
        json_array_foreach(items, i, line) if (area && json_is_object(line) && !json_object_get(line, "area"))
            json_object_set_new(line, "area", json_string(area));
        r = ask(call, "POST", "/api/v1/limits", body);
    }
    json_decref(body);
    buf_done(&text);
    return r;
}

static const struct column limit_columns[] = {
    {"id", "id"},       {"area", "area"},     {"what", "what"}, {"action", "action"}, {"number", "number"},
    {"noise", "noise"}, {"source", "source"}, {"unit", "unit"}, {NULL, NULL},
};

static int limit_list(struct call *call)
{
    struct buf path = {0};
    buf_putf(&path, "/api/v1/limits");
    query_add(&path, "area", call_option(call, "area"));
    int r = ask_list(call, buf_text(&path), limit_columns);
    buf_done(&path);
    return r;
}

static int limit_delete(struct call *call)
{
    return send_one(call, "DELETE", "limits");
}

static int exempt_add(struct call *call)
{
    static const char *const texts[] = {"order", "person", "reason", "from", "until", "id"};
    json_t *body = json_object();
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        put_text(call, texts[i], texts[i], body);
    put_list(call, "area", "areas", body);
    put_list(call, "device", "devices", body);
    put_list(call, "limit-of", "limits", body);
    int r = ask(call, "POST", "/api/v1/exemptions", body);
    json_decref(body);
    return r;
}

static const struct column exempt_columns[] = {
    {"id", "id"},       {"order", "order"},   {"person", "person"},   {"from", "from"},   {"until", "until"},
    {"areas", "areas"}, {"limits", "limits"}, {"devices", "devices"}, {"ended", "ended"}, {NULL, NULL},
};

static int exempt_list(struct call *call)
{
    return ask_list(call, call_option(call, "ended") ? "/api/v1/exemptions?ended=true" : "/api/v1/exemptions",
                    exempt_columns);
}

static int exempt_end(struct call *call)
{
    return send_one(call, "DELETE", "exemptions");
}

static const struct column inbox_columns[] = {
    {"rule", "rule"},       {"commune", "commune"}, {"state", "state"},   {"class", "class"},
    {"carry", "carry"},     {"times", "times"},     {"window", "window"}, {"times here", "times_here"},
    {"devices", "devices"}, {"title", "title"},     {NULL, NULL},
};

static int inbox_list(struct call *call)
{
    struct buf path = {0};
    buf_putf(&path, "/api/v1/inbox");
    query_add(&path, "commune", call_option(call, "commune"));
    query_add(&path, "state", call_option(call, "state"));
    int r = ask_list(call, buf_text(&path), inbox_columns);
    buf_done(&path);
    return r;
}

/* The command's own name is the answer. */
static int inbox_answer(struct call *call)
{
    json_t *body = json_pack("{s:s}", "answer", call->command->name);
    put_text(call, "commune", "commune", body);
    char *id = client_escape(call->args[0]);
    char *path = xasprintf("/api/v1/inbox/%s", id);
    int r = put_times(call, "times", body);
    if (r == EXIT_OK)
        r = ask(call, "POST", path, body);
    free(path);
    free(id);
    json_decref(body);
    return r;
}

static const struct column carriage_columns[] = {
    {"commune", "commune"}, {"state", "state"}, {"devices", "devices"}, {"planned", "planned"},
    {"heard", "heard"},     {"times", "times"}, {"name", "name"},       {NULL, NULL},
};

static int carriage(struct call *call)
{
    struct buf path = {0};
    buf_putf(&path, "/api/v1/carriage");
    query_add(&path, "rule", call->args[0]);
    int r = ask_list(call, buf_text(&path), carriage_columns);
    buf_done(&path);
    return r;
}

static const struct option_spec load_options[] = {
    {"area", "AREA", "area of the lines that name none", false, false},
    {0},
};

static const struct option_spec limits_options[] = {
    {"area", "AREA", "those that hold for this area, by its path", false, false},
    {"limit", "N", "at most so many (else 100; 0: all)", false, false},
    {0},
};

static const struct option_spec exempt_options[] = {
    {"order", "TEXT", "number of the written order, such as 12/CV-UBND", true, false},
    {"person", "TEXT", "who signed it", true, false},
    {"from", "DATE", "first day", true, false},
    {"until", "DATE", "last day", true, false},
    {"area", "AREA,...", "for these areas", false, true},
    {"device", "DEVICE,...", "and these devices", false, true},
    {"limit-of", "WHAT,...", "quiet_hours, sessions_per_day, minutes_per_session, minutes_per_day, weekdays", true,
     true},
    {"reason", "TEXT", "what for", false, false},
    {"id", "ID", "id (else one is made)", false, false},
    {0},
};

static const struct option_spec exempts_options[] = {
    {"ended", NULL, "also those that are ended", false, false},
    {"limit", "N", "at most so many (else 100; 0: all)", false, false},
    {0},
};

static const struct option_spec inbox_options[] = {
    {"commune", "AREA", "of this commune (else all of the token's unit)", false, false},
    {"state", "STATE", "only pending, taken or declined", false, false},
    {"limit", "N", "at most so many (else 100; 0: all)", false, false},
    {0},
};

static const struct option_spec take_options[] = {
    {"times", "HH:MM,...", "at these times here, such as 06:15,17:30, within the rule's window", false, true},
    {"commune", "AREA", "for this commune (else the token's)", false, false},
    {0},
};

static const struct option_spec answer_options[] = {
    {"commune", "AREA", "for this commune (else the token's)", false, false},
    {0},
};

static const struct option_spec list_options[] = {
    {"limit", "N", "at most so many (else 100; 0: all)", false, false},
    {0},
};

const struct cli_command limit_commands[] = {
    {"limit", "load", "FILE", 1, 1, "Nạp các giới hạn phát thanh từ tệp JSON", "Add limits from a JSON file",
     load_options, limit_load},
    {"limit", "list", "", 0, 0, "Danh sách giới hạn phát thanh", "List limits", limits_options, limit_list},
    {"limit", "delete", "ID", 1, 1, "Bỏ một giới hạn", "Take a limit back", NULL, limit_delete},
    {"exempt", "add", "", 0, 0, "Ghi văn bản cho phép vượt giới hạn", "Enter an order that lifts limits",
     exempt_options, exempt_add},
    {"exempt", "list", "", 0, 0, "Danh sách văn bản cho phép", "List exemptions", exempts_options, exempt_list},
    {"exempt", "end", "ID", 1, 1, "Kết thúc một văn bản cho phép", "End an exemption", NULL, exempt_end},
    {"inbox", "list", "", 0, 0, "Lịch phát cấp trên gửi xuống", "List what came from above", inbox_options, inbox_list},
    {"inbox", "take", "RULE", 1, 1, "Nhận một lịch phát của cấp trên", "Take a rule from above", take_options,
     inbox_answer},
    {"inbox", "decline", "RULE", 1, 1, "Từ chối một lịch phát của cấp trên", "Decline a rule from above",
     answer_options, inbox_answer},
    {"inbox", "wait", "RULE", 1, 1, "Rút lại câu trả lời", "Take the answer back", answer_options, inbox_answer},
    {"carriage", NULL, "RULE", 1, 1, "Xã nào đã phát, chưa phát một lịch", "Who carries a rule, and what was heard",
     list_options, carriage},
    {0},
};
