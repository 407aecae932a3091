/* preview.c - see preview.h. */
#include "controller/preview.h"

#include "controller/approvals.h"
#include "controller/mandate.h"
#include "controller/meaning.h"
#include "controller/places.h"
#include "controller/planner.h"
#include "controller/reader.h"
#include "controller/rules.h"
#include "playlists/simulate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BEFORE_MS INT64_C(21600000) /* what began before midnight may still be on */

/* One preview in the making. */
struct making {
    struct controller *own; /* of a reader */
    const struct preview *wanted;
    struct arena *arena;
    struct timetables *timetables;
    const struct zone *zone;
    int64_t from_ms, until_ms; /* the civil day */
    struct rule *rules;
    struct compile_bulletin *bulletins;
    size_t n_rules, n_bulletins;
    struct compile_device device;
    struct texts areas; /* of its configuration */
    struct compile_result result;
    struct sim_item *items; /* of the result, in its order */
    const char **refusals;  /* why the device would refuse each of them; NULL: it would not */
};

/* --- rules and bulletins, with the drafts --- */

static bool names(const json_t *list, const char *id)
{
    const json_t *one;
    size_t i;
    json_array_foreach(list, i, one) if (strcmp(json_string_value(one), id) == 0) return true;
    return false;
}

static void take_draft(struct making *m, const json_t *draft)
{
    const json_t *id_json = json_object_get(draft, "id");
    const char *id = arena_strndup(m->arena, json_string_value(id_json), json_string_length(id_json));
    struct rule rule;
    if (rule_build(id, json_object_get(draft, "body"), m->own->zones, m->arena, &rule) < 0)
        return;
    timetables_learn(m->timetables, m->own->store, &rule);
    size_t at = 0;
    while (at < m->n_rules && strcmp(m->rules[at].id, id) != 0)
        at++;
    rule.unit = at < m->n_rules ? m->rules[at].unit : NULL;
    rule.placements = at < m->n_rules ? m->rules[at].placements : NULL;
    rule.n_placements = at < m->n_rules ? m->rules[at].n_placements : 0;
    m->rules[at] = rule;
    m->n_rules += at == m->n_rules;
}

static void gather(struct making *m)
{
    struct rule *stored;
    const json_t *draft;
    size_t i;
    timetables_refresh(m->timetables, m->own->store, m->own->zones, m->wanted->now_ms);
    size_t n = timetables_rules(m->timetables, m->arena, &stored);
    m->rules = arena_alloc(m->arena, (n + json_array_size(m->wanted->drafts) + 1) * sizeof(*m->rules));
    for (size_t k = 0; k < n; k++)
        if (!names(m->wanted->without, stored[k].id))
            m->rules[m->n_rules++] = stored[k];
    json_array_foreach(m->wanted->drafts, i, draft) take_draft(m, draft);
    m->n_bulletins = timetables_bulletins(m->timetables, m->arena, &m->bulletins);
}

/* --- what the device makes of it --- */

static const struct bulletin *bulletin_of(const void *making, const char *hash)
{
    const struct making *m = making;
    for (size_t i = 0; i < m->n_bulletins; i++)
        if (strcmp(m->bulletins[i].hash, hash) == 0)
            return m->bulletins[i].bulletin;
    return NULL;
}

static int64_t length_of(const struct making *m, const struct bulletin *bulletin, const struct playlist_item *item)
{
    const char *room[DEVICE_LANGUAGES_MAX];
    if (!bulletin)
        return item->end_ms - item->start_ms;
    struct texts languages = item_languages(bulletin, &m->device.languages, &item->languages, room);
    struct bulletin_use use = bulletin_use(bulletin, &languages, m->device.kind);
    return item_length_ms(&use, item->show_ms);
}

/* As the device judges it, by the approvals that go along; NULL: it may go on air. */
static const char *refusal_of(struct making *m, const struct playlist_item *item, const struct chosen *chosen)
{
    struct complaint why = {0};
    const char *hash = m->result.bulletins[item->bulletin].hash;
    enum item_verdict verdict =
        judge_item(mandate_authority(m->own->mandate), bulletin_of(m, hash), hash, chosen->opened, chosen->n_opened,
                   &m->areas, (enum air_class)item->class, item->start_ms, &why);
    if (verdict == ITEM_APPROVED)
        return NULL;
    struct buf text = {0};
    buf_putf(&text, "%s: %s", item_verdict_names[verdict], why.text);
    const char *kept = arena_strndup(m->arena, buf_text(&text), text.len);
    buf_done(&text);
    return kept;
}

static struct sim_list list_of(struct making *m)
{
    const struct preview *wanted = m->wanted;
    int64_t now_ms = wanted->now_ms < m->from_ms ? wanted->now_ms : m->from_ms;
    struct chosen *chosen = approvals_add(m->own, bulletin_of, m, &m->areas, now_ms, m->arena, &m->result);
    struct playlist playlist = {.bulletins = m->result.bulletins, .n_bulletins = m->result.n_bulletins};
    m->items = arena_alloc(m->arena, (m->result.n_items + 1) * sizeof(m->items[0]));
    m->refusals = arena_alloc(m->arena, (m->result.n_items + 1) * sizeof(m->refusals[0]));
    for (size_t i = 0; i < m->result.n_items; i++) {
        const struct playlist_item *item = &m->result.items[i];
        const char *hash = item->bulletin < 0 ? NULL : m->result.bulletins[item->bulletin].hash;
        m->items[i] = sim_item_of(&playlist, item, length_of(m, hash ? bulletin_of(m, hash) : NULL, item));
        m->refusals[i] = hash ? refusal_of(m, item, &chosen[item->bulletin]) : NULL;
        if (m->refusals[i])
            m->items[i].air.blocked = REASON_NOT_APPROVED;
    }
    return (struct sim_list){.items = m->items, .n = m->result.n_items};
}

/* --- told --- */

static bool is_draft(const struct making *m, const char *rule)
{
    const json_t *draft;
    size_t i;
    json_array_foreach(m->wanted->drafts, i,
                       draft) if (strcmp(json_string_value(json_object_get(draft, "id")), rule) == 0) return true;
    return false;
}

static json_t *instant_or_null(int64_t unix_ms)
{
    return unix_ms ? json_instant(unix_ms) : json_null();
}

static json_t *text_or_null(const char *text)
{
    return text ? json_string(text) : json_null();
}

/* Of what the device's own judge says; a relay is nothing that any device puts through yet, in the agent's words. */
static json_t *detail_of(const struct making *m, const struct sim_receipt *receipt, const char *source)
{
    if (source && receipt->reason == REASON_NO_MEDIA)
        return json_sprintf("relay: this device cannot put through the relay \"%s\"", source);
    return text_or_null(m->refusals[receipt->item - m->items]);
}

static json_t *tell_entry(const struct making *m, const struct sim_receipt *receipt)
{
    const struct sim_item *item = receipt->item;
    const struct bulletin *bulletin = item->bulletin ? bulletin_of(m, item->bulletin) : NULL;
    const char *source = m->result.items[item - m->items].source;
    json_t *told = json_object(), *rule = json_stringn(item->occurrence, strcspn(item->occurrence, "."));
    json_object_set_new(told, "draft", json_boolean(is_draft(m, json_string_value(rule))));
    json_object_set_new(told, "occurrence", json_string(item->occurrence));
    json_object_set_new(told, "rule", rule);
    json_object_set_new(told, "bulletin", text_or_null(item->bulletin));
    json_object_set_new(told, "title", text_or_null(bulletin ? bulletin->title : NULL));
    json_object_set_new(told, "source", text_or_null(source));
    json_object_set_new(told, "class", json_string(air_class_names[item->air.class]));
    json_object_set_new(told, "planned", json_instant(receipt->planned_ms));
    json_object_set_new(told, "started", instant_or_null(receipt->started_ms));
    json_object_set_new(told, "ended", instant_or_null(receipt->ended_ms));
    json_object_set_new(told, "heard_ms", json_integer(receipt->heard_ms));
    json_object_set_new(told, "reason", json_string(reason_names[receipt->reason]));
    json_object_set_new(told, "detail", detail_of(m, receipt, source));
    mean_receipt(told);
    json_object_set_new(told, "exempt", text_or_null(receipt->exempt));
    return told;
}

static int by_time(const void *a, const void *b)
{
    const struct sim_receipt *x = a, *y = b;
    int64_t at_x = x->started_ms ? x->started_ms : x->planned_ms, at_y = y->started_ms ? y->started_ms : y->planned_ms;
    if (at_x != at_y)
        return at_x < at_y ? -1 : 1;
    return strcmp(x->item->occurrence, y->item->occurrence);
}

/* What the device's configuration keeps quiet. */
static const struct quiet_span *quiet_spans(const struct making *m, size_t *ret_n)
{
    struct limit_span *spans;
    *ret_n =
        limits_quiet_spans(&m->device.limits, LIMIT_REFUSE, m->from_ms - BEFORE_MS, m->until_ms + BEFORE_MS, &spans);
    struct quiet_span *quiet = arena_alloc(m->arena, (*ret_n + 1) * sizeof(*quiet));
    for (size_t i = 0; i < *ret_n; i++)
        quiet[i] = (struct quiet_span){spans[i].from_ms, spans[i].to_ms};
    free(spans);
    return quiet;
}

static json_t *tell_entries(struct making *m)
{
    size_t n_quiet;
    struct sim_list list = list_of(m);
    struct sim_turn given = {.at_ms = m->from_ms - BEFORE_MS, .kind = SIM_LIST};
    struct sim_case script = {.from_ms = m->from_ms - BEFORE_MS,
                              .until_ms = m->until_ms + BEFORE_MS,
                              .grade = GRADE_SIGNED,
                              .lists = &list,
                              .n_lists = 1,
                              .turns = &given,
                              .n_turns = 1,
                              .quiet = quiet_spans(m, &n_quiet)};
    script.n_quiet = n_quiet;
    struct sim_receipt *receipts;
    size_t n;
    simulate(&script, m->arena, &receipts, &n);
    if (n)
        qsort(receipts, n, sizeof(*receipts), by_time);
    json_t *entries = json_array();
    for (size_t i = 0; i < n; i++)
        if (receipts[i].planned_ms >= m->from_ms && receipts[i].planned_ms < m->until_ms)
            json_array_append_new(entries, tell_entry(m, &receipts[i]));
    return entries;
}

static json_t *tell_problems(const struct making *m)
{
    json_t *list = json_array();
    for (size_t i = 0; i < m->result.n_problems; i++) {
        const struct compile_problem *p = &m->result.problems[i];
        json_t *told = json_object();
        json_object_set_new(told, "rule", p->rule && p->rule[0] ? json_string(p->rule) : json_null());
        json_object_set_new(told, "why", json_string(p->why));
        json_object_set_new(told, "other", text_or_null(p->other));
        json_object_set_new(told, "start", instant_or_null(p->start_ms));
        json_object_set_new(told, "count", json_integer(p->count));
        json_object_set_new(told, "warning", json_boolean(p->warning));
        mean_problem(told);
        json_array_append_new(list, told);
    }
    return list;
}

static json_t *tell(struct making *m)
{
    int year, month, day;
    char date[16];
    int32_t second;
    int64_t days = m->wanted->day;
    if (days == PREVIEW_TODAY)
        zone_civil(m->zone, m->wanted->now_ms / 1000, &days, &second);
    m->from_ms = zone_instant_s(m->zone, days, 0, NULL) * 1000;
    m->until_ms = zone_instant_s(m->zone, days + 1, 0, NULL) * 1000;
    compile(m->rules, m->n_rules, m->bulletins, m->n_bulletins, &m->device, m->from_ms - BEFORE_MS, m->until_ms,
            PLAYLIST_ITEMS_MAX, m->arena, &m->result);
    civil_date(days, &year, &month, &day);
    snprintf(date, sizeof(date), "%04d-%02d-%02d", year, month, day);
    json_t *told = json_object();
    json_object_set_new(told, "device", json_string(m->wanted->device));
    json_object_set_new(told, "day", json_string(date));
    json_object_set_new(told, "zone", json_string(zone_name(m->zone)));
    json_object_set_new(told, "from", json_instant(m->from_ms));
    json_object_set_new(told, "until", json_instant(m->until_ms));
    json_object_set_new(told, "entries", tell_entries(m));
    json_object_set_new(told, "problems", tell_problems(m));
    return told;
}

static json_t *make(struct making *m)
{
    json_t *facts = device_facts(m->own->store, m->wanted->device), *told = NULL;
    if (facts) {
        const json_t *zone = json_object_get(json_object_get(facts, "settings"), "zone");
        planner_device(m->own, facts, m->arena, &m->device);
        m->areas = texts_of_json(json_object_get(facts, "config_areas"), m->arena);
        m->zone = zones_get(m->own->zones, json_string_value(zone));
        gather(m);
        if (m->zone)
            told = tell(m);
    }
    json_decref(facts);
    return told;
}

json_t *preview_make(const struct settings *settings, const struct preview *wanted)
{
    struct reader *reader = reader_new(&(struct controller){.settings = settings}); /* without the key that seals */
    struct making m = {.wanted = wanted};
    json_t *told = NULL;
    if (reader_begin(reader, &m.own) == 0) {
        m.arena = arena_new();
        m.timetables = timetables_new();
        told = make(&m);
        timetables_free(m.timetables);
        arena_free(m.arena);
        reader_end(reader, false);
    }
    reader_free(reader);
    return told;
}
