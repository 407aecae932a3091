/* excess_look.h - excesses, one group of alike devices after the other. Inside of clash_find(). */
#ifndef LOA_EXCESS_LOOK_H
#define LOA_EXCESS_LOOK_H

#include "playlists/clash.h"
#include "playlists/compile_set.h"

struct excess_found {
    struct excess excess;
    const struct compile_device *counted; /* the last group whose devices were */
};

struct excess_look {
    const struct rule *rule, *former; /* former NULL: there is none */
    const struct compile_bulletin *bulletins;
    size_t n_bulletins;
    int64_t from_ms;         /* the rule's next time */
    const struct clash *hit; /* those whose days the others leave out */
    size_t n_hit;
    struct compile_set *former_set; /* owned; NULL: nobody asked yet */
    struct excess_found *found;     /* owned */
    size_t n, cap;
};

/* Something is limited there. */
bool excess_possible(const struct limits *limits);
/* `timeline`: with the profile of `device` and its plans, the rule's among them; the same for `n_alike` devices. */
void excess_look_at(struct excess_look *look, struct timeline *timeline, const struct compile_device *device,
                    size_t n_alike);
/* Ends the look. */
void excess_done(struct excess_look *look, struct arena *arena, struct excess_report *ret);

#endif
