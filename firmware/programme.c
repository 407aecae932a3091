/* programme.c - see programme.h. */
#include "firmware/programme.h"

#include <string.h>

enum { PICKS_MAX = 16 };

struct picks {
    size_t at[PICKS_MAX];
    size_t n;
};

static void add_page(struct programme *programme, size_t content, int64_t from_ms, int64_t to_ms)
{
    if (programme->n_pages == PROGRAMME_PAGES_MAX || to_ms <= from_ms)
        return;
    programme->pages[programme->n_pages++] =
        (struct programme_page){.content = content, .from_ms = from_ms, .to_ms = to_ms};
}

/* Share [from, to) equally among the texts of picks[first..last). */
static void share(struct programme *programme, const struct bulletin *bulletin, const struct picks *picks, size_t first,
                  size_t last, int64_t from_ms, int64_t to_ms)
{
    int64_t n = 0, i = 0;
    for (size_t p = first; p < last; p++)
        n += bulletin->contents[picks->at[p]].text != NULL;
    for (size_t p = first; p < last; p++) {
        if (!bulletin->contents[picks->at[p]].text)
            continue;
        int64_t span = to_ms - from_ms;
        add_page(programme, picks->at[p], from_ms + span * i / n, from_ms + span * (i + 1) / n);
        i++;
    }
}

static int64_t frames_ms(int64_t frames)
{
    return (frames * 1000 + DOC_RATE_HZ - 1) / DOC_RATE_HZ;
}

static bool has_sound(const struct bulletin *bulletin, const struct picks *picks, size_t pick)
{
    return bulletin->contents[picks->at[pick]].audio != NULL;
}

/* Sounds in turn, and beside each the texts that belong to it. */
static void make_sounds(const struct bulletin *bulletin, const struct picks *picks, bool text, struct programme *ret)
{
    int64_t frames = 0;
    size_t first = 0; /* pick with which the texts beside this sound begin */
    for (size_t p = 0; p < picks->n; p++) {
        if (!has_sound(bulletin, picks, p) || ret->n_sounds == PROGRAMME_SOUNDS_MAX)
            continue;
        int64_t more = bulletin->contents[picks->at[p]].audio->frames;
        ret->sounds[ret->n_sounds++] = (struct programme_sound){.content = picks->at[p], .frames = more};
        size_t next = p + 1;
        while (next < picks->n && !has_sound(bulletin, picks, next))
            next++;
        if (text)
            share(ret, bulletin, picks, first, next, frames_ms(frames), frames_ms(frames + more));
        first = next;
        frames += more;
    }
    ret->sound_ms = frames_ms(frames);
}

void programme_make(const struct bulletin *bulletin, const struct texts *languages, enum device_kind kind,
                    int64_t show_ms, struct programme *ret)
{
    struct picks picks;
    picks.n = bulletin_pick(bulletin, languages, picks.at, PICKS_MAX);
    struct bulletin_use use = bulletin_use(bulletin, languages, kind);
    memset(ret, 0, sizeof(*ret));
    if (use.sound)
        make_sounds(bulletin, &picks, use.text, ret);
    if (show_ms == 0 && ret->sound_ms == 0)
        show_ms = PROGRAMME_SHOW_MS;
    ret->length_ms = ret->sound_ms;
    if (use.text && show_ms > ret->sound_ms) {
        ret->length_ms = show_ms;
        share(ret, bulletin, &picks, 0, picks.n, ret->sound_ms, ret->length_ms);
    }
}
