/* area.c - `loa area`: the administrative tree, and what becomes of it. */
#include "playlists/base/file.h"
#include "tools/loa/answer.h"
#include "tools/loa/sentences.h"

#include <stdlib.h>
#include <string.h>

enum { CSV_MAX = 256 * 1024 };

static int area_import(struct call *call)
{
    struct buf csv = {0};
    int r = file_read_whole(call->args[0], CSV_MAX, &csv);
    if (r < 0)
        r = refuse(call, "%s: cannot be read: %s", call->args[0], error_in(call->lang, r));
    else if (csv.len == 0)
        r = refuse(call, "%s: is empty; a header line id,parent,kind,name and one line an area would be right",
                   call->args[0]);
    else
        r = ask_bytes(call, "/api/v1/areas", "text/csv", csv.data, csv.len);
    buf_done(&csv);
    return r;
}

static const struct column area_columns[] = {
    {"id", "id"}, {"parent", "parent"}, {"kind", "kind"}, {"name", "name"}, {"ended", "ended"}, {NULL, NULL},
};

static int area_list(struct call *call)
{
    return ask_list(call, "/api/v1/areas", area_columns);
}

static const struct column change_columns[] = {
    {"id", "id"},     {"date", "date"}, {"what", "what"},     {"area", "area"}, {"into", "into"},
    {"name", "name"}, {"done", "done"}, {"undone", "undone"}, {"note", "note"}, {NULL, NULL},
};

/* The command's own name is what becomes of the area; a second argument is into which, or its new name. */
static int plan_change(struct call *call)
{
    const char *what = call->command->name;
    json_t *body = json_pack("{s:s, s:s}", "what", what, "area", call->args[0]);
    if (call->n_args > 1)
        json_object_set_new(body, strcmp(what, "rename") == 0 ? "name" : "into", json_string(call->args[1]));
    for (size_t i = 0; i < 2; i++) {
        const char *option = i == 0 ? "date" : "note";
        if (call_option(call, option))
            json_object_set_new(body, option, json_string(call_option(call, option)));
    }
    int r = ask(call, "POST", "/api/v1/areas/changes", body);
    json_decref(body);
    return r;
}

static int change_list(struct call *call)
{
    return ask_list(call, call_option(call, "all") ? "/api/v1/areas/changes?state=all" : "/api/v1/areas/changes",
                    change_columns);
}

static int change_undo(struct call *call)
{
    char *id = client_escape(call->args[0]);
    char *path = xasprintf("/api/v1/areas/changes/%s", id);
    int r = ask(call, "DELETE", path, NULL);
    free(path);
    free(id);
    return r;
}

static int area_history(struct call *call)
{
    char *id = client_escape(call->args[0]);
    char *path = xasprintf("/api/v1/areas/%s/history", id);
    int r = ask_list(call, path, change_columns);
    free(path);
    free(id);
    return r;
}

static const struct option_spec list_options[] = {
    {"limit", "N", "at most so many (else 100; 0: all)", false, false},
    {0},
};

static const struct option_spec changes_options[] = {
    {"all", NULL, "also those that are done or undone", false, false},
    {"limit", "N", "at most so many (else 100; 0: all)", false, false},
    {0},
};

static const struct option_spec change_options[] = {
    {"date", "DATE", "the day with whose beginning it takes effect", true, false},
    {"note", "TEXT", "such as the number of the decision", false, false},
    {0},
};

const struct cli_command area_commands[] = {
    {"area", "import", "CSV", 1, 1, "Nạp địa bàn từ tệp CSV (id,parent,kind,name)",
     "Add or change areas from a CSV file (id,parent,kind,name)", NULL, area_import},
    {"area", "list", "", 0, 0, "Danh sách địa bàn", "List areas", list_options, area_list},
    {"area", "merge", "AREA INTO", 2, 2, "Sáp nhập một địa bàn vào địa bàn khác từ 0 giờ một ngày",
     "Merge an area into another one from a midnight on", change_options, plan_change},
    {"area", "move", "AREA INTO", 2, 2, "Chuyển một địa bàn sang cấp trên khác từ 0 giờ một ngày",
     "Put an area below another one from a midnight on", change_options, plan_change},
    {"area", "rename", "AREA NAME", 2, 2, "Đổi tên một địa bàn từ 0 giờ một ngày", "Rename an area from a midnight on",
     change_options, plan_change},
    {"area", "end", "AREA", 1, 1, "Giải thể một địa bàn từ 0 giờ một ngày, cấp trên kế thừa",
     "End an area from a midnight on; the one above takes over", change_options, plan_change},
    {"area", "changes", "", 0, 0, "Các thay đổi địa bàn đang chờ", "List planned changes of areas", changes_options,
     change_list},
    {"area", "undo", "CHANGE", 1, 1, "Hủy một thay đổi địa bàn chưa có hiệu lực",
     "Undo a change of areas before it takes effect", NULL, change_undo},
    {"area", "history", "AREA", 1, 1, "Lịch sử một địa bàn", "What became of an area", list_options, area_history},
    {0},
};
