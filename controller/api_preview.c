/* api_preview.c - what a device will do on a day: by its rules as they are, or with drafts of some. Worked out on a
 * thread, so that nothing waits for it. */
#include "controller/api_rules.h"

#include "controller/places.h"
#include "controller/preview.h"
#include "controller/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DRAFTS_MAX = 20, WITHOUT_MAX = 100, OF_TOKEN_MAX = 2, RETRY_S = 1 };

struct preview_work {
    uv_work_t work;
    struct preview_work *next; /* of the controller's */
    struct controller *c;
    char *token;             /* id of whose it is */
    struct request *request; /* NULL: the caller is gone */
    struct preview wanted;
    char *device;
    json_t *drafts, *without, *told;
};

static void work_free(struct preview_work *work)
{
    json_decref(work->drafts);
    json_decref(work->without);
    json_decref(work->told);
    free(work->device);
    free(work->token);
    free(work);
}

static void on_thread(uv_work_t *uv)
{
    struct preview_work *work = uv->data;
    work->told = preview_make(work->c->settings, &work->wanted);
}

static void on_worked(uv_work_t *uv, int status)
{
    struct preview_work *work = uv->data;
    struct request *r = work->request;
    struct preview_work **at = &work->c->previews;
    while (*at != work)
        at = &(*at)->next;
    *at = work->next;
    if (r && (status < 0 || !work->told)) {
        request_store_failed(r);
        request_finish(r, 500, NULL);
    } else if (r) {
        request_finish(r, 200, json_incref(work->told));
    }
    work_free(work);
}

static void on_gone(void *later)
{
    ((struct preview_work *)later)->request = NULL;
}

/* One token alone never keeps others from theirs. */
static bool may_start(const struct request *r)
{
    size_t n = 0, mine = 0;
    for (const struct preview_work *work = r->c->previews; work; work = work->next, n++)
        mine += strcmp(work->token, r->token.id) == 0;
    return n < PREVIEWS_MAX && mine < OF_TOKEN_MAX;
}

/* Consumes drafts. */
static int start(struct request *r, const char *device, int64_t day, json_t *drafts, const json_t *without)
{
    if (!may_start(r)) {
        json_decref(drafts);
        refuse(&r->problem, 503, "busy", NULL, WORD_BUSY);
        r->problem.retry_after_s = RETRY_S;
        return -1;
    }
    struct preview_work *work = xcalloc(1, sizeof(*work));
    work->c = r->c;
    work->request = r;
    work->device = xstrdup(device);
    work->token = xstrdup(r->token.id);
    work->drafts = drafts;
    work->without = json_deep_copy(without);
    work->wanted = (struct preview){
        .device = work->device, .day = day, .drafts = drafts, .without = work->without, .now_ms = r->now_ms};
    work->work.data = work;
    if (uv_queue_work(r->c->loop, &work->work, on_thread, on_worked) < 0) {
        work_free(work);
        return request_store_failed(r);
    }
    work->next = r->c->previews;
    r->c->previews = work;
    return request_suspend(r, work, on_gone);
}

int api_preview(struct request *r)
{
    const char *device = request_query(r, "device"), *text = request_query(r, "day");
    int64_t day = PREVIEW_TODAY;
    if (!device)
        return refuse(&r->problem, 400, "query", "device", WORD_MEMBER_MISSING, "device");
    if (text && civil_parse_date(text, &day) < 0)
        return refuse(&r->problem, 400, "query", "day", WORD_VALUE_DATE, "day", text);
    if (!device_in_unit(r->c->store, device, r->token.unit))
        return request_missing(r, "device", device);
    return start(r, device, day, NULL, NULL);
}

/* One draft as {id, body}; NULL: the problem says why not. New reference. */
static json_t *check_draft(struct request *r, const json_t *draft, size_t index)
{
    struct form form = {.object = draft, .problem = &r->problem};
    char made[40];
    const char *id = made;
    json_t *body = NULL;
    snprintf(made, sizeof(made), "draft-%zu", index + 1);
    if (rule_check(draft, r->c->zones, r->c->settings->zone, &r->problem, &body) < 0)
        return NULL;
    if (form_id(&form, "id", false, &id) < 0 || rule_check_named(r, body) < 0) {
        json_decref(body);
        return NULL;
    }
    json_t *checked = json_object();
    json_object_set_new(checked, "id", json_string(id));
    json_object_set_new(checked, "body", body);
    return checked;
}

int api_preview_drafts(struct request *r)
{
    struct form form = {.object = r->json, .problem = &r->problem};
    const char *device = NULL, *text = NULL;
    const json_t *rules = NULL, *without = NULL, *rule;
    int64_t day = PREVIEW_TODAY;
    size_t i;
    if (form_known(&form, "device day rules without") < 0 || form_id(&form, "device", true, &device) < 0 ||
        form_date(&form, "day", false, &text, &day) < 0 ||
        form_list(&form, "rules", false, 0, DRAFTS_MAX, &rules) < 0 ||
        form_ids(&form, "without", false, WITHOUT_MAX, &without) < 0)
        return -1;
    if (!device_in_unit(r->c->store, device, r->token.unit))
        return request_missing(r, "device", device);
    json_t *drafts = json_array();
    json_array_foreach(rules, i, rule)
    {
        json_t *draft = check_draft(r, rule, i);
        if (!draft) {
            json_decref(drafts);
            return -1;
        }
        json_array_append_new(drafts, draft);
    }
    return start(r, device, day, drafts, without);
}
