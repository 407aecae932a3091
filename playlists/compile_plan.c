/* compile_plan.c - which rules hold for a device, when, and what each of them says there. */
#include "playlists/compile_set.h"

#include <stdlib.h>
#include <string.h>

/* A span in which the device stays where it is. */
struct epoch {
    int64_t from_ms, until_ms;
};

struct gather {
    struct compile_set *set;
    struct timeline *timeline;
    uint32_t *slots; /* owned; those that may hold */
    size_t n_slots, cap_slots;
    struct epoch *epochs; /* owned */
    size_t n_epochs;
    struct plan *plans; /* owned */
    size_t n_plans, cap_plans;
};

static void meet(struct gather *g, uint32_t slot)
{
    struct slot *s = &g->set->slots[slot];
    if (s->seen == g->set->gathering)
        return;
    s->seen = g->set->gathering;
    if (g->n_slots == g->cap_slots) {
        g->cap_slots = g->cap_slots ? g->cap_slots * 2 : 32;
        g->slots = realloc(g->slots, g->cap_slots * sizeof(g->slots[0]));
        if (!g->slots)
            abort();
    }
    g->slots[g->n_slots++] = slot;
}

static void meet_all(struct gather *g, uint32_t name)
{
    const struct ids *slots = &g->set->names[name]->slots;
    for (size_t i = 0; i < slots->n; i++)
        meet(g, slots->at[i]);
}

static int moment_cmp(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void find_epochs(struct gather *g)
{
    const struct profile *p = &g->timeline->profile;
    int64_t *moments = xcalloc(2 * p->n_places + 2, sizeof(*moments));
    size_t n = 0;
    moments[n++] = g->set->back_ms;
    for (size_t i = 0; i < p->n_places; i++) {
        moments[n++] = p->places[i].from_ms;
        moments[n++] = p->places[i].until_ms;
    }
    qsort(moments, n, sizeof(*moments), moment_cmp);
    g->epochs = xcalloc(n + 1, sizeof(*g->epochs));
    for (size_t i = 0; i < n; i++) {
        if (moments[i] >= g->set->until_ms || (i > 0 && moments[i] == moments[i - 1]))
            continue;
        if (g->n_epochs > 0)
            g->epochs[g->n_epochs - 1].until_ms = moments[i];
        g->epochs[g->n_epochs++] = (struct epoch){moments[i], INT64_MAX};
    }
    free(moments);
}

/* What the nearest commune said. */
static const struct rule_placement *placement_at(const struct slot *slot, const struct profile *p, int64_t at_ms)
{
    for (size_t i = 0; slot->placements.n > 0 && i < p->n_places; i++) {
        if (at_ms < p->places[i].from_ms || at_ms >= p->places[i].until_ms)
            continue;
        for (size_t j = 0; j < slot->placements.n; j++)
            if (slot->placements.at[j] == p->places[i].area)
                return &slot->rule->placements[j];
    }
    return NULL;
}

/* --- what is said --- */

/* How long the bulletin keeps the outputs with the first 1, 2, ... languages. */
static struct session_measure measure(const struct profile *p, const struct rule *rule,
                                      const struct compile_bulletin *b, bool *ret_sound)
{
    struct session_measure m;
    size_t n = p->languages.n < SESSION_LANGUAGES_MAX ? p->languages.n : SESSION_LANGUAGES_MAX;
    for (size_t i = 0; i < SESSION_LANGUAGES_MAX; i++)
        m.length_ms[i] = -1;
    for (size_t i = 0; b && (i < n || i == 0); i++) {
        struct texts first = {p->languages.at, i < n ? i + 1 : 0};
        struct bulletin_use use = bulletin_use(b->bulletin, &first, p->kind);
        if (use.sound || use.text)
            m.length_ms[i] = item_length_ms(&use, item_show_ms(&use, rule->show_ms));
        *ret_sound = *ret_sound || use.sound;
    }
    return m;
}

static struct session_measure measure_relay(const struct session_part *part)
{
    struct session_measure m;
    for (size_t i = 0; i < SESSION_LANGUAGES_MAX; i++)
        m.length_ms[i] = part->length_ms > 0 ? part->length_ms : -1;
    return m;
}

/* A unit's own filler is for what lies in the unit. */
static bool fills_here(const struct compile_set *set, const struct profile *p, const struct compile_bulletin *b,
                       int64_t at_ms)
{
    if (!b->filler || !b->bulletin->category || !b->bulletin->unit)
        return b->filler && b->bulletin->category;
    uint32_t unit = set_name(set, NAME_AREA, b->bulletin->unit);
    for (size_t i = 0; i < p->n_places; i++)
        if (p->places[i].area == unit && at_ms >= p->places[i].from_ms && at_ms < p->places[i].until_ms)
            return true;
    return false;
}

/* The rule wants all of the device's languages, and the bulletin has not all. */
static bool incomplete(const struct profile *p, const struct rule *rule, const struct compile_bulletin *b)
{
    bool wanted = rule->session ? rule->session->languages == LANGUAGES_COMPLETE : rule->complete;
    return wanted && b && bulletin_lacks(b->bulletin, &p->languages, p->kind);
}

static void find_fillers(const struct compile_set *set, const struct profile *p, struct arena *arena, struct plan *plan)
{
    const struct session *session = plan->rule->session;
    if (session->n_topics == 0)
        return;
    plan->fillers = arena_alloc(arena, SET_FILLERS_MAX * sizeof(plan->fillers[0]));
    plan->filler_bulletins = arena_alloc(arena, SET_FILLERS_MAX * sizeof(plan->filler_bulletins[0]));
    for (size_t i = 0; i < set->n_bulletins && plan->n_fillers < SET_FILLERS_MAX; i++) {
        const struct compile_bulletin *b = set->bulletins[i];
        bool here = fills_here(set, p, b, plan->from_ms) && !incomplete(p, plan->rule, b);
        for (size_t t = 0; here && t < session->n_topics; t++) {
            if (strcmp(session->topics[t].topic, b->bulletin->category) != 0)
                continue;
            plan->filler_bulletins[plan->n_fillers] = b;
            plan->fillers[plan->n_fillers++] =
                (struct session_filler){b->hash, t, measure(p, plan->rule, b, &plan->sound)};
            break;
        }
    }
}

static enum problem_what plan_session(const struct compile_set *set, const struct profile *p, struct arena *arena,
                                      struct plan *plan)
{
    const struct session *session = plan->rule->session;
    bool missing = false;
    plan->parts = arena_alloc(arena, (session->n_parts + 1) * sizeof(plan->parts[0]));
    plan->part_bulletins = arena_alloc(arena, (session->n_parts + 1) * sizeof(plan->part_bulletins[0]));
    for (size_t i = 0; i < session->n_parts; i++) {
        const struct session_part *part = &session->parts[i];
        const struct compile_bulletin *b = part->bulletin ? set_bulletin(set, part->bulletin) : NULL;
        missing = missing || (part->bulletin && !b);
        bool lacks = incomplete(p, plan->rule, b);
        plan->n_incomplete += lacks;
        plan->sound = plan->sound || !part->bulletin;
        plan->part_bulletins[i] = b;
        plan->parts[i] = part->bulletin ? measure(p, plan->rule, lacks ? NULL : b, &plan->sound) : measure_relay(part);
    }
    plan->opening_bulletin = session->opening ? set_bulletin(set, session->opening) : NULL;
    plan->closing_bulletin = session->closing ? set_bulletin(set, session->closing) : NULL;
    plan->opening = measure(p, plan->rule, plan->opening_bulletin, &plan->sound);
    plan->closing = measure(p, plan->rule, plan->closing_bulletin, &plan->sound);
    missing = missing || (session->opening && !plan->opening_bulletin) || (session->closing && !plan->closing_bulletin);
    find_fillers(set, p, arena, plan);
    return missing ? PROBLEM_NO_BULLETIN : PROBLEMS;
}

/* What keeps the rule from being used here, or PROBLEMS. */
static enum problem_what plan_single(const struct compile_set *set, const struct profile *p, struct plan *plan)
{
    size_t all = p->languages.n < SESSION_LANGUAGES_MAX ? p->languages.n : SESSION_LANGUAGES_MAX;
    plan->bulletin = plan->rule->bulletin ? set_bulletin(set, plan->rule->bulletin) : NULL;
    if (!plan->bulletin)
        return PROBLEM_NO_BULLETIN;
    if (incomplete(p, plan->rule, plan->bulletin))
        return PROBLEM_LANGUAGE_MISSING;
    plan->single = measure(p, plan->rule, plan->bulletin, &plan->sound);
    return plan->single.length_ms[all > 0 ? all - 1 : 0] < 0 ? PROBLEM_NOTHING_HERE : PROBLEMS;
}

/* --- rules that hold --- */

static struct plan *add_plan(struct gather *g, const struct rule *rule, const struct epoch *epoch)
{
    if (g->n_plans == g->cap_plans) {
        g->cap_plans = g->cap_plans ? g->cap_plans * 2 : 32;
        g->plans = realloc(g->plans, g->cap_plans * sizeof(g->plans[0]));
        if (!g->plans)
            abort();
    }
    struct plan *plan = &g->plans[g->n_plans++];
    *plan = (struct plan){.rule = rule, .from_ms = epoch->from_ms, .until_ms = epoch->until_ms};
    return plan;
}

/* All its occurrences in the epoch are left out for this. */
static void leave_out(struct gather *g, const struct plan *plan, enum problem_what what)
{
    const struct expansion *e = plan->expansion;
    for (size_t i = 0; i < e->n; i++) {
        int64_t start_ms = e->start_s[i] * 1000;
        if (start_ms >= plan->from_ms && start_ms < plan->until_ms)
            timeline_problem(g->timeline, plan->rule, what, NULL, start_ms, false);
    }
}

static enum problem_what carried(const struct rule *rule, const struct rule_placement *placement)
{
    if (rule->carry != CARRY_OFFER || (placement && placement->taken))
        return PROBLEMS;
    return placement && placement->declined ? PROBLEM_DECLINED : PROBLEM_NOT_TAKEN;
}

static void plan_rule(struct gather *g, struct slot *slot, const struct epoch *epoch)
{
    const struct profile *p = &g->timeline->profile;
    const struct rule *rule = slot->rule;
    const struct rule_placement *placement = placement_at(slot, p, epoch->from_ms);
    struct plan *plan = add_plan(g, rule, epoch);
    bool moved = placement && placement->n_times > 0 && rule->carry != CARRY_DIRECT;
    plan->expansion = set_expand(g->set, slot, moved ? placement->times : NULL, moved ? placement->n_times : 0);
    enum problem_what what = carried(rule, placement);
    if (what == PROBLEMS && rule->class == CLASS_EMERGENCY)
        what = PROBLEM_EMERGENCY;
    if (what == PROBLEMS && rule->session) {
        enum problem_what missing = plan_session(g->set, p, g->timeline->arena, plan);
        if (missing != PROBLEMS)
            leave_out(g, plan, missing); /* parts of it; the others are said */
    } else if (what == PROBLEMS) {
        what = plan_single(g->set, p, plan);
    }
    if (what == PROBLEMS)
        return;
    leave_out(g, plan, what);
    g->n_plans--;
}

static int slot_cmp(const void *a, const void *b, void *arg)
{
    const struct slot *slots = arg;
    return rule_id_cmp(slots[*(const uint32_t *)a].rule->id, slots[*(const uint32_t *)b].rule->id);
}

void timeline_plan(struct compile_set *set, struct timeline *timeline)
{
    struct gather g = {.set = set, .timeline = timeline};
    const struct profile *p = &timeline->profile;
    set->gathering++;
    for (size_t i = 0; i < p->n_places; i++)
        meet_all(&g, p->places[i].area);
    for (size_t i = 0; i < p->n_groups; i++)
        meet_all(&g, p->groups[i]);
    if (p->device != NO_ID)
        meet_all(&g, p->device);
    if (g.n_slots > 0)
        qsort_r(g.slots, g.n_slots, sizeof(g.slots[0]), slot_cmp, set->slots);
    find_epochs(&g);
    for (size_t i = 0; i < g.n_slots; i++)
        for (size_t k = 0; k < g.n_epochs; k++)
            if (slot_targets(&set->slots[g.slots[i]], p, g.epochs[k].from_ms))
                plan_rule(&g, &set->slots[g.slots[i]], &g.epochs[k]);
    timeline->plans = arena_alloc(timeline->arena, (g.n_plans + 1) * sizeof(g.plans[0]));
    if (g.n_plans > 0)
        memcpy(timeline->plans, g.plans, g.n_plans * sizeof(g.plans[0]));
    timeline->n_plans = g.n_plans;
    free(g.slots);
    free(g.epochs);
    free(g.plans);
}
