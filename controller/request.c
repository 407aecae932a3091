/* request.c - see request.h. Order of refusals: route, method, query, token, role, type, size, content. */
#include "controller/request.h"

#include "controller/intake.h"
#include "controller/listener.h"
#include "controller/throttle.h"
#include "playlists/base/clock.h"
#include "playlists/base/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum {
    JSON_BODY_MAX = 256 * 1024,
    NO_BODY_MAX = 1024, /* of a route that takes none: many a client sends {} nevertheless */
    SOUND_BODY_MAX = 256 * 1024 * 1024,
    DISCARD_MAX = 4 * 1024 * 1024, /* of a refused body, so that the caller reads the answer instead of a reset */
};

static uint64_t body_max(const struct request *r)
{
    if (!r->route)
        return 0;
    if (r->route->body == BODY_NONE)
        return strcmp(r->route->method, "GET") == 0 ? 0 : NO_BODY_MAX;
    return r->route->body == BODY_SOUND ? SOUND_BODY_MAX : JSON_BODY_MAX;
}

static const char *header(struct request *r, const char *name)
{
    return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

const char *request_query(struct request *r, const char *name)
{
    return MHD_lookup_connection_value(r->connection, MHD_GET_ARGUMENT_KIND, name);
}

bool request_is(const struct request *r, enum role role)
{
    return r->token.role == role;
}

int request_flag(struct request *r, const char *name, bool *ret)
{
    const char *text = request_query(r, name);
    bool yes = text && strcmp(text, "true") == 0;
    if (text && !yes && strcmp(text, "false") != 0)
        return refuse(&r->problem, 400, "query", NULL, WORD_VALUE_CHOICE, name, "true, false");
    *ret = yes;
    return 0;
}

int request_missing(struct request *r, const char *what, const char *id)
{
    return refuse_missing(&r->problem, 404, "missing", NULL, what, id);
}

int request_store_failed(struct request *r)
{
    return refuse(&r->problem, 500, "store", NULL, WORD_STORE);
}

static void address_text(struct MHD_Connection *connection, char ret[48])
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    snprintf(ret, 48, "?");
    if (!info || !info->client_addr)
        return;
    if (info->client_addr->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)info->client_addr)->sin_addr, ret, 48);
    else if (info->client_addr->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)info->client_addr)->sin6_addr, ret, 48);
}

static int check_token(struct request *r)
{
    const char *bearer = header(r, "Authorization");
    if (!bearer || strncasecmp(bearer, "Bearer ", 7) != 0)
        return refuse(&r->problem, 401, "token", NULL, WORD_TOKEN_NONE);
    if (people_check(r->c->store, bearer + 7, &r->token)) {
        listener_admit(r->connection);
        return 0;
    }
    /* Only guessing is slowed: who has a right token may share an address with one who guesses. */
    char address[48];
    address_text(r->connection, address);
    int wait_s = throttle_wait_s(r->c->throttle, address, clock_elapsed_ms());
    if (wait_s > 0) {
        refuse(&r->problem, 429, "throttle", NULL, WORD_THROTTLE, wait_s);
        r->problem.retry_after_s = wait_s;
        return -1;
    }
    throttle_failed(r->c->throttle, address, clock_elapsed_ms());
    log_warn("http", "address=%s wrong token, refused", address);
    return refuse(&r->problem, 401, "token", NULL, WORD_TOKEN_WRONG);
}

static enum MHD_Result check_parameter(void *arg, enum MHD_ValueKind kind, const char *key, const char *value)
{
    struct request *r = arg;
    (void)kind;
    size_t len = strlen(key);
    const char *known = r->route->query;
    for (const char *at = known; len > 0 && (at = strstr(at, key)) != NULL; at += len)
        if ((at == known || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0') && !strchr(key, ' '))
            return value && utf8_valid(value, strlen(value))
                       ? MHD_YES
                       : (refuse(&r->problem, 400, "query", NULL, WORD_QUERY_UTF8, key), MHD_NO);
    refuse(&r->problem, 400, "query", NULL, *known ? WORD_QUERY_UNKNOWN : WORD_QUERY_NONE, key, known);
    return MHD_NO;
}

/* The media type, without parameters, lower case. */
static void media_type(struct request *r, char ret[80])
{
    const char *type = header(r, "Content-Type");
    snprintf(ret, 80, "%.*s", type ? (int)strcspn(type, "; \t") : 0, type ? type : "");
    for (char *at = ret; *at; at++)
        if (*at >= 'A' && *at <= 'Z')
            *at = (char)(*at + 32);
}

static int check_type(struct request *r)
{
    char type[80];
    media_type(r, type);
    const char *want = NULL;
    switch (r->route->body) {
    case BODY_NONE:
        return 0;
    case BODY_CSV_OR_JSON:
        r->csv = strcmp(type, "text/csv") == 0;
        want = r->csv || strcmp(type, "application/json") == 0 ? NULL : "application/json, text/csv";
        break;
    case BODY_JSON:
        want = strcmp(type, "application/json") == 0 || strcmp(type, "application/merge-patch+json") == 0
                   ? NULL
                   : "application/json";
        break;
    case BODY_JOSE:
        want = strcmp(type, "application/jose") == 0 ? NULL : "application/jose";
        break;
    case BODY_SOUND:
        want = strncmp(type, "audio/", 6) == 0 || strcmp(type, "application/octet-stream") == 0 ||
                       strcmp(type, "application/ogg") == 0
                   ? NULL
                   : "audio/*, application/octet-stream";
        break;
    }
    return want ? refuse(&r->problem, 415, "type", NULL, WORD_TYPE, *type ? type : "-", want) : 0;
}

static int too_large(struct request *r)
{
    return refuse(&r->problem, 413, "size", NULL, WORD_SIZE, (unsigned long long)body_max(r));
}

static int check_size(struct request *r, uint64_t *ret_length)
{
    const char *length = header(r, "Content-Length");
    *ret_length = length ? strtoull(length, NULL, 10) : 0;
    return *ret_length > body_max(r) ? too_large(r) : 0;
}

static int open_body_file(struct request *r)
{
    snprintf(r->body_path, sizeof(r->body_path), "%s/tmp/upload-XXXXXX", r->c->settings->state);
    r->body_fd = mkostemp(r->body_path, O_CLOEXEC);
    if (r->body_fd >= 0)
        return 0;
    r->body_path[0] = '\0';
    return request_store_failed(r);
}

static int begin(struct request *r, const char *method, const char *url, uint64_t *ret_length)
{
    const char *length = header(r, "Content-Length");
    *ret_length = length ? strtoull(length, NULL, 10) : 0;
    if (route_find(r, method, url) < 0)
        return -1;
    MHD_get_connection_values(r->connection, MHD_GET_ARGUMENT_KIND, check_parameter, r);
    if (r->problem.status || check_token(r) < 0)
        return -1;
    if (!(r->route->roles & r->token.role))
        return refuse(&r->problem, 403, "role", NULL, WORD_ROLE, role_name(r->token.role), method, r->path);
    if (r->route->body != BODY_NONE && (check_type(r) < 0 || check_size(r, ret_length) < 0))
        return -1;
    if (r->route->body != BODY_SOUND)
        return 0;
    return intake_begin(r->c->intake, r) < 0 ? -1 : open_body_file(r);
}

static void take_body(struct request *r, const char *data, size_t len)
{
    r->body_size += len;
    if (r->problem.status)
        return;
    if (r->body_size > body_max(r)) {
        too_large(r);
    } else if (r->route->body == BODY_SOUND) {
        for (size_t done = 0; done < len;) {
            ssize_t n = write(r->body_fd, data + done, len - done);
            if (n < 0 && errno != EINTR) {
                request_store_failed(r);
                return;
            }
            done += n > 0 ? (size_t)n : 0;
        }
    } else {
        buf_put(&r->body, data, len);
    }
}

int request_reply(struct request *r, unsigned status, json_t *reply)
{
    json_decref(r->reply);
    r->status = status;
    r->reply = reply;
    return 0;
}

static json_t *problem_json(const struct problem *p, bool english)
{
    static const struct {
        int status;
        const char *vi, *en;
    } titles[] = {{400, "Yêu cầu không hợp lệ", "Bad Request"},
                  {401, "Chưa xác thực", "Unauthorized"},
                  {403, "Không được phép", "Forbidden"},
                  {404, "Không tìm thấy", "Not Found"},
                  {405, "Không dùng được phương thức này", "Method Not Allowed"},
                  {409, "Trùng hoặc xung đột", "Conflict"},
                  {413, "Dữ liệu quá lớn", "Content Too Large"},
                  {415, "Sai kiểu dữ liệu", "Unsupported Media Type"},
                  {422, "Nội dung không hợp lệ", "Unprocessable Content"},
                  {429, "Thử quá nhiều lần", "Too Many Requests"},
                  {503, "Đang bận", "Service Unavailable"}};
    const char *title = english ? "Internal Server Error" : "Lỗi hệ thống";
    for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
        if (titles[i].status == p->status)
            title = english ? titles[i].en : titles[i].vi;
    json_t *json = json_pack("{s:s, s:s, s:i, s:s, s:s}", "type", "about:blank", "title", title, "status", p->status,
                             "code", p->code, "detail", english ? p->en : p->vi);
    if (json && p->member[0])
        json_object_set_new(json, "member", json_string(p->member));
    if (json && p->refusal)
        json_object_set_new(json, "refusal", json_string(p->refusal));
    return json;
}

static struct MHD_Response *json_response(const json_t *json, const char *type)
{
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    if (!text)
        text = xstrdup("{}");
    struct MHD_Response *response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
    MHD_add_response_header(response, "Content-Type", type);
    return response;
}

static struct MHD_Response *problem_response(struct request *r)
{
    const struct problem *p = &r->problem;
    char number[16];
    json_t *json = problem_json(p, r->english);
    struct MHD_Response *response = json_response(json, "application/problem+json");
    json_decref(json);
    MHD_add_response_header(response, "Content-Language", r->english ? "en" : "vi");
    snprintf(number, sizeof(number), "%d", p->retry_after_s);
    if (p->retry_after_s)
        MHD_add_response_header(response, "Retry-After", number);
    if (p->allow[0])
        MHD_add_response_header(response, "Allow", p->allow);
    if (p->status == 401)
        MHD_add_response_header(response, "WWW-Authenticate", "Bearer realm=\"loa\"");
    r->status = (unsigned)p->status;
    return response;
}

void request_note(struct request *r)
{
    if (r->noted || strcmp(r->route->method, "GET") == 0 || r->problem.status || r->status >= 300)
        return;
    r->noted = true;
    if (store_run(r->c->store, "INSERT INTO actions (at_ms, token, method, path, status) VALUES (?, ?, ?, ?, ?)",
                  "isssi", r->now_ms, r->token.id, r->route->method, r->path, (int64_t)r->status) < 0)
        log_warn("http", "path=%s action not noted", r->path);
}

static enum MHD_Result answer(struct request *r)
{
    struct MHD_Response *response = r->response;
    r->response = NULL;
    bool page = response && !r->route;
    if (r->problem.status)
        response = problem_response(r);
    else if (!response)
        response = json_response(r->reply, "application/json");
    answer_headers(response, page);
    if (!page)
        MHD_add_response_header(response, "Cache-Control", "no-store");
    if (r->route)
        request_note(r);
    enum MHD_Result queued = MHD_queue_response(r->connection, r->status, response);
    MHD_destroy_response(response);
    return queued;
}

/* An object without members says nothing. */
static int check_no_body(struct request *r)
{
    if (form_parse(r->body.data, r->body.len, &r->problem, &r->json) < 0)
        return -1;
    struct form form = {.object = r->json, .problem = &r->problem};
    return form_known(&form, "");
}

static int handle(struct request *r)
{
    if (r->route->body == BODY_JSON || (r->route->body == BODY_CSV_OR_JSON && !r->csv))
        if (form_parse(r->body.data, r->body.len, &r->problem, &r->json) < 0)
            return -1;
    if (r->route->body != BODY_NONE && r->body_size == 0)
        return refuse(&r->problem, 400, "body", NULL, WORD_BODY_EMPTY);
    if (r->route->body == BODY_NONE && r->body_size > 0 && check_no_body(r) < 0)
        return -1;
    return request_take_route(r);
}

static bool wants_english(struct request *r)
{
    const char *languages = header(r, "Accept-Language");
    if (!languages)
        return false;
    const char *en = strstr(languages, "en"), *vi = strstr(languages, "vi");
    return en && (!vi || en < vi);
}

static struct request *request_new(struct controller *c, struct MHD_Connection *connection, const char *url)
{
    struct request *r = xcalloc(1, sizeof(*r));
    r->c = c;
    r->connection = connection;
    r->body_fd = -1;
    r->now_ms = clock_wall_ms();
    r->english = wants_english(r);
    snprintf(r->path, sizeof(r->path), "%s", url);
    return r;
}

static enum MHD_Result first_call(struct request *r, const char *method, const char *url)
{
    uint64_t length;
    bool get = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    if (strncmp(url, "/api/", 5) != 0 && get && (r->response = page_file(r->c->settings, url)) != NULL) {
        r->status = 200;
        return answer(r);
    }
    if (begin(r, method, url, &length) < 0 && length > DISCARD_MAX)
        return answer(r);
    return MHD_YES;
}

enum MHD_Result api_access(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
                           const char *version, const char *upload, size_t *upload_size, void **request)
{
    struct request *r = *request;
    (void)version;
    if (!r) {
        r = *request = request_new(arg, connection, url);
        return first_call(r, method, url);
    }
    if (*upload_size > 0) {
        take_body(r, upload, *upload_size);
        *upload_size = 0;
        return r->problem.status && r->body_size > body_max(r) + DISCARD_MAX ? MHD_NO : MHD_YES;
    }
    if (!r->started) {
        r->started = true;
        if (!r->problem.status && handle(r) == REQUEST_LATER)
            return MHD_YES;
    } else if (!r->finished) {
        return MHD_YES;
    }
    return answer(r);
}

void api_completed(void *arg, struct MHD_Connection *connection, void **request, enum MHD_RequestTerminationCode how)
{
    struct request *r = *request;
    (void)arg;
    (void)connection;
    (void)how;
    if (!r)
        return;
    if (r->later && r->later_gone)
        r->later_gone(r->later);
    intake_end(r->c->intake, r);
    if (r->body_fd >= 0)
        close(r->body_fd);
    if (r->body_path[0])
        unlink(r->body_path);
    buf_done(&r->body);
    json_decref(r->json);
    json_decref(r->about);
    json_decref(r->reply);
    if (r->response)
        MHD_destroy_response(r->response);
    free(r);
    *request = NULL;
}

static int read_limit(struct request *r, int64_t *ret)
{
    const char *text = request_query(r, "limit");
    if (!text)
        return 0;
    char *end = NULL;
    long value = strtol(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || value < 1 || value > 1000)
        return refuse(&r->problem, 400, "query", NULL, WORD_QUERY_LIMIT, text);
    *ret = value;
    return 0;
}

int request_page(struct request *r, bool numeric, struct page *ret)
{
    *ret = (struct page){.limit = 100, .after = request_query(r, "after")};
    const char *order = strstr(r->route->query, "order") ? request_query(r, "order") : NULL;
    if (order && strcmp(order, "asc") != 0 && strcmp(order, "desc") != 0)
        return refuse(&r->problem, 400, "query", NULL, WORD_QUERY_ORDER, order);
    ret->desc = order && strcmp(order, "desc") == 0;
    ret->after_n = ret->desc ? INT64_MAX : 0;
    if (read_limit(r, &ret->limit) < 0)
        return -1;
    if (!ret->after || !numeric)
        return 0;
    char *end = NULL;
    ret->after_n = strtoll(ret->after, &end, 10);
    if (*ret->after < '0' || *ret->after > '9' || *end)
        return refuse(&r->problem, 400, "query", NULL, WORD_QUERY_AFTER, ret->after);
    return 0;
}

int request_reply_page(struct request *r, const struct page *page, json_t *rows)
{
    json_t *next = json_null();
    if ((int64_t)json_array_size(rows) > page->limit) {
        json_array_remove(rows, (size_t)page->limit);
        next = json_incref(json_object_get(json_array_get(rows, (size_t)page->limit - 1), "cursor"));
    }
    return request_reply(r, 200, json_pack("{s:o, s:o}", "items", rows, "next", next));
}

int request_instant(struct request *r, const char *name, int64_t *ret_ms)
{
    const char *text = request_query(r, name);
    if (text && instant_parse(text, ret_ms) < 0)
        return refuse(&r->problem, 400, "query", NULL, WORD_QUERY_INSTANT, name, text);
    return 0;
}
