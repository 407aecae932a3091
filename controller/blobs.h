/* blobs.h - content by hash: files below the state folder, and the port that serves them to devices. Loop thread. */
#ifndef LOA_BLOBS_H
#define LOA_BLOBS_H

#include "controller/controller.h"
#include "playlists/base/bytes.h"

#include <microhttpd.h>

/* blobs/<hash>: what devices fetch; sources/<hash>: recordings as they were handed in. */
void blob_path(const struct settings *settings, const char *hash, char ret[440]);
void source_path(const struct settings *settings, const char *hash, char ret[440]);

/* Keep bytes as a blob; fine when it is there. */
MUST_USE int blob_write(const struct settings *settings, const void *data, size_t len, struct hash *ret);

/* The whole blob, or the one range that was asked for, as a response and its status (200, 206, 304, 404, 416). */
struct MHD_Response *blob_response(struct controller *c, struct MHD_Connection *connection, const char *hash,
                                   const char *type, unsigned *ret_status);

/* libmicrohttpd's callback for the devices' port; arg is struct controller. */
enum MHD_Result blobs_access(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
                             const char *version, const char *upload, size_t *upload_size, void **state);

/* One byte range ("bytes=a-b", "bytes=a-", "bytes=-n") of `size` bytes. 1: a range; 0: none that counts, send all; -1:
 * not satisfiable. Pure (RFC 9110 section 14). */
int range_parse(const char *text, uint64_t size, uint64_t *ret_from, uint64_t *ret_len);

#endif
