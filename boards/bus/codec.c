/* codec.c - registers <-> numbers, see profile.h. Pure. */
#include "boards/bus/profile.h"

#include <math.h>
#include <string.h>

static int mask_shift(uint16_t mask)
{
    return mask ? __builtin_ctz(mask) : 0;
}

static uint16_t swap16(uint16_t v)
{
    return (uint16_t)((v >> 8) | (v << 8));
}

/* Both ways: each order is its own inverse. */
static void reorder(enum point_order order, uint16_t *regs, size_t n)
{
    bool words = order == ORDER_CDAB || order == ORDER_DCBA;
    bool bytes = order == ORDER_BADC || order == ORDER_DCBA;
    if (words && n == 2) {
        uint16_t first = regs[0];
        regs[0] = regs[1];
        regs[1] = first;
    }
    for (size_t i = 0; bytes && i < n; i++)
        regs[i] = swap16(regs[i]);
}

/* Limits are written in decimal and values pass through binary scales: a hair beyond a limit is on it. */
static bool within_limits(const struct point *point, double value)
{
    return value >= point->min - 1e-6 * fmax(1, fabs(point->min)) &&
           value <= point->max + 1e-6 * fmax(1, fabs(point->max));
}

/* The whole numbers that a point's raw value may be. */
static void raw_range(const struct point *point, double *ret_low, double *ret_high)
{
    static const struct {
        double low, high;
    } ranges[] = {[POINT_BIT] = {0, 1},
                  [POINT_U16] = {0, 65535},
                  [POINT_S16] = {-32768, 32767},
                  [POINT_U32] = {0, 4294967295.0},
                  [POINT_S32] = {-2147483648.0, 2147483647.0}};
    *ret_low = ranges[point->type].low;
    *ret_high = point->mask ? (double)(point->mask >> mask_shift(point->mask)) : ranges[point->type].high;
}

static int encode_float(const struct point *point, double raw, uint32_t *ret_bits, struct complaint *why)
{
    float narrow = (float)raw;
    if (!isfinite(narrow))
        return complain(why, ERR_LIMIT, "%s: %g is beyond what a 32-bit float carries", point->name, raw);
    memcpy(ret_bits, &narrow, sizeof(*ret_bits));
    return 0;
}

static int encode_whole(const struct point *point, double value, double raw, uint32_t *ret_bits, struct complaint *why)
{
    double low;
    double high;
    raw_range(point, &low, &high);
    double rounded = nearbyint(raw);
    if (rounded < low || rounded > high)
        return complain(why, ERR_LIMIT, "%s: %g %s is outside what its %s register can carry (%g to %g)", point->name,
                        value, point->unit, point_type_name(point->type), low * point->scale + point->offset,
                        high * point->scale + point->offset);
    *ret_bits = rounded < 0 ? (uint32_t)(int32_t)rounded : (uint32_t)rounded;
    return 0;
}

int profile_encode(const struct point *point, double value, uint16_t *ret_regs, struct complaint *why)
{
    if (point->type == POINT_TEXT)
        return complain(why, ERR_FORMAT, "%s is text, not a number", point->name);
    if (!isfinite(value))
        return complain(why, ERR_LIMIT, "%s: the value is not a number", point->name);
    if (!within_limits(point, value))
        return complain(why, ERR_LIMIT, "%s: %g %s is outside %g to %g", point->name, value, point->unit, point->min,
                        point->max);
    double raw = (value - point->offset) / point->scale;
    uint32_t bits = 0;
    int r =
        point->type == POINT_F32 ? encode_float(point, raw, &bits, why) : encode_whole(point, value, raw, &bits, why);
    if (r < 0)
        return r;
    if (point->n_regs == 2) {
        ret_regs[0] = (uint16_t)(bits >> 16);
        ret_regs[1] = (uint16_t)bits;
    } else {
        ret_regs[0] = (uint16_t)(bits << mask_shift(point->mask));
    }
    if (point->kind == POINT_HOLDING || point->kind == POINT_INPUT)
        reorder(point->mask ? ORDER_ABCD : point->order, ret_regs, point->n_regs);
    return 0;
}

static double raw_of(const struct point *point, const uint16_t *regs)
{
    uint32_t bits = point->n_regs == 2 ? ((uint32_t)regs[0] << 16) | regs[1] : regs[0];
    float narrow;
    switch (point->type) {
    case POINT_F32:
        memcpy(&narrow, &bits, sizeof(narrow));
        return (double)narrow;
    case POINT_S16:
        return (int16_t)(uint16_t)bits;
    case POINT_S32:
        return (int32_t)bits;
    case POINT_BIT:
        return point->mask || point->kind == POINT_COIL || point->kind == POINT_DISCRETE
                   ? (bits & (point->mask ? point->mask : 0xFFFFU)) != 0
                   : bits;
    case POINT_U16:
        return point->mask ? (bits & point->mask) >> mask_shift(point->mask) : bits;
    case POINT_U32:
    case POINT_TEXT:
        break;
    }
    return bits;
}

int profile_decode(const struct point *point, const uint16_t *regs, double *ret_value, struct complaint *why)
{
    if (point->type == POINT_TEXT)
        return complain(why, ERR_FORMAT, "%s is text, not a number", point->name);
    uint16_t ordered[2] = {regs[0], point->n_regs == 2 ? regs[1] : 0};
    if (point->kind == POINT_HOLDING || point->kind == POINT_INPUT)
        reorder(point->mask ? ORDER_ABCD : point->order, ordered, point->n_regs);
    double raw = raw_of(point, ordered);
    if (!isfinite(raw))
        return complain(why, ERR_LIMIT, "%s: the device reports something that is not a number", point->name);
    if (point->type == POINT_BIT && raw > 1)
        return complain(why, ERR_LIMIT, "%s: the register of this bit reads %g, it should be 0 or 1", point->name, raw);
    double value = raw * point->scale + point->offset;
    if (!within_limits(point, value))
        return complain(why, ERR_LIMIT, "%s: the device reports %g %s, which is outside %g to %g", point->name, value,
                        point->unit, point->min, point->max);
    *ret_value = value;
    return 0;
}
