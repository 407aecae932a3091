/* mqtt.h - one MQTT 3.1.1 connection over TLS, from resolving the name to its end. It does not come back: session.h
 * does.
 *
 * libmosquitto does the protocol, driven by its loop_read/write/misc from our loop; its own thread and its own
 * reconnecting are not used, and it never sees a name to resolve. Nothing here blocks: resolving is libuv's, connecting
 * and the handshake are bounded by MQTT_CONNECT_MS. Loop thread. */
#ifndef LOA_LINK_MQTT_H
#define LOA_LINK_MQTT_H

#include "playlists/link/settings.h"
#include "playlists/link/tls.h"

#include <uv.h>

enum {
    MQTT_CONNECT_MS = 15 * 1000,   /* from the first packet to the broker's welcome, per address */
    MQTT_PACKET_MAX = 1024 * 1024, /* a broker that sends a larger packet is left: libmosquitto knows no limit */
};

struct mqtt_will {
    char *topic; /* NULL: no will */
    char *payload;
    size_t len;
};

/* All come on the loop, possibly from inside a call into this module. Borrowed for the call. */
struct mqtt_events {
    void (*up)(void *arg); /* the broker said yes */
    void (*message)(void *arg, const char *topic, const void *payload, size_t len, bool retained);
    void (*subscribed)(void *arg, int mid, const int *granted, int count);
    void (*published)(void *arg, int mid);
    /* The end, once, never from inside a call into this module: the owner calls mqtt_stop(). */
    void (*down)(void *arg, const char *why);
};

struct mqtt;

/* Begin. `settings` and `tls` are borrowed; `will` is copied by the library; `client_id` too. The will's topic must be
 * a valid one. */
struct mqtt *mqtt_start(uv_loop_t *loop, const struct settings *settings, struct tls *tls, const char *client_id,
                        const struct mqtt_will *will, const struct mqtt_events *events, void *arg);
/* Close TCP without DISCONNECT, so that the will is published. NULL is fine; no event comes after it. */
void mqtt_stop(struct mqtt *mqtt);

/* Each: 0, or ERR_STATE when the connection is not up or just broke (then `down` follows). */
MUST_USE int mqtt_subscribe(struct mqtt *mqtt, char *const *filters, int count, int qos, int *ret_mid);
MUST_USE int mqtt_unsubscribe(struct mqtt *mqtt, const char *filter);
/* *ret_mid is set before `published` can come. ERR_FORMAT: the broker would not take it (topic). */
MUST_USE int mqtt_publish(struct mqtt *mqtt, const char *topic, const void *payload, size_t len, int qos, bool retain,
                          int *ret_mid);
/* Stop reading from the broker while its messages have nowhere to go. */
void mqtt_pause(struct mqtt *mqtt, bool paused);

#endif
