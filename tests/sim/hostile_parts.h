/* hostile_parts.h - inside of the adversary: hostile.c stands in the way, hostile_forge.c makes what is sent. */
#ifndef LOA_HOSTILE_PARTS_H
#define LOA_HOSTILE_PARTS_H

#include "tests/sim/hostile.h"

enum { RECORDED_MAX = 160, EVIL_BLOBS = 8, SEEN_IDS = 32 };

struct recorded {
    char topic[96];
    struct buf payload;
    bool down;
};

struct hostile {
    struct world *world;
    struct chance chance;
    uv_timer_t timer; /* of the next attack */
    enum { HOSTILE_QUIET, HOSTILE_LISTENS, HOSTILE_ATTACKS } mode;
    struct recorded recorded[RECORDED_MAX]; /* what he has seen; a random one makes room */
    size_t n_recorded;
    uint32_t ids[SEEN_IDS]; /* of publishes and fetches seen lately */
    size_t n_ids;
    struct signer thief; /* his own key */
    struct {
        struct hash hash;
        struct buf bytes;
    } blobs[EVIL_BLOBS]; /* what he wants to be put out */
    size_t n_blobs;
    size_t deeds;
    bool away; /* the link is cut for a while */
};

/* One message of his own making, in hostile_forge.c. */
void forge_make_blobs(struct hostile *hostile);
void forge_one(struct hostile *hostile);
/* Change some bytes. */
void forge_alter(struct hostile *hostile, struct buf *payload);
const struct recorded *forge_pick(struct hostile *hostile);

#endif
