/* group.c - `loa group`: named groups of devices. */
#include "tools/loa/answer.h"

#include <stdlib.h>

static char *group_path(const struct call *call)
{
    char *id = client_escape(call->args[0]);
    char *path = xasprintf("/api/v1/groups/%s", id);
    free(id);
    return path;
}

static void put_list(const struct call *call, const char *option, const char *member, json_t *body)
{
    json_t *list = option_list(call, option);
    if (list)
        json_object_set_new(body, member, list);
}

static void put_text(const struct call *call, const char *option, json_t *body)
{
    if (call_option(call, option))
        json_object_set_new(body, option, json_string(call_option(call, option)));
}

static int group_add(struct call *call)
{
    json_t *group = json_object();
    put_text(call, "name", group);
    put_text(call, "id", group);
    put_text(call, "unit", group);
    put_list(call, "device", "devices", group);
    int r = ask(call, "POST", "/api/v1/groups", group);
    json_decref(group);
    return r;
}

static int group_change(struct call *call)
{
    json_t *group = json_object();
    put_text(call, "name", group);
    put_list(call, "device", "devices", group);
    put_list(call, "add", "add", group);
    put_list(call, "remove", "remove", group);
    char *path = group_path(call);
    int r = ask(call, "PATCH", path, group);
    free(path);
    json_decref(group);
    return r;
}

static int one_group(struct call *call, const char *method)
{
    char *path = group_path(call);
    int r = ask(call, method, path, NULL);
    free(path);
    return r;
}

static int group_show(struct call *call)
{
    return one_group(call, "GET");
}

static int group_delete(struct call *call)
{
    return one_group(call, "DELETE");
}

static const struct column group_columns[] = {
    {"id", "id"}, {"unit", "unit"}, {"name", "name"}, {"devices", "devices"}, {NULL, NULL},
};

static int group_list(struct call *call)
{
    return ask_list(call, "/api/v1/groups", group_columns);
}

static const struct option_spec add_options[] = {
    {"name", "TEXT", "what people call it", true, false},
    {"device", "DEVICE,...", "its members", false, true},
    {"unit", "AREA", "whose group it is (else the token's unit)", false, false},
    {"id", "ID", "id (else one is made)", false, false},
    {0},
};

static const struct option_spec change_options[] = {
    {"name", "TEXT", "what people call it", false, false},
    {"device", "DEVICE,...", "its members, in the place of those it has", false, true},
    {"add", "DEVICE,...", "further members", false, true},
    {"remove", "DEVICE,...", "members no longer", false, true},
    {0},
};

static const struct option_spec list_options[] = {
    {"limit", "N", "at most so many (else 100; 0: all)", false, false},
    {0},
};

const struct cli_command group_commands[] = {
    {"group", "add", "", 0, 0, "Lập nhóm thiết bị", "Make a group of devices", add_options, group_add},
    {"group", "list", "", 0, 0, "Danh sách nhóm thiết bị", "List groups", list_options, group_list},
    {"group", "show", "ID", 1, 1, "Xem một nhóm thiết bị", "Show one group", NULL, group_show},
    {"group", "change", "ID", 1, 1, "Sửa nhóm thiết bị", "Change a group", change_options, group_change},
    {"group", "delete", "ID", 1, 1, "Xóa nhóm thiết bị", "Remove a group that no rule names", NULL, group_delete},
    {0},
};
