/* civil_tzif.c - reads TZif (RFC 8536): the 64-bit block of version 2 and later, and the footer. The file is taken for
 * hostile: its size is bounded, every count and index is checked before use. */
#include "playlists/base/civil_zone.h"
#include "playlists/base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER_LEN = 44, OFFSET_MIN_S = -89999, OFFSET_MAX_S = 93599 }; /* RFC 8536, 3.2: bounds of utoff */

struct counts {
    uint32_t isut, isstd, leap, time, type, chars;
};

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t be64(const uint8_t *p)
{
    return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4));
}

/* The counts of the header at `p`, and in *ret_body the bytes that follow it. */
static int read_header(const uint8_t *p, size_t left, size_t time_size, struct counts *ret, size_t *ret_body)
{
    if (left < HEADER_LEN || memcmp(p, "TZif", 4) != 0)
        return ERR_FORMAT;
    struct counts c = {be32(p + 20), be32(p + 24), be32(p + 28), be32(p + 32), be32(p + 36), be32(p + 40)};
    const uint32_t all[] = {c.isut, c.isstd, c.leap, c.time, c.type, c.chars};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (all[i] > ZONE_FILE_MAX)
            return ERR_FORMAT;
    *ret = c;
    *ret_body = (size_t)c.time * (time_size + 1) + (size_t)c.type * 6 + c.chars + (size_t)c.leap * (time_size + 4) +
                c.isstd + c.isut;
    return *ret_body > left - HEADER_LEN ? ERR_FORMAT : 0;
}

static int read_types(struct zone *zone, const uint8_t *p, const struct counts *c)
{
    for (size_t i = 0; i < c->type; i++, p += 6) {
        int64_t offset = (int32_t)be32(p);
        if (offset < OFFSET_MIN_S || offset > OFFSET_MAX_S || p[4] > 1 || p[5] >= c->chars)
            return ERR_FORMAT;
        zone->offset[i] = (int32_t)offset;
    }
    zone->n_types = c->type;
    return 0;
}

static int read_block(struct zone *zone, const uint8_t *p, const struct counts *c)
{
    if (c->type == 0 || c->type > ZONE_TYPES_MAX || c->chars == 0 || (c->isut && c->isut != c->type) ||
        (c->isstd && c->isstd != c->type))
        return ERR_FORMAT;
    if (c->leap) /* "right/" zones do not count Unix seconds */
        return ERR_FORMAT;
    zone->at = xcalloc(c->time ? c->time : 1, sizeof(zone->at[0]));
    zone->type = xcalloc(c->time ? c->time : 1, 1);
    zone->n = c->time;
    const uint8_t *types = p + (size_t)c->time * 8;
    for (size_t i = 0; i < c->time; i++) {
        zone->at[i] = be64(p + i * 8);
        zone->type[i] = types[i];
        if (types[i] >= c->type || (i > 0 && zone->at[i] <= zone->at[i - 1]))
            return ERR_FORMAT;
    }
    return read_types(zone, types + c->time, c);
}

/* Footer grammar. Each reader moves *p on and returns false where the text is not what it should be. */
static bool read_number(const char **p, int max, int *ret)
{
    int n = 0, digits = 0;
    for (; **p >= '0' && **p <= '9' && digits < 4; (*p)++, digits++)
        n = n * 10 + (**p - '0');
    *ret = n;
    return digits > 0 && n <= max;
}

static bool skip_name(const char **p)
{
    const char *q = *p;
    if (*q == '<') {
        size_t len = strspn(q + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-");
        if (len < 3 || q[1 + len] != '>')
            return false;
        *p = q + len + 2;
        return true;
    }
    size_t len = strspn(q, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
    *p = q + len;
    return len >= 3;
}

/* [+-]hh[:mm[:ss]] */
static bool read_hms(const char **p, int max_hours, bool sign_allowed, int32_t *ret)
{
    int sign = 1, h = 0, m = 0, s = 0;
    if (**p == '-' || **p == '+') {
        if (!sign_allowed)
            return false;
        sign = **p == '-' ? -1 : 1;
        (*p)++;
    }
    if (!read_number(p, max_hours, &h))
        return false;
    if (**p == ':') {
        (*p)++;
        if (!read_number(p, 59, &m))
            return false;
        if (**p == ':') {
            (*p)++;
            if (!read_number(p, 59, &s))
                return false;
        }
    }
    *ret = sign * (h * 3600 + m * 60 + s);
    return true;
}

static bool read_month_week_day(const char **p, struct change_rule *rule)
{
    if (!read_number(p, 12, &rule->month) || rule->month < 1 || *(*p)++ != '.')
        return false;
    if (!read_number(p, 5, &rule->week) || rule->week < 1 || *(*p)++ != '.')
        return false;
    return read_number(p, 6, &rule->day);
}

/* ,date[/time] */
static bool read_change(const char **p, bool wide_hours, struct change_rule *rule)
{
    if (*(*p) != ',')
        return false;
    (*p)++;
    bool ok;
    if (**p == 'J') {
        (*p)++;
        rule->form = DAY_JULIAN;
        ok = read_number(p, 365, &rule->day) && rule->day >= 1;
    } else if (**p == 'M') {
        (*p)++;
        rule->form = DAY_OF_MONTH_WEEK;
        ok = read_month_week_day(p, rule);
    } else {
        rule->form = DAY_OF_YEAR;
        ok = read_number(p, 365, &rule->day);
    }
    rule->second = 2 * 3600;
    if (!ok || **p != '/')
        return ok;
    (*p)++;
    return read_hms(p, wide_hours ? 167 : 24, wide_hours, &rule->second);
}

static bool read_footer(struct zone *zone, const char *p, bool wide_hours)
{
    if (!*p)
        return true;
    int32_t west = 0;
    if (!skip_name(&p) || !read_hms(&p, 24, true, &west))
        return false;
    zone->has_footer = true;
    zone->std_offset = -west;
    if (!*p)
        return true;
    zone->footer_dst = true;
    west -= 3600;
    if (!skip_name(&p) || (*p != ',' && !read_hms(&p, 24, true, &west)))
        return false;
    zone->dst_offset = -west;
    return read_change(&p, wide_hours, &zone->to_dst) && read_change(&p, wide_hours, &zone->to_std) && !*p;
}

static int parse(struct zone *zone, const uint8_t *data, size_t len)
{
    struct counts c;
    size_t body = 0;
    if (len > ZONE_FILE_MAX || read_header(data, len, 4, &c, &body) < 0 || data[4] < '2')
        return ERR_FORMAT;
    const uint8_t *p = data + HEADER_LEN + body;
    size_t left = len - HEADER_LEN - body;
    if (read_header(p, left, 8, &c, &body) < 0 || p[4] != data[4])
        return ERR_FORMAT;
    if (read_block(zone, p + HEADER_LEN, &c) < 0)
        return ERR_FORMAT;
    const char *footer = (const char *)p + HEADER_LEN + body;
    left -= HEADER_LEN + body;
    char text[256];
    if (left < 2 || left - 2 >= sizeof(text) || footer[0] != '\n' || footer[left - 1] != '\n' ||
        memchr(footer, '\0', left))
        return ERR_FORMAT;
    memcpy(text, footer + 1, left - 2);
    text[left - 2] = '\0';
    return read_footer(zone, text, data[4] >= '3') ? 0 : ERR_FORMAT;
}

static bool name_valid(const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/";
    return name && *name && *name != '/' && strlen(name) <= ZONE_NAME_MAX && !name[strspn(name, allowed)] &&
           !strstr(name, "..");
}

int zone_parse(const char *name, const void *data, size_t len, struct zone **ret, struct complaint *why)
{
    if (!name_valid(name))
        return complain(why, ERR_FORMAT, "\"%.80s\" is not a time zone's name (like Asia/Ho_Chi_Minh)",
                        name ? name : "");
    struct zone *zone = xcalloc(1, sizeof(*zone));
    snprintf(zone->name, sizeof(zone->name), "%s", name);
    int r = parse(zone, data, len);
    if (r < 0) {
        zone_free(zone);
        return complain(why, r, "%s: not a time zone file (TZif of version 2 or later, without leap seconds)", name);
    }
    *ret = zone;
    return 0;
}

int zone_load(const char *dir, const char *name, struct zone **ret, struct complaint *why)
{
    if (!name_valid(name))
        return complain(why, ERR_FORMAT, "\"%.80s\" is not a time zone's name (like Asia/Ho_Chi_Minh)",
                        name ? name : "");
    char *path = xasprintf("%s/%s", dir ? dir : "/usr/share/zoneinfo", name);
    struct buf file = {0};
    int r = file_read_whole(path, ZONE_FILE_MAX, &file);
    if (r < 0)
        complain(why, r, "no time zone \"%s\" (%s: %s)", name, path, err_name(r));
    else
        r = zone_parse(name, file.data, file.len, ret, why);
    buf_done(&file);
    free(path);
    return r;
}

void zone_free(struct zone *zone)
{
    if (!zone)
        return;
    free(zone->at);
    free(zone->type);
    free(zone);
}
