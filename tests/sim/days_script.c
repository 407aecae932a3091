/* days_script.c - see days_script.h. */
#include "tests/sim/days_script.h"

#include "firmware/agent_parts.h"

#include <stdlib.h>

static void put_turn(struct days_script *script, struct sim_turn turn)
{
    if (script->n_turns == DAYS_TURNS_MAX)
        abort();
    turn.at_ms = sim_true_ms();
    script->turns[script->n_turns++] = turn;
}

/* What was asked at this very moment was asked before this. */
void days_script_add(struct days_script *script, struct sim_turn turn)
{
    if (script->asked_ms == sim_true_ms())
        for (size_t i = 0; i < script->n_asked; i++)
            put_turn(script, (struct sim_turn){.kind = SIM_ASK});
    script->n_asked = 0;
    put_turn(script, turn);
}

static size_t list_of(const struct days_script *script, int64_t ver)
{
    for (size_t i = 0; i < script->plan->n_lists; i++)
        if (script->plan->vers[i] == ver)
            return i;
    return SIZE_MAX;
}

/* Sound is hashed after a start, and ahead of its use, before anything may be heard of it. */
static bool awaits_check(const struct air_item *items, size_t n, int64_t now_ms)
{
    for (size_t i = 0; i < n; i++)
        if (items[i].unsure && items[i].start_ms <= now_ms + ARBITER_LEAD_MS && now_ms < items[i].end_ms)
            return true;
    return false;
}

/* The list as it was asked with while sounds were being checked. */
static size_t add_checked_list(struct days_script *script, size_t list, const struct air_item *items)
{
    struct days_plan *plan = script->plan;
    const struct sim_list *whole = &plan->lists[list];
    struct sim_item *copy = arena_alloc(plan->arena, (whole->n + 1) * sizeof(*copy));
    for (size_t i = 0; i < whole->n; i++) {
        copy[i] = whole->items[i];
        size_t at = timetable_find(script->world->agent->timetable, copy[i].air.key);
        if (at == SIZE_MAX || !items[at].unsure)
            continue;
        copy[i].air.blocked = items[at].blocked;
        copy[i].air.unsure = true;
        copy[i].air.soon = items[at].soon;
    }
    if (plan->n_lists == DAYS_LISTS_MAX)
        abort();
    plan->lists[plan->n_lists] = (struct sim_list){.items = copy, .n = whole->n};
    return plan->n_lists++;
}

/* What is due waits for its check: true when this question is in the script, with what it knew. The check ends at the
 * same moment, but what else that moment brings (a step of the clock) may come first. */
static bool asked_unsure(struct days_script *script)
{
    const struct agent *agent = script->world->agent;
    size_t n, list = list_of(script, script->ver);
    const struct air_item *items = timetable_items(agent->timetable, &n);
    if (list == SIZE_MAX || !awaits_check(items, n, agent->time.now_ms))
        return false;
    days_script_add(script, (struct sim_turn){.kind = SIM_LIST, .list = add_checked_list(script, list, items)});
    put_turn(script, (struct sim_turn){.kind = SIM_ASK});
    put_turn(script, (struct sim_turn){.kind = SIM_LIST, .list = list});
    return true;
}

void days_script_observe(struct days_script *script)
{
    const struct agent *agent = script->world->agent;
    const struct playlist *playlist = courier_playlist(agent->courier);
    bool known = agent->time.grade != GRADE_UNKNOWN;
    int64_t ahead_ms = agent->time.now_ms - sim_true_ms();
    if (known != script->known)
        days_script_add(script, (struct sim_turn){.kind = SIM_GRADE, .grade = known ? GRADE_SIGNED : GRADE_UNKNOWN});
    if (ahead_ms != script->ahead_ms)
        days_script_add(script, (struct sim_turn){.kind = SIM_CLOCK, .ahead_ms = ahead_ms});
    if (playlist && playlist->head.ver != script->ver) {
        size_t list = list_of(script, playlist->head.ver);
        if (list == SIZE_MAX)
            script->strange = true;
        else
            days_script_add(script, (struct sim_turn){.kind = SIM_LIST, .list = list});
        script->ver = playlist->head.ver;
    }
    script->known = known;
    script->ahead_ms = ahead_ms;
    if (asked_unsure(script))
        return;
    script->n_asked = script->asked_ms == sim_true_ms() ? script->n_asked + 1 : 1;
    script->asked_ms = sim_true_ms();
}
