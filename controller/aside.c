/* aside.c - see aside.h. */
#include "controller/aside.h"

#include "controller/reader.h"
#include "controller/request.h"

#include <stdlib.h>

/* Where one call at a time is worked at. */
struct desk {
    struct aside *aside;
    struct reader *reader;
    uv_work_t work;
    bool taken;              /* the loop's: from aside_take() until the work is back */
    struct request *request; /* NULL: the log alone is to be shortened, or nobody waits any more */
    bool shorten_log;
    int result;
    bool working; /* by the lock */
};

struct aside {
    struct controller *c;
    struct desk desks[ASIDE_THREADS];
    struct request *first, *last; /* those that wait, by their `behind` */
    bool stopping;
    uv_mutex_t lock;
    uv_cond_t rests; /* a desk does not work any more */
};

/* --- on a thread --- */

static void on_thread(uv_work_t *work)
{
    struct desk *desk = work->data;
    struct controller *own;
    desk->result = ERR_STORE;
    if (reader_begin(desk->reader, &own) == 0) {
        if (desk->request)
            desk->result = request_steps(desk->request, own);
        reader_end(desk->reader, desk->shorten_log);
    }
    uv_mutex_lock(&desk->aside->lock);
    desk->working = false;
    uv_cond_broadcast(&desk->aside->rests);
    uv_mutex_unlock(&desk->aside->lock);
}

/* --- on the loop --- */

static void on_worked(uv_work_t *work, int status);

static int begin(struct desk *desk, struct request *r, bool shorten_log)
{
    desk->request = r;
    desk->shorten_log = shorten_log;
    desk->taken = desk->working = true;
    int result = uv_queue_work(desk->aside->c->loop, &desk->work, on_thread, on_worked);
    if (result < 0)
        desk->taken = desk->working = false;
    return result;
}

static struct desk *free_desk(struct aside *a)
{
    for (size_t i = 0; i < ASIDE_THREADS; i++)
        if (!a->desks[i].taken)
            return &a->desks[i];
    return NULL;
}

static struct request *next_waiting(struct aside *a)
{
    struct request *r = a->first;
    if (r) {
        a->first = r->behind;
        r->behind = NULL;
    }
    return r;
}

static void go_on(struct aside *a)
{
    struct desk *desk;
    while (a->first && (desk = free_desk(a)) != NULL) {
        struct request *r = next_waiting(a);
        if (begin(desk, r, store_log_due(a->c->store)) < 0)
            request_back(r, ERR_STATE);
    }
}

static void on_worked(uv_work_t *work, int status)
{
    struct desk *desk = work->data;
    struct request *r = desk->request;
    (void)status; /* it is never cancelled */
    desk->taken = false;
    desk->request = NULL;
    if (r)
        request_back(r, desk->result);
    go_on(desk->aside);
}

struct aside *aside_new(struct controller *c)
{
    struct aside *a = xcalloc(1, sizeof(*a));
    a->c = c;
    uv_mutex_init(&a->lock);
    uv_cond_init(&a->rests);
    for (size_t i = 0; i < ASIDE_THREADS; i++) {
        a->desks[i].aside = a;
        a->desks[i].reader = reader_new(c);
        a->desks[i].work.data = &a->desks[i];
    }
    return a;
}

void aside_take(struct aside *aside, struct request *r)
{
    if (aside->first)
        aside->last->behind = r;
    else
        aside->first = r;
    aside->last = r;
    go_on(aside);
}

void aside_tidy(struct aside *aside)
{
    struct desk *desk = aside->stopping ? NULL : free_desk(aside);
    if (desk && store_log_due(aside->c->store))
        (void)begin(desk, NULL, true); /* else with the next thousand pages */
}

void aside_stop(struct aside *aside)
{
    struct request *r;
    aside->stopping = true;
    while ((r = next_waiting(aside)) != NULL)
        request_back(r, ERR_STATE);
    for (size_t i = 0; i < ASIDE_THREADS; i++) {
        struct desk *desk = &aside->desks[i];
        uv_mutex_lock(&aside->lock);
        while (desk->working)
            uv_cond_wait(&aside->rests, &aside->lock);
        uv_mutex_unlock(&aside->lock);
        r = desk->request;
        desk->request = NULL;
        if (r)
            request_back(r, ERR_STATE);
    }
}

void aside_free(struct aside *aside)
{
    if (!aside)
        return;
    for (size_t i = 0; i < ASIDE_THREADS; i++)
        reader_free(aside->desks[i].reader);
    uv_cond_destroy(&aside->rests);
    uv_mutex_destroy(&aside->lock);
    free(aside);
}
