/* log.c - one write per line, so that lines of several threads never mix; repeats are counted. */
#include "playlists/base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { REPEAT_WINDOW_S = 60 };

static const char *program_name = "loa";
static enum log_level highest_level = LOG_LEVEL_INFO;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char last_line[1024];
static time_t last_at;
static unsigned repeats;

void log_setup(const char *program, enum log_level highest)
{
    program_name = program;
    highest_level = highest;
}

static void put(const char *line, size_t len)
{
    ssize_t done = write(STDERR_FILENO, line, len);
    (void)done; /* nowhere left to report that stderr is gone */
}

static void flush_repeats(void)
{
    if (!repeats)
        return;
    char line[128];
    int n = snprintf(line, sizeof(line), "<6>%s: log: the last line came %u more times\n", program_name, repeats);
    repeats = 0;
    if (n > 0)
        put(line, (size_t)n);
}

void log_line(enum log_level level, const char *subsystem, const char *fmt, ...)
{
    if (level > highest_level)
        return;
    char line[1024];
    int n = snprintf(line, sizeof(line), "<%d>%s: %s: ", (int)level, program_name, subsystem);
    va_list ap;
    va_start(ap, fmt);
    int m = vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
    va_end(ap);
    size_t len = (size_t)n + (m > 0 ? (size_t)m : 0);
    if (len > sizeof(line) - 2)
        len = sizeof(line) - 2;
    for (size_t i = (size_t)n; i < len; i++)
        if ((unsigned char)line[i] < ' ')
            line[i] = ' '; /* bytes from outside must not forge lines */
    line[len] = '\n';
    line[len + 1] = '\0';

    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    pthread_mutex_lock(&lock);
    if (strcmp(line, last_line) == 0 && now.tv_sec - last_at < REPEAT_WINDOW_S) {
        repeats++;
    } else {
        flush_repeats();
        memcpy(last_line, line, len + 2);
        last_at = now.tv_sec;
        put(line, len + 1);
    }
    pthread_mutex_unlock(&lock);
}
