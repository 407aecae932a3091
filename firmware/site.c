/* site.c - see site.h. */
#include "firmware/site.h"

#include "firmware/site_read.h"

#include "boards/bus/rtu.h"
#include "playlists/base/bytes.h"

#include <stdlib.h>
#include <string.h>

/* A path of the file, taken from the file's own folder unless absolute. Heap. */
static char *beside(const char *file, const char *path)
{
    const char *slash = strrchr(file, '/');
    if (path[0] == '/' || !slash)
        return xstrdup(path);
    return xasprintf("%.*s/%s", (int)(slash - file), file, path);
}

/* The bit of a zone name, made when it is new. */
static int zone_bit(struct site *site, const struct cfg_node *at, const char *name, uint32_t *ret_bit,
                    struct complaint *why)
{
    if (name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-.")] != '\0')
        return cfg_complain(at, why, "zone \"%s\" must be 1 to 40 of a-z 0-9 _ - .", name);
    size_t i = 0;
    while (i < site->n_zones && strcmp(site->zones[i], name) != 0)
        i++;
    if (i == SITE_ZONES_MAX)
        return cfg_complain(at, why, "more than %d zones", SITE_ZONES_MAX);
    if (i == site->n_zones)
        site->zones[site->n_zones++] = name;
    *ret_bit = UINT32_C(1) << i;
    return 0;
}

static int read_zones(struct site *site, const struct cfg_node *group, size_t max, uint32_t *ret_bits, size_t *ret_n,
                      struct complaint *why)
{
    const struct cfg_node *list = NULL;
    *ret_n = 0;
    int r = cfg_list(group, "zones", false, max, &list, why);
    if (r < 0 || !list)
        return r;
    for (size_t i = 0; i < cfg_len(list); i++) {
        const char *name = NULL;
        r = cfg_text_at(list, i, NAME_MAX_LEN, &name, why);
        if (r == 0)
            r = zone_bit(site, list, name, &ret_bits[i], why);
        if (r < 0)
            return r;
    }
    *ret_n = cfg_len(list);
    return 0;
}

static int read_sound(struct site *site, const struct cfg_node *root, const char *file, struct complaint *why)
{
    const struct cfg_node *group = NULL;
    int r = cfg_group(root, "sound", false, &group, why);
    if (r < 0 || !group)
        return r;
    const char *alsa_config = NULL;
    int64_t rate = 0, channels = 0, card_wait = 0;
    uint32_t bits[SITE_ZONES_MAX] = {0};
    size_t n = 0;
    r = cfg_text(group, "device", true, 100, &site->sound.device, why);
    if (r == 0)
        r = cfg_text(group, "alsa_config", false, PATH_MAX_LEN, &alsa_config, why);
    if (r == 0)
        r = cfg_int(group, "rate", false, 8000, 192000, &rate, why);
    if (r == 0)
        r = cfg_int(group, "channels", false, 1, 2, &channels, why);
    if (r == 0)
        r = cfg_int(group, "card_wait_ms", false, 100, 600000, &card_wait, why);
    if (r == 0)
        r = read_zones(site, group, SITE_ZONES_MAX, bits, &n, why);
    if (r < 0)
        return r;
    for (size_t i = 0; i < n; i++)
        site->sound.zones |= bits[i];
    site->sound.wired = true;
    site->sound.alsa_config = alsa_config ? beside(file, alsa_config) : NULL;
    site->sound.rate_hz = (unsigned)rate;
    site->sound.channels = (unsigned)channels;
    site->sound.card_wait_ms = (unsigned)card_wait;
    return 0;
}

static int read_tcp(const struct cfg_node *group, struct bus_config *config, struct complaint *why)
{
    int64_t port = 502;
    int r = cfg_text(group, "host", true, 200, &config->host, why);
    if (r == 0)
        r = cfg_int(group, "port", false, 1, 65535, &port, why);
    config->transport = BUS_TCP;
    config->port = (uint16_t)port;
    return r;
}

static int read_rtu(const struct cfg_node *group, struct bus_config *config, struct complaint *why)
{
    static const char *const parities[] = {"none", "even", "odd", NULL};
    static const char letters[] = {'N', 'E', 'O'};
    int parity = 0;
    int64_t baud = 9600, stop_bits = 1;
    int r = cfg_text(group, "tty", true, 200, &config->host, why);
    if (r == 0)
        r = cfg_int(group, "baud", false, 1200, 115200, &baud, why);
    if (r == 0)
        r = cfg_choice(group, "parity", false, parities, &parity, why);
    if (r == 0)
        r = cfg_int(group, "stop_bits", false, 1, 2, &stop_bits, why);
    if (r < 0)
        return r;
    if (config->host[0] != '/')
        return cfg_complain(group, why, "'tty' is \"%s\", it must be a full path like /dev/ttyUSB0", config->host);
    if (rtu_speed((uint32_t)baud) < 0)
        return cfg_complain(
            group, why, "'baud' is %d, it must be 1200, 2400, 4800, 9600, 19200, 38400, 57600 or 115200", (int)baud);
    config->transport = BUS_RTU;
    config->baud = (uint32_t)baud;
    config->parity = letters[parity];
    config->stop_bits = (uint8_t)stop_bits;
    return 0;
}

static int read_bus(struct site *site, const struct cfg_node *group, struct complaint *why)
{
    static const char *const transports[] = {"tcp", "rtu", NULL};
    struct site_bus bus = {0};
    int transport = BUS_TCP;
    int r = site_read_id(group, "name", &bus.name, why);
    if (r == 0)
        r = cfg_choice(group, "transport", true, transports, &transport, why);
    if (r == 0)
        r = transport == BUS_RTU ? read_rtu(group, &bus.config, why) : read_tcp(group, &bus.config, why);
    if (r < 0)
        return r;
    for (size_t i = 0; i < site->n_buses; i++) {
        if (strcmp(site->buses[i].name, bus.name) == 0)
            return cfg_complain(group, why, "there are two buses named \"%s\"", bus.name);
        if (bus.config.transport == BUS_RTU && site->buses[i].config.transport == BUS_RTU &&
            strcmp(site->buses[i].config.host, bus.config.host) == 0)
            return cfg_complain(group, why, "bus \"%s\" has this tty already; a bus carries several units",
                                site->buses[i].name);
    }
    site->buses[site->n_buses++] = bus;
    return 0;
}

/* Index of the part of this name, or -1. */
static int part_named(const struct site_part *parts, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(parts[i].name, name) == 0)
            return (int)i;
    return -1;
}

static bool name_taken(const struct site *site, const char *name)
{
    for (size_t i = 0; i < site->n_amplifiers; i++)
        if (strcmp(site->amplifiers[i].name, name) == 0)
            return true;
    for (size_t i = 0; i < site->n_signs; i++)
        if (strcmp(site->signs[i].name, name) == 0)
            return true;
    return part_named(site->relays, site->n_relays, name) >= 0 || part_named(site->meters, site->n_meters, name) >= 0;
}

/* What amplifiers, signs, relays and meters have in common. */
static int read_part(const struct site *site, const struct cfg_node *group, const char *file, enum profile_kind kind,
                     const char **ret_name, size_t *ret_bus, uint8_t *ret_unit, struct profile **ret_profile,
                     struct complaint *why)
{
    const char *bus = NULL, *path = NULL;
    int64_t unit = 0;
    int r = site_read_id(group, "name", ret_name, why);
    if (r == 0)
        r = cfg_text(group, "bus", true, NAME_MAX_LEN, &bus, why);
    if (r == 0)
        r = cfg_int(group, "unit", true, 0, 255, &unit, why);
    if (r == 0)
        r = cfg_text(group, "profile", true, PATH_MAX_LEN, &path, why);
    if (r < 0)
        return r;
    if (name_taken(site, *ret_name))
        return cfg_complain(group, why, "there are two parts named \"%s\"", *ret_name);
    size_t i = 0;
    while (i < site->n_buses && strcmp(site->buses[i].name, bus) != 0)
        i++;
    if (i == site->n_buses)
        return cfg_complain(group, why, "'bus' is \"%s\", but there is no such bus in this file", bus);
    if (site->buses[i].config.transport == BUS_RTU && (unit < 1 || unit > 247))
        return cfg_complain(group, why, "'unit' is %d; on a serial bus it must be 1 to 247", (int)unit);
    *ret_bus = i;
    *ret_unit = (uint8_t)unit;
    char *full = beside(file, path);
    r = profile_open(full, ret_profile, why);
    free(full);
    if (r < 0)
        return r;
    if ((*ret_profile)->kind != kind)
        return cfg_complain(group, why, "profile \"%s\" is not one of %s %s", path,
                            kind == PROFILE_AMPLIFIER ? "an" : "a", profile_kind_name(kind));
    return 0;
}

static int read_mains(const struct site *site, const struct cfg_node *group, struct site_amplifier *amp,
                      struct complaint *why)
{
    const struct cfg_node *mains = NULL;
    const char *relay = NULL;
    int64_t channel = 0, up_ms = 2000;
    amp->relay = -1;
    int r = cfg_group(group, "mains", false, &mains, why);
    if (r < 0 || !mains)
        return r;
    r = cfg_text(mains, "relay", true, NAME_MAX_LEN, &relay, why);
    if (r == 0)
        r = cfg_int(mains, "channel", true, 1, PROFILE_ZONES_MAX, &channel, why);
    if (r == 0)
        r = cfg_int(mains, "up_ms", false, 0, 120000, &up_ms, why);
    if (r < 0)
        return r;
    amp->relay = part_named(site->relays, site->n_relays, relay);
    amp->channel = (unsigned)channel;
    amp->mains_up_ms = (uint32_t)up_ms;
    if (amp->relay < 0)
        return cfg_complain(mains, why, "'relay' is \"%s\", but there is no such relay board in this file", relay);
    if (site->relays[amp->relay].profile->zones[channel - 1] < 0)
        return cfg_complain(mains, why, "'channel' is %d, which the relay board \"%s\" does not have", (int)channel,
                            relay);
    return 0;
}

static int read_meter_of(const struct site *site, const struct cfg_node *group, struct site_amplifier *amp,
                         struct complaint *why)
{
    const struct cfg_node *meter = NULL;
    const char *name = NULL;
    amp->meter = -1;
    int r = cfg_group(group, "meter", false, &meter, why);
    if (r < 0 || !meter)
        return r;
    r = cfg_text(meter, "name", true, NAME_MAX_LEN, &name, why);
    if (r == 0)
        r = cfg_real(meter, "off_w", true, 0, 100000, &amp->off_w, why);
    if (r == 0)
        r = cfg_real(meter, "on_w", true, 0, 100000, &amp->on_w, why);
    if (r < 0)
        return r;
    amp->meter = part_named(site->meters, site->n_meters, name);
    if (amp->meter < 0)
        return cfg_complain(meter, why, "'name' is \"%s\", but there is no such meter in this file", name);
    if (amp->on_w <= amp->off_w)
        return cfg_complain(meter, why, "'on_w' must be more than 'off_w'");
    for (size_t i = 0; i < site->n_amplifiers; i++)
        if (site->amplifiers[i].meter == amp->meter)
            return cfg_complain(meter, why, "meter \"%s\" sees \"%s\" already; one sees one amplifier", name,
                                site->amplifiers[i].name);
    return 0;
}

/* Channels that no amplifier hangs on are somebody else's: they are not touched. */
static void leave_foreign_channels(struct site *site)
{
    for (size_t k = 0; k < site->n_relays; k++)
        for (unsigned channel = 1; channel <= PROFILE_ZONES_MAX; channel++) {
            bool ours = false;
            for (size_t i = 0; i < site->n_amplifiers; i++)
                ours = ours || (site->amplifiers[i].relay == (int)k && site->amplifiers[i].channel == channel);
            if (!ours)
                site->relays[k].profile->zones[channel - 1] = -1;
        }
}

static int read_amplifier(struct site *site, const struct cfg_node *group, const char *file, struct complaint *why)
{
    struct site_amplifier amp = {.relay = -1, .meter = -1};
    size_t n = 0;
    int r = read_part(site, group, file, PROFILE_AMPLIFIER, &amp.name, &amp.bus, &amp.unit, &amp.profile, why);
    if (r == 0)
        r = read_mains(site, group, &amp, why);
    if (r == 0)
        r = read_meter_of(site, group, &amp, why);
    if (r == 0)
        r = read_zones(site, group, PROFILE_ZONES_MAX, amp.zone_bits, &n, why);
    for (size_t i = 0; r == 0 && i < n; i++) {
        amp.zones |= amp.zone_bits[i];
        if (amp.profile->zones[i] < 0)
            r = cfg_complain(group, why, "zone %zu needs a point zone_%zu, which the profile does not have", i + 1,
                             i + 1);
    }
    if (r < 0) {
        profile_free(amp.profile);
        return r;
    }
    site->amplifiers[site->n_amplifiers++] = amp;
    return 0;
}

static int read_sign(struct site *site, const struct cfg_node *group, const char *file, struct complaint *why)
{
    struct site_sign sign = {0};
    int r = read_part(site, group, file, PROFILE_SIGN, &sign.name, &sign.bus, &sign.unit, &sign.profile, why);
    if (r < 0) {
        profile_free(sign.profile);
        return r;
    }
    site->signs[site->n_signs++] = sign;
    return 0;
}

static int read_plain(const struct site *site, const struct cfg_node *group, const char *file, enum profile_kind kind,
                      struct site_part *parts, size_t *n, struct complaint *why)
{
    struct site_part part = {0};
    int r = read_part(site, group, file, kind, &part.name, &part.bus, &part.unit, &part.profile, why);
    if (r < 0) {
        profile_free(part.profile);
        return r;
    }
    parts[(*n)++] = part;
    return 0;
}

enum part_kind { PART_BUS, PART_AMPLIFIER, PART_SIGN, PART_RELAY, PART_METER };

static int read_parts(struct site *site, const struct cfg_node *root, const char *name, enum part_kind kind,
                      const char *file, struct complaint *why)
{
    const struct cfg_node *list = NULL;
    int r = cfg_list(root, name, false, kind == PART_RELAY || kind == PART_METER ? 4 : 8, &list, why);
    for (size_t i = 0; r == 0 && i < cfg_len(list); i++) {
        const struct cfg_node *group = cfg_at(list, i);
        if (!group)
            r = cfg_complain(list, why, "item %zu of '%s' must be a group { ... }", i + 1, name);
        else if (kind == PART_BUS)
            r = read_bus(site, group, why);
        else if (kind == PART_AMPLIFIER)
            r = read_amplifier(site, group, file, why);
        else if (kind == PART_SIGN)
            r = read_sign(site, group, file, why);
        else if (kind == PART_RELAY)
            r = read_plain(site, group, file, PROFILE_RELAY, site->relays, &site->n_relays, why);
        else
            r = read_plain(site, group, file, PROFILE_METER, site->meters, &site->n_meters, why);
    }
    return r;
}

int site_open(const char *path, struct site *ret, struct complaint *why)
{
    struct site s = {0};
    int r = cfg_open(path, &s.cfg, why);
    if (r < 0)
        return r;
    const struct cfg_node *root = cfg_root(s.cfg);
    r = read_sound(&s, root, path, why);
    if (r == 0)
        r = read_parts(&s, root, "buses", PART_BUS, path, why);
    if (r == 0)
        r = read_parts(&s, root, "relays", PART_RELAY, path, why);
    if (r == 0)
        r = read_parts(&s, root, "meters", PART_METER, path, why);
    if (r == 0)
        r = read_parts(&s, root, "amplifiers", PART_AMPLIFIER, path, why);
    if (r == 0)
        r = read_parts(&s, root, "signs", PART_SIGN, path, why);
    if (r == 0)
        r = cfg_finish(s.cfg, why);
    if (r == 0 && s.n_amplifiers > 0 && !s.sound.wired)
        r = cfg_complain(root, why, "there are amplifiers but no 'sound' card to feed them");
    if (r < 0) {
        site_done(&s);
        return r;
    }
    leave_foreign_channels(&s);
    *ret = s;
    return 0;
}

void site_done(struct site *site)
{
    for (size_t i = 0; i < site->n_amplifiers; i++)
        profile_free(site->amplifiers[i].profile);
    for (size_t i = 0; i < site->n_signs; i++)
        profile_free(site->signs[i].profile);
    for (size_t i = 0; i < site->n_relays; i++)
        profile_free(site->relays[i].profile);
    for (size_t i = 0; i < site->n_meters; i++)
        profile_free(site->meters[i].profile);
    free(site->sound.alsa_config);
    cfg_close(site->cfg);
    memset(site, 0, sizeof(*site));
}

uint32_t site_zone_mask(const struct site *site, const char *const *names, size_t n, const char **ret_unknown)
{
    uint32_t mask = 0;
    *ret_unknown = NULL;
    for (size_t i = 0; i < n; i++) {
        size_t z = 0;
        while (z < site->n_zones && strcmp(site->zones[z], names[i]) != 0)
            z++;
        if (z < site->n_zones)
            mask |= UINT32_C(1) << z;
        else if (!*ret_unknown)
            *ret_unknown = names[i];
    }
    return n > 0 && mask == 0 ? SITE_ZONE_NONE : mask;
}
