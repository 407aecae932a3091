/* settings.h - controller.cfg as a plain value, read once (README.md describes the file). */
#ifndef LOA_SETTINGS_H
#define LOA_SETTINGS_H

#include "playlists/base/cfg.h"

struct settings_listener {
    const char *address; /* numeric */
    int64_t port;        /* 0: a free one */
    const char *cert, *key;
    const char *client_ca; /* blobs only */
};

/* What a unit may have so many of (quotas.h). */
enum quota { QUOTA_RULES, QUOTA_BULLETINS, QUOTA_GROUPS, QUOTA_EXEMPTIONS, QUOTAS };
extern const char *const quota_names[]; /* in the file: "rules", ... */
extern const char *const quota_words[]; /* in Vietnamese */

enum { SPREAD_BY_FLEET = -1 };

struct settings {
    struct cfg *cfg; /* owns all text below */
    const char *state;
    const char *roots[2];
    size_t n_roots;
    const char *scheduler_key;
    const char *link;
    const char *zone, *zoneinfo;
    const char *calendars; /* folder of holidays; NULL: those that we bring */
    const char *web;
    int64_t spread_s; /* window over which devices come back; SPREAD_BY_FLEET: as their number asks for */
    int64_t uploads_max;
    int64_t per_unit[QUOTAS];
    enum log_level log;
    struct settings_listener api, blobs;
};

/* Read and check what the file itself can tell. On 0 free with settings_done(). */
MUST_USE int settings_load(const char *path, struct settings *ret, struct complaint *why);
void settings_done(struct settings *settings);

#endif
