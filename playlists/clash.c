/* clash.c - see clash.h. Devices that are alike are looked at once. */
#include "playlists/clash.h"

#include "playlists/excess_look.h"

#include <stdlib.h>
#include <string.h>

enum {
    MINUTES = 1440,
    DAYS_BEFORE = 2, /* beside those looked at: what began the day before, in whichever zone */
    DAYS_AFTER = 4,
};

/* Devices that are alike. */
struct alike {
    struct profile profile;
    struct buf key;
    const struct compile_device *device; /* one of them */
    size_t n;
};

/* When a rule is on at a group of devices. */
struct stretch {
    const struct expansion *expansion;
    int64_t length_ms;
    int64_t from_ms, until_ms; /* as of the plan */
};

/* Two that were held against each other: many groups have the same ones. */
struct looked {
    struct stretch mine, theirs;
    bool overlap;
};

/* What is known of one other rule. Days are counted from the first one that is looked at. */
struct against {
    struct clash clash;
    bool *days, *other_days, *other_all; /* owned */
    struct looked *looked;               /* owned */
    size_t n_looked;
};

struct search {
    const struct rule *rule;
    struct compile_set *set;
    int64_t from_ms, until_ms;
    int64_t first_day;
    size_t n_days;
    struct alike *alike; /* owned */
    size_t n_alike, cap_alike;
    struct against *against; /* owned; of each of set->slots */
    bool *rule_days;         /* owned: it holds there */
    bool busy[2 * MINUTES];  /* minutes of its days and the days after */
    int64_t length_ms;       /* the longest that it takes anywhere */
    size_t n_devices;
    size_t at; /* the group that is looked at */
    struct excess_look excess;
    struct clash_report *ret;
};

struct span {
    int64_t from_ms, to_ms;
};

/* --- devices --- */

static int alike_cmp(const void *a, const void *b)
{
    const struct alike *x = a, *y = b;
    if (x->key.len != y->key.len)
        return x->key.len < y->key.len ? -1 : 1;
    return x->key.len ? memcmp(x->key.data, y->key.data, x->key.len) : 0;
}

static void alike_done(struct alike *alike)
{
    profile_done(&alike->profile);
    buf_done(&alike->key);
}

static bool reaches(const struct search *s, const struct profile *p)
{
    for (size_t i = 0; i < s->set->n_slots; i++) {
        const struct slot *slot = &s->set->slots[i];
        if (slot->rule != s->rule)
            continue;
        bool found = slot_targets(slot, p, s->from_ms);
        for (size_t k = 0; k < p->n_places && !found; k++)
            found = slot_targets(slot, p, p->places[k].from_ms);
        return found;
    }
    return false;
}

static void gather_devices(struct search *s, const struct compile_device *devices, size_t n)
{
    s->alike = xcalloc(n + 1, sizeof(s->alike[0]));
    for (size_t i = 0; i < n; i++) {
        struct alike one = {.profile = set_profile(s->set, &devices[i]), .device = &devices[i], .n = 1};
        if (!reaches(s, &one.profile)) {
            alike_done(&one);
            continue;
        }
        profile_key(&one.profile, &one.key);
        s->alike[s->n_alike++] = one;
    }
    s->n_devices = s->n_alike;
    qsort(s->alike, s->n_alike, sizeof(s->alike[0]), alike_cmp);
    size_t kept = 0;
    for (size_t i = 0; i < s->n_alike; i++) {
        if (kept > 0 && alike_cmp(&s->alike[kept - 1], &s->alike[i]) == 0) {
            s->alike[kept - 1].n++;
            alike_done(&s->alike[i]);
        } else {
            s->alike[kept++] = s->alike[i];
        }
    }
    s->n_alike = kept;
}

/* --- overlaps --- */

static bool may_clash(const struct rule *a, const struct rule *b)
{
    return a->class == b->class || (a->class > CLASS_FILLER && b->class > CLASS_FILLER);
}

static int64_t length_of(const struct plan *plan, const struct profile *p)
{
    size_t n = p->languages.n < 1 ? 1 : p->languages.n > SESSION_LANGUAGES_MAX ? SESSION_LANGUAGES_MAX : p->languages.n;
    if (!plan->rule->session)
        return plan->single.length_ms[n - 1];
    if (plan->rule->session->length_ms > 0)
        return plan->rule->session->length_ms;
    struct session_case wanted = {.session = plan->rule->session,
                                  .opening = &plan->opening,
                                  .closing = &plan->closing,
                                  .parts = plan->parts,
                                  .n_languages = n,
                                  .class = plan->rule->class};
    return session_length_ms(&wanted);
}

static size_t day_of(const struct search *s, const struct zone *zone, int64_t at_ms)
{
    int64_t day;
    int32_t second;
    zone_civil(zone, at_ms / 1000, &day, &second);
    int64_t index = day - s->first_day;
    return index < 0 ? 0 : (size_t)index >= s->n_days ? s->n_days - 1 : (size_t)index;
}

static bool holds_at(const struct search *s, const struct stretch *stretch, int64_t start_ms)
{
    return start_ms >= stretch->from_ms && start_ms < stretch->until_ms && start_ms + stretch->length_ms > s->from_ms &&
           start_ms < s->until_ms;
}

static struct stretch stretch_of(const struct plan *plan, const struct profile *p)
{
    return (struct stretch){plan->expansion, length_of(plan, p), plan->from_ms, plan->until_ms};
}

static void note(struct search *s, struct against *a, const struct rule *other, struct span mine, struct span theirs)
{
    struct clash *clash = &a->clash;
    int64_t from_ms = mine.from_ms > theirs.from_ms ? mine.from_ms : theirs.from_ms;
    if (!clash->other || from_ms < clash->from_ms ||
        (from_ms == clash->from_ms && theirs.from_ms < clash->other_start_ms)) {
        clash->from_ms = from_ms;
        clash->to_ms = mine.to_ms < theirs.to_ms ? mine.to_ms : theirs.to_ms;
        clash->start_ms = mine.from_ms;
        clash->other_start_ms = theirs.from_ms;
        clash->other_end_ms = theirs.to_ms;
    }
    clash->other = other;
    a->days[day_of(s, s->rule->recur.zone, mine.from_ms)] = true;
    a->other_days[day_of(s, other->recur.zone, theirs.from_ms)] = true;
}

static void days_known(struct search *s, struct against *a)
{
    if (a->days)
        return;
    a->days = xcalloc(s->n_days, sizeof(bool));
    a->other_days = xcalloc(s->n_days, sizeof(bool));
    a->other_all = xcalloc(s->n_days, sizeof(bool));
}

/* Both lists ascend. True when any two overlap. */
static bool compare(struct search *s, const struct stretch *mine, const struct plan *theirs,
                    const struct stretch *stretch, struct against *a)
{
    const struct expansion *x = mine->expansion, *y = stretch->expansion;
    size_t first = 0;
    bool overlap = false;
    for (size_t i = 0; i < x->n; i++) {
        struct span span = {x->start_s[i] * 1000, x->start_s[i] * 1000 + mine->length_ms};
        if (!holds_at(s, mine, span.from_ms))
            continue;
        while (first < y->n && y->start_s[first] * 1000 + stretch->length_ms <= span.from_ms)
            first++;
        for (size_t k = first; k < y->n && y->start_s[k] * 1000 < span.to_ms; k++) {
            struct span other = {y->start_s[k] * 1000, y->start_s[k] * 1000 + stretch->length_ms};
            if (!holds_at(s, stretch, other.from_ms))
                continue;
            note(s, a, theirs->rule, span, other);
            overlap = true;
        }
    }
    return overlap;
}

/* --- free times --- */

/* Minutes of this span are taken on whichever of the rule's days it lies. */
static void take(struct search *s, int64_t from_ms, int64_t to_ms)
{
    const struct zone *zone = s->rule->recur.zone;
    size_t last = day_of(s, zone, to_ms), day = day_of(s, zone, from_ms);
    for (day = day > 0 ? day - 1 : 0; day <= last; day++) {
        if (!s->rule_days[day])
            continue;
        int64_t midnight_ms = zone_instant_s(zone, s->first_day + (int64_t)day, 0, NULL) * 1000;
        int64_t from = (from_ms - midnight_ms) / 60000, to = (to_ms - midnight_ms + 59999) / 60000;
        for (int64_t m = from > 0 ? from : 0; m < to && m < 2 * MINUTES; m++)
            s->busy[m] = true;
    }
}

static bool is_free(const struct search *s, int64_t minute, int64_t n)
{
    if (minute < 0 || minute >= MINUTES)
        return false;
    for (int64_t m = minute; m < minute + n && m < 2 * MINUTES; m++)
        if (s->busy[m])
            return false;
    return true;
}

static int64_t free_minute(const struct search *s, int64_t wanted, int64_t n, bool before)
{
    for (int64_t off = 0; off < MINUTES; off++) {
        if (is_free(s, wanted + off, n))
            return wanted + off;
        if (before && is_free(s, wanted - off, n))
            return wanted - off;
    }
    return -1;
}

/* Each time once; what is placed takes its minutes too. */
static void find_way(struct search *s, bool before, struct clash_way *ret)
{
    int64_t n = (s->length_ms + 59999) / 60000;
    bool busy[2 * MINUTES];
    memcpy(busy, s->busy, sizeof(busy));
    ret->possible = true;
    ret->n_times = s->rule->recur.n_times;
    for (size_t i = 0; i < ret->n_times && ret->possible; i++) {
        int32_t second = s->rule->recur.times[i];
        int64_t minute = free_minute(s, second / 60, n, before);
        ret->possible = minute >= 0;
        ret->times[i] = minute == second / 60 ? second : (int32_t)minute * 60;
        for (int64_t m = minute; minute >= 0 && m < minute + n && m < 2 * MINUTES; m++)
            s->busy[m] = true;
    }
    memcpy(s->busy, busy, sizeof(busy));
}

static void take_quiet(struct search *s, const struct limits *limits)
{
    struct limit_span *spans;
    size_t n = limits_quiet_spans(limits, LIMIT_REFUSE, s->from_ms, s->until_ms, &spans);
    for (size_t i = 0; i < n; i++)
        take(s, spans[i].from_ms, spans[i].to_ms);
    free(spans);
}

/* --- one group of devices --- */

static struct against *against_of(struct search *s, const struct rule *other)
{
    size_t i = 0;
    while (s->set->slots[i].rule != other)
        i++;
    days_known(s, &s->against[i]);
    return &s->against[i];
}

/* The minutes that the other one takes, and the days on which it holds. */
static void take_all(struct search *s, struct against *a, const struct rule *other, const struct stretch *theirs)
{
    for (size_t k = 0; k < theirs->expansion->n; k++) {
        int64_t start_ms = theirs->expansion->start_s[k] * 1000;
        if (!holds_at(s, theirs, start_ms))
            continue;
        a->other_all[day_of(s, other->recur.zone, start_ms)] = true;
        take(s, start_ms, start_ms + theirs->length_ms);
    }
}

static bool overlaps(struct search *s, struct against *a, const struct stretch *mine, const struct plan *plan,
                     const struct stretch *theirs)
{
    for (size_t i = 0; i < a->n_looked; i++)
        if (memcmp(&a->looked[i].mine, mine, sizeof(*mine)) == 0 &&
            memcmp(&a->looked[i].theirs, theirs, sizeof(*theirs)) == 0)
            return a->looked[i].overlap;
    if ((a->n_looked & (a->n_looked - 1)) == 0) { /* room for a power of two */
        a->looked = realloc(a->looked, (a->n_looked ? a->n_looked * 2 : 1) * sizeof(a->looked[0]));
        if (!a->looked)
            abort();
    }
    take_all(s, a, plan->rule, theirs);
    bool overlap = compare(s, mine, plan, theirs, a);
    a->looked[a->n_looked++] = (struct looked){*mine, *theirs, overlap};
    return overlap;
}

static void look_at_plan(struct search *s, const struct plan *plans, size_t n, const struct plan *plan,
                         const struct profile *p, size_t *counted)
{
    struct against *a = against_of(s, plan->rule);
    struct stretch theirs = stretch_of(plan, p);
    bool hit = false;
    for (size_t i = 0; i < n; i++) {
        struct stretch mine = stretch_of(&plans[i], p);
        if (plans[i].rule == s->rule)
            hit = overlaps(s, a, &mine, plan, &theirs) || hit;
    }
    size_t index = (size_t)(a - s->against);
    if (hit && *counted != index + 1) /* its plans follow each other */
        a->clash.n_devices += s->alike[s->at].n;
    *counted = hit ? index + 1 : *counted;
}

static void look_at(struct search *s, struct alike *alike)
{
    struct timeline timeline = {.set = s->set, .arena = arena_new(), .profile = alike->profile};
    size_t counted = 0;
    timeline_plan(s->set, &timeline);
    for (size_t i = 0; i < timeline.n_plans; i++) {
        const struct plan *plan = &timeline.plans[i];
        int64_t length_ms = plan->rule == s->rule ? length_of(plan, &alike->profile) : 0;
        s->length_ms = length_ms > s->length_ms ? length_ms : s->length_ms;
    }
    for (size_t i = 0; i < timeline.n_plans; i++)
        if (timeline.plans[i].rule != s->rule && may_clash(s->rule, timeline.plans[i].rule))
            look_at_plan(s, timeline.plans, timeline.n_plans, &timeline.plans[i], &alike->profile, &counted);
    take_quiet(s, &alike->profile.limits);
    if (excess_possible(&alike->profile.limits))
        excess_look_at(&s->excess, &timeline, alike->device, alike->n);
    free(timeline.problems);
    arena_free(timeline.arena);
}

/* --- the report --- */

static const int64_t *day_list(const struct search *s, const bool *days, struct arena *arena, size_t *ret_n)
{
    int64_t *list = arena_alloc(arena, (s->n_days + 1) * sizeof(*list));
    size_t n = 0;
    for (size_t i = 0; i < s->n_days && n < CLASH_DAYS_MAX; i++)
        if (days[i])
            list[n++] = s->first_day + (int64_t)i;
    *ret_n = n;
    return list;
}

static void finish(const struct search *s, struct against *a, struct arena *arena)
{
    struct clash *clash = &a->clash;
    clash->every_week = true;
    clash->other_whole = true;
    clash->days = day_list(s, a->days, arena, &clash->n_days);
    clash->other_days = day_list(s, a->other_days, arena, &clash->n_other_days);
    for (size_t i = 0; i < s->n_days; i++) {
        if (a->days[i])
            clash->weekdays |= (uint8_t)(1U << (civil_weekday(s->first_day + (int64_t)i) - 1));
        clash->other_whole = clash->other_whole && (!a->other_all[i] || a->other_days[i]);
    }
    /* Only days that lie whole in the time looked at: of the first one the rule's times may be past already. */
    for (size_t i = DAYS_BEFORE + 1; i + DAYS_AFTER < s->n_days; i++)
        if (s->rule_days[i] && !a->days[i] && clash->weekdays & 1U << (civil_weekday(s->first_day + (int64_t)i) - 1))
            clash->every_week = false;
}

static int clash_cmp(const void *a, const void *b)
{
    const struct clash *x = a, *y = b;
    if (x->from_ms != y->from_ms)
        return x->from_ms < y->from_ms ? -1 : 1;
    return rule_id_cmp(x->other->id, y->other->id);
}

static void report(struct search *s, struct arena *arena)
{
    struct clash_report *ret = s->ret;
    ret->clashes = arena_alloc(arena, (s->set->n_slots + 1) * sizeof(ret->clashes[0]));
    for (size_t i = 0; i < s->set->n_slots; i++) {
        struct against *a = &s->against[i];
        if (a->clash.other) {
            finish(s, a, arena);
            ret->clashes[ret->n++] = a->clash;
        }
    }
    qsort(ret->clashes, ret->n, sizeof(ret->clashes[0]), clash_cmp);
    find_way(s, false, &ret->after);
    find_way(s, true, &ret->shift);
    ret->n_devices = s->n_devices;
}

static void find_days(struct search *s)
{
    int64_t last_day;
    int32_t second;
    zone_civil(s->rule->recur.zone, s->from_ms / 1000, &s->first_day, &second);
    zone_civil(s->rule->recur.zone, s->until_ms / 1000, &last_day, &second);
    s->first_day -= DAYS_BEFORE;
    s->n_days = (size_t)(last_day - s->first_day + DAYS_AFTER);
    s->rule_days = xcalloc(s->n_days, sizeof(bool));
    for (size_t i = DAYS_BEFORE; i < s->n_days; i++)
        s->rule_days[i] = recur_on(&s->rule->recur, s->first_day + (int64_t)i);
}

static void search_done(struct search *s)
{
    for (size_t i = 0; i < s->n_alike; i++)
        alike_done(&s->alike[i]);
    for (size_t i = 0; i < s->set->n_slots; i++) {
        free(s->against[i].days);
        free(s->against[i].other_days);
        free(s->against[i].other_all);
        free(s->against[i].looked);
    }
    free(s->alike);
    free(s->against);
    free(s->rule_days);
    compile_set_free(s->set);
}

/* Again, without the days that the others would leave out. */
static void look_replaced(struct search *s, struct excess_look look, struct arena *arena)
{
    look.hit = s->ret->clashes;
    look.n_hit = s->ret->n;
    for (size_t i = 0; i < s->n_alike; i++) {
        struct alike *alike = &s->alike[i];
        struct timeline timeline = {.set = s->set, .profile = alike->profile};
        if (!excess_possible(&alike->profile.limits))
            continue;
        timeline.arena = arena_new();
        timeline_plan(s->set, &timeline);
        excess_look_at(&look, &timeline, alike->device, alike->n);
        free(timeline.problems);
        arena_free(timeline.arena);
    }
    excess_done(&look, arena, &s->ret->excess_replaced);
}

static const struct rule *former_of(const struct rule *rule, const struct rule *others, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(others[i].id, rule->id) == 0)
            return &others[i];
    return NULL;
}

void clash_find(const struct rule *rule, const struct rule *others, size_t n_others,
                const struct compile_bulletin *bulletins, size_t n_bulletins, const struct compile_device *devices,
                size_t n_devices, int64_t from_ms, int64_t until_ms, struct arena *arena, struct clash_report *ret)
{
    const struct excess_look look = {.rule = rule,
                                     .former = former_of(rule, others, n_others),
                                     .bulletins = bulletins,
                                     .n_bulletins = n_bulletins,
                                     .from_ms = from_ms};
    struct search s = {.rule = rule, .from_ms = from_ms, .until_ms = until_ms, .ret = ret};
    *ret = (struct clash_report){0};
    s.set = compile_set_new(others, n_others, bulletins, n_bulletins, from_ms, until_ms);
    compile_set_rule(s.set, rule->id, rule);
    s.against = xcalloc(s.set->n_slots, sizeof(s.against[0]));
    s.excess = look;
    find_days(&s);
    gather_devices(&s, devices, n_devices);
    for (s.at = 0; s.at < s.n_alike; s.at++)
        look_at(&s, &s.alike[s.at]);
    report(&s, arena);
    excess_done(&s.excess, arena, &ret->excess);
    ret->excess_replaced = ret->excess;
    if (ret->n > 0 && ret->excess.n > 0)
        look_replaced(&s, look, arena);
    search_done(&s);
}
