/* Any bytes as a profile: read or refused with file:line; what is read also encodes, decodes and lays out. */
#include "boards/bus/profile.h"
#include "boards/bus/sign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libconfig 1.5 itself leaks a string that is not closed before the file ends. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libconfig";
}

static void use_point(const struct point *point, const uint8_t *data, size_t size)
{
    uint16_t regs[PROFILE_TEXT_REGS_MAX] = {0};
    double value = 0;
    memcpy(regs, data, size < sizeof(regs) ? size : sizeof(regs));
    if (point->type == POINT_TEXT) {
        struct buf text = {0};
        if (profile_decode_text(point, regs, &text, NULL) == 0)
            (void)!profile_encode_text(point, buf_text(&text), regs, NULL);
        buf_done(&text);
    } else if (profile_decode(point, regs, &value, NULL) == 0 && profile_encode(point, value, regs, NULL) < 0) {
        abort(); /* what was read within the limits can be written */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = memfd_create("profile", 0);
    char path[40];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    struct profile *profile = NULL;
    struct complaint why = {0};
    if (write(fd, data, size) == (ssize_t)size && profile_open(path, &profile, &why) == 0) {
        for (size_t i = 0; i < profile->n_points; i++)
            use_point(&profile->points[i], data, size);
        char text[SIGN_TEXT_MAX];
        bool cut;
        if (profile->kind == PROFILE_SIGN)
            (void)!sign_layout(profile, "Thông báo: đường ngập 边境通知 một hai ba", text, &cut, NULL);
    } else if (strncmp(why.text, path, strlen(path)) != 0) {
        abort(); /* refused without saying where */
    }
    profile_free(profile);
    close(fd);
    return 0;
}
