/* fetcher.h - blobs that are wanted, asked of the link: soonest due first, at most FETCHES_MAX at a time, those due
 * within FETCH_URGENT_MS as urgent; tried again with growing pauses; asked anew after each reconnect. Loop thread. */
#ifndef LOA_FETCHER_H
#define LOA_FETCHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FETCHES_MAX = 8, FETCH_URGENT_MS = 600000, FETCH_WANTS_MAX = 512 };

struct fetcher;

struct fetcher_link {
    int (*fetch)(void *arg, uint32_t id, const char *hash, int64_t size, bool urgent); /* 0: taken */
    void (*cancel)(void *arg, uint32_t id);
};

struct fetcher *fetcher_new(const struct fetcher_link *link, void *arg);
void fetcher_free(struct fetcher *fetcher);

/* Replace what is wanted: begin, then each, then end. What is no longer wanted is cancelled. Beyond FETCH_WANTS_MAX the
 * latest due are left for later. */
void fetcher_begin(struct fetcher *fetcher);
void fetcher_want(struct fetcher *fetcher, const char *hash, int64_t size, int64_t due_ms);
void fetcher_end(struct fetcher *fetcher, int64_t now_ms, int64_t elapsed_ms);

void fetcher_online(struct fetcher *fetcher, bool online); /* socket to the link; nothing is under way afterwards */
/* Look again: retries that are due, fetches that became urgent. */
void fetcher_look(struct fetcher *fetcher, int64_t now_ms, int64_t elapsed_ms);

/* The link's answers. Size of what was asked under this id, or -1 when nobody asked. */
int64_t fetcher_fetched(struct fetcher *fetcher, uint32_t id, const char *hash);
void fetcher_failed(struct fetcher *fetcher, uint32_t id, bool final, int64_t elapsed_ms);
/* What was fetched could not be used: again, after a pause. */
void fetcher_spoilt(struct fetcher *fetcher, const char *hash, int64_t elapsed_ms);
void fetcher_landed(struct fetcher *fetcher, const char *hash); /* it is in the vault */
size_t fetcher_wanted(const struct fetcher *fetcher);

#endif
