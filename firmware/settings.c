/* settings.c - agent.cfg (see site.h). */
#include "firmware/site.h"

#include "firmware/site_read.h"
#include "playlists/base/bytes.h"

#include <string.h>

int site_read_id(const struct cfg_node *group, const char *setting, const char **ret, struct complaint *why)
{
    int r = cfg_text(group, setting, true, NAME_MAX_LEN, ret, why);
    if (r < 0)
        return r;
    if (!id_valid(*ret))
        return cfg_complain(group, why, "'%s' is \"%s\"; it must be 1 to 40 of a-z 0-9 - and not begin or end with -",
                            setting, *ret);
    return 0;
}

static int read_roots(const struct cfg_node *root, struct settings *settings, struct complaint *why)
{
    const struct cfg_node *list = NULL;
    int r = cfg_list(root, "roots", true, 2, &list, why);
    if (r < 0)
        return r;
    if (cfg_len(list) == 0)
        return cfg_complain(list, why, "'roots' is empty; it must hold one or two root public keys");
    for (size_t i = 0; i < cfg_len(list); i++) {
        r = cfg_text_at(list, i, 43, &settings->roots[i], why);
        if (r < 0)
            return r;
        uint8_t key[32];
        if (b64url_decode(settings->roots[i], strlen(settings->roots[i]), key, sizeof(key)) != 32)
            return cfg_complain(list, why, "'roots' item %zu is no Ed25519 public key (43 characters of base64url)",
                                i + 1);
    }
    return 0;
}

static int read_settings(const struct cfg_node *root, struct settings *s, struct complaint *why)
{
    int64_t quota_mb = QUOTA_DEFAULT_MIB, reserve_mb = RESERVE_DEFAULT_MIB;
    int r = site_read_id(root, "device", &s->device, why);
    if (r == 0)
        r = cfg_int(root, "quota_mb", false, 1, 1 << 20, &quota_mb, why);
    if (r == 0)
        r = cfg_int(root, "reserve_mb", false, 0, 1 << 20, &reserve_mb, why);
    if (r == 0)
        r = cfg_text(root, "serial", true, 64, &s->serial, why);
    if (r == 0)
        r = cfg_text(root, "vault", true, PATH_MAX_LEN - 100, &s->vault_dir, why);
    if (r == 0)
        r = cfg_text(root, "link", true, 100, &s->link_path, why);
    if (r == 0)
        r = cfg_text(root, "key", true, PATH_MAX_LEN, &s->key_path, why);
    if (r == 0)
        r = cfg_text(root, "spool", true, PATH_MAX_LEN, &s->spool_dir, why);
    if (r == 0)
        r = cfg_text(root, "zones", false, PATH_MAX_LEN, &s->zone_dir, why);
    if (r == 0)
        r = cfg_log(root, &s->log, why);
    if (r == 0)
        r = read_roots(root, s, why);
    s->quota_bytes = quota_mb * 1048576;
    s->reserve_bytes = reserve_mb * 1048576;
    return r;
}

int settings_open(const char *path, struct settings *ret, struct complaint *why)
{
    struct settings s = {.log = LOG_LEVEL_INFO};
    int r = cfg_open(path, &s.cfg, why);
    if (r < 0)
        return r;
    r = read_settings(cfg_root(s.cfg), &s, why);
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
    memset(settings, 0, sizeof(*settings));
}
