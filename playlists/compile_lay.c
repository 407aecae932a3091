/* compile_lay.c - occurrences of the rules that hold for a device, day by day, in their parts, as limits allow. */
#include "playlists/compile_set.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct occurrence {
    int64_t start_s;
    uint32_t plan;
};

struct lay {
    struct timeline *timeline;
    struct occurrence *all; /* owned; by start, then plan */
    size_t n, cap;
    struct spot *spots; /* owned, becomes the caller's */
    size_t n_spots, cap_spots;
    struct session_layout layout;
    /* Of the civil day that is under way. */
    int64_t day_sessions, day_ms;
};

static int occurrence_cmp(const void *a, const void *b)
{
    const struct occurrence *x = a, *y = b;
    if (x->start_s != y->start_s)
        return x->start_s < y->start_s ? -1 : 1;
    return (x->plan > y->plan) - (x->plan < y->plan);
}

static bool asked_for(const struct lay *lay, int64_t start_ms)
{
    const struct soundings *s = lay->timeline->soundings;
    return !s || (start_ms >= s->from_ms && start_ms < s->until_ms);
}

static void gather(struct lay *lay)
{
    for (uint32_t i = 0; i < lay->timeline->n_plans; i++) {
        const struct plan *plan = &lay->timeline->plans[i];
        for (size_t k = 0; k < plan->expansion->n; k++) {
            int64_t start_s = plan->expansion->start_s[k];
            if (start_s * 1000 < plan->from_ms || start_s * 1000 >= plan->until_ms || !asked_for(lay, start_s * 1000))
                continue;
            if (lay->n == lay->cap) {
                lay->cap = lay->cap ? lay->cap * 2 : 256;
                lay->all = realloc(lay->all, lay->cap * sizeof(lay->all[0]));
                if (!lay->all)
                    abort();
            }
            lay->all[lay->n++] = (struct occurrence){start_s, i};
        }
    }
    if (lay->n > 0)
        qsort(lay->all, lay->n, sizeof(lay->all[0]), occurrence_cmp);
}

/* --- limits --- */

static_assert(LIMITS == 6, "a new kind of limit needs its problem; a ceiling is the device's own to keep");
static const enum problem_what problem_of[LIMITS] = {
    [LIMIT_QUIET_HOURS] = PROBLEM_QUIET_HOURS,
    [LIMIT_SESSIONS_PER_DAY] = PROBLEM_LIMIT_SESSIONS,
    [LIMIT_MINUTES_PER_SESSION] = PROBLEM_LIMIT_SESSION_MINUTES,
    [LIMIT_MINUTES_PER_DAY] = PROBLEM_LIMIT_MINUTES,
    [LIMIT_WEEKDAYS] = PROBLEM_LIMIT_DAYS,
};

static const struct limits *limits_of(const struct lay *lay)
{
    return &lay->timeline->profile.limits;
}

/* The lines of this limit are broken by the occurrence: false when one refuses it. `over`: by action. */
static bool passes(struct lay *lay, const struct plan *plan, int64_t start_ms, enum limit_what what, const bool over[2])
{
    if (over[LIMIT_REFUSE] && !limits_exempt(limits_of(lay), what, start_ms)) {
        timeline_problem(lay->timeline, plan->rule, problem_of[what], NULL, start_ms, false);
        return false;
    }
    if (over[LIMIT_WARN])
        timeline_problem(lay->timeline, plan->rule, problem_of[what], NULL, start_ms, true);
    return true;
}

static bool below_number(struct lay *lay, const struct plan *plan, int64_t start_ms, enum limit_what what, int64_t unit,
                         int64_t value)
{
    bool over[2];
    for (int action = LIMIT_WARN; action <= LIMIT_REFUSE; action++) {
        int64_t number = limits_number(limits_of(lay), what, (enum limit_action)action, start_ms, NULL);
        over[action] = number < INT64_MAX / unit && value > number * unit;
    }
    return passes(lay, plan, start_ms, what, over);
}

static void note_sounding(struct soundings *s, struct sounding sounding)
{
    if (!s)
        return;
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 64;
        s->at = realloc(s->at, s->cap * sizeof(s->at[0]));
        if (!s->at)
            abort();
    }
    s->at[s->n++] = sounding;
}

static bool day_allows(struct lay *lay, const struct plan *plan, int64_t start_ms, int64_t length_ms)
{
    const struct limits *limits = limits_of(lay);
    const bool closed[2] = {!limits_day_open(limits, LIMIT_WARN, start_ms, NULL),
                            !limits_day_open(limits, LIMIT_REFUSE, start_ms, NULL)};
    if (limits->n_lines == 0 || !plan->sound)
        return true;
    if (!passes(lay, plan, start_ms, LIMIT_WEEKDAYS, closed) ||
        !below_number(lay, plan, start_ms, LIMIT_MINUTES_PER_SESSION, 60000, length_ms))
        return false;
    note_sounding(lay->timeline->soundings, (struct sounding){start_ms, length_ms, plan->rule});
    if (!below_number(lay, plan, start_ms, LIMIT_SESSIONS_PER_DAY, 1, lay->day_sessions + 1) ||
        !below_number(lay, plan, start_ms, LIMIT_MINUTES_PER_DAY, 60000, lay->day_ms + length_ms))
        return false;
    lay->day_sessions++;
    lay->day_ms += length_ms;
    return true;
}

/* How long the slot may be: to the quiet hours, and as long as sessions may be. `ret_why`: what shortens it. */
static int64_t room_of(const struct lay *lay, const struct plan *plan, int64_t start_ms, enum problem_what *ret_why)
{
    const struct limits *limits = limits_of(lay);
    int64_t length_ms = plan->rule->session->length_ms;
    int64_t whole_ms = length_ms > 0 ? length_ms : SESSION_LENGTH_MAX_MS, room_ms = whole_ms;
    *ret_why = PROBLEM_CUT;
    if (limits->n_lines == 0)
        return length_ms;
    if (!limits_exempt(limits, LIMIT_QUIET_HOURS, start_ms)) {
        room_ms = timeline_quiet_from(lay->timeline, LIMIT_REFUSE, start_ms, start_ms + whole_ms) - start_ms;
        if (room_ms < whole_ms)
            *ret_why = PROBLEM_QUIET_HOURS;
    }
    int64_t minutes = limits_number(limits, LIMIT_MINUTES_PER_SESSION, LIMIT_REFUSE, start_ms, NULL);
    if (plan->sound && minutes < room_ms / 60000 && !limits_exempt(limits, LIMIT_MINUTES_PER_SESSION, start_ms)) {
        room_ms = minutes * 60000;
        *ret_why = PROBLEM_LIMIT_SESSION_MINUTES;
    }
    return room_ms < whole_ms ? room_ms : length_ms;
}

/* --- parts --- */

static void add_spot(struct lay *lay, struct spot spot)
{
    if (lay->n_spots == lay->cap_spots) {
        lay->cap_spots = lay->cap_spots ? lay->cap_spots * 2 : 256;
        lay->spots = realloc(lay->spots, lay->cap_spots * sizeof(lay->spots[0]));
        if (!lay->spots)
            abort();
    }
    lay->spots[lay->n_spots++] = spot;
    lay->timeline->plans[spot.plan].n_spots++;
}

static size_t languages_of(const struct lay *lay)
{
    size_t n = lay->timeline->profile.languages.n;
    return n < 1 ? 1 : n > SESSION_LANGUAGES_MAX ? SESSION_LANGUAGES_MAX : n;
}

static void lay_single(struct lay *lay, const struct occurrence *o)
{
    const struct plan *plan = &lay->timeline->plans[o->plan];
    int64_t length_ms = plan->single.length_ms[languages_of(lay) - 1];
    if (day_allows(lay, plan, o->start_s * 1000, length_ms))
        add_spot(lay, (struct spot){.start_ms = o->start_s * 1000,
                                    .occurrence_s = o->start_s,
                                    .length_ms = length_ms,
                                    .plan = o->plan,
                                    .of = PIECE_PART,
                                    .class = (uint8_t)plan->rule->class});
}

/* What became of the parts. */
static void tell_parts(struct lay *lay, const struct plan *plan, int64_t start_ms, enum problem_what why)
{
    const struct session_layout *layout = &lay->layout;
    struct timeline *timeline = lay->timeline;
    if (plan->n_incomplete > 0)
        timeline_problem(timeline, plan->rule, PROBLEM_LANGUAGE_MISSING, NULL, start_ms, false);
    if (layout->n_empty > plan->n_incomplete)
        timeline_problem(timeline, plan->rule, PROBLEM_NOTHING_HERE, NULL, start_ms, false);
    if (layout->n_languages < languages_of(lay))
        timeline_problem(timeline, plan->rule, PROBLEM_LANGUAGE_DROPPED, NULL, start_ms, false);
    if (layout->n_cut > 0)
        timeline_problem(timeline, plan->rule, layout->n_pieces > 0 || why != PROBLEM_CUT ? why : PROBLEM_SLOT_FULL,
                         NULL, start_ms, false);
    else if (layout->n_pieces == 0 && layout->n_empty == 0)
        timeline_problem(timeline, plan->rule, PROBLEM_NOTHING_HERE, NULL, start_ms, false);
}

static void lay_session(struct lay *lay, const struct occurrence *o)
{
    const struct plan *plan = &lay->timeline->plans[o->plan];
    int64_t start_ms = o->start_s * 1000;
    enum problem_what why;
    struct session_case wanted = {.session = plan->rule->session,
                                  .opening = &plan->opening,
                                  .closing = &plan->closing,
                                  .parts = plan->parts,
                                  .fillers = plan->fillers,
                                  .n_fillers = plan->n_fillers,
                                  .n_languages = languages_of(lay),
                                  .class = plan->rule->class,
                                  .seed = session_seed(plan->rule->id, o->start_s),
                                  .room_ms = room_of(lay, plan, start_ms, &why)};
    if (wanted.room_ms <= 0 && why != PROBLEM_CUT) {
        timeline_problem(lay->timeline, plan->rule, why, NULL, start_ms, false);
        return;
    }
    session_lay(&wanted, &lay->layout);
    tell_parts(lay, plan, start_ms, why);
    if (lay->layout.n_pieces == 0 || !day_allows(lay, plan, start_ms, lay->layout.length_ms))
        return;
    bool fewer = lay->layout.n_languages < languages_of(lay);
    for (size_t i = 0; i < lay->layout.n_pieces; i++) {
        const struct session_piece *piece = &lay->layout.pieces[i];
        add_spot(lay, (struct spot){.start_ms = start_ms + piece->offset_ms,
                                    .occurrence_s = o->start_s,
                                    .length_ms = piece->length_ms,
                                    .plan = o->plan,
                                    .nth = piece->nth,
                                    .index = (uint16_t)piece->index,
                                    .seq = (uint16_t)i,
                                    .of = (uint8_t)piece->of,
                                    .class = (uint8_t)piece->class,
                                    .n_languages = (uint8_t)(fewer ? lay->layout.n_languages : 0),
                                    .ended_early = piece->ended_early});
    }
}

/* --- day by day --- */

static int rank_cmp(const void *a, const void *b, void *arg)
{
    const struct plan *plans = arg;
    const struct occurrence *x = a, *y = b;
    const struct rule *p = plans[x->plan].rule, *q = plans[y->plan].rule;
    int order = (int)q->class - (int)p->class;
    if (order == 0)
        order = (q->carry == CARRY_MUST) - (p->carry == CARRY_MUST);
    return order ? order : occurrence_cmp(a, b);
}

/* Of rules that lay slots upon slots, millions of parts, the later ones are left out. Others keep all of theirs. */
static bool has_room(struct lay *lay, const struct occurrence *o)
{
    const struct plan *plan = &lay->timeline->plans[o->plan];
    if (lay->n_spots < TIMELINE_SPOTS_MAX || plan->n_spots < PLAYLIST_ITEMS_MAX)
        return true;
    timeline_problem(lay->timeline, plan->rule, PROBLEM_HORIZON, NULL, o->start_s * 1000, false);
    return false;
}

static uint64_t mix(uint64_t hash, int64_t number)
{
    return set_hash(hash, &number, sizeof(number));
}

static int64_t clamped(int64_t at_ms, int64_t from_ms, int64_t to_ms)
{
    return at_ms < from_ms ? 0 : at_ms > to_ms ? to_ms - from_ms : at_ms - from_ms;
}

/* The same for days of which one may stand for the other. */
static uint64_t day_key(const struct lay *lay, size_t from, size_t to, int64_t day)
{
    const struct limits *limits = limits_of(lay);
    int64_t start_ms = zone_instant_s(limits->zone, day, 0, NULL) * 1000;
    int64_t next_ms = zone_instant_s(limits->zone, day + 1, 0, NULL) * 1000;
    uint64_t key = mix(UINT64_C(14695981039346656037), next_ms - start_ms);
    for (size_t i = from; i < to; i++)
        key = mix(mix(key, lay->all[i].start_s * 1000 - start_ms), lay->all[i].plan);
    for (size_t i = 0; i < limits->n_lines; i++) { /* a slot may reach into the next day */
        const struct limit_line *line = &limits->lines[i];
        key = mix(key, clamped(line->from_ms, start_ms, next_ms + SET_DAY_MS));
        key = mix(key, line->until_ms ? clamped(line->until_ms, start_ms, next_ms + SET_DAY_MS) : -1);
        key = mix(key, line->what == LIMIT_WEEKDAYS ? civil_weekday(day) : 0);
    }
    for (size_t i = 0; i < limits->n_exemptions; i++)
        key = mix(key, day >= limits->exemptions[i].from_date && day <= limits->exemptions[i].until_date);
    return key;
}

/* Another day stands for it. None does for the first one, nor that for others: part of it is over. */
static bool stood_for(struct lay *lay, size_t from, size_t to, int64_t day)
{
    struct soundings *s = lay->timeline->soundings;
    int64_t index = s ? day - s->first_day : -1;
    if (index < 0 || index >= SOUNDING_DAYS_MAX)
        return false;
    s->keys[index] = day_key(lay, from, to, day);
    s->like[index] = (uint16_t)index;
    for (int64_t i = 1; i < index; i++)
        if (s->like[i] == i && s->keys[i] == s->keys[index])
            s->like[index] = (uint16_t)i;
    return s->like[index] != index;
}

/* Of what is too much for a day the lower class goes first, then what need not be carried, then what is later. */
static void lay_day(struct lay *lay, size_t from, size_t to)
{
    lay->day_sessions = lay->day_ms = 0;
    if (limits_of(lay)->n_lines > 0)
        qsort_r(lay->all + from, to - from, sizeof(lay->all[0]), rank_cmp, lay->timeline->plans);
    for (size_t i = from; i < to; i++) {
        if (!has_room(lay, &lay->all[i]))
            continue;
        if (lay->timeline->plans[lay->all[i].plan].rule->session)
            lay_session(lay, &lay->all[i]);
        else
            lay_single(lay, &lay->all[i]);
    }
}

void timeline_lay(struct timeline *timeline, struct spot **ret_spots, size_t *ret_n)
{
    struct lay *lay = xcalloc(1, sizeof(*lay));
    lay->timeline = timeline;
    gather(lay);
    bool days = limits_of(lay)->zone && limits_of(lay)->n_lines > 0;
    for (size_t from = 0, to; from < lay->n; from = to) {
        int64_t day = days ? limits_day(limits_of(lay), lay->all[from].start_s * 1000) : 0;
        for (to = from + 1; to < lay->n; to++)
            if (days && limits_day(limits_of(lay), lay->all[to].start_s * 1000) != day)
                break;
        if (!stood_for(lay, from, to, day))
            lay_day(lay, from, to);
    }
    *ret_spots = lay->spots;
    *ret_n = lay->n_spots;
    free(lay->all);
    free(lay);
}
