/* image.h - what a folder would hold after a power cut: what was synced, kept apart from what was only written.
 *
 * The model is the strict reading of POSIX: the bytes of a file are safe once an fsync or fdatasync of that file has
 * returned, the names in a folder once an fsync of that folder has. What was there when the image was made is safe.
 * Three ways to lose the rest: all of it (IMAGE_STRICT); only bytes, while names are kept at once, as file systems do
 * that write their journal first (IMAGE_EAGER); or by chance, folder by folder and block by block (IMAGE_TORN). */
#ifndef LOA_CRASH_IMAGE_H
#define LOA_CRASH_IMAGE_H

#include "calls.h"

enum image_form { IMAGE_STRICT, IMAGE_EAGER, IMAGE_TORN };
extern const char *const image_form_names[]; /* ends with NULL */

struct image;

/* Begin with what lies below `dir` now. NULL: it cannot be read. */
struct image *image_new(const char *dir);
void image_free(struct image *image);

/* Around each call: before it is made, and after it returned `result`. One of a thread at a time; `note` keeps what
 * must be known of it in between, and image_leave() frees it. */
struct image_note;
struct image_note *image_enter(struct image *image, pid_t tid, const struct call *call);
void image_leave(struct image *image, struct image_note *note, int64_t result);

/* Write what is left into the new folder `to`. False, and errno: it cannot be written. */
bool image_write(struct image *image, const char *to, enum image_form form, uint64_t seed);

#endif
