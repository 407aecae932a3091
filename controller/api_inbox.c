/* api_inbox.c - what comes from above and waits for communes, and who carries what. */
#include "controller/api_inbox.h"

#include "controller/areas.h"
#include "controller/places.h"

#include <stdlib.h>
#include <string.h>

static const char *const state_names[] = {"pending", "taken", "declined", NULL};

#define WEEK_MS (7 * INT64_C(86400000))

/* Behind SQL_SCOPE: which rules from above (all, or the one of `which`) reach which commune of the unit. */
#define SQL_REACH(which)                                                                                               \
    ", communes(id, name) AS (SELECT a.id, a.name FROM areas a JOIN scope ON scope.id = a.id"                          \
    " WHERE a.kind IN ('commune', 'ward') AND a.id NOT IN (SELECT area FROM area_ends)),"                              \
    " ups(commune, id) AS (SELECT id, id FROM communes UNION SELECT u.commune, a.parent FROM ups u"                    \
    " JOIN areas a ON a.id = u.id WHERE a.parent IS NOT NULL),"                                                        \
    " downs(commune, id) AS (SELECT id, id FROM communes UNION SELECT d.commune, a.id FROM downs d"                    \
    " JOIN areas a ON a.parent = d.id),"                                                                               \
    " here(commune, device) AS MATERIALIZED (SELECT d.commune, v.id FROM downs d JOIN devices v ON v.area = d.id),"    \
    " offered(id, body) AS MATERIALIZED (SELECT id, body FROM rules WHERE ended_ms IS NULL"                            \
    " AND json_extract(body, '$.carry') IN ('offer', 'must') " which "),"                                              \
    " gone(rule, id) AS (SELECT o.id, j.value FROM offered o, json_each(o.body, '$.except_areas') j"                   \
    " UNION SELECT g.rule, a.id FROM gone g JOIN areas a ON a.parent = g.id),"                                         \
    " spared(rule, device) AS MATERIALIZED (SELECT o.id, j.value FROM offered o,"                                      \
    " json_each(o.body, '$.except_devices') j UNION SELECT o.id, m.device FROM offered o,"                             \
    " json_each(o.body, '$.except_groups') j JOIN group_members m ON m.grp = j.value"                                  \
    " UNION SELECT g.rule, v.id FROM gone g JOIN devices v ON v.area = g.id),"                                         \
    " there(commune, n) AS MATERIALIZED (SELECT commune, count(*) FROM here GROUP BY commune),"                        \
    " without(rule, commune, n) AS MATERIALIZED (SELECT s.rule, h.commune, count(*) FROM spared s"                     \
    " JOIN here h ON h.device = s.device GROUP BY s.rule, h.commune),"                                                 \
    " meant(rule, commune, device) AS (SELECT t.rule, h.commune, h.device FROM rule_targets t"                         \
    " JOIN offered o ON o.id = t.rule JOIN here h ON t.kind = 'device' AND h.device = t.target"                        \
    " UNION SELECT t.rule, h.commune, h.device FROM rule_targets t JOIN offered o ON o.id = t.rule"                    \
    " JOIN group_members m ON t.kind = 'group' AND m.grp = t.target JOIN here h ON h.device = m.device),"              \
    " within(rule, commune) AS (SELECT t.rule, u.commune FROM rule_targets t JOIN offered o ON o.id = t.rule"          \
    " JOIN ups u ON t.kind = 'area' AND t.target = u.id"                                                               \
    " UNION SELECT t.rule, d.commune FROM rule_targets t JOIN offered o ON o.id = t.rule"                              \
    " JOIN downs d ON t.kind = 'area' AND t.target = d.id),"                                                           \
    " reached(rule, commune) AS MATERIALIZED (SELECT rule, commune FROM meant"                                         \
    " WHERE (rule, device) NOT IN (SELECT rule, device FROM spared)"                                                   \
    " UNION SELECT rule, commune FROM within WHERE (rule, commune) NOT IN (SELECT rule, id FROM gone)"                 \
    " AND (rule, commune) NOT IN (SELECT x.rule, x.commune FROM without x JOIN there t USING (commune)"                \
    " WHERE x.n = t.n)) "

/* How many devices of the commune the rule does not leave out. */
#define SQL_DEVICES "coalesce(h.n, 0) - coalesce(x.n, 0) AS devices"
#define SQL_DEVICES_FROM                                                                                               \
    " LEFT JOIN there h ON h.commune = c.id LEFT JOIN without x ON x.rule = r.id AND x.commune = c.id "

#define SQL_ITEM                                                                                                       \
    "SELECT printf('%012d.%s', r.n, c.id) AS cursor, r.id AS rule, c.id AS commune, c.name AS commune_name, r.unit,"   \
    " (SELECT title FROM bulletins b WHERE b.hash = r.bulletin) AS title, json_extract(r.body, '$.class') AS class,"   \
    " json_extract(r.body, '$.carry') AS carry, json_extract(r.body, '$.window') AS window__json,"                     \
    " json_extract(r.body, '$.times') AS times__json, coalesce(p.state, 'pending') AS state, p.times AS"               \
    " times_here__json, p.at_ms AS answered__at, " SQL_DEVICES " FROM reached e JOIN rules r ON r.id = e.rule"         \
    " JOIN communes c ON c.id = e.commune LEFT JOIN placements p ON p.rule = r.id AND p.area = c.id" SQL_DEVICES_FROM

static int check_state(struct request *r, const char *state)
{
    for (int i = 0; state && state_names[i]; i++)
        if (strcmp(state_names[i], state) == 0)
            return 0;
    return !state ? 0 : refuse(&r->problem, 400, "query", NULL, WORD_VALUE_CHOICE, "state", "pending, taken, declined");
}

int api_inbox(struct request *r)
{
    struct page page;
    const char *commune = request_query(r, "commune"), *state = request_query(r, "state");
    if (check_state(r, state) < 0 || request_page(r, false, &page) < 0)
        return -1;
    if (commune && !area_in_unit(r->c->store, commune, r->token.unit))
        return request_missing(r, "area", commune);
    return request_reply_page(r, &page,
                              store_list(r->c->store,
                                         SQL_SCOPE SQL_REACH("") SQL_ITEM
                                         "WHERE cursor > ?2 AND (?4 IS NULL OR coalesce(p.state, 'pending') ="
                                         " ?4) ORDER BY cursor LIMIT ?3",
                                         "ssis", commune ? commune : r->token.unit, page.after ? page.after : "",
                                         page.limit + 1, state));
}

json_t *inbox_find(struct request *r, const char *rule, const char *commune)
{
    return store_one(r->c->store, SQL_SCOPE SQL_REACH("AND id = ?2") SQL_ITEM "WHERE r.id = ?2 AND c.id = ?3", "sss",
                     commune, rule, commune);
}

/* --- who carries what --- */

/* What receipts tell of the rule; heard: it began in time. And what the playlists as they are leave out of it there. */
#define SQL_TOLD                                                                                                       \
    ", told(commune, airing, heard, reason) AS MATERIALIZED (SELECT d.commune, q.device || ' ' || q.occurrence,"       \
    " q.started_ms > 0 AND q.reason IN ('on_time', 'late'), q.reason FROM receipts q JOIN here d ON d.device ="        \
    " q.device WHERE q.rule = ?2 AND q.planned_ms >= ?5 AND q.planned_ms < ?6 AND q.twin = 0),"                        \
    " heard(commune, planned, heard) AS (SELECT commune, count(DISTINCT airing), count(DISTINCT CASE WHEN heard THEN"  \
    " airing END) FROM told GROUP BY commune), unheard(commune, reasons) AS (SELECT commune,"                          \
    " json_group_object(reason, n) FROM (SELECT commune, reason, count(DISTINCT airing) AS n FROM told WHERE NOT"      \
    " heard GROUP BY commune, reason) GROUP BY commune),"                                                              \
    " left_out(commune, dropped, list) AS (SELECT commune, max(why NOT IN ('cut', 'language dropped')),"               \
    " json_group_array(json_object('why', why, 'other', other, 'devices', devices, 'times', times, 'first',"           \
    " strftime('%Y-%m-%dT%H:%M:%fZ', first_ms / 1000.0, 'unixepoch'))) FROM (SELECT d.commune, q.why, q.other,"        \
    " count(*) AS devices, max(q.count) AS times, min(q.start_ms) AS first_ms FROM problems q JOIN here d ON"          \
    " d.device = q.device WHERE q.rule = ?2 AND q.warning = 0 AND q.why NOT IN ('not taken', 'declined',"              \
    " 'horizon shortened') GROUP BY d.commune, q.why, q.other) GROUP BY commune) "

/* "moved" is a taken one with times of its own; "dropped" one of those that hold there, and still not all of it does.
 */
#define SQL_CARRIAGE                                                                                                   \
    "SELECT c.id AS cursor, c.id AS commune, c.name, CASE WHEN l.dropped THEN 'dropped' WHEN p.times IS NOT NULL THEN" \
    " 'moved' ELSE coalesce(p.state, CASE json_extract(r.body, '$.carry') WHEN 'must' THEN 'carried' ELSE 'pending'"   \
    " END) END AS state, p.times AS times__json, p.at_ms AS answered__at, " SQL_DEVICES ", coalesce(l.list, '[]') AS"  \
    " left_out__json, coalesce(s.planned, 0) AS planned, coalesce(s.heard, 0) AS heard, coalesce(u.reasons, '{}') AS"  \
    " unheard__json FROM reached e JOIN rules r ON r.id = e.rule JOIN communes c ON c.id = e.commune"                  \
    " LEFT JOIN placements p ON p.rule = r.id AND p.area = c.id LEFT JOIN heard s ON s.commune = c.id"                 \
    " LEFT JOIN unheard u ON u.commune = c.id LEFT JOIN left_out l ON l.commune = c.id" SQL_DEVICES_FROM               \
    "WHERE r.id = ?2 AND c.id > ?3 ORDER BY c.id LIMIT ?4"

/* Nobody carries it: there is none in sight of the caller, or nobody is asked. */
static int no_carriage(struct request *r, const char *rule)
{
    bool direct = store_number(r->c->store, 0,
                               SQL_SCOPE "SELECT 1 FROM rules WHERE id = ?2 AND ended_ms IS NULL AND"
                                         " coalesce(json_extract(body, '$.carry'), 'direct') = 'direct' AND unit IN"
                                         " (SELECT id FROM scope UNION SELECT id FROM over)",
                               "ss", r->token.unit, rule) == 1;
    return direct ? refuse(&r->problem, 409, "conflict", NULL, WORD_CARRIAGE_DIRECT, rule)
                  : request_missing(r, "rule", rule);
}

int api_carriage(struct request *r)
{
    struct page page;
    const char *rule = request_query(r, "rule");
    int64_t from_ms = r->now_ms - WEEK_MS, to_ms = r->now_ms;
    if (!rule)
        return refuse(&r->problem, 400, "query", NULL, WORD_MEMBER_MISSING, "rule");
    if (request_instant(r, "from", &from_ms) < 0 || request_instant(r, "to", &to_ms) < 0 ||
        request_page(r, false, &page) < 0)
        return -1;
    /* Put together here: longer than a literal may be. */
    char *sql = xasprintf("%s%s%s", SQL_SCOPE SQL_REACH("AND id = ?2"), SQL_TOLD, SQL_CARRIAGE);
    json_t *rows = store_list(r->c->store, sql, "sssiii", r->token.unit, rule, page.after ? page.after : "",
                              page.limit + 1, from_ms, to_ms);
    free(sql);
    if (json_array_size(rows) == 0 && !page.after) {
        json_decref(rows);
        return no_carriage(r, rule);
    }
    return request_reply_page(r, &page, rows);
}
