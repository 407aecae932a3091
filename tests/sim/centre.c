/* centre.c - see centre.h: what the model centre says. What it hears is in centre_ear.c. */
#include "tests/sim/centre_parts.h"

#include "playlists/documents.h"
#include "tests/sim/simclock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AGAIN_MS = 10000, WELCOME_EVERY_MS = 600000, WELCOME_LIFE_MS = 1200000, COMMAND_AGAIN_MS = 5000, TICK_MS = 100 };
enum { FRAMES_PER_MS = 48, LIFE_DAYS = 400, SHOW_MS = 60000, END_MARGIN_MS = 2000 };
#define DAY_MS INT64_C(86400000)

static const char *area[] = {"a001"}, *languages[] = {"vi"}, *roles[] = {"approver"};

char *centre_seal(const struct signer *signer, enum doc_type type, const void *doc)
{
    char *sealed = NULL;
    struct complaint why = {0};
    if (seal_doc(signer, type, doc, true, &sealed, &why) < 0) {
        fprintf(stderr, "the model centre cannot seal a %s: %s\n", doc_word(type), why.text);
        abort();
    }
    return sealed;
}

struct doc_head centre_head(struct centre *centre, const char *aud, int64_t life_ms)
{
    int64_t now_ms = sim_true_ms();
    centre->last_ver = now_ms > centre->last_ver ? now_ms : centre->last_ver + 1;
    return (struct doc_head){.aud = aud,
                             .era = centre->era,
                             .ver = centre->last_ver,
                             .iat_s = now_ms / 1000,
                             .exp_s = (now_ms + life_ms) / 1000};
}

static const char *device_aud(const struct centre *centre)
{
    static char aud[64];
    snprintf(aud, sizeof(aud), "dev/%s", centre->device);
    return aud;
}

void centre_topic(const struct centre *centre, enum doc_type type, char ret[96])
{
    if (type == DOC_TRUST || type == DOC_KEYS)
        snprintf(ret, 96, "loa/1/%s", doc_word(type));
    else
        snprintf(ret, 96, "loa/1/dev/%s/%s", centre->device, type == DOC_COMMAND ? "cmd" : doc_word(type));
}

static void say(struct centre *centre, enum doc_type type, const char *sealed, bool retain)
{
    char topic[96];
    centre_topic(centre, type, topic);
    if (!centre->deaf)
        centre->publish(centre->arg, topic, sealed, strlen(sealed), retain);
}

static void publish_doc(struct centre *centre, enum doc_type type, const struct signer *signer, const void *doc)
{
    const struct doc_head *head = doc;
    struct centre_doc *at = &centre->docs[type];
    free(at->sealed);
    at->sealed = centre_seal(signer, type, doc);
    at->era = head->era;
    at->ver = head->ver;
    at->hash = hash_of(at->sealed, strlen(at->sealed));
    at->said_ms = sim_true_ms();
    say(centre, type, at->sealed, true);
}

void centre_again(struct centre *centre)
{
    for (enum doc_type type = DOC_TRUST; type <= DOC_PLAYLIST; type++)
        if (centre->docs[type].sealed)
            say(centre, type, centre->docs[type].sealed, true);
}

/* --- documents --- */

void centre_trust(struct centre *centre)
{
    struct trust *trust = arena_alloc(centre->arena, sizeof(*trust));
    struct public_key *keys = arena_alloc(centre->arena, 2 * sizeof(*keys));
    keys[0] = (struct public_key){.kid = keep(centre, centre->registrar.kid), .x = keep(centre, centre->registrar.x)};
    keys[1] = (struct public_key){.kid = keep(centre, centre->scheduler.kid), .x = keep(centre, centre->scheduler.x)};
    *trust = (struct trust){.head = centre_head(centre, "all", centre->life_ms),
                            .registrars = &keys[0],
                            .n_registrars = 1,
                            .schedulers = &keys[1],
                            .n_schedulers = 1};
    centre->trust = trust;
    publish_doc(centre, DOC_TRUST, &centre->root, trust);
}

void centre_keys(struct centre *centre)
{
    struct person_key person = {.kid = centre->approver.kid,
                                .x = centre->approver.x,
                                .person = "lan",
                                .roles = {roles, 1},
                                .areas = {area, 1},
                                .class = CLASS_PRIORITY};
    struct person_key former = person;
    former.kid = centre->former.kid;
    former.x = centre->former.x;
    former.person = "hung";
    former.ended = centre->former_end;
    former.ended_ms = centre->former_end_ms;
    struct person_key persons[] = {person, former};
    struct keys keys = {.head = centre_head(centre, "all", centre->life_ms), .persons = persons, .n_persons = 2};
    publish_doc(centre, DOC_KEYS, &centre->registrar, &keys);
}

void centre_config(struct centre *centre)
{
    centre->config.head = centre_head(centre, device_aud(centre), centre->life_ms);
    publish_doc(centre, DOC_CONFIG, &centre->scheduler, &centre->config);
}

static int by_start(const void *a, const void *b)
{
    const struct playlist_item *x = a, *y = b;
    if (x->start_ms != y->start_ms)
        return x->start_ms < y->start_ms ? -1 : 1;
    return strcmp(x->id, y->id);
}

/* As the planner makes it: after the longer of sound and show time, begun at the last moment. */
static int64_t end_of(const struct centre *centre, const struct playlist_item *item)
{
    int64_t sound_ms = centre->bulletins[item->bulletin].sound_ms;
    int64_t show_ms = item->show_ms || sound_ms ? item->show_ms : SHOW_MS;
    return item->start_ms + item->late_ms + (show_ms > sound_ms ? show_ms : sound_ms) + END_MARGIN_MS;
}

void centre_playlist(struct centre *centre)
{
    int64_t now_ms = sim_true_ms();
    struct playlist_bulletin bulletins[CENTRE_BULLETINS_MAX];
    struct playlist_item *items = xcalloc(centre->n_items + 1, sizeof(*items));
    struct playlist playlist = {.head = centre_head(centre, device_aud(centre), centre->life_ms),
                                .config_ver = centre->docs[DOC_CONFIG].ver,
                                .from_ms = now_ms,
                                .until_ms = now_ms + 30 * DAY_MS,
                                .bulletins = bulletins,
                                .n_bulletins = centre->n_bulletins,
                                .items = items};
    for (size_t i = 0; i < centre->n_bulletins; i++)
        bulletins[i] = centre->bulletins[i].ref;
    for (size_t i = 0; i < centre->n_items; i++) {
        struct playlist_item item = centre->items[i];
        if (item.end_ms == 0)
            item.end_ms = end_of(centre, &item);
        if (!centre->gone[i] && item.end_ms > now_ms && item.start_ms < playlist.until_ms)
            items[playlist.n_items++] = item;
    }
    qsort(items, playlist.n_items, sizeof(*items), by_start);
    publish_doc(centre, DOC_PLAYLIST, &centre->scheduler, &playlist);
    free(items);
}

/* --- bulletins --- */

static struct blob_ref add_blob(struct centre *centre, const void *data, size_t len, bool content)
{
    struct centre_blob *blob = &centre->blobs[centre->n_blobs++];
    blob->hash = hash_of(data, len);
    blob->data = xcalloc(1, len);
    memcpy(blob->data, data, len);
    blob->len = len;
    blob->content = content;
    return (struct blob_ref){.hash = blob->hash.hex, .size = (int64_t)len};
}

static struct blob_ref add_bulletin(struct centre *centre, const char *id, const char *text, int64_t sound_ms)
{
    char sound[4000];
    struct media_ref audio = {.frames = sound_ms * FRAMES_PER_MS};
    struct bulletin_content content = {.lang = "vi", .text = text, .audio = sound_ms ? &audio : NULL};
    struct bulletin bulletin = {.id = id,
                                .revision = 1,
                                .title = id,
                                .category = "y tế",
                                .answerable = "Mai",
                                .unit = area[0],
                                .class = CLASS_PRIORITY,
                                .contents = &content,
                                .n_contents = 1};
    if (sound_ms) { /* outputs of a perfect box do not decode it */
        int n = snprintf(sound, sizeof(sound), "sound of %s, %lld ms. ", id, (long long)sound_ms);
        memset(sound + n, 'o', sizeof(sound) - (size_t)n);
        struct blob_ref ref = add_blob(centre, sound, sizeof(sound), true);
        audio.hash = ref.hash;
        audio.size = ref.size;
    }
    struct buf bytes = {0};
    struct complaint why = {0};
    if (bulletin_encode(&bulletin, &bytes, &why) < 0) {
        fprintf(stderr, "the model centre cannot write a bulletin: %s\n", why.text);
        abort();
    }
    struct blob_ref ref = add_blob(centre, bytes.data, bytes.len, false);
    buf_done(&bytes);
    return ref;
}

size_t centre_bulletin_by(struct centre *centre, const struct signer *by, const char *id, const char *text,
                          int64_t sound_ms)
{
    struct centre_bulletin *at = &centre->bulletins[centre->n_bulletins];
    struct blob_ref ref = add_bulletin(centre, id, text, sound_ms);
    int64_t now_ms = sim_true_ms();
    struct approval approval = {.head = centre_head(centre, "all", 400 * DAY_MS),
                                .bulletin = ref.hash,
                                .areas = {area, 1},
                                .class = CLASS_PRIORITY,
                                .from_ms = now_ms - 30 * DAY_MS,
                                .until_ms = now_ms + 400 * DAY_MS};
    char *sealed = centre_seal(by, DOC_APPROVAL, &approval);
    at->approval = add_blob(centre, sealed, strlen(sealed), false);
    free(sealed);
    at->ref =
        (struct playlist_bulletin){.hash = ref.hash, .size = ref.size, .approvals = &at->approval, .n_approvals = 1};
    at->text = text ? xstrdup(text) : NULL;
    at->sound_ms = sound_ms;
    return centre->n_bulletins++;
}

size_t centre_bulletin(struct centre *centre, const char *id, const char *text, int64_t sound_ms)
{
    return centre_bulletin_by(centre, &centre->approver, id, text, sound_ms);
}

void centre_take_back(struct centre *centre)
{
    struct centre_bulletin *at = &centre->bulletins[--centre->n_bulletins];
    free(at->text);
    at->text = NULL;
    for (size_t i = centre->n_blobs; i-- > 0 && i + 3 >= centre->n_blobs;) /* sound, bulletin, approval */
        centre->blobs[i].content = false;
    while (centre->n_items > 0 && (size_t)centre->items[centre->n_items - 1].bulletin == centre->n_bulletins)
        centre->n_items--;
}

struct playlist_item *centre_item(struct centre *centre, const char *rule, size_t bulletin, int64_t start_ms)
{
    char id[64];
    if (centre->n_items == CENTRE_ITEMS_MAX)
        abort();
    struct playlist_item *item = &centre->items[centre->n_items++];
    snprintf(id, sizeof(id), "%s.%lld", rule, (long long)(start_ms / 1000));
    *item = (struct playlist_item){.id = keep(centre, id),
                                   .bulletin = (int64_t)bulletin,
                                   .start_ms = start_ms,
                                   .class = CLASS_NORMAL,
                                   .policy = CUT_DROP,
                                   .late_ms = 60000};
    return item;
}

const struct centre_blob *centre_blob(const struct centre *centre, const char *hash)
{
    for (size_t i = 0; i < centre->n_blobs; i++)
        if (strcmp(centre->blobs[i].hash.hex, hash) == 0)
            return &centre->blobs[i];
    return NULL;
}

bool centre_said_text(const struct centre *centre, const char *text)
{
    for (size_t i = 0; i < centre->n_bulletins; i++)
        if (centre->bulletins[i].text && strcmp(centre->bulletins[i].text, text) == 0)
            return true;
    return false;
}

/* --- welcomes and commands --- */

void centre_welcome(struct centre *centre)
{
    static const char *const kinds[] = {"receipt", "event"};
    struct doc_floor floors[CENTRE_DOCS];
    struct stored_mark marks[CENTRE_KINDS];
    centre->welcome_at_ms = sim_true_ms() + WELCOME_EVERY_MS;
    if (!centre->up)
        return;
    struct welcome welcome = {.head = centre_head(centre, device_aud(centre), WELCOME_LIFE_MS),
                              .nonce = centre->nonce,
                              .time_ms = sim_true_ms(),
                              .floors = floors,
                              .stored = marks,
                              .epoch = 1};
    for (enum doc_type type = DOC_TRUST; type <= DOC_PLAYLIST; type++)
        if (centre->docs[type].sealed)
            floors[welcome.n_floors++] =
                (struct doc_floor){.doc = doc_word(type), .era = centre->docs[type].era, .ver = centre->docs[type].ver};
    for (int kind = 0; kind < CENTRE_KINDS; kind++) {
        const struct centre_lane *lane = &centre->lanes[kind];
        marks[welcome.n_stored++] =
            (struct stored_mark){.kind = kinds[kind],
                                 .store = centre->store,
                                 .upto = lane->upto,
                                 .hash = lane->upto ? lane->rows[lane->upto - 1].hash.hex : NULL};
    }
    char *sealed = centre_seal(&centre->scheduler, DOC_WELCOME, &welcome);
    say(centre, DOC_WELCOME, sealed, false);
    free(sealed);
    centre->n_welcomes++;
}

void centre_command(struct centre *centre, const char *id, const char *command, int64_t life_ms)
{
    if (centre->n_commands == CENTRE_COMMANDS_MAX)
        abort();
    struct centre_command *at = &centre->commands[centre->n_commands++];
    *at = (struct centre_command){.expires_ms = sim_true_ms() + life_ms};
    snprintf(at->id, sizeof(at->id), "%s", id);
    snprintf(at->command, sizeof(at->command), "%s", command);
}

/* Again until answered; only in the session in which it was first sent. */
static void say_commands(struct centre *centre, int64_t now_ms)
{
    for (size_t i = 0; i < centre->n_commands; i++) {
        struct centre_command *at = &centre->commands[i];
        bool other = at->nonce[0] && strcmp(at->nonce, centre->nonce) != 0;
        if (at->answered || other || now_ms >= at->expires_ms || now_ms - at->sent_ms < COMMAND_AGAIN_MS)
            continue;
        at->sent_ms = now_ms;
        snprintf(at->nonce, sizeof(at->nonce), "%s", centre->nonce);
        struct command command = {.head = centre_head(centre, device_aud(centre), at->expires_ms - now_ms + 1000),
                                  .nonce = at->nonce,
                                  .id = at->id,
                                  .command = at->command};
        char *sealed = centre_seal(&centre->scheduler, DOC_COMMAND, &command);
        say(centre, DOC_COMMAND, sealed, false);
        free(sealed);
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct centre *centre = timer->data;
    int64_t now_ms = sim_true_ms();
    if (centre->up && !centre->deaf)
        say_commands(centre, now_ms);
    if (now_ms >= centre->welcome_at_ms)
        centre_welcome(centre);
    centre_look(centre);
}

/* The timer runs only to the moment at which something is due. */
void centre_look(struct centre *centre)
{
    int64_t now_ms = sim_true_ms(), wait_ms = centre->welcome_at_ms - now_ms;
    bool commands = false;
    for (size_t i = 0; i < centre->n_commands; i++)
        commands = commands || (!centre->commands[i].answered && now_ms < centre->commands[i].expires_ms);
    if (commands && wait_ms > TICK_MS)
        wait_ms = TICK_MS;
    uv_timer_start(&centre->timer, on_tick, wait_ms > 0 ? (uint64_t)wait_ms : 1, 0);
}

/* What the device has not got is said again, unless that was done just now. */
void centre_fill_gaps(struct centre *centre)
{
    int64_t now_ms = sim_true_ms();
    for (enum doc_type type = DOC_TRUST; type <= DOC_PLAYLIST; type++) {
        struct centre_doc *doc = &centre->docs[type];
        if (!doc->sealed || now_ms - doc->said_ms < AGAIN_MS ||
            doc_version_cmp(centre->held[type].era, centre->held[type].ver, doc->era, doc->ver) >= 0)
            continue;
        doc->said_ms = now_ms;
        say(centre, type, doc->sealed, true);
    }
}

/* --- made and ended --- */

struct centre *centre_new(uv_loop_t *loop, const char *device, enum device_kind kind, centre_publish_fn publish,
                          void *arg)
{
    struct centre *centre = xcalloc(1, sizeof(*centre));
    struct signer *const keys[] = {&centre->root,     &centre->registrar, &centre->scheduler,
                                   &centre->approver, &centre->former,    &centre->box};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        signer_generate(keys[i]);
    centre->device = device;
    centre->publish = publish;
    centre->arg = arg;
    centre->arena = arena_new();
    centre->era = 1;
    centre->life_ms = LIFE_DAYS * DAY_MS;
    centre->config = (struct config){.kind = (int)kind,
                                     .zone = "Asia/Ho_Chi_Minh",
                                     .areas = {area, 1},
                                     .languages = {languages, 1},
                                     .heard_level_mb = -3000};
    centre->welcome_at_ms = sim_true_ms() + WELCOME_EVERY_MS;
    uv_timer_init(loop, &centre->timer);
    centre->timer.data = centre;
    centre_look(centre);
    return centre;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void centre_free(struct centre *centre)
{
    for (size_t i = 0; i < centre->n_blobs; i++)
        free(centre->blobs[i].data);
    for (size_t i = 0; i < centre->n_bulletins; i++)
        free(centre->bulletins[i].text);
    for (int i = 0; i < CENTRE_DOCS; i++)
        free(centre->docs[i].sealed);
    for (int kind = 0; kind < CENTRE_KINDS; kind++)
        free(centre->lanes[kind].rows);
    arena_free(centre->arena);
    uv_close((uv_handle_t *)&centre->timer, on_closed);
}
