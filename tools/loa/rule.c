/* rule.c - `loa rule`: when and where a bulletin or a session goes on air. */
#include "tools/loa/answer.h"
#include "tools/loa/rule_form.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Sentences of the answer that people should see, on stderr. */
static void tell_warnings(const struct call *call, const json_t *answer)
{
    static const char *const lists[] = {"warnings", "clashes"};
    const json_t *value;
    size_t i;
    for (size_t k = 0; k < 2; k++)
        json_array_foreach((json_t *)(uintptr_t)answer_at(answer, lists[k]), i, value)
        {
            /* Two rules may say bulletins of one title: the id tells them apart. */
            char *text = json_is_string(value) ? xasprintf("%s", json_string_value(value))
                                               : xasprintf("%s [%s]", answer_text(value, "sentence", "?"),
                                                           answer_text(value, "rule", "?"));
            warn(call, text);
            free(text);
        }
}

/* Send it; the id for people, the whole answer with --json. */
static int send_rule(const struct call *call, const char *method, const char *path, const json_t *body)
{
    struct client *client = NULL;
    struct complaint why = {0};
    json_t *answer = NULL;
    int r = client_new(call, &client);
    if (r == EXIT_OK && client_send(client, method, path, body, &answer, &why) < 0)
        r = refuse(call, "%s", why.text);
    if (r == EXIT_OK && call->json)
        print_value(call, answer);
    if (r == EXIT_OK && !call->json) {
        printf("%s\n", answer_text(answer, "id", "?"));
        tell_warnings(call, answer);
    }
    json_decref(answer);
    client_free(client);
    return r;
}

static int rule_add(struct call *call)
{
    json_t *rule = json_object();
    int r = rule_form(call, true, rule);
    if (r == EXIT_OK)
        r = send_rule(call, "POST", "/api/v1/rules", rule);
    json_decref(rule);
    return r;
}

/* "/api/v1/rules/ID" and what follows it; the caller owns it. */
static char *path_of(const struct call *call, const char *behind, const char *last)
{
    char *id = client_escape(call->args[0]), *more = client_escape(last);
    char *path = xasprintf("/api/v1/rules/%s%s%s", id, behind, more);
    free(id);
    free(more);
    return path;
}

static int rule_change(struct call *call)
{
    json_t *rule = json_object(), *unset = option_list(call, "unset"), *name;
    char *path = path_of(call, "", "");
    size_t i;
    int r = rule_form(call, false, rule);
    json_array_foreach(unset, i, name) json_object_set_new(rule, json_string_value(name), json_null());
    if (r == EXIT_OK && json_object_size(rule) == 0)
        r = misused(call, "nothing is changed; options such as --at 05:30 would be right");
    if (r == EXIT_OK)
        r = send_rule(call, "PATCH", path, rule);
    free(path);
    json_decref(unset);
    json_decref(rule);
    return r;
}

static const struct column rule_columns[] = {
    {"id", "id"},           {"when", "when"},   {"date", "date"},   {"times", "times"},       {"areas", "areas"},
    {"devices", "devices"}, {"class", "class"}, {"ended", "ended"}, {"bulletin", "bulletin"}, {NULL, NULL},
};

static int rule_list(struct call *call)
{
    return ask_list(call, call_option(call, "ended") ? "/api/v1/rules?ended=true" : "/api/v1/rules", rule_columns);
}

static int one_rule(const struct call *call, const char *method, const char *behind, const char *last)
{
    char *path = path_of(call, behind, last);
    int r = ask(call, method, path, NULL);
    free(path);
    return r;
}

static int rule_show(struct call *call)
{
    return one_rule(call, "GET", "", "");
}

static int rule_delete(struct call *call)
{
    return one_rule(call, "DELETE", "", "");
}

static int rule_restore(struct call *call)
{
    return one_rule(call, "POST", "/restore", "");
}

static int rule_undo(struct call *call)
{
    return one_rule(call, "POST", "/undo", "");
}

static int rule_skip(struct call *call)
{
    if (call_option(call, "take-back"))
        return one_rule(call, "DELETE", "/exceptions/", call->args[1]);
    json_t *body = json_pack("{s:s}", "date", call->args[1]);
    char *path = path_of(call, "/exceptions", "");
    int r = body ? send_rule(call, "POST", path, body) : misused(call, "the date is not UTF-8 text");
    free(path);
    json_decref(body);
    return r;
}

static const struct column change_columns[] = {
    {"made", "made"}, {"what", "what"}, {"token", "token"}, {"undone", "undone"}, {NULL, NULL},
};

static int rule_changes(struct call *call)
{
    char *path = path_of(call, "/changes", "");
    int r = ask_list(call, path, change_columns);
    free(path);
    return r;
}

/* iCalendar to standard output. */
static int rule_calendar(struct call *call)
{
    struct client *client = NULL;
    struct complaint why = {0};
    struct buf text = {0}, path = {0};
    char *one = call->n_args ? path_of(call, ".ics", "") : NULL;
    buf_putf(&path, "%s", one ? one : "/api/v1/rules.ics");
    query_add(&path, "from", call_option(call, "from"));
    query_add(&path, "days", call_option(call, "days"));
    int r = client_new(call, &client);
    if (r == EXIT_OK && client_get_bytes(client, buf_text(&path), CLIENT_ANSWER_MAX, &text, &why) < 0)
        r = refuse(call, "%s", why.text);
    if (r == EXIT_OK)
        fwrite(text.data, 1, text.len, stdout);
    client_free(client);
    buf_done(&path);
    buf_done(&text);
    free(one);
    return r;
}

static const struct option_spec add_options[] = {
    {"bulletin", "HASH", "what", false, false},
    {"session", "FILE", "or a session: its JSON (controller/API.md)", false, false},
    RULE_FORM_OPTIONS,
    {"id", "ID", "id (else one is made)", false, false},
    {0},
};

static const struct option_spec change_options[] = {
    {"bulletin", "HASH", "another bulletin", false, false},
    {"session", "FILE", "another session", false, false},
    RULE_FORM_OPTIONS,
    {"unset", "MEMBER,...", "members of the API (controller/API.md) that are as if never said again", false, true},
    {0},
};

static const struct option_spec list_options[] = {
    {"ended", NULL, "also those that are ended", false, false},
    {"limit", "N", "at most so many (else 100; 0: all)", false, false},
    {0},
};

static const struct option_spec skip_options[] = {
    {"take-back", NULL, "it plays on that day again", false, false},
    {0},
};

static const struct option_spec changes_options[] = {
    {"limit", "N", "at most so many (else 100; 0: all)", false, false},
    {0},
};

static const struct option_spec calendar_options[] = {
    {"from", "DATE", "first day (else today)", false, false},
    {"days", "N", "so many days (else 366); what comes again by itself goes on beyond", false, false},
    {0},
};

const struct cli_command rule_commands[] = {
    {"rule", "add", "", 0, 0, "Đặt lịch phát cho một bản tin hoặc một buổi phát", "Schedule a bulletin or a session",
     add_options, rule_add},
    {"rule", "list", "", 0, 0, "Danh sách lịch phát", "List rules", list_options, rule_list},
    {"rule", "show", "ID", 1, 1, "Xem một lịch phát", "Show one rule", NULL, rule_show},
    {"rule", "change", "ID", 1, 1, "Sửa lịch phát: chỉ những gì ghi ra mới đổi", "Change a rule: only what is said",
     change_options, rule_change},
    {"rule", "skip", "ID DATE", 2, 2, "Bỏ một ngày của lịch phát", "Leave out one day of a rule", skip_options,
     rule_skip},
    {"rule", "undo", "ID", 1, 1, "Hoàn tác lần sửa gần nhất", "Undo the last change of a rule", NULL, rule_undo},
    {"rule", "changes", "ID", 1, 1, "Các lần sửa của lịch phát", "List the changes of a rule", changes_options,
     rule_changes},
    {"rule", "delete", "ID", 1, 1, "Kết thúc một lịch phát", "End a rule: nothing of it plays any more", NULL,
     rule_delete},
    {"rule", "restore", "ID", 1, 1, "Khôi phục lịch phát đã kết thúc", "Undo the end of a rule", NULL, rule_restore},
    {"rule", "calendar", "[ID]", 0, 1, "Xuất lịch phát dạng iCalendar", "Write rules as iCalendar", calendar_options,
     rule_calendar},
    {0},
};
