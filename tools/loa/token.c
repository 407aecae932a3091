/* token.c - `loa token`: who may use the API. */
#include "tools/loa/answer.h"

#include <stdlib.h>

static int token_add(struct call *call)
{
    static const char *const members[] = {"unit", "role", "note"};
    json_t *token = json_object();
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        if (call_option(call, members[i]))
            json_object_set_new(token, members[i], json_string(call_option(call, members[i])));
    int r = ask(call, "POST", "/api/v1/tokens", token);
    json_decref(token);
    return r;
}

static const struct column token_columns[] = {
    {"id", "id"},           {"unit", "unit"}, {"role", "role"}, {"created", "created"},
    {"revoked", "revoked"}, {"note", "note"}, {NULL, NULL},
};

static int token_list(struct call *call)
{
    return ask_list(call, "/api/v1/tokens", token_columns);
}

static int token_delete(struct call *call)
{
    char *id = client_escape(call->args[0]);
    char *path = xasprintf("/api/v1/tokens/%s", id);
    int r = ask(call, "DELETE", path, NULL);
    free(path);
    free(id);
    return r;
}

static const struct option_spec add_options[] = {
    {"unit", "AREA", "area id; the token reaches it and all below it", true, false},
    {"role", "ROLE", "viewer, technician, operator, approver, admin", true, false},
    {"note", "TEXT", "whose it is", false, false},
    {0},
};

static const struct option_spec list_options[] = {
    {"limit", "N", "at most so many (else 100; 0: all)", false, false},
    {0},
};

const struct cli_command token_commands[] = {
    {"token", "add", "", 0, 0, "Cấp mã truy cập mới (chỉ hiện một lần)", "Make a token (shown this once)", add_options,
     token_add},
    {"token", "list", "", 0, 0, "Danh sách mã truy cập", "List tokens", list_options, token_list},
    {"token", "delete", "ID", 1, 1, "Thu hồi mã truy cập", "Revoke a token", NULL, token_delete},
    {0},
};
