/* request.h - one call of the API on its way: found in the route table (routes.c), its caller known, its body read and
 * bounded, its answer JSON. Loop thread, but for steps aside (request_aside()): a call belongs to one thread at a time.
 */
#ifndef LOA_REQUEST_H
#define LOA_REQUEST_H

#include "controller/controller.h"
#include "controller/form.h"
#include "controller/people.h"
#include "playlists/base/bytes.h"

#include <microhttpd.h>

enum body_kind { BODY_NONE, BODY_JSON, BODY_CSV_OR_JSON, BODY_JOSE, BODY_SOUND };

enum { REQUEST_LATER = 1 };

struct request;

/* 0: answered with request_reply() or r->response; -1: r->problem says why not; REQUEST_LATER: the connection is
 * suspended and request_finish() comes. */
typedef int (*route_fn)(struct request *r);

enum route_place { ON_LOOP, ASIDE }; /* see request_aside() */

struct route {
    const char *method;
    const char *path; /* below /api/v1; a segment ":" takes anything and becomes a parameter */
    unsigned roles;   /* enum role, those who may */
    enum body_kind body;
    const char *query; /* parameters that it knows, separated by blanks */
    route_fn handle;
    enum route_place place; /* of its first step */
};

enum { REQUEST_PARAMS = 2, REQUEST_PARAM_LEN = 80 };

struct request {
    struct controller *c;
    struct MHD_Connection *connection;
    const struct route *route;
    char path[200];
    char param[REQUEST_PARAMS][REQUEST_PARAM_LEN];
    struct token token;
    struct problem problem;
    int64_t now_ms;
    bool english;
    bool started;
    bool body_over; /* refused: what still comes is thrown away */
    bool csv;
    struct buf body;
    bool intake_body;    /* counted by intake_begin() */
    int body_fd;         /* BODY_SOUND: file of the body, else -1; owned */
    char body_path[440]; /* removed at the end unless emptied */
    uint64_t body_size;
    json_t *json; /* parsed body */
    unsigned status;
    json_t *reply;                 /* owned */
    struct MHD_Response *response; /* instead of reply; owned */
    bool suspended, finished;
    bool noted;  /* for the audit log */
    void *later; /* what works on it while it is suspended; told by later_gone when the request dies */
    void (*later_gone)(void *later);
    route_fn step; /* what comes when this one has done its part; NULL: the answer */
    bool step_aside;
    json_t *about;          /* for that step; owned */
    struct request *behind; /* aside.c's */
};

int request_reply(struct request *r, unsigned status, json_t *reply); /* consumes reply; returns 0 */
/* Who changed what, for the audit log; once, and nothing for what only reads or was refused. */
void request_note(struct request *r);
/* Answer a suspended request: with `reply`, or with r->problem when NULL. */
void request_finish(struct request *r, unsigned status, json_t *reply);
/* Wait for request_finish(). Returns REQUEST_LATER. */
int request_suspend(struct request *r, void *later, void (*later_gone)(void *later));

/* A call may be done in steps, each a route_fn; the next one comes when this one has returned 0 (or, of a call that is
 * suspended, with request_finish()), and the answer is what the last one left. `about` is consumed, and r->about then.
 *
 * request_aside(): the step runs on a thread, so that nobody waits for it. There r->c has what reads (reader.h): the
 * store as it was committed by then, settings, zones, mandate; of the rest nothing. request_on_loop(): the step runs
 * on the loop again, where things are changed. Both return 0. */
int request_aside(struct request *r, route_fn step, json_t *about);
int request_on_loop(struct request *r, route_fn step, json_t *about);
/* For request.c: the route's own step. */
int request_take_route(struct request *r);
/* For aside.c: all steps that may be taken on this thread; and the call is back on the loop with what they came to. */
int request_steps(struct request *r, struct controller *reader);
void request_back(struct request *r, int result);

/* A query parameter, or NULL. */
const char *request_query(struct request *r, const char *name);
/* One that says "true" or "false"; absent: false. */
int request_flag(struct request *r, const char *name, bool *ret);
/* 404 for a thing of this kind. */
int request_missing(struct request *r, const char *what, const char *id);
int request_store_failed(struct request *r);
bool request_is(const struct request *r, enum role role);

/* Pages of lists: rows carry a member "cursor". Statements use LIMIT ? with page.limit + 1. */
struct page {
    const char *after; /* NULL: from the beginning */
    int64_t after_n;   /* the same as a number; 0 or INT64_MAX (desc) */
    int64_t limit;
    bool desc;
};
int request_page(struct request *r, bool numeric, struct page *ret);
int request_reply_page(struct request *r, const struct page *page, json_t *rows); /* consumes rows */
/* An instant as query parameter; absent: *ret stays. */
int request_instant(struct request *r, const char *name, int64_t *ret_ms);

/* libmicrohttpd's callbacks for the API's port; arg is struct controller. */
enum MHD_Result api_access(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
                           const char *version, const char *upload, size_t *upload_size, void **request);
void api_completed(void *arg, struct MHD_Connection *connection, void **request, enum MHD_RequestTerminationCode how);

/* The route table: NULL-terminated by method. */
extern const struct route routes[];
/* Fills r->route and r->param; else r->problem (404, 405). */
int route_find(struct request *r, const char *method, const char *path);

/* Files of the page. NULL: no such file. */
struct MHD_Response *page_file(const struct settings *settings, const char *path);

#endif
