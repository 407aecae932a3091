/* clock.c - see clock.h. */
#include "playlists/base/clock.h"

#include <fcntl.h>
#include <string.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

static int64_t read_ns(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t clock_wall_ms(void)
{
    return read_ns(CLOCK_REALTIME) / 1000000;
}

int64_t clock_elapsed_ms(void)
{
    return read_ns(CLOCK_BOOTTIME) / 1000000;
}

int64_t clock_elapsed_ns(void)
{
    return read_ns(CLOCK_BOOTTIME);
}

bool clock_kernel_synced(void)
{
    struct timex tx = {.modes = 0};
    int state = adjtimex(&tx);
    return state >= 0 && state != TIME_ERROR && !(tx.status & STA_UNSYNC);
}

void clock_boot_id(char ret_id[37])
{
    strcpy(ret_id, "unknown");
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    char text[36];
    if (read(fd, text, sizeof(text)) == (ssize_t)sizeof(text)) {
        memcpy(ret_id, text, sizeof(text));
        ret_id[36] = '\0';
    }
    close(fd);
}

int64_t clock_build_ms(void)
{
    return (int64_t)LOA_BUILD_UNIX_S * 1000;
}
