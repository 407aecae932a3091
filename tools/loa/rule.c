/* rule.c - `loa rule`: when and where a bulletin or a session goes on air. */
#include "tools/loa/answer.h"
#include "tools/loa/rule_form.h"
#include "tools/loa/sentences.h"
#include "tools/loa/words.h"

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
    {"id", "id"},       {"title", "title"}, {"when", "when"},     {"date", "date"},
    {"times", "times"}, {"areas", "areas"}, {"groups", "groups"}, {"devices", "devices"},
    {"class", "class"}, {"ended", "ended"}, {NULL, NULL},
};

static int rule_list(struct call *call)
{
    return ask_list(call, call_option(call, "ended") ? "/api/v1/rules?ended=true" : "/api/v1/rules", rule_columns);
}

static int rule_show(struct call *call)
{
    char *path = path_of(call, "", "");
    int r = ask(call, "GET", path, NULL);
    free(path);
    return r;
}

/* --- what a command did, as people read it: the rule before and after --- */

static bool in_both_alike(const char *name)
{
    static const char *const left_out[] = {"clashes", "ways", "way", "warnings", "cursor", NULL};
    for (size_t i = 0; left_out[i]; i++)
        if (strcmp(left_out[i], name) == 0)
            return true;
    return false;
}

static void print_difference(const struct call *call, const char *name, const json_t *before, const json_t *after)
{
    struct buf old = {0}, fresh = {0};
    char word[64];
    if (in_both_alike(name) || (before && after && json_equal((json_t *)(uintptr_t)before, (json_t *)(uintptr_t)after)))
        return;
    put_plain(&old, call->lang, name, before);
    put_plain(&fresh, call->lang, name, after);
    printf("  %s: %s → %s\n", word_of_member(call->lang, name, word), old.len ? buf_text(&old) : "–",
           fresh.len ? buf_text(&fresh) : "–");
    buf_done(&old);
    buf_done(&fresh);
}

/* "  giờ phát: 06:00 → 05:00,17:00" for each member that changed. */
static void print_differences(const struct call *call, const json_t *before, const json_t *after)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)before, name, value)
        print_difference(call, name, value, json_object_get(after, name));
    json_object_foreach((json_t *)(uintptr_t)after, name, value) if (!json_object_get(before, name))
        print_difference(call, name, NULL, value);
}

static void tell_deleted(const struct call *call, const json_t *before, const json_t *after)
{
    const char *id = call->args[0];
    (void)after;
    if (answer_text(before, "ended", NULL))
        printf(sentence_in(call->lang, "The rule %s had ended already.\n"), id);
    else
        printf(sentence_in(call->lang,
                           "The rule %s has ended: nothing of it plays any more. To undo: loa rule restore %s\n"),
               id, id);
}

static void tell_restored(const struct call *call, const json_t *before, const json_t *after)
{
    (void)after;
    printf(sentence_in(call->lang, answer_text(before, "ended", NULL)
                                       ? "The rule %s is in force again.\n"
                                       : "The rule %s is in force; there was nothing to restore.\n"),
           call->args[0]);
}

static void tell_undone(const struct call *call, const json_t *before, const json_t *after)
{
    printf(sentence_in(call->lang, "The last change of the rule %s is undone:\n"), call->args[0]);
    print_differences(call, before, after);
}

static void tell_skipped(const struct call *call, const json_t *before, const json_t *after)
{
    bool back = call_option(call, "take-back") != NULL;
    bool changed =
        !json_equal((json_t *)(uintptr_t)answer_at(before, "except"), (json_t *)(uintptr_t)answer_at(after, "except"));
    printf(sentence_in(call->lang, back      ? "On %s the rule %s plays again.\n"
                                   : changed ? "On %s the rule %s does not play.\n"
                                             : "On %s the rule %s did not play already.\n"),
           call->args[1], call->args[0]);
}

typedef void (*tell_fn)(const struct call *call, const json_t *before, const json_t *after);

/* Send it, and tell people what it changed; the answer with --json. */
static int change_state(const struct call *call, const char *method, const char *path, const json_t *body, tell_fn tell)
{
    struct client *client = NULL;
    struct complaint why = {0};
    json_t *before = NULL, *after = NULL;
    char *own = path_of(call, "", "");
    int r = client_new(call, &client);
    if (r == EXIT_OK && (client_send(client, "GET", own, NULL, &before, &why) < 0 ||
                         client_send(client, method, path, body, &after, &why) < 0))
        r = refuse(call, "%s", why.text);
    if (r == EXIT_OK && call->json)
        print_value(call, after);
    if (r == EXIT_OK && !call->json) {
        tell(call, before, after);
        tell_warnings(call, after);
    }
    json_decref(before);
    json_decref(after);
    client_free(client);
    free(own);
    return r;
}

static int change_by(const struct call *call, const char *method, const char *behind, tell_fn tell)
{
    char *path = path_of(call, behind, "");
    int r = change_state(call, method, path, NULL, tell);
    free(path);
    return r;
}

static int rule_delete(struct call *call)
{
    return change_by(call, "DELETE", "", tell_deleted);
}

static int rule_restore(struct call *call)
{
    return change_by(call, "POST", "/restore", tell_restored);
}

static int rule_undo(struct call *call)
{
    return change_by(call, "POST", "/undo", tell_undone);
}

static int rule_skip(struct call *call)
{
    bool back = call_option(call, "take-back") != NULL;
    json_t *body = back ? NULL : json_pack("{s:s}", "date", call->args[1]);
    char *path = path_of(call, back ? "/exceptions/" : "/exceptions", back ? call->args[1] : "");
    int r = back || body ? change_state(call, back ? "DELETE" : "POST", path, body, tell_skipped)
                         : misused(call, "the date is not UTF-8 text");
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
