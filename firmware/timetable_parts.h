/* timetable_parts.h - inside of the timetable, shared by timetable.c (the playlist as items), timetable_judge.c (what
 * may go on air) and timetable_carry.c (what need not be judged again). */
#ifndef LOA_TIMETABLE_PARTS_H
#define LOA_TIMETABLE_PARTS_H

#include "firmware/timetable.h"

struct media {
    struct hash hash;
    int64_t size;
};

/* What is known of one bulletin of the playlist. */
struct entry {
    uint64_t key; /* of its hash */
    bool dirty;
    bool here;              /* its document is in the vault and decodes */
    bool approvals_missing; /* one of them is not here yet */
    struct arena *said;     /* owns what its approvals say, opened under the authority in force; NULL: they are not */
    struct opened_approval *approvals;
    size_t n_approvals;
    const char *refused; /* sentences of those that do not hold */
    bool unusable;       /* it is here and will never do */
    struct media *media; /* sounds that this device plays; owned */
    size_t n_media;
    struct bulletin_use use;
    char *detail;         /* owned */
    int64_t due_ms;       /* first start of an item that has not ended; INT64_MAX */
    const char *due_item; /* its id */
};

/* Beside each air item. */
struct row {
    size_t item;         /* into the playlist */
    enum reason verdict; /* before the sound is looked at */
    char *detail;        /* owned */
    uint32_t media;      /* those of its bulletin's sounds that it plays: bit mask */
    int64_t unsure_ms;   /* elapsed time since when a check of one is awaited; 0: none is */
};

struct timetable {
    struct blobs *blobs;
    const struct site *site;
    timetable_refused_fn refused;
    void *arg;
    const struct playlist *playlist;
    const struct config *config;
    const struct authority *authority;
    struct entry *entries; /* by the playlist's bulletins */
    size_t n_entries;
    uint64_t *keys; /* by the playlist's items */
    struct air_item *items;
    uint64_t *bulletins;
    struct row *rows;
    size_t n;
};

/* Take over from `old` what is known of the same bulletins and items under the same authority and configuration. What
 * is taken over is `old`'s no more. */
void timetable_carry(struct timetable *old, struct timetable *timetable);

/* What its approvals say is to be read and verified again. */
void timetable_doubt(struct entry *entry);
/* Read and decode one bulletin. ERR_FORMAT with a sentence: it will never do. */
MUST_USE int timetable_read(struct timetable *timetable, size_t e, struct arena *arena, struct bulletin **ret,
                            struct complaint *why);
/* The bulletin as this item puts it out. */
void timetable_arrange(const struct timetable *timetable, const struct bulletin *bulletin,
                       const struct playlist_item *item, struct programme *ret);

#endif
