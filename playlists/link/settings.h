/* settings.h - the configuration file of loa-link, read once. */
#ifndef LOA_LINK_SETTINGS_H
#define LOA_LINK_SETTINGS_H

#include "playlists/base/cfg.h"
#include "playlists/base/log.h"

struct tls_files { /* paths of PEM files */
    const char *ca, *cert, *key;
};

struct settings {
    const char *socket;    /* path of the Unix socket */
    const char *spool;     /* folder for downloads; NULL without media */
    const char *client_id; /* begins each MQTT client id */
    struct {
        const char *host;
        int port;
        int keepalive_s;
        struct tls_files tls;
    } broker;
    struct {
        const char *url; /* "https://.../", the hash is put behind it; NULL: no downloads */
        struct tls_files tls;
        int64_t min_bytes_s, slow_s; /* less than this over so long: another may have its place */
    } media;
    int64_t spread_ms, backoff_max_ms;
    enum log_level log;
    struct cfg *cfg; /* owned; owns the texts above */
};

/* Read and check `path`; files that it names must be readable. */
MUST_USE int settings_read(const char *path, struct settings *ret_settings, struct complaint *why);
void settings_done(struct settings *settings);

#endif
