/* errors.c - names of error codes, sentences for people. */
#include "playlists/base/errors.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *err_name(int code)
{
    switch (code) {
    case 0:
        return "ok";
    case ERR_FORMAT:
        return "format";
    case ERR_LIMIT:
        return "limit";
    case ERR_SIGNATURE:
        return "signature";
    case ERR_KEY:
        return "key";
    case ERR_HASH:
        return "hash";
    case ERR_VERSION:
        return "version";
    case ERR_AUDIENCE:
        return "audience";
    case ERR_EXPIRED:
        return "expired";
    case ERR_STORE:
        return "store";
    case ERR_DEVICE:
        return "device";
    case ERR_STATE:
        return "state";
    default:
        return code < 0 && code > -10000 ? strerror(-code) : "unknown";
    }
}

/* A cut sentence must stay UTF-8: step back over continuation bytes and a lead byte that lost its tail. */
static void trim_utf8(char *text, size_t cap, int wanted)
{
    if (wanted < 0 || (size_t)wanted < cap)
        return;
    size_t len = strlen(text);
    while (len > 0 && ((unsigned char)text[len - 1] & 0xC0) == 0x80)
        len--;
    if (len > 0 && ((unsigned char)text[len - 1] & 0x80))
        len--;
    text[len] = '\0';
}

int complain(struct complaint *why, int code, const char *fmt, ...)
{
    if (!why)
        return code;
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(why->text, sizeof(why->text), fmt, ap);
    va_end(ap);
    trim_utf8(why->text, sizeof(why->text), n);
    return code;
}

void complain_prefix(struct complaint *why, const char *fmt, ...)
{
    if (!why)
        return;
    char old[sizeof(why->text)];
    memcpy(old, why->text, sizeof(old));
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(why->text, sizeof(why->text), fmt, ap);
    va_end(ap);
    size_t used = strlen(why->text);
    int m = snprintf(why->text + used, sizeof(why->text) - used, ": %s", old);
    trim_utf8(why->text, sizeof(why->text), n + m);
}
