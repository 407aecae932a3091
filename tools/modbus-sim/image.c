/* image.c - see image.h. */
#include "tools/modbus-sim/image.h"

#include "playlists/base/bytes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { KINDS = 4, ADDRESSES = 65536, READABLE = 1, WRITABLE = 2 };

struct image {
    const struct profile *profile;
    uint16_t values[KINDS][ADDRESSES];
    uint8_t access[KINDS][ADDRESSES];
};

struct image *image_new(const struct profile *profile)
{
    struct image *image = xcalloc(1, sizeof(*image));
    image->profile = profile;
    for (size_t i = 0; i < profile->n_points; i++) {
        const struct point *point = &profile->points[i];
        for (uint32_t a = point->address; a < (uint32_t)point->address + point->n_regs; a++)
            image->access[point->kind][a] |= (uint8_t)(READABLE | (point->access & POINT_WRITE ? WRITABLE : 0));
    }
    return image;
}

void image_free(struct image *image)
{
    free(image);
}

void image_copy(struct image *to, const struct image *from)
{
    *to = *from;
}

static bool all_have(const struct image *image, enum point_kind kind, uint16_t address, uint16_t count, uint8_t access)
{
    for (uint32_t a = address; a < (uint32_t)address + count; a++)
        if (a >= ADDRESSES || !(image->access[kind][a] & access))
            return false;
    return true;
}

bool image_touches(const struct profile *profile, int index, enum point_kind kind, uint16_t address, uint16_t count)
{
    const struct point *point = &profile->points[index];
    return point->kind == kind && address < point->address + point->n_regs && point->address < address + count;
}

int image_read(const struct image *image, enum point_kind kind, uint16_t address, uint16_t count, uint16_t *ret_values)
{
    if (!all_have(image, kind, address, count, READABLE))
        return EXCEPTION_ADDRESS;
    memcpy(ret_values, &image->values[kind][address], count * sizeof(*ret_values));
    return 0;
}

/* Every number that this range touches must still be one that the device can use. */
static bool all_sound(const struct image *image, enum point_kind kind, uint16_t address, uint16_t count)
{
    const struct profile *p = image->profile;
    for (size_t i = 0; i < p->n_points; i++) {
        const struct point *point = &p->points[i];
        double value;
        if (point->access & POINT_WRITE && point->type != POINT_TEXT &&
            image_touches(p, (int)i, kind, address, count) &&
            profile_decode(point, &image->values[kind][point->address], &value, NULL) < 0)
            return false;
    }
    return true;
}

int image_write(struct image *image, enum point_kind kind, uint16_t address, uint16_t count, const uint16_t *values)
{
    if (!all_have(image, kind, address, count, WRITABLE))
        return EXCEPTION_ADDRESS;
    uint16_t before[128];
    memcpy(before, &image->values[kind][address], count * sizeof(before[0]));
    memcpy(&image->values[kind][address], values, count * sizeof(before[0]));
    if (all_sound(image, kind, address, count))
        return 0;
    memcpy(&image->values[kind][address], before, count * sizeof(before[0]));
    return EXCEPTION_VALUE;
}

double image_get(const struct image *image, int index)
{
    const struct point *point = &image->profile->points[index];
    double value = 0;
    if (profile_decode(point, &image->values[point->kind][point->address], &value, NULL) < 0)
        return 0;
    return value;
}

void image_set(struct image *image, int index, double value)
{
    const struct point *point = &image->profile->points[index];
    uint16_t regs[2] = {0, 0};
    uint16_t *place = &image->values[point->kind][point->address];
    if (profile_encode(point, fmin(fmax(value, point->min), point->max), regs, NULL) < 0)
        return;
    if (point->mask)
        regs[0] = (uint16_t)((place[0] & ~point->mask) | regs[0]);
    memcpy(place, regs, point->n_regs * sizeof(regs[0]));
}

char *image_get_text(const struct image *image, int index)
{
    const struct point *point = &image->profile->points[index];
    struct buf text = {0};
    char *copy = NULL;
    if (profile_decode_text(point, &image->values[point->kind][point->address], &text, NULL) == 0)
        copy = xstrdup(buf_text(&text));
    buf_done(&text);
    return copy ? copy : xstrdup("");
}

void image_set_text(struct image *image, int index, const char *text)
{
    const struct point *point = &image->profile->points[index];
    uint16_t regs[PROFILE_TEXT_REGS_MAX];
    if (profile_encode_text(point, text, regs, NULL) == 0)
        memcpy(&image->values[point->kind][point->address], regs, point->n_regs * sizeof(regs[0]));
}
