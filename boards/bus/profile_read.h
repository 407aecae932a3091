/* profile_read.h - what the files that read a profile share; nobody else includes it. */
#ifndef LOA_PROFILE_READ_H
#define LOA_PROFILE_READ_H

#include "boards/bus/profile.h"
#include "playlists/base/cfg.h"

struct profile_reader {
    struct profile *profile;
    enum point_order order;                           /* the file's default */
    int64_t poll_ms;                                  /* the file's default */
    const struct cfg_node *nodes[PROFILE_POINTS_MAX]; /* for complaints */
    const char *verify_names[PROFILE_POINTS_MAX];     /* NULL: not given */
    struct complaint *why;
};

/* Read one group of `points` into profile->points[n_points] and count it. */
MUST_USE int profile_read_point(struct profile_reader *reader, const struct cfg_node *node);
/* After all points: overlaps, and who proves whom. */
MUST_USE int profile_check_points(struct profile_reader *reader);
/* `silence`, `show`, `blank`. */
MUST_USE int profile_read_silence(struct profile_reader *reader, const struct cfg_node *root);
MUST_USE int profile_read_steps(struct profile_reader *reader, const struct cfg_node *root);
MUST_USE int profile_read_order(const struct cfg_node *node, enum point_order *ret_order, struct complaint *why);

#endif
