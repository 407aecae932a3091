/* throttle.h - who guessed wrong tokens too often. Pure: the time is an argument. */
#ifndef LOA_THROTTLE_H
#define LOA_THROTTLE_H

#include <stdint.h>

enum { THROTTLE_ENTRIES = 256, THROTTLE_FAILURES = 10, THROTTLE_WINDOW_MS = 60000 };

/* Zero-initialise. When all entries are taken the oldest is forgotten. */
struct throttle {
    struct {
        char address[48];
        int64_t since_ms;
        int failures;
    } entry[THROTTLE_ENTRIES];
};

void throttle_failed(struct throttle *throttle, const char *address, int64_t now_ms);
/* 0: go on; else seconds to wait. */
int throttle_wait_s(const struct throttle *throttle, const char *address, int64_t now_ms);

#endif
