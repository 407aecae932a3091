/* controller.h - what the parts of the controller share: one value, made by main.c, that owns them in the order of this
 * list.
 *
 * Everything here belongs to the loop thread. */
#ifndef LOA_CONTROLLER_H
#define LOA_CONTROLLER_H

#include "controller/settings.h"
#include "controller/store.h"
#include "playlists/seal.h"

#include <uv.h>

struct controller {
    uv_loop_t *loop;
    struct turns *turns; /* how long the loop is at work */
    const struct settings *settings;
    struct signer scheduler;
    struct store *store;
    struct mandate *mandate;     /* trust and keys in force */
    struct zones *zones;         /* civil time */
    struct feed *feed;           /* readers of /stream */
    struct fleet *fleet;         /* devices, over the link */
    struct publisher *publisher; /* desired state */
    struct aside *aside;         /* calls that read much */
    struct midnights *midnights; /* changes of areas */
    struct intake *intake;       /* recordings */
    struct clashes *clashes;     /* rules against each other */
    struct listener *api_port, *blob_port;
    struct throttle *throttle;     /* wrong tokens by address */
    struct preview_work *previews; /* on threads now, at most PREVIEWS_MAX */
};

enum { PREVIEWS_MAX = 4 };

#endif
