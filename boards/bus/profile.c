/* profile.c - see profile.h: the file as a whole, and which point plays which role. */
#include "boards/bus/profile.h"

#include "boards/bus/profile_read.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const profile_kinds[] = {"amplifier", "sign", "relay", "meter", NULL};
static const char *const line_breaks[] = {"lf", "crlf", "cr", "pad", NULL};

const char *profile_kind_name(enum profile_kind kind)
{
    return profile_kinds[kind];
}

int profile_find(const struct profile *profile, const char *name)
{
    for (size_t i = 0; i < profile->n_points; i++)
        if (strcmp(profile->points[i].name, name) == 0)
            return (int)i;
    return -1;
}

/* What a role asks of its point. */
struct role {
    const char *name;
    unsigned access;
    bool text;
    const char *unit; /* the only one it may have; NULL: any */
};

static const struct role roles[] = {
    {"power", POINT_WRITE, false, NULL},      {"power_state", POINT_READ, false, NULL},
    {"mute", POINT_WRITE, false, NULL},       {"gain", POINT_WRITE, false, "dB"},
    {"temperature", POINT_READ, false, NULL}, {"output_level", POINT_READ, false, "dB"},
    {"clear", POINT_WRITE, false, NULL},      {"commit", POINT_WRITE, false, NULL},
    {"brightness", 0, false, NULL},           {"zone_", POINT_WRITE, false, NULL},
    {"fault_", POINT_READ, false, NULL},      {"text_shown", POINT_READ, true, NULL},
    {"text", POINT_WRITE, true, NULL},
};

/* What the names of relays and meters ask; in other profiles these names are free. */
static const struct role relay_roles[] = {{"channel_", POINT_READ | POINT_WRITE, false, NULL}};
static const struct role meter_roles[] = {
    {"active_power", POINT_READ, false, "W"}, {"voltage", POINT_READ, false, "V"},
    {"current", POINT_READ, false, "A"},      {"frequency", POINT_READ, false, "Hz"},
    {"energy", POINT_READ, false, "kWh"},     {"power_factor", POINT_READ, false, NULL},
    {"fault_", POINT_READ, false, NULL},
};

static int check_role(const struct profile_reader *reader, size_t index, const struct role *role)
{
    const struct point *point = &reader->profile->points[index];
    const struct cfg_node *node = reader->nodes[index];
    if (role->access & POINT_WRITE && !(point->access & POINT_WRITE))
        return cfg_complain(node, reader->why, "point '%s' must be writable: access \"w\" or \"rw\"", point->name);
    if (role->access & POINT_READ && !(point->access & POINT_READ))
        return cfg_complain(node, reader->why, "point '%s' must be readable: access \"r\" or \"rw\"", point->name);
    if (role->text != (point->type == POINT_TEXT))
        return cfg_complain(node, reader->why, "point '%s' must be %s, its type is \"%s\"", point->name,
                            role->text ? "text" : "a number or a bit", point_type_name(point->type));
    if (role->unit && strcmp(point->unit, role->unit) != 0)
        return cfg_complain(node, reader->why, "point '%s' must have unit \"%s\" (use scale and offset), not \"%s\"",
                            point->name, role->unit, point->unit);
    return 0;
}

static const struct role *find_role(const struct role *of, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(of[i].name);
        bool family = of[i].name[len - 1] == '_';
        if (family ? strncmp(name, of[i].name, len) == 0 : strcmp(name, of[i].name) == 0)
            return &of[i];
    }
    return NULL;
}

/* The role a name stands for: exact, or the stem of a numbered or labelled family. */
static const struct role *role_of(enum profile_kind kind, const char *name)
{
    if (kind == PROFILE_RELAY)
        return find_role(relay_roles, sizeof(relay_roles) / sizeof(relay_roles[0]), name);
    if (kind == PROFILE_METER)
        return find_role(meter_roles, sizeof(meter_roles) / sizeof(meter_roles[0]), name);
    if (strncmp(name, "text_shown_", 11) == 0)
        name = "text_shown";
    const struct role *role = find_role(roles, sizeof(roles) / sizeof(roles[0]), name);
    return role || strncmp(name, "text_", 5) != 0 ? role : find_role(roles, sizeof(roles) / sizeof(roles[0]), "text");
}

/* 1..max behind `stem`, or 0. */
static int number_behind(const char *name, const char *stem, int max)
{
    size_t len = strlen(stem);
    if (strncmp(name, stem, len) != 0 || name[len] < '1' || name[len] > '9')
        return 0;
    int n = 0;
    for (const char *p = name + len; *p; p++) {
        if (*p < '0' || *p > '9' || n > max)
            return 0;
        n = n * 10 + (*p - '0');
    }
    return n <= max ? n : 0;
}

static int take_numbered(struct profile_reader *reader, size_t index, const char *stem)
{
    const char *name = reader->profile->points[index].name;
    int n = number_behind(name, stem, PROFILE_ZONES_MAX);
    if (n == 0)
        return cfg_complain(reader->nodes[index], reader->why, "'%s' must be one of %s1 to %s%d", name, stem, stem,
                            PROFILE_ZONES_MAX);
    reader->profile->zones[n - 1] = (int)index;
    return 0;
}

static int take_text(struct profile_reader *reader, size_t index)
{
    struct profile *p = reader->profile;
    const char *name = p->points[index].name;
    int line = 1;
    if (strcmp(name, "text") != 0) {
        line = number_behind(name, "text_", PROFILE_LINES_MAX);
        if (line == 0)
            return cfg_complain(reader->nodes[index], reader->why, "'%s' is no line, they are text_1 to text_%d", name,
                                PROFILE_LINES_MAX);
        p->points[index].line = line;
    }
    if (p->text[line - 1] >= 0)
        return cfg_complain(reader->nodes[index], reader->why, "a sign has either 'text' or text_1, text_2, ...");
    p->text[line - 1] = (int)index;
    p->n_text++;
    return 0;
}

static int take_fault(struct profile_reader *reader, size_t index)
{
    struct profile *p = reader->profile;
    if (p->n_faults == PROFILE_FAULTS_MAX)
        return cfg_complain(reader->nodes[index], reader->why, "there may be %d fault points", PROFILE_FAULTS_MAX);
    p->faults[p->n_faults++] = (int)index;
    return 0;
}

static void take_plain(struct profile *p, int index)
{
    const struct {
        const char *name;
        int *slot;
    } plain[] = {{"power", &p->power},
                 {"power_state", &p->power_state},
                 {"mute", &p->mute},
                 {"gain", &p->gain},
                 {"temperature", &p->temperature},
                 {"output_level", &p->output_level},
                 {"clear", &p->clear},
                 {"commit", &p->commit},
                 {"brightness", &p->brightness},
                 {"active_power", &p->active_power}};
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
        if (strcmp(plain[i].name, p->points[index].name) == 0)
            *plain[i].slot = index;
}

static int take_roles(struct profile_reader *reader)
{
    struct profile *p = reader->profile;
    for (size_t i = 0; i < p->n_points; i++) {
        const char *name = p->points[i].name;
        const struct role *role = role_of(p->kind, name);
        if (!role)
            continue;
        int r = check_role(reader, i, role);
        const char *stem = role->name;
        if (r < 0)
            return r;
        if (strcmp(stem, "zone_") == 0 || strcmp(stem, "channel_") == 0)
            r = take_numbered(reader, i, stem);
        else if (strcmp(stem, "fault_") == 0)
            r = take_fault(reader, i);
        else if (strcmp(stem, "text") == 0)
            r = take_text(reader, i);
        else
            take_plain(p, (int)i);
        if (r < 0)
            return r;
    }
    return 0;
}

/* The pairs that need no `verify`: power by power_state, text by text_shown, text_3 by text_shown_3. */
static void pair_by_name(struct profile *p)
{
    if (p->power >= 0 && p->points[p->power].verify < 0)
        p->points[p->power].verify = p->power_state;
    for (size_t i = 0; i < PROFILE_LINES_MAX; i++) {
        if (p->text[i] < 0)
            continue;
        struct point *text = &p->points[p->text[i]];
        char name[PROFILE_NAME_MAX + 1];
        if (text->line)
            snprintf(name, sizeof(name), "text_shown_%d", text->line);
        else
            snprintf(name, sizeof(name), "text_shown");
        if (text->verify < 0)
            text->verify = profile_find(p, name);
    }
}

static int check_amplifier(const struct profile_reader *reader, const struct cfg_node *root)
{
    const struct profile *p = reader->profile;
    if (p->n_text > 0)
        return cfg_complain(root, reader->why, "an amplifier has no text: 'text' and text_... are points of a sign");
    if (p->mute < 0 && p->power < 0)
        return cfg_complain(root, reader->why, "an amplifier needs a point 'mute' or 'power'");
    bool switches = p->silence == p->mute || p->silence == p->power || p->silence == p->gain;
    for (int i = 0; i < PROFILE_ZONES_MAX; i++)
        switches = switches || p->silence == p->zones[i];
    if (!switches)
        return cfg_complain(root, reader->why, "'silence' must write mute, power, gain or a zone, not '%s'",
                            p->points[p->silence].name);
    if (p->silence == p->mute && p->silence_value != p->points[p->mute].on)
        return cfg_complain(root, reader->why, "'silence' writes %g to mute, but its 'on' value is %g",
                            p->silence_value, p->points[p->mute].on);
    return 0;
}

static int check_sign(const struct profile_reader *reader, const struct cfg_node *root)
{
    const struct profile *p = reader->profile;
    if (p->n_text == 0)
        return cfg_complain(root, reader->why, "a sign needs a point 'text', or text_1, text_2, ...");
    for (size_t i = 0; i < p->n_text; i++)
        if (p->text[i] < 0)
            return cfg_complain(root, reader->why, "text_%zu is missing: lines are numbered from 1 without a gap",
                                i + 1);
    if (p->line_break == BREAK_PAD && p->columns == 0)
        return cfg_complain(root, reader->why, "line_break \"pad\" needs 'columns'");
    if (p->points[p->text[0]].line && p->lines > p->n_text)
        return cfg_complain(root, reader->why, "'lines' is %u, but there are %zu text points", p->lines, p->n_text);
    for (size_t i = 0; i < p->n_text; i++) {
        int verify = p->points[p->text[i]].verify;
        if (verify >= 0 && p->points[verify].type != POINT_TEXT)
            return cfg_complain(reader->nodes[p->text[i]], reader->why, "point '%s' cannot prove a text",
                                p->points[verify].name);
    }
    return 0;
}

static int check_relay(const struct profile_reader *reader, const struct cfg_node *root)
{
    const struct profile *p = reader->profile;
    for (int i = 0; i < PROFILE_ZONES_MAX; i++)
        if (p->zones[i] >= 0)
            return 0;
    return cfg_complain(root, reader->why, "a relay board needs a point channel_1");
}

static int check_meter(const struct profile_reader *reader, const struct cfg_node *root)
{
    const struct profile *p = reader->profile;
    if (p->active_power < 0)
        return cfg_complain(root, reader->why, "a meter needs a point active_power");
    if (p->points[p->active_power].poll_ms == 0)
        return cfg_complain(reader->nodes[p->active_power], reader->why, "'active_power' must be polled");
    return 0;
}

static int check_kind(const struct profile_reader *reader, const struct cfg_node *root)
{
    switch (reader->profile->kind) {
    case PROFILE_AMPLIFIER:
        return check_amplifier(reader, root);
    case PROFILE_SIGN:
        return check_sign(reader, root);
    case PROFILE_RELAY:
        return check_relay(reader, root);
    default:
        return check_meter(reader, root);
    }
}

static int read_bus(struct profile_reader *reader, const struct cfg_node *root)
{
    struct profile *p = reader->profile;
    const struct cfg_node *bus = NULL;
    int64_t max_read = 125;
    int64_t max_write = 123;
    int64_t pause = 0;
    int r = cfg_group(root, "bus", false, &bus, reader->why);
    if (r == 0 && bus) {
        r = cfg_int(bus, "max_read", false, 2, 125, &max_read, reader->why);
        r = r < 0 ? r : cfg_int(bus, "max_write", false, 1, 123, &max_write, reader->why);
        r = r < 0 ? r : cfg_int(bus, "pause_ms", false, 0, 200, &pause, reader->why);
        r = r < 0 ? r : cfg_bool(bus, "multiple_only", false, &p->multiple_only, reader->why);
    }
    p->max_read = (uint16_t)max_read;
    p->max_write = (uint16_t)max_write;
    p->pause_ms = (uint32_t)pause;
    return r;
}

static int read_head(struct profile_reader *reader, const struct cfg_node *root)
{
    struct profile *p = reader->profile;
    struct complaint *why = reader->why;
    int kind = 0;
    int line_break = BREAK_LF;
    int64_t power_up = 0;
    int64_t lines = 0;
    int64_t columns = 0;
    int r = cfg_text(root, "model", true, 60, &p->model, why);
    r = r < 0 ? r : cfg_text(root, "maker", true, 60, &p->maker, why);
    r = r < 0 ? r : cfg_choice(root, "kind", true, profile_kinds, &kind, why);
    r = r < 0 ? r : profile_read_order(root, &reader->order, why);
    r = r < 0 ? r : cfg_int(root, "poll_ms", false, 50, 3600000, &reader->poll_ms, why);
    r = r < 0 ? r : read_bus(reader, root);
    p->kind = (enum profile_kind)kind;
    if (r == 0 && p->kind == PROFILE_AMPLIFIER)
        r = cfg_int(root, "power_up_ms", false, 0, 120000, &power_up, why);
    if (r == 0 && p->kind == PROFILE_SIGN) {
        r = cfg_int(root, "lines", false, 1, PROFILE_LINES_MAX, &lines, why);
        r = r < 0 ? r : cfg_int(root, "columns", false, 2, 512, &columns, why);
        r = r < 0 ? r : cfg_choice(root, "line_break", false, line_breaks, &line_break, why);
    }
    p->power_up_ms = (uint32_t)power_up;
    p->lines = (uint16_t)lines;
    p->columns = (uint16_t)columns;
    p->line_break = (enum line_break)line_break;
    return r;
}

static int read_points(struct profile_reader *reader, const struct cfg_node *root)
{
    const struct cfg_node *list = NULL;
    int r = cfg_list(root, "points", true, PROFILE_POINTS_MAX, &list, reader->why);
    if (r == 0 && cfg_len(list) == 0)
        r = cfg_complain(list, reader->why, "'points' is empty");
    for (size_t i = 0; r == 0 && i < cfg_len(list); i++) {
        const struct cfg_node *node = cfg_at(list, i);
        if (!node)
            return cfg_complain(list, reader->why, "item %zu of 'points' must be a group { ... }", i + 1);
        r = profile_read_point(reader, node);
    }
    return r;
}

static void no_roles(struct profile *p)
{
    int *single[] = {&p->active_power, &p->silence,     &p->power,        &p->power_state, &p->mute,      &p->gain,
                     &p->clear,        &p->temperature, &p->output_level, &p->commit,      &p->brightness};
    for (size_t i = 0; i < sizeof(single) / sizeof(single[0]); i++)
        *single[i] = -1;
    for (size_t i = 0; i < PROFILE_ZONES_MAX; i++)
        p->zones[i] = -1;
    for (size_t i = 0; i < PROFILE_LINES_MAX; i++)
        p->text[i] = -1;
}

static int read_all(struct profile_reader *reader, const struct cfg_node *root)
{
    struct profile *p = reader->profile;
    int r = read_head(reader, root);
    r = r < 0 ? r : read_points(reader, root);
    r = r < 0 ? r : profile_check_points(reader);
    r = r < 0 ? r : take_roles(reader);
    if (p->kind == PROFILE_AMPLIFIER || p->kind == PROFILE_SIGN)
        r = r < 0 ? r : profile_read_silence(reader, root);
    if (r < 0)
        return r;
    pair_by_name(p);
    r = check_kind(reader, root);
    if (r == 0 && p->kind == PROFILE_SIGN)
        r = profile_read_steps(reader, root);
    return r < 0 ? r : cfg_finish(p->cfg, reader->why);
}

int profile_open(const char *path, struct profile **ret_profile, struct complaint *why)
{
    struct cfg *cfg = NULL;
    int r = cfg_open(path, &cfg, why);
    if (r < 0)
        return r;
    struct profile *profile = xcalloc(1, sizeof(*profile));
    profile->cfg = cfg;
    no_roles(profile);
    struct profile_reader *reader = xcalloc(1, sizeof(*reader));
    *reader = (struct profile_reader){.profile = profile, .order = ORDER_ABCD, .poll_ms = 1000, .why = why};
    r = read_all(reader, cfg_root(cfg));
    free(reader);
    if (r < 0) {
        profile_free(profile);
        return r;
    }
    *ret_profile = profile;
    return 0;
}

void profile_free(struct profile *profile)
{
    if (!profile)
        return;
    cfg_close(profile->cfg);
    free(profile);
}
