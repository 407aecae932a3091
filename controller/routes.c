/* routes.c - the table of all routes, and the search in it. A new route is a line here and a function in its group's
 * file. */
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
    {"GET", "status", ANYONE, BODY_NONE, "", api_status},
    {"GET", "whoami", ANYONE, BODY_NONE, "", api_whoami},
    {"GET", "tokens", ADMIN, BODY_NONE, "after limit", api_tokens_list},
    {"POST", "tokens", ADMIN, BODY_JSON, "", api_tokens_new},
    {"DELETE", "tokens/:", ADMIN, BODY_NONE, "", api_token_end},
    {"GET", "areas", ANYONE, BODY_NONE, "after limit", api_areas_list},
    {"POST", "areas", ADMIN, BODY_CSV_OR_JSON, "", api_areas_put},
    {"GET", "areas/changes", ANYONE, BODY_NONE, "after limit state", api_changes_list},
    {"POST", "areas/changes", ADMIN, BODY_JSON, "", api_changes_new},
    {"DELETE", "areas/changes/:", ADMIN, BODY_NONE, "", api_change_undo},
    {"GET", "areas/:/history", ANYONE, BODY_NONE, "after limit", api_area_history},
    {"GET", "areas/:", ANYONE, BODY_NONE, "", api_area},
    {"GET", "devices", ANYONE, BODY_NONE, "after limit kind area", api_devices_list},
    {"POST", "devices", ADMIN, BODY_JSON, "", api_devices_new},
    {"GET", "devices/:", ANYONE, BODY_NONE, "", api_device},
    {"PATCH", "devices/:", TECHNICAL, BODY_JSON, "", api_device_change},
    {"PUT", "devices/:/box", TECHNICAL, BODY_JSON, "", api_device_box},
    {"GET", "devices/:/playlist", ANYONE, BODY_NONE, "", api_device_playlist},
    {"GET", "devices/:/commands", ANYONE, BODY_NONE, "after limit", api_commands_list},
    {"POST", "devices/:/commands", TECHNICAL, BODY_JSON, "", api_commands_new},
    {"GET", "limits", ANYONE, BODY_NONE, "after limit area", api_limits_list},
    {"POST", "limits", ADMIN, BODY_JSON, "", api_limits_new},
    {"DELETE", "limits/:", ADMIN, BODY_NONE, "", api_limit_end},
    {"GET", "exemptions", ANYONE, BODY_NONE, "after limit ended", api_exemptions_list},
    {"POST", "exemptions", ADMIN, BODY_JSON, "", api_exemptions_new},
    {"DELETE", "exemptions/:", ADMIN, BODY_NONE, "", api_exemption_end},
    {"GET", "inbox", ANYONE, BODY_NONE, "after limit commune state", api_inbox},
    {"POST", "inbox/:", EDITORIAL, BODY_JSON, "", api_inbox_answer},
    {"GET", "carriage", ANYONE, BODY_NONE, "after limit rule from to", api_carriage},
    {"GET", "groups", ANYONE, BODY_NONE, "after limit", api_groups_list},
    {"POST", "groups", EDITORIAL, BODY_JSON, "", api_groups_new},
    {"GET", "groups/:", ANYONE, BODY_NONE, "", api_group},
    {"PATCH", "groups/:", EDITORIAL, BODY_JSON, "", api_group_change},
    {"DELETE", "groups/:", EDITORIAL, BODY_NONE, "", api_group_end},
    {"GET", "media", ANYONE, BODY_NONE, "after limit", api_media_list},
    {"POST", "media", EDITORIAL, BODY_SOUND, "name", api_media_new},
    {"GET", "media/:", ANYONE, BODY_NONE, "", api_media},
    {"GET", "media/:/content", ANYONE, BODY_NONE, "", api_media_content},
    {"GET", "bulletins", ANYONE, BODY_NONE, "after limit id", api_bulletins_list},
    {"POST", "bulletins", EDITORIAL, BODY_JSON, "", api_bulletins_new},
    {"GET", "bulletins/:", ANYONE, BODY_NONE, "", api_bulletin},
    {"GET", "bulletins/:/content", ANYONE, BODY_NONE, "", api_bulletin_content},
    {"GET", "approvals", ANYONE, BODY_NONE, "after limit bulletin", api_approvals_list},
    {"POST", "approvals", APPROVING, BODY_JOSE, "", api_approvals_new},
    {"GET", "trust", ANYONE, BODY_NONE, "", api_trust},
    {"POST", "trust", ADMIN, BODY_JOSE, "", api_trust_new},
    {"GET", "keys", ANYONE, BODY_NONE, "", api_keys},
    {"POST", "keys", ADMIN, BODY_JOSE, "", api_keys_new},
    {"GET", "rules", ANYONE, BODY_NONE, "after limit ended", api_rules_list},
    {"POST", "rules", EDITORIAL, BODY_JSON, "", api_rules_new},
    {"GET", "rules/:", ANYONE, BODY_NONE, "from days", api_rule},
    {"GET", "rules.ics", ANYONE, BODY_NONE, "from days", api_rules_calendar},
    {"DELETE", "rules/:", EDITORIAL, BODY_NONE, "", api_rule_end},
    {"POST", "rules/:/restore", EDITORIAL, BODY_NONE, "", api_rule_restore},
    {"PATCH", "rules/:", EDITORIAL, BODY_JSON, "", api_rule_change},
    {"POST", "rules/:/exceptions", EDITORIAL, BODY_JSON, "", api_rule_except},
    {"DELETE", "rules/:/exceptions/:", EDITORIAL, BODY_NONE, "", api_rule_except_back},
    {"POST", "rules/:/undo", EDITORIAL, BODY_NONE, "", api_rule_undo},
    {"GET", "rules/:/changes", ANYONE, BODY_NONE, "after limit", api_rule_changes},
    {"GET", "preview", ANYONE, BODY_NONE, "device day", api_preview},
    {"POST", "preview", EDITORIAL, BODY_JSON, "", api_preview_drafts},
    {"GET", "receipts", ANYONE, BODY_NONE, "after limit order device rule from to", api_receipts},
    {"GET", "events", ANYONE, BODY_NONE, "after limit order device code from to", api_events},
    {"GET", "stream", ANYONE, BODY_NONE, "device", api_stream},
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
