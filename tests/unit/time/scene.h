/* scene.h - one device's day, asked by hand. The step must not allocate: each question counts the calls of the
 * allocator (link with --wrap, see CMakeLists.txt). */
#ifndef LOA_UNIT_TIME_SCENE_H
#define LOA_UNIT_TIME_SCENE_H

#include "unit.h"

#include "playlists/arbiter.h"

#define T0      INT64_C(1782882000000) /* 2026-07-01T05:00:00Z */
#define MIN_MS  INT64_C(60000)
#define HOUR_MS INT64_C(3600000)

struct day {
    struct air_item items[2048];
    uint64_t bulletins[2048];
    struct air_order orders[80];
    struct quiet_span quiet[4];
    struct arbiter_inputs in;
    struct ledger ledger;
    struct ledger stored; /* as the latest decision asked for it */
    struct decision d;
};

extern struct day *day;

/* A fresh day at T0, with trusted time and nothing in it. */
int set_up(void **state);
/* An item of 10 s at T0 + at_ms, may be a minute late. */
struct air_item *add_item(uint64_t key, int64_t at_ms);
/* In force in [T0 + from_ms, T0 + to_ms). */
struct air_order *add_order(enum order_kind kind, uint64_t key, int64_t from_ms, int64_t to_ms);
/* Ask at T0 + at_ms; elapsed time goes along. `finish`: what is on has ended by itself. */
const struct decision *ask(int64_t at_ms);
const struct decision *finish(int64_t at_ms);
void assert_on(uint64_t key);                        /* 0: nothing */
void assert_ended(uint64_t key, enum reason reason); /* this one, and it is to be stored */

#endif
