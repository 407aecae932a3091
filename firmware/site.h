/* site.h - the two files that tell an agent who it is and how its box is wired, read once into plain values.
 *
 * README.md describes both formats. Every complaint begins with file:line. Texts belong to the struct and live until
 * its _done(). Loop thread, before the loop runs. */
#ifndef LOA_SITE_H
#define LOA_SITE_H

#include "boards/bus/bus.h"
#include "boards/bus/profile.h"
#include "playlists/base/errors.h"
#include "playlists/base/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SITE_BUSES_MAX = 8,
    SITE_AMPLIFIERS_MAX = 8,
    SITE_SIGNS_MAX = 8,
    SITE_RELAYS_MAX = 4,
    SITE_METERS_MAX = 4,
    SITE_ZONES_MAX = 31, /* bits of a zone mask; the top bit stands for "a zone that is not wired here" */
};
#define SITE_ZONE_NONE (UINT32_C(1) << 31)

enum { QUOTA_DEFAULT_MIB = 1024, RESERVE_DEFAULT_MIB = 64 };

struct settings {
    const char *device, *serial, *vault_dir, *link_path, *key_path, *spool_dir, *zone_dir;
    const char *roots[2]; /* base64url x; NULL: not provisioned */
    enum log_level log;
    int64_t quota_bytes;   /* that blobs may take; 0: QUOTA_DEFAULT_MIB */
    int64_t reserve_bytes; /* that stay free on their disk, or a tenth of it if that is less */
    struct cfg *cfg;       /* owns the texts */
};

MUST_USE int settings_open(const char *path, struct settings *ret, struct complaint *why);
void settings_done(struct settings *settings);

struct site_sound {
    bool wired;
    const char *device;
    char *alsa_config; /* full path, or NULL */
    unsigned rate_hz, channels, card_wait_ms;
    uint32_t zones; /* zones that sound without an amplifier of their own */
};

struct site_bus {
    const char *name;
    struct bus_config config;
};

struct site_amplifier {
    const char *name;
    size_t bus;
    uint8_t unit;
    struct profile *profile;               /* owned */
    uint32_t zone_bits[PROFILE_ZONES_MAX]; /* bit of the site's mask behind relay i; 0: relay is not used */
    uint32_t zones;                        /* all of them; 0: takes part in everything */
    int relay;                             /* that switches its mains, -1: none */
    unsigned channel;                      /* 1.. */
    uint32_t mains_up_ms;                  /* from mains to answering on its bus */
    int meter;                             /* that sees what it draws, and nothing else; -1: none */
    double off_w, on_w;                    /* off draws at most that, on at least that */
};

/* A relay board or a meter. */
struct site_part {
    const char *name;
    size_t bus;
    uint8_t unit;
    struct profile *profile; /* owned; of a relay board only channels that an amplifier hangs on are left in it */
};

struct site_sign {
    const char *name;
    size_t bus;
    uint8_t unit;
    struct profile *profile; /* owned */
};

struct site {
    struct site_sound sound;
    struct site_bus buses[SITE_BUSES_MAX];
    size_t n_buses;
    struct site_amplifier amplifiers[SITE_AMPLIFIERS_MAX];
    size_t n_amplifiers;
    struct site_sign signs[SITE_SIGNS_MAX];
    size_t n_signs;
    struct site_part relays[SITE_RELAYS_MAX];
    size_t n_relays;
    struct site_part meters[SITE_METERS_MAX];
    size_t n_meters;
    const char *zones[SITE_ZONES_MAX]; /* name of bit i */
    size_t n_zones;
    struct cfg *cfg; /* owns the texts */
};

MUST_USE int site_open(const char *path, struct site *ret, struct complaint *why);
void site_done(struct site *site);

/* Mask of these zone names: 0 for an empty list (everything). Names that are not wired here are left out; when none of
 * them is, SITE_ZONE_NONE. *ret_unknown: first name that is not wired, or NULL. */
uint32_t site_zone_mask(const struct site *site, const char *const *names, size_t n, const char **ret_unknown);

#endif
