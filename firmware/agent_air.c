/* agent_air.c - the arbiter is asked, its ledger is stored, then its decision is carried out; and every occurrence that
 * ends leaves one receipt.
 *
 * An ended airing whose outputs still fade is marked in the vault in the same transaction as the ledger; its receipt
 * replaces that mark in one transaction once the evidence is whole. So a crash at any moment neither loses nor doubles
 * a receipt. agent_deeds.c writes them. */
#include "firmware/agent_parts.h"

#include "playlists/base/clock.h"
#include "playlists/base/log.h"
#include "playlists/hours.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAVE_ON_MS = 5000, SAVE_IDLE_MS = 600000, ASK_MAX_MS = 60000 };

/* --- receipts --- */

/* When its sound was first heard, by the time that held when it was put on: clock and boot may be others by now. A card
 * that was busy or gone makes late what was begun on time. */
static void note_start(const struct agent *agent, struct airing *airing, int64_t error_us)
{
    const struct config *config = courier_config(agent->courier);
    int64_t late_ms = airing->started_ms - airing->planned_ms + error_us / 1000;
    airing->started_ms += (config ? config->delay_ms : 0) + error_us / 1000;
    if (airing->reason == REASON_ON_TIME && late_ms > ARBITER_LATE_MS)
        airing->reason = REASON_LATE;
}

/* The receipt of an airing that is over takes the place of its row. */
static void close_airing(struct agent *agent, struct airing *airing, const struct airing_evidence *last)
{
    struct airing_evidence all;
    bool any = agent_all_evidence(agent, airing->key, last, &all);
    const char *detail = any ? all.problem : "what its outputs proved was lost when the agent ended";
    if (any && all.sound.first_elapsed_ns && airing->started_ms)
        note_start(agent, airing, all.sound.start_error_us);
    if (airing->ended_ms < airing->started_ms)
        airing->ended_ms = airing->started_ms;
    deeds_receipt(&agent->deeds, airing, any ? &all : NULL, detail);
}

void agent_receipts_left_over(struct agent *agent)
{
    struct airing airing;
    while (vault_airing_over(agent->vault, &airing) == 0) {
        close_airing(agent, &airing, NULL);
        if (agent_settle(agent, NULL) < 0) {
            deeds_cut(&agent->deeds, 0, 1); /* the row stays for the next start */
            return;
        }
    }
}

void agent_gathered(void *arg, uint64_t key, const struct airing_evidence *evidence, int64_t ended_elapsed_ns)
{
    struct agent *agent = arg;
    struct airing airing;
    if (agent_airing(agent, key, &airing) < 0)
        return;
    if (airing.over) {
        airing.ended_ms = agent_time_of_elapsed(agent, ended_elapsed_ns / 1000000);
        close_airing(agent, &airing, evidence);
    } else { /* cut, and may go on later */
        struct airing_evidence all;
        agent_all_evidence(agent, key, evidence, &all);
        deeds_evidence(&agent->deeds, key, &all);
    }
    (void)!agent_settle(agent, NULL); /* what could not be stored is tried again with each tick */
}

void agent_finished(void *arg, uint64_t key, bool failed)
{
    struct agent *agent = arg;
    if (agent->ledger.on == ON_NOTHING || agent->ledger.key != key)
        return;
    agent->finished = !failed;
    agent->failed = failed;
    if (failed)
        blobs_doubt(agent->blobs);
    agent_ask_soon(agent);
}

/* --- one decision into the vault --- */

static void airing_of_item(struct agent *agent, size_t index, struct airing *ret)
{
    const struct playlist_item *item = timetable_item(agent->timetable, index);
    memset(ret, 0, sizeof(*ret));
    ret->key = arbiter_key(item->id);
    snprintf(ret->occurrence, sizeof(ret->occurrence), "%s", item->id);
    const char *bulletin = timetable_bulletin_hash(agent->timetable, index);
    snprintf(ret->bulletin.hex, sizeof(ret->bulletin.hex), "%s", bulletin ? bulletin : "");
    snprintf(ret->exempt, sizeof(ret->exempt), "%s", item->exempt ? item->exempt : "");
    ret->class = item->class;
    ret->planned_ms = item->start_ms;
    ret->grade = agent->time.grade;
}

static void end_never_begun(struct agent *agent, const struct ended *ended)
{
    struct airing airing;
    size_t index = timetable_find(agent->timetable, ended->key);
    if (index == SIZE_MAX) {
        log_err("receipt", "an occurrence that nobody knows has ended (%s); no receipt", reason_names[ended->reason]);
        return;
    }
    airing_of_item(agent, index, &airing);
    airing.reason = ended->reason;
    airing.exempt[0] = '\0'; /* it had nothing to pass */
    const char *detail = NULL;
    if (ended->reason == REASON_NOT_APPROVED || ended->reason == REASON_NO_MEDIA)
        detail = timetable_detail(agent->timetable, index);
    else if (ended->reason == REASON_FAULT)
        detail = "start_not_written: the vault could not take its start, and it might have played before: not begun";
    deeds_receipt(&agent->deeds, &airing, NULL, detail);
}

/* One occurrence is over. *ret_told: its receipt was made from what is on the stage now. */
static int end_one(struct agent *agent, const struct ended *ended, bool *ret_told)
{
    struct airing airing;
    struct airing_evidence evidence;
    int64_t ended_ns = 0;
    int r = agent_airing(agent, ended->key, &airing);
    if (r == -ENOENT)
        end_never_begun(agent, ended);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    airing.over = true;
    airing.reason = ended->reason;
    if (!ended->passed_quiet)
        airing.exempt[0] = '\0';
    else if (airing.class == CLASS_EMERGENCY)
        snprintf(airing.exempt, sizeof(airing.exempt), "%s", "emergency");
    airing.started_ms = ended->started_ms;
    airing.ended_ms = ended->started_ms + ended->heard_ms;
    if (stage_evidence(agent->stage, ended->key, &evidence, &ended_ns)) {
        airing.ended_ms = agent_time_of_elapsed(agent, ended_ns / 1000000);
        *ret_told = true;
        close_airing(agent, &airing, &evidence);
    } else if (stage_on(agent->stage) == ended->key) {
        deeds_airing(&agent->deeds, &airing);
    } else {
        close_airing(agent, &airing, NULL);
    }
    return 0;
}

static int deeds_of(struct agent *agent, const struct decision *decision, bool *ret_told)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < decision->n_ended; i++)
        r = end_one(agent, &decision->ended[i], ret_told);
    if (r == 0 && decision->begins && decision->on == ON_ITEM) {
        struct airing airing;
        airing_of_item(agent, decision->index, &airing);
        airing.started_ms = decision->at_ms;
        deeds_airing(&agent->deeds, &airing);
    }
    return r;
}

/* What an earlier start may have begun must not begin while its start cannot be written. */
static bool may_have_played(const struct agent *agent, int64_t start_ms)
{
    return start_ms < agent_time_of_elapsed(agent, agent->born_elapsed_ms);
}

/* Ledger, airings and receipts in one transaction. When the vault cannot take them they are kept in memory and hold all
 * the same, but for a start that must be on disk: then nothing of the decision holds. */
static int store_decision(struct agent *agent, const struct decision *decision, const struct ledger *ledger,
                          bool *ret_told)
{
    int64_t since_ms = clock_elapsed_ms() - agent->ledger_saved_ms;
    bool due = since_ms >= (ledger->on != ON_NOTHING ? SAVE_ON_MS : SAVE_IDLE_MS);
    if (!decision->store && !decision->n_ended && !decision->begins && !due)
        return 0;
    size_t before = agent->deeds.n;
    int r = deeds_of(agent, decision, ret_told);
    size_t mine = agent->deeds.n - before;
    if (r == 0)
        r = agent_settle(agent, ledger);
    if (r == 0)
        return 0;
    bool begins = decision->begins && decision->on == ON_ITEM;
    if (begins && may_have_played(agent, timetable_item(agent->timetable, decision->index)->start_ms)) {
        deeds_cut(&agent->deeds, before, mine);
        return r;
    }
    agent->ledger_owed = true;
    return 0;
}

/* --- one decision onto the stage --- */

static int32_t allowed_gain(const struct agent *agent, int32_t gain_mb)
{
    const struct config *config = courier_config(agent->courier);
    int32_t ceiling_mb = config && agent->zone ? hours_ceiling_mb(config, agent->zone, agent->time.now_ms) : 0;
    return gain_mb < ceiling_mb ? gain_mb : ceiling_mb;
}

static void fill_outputs(struct agent *agent, const struct bulletin *bulletin, const struct programme *programme,
                         struct stage_airing *ret)
{
    for (size_t i = 0; i < programme->n_sounds && i < STAGE_SOUNDS_MAX; i++) {
        char path[BLOB_PATH_MAX];
        blobs_path(agent->blobs, bulletin->contents[programme->sounds[i].content].audio->hash, path);
        ret->sounds[ret->n_sounds++] =
            (struct stage_sound){.path = xstrdup(path), .frames = programme->sounds[i].frames};
    }
    for (size_t i = 0; i < programme->n_pages && i < STAGE_PAGES_MAX; i++) {
        const struct programme_page *page = &programme->pages[i];
        ret->pages[ret->n_pages++] = (struct stage_page){
            .text = xstrdup(bulletin->contents[page->content].text), .from_ms = page->from_ms, .to_ms = page->to_ms};
    }
}

static void begin(struct agent *agent, const struct decision *decision)
{
    const struct playlist_item *item = timetable_item(agent->timetable, decision->index);
    const struct config *config = courier_config(agent->courier);
    struct arena *arena = arena_new();
    struct bulletin *bulletin = NULL;
    struct programme programme;
    int r = timetable_programme(agent->timetable, decision->index, arena, &bulletin, &programme);
    if (r < 0 || decision->zones == SITE_ZONE_NONE) {
        struct airing_evidence none = {0};
        snprintf(none.problem, sizeof(none.problem), "it cannot be put out: %s",
                 r < 0 ? err_name(r) : "none of its zones is wired at this box");
        log_warn("stage", "%s: %s", item->id, none.problem);
        deeds_evidence(&agent->deeds, decision->key, &none); /* stored with its receipt */
        timetable_blob(agent->timetable, timetable_bulletin_hash(agent->timetable, decision->index));
        agent->failed = true;
        agent_ask_soon(agent);
    } else {
        int64_t at_elapsed_ms = agent->time_elapsed_ms + (decision->at_ms - agent->time.now_ms) + config->delay_ms;
        agent->on_gain_mb = decision->gain_mb;
        agent->on_muted = decision->muted_zones;
        struct stage_airing airing = {.key = decision->key,
                                      .start_elapsed_ns = at_elapsed_ms * 1000000,
                                      .late_ms = decision->limit_ms - decision->at_ms,
                                      .offset_ms = decision->offset_ms,
                                      .length_ms = programme.length_ms,
                                      .gain_mb = allowed_gain(agent, decision->gain_mb),
                                      .zones = decision->zones,
                                      .muted_zones = decision->muted_zones,
                                      .heard_level_mb = (int32_t)config->heard_level_mb};
        fill_outputs(agent, bulletin, &programme, &airing);
        log_info("stage", "%s \"%s\": begins%s", item->id, bulletin->title,
                 decision->offset_ms ? " where it was cut" : "");
        snprintf(agent->on_air, sizeof(agent->on_air), "%s", item->id);
        stage_begin(agent->stage, &airing);
        stage_airing_done(&airing);
    }
    arena_free(arena);
}

static void tell_next(struct agent *agent, const struct decision *decision)
{
    int64_t start_ms = INT64_MAX;
    uint32_t zones = 0;
    size_t index = decision->next_key ? timetable_find(agent->timetable, decision->next_key) : SIZE_MAX;
    if (index != SIZE_MAX) {
        size_t n = 0;
        start_ms = agent->time_elapsed_ms + (decision->next_start_ms - agent->time.now_ms);
        zones = timetable_items(agent->timetable, &n)[index].zones;
    }
    stage_next(agent->stage, start_ms, zones);
}

static void carry_out(struct agent *agent, const struct decision *decision, bool told)
{
    bool goes_on = decision->on == ON_ITEM && decision->key == stage_on(agent->stage) && !decision->begins;
    bool begins = decision->begins && decision->on == ON_ITEM;
    if (decision->muted_zones == UINT32_MAX && agent->on_muted != UINT32_MAX)
        stage_silence(agent->stage);
    if (!goes_on && stage_on(agent->stage)) {
        stage_end(agent->stage, told, begins);
        agent->on_air[0] = '\0';
    }
    if (begins) {
        begin(agent, decision);
        stage_hush(agent->stage);
    } else if (goes_on) {
        agent->on_gain_mb = decision->gain_mb;
    }
    agent->on_muted = decision->muted_zones;
    agent_adjust(agent);
    tell_next(agent, decision);
}

void agent_adjust(struct agent *agent)
{
    if (stage_on(agent->stage))
        stage_adjust(agent->stage, allowed_gain(agent, agent->on_gain_mb), agent->on_muted);
}

/* --- asked --- */

static void on_ask_timer(uv_timer_t *timer)
{
    agent_ask(timer->data);
}

static void ask_again(struct agent *agent, int64_t next_ms)
{
    int64_t wait_ms = next_ms == INT64_MAX ? ASK_MAX_MS : next_ms - agent->time.now_ms;
    if (wait_ms < 0)
        wait_ms = 0;
    int64_t save_ms = agent->ledger_saved_ms + SAVE_ON_MS - clock_elapsed_ms(); /* what was heard is written down */
    if (agent->ledger.on != ON_NOTHING && save_ms > 0 && wait_ms > save_ms)
        wait_ms = save_ms;
    if (wait_ms > ASK_MAX_MS)
        wait_ms = ASK_MAX_MS;
    uv_update_time(agent->loop);
    uv_timer_start(agent->ask_timer, on_ask_timer, (uint64_t)wait_ms, 0);
}

/* The same items, without those that an earlier start of the agent may have begun. */
static struct air_item *hold_back(const struct agent *agent, const struct air_item *items, size_t n)
{
    struct air_item *held = xcalloc(n ? n : 1, sizeof(*held));
    for (size_t i = 0; i < n; i++) {
        held[i] = items[i];
        bool on = !agent->restarted && agent->ledger.on != ON_NOTHING && agent->ledger.key == items[i].key;
        if (held[i].blocked == REASON_ON_TIME && !on && may_have_played(agent, items[i].start_ms))
            held[i].blocked = REASON_FAULT;
    }
    return held;
}

static void decide(struct agent *agent, struct decision *ret_decision, struct ledger *ret_ledger)
{
    struct quiet_span quiet[HOURS_SPANS_MAX];
    const struct config *config = courier_config(agent->courier);
    struct arbiter_inputs inputs = {.now_ms = agent->time.now_ms,
                                    .elapsed_ms = agent->time_elapsed_ms,
                                    .grade = agent->time.grade,
                                    .item_bulletins = timetable_bulletins(agent->timetable),
                                    .quiet = quiet,
                                    .finished = agent->finished,
                                    .failed = agent->failed,
                                    .restarted = agent->restarted};
    if (config && agent->zone)
        inputs.n_quiet = hours_quiet(config, agent->zone, agent->time.now_ms, quiet);
    inputs.items = timetable_items(agent->timetable, &inputs.n_items);
    struct air_item *held = agent->vault_bad ? hold_back(agent, inputs.items, inputs.n_items) : NULL;
    if (held)
        inputs.items = held;
    arbiter_step(&inputs, &agent->ledger, ret_decision, ret_ledger);
    free(held);
}

void agent_ask(struct agent *agent)
{
    struct decision decision;
    struct ledger ledger;
    bool told = false;
    if (agent->settling || agent->over || agent->stopping)
        return;
    agent->settling = true;
    agent_look_at_time(agent);
    if (timetable_judge(agent->timetable))
        agent->wants_changed = true;
    uint64_t on = agent->ledger.on != ON_NOTHING ? agent->ledger.key : 0;
    timetable_near(agent->timetable, agent->time.now_ms, agent->time_elapsed_ms, agent->restarted ? 0 : on);
    decide(agent, &decision, &ledger);
    if (store_decision(agent, &decision, &ledger, &told) < 0) {
        agent->settling = false;
        ask_again(agent, agent->time.now_ms); /* now it is known that this one must wait */
        return;
    }
    agent->ledger = ledger;
    agent->restarted = agent->finished = agent->failed = false;
    carry_out(agent, &decision, told);
    outbox_push(agent->outbox, clock_elapsed_ms());
    agent_tell_state(agent);
    if (agent->wants_changed)
        agent_wants(agent);
    agent->settling = false;
    ask_again(agent, agent->failed ? agent->time.now_ms : decision.next_ms);
}
