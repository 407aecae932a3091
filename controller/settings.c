/* settings.c - see settings.h. */
#include "controller/settings.h"

#include "playlists/base/civil.h"
#include "playlists/seal.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum { PATH_MAX_LEN = 400, PER_UNIT_MAX = 1000000 };

const char *const quota_names[] = {"rules", "bulletins", "groups", "exemptions", NULL};
const char *const quota_words[] = {"lịch phát", "bản tin", "nhóm thiết bị", "văn bản cho phép", NULL};

static int read_listener(const struct cfg_node *root, const char *name, bool with_ca, struct settings_listener *ret,
                         struct complaint *why)
{
    const struct cfg_node *group = NULL;
    int r = cfg_group(root, name, true, &group, why);
    if (r < 0 || (r = cfg_text(group, "address", true, 45, &ret->address, why)) < 0 ||
        (r = cfg_int(group, "port", true, 0, 65535, &ret->port, why)) < 0 ||
        (r = cfg_file(group, "cert", true, &ret->cert, why)) < 0 ||
        (r = cfg_file(group, "key", true, &ret->key, why)) < 0 ||
        (r = with_ca ? cfg_file(group, "client_ca", true, &ret->client_ca, why) : 0) < 0)
        return r;
    unsigned char bytes[16];
    if (inet_pton(AF_INET, ret->address, bytes) != 1 && inet_pton(AF_INET6, ret->address, bytes) != 1)
        return cfg_complain(group, why, "%s.address is \"%s\"; it must be a numeric address such as 127.0.0.1", name,
                            ret->address);
    return 0;
}

static int read_roots(const struct cfg_node *root, struct settings *s, struct complaint *why)
{
    const struct cfg_node *list = NULL;
    int r = cfg_list(root, "roots", true, 2, &list, why);
    if (r < 0)
        return r;
    s->n_roots = cfg_len(list);
    if (s->n_roots == 0)
        return cfg_complain(root, why, "roots is empty; one or two root public keys must stand there");
    for (size_t i = 0; i < s->n_roots; i++) {
        char kid[44];
        if ((r = cfg_text_at(list, i, 43, &s->roots[i], why)) < 0)
            return r;
        if (key_thumbprint(s->roots[i], kid) < 0)
            return cfg_complain(root, why, "roots[%zu] is no Ed25519 public key; it must be 43 characters of base64url",
                                i);
    }
    return 0;
}

static int read_per_unit(const struct cfg_node *root, struct settings *s, struct complaint *why)
{
    const struct cfg_node *group = NULL;
    int r = cfg_group(root, "per_unit", false, &group, why);
    for (int i = 0; group && i < QUOTAS && r == 0; i++)
        r = cfg_int(group, quota_names[i], false, 1, PER_UNIT_MAX, &s->per_unit[i], why);
    return r;
}

static int check_zone(const struct cfg_node *root, const struct settings *s, struct complaint *why)
{
    struct zone *zone = NULL;
    if (zone_load(s->zoneinfo, s->zone, &zone, NULL) < 0)
        return cfg_complain_of(root, "zone", why,
                               "zone \"%s\" is not known; it must be a name such as Asia/Ho_Chi_Minh", s->zone);
    zone_free(zone);
    return 0;
}

static int read_all(const struct cfg_node *root, struct settings *s, struct complaint *why)
{
    int r;
    if ((r = cfg_text(root, "state", true, PATH_MAX_LEN, &s->state, why)) < 0 || (r = read_roots(root, s, why)) < 0 ||
        (r = cfg_file(root, "scheduler_key", true, &s->scheduler_key, why)) < 0 ||
        (r = cfg_text(root, "link", true, 100, &s->link, why)) < 0 ||
        (r = cfg_text(root, "zone", false, 60, &s->zone, why)) < 0 ||
        (r = cfg_text(root, "zoneinfo", false, PATH_MAX_LEN, &s->zoneinfo, why)) < 0 ||
        (r = cfg_text(root, "calendars", false, PATH_MAX_LEN, &s->calendars, why)) < 0 ||
        (r = cfg_text(root, "web", false, PATH_MAX_LEN, &s->web, why)) < 0 ||
        (r = cfg_int(root, "spread_s", false, 0, 3600, &s->spread_s, why)) < 0 ||
        (r = cfg_int(root, "uploads_max", false, 1, 64, &s->uploads_max, why)) < 0 ||
        (r = read_per_unit(root, s, why)) < 0 || (r = cfg_log(root, &s->log, why)) < 0 ||
        (r = read_listener(root, "api", false, &s->api, why)) < 0 || (r = check_zone(root, s, why)) < 0)
        return r;
    return read_listener(root, "blobs", true, &s->blobs, why);
}

int settings_load(const char *path, struct settings *ret, struct complaint *why)
{
    struct settings s = {
        .zone = "Asia/Ho_Chi_Minh",
        .web = LOA_WEB_DIR,
        .spread_s = SPREAD_BY_FLEET,
        .uploads_max = 4,
        .per_unit = {[QUOTA_RULES] = 2000, [QUOTA_BULLETINS] = 100000, [QUOTA_GROUPS] = 500, [QUOTA_EXEMPTIONS] = 500},
        .log = LOG_LEVEL_INFO};
    int r = cfg_open(path, &s.cfg, why);
    if (r < 0)
        return r;
    r = read_all(cfg_root(s.cfg), &s, why);
    if (r == 0)
        r = cfg_finish(s.cfg, why);
    if (r < 0) {
        settings_done(&s);
        return r;
    }
    *ret = s;
    return 0;
}

void settings_done(struct settings *settings)
{
    cfg_close(settings->cfg);
    settings->cfg = NULL;
}
