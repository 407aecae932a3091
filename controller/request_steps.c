/* request_steps.c - a call that waits, and the steps that it is done in. See request.h. */
#include "controller/aside.h"
#include "controller/listener.h"
#include "controller/request.h"
#include "controller/store.h"

#include <string.h>

int request_suspend(struct request *r, void *later, void (*later_gone)(void *later))
{
    r->later = later;
    r->later_gone = later_gone;
    if (!r->suspended)
        MHD_suspend_connection(r->connection);
    r->suspended = true;
    return REQUEST_LATER;
}

static int set_step(struct request *r, route_fn step, json_t *about, bool aside)
{
    json_decref(r->about);
    r->about = about;
    r->step = step;
    r->step_aside = aside;
    return 0;
}

int request_aside(struct request *r, route_fn step, json_t *about)
{
    return set_step(r, step, about, true);
}

int request_on_loop(struct request *r, route_fn step, json_t *about)
{
    return set_step(r, step, about, false);
}

/* A step's change and its line in the audit log are one commit, with what devices have said meanwhile: what a step
 * tells to others, the step before it has stored. */
static int change(struct request *r, route_fn step)
{
    if (store_enter(r->c->store) < 0)
        return request_store_failed(r);
    int result = step(r);
    if (result == 0 && !r->step)
        request_note(r);
    store_leave(r->c->store);
    return store_settle(r->c->store) < 0 && result != REQUEST_LATER ? request_store_failed(r) : result;
}

/* As long as the steps are for this thread. */
static int take_steps(struct request *r, bool aside, int result)
{
    while (result == 0 && r->step && r->step_aside == aside) {
        route_fn step = r->step;
        r->step = NULL;
        result = aside || strcmp(r->route->method, "GET") == 0 ? step(r) : change(r, step);
    }
    return result;
}

int request_steps(struct request *r, struct controller *reader)
{
    struct controller *c = r->c;
    r->c = reader;
    int result = take_steps(r, true, 0);
    r->c = c;
    return result;
}

/* On the loop: go on after a step that came to `result`. REQUEST_LATER: somebody else has it now. */
static int proceed(struct request *r, int result)
{
    result = take_steps(r, false, result);
    if (result != 0 || !r->step)
        return result;
    request_suspend(r, NULL, NULL);
    aside_take(r->c->aside, r);
    return REQUEST_LATER;
}

int request_take_route(struct request *r)
{
    return proceed(r, set_step(r, r->route->handle, NULL, r->route->place == ASIDE));
}

static void resume(struct request *r)
{
    r->finished = true;
    if (!r->suspended)
        return;
    r->suspended = false;
    MHD_resume_connection(r->connection);
    listener_kick(r->c->api_port);
}

void request_back(struct request *r, int result)
{
    if (result == ERR_STORE)
        request_store_failed(r);
    else if (result == ERR_STATE)
        refuse(&r->problem, 503, "busy", NULL, WORD_BUSY);
    if (proceed(r, result) != REQUEST_LATER)
        resume(r);
}

void request_finish(struct request *r, unsigned status, json_t *reply)
{
    r->later = NULL;
    if (reply)
        request_reply(r, status, reply);
    if (proceed(r, r->problem.status ? -1 : 0) != REQUEST_LATER)
        resume(r);
}
