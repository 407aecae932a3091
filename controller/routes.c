/* routes.c - the table of all routes, and the search in it. A new route is a line here and a function in its group's
 * file. Lists, and what is asked of many places, begin ASIDE. */
#include "controller/api.h"

#include <stdio.h>
#include <string.h>

enum {
    ANYONE = ROLES_ALL,
    ADMIN = ROLE_ADMIN,
    TECHNICAL = ROLE_ADMIN | ROLE_TECHNICIAN,
    EDITORIAL = ROLE_ADMIN | ROLE_OPERATOR,
    APPROVING = ROLE_ADMIN | ROLE_OPERATOR | ROLE_APPROVER,
};

const struct route routes[] = {
    {"GET", "status", ANYONE, BODY_NONE, "", api_status, ON_LOOP},
    {"GET", "whoami", ANYONE, BODY_NONE, "", api_whoami, ON_LOOP},
    {"GET", "tokens", ADMIN, BODY_NONE, "after limit", api_tokens_list, ASIDE},
    {"POST", "tokens", ADMIN, BODY_JSON, "", api_tokens_new, ON_LOOP},
    {"DELETE", "tokens/:", ADMIN, BODY_NONE, "", api_token_end, ON_LOOP},
    {"GET", "areas", ANYONE, BODY_NONE, "after limit", api_areas_list, ASIDE},
    {"POST", "areas", ADMIN, BODY_CSV_OR_JSON, "", api_areas_put, ON_LOOP},
    {"GET", "areas/changes", ANYONE, BODY_NONE, "after limit state", api_changes_list, ASIDE},
    {"POST", "areas/changes", ADMIN, BODY_JSON, "", api_changes_new, ON_LOOP},
    {"DELETE", "areas/changes/:", ADMIN, BODY_NONE, "", api_change_undo, ON_LOOP},
    {"GET", "areas/:/history", ANYONE, BODY_NONE, "after limit", api_area_history, ASIDE},
    {"GET", "areas/:", ANYONE, BODY_NONE, "", api_area, ON_LOOP},
    {"GET", "devices", ANYONE, BODY_NONE, "after limit kind area", api_devices_list, ASIDE},
    {"POST", "devices", ADMIN, BODY_JSON, "", api_devices_new, ON_LOOP},
    {"GET", "devices/:", ANYONE, BODY_NONE, "", api_device, ON_LOOP},
    {"PATCH", "devices/:", TECHNICAL, BODY_JSON, "", api_device_change, ON_LOOP},
    {"PUT", "devices/:/box", TECHNICAL, BODY_JSON, "", api_device_box, ON_LOOP},
    {"GET", "devices/:/playlist", ANYONE, BODY_NONE, "", api_device_playlist, ASIDE},
    {"GET", "devices/:/commands", ANYONE, BODY_NONE, "after limit", api_commands_list, ASIDE},
    {"POST", "devices/:/commands", TECHNICAL, BODY_JSON, "", api_commands_new, ON_LOOP},
    {"GET", "limits", ANYONE, BODY_NONE, "after limit area", api_limits_list, ASIDE},
    {"POST", "limits", ADMIN, BODY_JSON, "", api_limits_new, ON_LOOP},
    {"DELETE", "limits/:", ADMIN, BODY_NONE, "", api_limit_end, ON_LOOP},
    {"GET", "exemptions", ANYONE, BODY_NONE, "after limit ended", api_exemptions_list, ASIDE},
    {"POST", "exemptions", ADMIN, BODY_JSON, "", api_exemptions_new, ON_LOOP},
    {"DELETE", "exemptions/:", ADMIN, BODY_NONE, "", api_exemption_end, ON_LOOP},
    {"GET", "inbox", ANYONE, BODY_NONE, "after limit commune state", api_inbox, ASIDE},
    {"POST", "inbox/:", EDITORIAL, BODY_JSON, "", api_inbox_answer, ASIDE},
    {"GET", "carriage", ANYONE, BODY_NONE, "after limit rule from to", api_carriage, ASIDE},
    {"GET", "groups", ANYONE, BODY_NONE, "after limit", api_groups_list, ASIDE},
    {"POST", "groups", EDITORIAL, BODY_JSON, "", api_groups_new, ASIDE},
    {"GET", "groups/:", ANYONE, BODY_NONE, "", api_group, ASIDE},
    {"PATCH", "groups/:", EDITORIAL, BODY_JSON, "", api_group_change, ASIDE},
    {"DELETE", "groups/:", EDITORIAL, BODY_NONE, "", api_group_end, ON_LOOP},
    {"GET", "media", ANYONE, BODY_NONE, "after limit", api_media_list, ASIDE},
    {"POST", "media", EDITORIAL, BODY_SOUND, "name", api_media_new, ON_LOOP},
    {"GET", "media/:", ANYONE, BODY_NONE, "", api_media, ON_LOOP},
    {"GET", "media/:/content", ANYONE, BODY_NONE, "", api_media_content, ON_LOOP},
    {"GET", "bulletins", ANYONE, BODY_NONE, "after limit id", api_bulletins_list, ASIDE},
    {"POST", "bulletins", EDITORIAL, BODY_JSON, "", api_bulletins_new, ON_LOOP},
    {"GET", "bulletins/:", ANYONE, BODY_NONE, "", api_bulletin, ON_LOOP},
    {"GET", "bulletins/:/content", ANYONE, BODY_NONE, "", api_bulletin_content, ON_LOOP},
    {"GET", "approvals", ANYONE, BODY_NONE, "after limit bulletin", api_approvals_list, ASIDE},
    {"POST", "approvals", APPROVING, BODY_JOSE, "", api_approvals_new, ON_LOOP},
    {"GET", "trust", ANYONE, BODY_NONE, "", api_trust, ON_LOOP},
    {"POST", "trust", ADMIN, BODY_JOSE, "", api_trust_new, ON_LOOP},
    {"GET", "keys", ANYONE, BODY_NONE, "", api_keys, ON_LOOP},
    {"POST", "keys", ADMIN, BODY_JOSE, "", api_keys_new, ON_LOOP},
    {"GET", "rules", ANYONE, BODY_NONE, "after limit ended", api_rules_list, ASIDE},
    {"POST", "rules", EDITORIAL, BODY_JSON, "", api_rules_new, ASIDE},
    {"GET", "rules/:", ANYONE, BODY_NONE, "from days", api_rule, ASIDE},
    {"GET", "rules.ics", ANYONE, BODY_NONE, "from days", api_rules_calendar, ASIDE},
    {"DELETE", "rules/:", EDITORIAL, BODY_NONE, "", api_rule_end, ASIDE},
    {"POST", "rules/:/restore", EDITORIAL, BODY_NONE, "", api_rule_restore, ASIDE},
    {"PATCH", "rules/:", EDITORIAL, BODY_JSON, "", api_rule_change, ASIDE},
    {"POST", "rules/:/exceptions", EDITORIAL, BODY_JSON, "", api_rule_except, ASIDE},
    {"DELETE", "rules/:/exceptions/:", EDITORIAL, BODY_NONE, "", api_rule_except_back, ASIDE},
    {"POST", "rules/:/undo", EDITORIAL, BODY_NONE, "", api_rule_undo, ASIDE},
    {"GET", "rules/:/changes", ANYONE, BODY_NONE, "after limit", api_rule_changes, ASIDE},
    {"GET", "preview", ANYONE, BODY_NONE, "device day", api_preview, ON_LOOP},
    {"POST", "preview", EDITORIAL, BODY_JSON, "", api_preview_drafts, ON_LOOP},
    {"GET", "receipts", ANYONE, BODY_NONE, "after limit order device rule from to", api_receipts, ASIDE},
    {"GET", "events", ANYONE, BODY_NONE, "after limit order device code from to", api_events, ASIDE},
    {"GET", "stream", ANYONE, BODY_NONE, "device", api_stream, ON_LOOP},
    {0},
};

/* Segment by segment; parameters are copied. */
static bool matches(const struct route *route, const char *path, char param[][REQUEST_PARAM_LEN])
{
    const char *want = route->path;
    int n = 0;
    for (;;) {
        size_t a = strcspn(want, "/"), b = strcspn(path, "/");
        if (want[0] == ':' && a == 1) {
            if (b == 0 || b >= REQUEST_PARAM_LEN || n == REQUEST_PARAMS)
                return false;
            snprintf(param[n++], REQUEST_PARAM_LEN, "%.*s", (int)b, path);
        } else if (a != b || strncmp(want, path, a) != 0) {
            return false;
        }
        want += a;
        path += b;
        if (!*want || !*path)
            return !*want && !*path;
        want++;
        path++;
    }
}

int route_find(struct request *r, const char *method, const char *path)
{
    static const char base[] = "/api/v1/";
    char allow[40] = "";
    const char *asked = strcmp(method, "HEAD") == 0 ? "GET" : method;
    bool below = strncmp(path, base, sizeof(base) - 1) == 0;
    for (const struct route *route = routes; below && route->method; route++) {
        if (!matches(route, path + sizeof(base) - 1, r->param))
            continue;
        if (strcmp(route->method, asked) == 0) {
            r->route = route;
            return 0;
        }
        size_t len = strlen(allow);
        snprintf(allow + len, sizeof(allow) - len, "%s%s", len ? ", " : "", route->method);
    }
    if (!allow[0])
        return refuse(&r->problem, 404, "route", NULL, WORD_ROUTE, path);
    refuse(&r->problem, 405, "method", NULL, WORD_METHOD, method, path, allow);
    snprintf(r->problem.allow, sizeof(r->problem.allow), "%s", allow);
    return -1;
}
