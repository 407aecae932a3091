/* centre.h - a model centre for one device: keys, documents, blobs, welcomes, and a store of what came up.
 *
 * It keeps to playlists/WIRE.md and answers as the controller does: welcome at each new session, half a second after
 * new records, every ten minutes; documents again when a state says that the device has not got them; commands again
 * until answered, within one session. It believes nothing that the box's key did not seal. What it finds wrong with the
 * device goes into `fault`, for the test to look at. Times are true time (sim_true_ms()). Loop thread. */
#ifndef LOA_CENTRE_H
#define LOA_CENTRE_H

#include "playlists/judge.h"

#include <uv.h>

enum { CENTRE_BULLETINS_MAX = 32, CENTRE_ITEMS_MAX = 2000, CENTRE_COMMANDS_MAX = 32, CENTRE_DOCS = DOC_PLAYLIST + 1 };

/* To the broker. */
typedef void (*centre_publish_fn)(void *arg, const char *topic, const void *payload, size_t len, bool retain);

/* What was stored of one receipt or event. */
struct centre_row {
    bool here;
    struct hash hash; /* of the sealed bytes */
    int64_t came_ms;
    /* receipt */
    char occurrence[80], grade[12], bulletin[72], exempt[40];
    enum air_class class;
    int64_t planned_ms, started_ms, ended_ms;
    enum reason reason;
    bool proven; /* with evidence of sound */
    int64_t frames, frames_expected;
    /* event */
    int64_t at_ms;
    char code[40], about[48], detail[200];
};

enum centre_kind { CENTRE_RECEIPT, CENTRE_EVENT, CENTRE_KINDS };

struct centre_lane {
    struct centre_row *rows; /* by number less one; owned */
    size_t n, cap;           /* highest number seen */
    int64_t upto;            /* all of these are here */
};

struct centre_blob {
    struct hash hash;
    uint8_t *data; /* owned */
    size_t len;
    bool content; /* a sound that may be heard */
};

struct centre_bulletin {
    struct playlist_bulletin ref;
    struct blob_ref approval;
    char *text; /* NULL: none */
    int64_t sound_ms;
};

struct centre_command {
    char id[16], command[16], nonce[64];
    int64_t expires_ms, sent_ms;
    bool answered;
};

/* The newest of one kind. */
struct centre_doc {
    char *sealed; /* owned; NULL: none yet */
    int64_t era, ver, said_ms;
    struct hash hash;
};

struct centre {
    /* To be changed by a test before the document is published anew. */
    struct signer root, registrar, scheduler, approver, box;
    struct signer former; /* an approver of earlier times */
    int former_end;       /* enum key_end */
    int64_t former_end_ms;
    int64_t era;
    struct config config;
    struct playlist_item items[CENTRE_ITEMS_MAX]; /* any order; end_ms 0: as the planner makes it */
    bool gone[CENTRE_ITEMS_MAX];                  /* it was named once, and is not any more */
    size_t n_items;
    bool deaf;       /* the link to the broker is away */
    int64_t life_ms; /* of documents */

    /* To be looked at. */
    char fault[300]; /* first thing that must not be; empty: none */
    char store[64], nonce[64], grade[12], boot[40], on_air[80];
    bool up;
    int64_t state_era, state_ver;
    struct held_version held[CENTRE_DOCS]; /* of the latest state */
    struct hash held_hash[CENTRE_DOCS];
    struct centre_lane lanes[CENTRE_KINDS];
    struct centre_doc docs[CENTRE_DOCS];
    struct centre_command commands[CENTRE_COMMANDS_MAX];
    size_t n_commands;
    struct centre_bulletin bulletins[CENTRE_BULLETINS_MAX];
    size_t n_bulletins;
    struct centre_blob blobs[4 * CENTRE_BULLETINS_MAX];
    size_t n_blobs;
    size_t n_welcomes, n_repeated;

    const char *device;
    uv_timer_t timer;
    centre_publish_fn publish;
    void *arg;
    struct arena *arena;
    struct trust *trust;
    int64_t welcome_at_ms, last_ver;
};

/* With fresh keys; publishes nothing yet. */
struct centre *centre_new(uv_loop_t *loop, const char *device, enum device_kind kind, centre_publish_fn publish,
                          void *arg);
void centre_free(struct centre *centre); /* memory is released once the loop let go */

/* Each publishes a new version. */
void centre_trust(struct centre *centre);
void centre_keys(struct centre *centre);
void centre_config(struct centre *centre);
void centre_playlist(struct centre *centre); /* items that have not ended yet, of the next 30 days */
void centre_again(struct centre *centre);    /* all of them once more, as they are */

/* An approved bulletin in Vietnamese; returns its index. `text` NULL: none; `sound_ms` 0: none. */
size_t centre_bulletin(struct centre *centre, const char *id, const char *text, int64_t sound_ms);
/* The same, approved by another key than that of the approver. */
size_t centre_bulletin_by(struct centre *centre, const struct signer *by, const char *id, const char *text,
                          int64_t sound_ms);
/* The bulletin that was made last was never said: it is not to be put out any more. Its blobs can still be had. */
void centre_take_back(struct centre *centre);
/* One more item, "<rule>.<start in s>", class normal, cut: drop; to be changed by the caller. */
struct playlist_item *centre_item(struct centre *centre, const char *rule, size_t bulletin, int64_t start_ms);
void centre_command(struct centre *centre, const char *id, const char *command, int64_t life_ms);

const struct centre_blob *centre_blob(const struct centre *centre, const char *hash); /* NULL: none */
bool centre_said_text(const struct centre *centre, const char *text);

/* A message from the broker. */
void centre_take(struct centre *centre, const char *topic, const void *payload, size_t len);
/* The session stands or fell on the broker's side. */
void centre_welcome(struct centre *centre); /* now, if a session is known */

const struct centre_row *centre_receipt(const struct centre *centre, const char *occurrence); /* NULL: none */
const struct centre_row *centre_event(const struct centre *centre, const char *code);         /* latest; NULL: none */
/* Seal by the centre's rules; the caller frees. */
char *centre_seal(const struct signer *signer, enum doc_type type, const void *doc);
struct doc_head centre_head(struct centre *centre, const char *aud, int64_t life_ms);
void centre_topic(const struct centre *centre, enum doc_type type, char ret[96]);

#endif
