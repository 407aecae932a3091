/* approvals.h - which approvals of a bulletin go along with a device's playlist. The wire has room for APPROVALS_MAX of
 * them a bulletin; anybody who may hand one in may hand in more than that, so those that count there come first. */
#ifndef LOA_APPROVALS_H
#define LOA_APPROVALS_H

#include "controller/controller.h"
#include "playlists/compile.h"
#include "playlists/judge.h"

enum { APPROVALS_MAX = 8 };

/* What the approvals are wanted for: items of one bulletin at one device. All borrowed. */
struct approvals_case {
    const struct authority *authority;
    const struct bulletin *bulletin;
    const char *hash;          /* of the bulletin */
    const struct texts *areas; /* the device's, former ones too */
    const struct playlist_item *items;
    const size_t *wanted; /* indices of the bulletin's items */
    size_t n_wanted;
};

struct candidate {
    struct blob_ref ref;
    struct opened_approval opened; /* approval NULL: it does not open, and counts nowhere */
    const char *person;
    int64_t until_ms;
};

/* Choose at most APPROVALS_MAX into `ret`, by hash; returns how many. First those that let wanting items on air, then
 * further persons, in both the one for the most items, then the longest valid; never two that count for the same person
 * and items. While an item is wanting still, others fill the room, so that the device can tell why it stays silent.
 * Pure. */
size_t approvals_choose(const struct approvals_case *c, const struct candidate *candidates, size_t n,
                        struct blob_ref ret[APPROVALS_MAX]);

/* What goes along with one bulletin; in `ref` and `opened` by hash. `opened` has those alone that open. */
struct chosen {
    struct blob_ref ref[APPROVALS_MAX];
    struct opened_approval opened[APPROVALS_MAX];
    size_t n, n_opened;
};

/* Of each bulletin of a compiled playlist, those that the store has at `now_ms`: put in, and told (n_bulletins of
 * them). `bulletin_of` finds each of them by its hash; all in `arena`. */
typedef const struct bulletin *(*bulletin_of_fn)(const void *arg, const char *hash);
struct chosen *approvals_add(struct controller *c, bulletin_of_fn bulletin_of, const void *arg,
                             const struct texts *areas, int64_t now_ms, struct arena *arena,
                             struct compile_result *result);

#endif
