/* world_watch.c - what is watched while a world runs: the outputs, and what the device says of itself. See sim.h. */
#include "tests/sim/world_parts.h"

#include "playlists/arbiter.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The ledger of what is on is stored every five seconds: after a crash so much may be heard again, if it resumes. */
enum { HEARD_MS = 1000, AGAIN_MS = 5500 };

void world_note_fault(struct world *world, const char *fmt, ...)
{
    if (world->fault[0])
        return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(world->fault, sizeof(world->fault), fmt, ap);
    va_end(ap);
}

const char *world_fault(const struct world *world)
{
    return world->fault[0] ? world->fault : world->centre->fault[0] ? world->centre->fault : NULL;
}

/* --- outputs --- */

static const struct playlist_item *item_of(const struct world *world, uint64_t key)
{
    for (size_t i = world->centre->n_items; i-- > 0;) /* the latest that was said of it */
        if (arbiter_key(world->centre->items[i].id) == key)
            return &world->centre->items[i];
    return NULL;
}

static void check_content(struct world *world, const struct stage_airing *airing)
{
    for (size_t i = 0; i < airing->n_sounds; i++) {
        struct hash hash;
        uint64_t size;
        const struct centre_blob *blob = NULL;
        if (hash_of_file(airing->sounds[i].path, MEDIA_MAX, &hash, &size) == 0)
            blob = centre_blob(world->centre, hash.hex);
        if (!blob || !blob->content)
            world_note_fault(world, "a sound that nobody signed is put out: %s", airing->sounds[i].path);
    }
    for (size_t i = 0; i < airing->n_pages; i++)
        if (!centre_said_text(world->centre, airing->pages[i].text))
            world_note_fault(world, "a text that nobody signed is put out: %.100s", airing->pages[i].text);
}

static void check_once(struct world *world, const struct world_airing *airing, enum cut_policy policy)
{
    int64_t most_ms = policy == CUT_RESUME ? AGAIN_MS : policy == CUT_RESTART ? INT64_MAX : HEARD_MS;
    for (size_t i = 0; i < world->n_airings; i++) {
        const struct world_airing *earlier = &world->airings[i];
        if (earlier->key == airing->key && airing->offset_ms == 0 && earlier->ended_ms - earlier->began_ms > most_ms)
            world_note_fault(world, "%s is put out a second time", airing->occurrence);
    }
}

static void note_beginning(struct world *world, const struct stage_airing *airing)
{
    const struct playlist_item *item = item_of(world, airing->key);
    struct world_airing it = {.key = airing->key,
                              .occurrence = item ? item->id : "?",
                              .offset_ms = airing->offset_ms,
                              .began_ms = sim_true_ms()};
    if (!item)
        world_note_fault(world, "something of no playlist is put out");
    check_content(world, airing);
    check_once(world, &it, item ? (enum cut_policy)item->policy : CUT_DROP);
    if (world->n_airings == world->cap_airings) {
        world->cap_airings = world->cap_airings ? 2 * world->cap_airings : 64;
        struct world_airing *more = xcalloc(world->cap_airings, sizeof(*more));
        if (world->n_airings)
            memcpy(more, world->airings, world->n_airings * sizeof(*more));
        free(world->airings);
        world->airings = more;
    }
    world->airings[world->n_airings++] = it;
}

void world_output(void *arg, const struct outputs_change *change)
{
    struct world *world = arg;
    if (change->begins) {
        note_beginning(world, change->airing);
        return;
    }
    for (size_t i = world->n_airings; i-- > 0;) {
        struct world_airing *airing = &world->airings[i];
        if (airing->key != change->airing->key || airing->ended_ms)
            continue;
        airing->ended_ms = sim_true_ms();
        airing->cut = change->cut;
        return;
    }
}

size_t world_begun(const struct world *world, const char *occurrence)
{
    size_t n = 0;
    for (size_t i = 0; i < world->n_airings; i++)
        n += strcmp(world->airings[i].occurrence, occurrence) == 0 && world->airings[i].offset_ms == 0;
    return n;
}

/* --- states --- */

static void note_adoption(struct world *world, int64_t ver)
{
    for (size_t i = 0; i < world->n_adoptions; i++)
        if (world->adoptions[i].ver == ver)
            return;
    struct world_adoption *more = xcalloc(world->n_adoptions + 1, sizeof(*more));
    if (world->n_adoptions)
        memcpy(more, world->adoptions, world->n_adoptions * sizeof(*more));
    free(world->adoptions);
    world->adoptions = more;
    more[world->n_adoptions++] = (struct world_adoption){.ver = ver, .at_ms = sim_true_ms()};
}

static void note_held(struct world *world, enum doc_type type, const struct held_doc *held)
{
    struct held_version *said = &world->said[type];
    if (doc_version_cmp(held->era, held->ver, said->era, said->ver) < 0)
        world_note_fault(world, "%s went back from version %lld.%lld to %lld.%lld", doc_word(type),
                         (long long)said->era, (long long)said->ver, (long long)held->era, (long long)held->ver);
    *said = (struct held_version){.era = held->era, .ver = held->ver};
    if (type == DOC_PLAYLIST)
        note_adoption(world, held->ver);
}

void world_tap(void *arg, const char *topic, const void *payload, size_t len)
{
    struct world *world = arg;
    const char *word = strrchr(topic, '/');
    if (!word || strcmp(word, "/state") != 0)
        return;
    struct authority authority = {.box_x = world->centre->box.x};
    struct arena *arena = arena_new();
    struct complaint why = {0};
    void *doc = NULL;
    if (judge_open(&authority, DOC_STATE, payload, len, arena, &doc, NULL, &why) == REFUSAL_NONE) {
        const struct state *state = doc;
        for (size_t i = 0; i < state->n_held; i++)
            for (enum doc_type type = DOC_TRUST; type <= DOC_PLAYLIST; type++)
                if (strcmp(state->held[i].doc, doc_word(type)) == 0)
                    note_held(world, type, &state->held[i]);
    } else {
        world_note_fault(world, "the device's own state does not open: %s", why.text);
    }
    arena_free(arena);
}
