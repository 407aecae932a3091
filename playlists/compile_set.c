/* compile_set.c - rules by what they name, and their instants; bulletins by their hash. */
#include "playlists/compile_set.h"

#include "playlists/base/sorted.h"

#include <stdlib.h>
#include <string.h>

int64_t add_saturated(int64_t a, int64_t b)
{
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return a < 0 ? INT64_MIN : INT64_MAX;
    return sum;
}

int rule_id_cmp(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    unsigned char x = *a ? (unsigned char)*a : '.', y = *b ? (unsigned char)*b : '.';
    return (x > y) - (x < y);
}

static void *grown(void *at, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return at;
    *cap = *cap ? *cap * 2 : 16;
    at = realloc(at, *cap * size);
    if (!at)
        abort();
    return at;
}

static void add_id(struct ids *ids, uint32_t id)
{
    if ((ids->n & (ids->n - 1)) == 0) { /* room for a power of two */
        ids->at = realloc(ids->at, (ids->n ? ids->n * 2 : 1) * sizeof(ids->at[0]));
        if (!ids->at)
            abort();
    }
    ids->at[ids->n++] = id;
}

static void drop_id(struct ids *ids, uint32_t id)
{
    for (size_t i = 0; i < ids->n; i++)
        if (ids->at[i] == id) {
            memmove(&ids->at[i], &ids->at[i + 1], (ids->n - i - 1) * sizeof(ids->at[0]));
            /* The room stays that of the next power of two: one that is reached again is allocated again. */
            ids->n--;
            return;
        }
}

static bool has_id(const struct ids *ids, uint32_t id)
{
    for (size_t i = 0; i < ids->n; i++)
        if (ids->at[i] == id)
            return true;
    return false;
}

/* --- names --- */

uint64_t set_hash(uint64_t hash, const void *data, size_t len)
{
    const unsigned char *at = data;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ at[i]) * UINT64_C(1099511628211); /* FNV-1a */
    return hash;
}

static struct name **bucket_of(const struct compile_set *set, enum name_of of, const char *text)
{
    uint64_t hash = set_hash(UINT64_C(14695981039346656037) + (uint64_t)of, text, strlen(text));
    return (struct name **)&set->by_text[(hash ^ hash >> 32) % SET_BUCKETS];
}

uint32_t set_name(const struct compile_set *set, enum name_of of, const char *text)
{
    for (const struct name *name = *bucket_of(set, of, text); name; name = name->next)
        if (name->of == of && strcmp(name->text, text) == 0)
            return name->id;
    return NO_ID;
}

static uint32_t make_name(struct compile_set *set, enum name_of of, const char *text)
{
    uint32_t id = set_name(set, of, text);
    if (id != NO_ID)
        return id;
    struct name **bucket = bucket_of(set, of, text);
    struct name *name = arena_alloc(set->arena, sizeof(*name));
    *name = (struct name){.of = of, .text = arena_strndup(set->arena, text, strlen(text)), .next = *bucket};
    name->id = (uint32_t)set->n_names;
    *bucket = name;
    set->names = grown(set->names, set->n_names, &set->cap_names, sizeof(set->names[0]));
    set->names[set->n_names++] = name;
    return name->id;
}

static void name_all(struct compile_set *set, enum name_of of, const struct texts *texts, struct ids *ret)
{
    for (size_t i = 0; i < texts->n; i++)
        add_id(ret, make_name(set, of, texts->at[i]));
}

/* --- rules --- */

static void index_slot(struct compile_set *set, const struct ids *ids, uint32_t slot, bool there)
{
    for (size_t i = 0; i < ids->n; i++) {
        struct ids *slots = &set->names[ids->at[i]]->slots;
        if (there && !has_id(slots, slot))
            add_id(slots, slot);
        else if (!there)
            drop_id(slots, slot);
    }
}

static void slot_fill(struct compile_set *set, size_t index, const struct rule *rule)
{
    struct slot *slot = &set->slots[index];
    *slot = (struct slot){.rule = rule};
    name_all(set, NAME_AREA, &rule->areas, &slot->areas);
    name_all(set, NAME_GROUP, &rule->groups, &slot->groups);
    name_all(set, NAME_DEVICE, &rule->devices, &slot->devices);
    name_all(set, NAME_TAG, &rule->tags, &slot->tags);
    name_all(set, NAME_AREA, &rule->except_areas, &slot->except_areas);
    name_all(set, NAME_GROUP, &rule->except_groups, &slot->except_groups);
    name_all(set, NAME_DEVICE, &rule->except_devices, &slot->except_devices);
    for (size_t i = 0; i < rule->n_placements; i++)
        add_id(&slot->placements, make_name(set, NAME_AREA, rule->placements[i].area));
    for (size_t i = 0; i < rule->kinds.n; i++)
        for (unsigned kind = 0; device_kind_names[kind]; kind++)
            if (strcmp(rule->kinds.at[i], device_kind_names[kind]) == 0)
                slot->kinds |= 1U << kind;
    index_slot(set, &slot->areas, (uint32_t)index, true);
    index_slot(set, &slot->groups, (uint32_t)index, true);
    index_slot(set, &slot->devices, (uint32_t)index, true);
}

static void slot_clear(struct compile_set *set, size_t index)
{
    struct slot *slot = &set->slots[index];
    struct ids *all[] = {&slot->areas,        &slot->groups,        &slot->devices,        &slot->tags,
                         &slot->except_areas, &slot->except_groups, &slot->except_devices, &slot->placements};
    index_slot(set, &slot->areas, (uint32_t)index, false);
    index_slot(set, &slot->groups, (uint32_t)index, false);
    index_slot(set, &slot->devices, (uint32_t)index, false);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        free(all[i]->at);
    for (struct expansion *e = slot->expansions, *next; e; e = next) {
        next = e->next;
        free(e->start_s);
        free(e);
    }
    *slot = (struct slot){0};
}

static size_t free_slot(struct compile_set *set)
{
    for (size_t i = 0; i < set->n_slots; i++)
        if (!set->slots[i].rule)
            return i;
    set->slots = grown(set->slots, set->n_slots, &set->cap_slots, sizeof(set->slots[0]));
    set->slots[set->n_slots] = (struct slot){0};
    return set->n_slots++;
}

static bool in_places(const struct ids *areas, const struct profile *profile, int64_t at_ms)
{
    for (size_t i = 0; areas->n > 0 && i < profile->n_places; i++)
        if (at_ms >= profile->places[i].from_ms && at_ms < profile->places[i].until_ms &&
            has_id(areas, profile->places[i].area))
            return true;
    return false;
}

static bool any_of(const struct ids *ids, const uint32_t *at, size_t n)
{
    for (size_t i = 0; ids->n > 0 && i < n; i++)
        if (has_id(ids, at[i]))
            return true;
    return false;
}

bool slot_targets(const struct slot *slot, const struct profile *p, int64_t at_ms)
{
    if (slot->kinds && !(slot->kinds & 1U << p->kind))
        return false;
    if (slot->tags.n > 0 && !any_of(&slot->tags, p->tags, p->n_tags))
        return false;
    bool named = p->device != NO_ID;
    if ((named && has_id(&slot->except_devices, p->device)) || any_of(&slot->except_groups, p->groups, p->n_groups) ||
        in_places(&slot->except_areas, p, at_ms))
        return false;
    return (named && has_id(&slot->devices, p->device)) || any_of(&slot->groups, p->groups, p->n_groups) ||
           in_places(&slot->areas, p, at_ms);
}

/* --- instants --- */

static bool same_times(const struct expansion *e, const int32_t *times, size_t n_times)
{
    return e->n_times == n_times && (n_times == 0 || memcmp(e->times, times, n_times * sizeof(times[0])) == 0);
}

static void expand_all(const struct compile_set *set, const struct recurrence *recur, struct expansion *e)
{
    enum { PIECE = 512 };
    int64_t from_ms = set->back_ms > 0 ? set->back_ms : 0;
    size_t cap = 0, got;
    do {
        cap += PIECE;
        e->start_s = realloc(e->start_s, cap * sizeof(e->start_s[0]));
        if (!e->start_s)
            abort();
        got = recur_expand(recur, from_ms, set->until_ms, e->start_s + e->n, PIECE);
        e->n += got;
        if (got > 0)
            from_ms = e->start_s[e->n - 1] * 1000 + 1;
    } while (got == PIECE);
}

const struct expansion *set_expand(struct compile_set *set, struct slot *slot, const int32_t *times, size_t n_times)
{
    for (const struct expansion *e = slot->expansions; e; e = e->next)
        if (same_times(e, times, n_times))
            return e;
    struct expansion *e = xcalloc(1, sizeof(*e));
    e->times = times;
    e->n_times = n_times;
    e->next = slot->expansions;
    slot->expansions = e;
    struct recurrence recur = slot->rule->recur;
    if (n_times > 0) {
        recur.n_times = n_times < RECUR_TIMES_MAX ? n_times : RECUR_TIMES_MAX;
        memcpy(recur.times, times, recur.n_times * sizeof(times[0]));
    }
    expand_all(set, &recur, e);
    return e;
}

/* --- bulletins --- */

static int bulletin_cmp(const void *a, const void *b)
{
    const struct compile_bulletin *const *x = a, *const *y = b;
    return strcmp((*x)->hash, (*y)->hash);
}

static const char *hash_at(const void *bulletins, size_t i)
{
    return ((const struct compile_bulletin *const *)bulletins)[i]->hash;
}

size_t set_bulletin_index(const struct compile_set *set, const char *hash)
{
    return sorted_place(set->bulletins, set->n_bulletins, hash_at, hash);
}

const struct compile_bulletin *set_bulletin(const struct compile_set *set, const char *hash)
{
    size_t at = set_bulletin_index(set, hash);
    return at < set->n_bulletins && strcmp(set->bulletins[at]->hash, hash) == 0 ? set->bulletins[at] : NULL;
}

/* --- the whole --- */

/* Whole days, and one more for what began before midnight. */
static int64_t look_back(int64_t from_ms, int64_t span_ms)
{
    int64_t back_ms = from_ms - (span_ms < SET_SPAN_MS ? span_ms : SET_SPAN_MS) - 2 * SET_DAY_MS;
    return back_ms > 0 ? back_ms / SET_DAY_MS * SET_DAY_MS : 0;
}

static int64_t longest(const struct compile_bulletin *b)
{
    int64_t sum_ms = 0;
    for (size_t i = 0; i < b->bulletin->n_contents; i++)
        if (b->bulletin->contents[i].audio)
            sum_ms += b->bulletin->contents[i].audio->frames / (DOC_RATE_HZ / 1000) + 1;
    return sum_ms;
}

/* How long any occurrence may reach beyond its start, roughly and not below. */
static int64_t span_of(const struct rule *rules, size_t n_rules, const struct compile_bulletin *bulletins,
                       size_t n_bulletins)
{
    int64_t begin_ms = LATE_DEFAULT_MS, length_ms = SHOW_DEFAULT_MS;
    for (size_t i = 0; i < n_rules; i++) {
        const struct rule *rule = &rules[i];
        int64_t slot_ms = rule->session ? rule->session->length_ms : rule->show_ms;
        begin_ms = rule->late_ms > begin_ms ? rule->late_ms : begin_ms;
        begin_ms = rule->catch_up_ms > begin_ms ? rule->catch_up_ms : begin_ms;
        length_ms = slot_ms > length_ms ? slot_ms : length_ms;
    }
    for (size_t i = 0; i < n_bulletins; i++) {
        int64_t sound_ms = longest(&bulletins[i]);
        length_ms = sound_ms > length_ms ? sound_ms : length_ms;
    }
    return add_saturated(add_saturated(begin_ms, length_ms), END_MARGIN_MS);
}

/* Whose filler it is tells devices apart. */
static void name_filler(struct compile_set *set, const struct compile_bulletin *b)
{
    if (b->filler && b->bulletin->unit)
        make_name(set, NAME_AREA, b->bulletin->unit);
}

static int rule_cmp(const void *a, const void *b)
{
    const struct rule *const *x = a, *const *y = b;
    int order = rule_id_cmp((*x)->id, (*y)->id);
    if (order != 0)
        return order;
    return strcmp((*x)->bulletin ? (*x)->bulletin : "", (*y)->bulletin ? (*y)->bulletin : "");
}

static void take_rules(struct compile_set *set, const struct rule *rules, size_t n)
{
    const struct rule **sorted = xcalloc(n + 1, sizeof(*sorted));
    for (size_t i = 0; i < n; i++)
        sorted[i] = &rules[i];
    qsort(sorted, n, sizeof(*sorted), rule_cmp);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || strcmp(sorted[i]->id, sorted[i - 1]->id) != 0)
            slot_fill(set, free_slot(set), sorted[i]);
    free(sorted);
}

struct compile_set *compile_set_new(const struct rule *rules, size_t n_rules, const struct compile_bulletin *bulletins,
                                    size_t n_bulletins, int64_t from_ms, int64_t until_ms)
{
    struct compile_set *set = xcalloc(1, sizeof(*set));
    set->arena = arena_new();
    set->from_ms = from_ms;
    set->until_ms = until_ms;
    set->back_ms = look_back(from_ms, span_of(rules, n_rules, bulletins, n_bulletins));
    set->cap_bulletins = n_bulletins + 1;
    set->bulletins = xcalloc(set->cap_bulletins, sizeof(set->bulletins[0]));
    for (size_t i = 0; i < n_bulletins; i++) {
        set->bulletins[set->n_bulletins++] = &bulletins[i];
        name_filler(set, &bulletins[i]);
    }
    qsort(set->bulletins, n_bulletins, sizeof(set->bulletins[0]), bulletin_cmp);
    take_rules(set, rules, n_rules);
    return set;
}

void compile_set_free(struct compile_set *set)
{
    if (!set)
        return;
    set_drop_timelines(set, NULL);
    for (size_t i = 0; i < set->n_slots; i++)
        if (set->slots[i].rule)
            slot_clear(set, i);
    for (size_t i = 0; i < set->n_names; i++)
        free(set->names[i]->slots.at);
    free(set->slots);
    free(set->names);
    free(set->bulletins);
    arena_free(set->arena);
    free(set);
}

void compile_set_rule(struct compile_set *set, const char *id, const struct rule *rule)
{
    for (size_t i = 0; i < set->n_slots; i++)
        if (set->slots[i].rule && strcmp(set->slots[i].rule->id, id) == 0) {
            set_drop_timelines(set, &set->slots[i]);
            slot_clear(set, i);
            break;
        }
    if (!rule)
        return;
    size_t at = free_slot(set);
    slot_fill(set, at, rule);
    set_drop_timelines(set, &set->slots[at]);
}

static bool says(const struct rule *rule, const char *hash, const char *topic)
{
    const struct session *session = rule->session;
    if (rule->bulletin && strcmp(rule->bulletin, hash) == 0)
        return true;
    if (!session)
        return false;
    bool found = (session->opening && strcmp(session->opening, hash) == 0) ||
                 (session->closing && strcmp(session->closing, hash) == 0);
    for (size_t i = 0; i < session->n_parts && !found; i++)
        found = session->parts[i].bulletin && strcmp(session->parts[i].bulletin, hash) == 0;
    for (size_t i = 0; topic && i < session->n_topics && !found; i++)
        found = strcmp(session->topics[i].topic, topic) == 0;
    return found;
}

static void drop_who_says(struct compile_set *set, const struct compile_bulletin *bulletin)
{
    for (size_t i = 0; i < set->n_slots; i++)
        if (set->slots[i].rule &&
            says(set->slots[i].rule, bulletin->hash, bulletin->filler ? bulletin->bulletin->category : NULL))
            set_drop_timelines(set, &set->slots[i]);
}

void compile_set_bulletin(struct compile_set *set, const char *hash, const struct compile_bulletin *bulletin)
{
    size_t at = set_bulletin_index(set, hash);
    if (at < set->n_bulletins && strcmp(set->bulletins[at]->hash, hash) == 0) {
        drop_who_says(set, set->bulletins[at]);
        memmove(&set->bulletins[at], &set->bulletins[at + 1], (--set->n_bulletins - at) * sizeof(set->bulletins[0]));
    }
    if (!bulletin)
        return;
    set->bulletins = grown(set->bulletins, set->n_bulletins, &set->cap_bulletins, sizeof(set->bulletins[0]));
    memmove(&set->bulletins[at + 1], &set->bulletins[at], (set->n_bulletins++ - at) * sizeof(set->bulletins[0]));
    set->bulletins[at] = bulletin;
    name_filler(set, bulletin);
    drop_who_says(set, bulletin);
}
