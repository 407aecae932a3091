/* fuzz_sound.c - any bytes as a media file: an error with a sentence or bounded sound, never more.
 *
 * The first two bytes choose the rate asked for, the offset and the expected length. */
#include "firmware/media.h"
#include "firmware/player.h"

#undef NDEBUG /* the asserts are the test */
#include <assert.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

enum { READ_MAX = 400 };

static void read_all(struct media *media, struct complaint *why)
{
    static float block[4096];
    for (int i = 0; i < READ_MAX; i++) {
        int n = media_read(media, block, 4096, why);
        if (n <= 0) {
            assert(n == 0 || why->text[0] != '\0');
            return;
        }
        assert(n <= 4096);
        for (int k = 0; k < n; k++) {
            assert(block[k] > -100.0f && block[k] < 100.0f);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data + 2, size - 2) != (ssize_t)(size - 2)) {
        (void)close(fd);
        return 0;
    }
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    struct complaint why = {.text = ""};
    struct media *media = NULL;
    uint32_t rate_hz = data[0] % 2 == 0 ? 48000 : 44100;
    uint64_t offset = data[0] % 3 == 0 ? data[1] : 0;
    uint64_t expected = data[0] % 5 == 0 ? (uint64_t)data[1] * 16 : 0;
    if (media_open(path, rate_hz, offset, expected, &media, &why) == 0) {
        read_all(media, &why);
        media_close(media);
    } else {
        assert(why.text[0] != '\0');
    }
    (void)close(fd);
    return 0;
}
