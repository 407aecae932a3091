/* fuzz_frame.c - frame_parse() on any bytes: never reads past the end, and what it accepts fits its own bounds. */
#include "playlists/base/bytes.h"
#include "playlists/base/frame.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char name[FRAME_NAME_MAX + 1];
    struct frame frame;
    size_t used = 0;
    while (size > 0) {
        int r = frame_parse(data, size, name, &frame, &used);
        if (r <= 0)
            return 0;
        if (used == 0 || used > size || frame.body_len > FRAME_BODY_MAX || strlen(frame.name) > FRAME_NAME_MAX ||
            frame.body + frame.body_len != data + used || !utf8_valid(frame.name, strlen(frame.name)))
            abort();
        data += used;
        size -= used;
    }
    return 0;
}
