/* preview.h - a device's day ahead of time: its rules, with drafts in the place of some, compiled as its playlist is,
 * and run through the arbiter that decides at the device (playlists/simulate.h). Reads the store, changes nothing. */
#ifndef LOA_PREVIEW_H
#define LOA_PREVIEW_H

#include "controller/settings.h"

#include <jansson.h>
#include <stdint.h>

struct preview {
    const char *device;
    int64_t day;           /* days since 1970, in the device's zone; PREVIEW_TODAY: the present one */
    const json_t *drafts;  /* list of {id, body}: canonical bodies of rules; NULL: none */
    const json_t *without; /* ids of rules that are left out; NULL: none */
    int64_t now_ms;
};
#define PREVIEW_TODAY INT64_MIN

/* What GET /preview answers with; NULL: the store cannot be read, or the device is not there. New reference. Any
 * thread: it opens a reader of its own. */
json_t *preview_make(const struct settings *settings, const struct preview *wanted);

#endif
