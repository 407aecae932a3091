/* image.h - the registers of a simulated device: which addresses exist, what they hold. Loop thread. */
#ifndef LOA_SIM_IMAGE_H
#define LOA_SIM_IMAGE_H

#include "boards/bus/profile.h"

struct image;

/* Modbus exception codes (Application Protocol V1.1b3, chapter 7). */
enum { EXCEPTION_FUNCTION = 1, EXCEPTION_ADDRESS = 2, EXCEPTION_VALUE = 3, EXCEPTION_NO_TARGET = 11 };

struct image *image_new(const struct profile *profile); /* borrows the profile */
void image_free(struct image *image);
void image_copy(struct image *to, const struct image *from);

/* Both: 0 or a Modbus exception code. A read may span addresses of several points, not a hole. A write is taken whole
 * or not at all: every address must belong to a writable point and hold a value inside its limits. */
int image_read(const struct image *image, enum point_kind kind, uint16_t address, uint16_t count, uint16_t *ret_values);
int image_write(struct image *image, enum point_kind kind, uint16_t address, uint16_t count, const uint16_t *values);

/* The device's own view of its points. Setting clamps to what the point can carry. */
double image_get(const struct image *image, int index); /* 0 when it holds nonsense */
void image_set(struct image *image, int index, double value);
char *image_get_text(const struct image *image, int index); /* heap; "" when it holds nonsense */
void image_set_text(struct image *image, int index, const char *text);
bool image_touches(const struct profile *profile, int index, enum point_kind kind, uint16_t address, uint16_t count);

#endif
