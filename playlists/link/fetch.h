/* fetch.h - the client's downloads: who is next, when to try again, what to tell.
 *
 * FETCH_RUNNING at a time, urgent before bulk (a bulk one that runs gives its place to an urgent one and goes on later
 * where it was), else first come, first served. One whose server sends less than the configured floor gives its place
 * to those that wait, and goes on later where it was. Independent of the MQTT session. Loop thread. */
#ifndef LOA_LINK_FETCH_H
#define LOA_LINK_FETCH_H

#include "playlists/base/frame.h"
#include "playlists/link/settings.h"
#include "playlists/link/tls.h"

enum { FETCH_RUNNING = 2, FETCH_MAX = 512 };

typedef void (*fetch_send_fn)(void *arg, const struct frame *frame);

struct fetch;

/* All borrowed; must outlive it. Old remains of downloads in the spool are removed. */
struct fetch *fetch_new(uv_loop_t *loop, const struct settings *settings, const struct tls_time *known,
                        fetch_send_fn send, void *arg);
void fetch_free(struct fetch *fetch); /* NULL is fine */

void fetch_add(struct fetch *fetch, uint32_t id, const char *hash, uint64_t size, bool urgent);
void fetch_cancel(struct fetch *fetch, uint32_t id);
void fetch_forget_all(struct fetch *fetch); /* the client is gone; what came stays for the next one */
void fetch_time_changed(struct fetch *fetch);
bool fetch_stuck(const struct fetch *fetch); /* downloads are under way and nothing moves them */

#endif
