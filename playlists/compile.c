/* compile.c - see compile.h. What the wire says of a timeline; and one device alone. */
#include "playlists/compile_set.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const rule_carry_names[] = {"direct", "offer", "must", NULL};
const char *const problem_names[] = {
    [PROBLEM_NO_BULLETIN] = "no such bulletin",
    [PROBLEM_NOTHING_HERE] = "nothing in it for this device",
    [PROBLEM_EMERGENCY] = "emergency needs an order",
    [PROBLEM_HORIZON] = "horizon shortened",
    [PROBLEM_CLASH] = "clash",
    [PROBLEM_SLOT_FULL] = "slot full",
    [PROBLEM_CUT] = "cut",
    [PROBLEM_LANGUAGE_DROPPED] = "language dropped",
    [PROBLEM_LANGUAGE_MISSING] = "language missing",
    [PROBLEM_QUIET_HOURS] = "quiet hours",
    [PROBLEM_LIMIT_SESSIONS] = "limit: sessions",
    [PROBLEM_LIMIT_SESSION_MINUTES] = "limit: session minutes",
    [PROBLEM_LIMIT_MINUTES] = "limit: minutes",
    [PROBLEM_LIMIT_DAYS] = "limit: days",
    [PROBLEM_NOT_TAKEN] = "not taken",
    [PROBLEM_DECLINED] = "declined",
    NULL,
};

int64_t item_length_ms(const struct bulletin_use *use, int64_t show_ms)
{
    int64_t sound_ms = use->sound ? use->sound_ms : 0;
    return show_ms > sound_ms ? show_ms : sound_ms;
}

int64_t item_show_ms(const struct bulletin_use *use, int64_t show_ms)
{
    if (!use->text)
        return 0;
    return show_ms == 0 && !use->sound ? SHOW_DEFAULT_MS : show_ms;
}

static bool within(const struct texts *areas, const struct compile_device *device, int64_t at_ms)
{
    for (size_t i = 0; i < device->n_areas; i++) {
        const struct membership *m = &device->areas[i];
        if (at_ms >= m->from_ms && at_ms < m->until_ms && texts_have(areas, m->area))
            return true;
    }
    return false;
}

bool rule_targets(const struct rule *rule, const struct compile_device *device, int64_t at_ms)
{
    if (rule->kinds.n && !texts_have(&rule->kinds, device_kind_names[device->kind]))
        return false;
    if (rule->tags.n && !texts_meet(&rule->tags, &device->tags))
        return false;
    if (texts_have(&rule->except_devices, device->id) || texts_meet(&rule->except_groups, &device->groups) ||
        within(&rule->except_areas, device, at_ms))
        return false;
    return texts_have(&rule->devices, device->id) || texts_meet(&rule->groups, &device->groups) ||
           within(&rule->areas, device, at_ms);
}

/* --- writing --- */

struct writing {
    const struct timeline *timeline;
    struct arena *arena;
    struct compile_result *ret;
    int64_t *index;      /* of each of the set's bulletins in the result; -1: not used yet. Owned */
    struct texts *zones; /* of each plan, kept once; owned */
};

static int blob_cmp(const void *a, const void *b)
{
    const struct blob_ref *x = a, *y = b;
    return strcmp(x->hash, y->hash);
}

static const char *keep(struct arena *arena, const char *text)
{
    return arena_strndup(arena, text, strlen(text));
}

static struct texts keep_texts(struct arena *arena, const struct texts *from, size_t n)
{
    struct texts to = {.n = n};
    if (n)
        to.at = arena_alloc(arena, n * sizeof(to.at[0]));
    for (size_t i = 0; i < n; i++)
        to.at[i] = keep(arena, from->at[i]);
    return to;
}

static const struct compile_bulletin *bulletin_of(const struct plan *plan, const struct spot *spot)
{
    if (!plan->rule->session)
        return plan->bulletin;
    switch ((enum piece_of)spot->of) {
    case PIECE_OPENING:
        return plan->opening_bulletin;
    case PIECE_CLOSING:
        return plan->closing_bulletin;
    case PIECE_FILLER:
        return plan->filler_bulletins[spot->index];
    case PIECE_PART:
        break;
    }
    return plan->part_bulletins[spot->index];
}

/* False when the playlist holds no further bulletin. */
static bool use_bulletin(struct writing *w, const struct compile_bulletin *from, int64_t *ret_index)
{
    const struct compile_set *set = w->timeline->set;
    size_t at = set_bulletin_index(set, from->hash);
    if (w->index[at] < 0) {
        if (w->ret->n_bulletins == PLAYLIST_BULLETINS_MAX)
            return false;
        w->index[at] = (int64_t)w->ret->n_bulletins;
        struct playlist_bulletin *to = &w->ret->bulletins[w->ret->n_bulletins++];
        *to = (struct playlist_bulletin){
            .hash = keep(w->arena, from->hash), .size = from->size, .n_approvals = from->n_approvals};
        to->approvals = arena_alloc(w->arena, (from->n_approvals + 1) * sizeof(to->approvals[0]));
        for (size_t i = 0; i < from->n_approvals; i++)
            to->approvals[i] = (struct blob_ref){keep(w->arena, from->approvals[i].hash), from->approvals[i].size};
        qsort(to->approvals, to->n_approvals, sizeof(to->approvals[0]), blob_cmp);
    }
    *ret_index = w->index[at];
    return true;
}

/* "<rule>.<start>", of a part of a session with what is said behind it, and from the second time on how often. */
static const char *occurrence_id(const struct writing *w, const struct plan *plan, const struct spot *spot,
                                 const struct compile_bulletin *bulletin)
{
    char id[128], part[24] = "", nth[12] = "";
    if (plan->rule->session && bulletin) {
        snprintf(part, sizeof(part), ".%.8s", bulletin->hash);
    } else if (plan->rule->session) {
        const char *source = plan->rule->session->parts[spot->index].source;
        struct hash hash = hash_of(source, strlen(source));
        snprintf(part, sizeof(part), ".r%.8s", hash.hex);
    }
    if (spot->nth > 0)
        snprintf(nth, sizeof(nth), "%" PRIu32, spot->nth + 1);
    snprintf(id, sizeof(id), "%s.%" PRId64 "%s%s", plan->rule->id, spot->occurrence_s, part, nth);
    return keep(w->arena, id);
}

/* What is left of a limit behind the place to which it was moved; a little, so that what is on may take longer. */
static int64_t left_of(int64_t limit_ms, int64_t moved_ms)
{
    int64_t least_ms = limit_ms < MOVED_LATE_MS ? limit_ms : MOVED_LATE_MS;
    return moved_ms == 0 || limit_ms - moved_ms > least_ms ? limit_ms - moved_ms : least_ms;
}

static int64_t end_of(const struct plan *plan, const struct spot *spot, const struct playlist_item *item)
{
    const struct session *session = plan->rule->session;
    int64_t begin_ms = item->catch_up_ms > item->late_ms ? item->catch_up_ms : item->late_ms;
    int64_t end_ms = add_saturated(add_saturated(spot->start_ms, begin_ms), spot->length_ms + END_MARGIN_MS);
    if (spot->ended_early)
        return spot->start_ms + spot->length_ms;
    if (session && session->overrun == OVERRUN_MID_SENTENCE && session->length_ms > 0) {
        int64_t slot_ms = spot->occurrence_s * 1000 + session->length_ms + spot->moved_ms;
        end_ms = slot_ms < end_ms ? slot_ms : end_ms;
    }
    return end_ms;
}

/* How long its text stays: what a text needs at least, and no longer than the item. */
static int64_t show_of(const struct writing *w, const struct plan *plan, const struct spot *spot,
                       const struct compile_bulletin *bulletin)
{
    const struct profile *p = &w->timeline->profile;
    if (!bulletin)
        return spot->length_ms;
    struct texts said = {p->languages.at, spot->n_languages ? spot->n_languages : p->languages.n};
    struct bulletin_use use = bulletin_use(bulletin->bulletin, &said, p->kind);
    int64_t show_ms = item_show_ms(&use, plan->rule->show_ms);
    return spot->ended_early && show_ms > spot->length_ms ? spot->length_ms : show_ms;
}

/* False when there is no room for its bulletin. */
static bool write_item(struct writing *w, const struct spot *spot)
{
    const struct plan *plan = &w->timeline->plans[spot->plan];
    const struct rule *rule = plan->rule;
    const struct compile_bulletin *bulletin = bulletin_of(plan, spot);
    int64_t index = -1;
    if (bulletin && !use_bulletin(w, bulletin, &index))
        return false;
    if (rule->zones.n && !w->zones[spot->plan].n)
        w->zones[spot->plan] = keep_texts(w->arena, &rule->zones, rule->zones.n);
    struct playlist_item *item = &w->ret->items[w->ret->n_items++];
    *item = (struct playlist_item){
        .id = occurrence_id(w, plan, spot, bulletin),
        .bulletin = index,
        .source = bulletin ? NULL : keep(w->arena, rule->session->parts[spot->index].source),
        .start_ms = spot->start_ms,
        .class = (int)spot->class,
        .policy = (int)rule->policy,
        .late_ms = left_of(spot_late_ms(spot, rule), spot->moved_ms),
        .wait_ms = rule->wait_ms,
        .gain_mb = rule->gain_mb,
        .show_ms = show_of(w, plan, spot, bulletin),
        .zones = w->zones[spot->plan],
        .languages = keep_texts(w->arena, &w->timeline->profile.languages, spot->n_languages),
        .exempt = spot->exempt ? keep(w->arena, spot->exempt) : NULL,
        .catch_up_ms = rule->catch_up_ms > 0 ? left_of(rule->catch_up_ms, spot->moved_ms) : 0,
    };
    item->end_ms = end_of(plan, spot, item);
    return true;
}

static void write_problems(struct writing *w, const struct spot *first_left_out)
{
    const struct timeline *timeline = w->timeline;
    struct compile_result *ret = w->ret;
    ret->problems = arena_alloc(w->arena, (timeline->n_problems + 1) * sizeof(ret->problems[0]));
    for (size_t i = 0; i < timeline->n_problems; i++) {
        struct compile_problem p = timeline->problems[i];
        p.rule = keep(w->arena, p.rule);
        p.other = p.other ? keep(w->arena, p.other) : NULL;
        ret->problems[ret->n_problems++] = p;
    }
    if (first_left_out)
        ret->problems[ret->n_problems++] =
            (struct compile_problem){.rule = keep(w->arena, timeline->plans[first_left_out->plan].rule->id),
                                     .what = PROBLEM_HORIZON,
                                     .why = problem_names[PROBLEM_HORIZON],
                                     .start_ms = first_left_out->start_ms,
                                     .count = 1};
}

static int item_cmp(const void *a, const void *b)
{
    const struct playlist_item *x = a, *y = b;
    if (x->start_ms != y->start_ms)
        return x->start_ms < y->start_ms ? -1 : 1;
    return strcmp(x->id, y->id);
}

/* Items are written in the order of their rules; where parts of two slots begin at once, ids may compare otherwise. */
static void sort_items(struct compile_result *ret)
{
    for (size_t i = 1; i < ret->n_items; i++)
        if (item_cmp(&ret->items[i - 1], &ret->items[i]) > 0) {
            qsort(ret->items, ret->n_items, sizeof(ret->items[0]), item_cmp);
            return;
        }
}

static bool counts(const struct timeline *timeline, const struct spot *spot, int64_t from_ms, int64_t until_ms)
{
    const struct plan *plan = &timeline->plans[spot->plan];
    struct playlist_item item = {
        .late_ms = left_of(spot_late_ms(spot, plan->rule), spot->moved_ms),
        .catch_up_ms = plan->rule->catch_up_ms > 0 ? left_of(plan->rule->catch_up_ms, spot->moved_ms) : 0};
    return spot->start_ms < until_ms && end_of(plan, spot, &item) > from_ms;
}

size_t timeline_items(const struct timeline *timeline)
{
    return timeline->n_spots;
}

void timeline_write(const struct timeline *timeline, int64_t from_ms, int64_t until_ms, size_t max_items,
                    struct arena *arena, struct compile_result *ret)
{
    struct writing w = {.timeline = timeline, .arena = arena, .ret = ret};
    const struct spot *left_out = NULL;
    size_t n_bulletins = timeline->set->n_bulletins, n = 0;
    *ret = (struct compile_result){.until_ms = until_ms};
    for (size_t i = 0; i < timeline->n_spots; i++)
        n += counts(timeline, &timeline->spots[i], from_ms, until_ms);
    n = n < max_items ? n : max_items;
    ret->items = arena_alloc(arena, (n + 1) * sizeof(ret->items[0]));
    size_t cap = n_bulletins < n ? n_bulletins : n;
    ret->bulletins = arena_alloc(arena, (cap + 1) * sizeof(ret->bulletins[0]));
    w.index = xcalloc(n_bulletins + 1, sizeof(w.index[0]));
    w.zones = xcalloc(timeline->n_plans + 1, sizeof(w.zones[0]));
    memset(w.index, 0xff, n_bulletins * sizeof(w.index[0]));
    for (size_t i = 0; i < timeline->n_spots && !left_out; i++) {
        const struct spot *spot = &timeline->spots[i];
        if (counts(timeline, spot, from_ms, until_ms) && (ret->n_items == n || !write_item(&w, spot)))
            left_out = spot;
    }
    if (left_out)
        ret->until_ms = left_out->start_ms > from_ms ? left_out->start_ms : from_ms;
    sort_items(ret);
    write_problems(&w, left_out);
    free(w.index);
    free(w.zones);
}

void compile(const struct rule *rules, size_t n_rules, const struct compile_bulletin *bulletins, size_t n_bulletins,
             const struct compile_device *device, int64_t from_ms, int64_t until_ms, size_t max_items,
             struct arena *arena, struct compile_result *ret)
{
    struct compile_set *set = compile_set_new(rules, n_rules, bulletins, n_bulletins, from_ms, until_ms);
    timeline_write(compile_set_timeline(set, device), from_ms, until_ms, max_items, arena, ret);
    compile_set_free(set);
}
