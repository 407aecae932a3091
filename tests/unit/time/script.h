/* script.h - a random timeline for the arbiter: items, orders, quiet spans, what outputs make of them, what happens. */
#ifndef LOA_UNIT_TIME_SCRIPT_H
#define LOA_UNIT_TIME_SCRIPT_H

#include "playlists/arbiter.h"

#define T0      INT64_C(1782882000000)
#define HOUR_MS INT64_C(3600000)
#define NEVER   INT64_MAX

enum { ITEMS = 30, ORDERS = 8, EVENTS = 60, SPAN_MS = 240000 };

enum happening_kind { STEP, DARK, LIGHT, RESTART, POWER_CUT, KEY_SWITCH, NEW_PLAYLIST, BLOCK, NEW_ORDERS, EVENT_KINDS };

struct happening {
    int64_t at_ms; /* true time since the beginning */
    enum happening_kind kind;
    int64_t amount; /* step or time off */
    uint64_t mask;
};

struct script {
    struct air_item items[ITEMS];
    uint64_t bulletins[ITEMS];
    int64_t play_ms[ITEMS + ORDERS]; /* how long the outputs take; NEVER: they hang */
    bool fails[ITEMS + ORDERS];
    struct air_order orders[ORDERS];
    struct quiet_span quiet[2];
    struct happening events[EVENTS];
    size_t n_events;
};

/* The same for the same seed. */
void make_script(struct script *script, uint64_t seed);

#endif
