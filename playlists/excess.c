/* excess.c - see excess.h and excess_look.h. */
#include "playlists/excess_look.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* What is wanted of one day. */
struct want {
    int64_t sessions, ms;
};

struct day {
    const struct sounding *at;
    size_t n;
    const uint16_t *like; /* soundings.like: days that it stands for */
    struct want all, own;
    int64_t start_ms; /* of the rule's first one from its next time on */
};

/* Devices that are alike. */
struct group {
    const struct compile_device *device;
    size_t n;
    int64_t first_day;
    struct soundings former; /* at: owned */
    bool former_known;
};

bool excess_possible(const struct limits *limits)
{
    for (size_t i = 0; limits->zone && i < limits->n_lines; i++)
        if (limits->lines[i].what == LIMIT_SESSIONS_PER_DAY || limits->lines[i].what == LIMIT_MINUTES_PER_DAY)
            return true;
    return false;
}

/* --- what sounds --- */

static int64_t midnight_ms(const struct limits *limits, int64_t day)
{
    return zone_instant_s(limits->zone, day, 0, NULL) * 1000;
}

/* Of the days that are looked at. `timeline` has its profile and plans. */
static void listen(struct timeline *timeline, int64_t first_day, struct soundings *ret)
{
    const struct limits *limits = &timeline->profile.limits;
    struct spot *spots;
    size_t n;
    *ret = (struct soundings){.from_ms = midnight_ms(limits, first_day),
                              .until_ms = midnight_ms(limits, first_day + EXCESS_DAYS),
                              .first_day = first_day};
    static_assert((int)EXCESS_DAYS <= (int)SOUNDING_DAYS_MAX, "all that is listened to may be laid");
    for (size_t i = 0; i < EXCESS_DAYS; i++)
        ret->like[i] = SOUNDING_NONE;
    for (int action = LIMIT_WARN; action <= LIMIT_REFUSE; action++)
        timeline->quiet[action].n = limits_quiet_spans(limits, (enum limit_action)action, ret->from_ms,
                                                       ret->until_ms + 2 * SET_DAY_MS, &timeline->quiet[action].at);
    timeline->soundings = ret;
    timeline_lay(timeline, &spots, &n);
    timeline->soundings = NULL;
    free(spots);
    for (int action = LIMIT_WARN; action <= LIMIT_REFUSE; action++) {
        free(timeline->quiet[action].at);
        timeline->quiet[action] = (struct quiet){0};
    }
}

static void add(struct want *want, const struct sounding *sounding)
{
    want->sessions++;
    want->ms += sounding->length_ms;
}

static bool is_hit(const struct excess_look *look, const struct sounding *sounding)
{
    for (size_t i = 0; i < look->n_hit; i++) {
        const struct clash *clash = &look->hit[i];
        int64_t day;
        int32_t second;
        if (clash->other != sounding->rule)
            continue;
        zone_civil(clash->other->recur.zone, sounding->start_ms / 1000, &day, &second);
        for (size_t k = 0; k < clash->n_other_days; k++)
            if (clash->other_days[k] == day)
                return true;
        return clash->other_whole && sounding->start_ms >= look->from_ms;
    }
    return false;
}

/* What the former rule wants of the group's days. */
static void listen_to_former(struct excess_look *look, struct group *group)
{
    const struct rule *former = look->former;
    if (!former || group->former_known)
        return;
    group->former_known = true;
    if (!look->former_set)
        look->former_set = compile_set_new(former, 1, look->bulletins, look->n_bulletins, look->from_ms,
                                           look->from_ms + (EXCESS_DAYS + 2) * SET_DAY_MS);
    struct timeline timeline = {
        .set = look->former_set, .arena = arena_new(), .profile = set_profile(look->former_set, group->device)};
    timeline_plan(look->former_set, &timeline);
    listen(&timeline, group->first_day, &group->former);
    profile_done(&timeline.profile);
    free(timeline.problems);
    arena_free(timeline.arena);
}

static struct want wanted_before(struct excess_look *look, struct group *group, int64_t index)
{
    struct want want = {0};
    listen_to_former(look, group);
    for (size_t i = 0; group->former_known && i < group->former.n; i++)
        if (limits_day(&group->device->limits, group->former.at[i].start_ms) - group->first_day ==
            group->former.like[index])
            add(&want, &group->former.at[i]);
    return want;
}

/* --- what is too much --- */

static int64_t amount(const struct want *want, enum limit_what what)
{
    return what == LIMIT_SESSIONS_PER_DAY ? want->sessions : want->ms;
}

/* As text NULL is equal to NULL. */
static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_line(const struct limit_line *a, const struct limit_line *b)
{
    return a->what == b->what && a->action == b->action && a->number == b->number && same_text(a->area, b->area) &&
           same_text(a->authority, b->authority);
}

static struct excess_found *found_of(struct excess_look *look, const struct limit_line *line, bool worse)
{
    for (size_t i = 0; i < look->n; i++)
        if (look->found[i].excess.worse == worse && same_line(look->found[i].excess.line, line))
            return &look->found[i];
    if (look->n == look->cap) {
        look->cap = look->cap ? look->cap * 2 : 8;
        look->found = realloc(look->found, look->cap * sizeof(look->found[0]));
        if (!look->found)
            abort();
    }
    look->found[look->n] = (struct excess_found){.excess = {.line = line, .worse = worse, .start_ms = INT64_MAX}};
    return &look->found[look->n++];
}

static void name_others(const struct excess_look *look, const struct day *day, struct excess *excess)
{
    excess->n_others = 0;
    for (size_t i = 0; i < day->n; i++) {
        const struct rule *rule = day->at[i].rule;
        bool known = rule == look->rule || is_hit(look, &day->at[i]);
        for (size_t k = 0; k < i && !known; k++)
            known = day->at[k].rule == rule && !is_hit(look, &day->at[k]);
        if (known)
            continue;
        if (excess->n_others < EXCESS_OTHERS_MAX)
            excess->others[excess->n_others] = rule;
        excess->n_others++;
    }
}

/* The line that the day breaks, asked at each occurrence as compile() does; NULL: none. */
static const struct limit_line *broken(const struct excess_look *look, const struct limits *limits,
                                       const struct day *day, enum limit_what what, enum limit_action action)
{
    int64_t unit = what == LIMIT_SESSIONS_PER_DAY ? 1 : 60000;
    struct want want = {0};
    for (size_t i = 0; i < day->n; i++) {
        const struct sounding *sounding = &day->at[i];
        const struct limit_line *line = NULL;
        if (is_hit(look, sounding))
            continue;
        add(&want, sounding);
        int64_t number = limits_number(limits, what, action, sounding->start_ms, &line);
        if (line && number < INT64_MAX / unit && amount(&want, what) > number * unit &&
            amount(&day->own, what) <= number * unit && !limits_exempt(limits, what, sounding->start_ms))
            return line;
    }
    return NULL;
}

static void tell(struct excess_look *look, struct group *group, const struct day *day, const struct limit_line *line)
{
    int64_t index = limits_day(&group->device->limits, day->start_ms) - group->first_day;
    int64_t all = amount(&day->all, line->what);
    struct want before = wanted_before(look, group, index);
    struct excess_found *found = found_of(look, line, amount(&day->own, line->what) > amount(&before, line->what));
    struct excess *excess = &found->excess;
    if (found->counted != group->device)
        excess->n_devices += group->n;
    found->counted = group->device;
    for (size_t i = 0; i < EXCESS_DAYS; i++)
        excess->days[i] = excess->days[i] || day->like[i] == index;
    if (day->start_ms >= excess->start_ms)
        return;
    excess->line = line;
    excess->device = group->device;
    excess->start_ms = day->start_ms;
    excess->wanted = line->what == LIMIT_SESSIONS_PER_DAY ? all : (all + 59999) / 60000;
    name_others(look, day, excess);
}

static void look_at_day(struct excess_look *look, struct group *group, const struct day *day)
{
    static const enum limit_what limited[] = {LIMIT_SESSIONS_PER_DAY, LIMIT_MINUTES_PER_DAY};
    for (size_t i = 0; i < sizeof(limited) / sizeof(limited[0]); i++)
        for (int action = LIMIT_WARN; action <= LIMIT_REFUSE; action++) {
            const struct limit_line *line =
                broken(look, &group->device->limits, day, limited[i], (enum limit_action)action);
            if (line)
                tell(look, group, day, line);
        }
}

/* False when the rule has nothing there from its next time on, or all of it. */
static bool sum_up(const struct excess_look *look, struct day *day)
{
    day->start_ms = INT64_MAX;
    for (size_t i = 0; i < day->n; i++) {
        const struct sounding *sounding = &day->at[i];
        if (is_hit(look, sounding))
            continue;
        add(&day->all, sounding);
        if (sounding->rule != look->rule)
            continue;
        add(&day->own, sounding);
        if (sounding->start_ms >= look->from_ms && sounding->start_ms < day->start_ms)
            day->start_ms = sounding->start_ms;
    }
    return day->start_ms < INT64_MAX && day->own.sessions < day->all.sessions;
}

void excess_look_at(struct excess_look *look, struct timeline *timeline, const struct compile_device *device,
                    size_t n_alike)
{
    const struct limits *limits = &device->limits;
    struct group group = {.device = device, .n = n_alike, .first_day = limits_day(limits, look->from_ms)};
    struct soundings soundings;
    listen(timeline, group.first_day, &soundings);
    for (size_t from = 0, to; from < soundings.n; from = to) {
        int64_t date = limits_day(limits, soundings.at[from].start_ms);
        for (to = from + 1; to < soundings.n; to++)
            if (limits_day(limits, soundings.at[to].start_ms) != date)
                break;
        struct day day = {.at = &soundings.at[from], .n = to - from, .like = soundings.like};
        if (sum_up(look, &day))
            look_at_day(look, &group, &day);
    }
    free(soundings.at);
    free(group.former.at);
}

size_t excess_days(const struct excess *excess)
{
    size_t n = 0;
    for (size_t i = 0; i < EXCESS_DAYS; i++)
        n += excess->days[i];
    return n;
}

static int excess_cmp(const void *a, const void *b)
{
    const struct excess *x = a, *y = b;
    bool x_refused = x->worse && x->line->action == LIMIT_REFUSE,
         y_refused = y->worse && y->line->action == LIMIT_REFUSE;
    if (x_refused != y_refused)
        return x_refused ? -1 : 1;
    if (x->start_ms != y->start_ms)
        return x->start_ms < y->start_ms ? -1 : 1;
    if (x->line->what != y->line->what)
        return x->line->what < y->line->what ? -1 : 1;
    int order = strcmp(x->line->area ? x->line->area : "", y->line->area ? y->line->area : "");
    return order ? order : (x->line->number > y->line->number) - (x->line->number < y->line->number);
}

void excess_done(struct excess_look *look, struct arena *arena, struct excess_report *ret)
{
    *ret = (struct excess_report){.at = arena_alloc(arena, (look->n + 1) * sizeof(ret->at[0])), .n = look->n};
    for (size_t i = 0; i < look->n; i++)
        ret->at[i] = look->found[i].excess;
    qsort(ret->at, ret->n, sizeof(ret->at[0]), excess_cmp);
    compile_set_free(look->former_set);
    free(look->found);
}
