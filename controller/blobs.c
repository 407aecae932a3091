/* blobs.c - see blobs.h. */
#include "controller/blobs.h"

#include "controller/listener.h"
#include "controller/places.h"
#include "playlists/base/file.h"
#include "playlists/base/log.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void blob_path(const struct settings *settings, const char *hash, char ret[440])
{
    snprintf(ret, 440, "%s/blobs/%.64s", settings->state, hash);
}

void source_path(const struct settings *settings, const char *hash, char ret[440])
{
    snprintf(ret, 440, "%s/sources/%.64s", settings->state, hash);
}

int blob_write(const struct settings *settings, const void *data, size_t len, struct hash *ret)
{
    char path[440];
    *ret = hash_of(data, len);
    blob_path(settings, ret->hex, path);
    return file_write_whole(path, data, len, 0600);
}

static bool number(const char **at, uint64_t *ret)
{
    const char *start = *at;
    *ret = 0;
    while (isdigit((unsigned char)**at) && *at - start < 18)
        *ret = *ret * 10 + (uint64_t)(*(*at)++ - '0');
    return *at > start;
}

int range_parse(const char *text, uint64_t size, uint64_t *ret_from, uint64_t *ret_len)
{
    uint64_t from = 0, to = 0;
    if (!text || strncmp(text, "bytes=", 6) != 0)
        return 0;
    const char *at = text + 6;
    bool has_from = number(&at, &from);
    if (*at++ != '-')
        return 0;
    bool has_to = number(&at, &to);
    if (*at || (!has_from && !has_to) || (has_from && has_to && to < from))
        return 0;
    if (!has_from) {
        if (to == 0)
            return -1;
        from = to < size ? size - to : 0;
        to = size - 1;
    } else if (!has_to || to >= size) {
        to = size ? size - 1 : 0;
    }
    if (from >= size)
        return -1;
    *ret_from = from;
    *ret_len = to - from + 1;
    return 1;
}

static struct MHD_Response *empty(unsigned status, unsigned *ret_status)
{
    *ret_status = status;
    return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
}

static struct MHD_Response *from_file(int fd, uint64_t size, const char *range, unsigned *ret_status)
{
    uint64_t from = 0, len = size;
    char text[100];
    int r = range_parse(range, size, &from, &len);
    if (r < 0) {
        close(fd);
        struct MHD_Response *response = empty(416, ret_status);
        snprintf(text, sizeof(text), "bytes */%llu", (unsigned long long)size);
        MHD_add_response_header(response, "Content-Range", text);
        return response;
    }
    struct MHD_Response *response = MHD_create_response_from_fd_at_offset64(len, fd, from);
    *ret_status = r > 0 ? 206 : 200;
    snprintf(text, sizeof(text), "bytes %llu-%llu/%llu", (unsigned long long)from, (unsigned long long)(from + len - 1),
             (unsigned long long)size);
    if (r > 0)
        MHD_add_response_header(response, "Content-Range", text);
    return response;
}

struct MHD_Response *blob_response(struct controller *c, struct MHD_Connection *connection, const char *hash,
                                   const char *type, unsigned *ret_status)
{
    char path[440], etag[70];
    struct stat st;
    blob_path(c->settings, hash, path);
    snprintf(etag, sizeof(etag), "\"%s\"", hash);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) {
        if (fd >= 0)
            close(fd);
        log_err("blobs", "hash=%.12s known to the store, but its file cannot be read: %s", hash, strerror(errno));
        return empty(404, ret_status);
    }
    const char *match = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "If-None-Match");
    const char *only_if = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "If-Range");
    const char *range = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Range");
    struct MHD_Response *response;
    if (match && (strcmp(match, "*") == 0 || strstr(match, etag))) {
        close(fd);
        response = empty(304, ret_status);
    } else {
        response =
            from_file(fd, (uint64_t)st.st_size, only_if && strcmp(only_if, etag) != 0 ? NULL : range, ret_status);
    }
    MHD_add_response_header(response, "ETag", etag);
    MHD_add_response_header(response, "Accept-Ranges", "bytes");
    if (*ret_status < 300)
        MHD_add_response_header(response, "Content-Type", type);
    return response;
}

static bool known(struct controller *c, const char *hash)
{
    return store_number(c->store, 0,
                        "SELECT 1 FROM media WHERE hash = ?1 UNION SELECT 1 FROM bulletins WHERE hash = ?1"
                        " UNION SELECT 1 FROM approvals WHERE hash = ?1",
                        "s", hash) == 1;
}

static enum MHD_Result send_and_free(struct MHD_Connection *connection, unsigned status, struct MHD_Response *response)
{
    answer_headers(response, false);
    if (status == 405)
        MHD_add_response_header(response, "Allow", "GET, HEAD");
    enum MHD_Result queued = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return queued;
}

enum MHD_Result blobs_access(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
                             const char *version, const char *upload, size_t *upload_size, void **state)
{
    static int begun;
    struct controller *c = arg;
    char name[64];
    unsigned status;
    (void)version;
    (void)upload;
    if (!*state) {
        *state = &begun;
        return MHD_YES;
    }
    if (*upload_size > 0)
        return MHD_NO; /* nothing is ever sent up here */
    if (!listener_peer(connection, name) ||
        store_number(c->store, 0, "SELECT 1 FROM devices WHERE id = ?", "s", name) != 1)
        return send_and_free(connection, 403, empty(403, &status));
    listener_admit(connection);
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return send_and_free(connection, 405, empty(405, &status));
    const char *hash = strncmp(url, "/blobs/", 7) == 0 ? url + 7 : "";
    if (!hash_valid(hash) || !known(c, hash))
        return send_and_free(connection, 404, empty(404, &status));
    struct MHD_Response *response = blob_response(c, connection, hash, "application/octet-stream", &status);
    return send_and_free(connection, status, response);
}
