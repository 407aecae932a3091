/* agent_air.c - the arbiter is asked, its ledger is stored, then its decision is carried out; and every occurrence that
 * ends leaves one receipt.
 *
 * An ended airing whose outputs still fade is marked in the vault in the same transaction as the ledger; its receipt
 * replaces that mark in one transaction once the evidence is whole. So a crash at any moment neither loses nor doubles
 * a receipt. */
#include "firmware/agent_parts.h"

#include "firmware/hours.h"
#include "firmware/receipts.h"
#include "playlists/base/clock.h"
#include "playlists/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAVE_ON_MS = 5000, SAVE_IDLE_MS = 600000, RETRY_MS = 1000, ASK_MAX_MS = 60000 };

/* --- receipts --- */

static void say_receipt(const struct receipt *r)
{
    const struct evidence *e = r->evidence;
    log_info("receipt", "n=%lld %s %s%s%s heard=%lld/%lld seen=%s text=%s", (long long)r->n, r->occurrence,
             reason_names[r->reason], r->detail ? ": " : "", r->detail ? r->detail : "",
             (long long)(e && e->sound ? e->sound->frames : 0),
             (long long)(e && e->sound ? e->sound->frames_expected : 0),
             e && e->amplifier ? (e->amplifier->seen ? "yes" : "no") : "-",
             e && e->sign ? (e->sign->read_back ? "read back" : "not read back") : "-");
}

/* Inside the caller's transaction. */
static int put_receipt(struct agent *agent, const struct airing *airing, const struct airing_evidence *evidence,
                       const char *detail)
{
    struct receipt_paper paper;
    struct complaint cut = {0};
    if (detail)
        complain(&cut, 0, "%s", detail);
    receipt_make(airing, evidence, cut.text, &paper);
    int r = letters_put_receipt(&agent->letters, agent->outbox, &paper.receipt, agent_stamp_ms(agent));
    if (r == 0)
        say_receipt(&paper.receipt);
    return r;
}

/* All evidence of an airing: what the vault holds of earlier parts, and the last part (may be NULL). False: none. */
static bool all_evidence(struct agent *agent, uint64_t key, const struct airing_evidence *last,
                         struct airing_evidence *ret)
{
    bool stored = vault_airing_evidence(agent->vault, key, ret, sizeof(*ret)) == 0;
    if (!stored && last)
        *ret = *last;
    else if (last)
        evidence_add(ret, last);
    return stored || last;
}

/* When its sound was first heard. A card that was busy or gone makes late what was begun on time. */
static void note_start(const struct agent *agent, struct airing *airing, int64_t heard_ms)
{
    const struct config *config = courier_config(agent->courier);
    airing->started_ms = heard_ms;
    if (airing->reason == REASON_ON_TIME &&
        heard_ms - airing->planned_ms - (config ? config->delay_ms : 0) > ARBITER_LATE_MS)
        airing->reason = REASON_LATE;
}

/* The receipt of an airing that is over takes the place of its row. Inside the caller's transaction. */
static int close_airing(struct agent *agent, struct airing *airing, const struct airing_evidence *last)
{
    struct airing_evidence all;
    bool any = all_evidence(agent, airing->key, last, &all);
    const char *detail = any ? all.problem : "what its outputs proved was lost when the agent ended";
    if (any && all.sound.first_elapsed_ns && airing->started_ms)
        note_start(agent, airing, agent_time_of_elapsed(agent, all.sound.first_elapsed_ns / 1000000));
    if (airing->ended_ms < airing->started_ms)
        airing->ended_ms = airing->started_ms;
    int r = put_receipt(agent, airing, any ? &all : NULL, detail);
    if (r == 0)
        r = vault_airing_drop(agent->vault, airing->key);
    return r;
}

void agent_receipts_left_over(struct agent *agent)
{
    struct airing airing;
    while (vault_airing_over(agent->vault, &airing) == 0) {
        vault_begin(agent->vault);
        int r = close_airing(agent, &airing, NULL);
        if (r < 0)
            vault_abandon(agent->vault);
        else
            r = vault_commit(agent->vault);
        if (r < 0) {
            outbox_recount(agent->outbox);
            return; /* logged; the row stays for the next start */
        }
    }
}

void agent_gathered(void *arg, uint64_t key, const struct airing_evidence *evidence, int64_t ended_elapsed_ns)
{
    struct agent *agent = arg;
    struct airing airing;
    if (vault_airing(agent->vault, key, &airing) < 0)
        return;
    vault_begin(agent->vault);
    int r;
    if (airing.over) {
        airing.ended_ms = agent_time_of_elapsed(agent, ended_elapsed_ns / 1000000);
        r = close_airing(agent, &airing, evidence);
    } else { /* cut, and may go on later */
        struct airing_evidence all;
        all_evidence(agent, key, evidence, &all);
        r = vault_airing_save_evidence(agent->vault, key, &all, sizeof(all));
    }
    if (r < 0)
        vault_abandon(agent->vault);
    else
        r = vault_commit(agent->vault);
    if (r < 0) {
        outbox_recount(agent->outbox);
        log_err("receipt", "%s cannot be kept now; tried again at the next start", airing.occurrence);
    }
    outbox_push(agent->outbox, clock_elapsed_ms());
}

void agent_finished(void *arg, uint64_t key, bool failed)
{
    struct agent *agent = arg;
    if (agent->ledger.on == ON_NOTHING || agent->ledger.key != key)
        return;
    agent->finished = !failed;
    agent->failed = failed;
    agent_ask_soon(agent);
}

/* --- one decision into the vault --- */

static void airing_of_item(struct agent *agent, size_t index, struct airing *ret)
{
    const struct playlist_item *item = timetable_item(agent->timetable, index);
    memset(ret, 0, sizeof(*ret));
    ret->key = arbiter_key(item->id);
    snprintf(ret->occurrence, sizeof(ret->occurrence), "%s", item->id);
    snprintf(ret->bulletin.hex, sizeof(ret->bulletin.hex), "%s", timetable_bulletin_hash(agent->timetable, index));
    ret->class = item->class;
    ret->planned_ms = item->start_ms;
    ret->grade = agent->time.grade;
}

static int end_never_begun(struct agent *agent, const struct ended *ended)
{
    struct airing airing;
    size_t index = timetable_find(agent->timetable, ended->key);
    if (index == SIZE_MAX) {
        log_err("receipt", "an occurrence that nobody knows has ended (%s); no receipt", reason_names[ended->reason]);
        return 0;
    }
    airing_of_item(agent, index, &airing);
    airing.reason = ended->reason;
    bool blocked = ended->reason == REASON_NOT_APPROVED || ended->reason == REASON_NO_MEDIA;
    return put_receipt(agent, &airing, NULL, blocked ? timetable_detail(agent->timetable, index) : NULL);
}

/* One occurrence is over. *ret_told: its receipt was made from what is on the stage now. */
static int end_one(struct agent *agent, const struct ended *ended, bool *ret_told)
{
    struct airing airing;
    struct airing_evidence evidence;
    int64_t ended_ns = 0;
    int r = vault_airing(agent->vault, ended->key, &airing);
    if (r == -ENOENT)
        return end_never_begun(agent, ended);
    if (r < 0)
        return r;
    airing.over = true;
    airing.reason = ended->reason;
    airing.started_ms = ended->started_ms;
    airing.ended_ms = ended->started_ms + ended->heard_ms;
    if (stage_evidence(agent->stage, ended->key, &evidence, &ended_ns)) {
        airing.ended_ms = agent_time_of_elapsed(agent, ended_ns / 1000000);
        *ret_told = true;
        return close_airing(agent, &airing, &evidence);
    }
    if (stage_on(agent->stage) == ended->key)
        return vault_airing_save(agent->vault, &airing);
    return close_airing(agent, &airing, NULL);
}

/* Ledger, airings and receipts in one transaction. */
static int store_decision(struct agent *agent, const struct decision *decision, const struct ledger *ledger,
                          bool *ret_told)
{
    int64_t since_ms = clock_elapsed_ms() - agent->ledger_saved_ms;
    bool due = since_ms > (ledger->on != ON_NOTHING ? SAVE_ON_MS : SAVE_IDLE_MS);
    if (!decision->store && !decision->n_ended && !decision->begins && !due)
        return 0;
    vault_begin(agent->vault);
    int r = vault_save_ledger(agent->vault, ledger);
    for (size_t i = 0; r == 0 && i < decision->n_ended; i++)
        r = end_one(agent, &decision->ended[i], ret_told);
    if (r == 0 && decision->begins && decision->on == ON_ITEM) {
        struct airing airing;
        airing_of_item(agent, decision->index, &airing);
        airing.started_ms = decision->at_ms;
        r = vault_airing_save(agent->vault, &airing);
    }
    if (r < 0)
        vault_abandon(agent->vault);
    else
        r = vault_commit(agent->vault);
    if (r == 0)
        agent->ledger_saved_ms = clock_elapsed_ms();
    else
        outbox_recount(agent->outbox);
    return r;
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
        if (vault_airing_save_evidence(agent->vault, decision->key, &none, sizeof(none)) < 0)
            log_warn("stage", "the reason cannot be kept; the receipt will not say it");
        timetable_blob(agent->timetable, timetable_bulletin_hash(agent->timetable, decision->index));
        agent->failed = true;
        agent_ask_soon(agent);
    } else {
        int64_t at_elapsed_ms = agent->time_elapsed_ms + (decision->at_ms - agent->time.now_ms) + config->delay_ms;
        agent->on_gain_mb = decision->gain_mb;
        agent->on_muted = decision->muted_zones;
        struct stage_airing airing = {.key = decision->key,
                                      .start_elapsed_ns = at_elapsed_ms * 1000000,
                                      .late_ms = decision->offset_ms > 0
                                                     ? item->end_ms - decision->at_ms /* it began before */
                                                     : item->start_ms + item->late_ms - decision->at_ms,
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
    if (wait_ms > ASK_MAX_MS)
        wait_ms = ASK_MAX_MS;
    uv_update_time(agent->loop);
    uv_timer_start(agent->ask_timer, on_ask_timer, (uint64_t)wait_ms, 0);
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
    arbiter_step(&inputs, &agent->ledger, ret_decision, ret_ledger);
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
        log_err("agent", "the vault cannot be written, so nothing new begins; tried again in %d ms", RETRY_MS);
        agent->settling = false;
        ask_again(agent, agent->time.now_ms + RETRY_MS);
        return;
    }
    agent->ledger = ledger;
    agent->restarted = agent->finished = agent->failed = false;
    carry_out(agent, &decision, told);
    outbox_push(agent->outbox, clock_elapsed_ms());
    if (agent->wants_changed)
        agent_wants(agent);
    agent_tell_state(agent);
    agent->settling = false;
    ask_again(agent, agent->failed ? agent->time.now_ms : decision.next_ms);
}
