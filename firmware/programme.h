/* programme.h - one bulletin as this device puts it out: sounds one after the other, pages beside them. Pure.
 *
 * Each language's text is shown while its sound plays. A text without a sound of its own shares the time of the sound
 * before it (or of the first). Time beyond the sounds, and all the time where there is none, is shared equally by all
 * texts, in turn. The length is the longer of sound and show time, as the planner counts it. */
#ifndef LOA_PROGRAMME_H
#define LOA_PROGRAMME_H

#include "playlists/documents.h"

enum { PROGRAMME_SOUNDS_MAX = 16, PROGRAMME_PAGES_MAX = 48, PROGRAMME_SHOW_MS = 60000 };

struct programme_sound {
    size_t content; /* index into the bulletin's contents */
    int64_t frames; /* at 48 kHz */
};

struct programme_page {
    size_t content;
    int64_t from_ms; /* since the beginning */
    int64_t to_ms;
};

struct programme {
    struct programme_sound sounds[PROGRAMME_SOUNDS_MAX];
    size_t n_sounds;
    struct programme_page pages[PROGRAMME_PAGES_MAX]; /* by time, without gaps */
    size_t n_pages;
    int64_t sound_ms, length_ms;
};

void programme_make(const struct bulletin *bulletin, const struct texts *languages, enum device_kind kind,
                    int64_t show_ms, struct programme *ret);

#endif
