/* api_records.c - the play log, events, and the live stream. */
#include "controller/api.h"
#include "controller/feed.h"
#include "controller/meaning.h"
#include "controller/places.h"
#include "controller/records.h"

#include <stdlib.h>

struct filter {
    struct page page;
    int64_t from_ms, to_ms;
    const char *device;
};

static int read_filter(struct request *r, struct filter *ret)
{
    *ret = (struct filter){.from_ms = 0, .to_ms = INT64_MAX, .device = request_query(r, "device")};
    if (request_page(r, true, &ret->page) < 0 || request_instant(r, "from", &ret->from_ms) < 0 ||
        request_instant(r, "to", &ret->to_ms) < 0)
        return -1;
    if (ret->device && !device_in_unit(r->c->store, ret->device, r->token.unit))
        return request_missing(r, "device", ret->device);
    return 0;
}

int api_receipts(struct request *r)
{
    struct filter f;
    if (read_filter(r, &f) < 0)
        return -1;
    char *sql = xasprintf(SQL_SCOPE SQL_RECEIPT
                          "JOIN devices d ON d.id = r.device JOIN scope ON scope.id = d.area WHERE r.cursor %s ?2 AND"
                          " (?3 IS NULL OR r.device = ?3) AND (?4 IS NULL OR r.rule = ?4) AND r.planned_ms >= ?5 AND"
                          " r.planned_ms < ?6 ORDER BY r.cursor %s LIMIT ?7",
                          f.page.desc ? "<" : ">", f.page.desc ? "DESC" : "");
    json_t *rows = store_list(r->c->store, sql, "sissiii", r->token.unit, f.page.after_n, f.device,
                              request_query(r, "rule"), f.from_ms, f.to_ms, f.page.limit + 1);
    free(sql);
    mean_each(rows, mean_receipt);
    return request_reply_page(r, &f.page, rows);
}

int api_events(struct request *r)
{
    struct filter f;
    if (read_filter(r, &f) < 0)
        return -1;
    char *sql = xasprintf(SQL_SCOPE SQL_EVENT
                          "WHERE cursor %s ?2 AND device IN (SELECT d.id FROM devices d JOIN scope ON scope.id ="
                          " d.area) AND (?3 IS NULL OR device = ?3) AND (?4 IS NULL OR code = ?4) AND at_ms >= ?5 AND"
                          " at_ms < ?6 ORDER BY cursor %s LIMIT ?7",
                          f.page.desc ? "<" : ">", f.page.desc ? "DESC" : "");
    json_t *rows = store_list(r->c->store, sql, "sissiii", r->token.unit, f.page.after_n, f.device,
                              request_query(r, "code"), f.from_ms, f.to_ms, f.page.limit + 1);
    free(sql);
    mean_each(rows, mean_event);
    return request_reply_page(r, &f.page, rows);
}

int api_stream(struct request *r)
{
    const char *device = request_query(r, "device");
    if (device && !device_in_unit(r->c->store, device, r->token.unit))
        return request_missing(r, "device", device);
    return feed_join(r->c->feed, r, device);
}
