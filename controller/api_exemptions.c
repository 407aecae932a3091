/* api_exemptions.c - written orders that lift limits at some places for some days. Ended ones stay on record. */
#include "controller/api.h"
#include "controller/areas.h"
#include "controller/limits_store.h"
#include "controller/places.h"
#include "controller/publisher.h"
#include "controller/quotas.h"

#include <stdlib.h>
#include <string.h>

enum { PLACES_MAX = 500, DAYS_MAX = 366 };

#define SQL_EXEMPTION                                                                                                  \
    "SELECT e.n AS cursor__text, e.id, e.unit, e.body AS body__json, e.from_date AS \"from\", e.until_date AS until,"  \
    " e.created_ms AS created__at, e.ended_ms AS ended__at FROM exemptions e "
/* Made in this unit or below, or for something here. */
#define IN_SIGHT                                                                                                       \
    "(e.unit IN (SELECT id FROM scope) OR EXISTS (SELECT 1 FROM json_each(e.body, '$.areas') j WHERE j.value IN"       \
    " (SELECT id FROM scope) OR j.value IN (SELECT id FROM over)) OR EXISTS (SELECT 1 FROM json_each(e.body,"          \
    " '$.devices') j JOIN devices d ON d.id = j.value WHERE d.area IN (SELECT id FROM scope))) "

/* What an order may lift: ceilings are kept by the device whatever is on. */
static const char *const liftable[] = {"quiet_hours",     "sessions_per_day", "minutes_per_session",
                                       "minutes_per_day", "weekdays",         NULL};

static json_t *spread(json_t *row)
{
    if (row)
        json_object_update(row, json_object_get(row, "body"));
    json_object_del(row, "body");
    return row;
}

int api_exemptions_list(struct request *r)
{
    struct page page;
    json_t *row;
    size_t i;
    bool ended;
    if (request_flag(r, "ended", &ended) < 0 || request_page(r, true, &page) < 0)
        return -1;
    json_t *rows = store_list(r->c->store,
                              SQL_SCOPE SQL_EXEMPTION "WHERE e.n > ?2 AND (?4 OR e.ended_ms IS NULL) AND " IN_SIGHT
                                                      "ORDER BY e.n LIMIT ?3",
                              "siii", r->token.unit, page.after_n, page.limit + 1, (int64_t)ended);
    json_array_foreach(rows, i, row) spread(row);
    return request_reply_page(r, &page, rows);
}

static int check_places(struct request *r, const json_t *areas, const json_t *devices)
{
    const json_t *value;
    size_t i;
    json_array_foreach(areas, i, value)
    {
        const char *area = json_string_value(value);
        if (!area_exists(r->c->store, area))
            return refuse(&r->problem, 422, "value", "areas", WORD_NO_AREA, "areas", area);
        if (!area_in_unit(r->c->store, area, r->token.unit))
            return refuse(&r->problem, 403, "scope", "areas", WORD_SCOPE, area, r->token.unit);
    }
    json_array_foreach(devices, i,
                       value) if (!device_in_unit(r->c->store, json_string_value(value),
                                                  r->token.unit)) return refuse_missing(&r->problem, 422, "value",
                                                                                        "devices", "device",
                                                                                        json_string_value(value));
    return 0;
}

static int check_dates(struct request *r, const struct form *form, const char **ret_from, const char **ret_until)
{
    int64_t from, until;
    if (form_date(form, "from", true, ret_from, &from) < 0 || form_date(form, "until", true, ret_until, &until) < 0)
        return -1;
    if (until < from)
        return refuse(&r->problem, 422, "value", "until", WORD_RULE_ORDER, *ret_until, *ret_from);
    return until - from < DAYS_MAX
               ? 0
               : refuse(&r->problem, 422, "value", "until", WORD_EXEMPT_LONG, *ret_until, *ret_from, (int)DAYS_MAX);
}

/* The playlists of what it names are made anew. */
static void touch(struct request *r, const json_t *body)
{
    const json_t *value;
    size_t i;
    json_array_foreach(json_object_get(body, "areas"), i, value)
    {
        json_t *devices = areas_devices(r->c->store, json_string_value(value));
        publisher_touch_list(r->c->publisher, devices);
        json_decref(devices);
    }
    publisher_touch_list(r->c->publisher, json_object_get(body, "devices"));
}

static int tell(struct request *r, unsigned status, const char *id)
{
    json_t *row = spread(store_one(r->c->store, SQL_EXEMPTION "WHERE e.id = ?", "s", id));
    touch(r, row);
    return request_reply(r, status, row);
}

static int add(struct request *r, const char *id, const json_t *body, const char *from, const char *until)
{
    json_t *there = store_one(r->c->store, SQL_EXEMPTION "WHERE e.id = ?", "s", id);
    if (there) {
        bool same = json_equal(json_object_get(there, "body"), body) && json_is_null(json_object_get(there, "ended")) &&
                    strcmp(json_string_value(json_object_get(there, "unit")), r->token.unit) == 0 &&
                    strcmp(json_string_value(json_object_get(there, "from")), from) == 0 &&
                    strcmp(json_string_value(json_object_get(there, "until")), until) == 0;
        json_decref(there);
        return same ? tell(r, 200, id) : refuse_taken(&r->problem, "exemption", id);
    }
    if (quota_check(r, QUOTA_EXEMPTIONS, r->token.unit) < 0)
        return -1;
    if (store_run(
            r->c->store,
            "INSERT INTO exemptions (id, unit, body, from_date, until_date, created_ms) VALUES (?, ?, ?, ?, ?, ?)",
            "ssjssi", id, r->token.unit, body, from, until, r->now_ms) < 0)
        return request_store_failed(r);
    return tell(r, 201, id);
}

int api_exemptions_new(struct request *r)
{
    struct form form = {.object = r->json, .problem = &r->problem};
    char made[24];
    const char *id = made, *order, *person, *reason = NULL, *from, *until;
    const json_t *areas, *devices, *limits;
    id_make("e-", made);
    if (form_known(&form, "id order person reason from until areas devices limits") < 0 ||
        form_id(&form, "id", false, &id) < 0 || form_text(&form, "order", true, 1, 100, &order) < 0 ||
        form_text(&form, "person", true, 1, 200, &person) < 0 ||
        form_text(&form, "reason", false, 1, 400, &reason) < 0 || check_dates(r, &form, &from, &until) < 0 ||
        form_ids(&form, "areas", false, PLACES_MAX, &areas) < 0 ||
        form_ids(&form, "devices", false, PLACES_MAX, &devices) < 0 ||
        form_choices(&form, "limits", liftable, &limits) < 0)
        return -1;
    if (strpbrk(order, "\n\t"))
        return refuse(&r->problem, 422, "value", "order", WORD_EXEMPT_ORDER);
    if (json_array_size(areas) + json_array_size(devices) == 0)
        return refuse(&r->problem, 422, "member", "areas", WORD_EXEMPT_PLACES);
    if (json_array_size(limits) == 0)
        return refuse(&r->problem, 422, "member", "limits", WORD_MEMBER_MISSING, "limits");
    if (check_places(r, areas, devices) < 0)
        return -1;
    json_t *body = json_pack("{s:s, s:s, s:s?, s:O*, s:O*, s:O}", "order", order, "person", person, "reason", reason,
                             "areas", areas, "devices", devices, "limits", limits);
    if (!areas)
        json_object_set_new(body, "areas", json_array());
    if (!devices)
        json_object_set_new(body, "devices", json_array());
    int result = add(r, id, body, from, until);
    json_decref(body);
    return result;
}

/* Only the unit that made it, or one above that. */
int api_exemption_end(struct request *r)
{
    json_t *row = store_one(r->c->store, SQL_SCOPE SQL_EXEMPTION "WHERE e.id = ?2 AND " IN_SIGHT, "ss", r->token.unit,
                            r->param[0]);
    if (!row)
        return request_missing(r, "exemption", r->param[0]);
    const char *unit = json_string_value(json_object_get(row, "unit"));
    int result = 0;
    if (!area_in_unit(r->c->store, unit, r->token.unit))
        result = refuse(&r->problem, 403, "scope", NULL, WORD_LIMIT_OF_OTHERS, r->param[0], unit);
    else if (store_run(r->c->store, "UPDATE exemptions SET ended_ms = coalesce(ended_ms, ?) WHERE id = ?", "is",
                       r->now_ms, r->param[0]) < 0)
        result = request_store_failed(r);
    if (result == 0)
        result = tell(r, 200, r->param[0]);
    json_decref(row);
    return result;
}
