/* http.h - libcurl's multi interface on our loop: sockets are polled, nothing blocks. Loop thread. */
#ifndef LOA_LINK_HTTP_H
#define LOA_LINK_HTTP_H

#include <curl/curl.h>
#include <stdbool.h>
#include <uv.h>

/* A transfer ended by itself; it is out of the loop already. Never called from inside http_start/http_drop. */
typedef void (*http_done_fn)(void *arg, CURLcode result);

struct http;

struct http *http_new(uv_loop_t *loop, http_done_fn done);
void http_free(struct http *http);                         /* NULL is fine; after all transfers were dropped or ended */
void http_start(struct http *http, CURL *easy, void *arg); /* `easy` is borrowed until done or http_drop() */
void http_drop(struct http *http, CURL *easy);             /* not from inside a callback of curl's */
bool http_stuck(const struct http *http); /* something is under way, and curl was not called for a minute */

#endif
