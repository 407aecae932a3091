/* settings.c - see settings.h. */
#include "playlists/link/settings.h"

#include "playlists/base/bytes.h"

#include <string.h>

/* sun_path holds 108 bytes with its terminator (unix(7)). */
enum { PATH_LEN = 4095, SOCKET_PATH_LEN = 107, HOST_LEN = 253, URL_LEN = 1000 };

static int read_tls(const struct cfg_node *group, bool required, struct tls_files *files, struct complaint *why)
{
    const struct {
        const char *name;
        const char **path;
    } all[] = {{"ca", &files->ca}, {"cert", &files->cert}, {"key", &files->key}};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        int r = cfg_file(group, all[i].name, required, all[i].path, why);
        if (r < 0)
            return r;
    }
    return 0;
}

static int read_broker(const struct cfg_node *root, struct settings *s, struct complaint *why)
{
    const struct cfg_node *group = NULL;
    int64_t port = 8883, keepalive_s = 60;
    int r = cfg_group(root, "broker", true, &group, why);
    if (r == 0)
        r = cfg_text(group, "host", true, HOST_LEN, &s->broker.host, why);
    if (r == 0)
        r = cfg_int(group, "port", false, 1, 65535, &port, why);
    if (r == 0) /* libmosquitto takes no less than 5 s, MQTT no more than 16 bits */
        r = cfg_int(group, "keepalive_s", false, 5, 65535, &keepalive_s, why);
    if (r == 0)
        r = read_tls(group, true, &s->broker.tls, why);
    s->broker.port = (int)port;
    s->broker.keepalive_s = (int)keepalive_s;
    return r;
}

static int read_media(const struct cfg_node *root, struct settings *s, struct complaint *why)
{
    const struct cfg_node *group = NULL;
    int r = cfg_group(root, "media", false, &group, why);
    if (r < 0 || !group)
        return r;
    s->media.tls = s->broker.tls;
    s->media.min_bytes_s = 1000;
    s->media.slow_s = 30;
    r = cfg_text(group, "url", true, URL_LEN, &s->media.url, why);
    if (r == 0 && (strncmp(s->media.url, "https://", 8) != 0 || s->media.url[8] == '\0'))
        r = cfg_complain(group, why, "'url' is \"%s\", it must begin with https:// and name a server", s->media.url);
    if (r == 0 && s->media.url[strlen(s->media.url) - 1] != '/')
        r = cfg_complain(group, why, "'url' is \"%s\", it must end with / (the hash is put behind it)", s->media.url);
    if (r == 0)
        r = cfg_int(group, "min_bytes_s", false, 1, 1000000, &s->media.min_bytes_s, why);
    if (r == 0)
        r = cfg_int(group, "slow_s", false, 1, 3600, &s->media.slow_s, why);
    if (r == 0)
        r = read_tls(group, false, &s->media.tls, why);
    return r;
}

static int read_places(const struct cfg_node *root, struct settings *s, struct complaint *why)
{
    int r = cfg_text(root, "socket", true, SOCKET_PATH_LEN, &s->socket, why);
    if (r == 0)
        r = cfg_text(root, "spool", s->media.url != NULL, PATH_LEN - HASH_HEX_LEN - 8, &s->spool, why);
    if (r == 0)
        r = cfg_text(root, "client_id", true, 40, &s->client_id, why);
    if (r == 0 && !id_valid(s->client_id))
        r = cfg_complain(root, why, "'client_id' is \"%s\", it must be 1 to 40 of a-z, 0-9 and '-', not at its ends",
                         s->client_id);
    return r;
}

static int read_rest(const struct cfg_node *root, struct settings *s, struct complaint *why)
{
    double spread_s = 45, max_s = 300;
    int r = cfg_real(root, "spread_s", false, 0, 3600, &spread_s, why);
    if (r == 0)
        r = cfg_real(root, "backoff_max_s", false, 0.1, 3600, &max_s, why);
    if (r == 0)
        r = cfg_log(root, &s->log, why);
    s->spread_ms = (int64_t)(spread_s * 1000);
    s->backoff_max_ms = (int64_t)(max_s * 1000);
    return r;
}

int settings_read(const char *path, struct settings *ret_settings, struct complaint *why)
{
    struct settings s = {.log = LOG_LEVEL_INFO};
    int r = cfg_open(path, &s.cfg, why);
    if (r < 0)
        return r;
    const struct cfg_node *root = cfg_root(s.cfg);
    r = read_broker(root, &s, why);
    if (r == 0)
        r = read_media(root, &s, why);
    if (r == 0)
        r = read_places(root, &s, why);
    if (r == 0)
        r = read_rest(root, &s, why);
    if (r == 0)
        r = cfg_finish(s.cfg, why);
    if (r < 0) {
        settings_done(&s);
        return r;
    }
    *ret_settings = s;
    return 0;
}

void settings_done(struct settings *settings)
{
    cfg_close(settings->cfg);
    settings->cfg = NULL;
}
