/* profile_point.c - one point of a profile, and how points may stand to each other. */
#include "boards/bus/profile_read.h"

#include <math.h>
#include <string.h>

static const char *const kinds[] = {"coil", "discrete", "holding", "input", NULL};
static const char *const types[] = {"bit", "u16", "s16", "u32", "s32", "f32", "text", NULL};
static const char *const accesses[] = {"r", "w", "rw", NULL};
static const char *const orders[] = {"ABCD", "CDAB", "BADC", "DCBA", "AB", "BA", NULL};
static const char *const encodings[] = {"utf-8", "ucs-2", "utf-16", "ascii", "gb18030", "windows-1258", NULL};
static const char *const pads[] = {"nul", "space", NULL};

const char *point_kind_name(enum point_kind kind)
{
    return kinds[kind];
}

const char *point_type_name(enum point_type type)
{
    return types[type];
}

const char *text_encoding_name(enum text_encoding encoding)
{
    return encodings[encoding];
}

int profile_read_order(const struct cfg_node *node, enum point_order *ret_order, struct complaint *why)
{
    int order = (int)*ret_order;
    int r = cfg_choice(node, "order", false, orders, &order, why);
    if (r < 0)
        return r;
    if (order > ORDER_DCBA)
        order = order == 4 ? ORDER_ABCD : ORDER_BADC;
    *ret_order = (enum point_order)order;
    return 0;
}

static int read_name(struct profile_reader *reader, const struct cfg_node *node, struct point *point)
{
    const char *name = NULL;
    int r = cfg_text(node, "name", true, PROFILE_NAME_MAX, &name, reader->why);
    if (r < 0)
        return r;
    if (name[0] < 'a' || name[0] > 'z' || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(name))
        return cfg_complain(node, reader->why, "name \"%s\" must begin with a-z and be of a-z, 0-9 and _", name);
    int twin = profile_find(reader->profile, name);
    if (twin >= 0)
        return cfg_complain(node, reader->why, "there is another point named '%s'", name);
    memcpy(point->name, name, strlen(name) + 1);
    return 0;
}

/* Kind, type and access, which bind each other. */
static int read_nature(struct profile_reader *reader, const struct cfg_node *node, struct point *point)
{
    int kind = 0;
    int type = POINT_BIT;
    int access = 0;
    int r = cfg_choice(node, "kind", true, kinds, &kind, reader->why);
    bool one_bit = kind == POINT_COIL || kind == POINT_DISCRETE;
    bool read_only = kind == POINT_DISCRETE || kind == POINT_INPUT;
    r = r < 0 ? r : cfg_choice(node, "type", !one_bit, types, &type, reader->why);
    r = r < 0 ? r : cfg_choice(node, "access", !read_only, accesses, &access, reader->why);
    if (r < 0)
        return r;
    point->kind = (enum point_kind)kind;
    point->type = (enum point_type)type;
    point->access = (unsigned)access + 1;
    if (one_bit && type != POINT_BIT)
        return cfg_complain(node, reader->why, "point '%s': a %s is a bit, its type cannot be \"%s\"", point->name,
                            kinds[kind], types[type]);
    if (read_only && point->access & POINT_WRITE)
        return cfg_complain(node, reader->why, "point '%s': a Modbus %s can only be read, access must be \"r\"",
                            point->name, kind == POINT_INPUT ? "input register" : "discrete input");
    return 0;
}

static int read_mask(struct profile_reader *reader, const struct cfg_node *node, struct point *point)
{
    int64_t mask = 0;
    int64_t bit = -1;
    int r = cfg_int(node, "mask", false, 1, 0xFFFF, &mask, reader->why);
    r = r < 0 ? r : cfg_int(node, "bit", false, 0, 15, &bit, reader->why);
    if (r < 0)
        return r;
    if (mask && bit >= 0)
        return cfg_complain(node, reader->why, "point '%s' has both 'mask' and 'bit'; one is enough", point->name);
    if (bit >= 0)
        mask = (int64_t)1 << bit;
    if (!mask)
        return 0;
    bool in_register = point->kind == POINT_HOLDING || point->kind == POINT_INPUT;
    if (!in_register || (point->type != POINT_BIT && point->type != POINT_U16))
        return cfg_complain(node, reader->why, "point '%s': 'mask' and 'bit' go with a register of type bit or u16",
                            point->name);
    int64_t low = mask & -mask;
    int64_t plain = mask / low;
    if (plain & (plain + 1))
        return cfg_complain(node, reader->why, "point '%s': the bits of mask 0x%04x must be neighbours", point->name,
                            (unsigned)mask);
    if (point->type == POINT_BIT && plain != 1)
        return cfg_complain(node, reader->why, "point '%s': a bit has a mask of one bit, not 0x%04x", point->name,
                            (unsigned)mask);
    if (point->access == POINT_WRITE)
        return cfg_complain(node, reader->why,
                            "point '%s': to write some bits of a register it must be readable: access \"rw\"",
                            point->name);
    point->mask = (uint16_t)mask;
    return 0;
}

static int read_place(struct profile_reader *reader, const struct cfg_node *node, struct point *point)
{
    int64_t address = 0;
    int64_t length = 0;
    int r = cfg_int(node, "address", true, 0, 65535, &address, reader->why);
    if (r == 0 && point->type == POINT_TEXT)
        r = cfg_int(node, "length", true, 1, PROFILE_TEXT_REGS_MAX, &length, reader->why);
    if (r < 0)
        return r;
    bool two = point->type == POINT_U32 || point->type == POINT_S32 || point->type == POINT_F32;
    if (two && point->access & POINT_WRITE && reader->profile->max_write < 2)
        return cfg_complain(node, reader->why, "point '%s' has two registers, but bus.max_write is 1", point->name);
    point->address = (uint16_t)address;
    point->n_regs = (uint16_t)(length ? length : two ? 2 : 1);
    if (address + point->n_regs > 65536)
        return cfg_complain(node, reader->why, "point '%s': address %d and %u registers go beyond 65535", point->name,
                            (int)address, point->n_regs);
    point->order = reader->order;
    r = profile_read_order(node, &point->order, reader->why);
    return r < 0 ? r : read_mask(reader, node, point);
}

static int read_text_nature(struct profile_reader *reader, const struct cfg_node *node, struct point *point)
{
    int encoding = 0;
    int pad = PAD_NUL;
    int r = cfg_choice(node, "encoding", true, encodings, &encoding, reader->why);
    r = r < 0 ? r : cfg_choice(node, "pad", false, pads, &pad, reader->why);
    r = r < 0 ? r : cfg_bool(node, "terminated", false, &point->terminated, reader->why);
    point->encoding = (enum text_encoding)encoding;
    point->pad = (enum text_pad)pad;
    return r;
}

static int read_number_nature(struct profile_reader *reader, const struct cfg_node *node, struct point *point)
{
    struct complaint *why = reader->why;
    int r = cfg_real(node, "scale", false, -1e9, 1e9, &point->scale, why);
    r = r < 0 ? r : cfg_real(node, "offset", false, -1e9, 1e9, &point->offset, why);
    r = r < 0 ? r : cfg_real(node, "min", false, -1e12, 1e12, &point->min, why);
    r = r < 0 ? r : cfg_real(node, "max", false, -1e12, 1e12, &point->max, why);
    r = r < 0 ? r : cfg_real(node, "on", false, -1e12, 1e12, &point->on, why);
    r = r < 0 ? r : cfg_real(node, "off", false, -1e12, 1e12, &point->off, why);
    if (r < 0)
        return r;
    if (fabs(point->scale) < 1e-9)
        return cfg_complain(node, why, "point '%s': scale must not be 0", point->name);
    if (point->min > point->max)
        return cfg_complain(node, why, "point '%s': min %g is above max %g", point->name, point->min, point->max);
    if (point->on == point->off)
        return cfg_complain(node, why, "point '%s': 'on' and 'off' are both %g", point->name, point->on);
    if (point->type == POINT_BIT && (point->scale != 1 || point->offset != 0))
        return cfg_complain(node, why, "point '%s': a bit has no scale or offset; use 'on' and 'off'", point->name);
    return 0;
}

static int read_words(struct profile_reader *reader, const struct cfg_node *node, struct point *point)
{
    const struct cfg_node *label = NULL;
    int r = cfg_text(node, "unit", false, 12, &point->unit, reader->why);
    r = r < 0 ? r : cfg_group(node, "label", false, &label, reader->why);
    if (r == 0 && label) {
        r = cfg_text(label, "vi", true, 80, &point->label_vi, reader->why);
        r = r < 0 ? r : cfg_text(label, "en", true, 80, &point->label_en, reader->why);
    }
    return r;
}

static int read_times(struct profile_reader *reader, const struct cfg_node *node, struct point *point)
{
    int64_t poll = point->access & POINT_READ ? reader->poll_ms : 0;
    int64_t settle = 0;
    int64_t within = 1000;
    struct complaint *why = reader->why;
    int r = cfg_int(node, "poll_ms", false, 0, 3600000, &poll, why);
    r = r < 0
            ? r
            : cfg_text(node, "verify", false, PROFILE_NAME_MAX, &reader->verify_names[reader->profile->n_points], why);
    r = r < 0 ? r : cfg_real(node, "tolerance", false, 0, 1e9, &point->tolerance, why);
    r = r < 0 ? r : cfg_int(node, "settle_ms", false, 0, 60000, &settle, why);
    r = r < 0 ? r : cfg_int(node, "within_ms", false, 0, 120000, &within, why);
    if (r < 0)
        return r;
    if (poll && !(point->access & POINT_READ))
        return cfg_complain(node, why, "point '%s' can only be written, so it cannot be polled", point->name);
    if (poll && poll < 50)
        return cfg_complain(node, why, "point '%s': poll_ms is %d, it must be 0 (never) or 50 to 3600000", point->name,
                            (int)poll);
    point->poll_ms = (uint32_t)poll;
    point->settle_ms = (uint32_t)settle;
    point->within_ms = (uint32_t)(within > settle ? within : settle);
    return 0;
}

int profile_read_point(struct profile_reader *reader, const struct cfg_node *node)
{
    struct profile *p = reader->profile;
    struct point *point = &p->points[p->n_points];
    *point = (struct point){.scale = 1, .on = 1, .min = -INFINITY, .max = INFINITY, .unit = "", .verify = -1};
    point->label_vi = point->label_en = point->name;
    int r = read_name(reader, node, point);
    r = r < 0 ? r : read_nature(reader, node, point);
    r = r < 0 ? r : read_place(reader, node, point);
    if (r == 0)
        r = point->type == POINT_TEXT ? read_text_nature(reader, node, point) : read_number_nature(reader, node, point);
    r = r < 0 ? r : read_words(reader, node, point);
    r = r < 0 ? r : read_times(reader, node, point);
    if (r < 0)
        return r;
    reader->nodes[p->n_points++] = node;
    return 0;
}

/* Two points may share registers when nothing that is written to the one can change what the other means: both are
 * only read, their bits differ, or one is only written and the other only read (a register that answers otherwise). */
static bool may_share(const struct point *a, const struct point *b)
{
    if (a->kind != b->kind || a->address + a->n_regs <= b->address || b->address + b->n_regs <= a->address)
        return true;
    if (a->access == POINT_READ && b->access == POINT_READ)
        return true;
    if (a->mask && b->mask && !(a->mask & b->mask))
        return true;
    return (a->access | b->access) == (POINT_READ | POINT_WRITE) && !(a->access & b->access);
}

static int check_verify(struct profile_reader *reader, size_t index)
{
    struct profile *p = reader->profile;
    const char *name = reader->verify_names[index];
    struct point *point = &p->points[index];
    if (!name)
        return 0;
    const struct cfg_node *node = reader->nodes[index];
    int by = profile_find(p, name);
    if (!(point->access & POINT_WRITE))
        return cfg_complain(node, reader->why, "point '%s' is never written, so nothing can prove it", point->name);
    if (by < 0)
        return cfg_complain(node, reader->why, "point '%s' is proved by '%s', and there is no such point", point->name,
                            name);
    if (!(p->points[by].access & POINT_READ))
        return cfg_complain(node, reader->why, "point '%s' is proved by '%s', which cannot be read", point->name, name);
    if ((p->points[by].type == POINT_TEXT) != (point->type == POINT_TEXT))
        return cfg_complain(node, reader->why, "point '%s' is proved by '%s', but only one of them is text",
                            point->name, name);
    point->verify = by;
    return 0;
}

int profile_check_points(struct profile_reader *reader)
{
    const struct profile *p = reader->profile;
    for (size_t i = 0; i < p->n_points; i++) {
        for (size_t j = 0; j < i; j++)
            if (!may_share(&p->points[i], &p->points[j]))
                return cfg_complain(reader->nodes[i], reader->why, "point '%s' lies over '%s' (%s %u)",
                                    p->points[i].name, p->points[j].name, kinds[p->points[i].kind],
                                    p->points[i].address);
        int r = check_verify(reader, i);
        if (r < 0)
            return r;
    }
    return 0;
}
