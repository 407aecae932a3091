/* fleet_own.h - what the files of fleet share; for nobody else. Loop thread only. */
#ifndef LOA_FLEET_OWN_H
#define LOA_FLEET_OWN_H

#include "controller/fleet.h"
#include "controller/guests.h"
#include "playlists/base/post.h"
#include "playlists/documents.h"

enum {
    GATHER_MS = 25,        /* what devices say is committed together this often */
    WELCOMES_MAX = 24,     /* with the link at a time; what is urgent finds room beside them */
    NEWS_MAX = 4096,       /* that wait for a commit; more are not told to the stream, which readers catch up on */
    EVENT_EVERY_MS = 60000 /* an event of one kind about a device at most this often */
};

struct fleet {
    struct controller *c;
    struct post *post;
    struct survey *survey;
    struct guests *guests;
    bool online, ended;
    char why[200];
    uv_timer_t tick, gather, welcomes;
    int open_handles;
    uint32_t next_id;
    json_t *news; /* [kind, device, store, n]: told once they are committed */
    int64_t pumped_at_ms;
    bool cut; /* welcomes are due that the last turn had no time for */
    int64_t spread_s,
        counted_at_ms;           /* window over which devices come back; elapsed, when they were counted (0: never) */
    int64_t last_ver, noted_ver; /* of welcomes and commands; none at or above the noted one was used */
    struct {
        uint32_t id; /* 0: free */
        struct guest *guest;
    } welcoming[WELCOMES_MAX];
};

/* Id of a publish that is not the publisher's. */
uint32_t fleet_own_id(struct fleet *f);
/* True when an event of this kind may be told again. */
bool fleet_event_due(int64_t *last_ms, int64_t every_ms);
/* Tell readers of the stream once it is committed. `store` and `n` name a record; NULL and 0: none. */
void fleet_news(struct fleet *f, const char *kind, const char *device, const char *store, int64_t n);
/* Head of something to the device: versions of one device only rise, over restarts too. */
struct doc_head fleet_head(struct fleet *f, const char *device, int64_t life_s, char aud[64]);

/* fleet_welcome.c. The first cause sets the moment, later ones ride along. */
void welcome_in(struct fleet *f, struct guest *guest, int64_t in_ms);
void welcome_pump(struct fleet *f);
void welcome_answered(struct fleet *f, uint32_t id, bool acked);
void welcome_offline(struct fleet *f);

/* fleet_reports.c: a document that the device's box sealed, with the hash of its sealed bytes. `again`: the broker had
 * kept it. */
void report_take(struct fleet *f, struct guest *guest, enum doc_type type, const void *doc, const char *kid,
                 const char *hash, bool again);
const char *report_device(enum doc_type type, const void *doc);

/* fleet_commands.c */
void commands_expire(struct fleet *f, int64_t now_ms);

#endif
