/* compile_profile.c - what of a device decides about its timeline, and the timelines by that. */
#include "playlists/compile_set.h"

#include <stdlib.h>
#include <string.h>

static void timeline_free(struct timeline *timeline)
{
    free(timeline->quiet[LIMIT_WARN].at);
    free(timeline->quiet[LIMIT_REFUSE].at);
    free(timeline->spots);
    free(timeline->problems);
    buf_done(&timeline->key);
    arena_free(timeline->arena);
}

static bool concerns(const struct slot *slot, const struct timeline *timeline)
{
    const struct profile *p = &timeline->profile;
    bool found = slot_targets(slot, p, timeline->set->back_ms);
    for (size_t i = 0; i < p->n_places && !found; i++)
        found = slot_targets(slot, p, p->places[i].from_ms) || slot_targets(slot, p, p->places[i].until_ms);
    return found;
}

void set_drop_timelines(struct compile_set *set, const struct slot *slot)
{
    for (size_t i = 0; i < SET_BUCKETS; i++)
        for (struct timeline **at = &set->timelines[i]; *at;) {
            struct timeline *timeline = *at;
            if (slot && !concerns(slot, timeline)) {
                at = &timeline->next;
                continue;
            }
            *at = timeline->next;
            timeline_free(timeline);
            set->n_timelines--;
        }
}

static void put_texts(struct buf *key, const struct texts *texts)
{
    buf_putf(key, "%zu ", texts->n);
    for (size_t i = 0; i < texts->n; i++)
        buf_put(key, texts->at[i], strlen(texts->at[i]) + 1);
}

static void put_number(struct buf *key, int64_t number)
{
    buf_put(key, &number, sizeof(number));
}

/* What of the limits decides: not who laid them down. */
static void put_limits(struct buf *key, const struct limits *limits)
{
    if (!limits->zone)
        return;
    const char *zone = zone_name(limits->zone);
    buf_put(key, zone, strlen(zone) + 1);
    for (size_t i = 0; i < limits->n_lines; i++) {
        const struct limit_line *line = &limits->lines[i];
        const int64_t numbers[] = {(int64_t)line->what,     (int64_t)line->action, line->number,
                                   line->weekdays,          line->from_ms,         line->until_ms,
                                   (int64_t)line->n_windows};
        buf_put(key, numbers, sizeof(numbers));
        if (line->n_windows)
            buf_put(key, line->windows, line->n_windows * sizeof(line->windows[0]));
    }
    put_number(key, (int64_t)limits->n_lines);
    for (size_t i = 0; i < limits->n_exemptions; i++) {
        const struct exemption *e = &limits->exemptions[i];
        const int64_t numbers[] = {e->from_date, e->until_date, e->limits};
        buf_put(key, e->order, strlen(e->order) + 1);
        buf_put(key, numbers, sizeof(numbers));
    }
}

static int id_cmp(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* The names that some rule says, ascending. */
static uint32_t *known_names(const struct compile_set *set, enum name_of of, const struct texts *texts, size_t *ret_n)
{
    uint32_t *ids = xcalloc(texts->n + 1, sizeof(*ids));
    size_t n = 0;
    for (size_t i = 0; i < texts->n; i++)
        if ((ids[n] = set_name(set, of, texts->at[i])) != NO_ID)
            n++;
    qsort(ids, n, sizeof(*ids), id_cmp);
    *ret_n = n;
    return ids;
}

static struct place *known_places(const struct compile_set *set, const struct compile_device *device, size_t *ret_n)
{
    struct place *places = xcalloc(device->n_areas + 1, sizeof(*places));
    size_t n = 0;
    for (size_t i = 0; i < device->n_areas; i++) {
        const struct membership *m = &device->areas[i];
        uint32_t area = set_name(set, NAME_AREA, m->area);
        if (area == NO_ID || m->until_ms <= set->back_ms || m->from_ms >= set->until_ms || m->from_ms >= m->until_ms)
            continue;
        /* Moments outside of what is looked at do not tell devices apart. */
        places[n++] = (struct place){.area = area,
                                     .from_ms = m->from_ms > set->back_ms ? m->from_ms : set->back_ms,
                                     .until_ms = m->until_ms < set->until_ms ? m->until_ms : set->until_ms};
    }
    *ret_n = n;
    return places;
}

struct profile set_profile(const struct compile_set *set, const struct compile_device *device)
{
    struct profile p = {.kind = device->kind,
                        .device = set_name(set, NAME_DEVICE, device->id),
                        .languages = device->languages,
                        .limits = device->limits};
    p.groups = known_names(set, NAME_GROUP, &device->groups, &p.n_groups);
    p.tags = known_names(set, NAME_TAG, &device->tags, &p.n_tags);
    p.places = known_places(set, device, &p.n_places);
    return p;
}

void profile_done(struct profile *p)
{
    free(p->groups);
    free(p->tags);
    free(p->places);
}

void profile_key(const struct profile *p, struct buf *key)
{
    const int64_t numbers[] = {(int64_t)p->kind, p->device, (int64_t)p->n_groups, (int64_t)p->n_tags,
                               (int64_t)p->n_places};
    buf_put(key, numbers, sizeof(numbers));
    buf_put(key, p->groups, p->n_groups * sizeof(p->groups[0]));
    buf_put(key, p->tags, p->n_tags * sizeof(p->tags[0]));
    for (size_t i = 0; i < p->n_places; i++) {
        const int64_t place[] = {p->places[i].area, p->places[i].from_ms, p->places[i].until_ms};
        buf_put(key, place, sizeof(place));
    }
    put_texts(key, &p->languages);
    put_limits(key, &p->limits);
}

static void *copied(struct arena *arena, const void *data, size_t n, size_t size)
{
    void *to = arena_alloc(arena, n * size + 1);
    if (n > 0)
        memcpy(to, data, n * size);
    return to;
}

static struct texts copied_texts(struct arena *arena, const struct texts *from)
{
    struct texts to = {.at = arena_alloc(arena, (from->n + 1) * sizeof(to.at[0])), .n = from->n};
    for (size_t i = 0; i < from->n; i++)
        to.at[i] = arena_strndup(arena, from->at[i], strlen(from->at[i]));
    return to;
}

/* The zone stays borrowed: it is the rules' too. */
static struct limits copied_limits(struct arena *arena, const struct limits *from)
{
    struct limits to = *from;
    struct limit_line *lines = copied(arena, from->lines, from->n_lines, sizeof(*lines));
    struct exemption *exemptions = copied(arena, from->exemptions, from->n_exemptions, sizeof(*exemptions));
    for (size_t i = 0; i < to.n_lines; i++) {
        lines[i].windows = copied(arena, lines[i].windows, lines[i].n_windows, sizeof(lines[i].windows[0]));
        lines[i].area = lines[i].authority = NULL;
    }
    for (size_t i = 0; i < to.n_exemptions; i++)
        exemptions[i].order = arena_strndup(arena, exemptions[i].order, strlen(exemptions[i].order));
    to.lines = lines;
    to.exemptions = exemptions;
    return to;
}

static struct timeline *timeline_new(struct compile_set *set, const struct profile *p, struct buf *key, uint64_t hash)
{
    struct arena *arena = arena_new();
    struct timeline *timeline = arena_alloc(arena, sizeof(*timeline));
    *timeline = (struct timeline){.set = set, .arena = arena, .profile = *p, .hash = hash, .key = *key};
    struct profile *own = &timeline->profile;
    own->groups = copied(arena, p->groups, p->n_groups, sizeof(p->groups[0]));
    own->tags = copied(arena, p->tags, p->n_tags, sizeof(p->tags[0]));
    own->places = copied(arena, p->places, p->n_places, sizeof(p->places[0]));
    own->languages = copied_texts(arena, &p->languages);
    own->limits = copied_limits(arena, &p->limits);
    *key = (struct buf){0};
    timeline_make(set, timeline);
    timeline->next = set->timelines[hash % SET_BUCKETS];
    set->timelines[hash % SET_BUCKETS] = timeline;
    set->n_timelines++;
    return timeline;
}

const struct timeline *compile_set_timeline(struct compile_set *set, const struct compile_device *device)
{
    struct profile p = set_profile(set, device);
    struct buf key = {0};
    profile_key(&p, &key);
    uint64_t hash = set_hash(UINT64_C(14695981039346656037), key.data, key.len);
    hash ^= hash >> 32;
    struct timeline *found = set->timelines[hash % SET_BUCKETS];
    while (found &&
           (found->hash != hash || found->key.len != key.len || memcmp(found->key.data, key.data, key.len) != 0))
        found = found->next;
    if (!found)
        found = timeline_new(set, &p, &key, hash);
    buf_done(&key);
    profile_done(&p);
    return found;
}

size_t compile_set_timelines(const struct compile_set *set)
{
    return set->n_timelines;
}
