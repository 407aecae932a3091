/* api_media.c - recordings. */
#include "controller/api.h"
#include "controller/blobs.h"
#include "controller/intake.h"
#include "controller/places.h"

int api_media_list(struct request *r)
{
    struct page page;
    if (request_page(r, true, &page) < 0)
        return -1;
    return request_reply_page(r, &page,
                              store_list(r->c->store,
                                         SQL_SCOPE SQL_MEDIA "JOIN scope ON scope.id = unit WHERE n > ?2 ORDER BY n"
                                                             " LIMIT ?3",
                                         "sii", r->token.unit, page.after_n, page.limit + 1));
}

int api_media_new(struct request *r)
{
    return intake_start(r->c->intake, r, request_query(r, "name"));
}

/* Whoever knows the hash may hear it: it names one recording, and bulletins of upper units refer to it. */
int api_media(struct request *r)
{
    json_t *row = store_one(r->c->store, SQL_MEDIA "WHERE hash = ?", "s", r->param[0]);
    return row ? request_reply(r, 200, row) : request_missing(r, "media", r->param[0]);
}

int api_media_content(struct request *r)
{
    if (store_number(r->c->store, 0, "SELECT 1 FROM media WHERE hash = ?", "s", r->param[0]) != 1)
        return request_missing(r, "media", r->param[0]);
    r->response = blob_response(r->c, r->connection, r->param[0], "audio/ogg; codecs=opus", &r->status);
    return 0;
}
