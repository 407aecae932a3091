/* device.c - `loa device`: places, the boxes in them, and the few commands. */
#include "playlists/base/clock.h"
#include "tools/loa/answer.h"
#include "tools/loa/sealing.h"
#include "tools/loa/sentences.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ANSWER_WAIT_MS = 35000, ASK_AGAIN_MS = 300 };

static char *device_path(const struct call *call, const char *behind)
{
    char *id = client_escape(call->args[0]);
    char *path = xasprintf("/api/v1/devices/%s%s", id, behind);
    free(id);
    return path;
}

/* {"serial", "x"} from --serial and --key; NULL with *ret_code EXIT_OK when neither is given. */
static json_t *box_body(const struct call *call, bool required, int *ret_code)
{
    const char *key = call_option(call, "key");
    const char *serial = call_option(call, "serial");
    const char *x, *kid;
    *ret_code = EXIT_OK;
    if (!required && !key && !serial)
        return NULL;
    if (!key || !serial) {
        *ret_code = misused(call, "a box needs both --serial TEXT and --key X|FILE");
        return NULL;
    }
    struct arena *arena = arena_new();
    json_t *box = NULL;
    *ret_code = key_read(call, key, arena, &x, &kid);
    if (*ret_code == EXIT_OK)
        box = json_pack("{s:s,s:s}", "serial", serial, "x", x);
    arena_free(arena);
    return box;
}

/* --quiet-hours 21:00-05:00 (repeatable); none: an empty list; default: null, what the limits of its areas say. */
static int put_quiet_hours(const struct call *call, json_t *device)
{
    json_t *given = option_list(call, "quiet-hours"), *list = json_array(), *value;
    size_t i, n = json_array_size(given);
    int code = EXIT_OK;
    const char *only = n == 1 ? json_string_value(json_array_get(given, 0)) : "";
    bool none = strcmp(only, "none") == 0, usual = strcmp(only, "default") == 0;
    json_array_foreach(given, i, value)
    {
        const char *text = json_string_value(value), *dash = strchr(text, '-');
        if (none || usual)
            break;
        if (!dash || dash == text || !dash[1]) {
            code = misused(call, "--quiet-hours is '%s'; right would be 21:00-05:00, none or default", text);
            break;
        }
        json_array_append_new(list, json_pack("{s:s%, s:s}", "from", text, (size_t)(dash - text), "to", dash + 1));
    }
    if (code == EXIT_OK && given)
        json_object_set(device, "quiet_hours", usual ? json_null() : list);
    json_decref(list);
    json_decref(given);
    return code;
}

/* Members that `device add` and `device change` have in common. */
static int put_settings(const struct call *call, json_t *device)
{
    static const char *const members[] = {"area", "name", "zone", "noise"};
    static const char *const lists[][2] = {{"languages", "languages"}, {"tag", "tags"}};
    int64_t delay_ms = 0;
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        if (call_option(call, members[i]))
            json_object_set_new(device, members[i], json_string(call_option(call, members[i])));
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        json_t *list = option_list(call, lists[i][0]);
        if (list)
            json_object_set_new(device, lists[i][1], list);
    }
    int code = call_number(call, "delay-ms", 0, 1000, &delay_ms);
    if (code == EXIT_OK && call_option(call, "delay-ms"))
        json_object_set_new(device, "delay_ms", json_integer(delay_ms));
    return code == EXIT_OK ? put_quiet_hours(call, device) : code;
}

static int device_add(struct call *call)
{
    json_t *device = json_pack("{s:s, s:s}", "id", call->args[0], "kind", call_option(call, "kind"));
    if (!device)
        return misused(call, "the device's id is not UTF-8 text");
    int code = put_settings(call, device);
    json_t *box = code == EXIT_OK ? box_body(call, false, &code) : NULL;
    if (box)
        json_object_set_new(device, "box", box);
    if (code == EXIT_OK)
        code = ask(call, "POST", "/api/v1/devices", device);
    json_decref(device);
    return code;
}

static int device_change(struct call *call)
{
    json_t *device = json_object();
    int code = put_settings(call, device);
    if (code == EXIT_OK && json_object_size(device) == 0)
        code = misused(call, "nothing is changed; --name, --area, --tag and so on would be right");
    char *path = device_path(call, "");
    if (code == EXIT_OK)
        code = ask(call, "PATCH", path, device);
    free(path);
    json_decref(device);
    return code;
}

static const struct column device_columns[] = {
    {"id", "id"},
    {"kind", "kind"},
    {"area", "area"},
    {"contact", "contact"},
    {"on air", "on_air"},
    {"grade", "grade"},
    {"up to date", "up_to_date"},
    {"last seen", "last_seen"},
    {"name", "name"},
    {NULL, NULL},
};

static int device_list(struct call *call)
{
    struct buf path = {0};
    buf_putf(&path, "/api/v1/devices");
    query_add(&path, "kind", call_option(call, "kind"));
    query_add(&path, "area", call_option(call, "area"));
    int r = ask_list(call, buf_text(&path), device_columns);
    buf_done(&path);
    return r;
}

static int device_show(struct call *call)
{
    char *path = device_path(call, "");
    int r = ask(call, "GET", path, NULL);
    free(path);
    return r;
}

static int device_playlist(struct call *call)
{
    char *path = device_path(call, "/playlist");
    int r = ask(call, "GET", path, NULL);
    free(path);
    return r;
}

static int device_box(struct call *call)
{
    int code;
    json_t *box = box_body(call, true, &code);
    if (!box)
        return code;
    char *path = device_path(call, "/box");
    code = ask(call, "PUT", path, box);
    free(path);
    json_decref(box);
    return code;
}

/* The command with this id in the device's list; a new reference or NULL. */
static json_t *find_command(struct client *client, const char *path, const char *id, struct complaint *why)
{
    json_t *list = NULL, *found = NULL;
    size_t i;
    json_t *item;
    char *whole = xasprintf("%s?limit=1000", path);
    if (client_send(client, "GET", whole, NULL, &list, why) == 0) {
        json_array_foreach(json_object_get(list, "items"), i, item) if (strcmp(answer_text(item, "id", ""), id) == 0)
            found = json_incref(item);
    }
    json_decref(list);
    free(whole);
    return found;
}

/* Until it is answered or has expired; *command is replaced by what it has become. */
static int wait_answer(struct client *client, const char *path, json_t **command, struct complaint *why)
{
    int64_t until_ms = clock_elapsed_ms() + ANSWER_WAIT_MS;
    while (clock_elapsed_ms() < until_ms) {
        const char *status = answer_text(*command, "status", "");
        if (strcmp(status, "answered") == 0 || strcmp(status, "expired") == 0)
            return 0;
        nanosleep(&(struct timespec){.tv_nsec = ASK_AGAIN_MS * 1000000L}, NULL);
        json_t *now = find_command(client, path, answer_text(*command, "id", ""), why);
        if (!now)
            return complain(why, ERR_STATE, "%s", *why->text ? why->text : "the controller has forgotten the command");
        json_decref(*command);
        *command = now;
    }
    return 0;
}

/* Give the command, and wait for its answer unless that is not wanted. Consumes body. */
static int give(struct call *call, json_t *body)
{
    struct client *client;
    struct complaint why = {0};
    int r = client_new(call, &client);
    if (r != EXIT_OK) {
        json_decref(body);
        return r;
    }
    json_t *command = NULL;
    char *path = device_path(call, "/commands");
    if (client_send(client, "POST", path, body, &command, &why) < 0 ||
        (!call_option(call, "no-wait") && wait_answer(client, path, &command, &why) < 0))
        r = refuse(call, "%s", why.text);
    else
        print_value(call, command);
    if (r == EXIT_OK && !call_option(call, "no-wait") && !json_is_true(answer_at(command, "ok")))
        r = refuse(call, "%s: the command was not carried out: %s", call->args[0],
                   answer_text(command, "detail", sentence_in(call->lang, "no answer came")));
    free(path);
    json_decref(command);
    json_decref(body);
    client_free(client);
    return r;
}

static int device_restart(struct call *call)
{
    return give(call, json_pack("{s:s}", "command", "restart"));
}

static int device_send_again(struct call *call)
{
    const char *kind = call_option(call, "kind"), *store = call_option(call, "store");
    int64_t from = 0;
    int code = call_number(call, "from", 1, INT64_C(9007199254740991), &from);
    if (code != EXIT_OK)
        return code;
    json_t *body = json_pack("{s:s, s:s, s:I}", "command", "send_again", "kind", kind ? kind : "receipt", "from",
                             (json_int_t)from);
    if (!body)
        return misused(call, "--kind is not UTF-8 text");
    if (store)
        json_object_set_new(body, "store", json_string(store));
    return give(call, body);
}

static const struct option_spec add_options[] = {
    {"kind", "KIND", "loudspeaker, board, cluster, gateway, mobile", true, false},
    {"area", "AREA", "area id of the place", true, false},
    {"name", "TEXT", "what people call it", true, false},
    {"languages", "vi,zh,en", "in the order in which they are spoken and shown (else vi)", false, true},
    {"zone", "TZ", "time zone (else the controller's)", false, false},
    {"delay-ms", "N", "delay against its neighbours, 0 to 1000", false, false},
    {"quiet-hours", "21:00-05:00", "its own quiet hours; none; default: what holds in its areas (else)", false, true},
    {"noise", "CLASS", "ordinary (else) or special: near a clinic, school or temple", false, false},
    {"tag", "WORD,...", "words by which rules find it", false, true},
    {"serial", "TEXT", "serial of the box that is there", false, false},
    {"key", "X|FILE", "public key of that box", false, false},
    {0},
};

static const struct option_spec change_options[] = {
    {"area", "AREA", "it was moved to this area", false, false},
    {"name", "TEXT", "what people call it", false, false},
    {"languages", "vi,zh,en", "in the order in which they are spoken and shown", false, true},
    {"zone", "TZ", "time zone", false, false},
    {"delay-ms", "N", "delay against its neighbours, 0 to 1000", false, false},
    {"quiet-hours", "21:00-05:00", "its own quiet hours; none; default: what holds in its areas", false, true},
    {"noise", "CLASS", "ordinary or special: near a clinic, school or temple", false, false},
    {"tag", "WORD,...", "words by which rules find it, in the place of those it has", false, true},
    {0},
};

static const struct option_spec list_options[] = {
    {"kind", "KIND", "only this kind", false, false},
    {"area", "AREA", "only this area and all below it", false, false},
    {"limit", "N", "at most so many (else 100; 0: all)", false, false},
    {0},
};

static const struct option_spec box_options[] = {
    {"serial", "TEXT", "serial of the box", true, false},
    {"key", "X|FILE", "its public key", true, false},
    {0},
};

static const struct option_spec restart_options[] = {
    {"no-wait", NULL, "do not wait for the device's answer", false, false},
    {0},
};

static const struct option_spec again_options[] = {
    {"from", "N", "from this number on", true, false},
    {"kind", "KIND", "receipt (else) or event", false, false},
    {"store", "STORE", "store id the numbers count in (else that of the device's last state)", false, false},
    {"no-wait", NULL, "do not wait for the device's answer", false, false},
    {0},
};

const struct cli_command device_commands[] = {
    {"device", "add", "DEVICE", 1, 1, "Thêm thiết bị", "Add a device", add_options, device_add},
    {"device", "change", "DEVICE", 1, 1, "Sửa thông tin thiết bị", "Change a device", change_options, device_change},
    {"device", "list", "", 0, 0, "Danh sách thiết bị", "List devices", list_options, device_list},
    {"device", "show", "DEVICE", 1, 1, "Xem một thiết bị", "Show one device", NULL, device_show},
    {"device", "playlist", "DEVICE", 1, 1, "Xem lịch phát đã lập cho thiết bị", "Show what is compiled for a device",
     NULL, device_playlist},
    {"device", "box", "DEVICE", 1, 1, "Thay hộp thiết bị", "Say which box is there now", box_options, device_box},
    {"device", "restart", "DEVICE", 1, 1, "Khởi động lại thiết bị, chờ trả lời",
     "Restart a device, wait for its answer", restart_options, device_restart},
    {"device", "send-again", "DEVICE", 1, 1, "Yêu cầu thiết bị gửi lại nhật ký từ số N",
     "Have a device send its receipts or events again from number N", again_options, device_send_again},
    {0},
};
