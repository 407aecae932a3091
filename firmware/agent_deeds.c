/* agent_deeds.c - what happened, on its way into the vault: in one transaction when the disk works, kept in memory
 * while it does not.
 *
 * Why the agent may go on without its disk: a ledger in memory holds for all that begins in this process's life, since
 * nothing begins before its instant, and what was due before this start is not begun while the vault cannot be written
 * (agent_air.c). So nothing plays twice, though the agent is killed and started again. One gap is left: an occurrence
 * began while the disk refused its start, then the power went, and the disk works again within the occurrence's
 * lateness limit: then it may begin a second time. */
#include "firmware/agent_parts.h"

#include "firmware/receipts.h"
#include "playlists/base/clock.h"
#include "playlists/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- asked --- */

int agent_airing(struct agent *agent, uint64_t key, struct airing *ret)
{
    int r = deeds_find(&agent->deeds, key, ret);
    return r == -ENODATA ? vault_airing(agent->vault, key, ret) : r;
}

bool agent_all_evidence(struct agent *agent, uint64_t key, const struct airing_evidence *last,
                        struct airing_evidence *ret)
{
    const struct airing_evidence *kept = deeds_find_evidence(&agent->deeds, key);
    bool stored = kept || vault_airing_evidence(agent->vault, key, ret, sizeof(*ret)) == 0;
    if (kept)
        *ret = *kept;
    if (!stored && last)
        *ret = *last;
    else if (last)
        evidence_add(ret, last);
    return stored || last;
}

/* --- stored --- */

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

/* The receipt takes the place of the airing's row. */
static int store_receipt(struct agent *agent, const struct deed *deed)
{
    struct receipt_paper paper;
    struct complaint cut = {0};
    if (deed->detail)
        complain(&cut, 0, "%s", deed->detail);
    receipt_make(&deed->airing, deed->evidence, cut.text, &paper);
    int r = letters_put_receipt(&agent->letters, agent->outbox, &paper.receipt, agent_stamp_ms(agent));
    if (r == 0)
        r = vault_airing_drop(agent->vault, deed->airing.key);
    if (r == 0)
        say_receipt(&paper.receipt);
    return r;
}

static int store_deed(struct agent *agent, const struct deed *deed)
{
    switch (deed->kind) {
    case DEED_AIRING:
        return vault_airing_save(agent->vault, &deed->airing);
    case DEED_EVIDENCE:
        return vault_airing_save_evidence(agent->vault, deed->airing.key, deed->evidence, sizeof(*deed->evidence));
    case DEED_RECEIPT:
        return store_receipt(agent, deed);
    case DEED_EVENT:
        return letters_put_event(&agent->letters, agent->outbox, deed->code, deed->about, deed->detail, deed->at_ms,
                                 agent_stamp_ms(agent));
    }
    return 0;
}

static int store_all(struct agent *agent, const struct ledger *ledger)
{
    if (agent->vault_bad && vault_mend(agent->vault) < 0)
        return ERR_STORE;
    vault_begin(agent->vault);
    int r = ledger || agent->ledger_owed ? vault_save_ledger(agent->vault, ledger ? ledger : &agent->ledger) : 0;
    for (size_t i = 0; r == 0 && i < agent->deeds.n; i++)
        r = store_deed(agent, &agent->deeds.at[i]);
    if (r < 0)
        vault_abandon(agent->vault);
    else
        r = vault_commit(agent->vault);
    if (r < 0)
        outbox_recount(agent->outbox);
    return r;
}

/* --- the disk fails, and works again --- */

static void fell_ill(struct agent *agent)
{
    char detail[300];
    agent->vault_bad = true;
    agent->vault_bad_elapsed_ms = clock_elapsed_ms();
    log_err("vault", "it cannot be written: %s; plays on from what is there, and keeps in memory what happens",
            vault_trouble(agent->vault));
    snprintf(detail, sizeof(detail), "the vault cannot be written: %s", vault_trouble(agent->vault));
    deeds_event(&agent->deeds, "vault_trouble", "vault", detail, agent_stamp_ms(agent));
    agent->health_told_ms = 0;
}

static void got_well(struct agent *agent)
{
    char detail[300];
    unsigned events = agent->deeds.lost_events, receipts = agent->deeds.lost_receipts;
    agent->vault_bad = false;
    snprintf(detail, sizeof(detail), "the vault is written again after %lld s; %u receipts and %u events were too many",
             (long long)(clock_elapsed_ms() - agent->vault_bad_elapsed_ms) / 1000, receipts, events);
    log_info("vault", "%s", detail);
    agent->deeds.lost_events = agent->deeds.lost_receipts = 0;
    agent_event(agent, "vault_back", "vault", "%s", detail);
    agent_ask_for_retained(agent); /* what came meanwhile could not be adopted */
    agent->health_told_ms = 0;
}

int agent_settle(struct agent *agent, const struct ledger *ledger)
{
    bool was_bad = agent->vault_bad;
    int64_t now_ms = clock_elapsed_ms();
    if (was_bad && now_ms - agent->vault_tried_ms < MEND_EACH_MS)
        return ERR_STORE;
    agent->vault_tried_ms = now_ms;
    int r = store_all(agent, ledger);
    if (r < 0) {
        if (!was_bad)
            fell_ill(agent);
        return r;
    }
    if (ledger || agent->ledger_owed)
        agent->ledger_saved_ms = now_ms;
    agent->ledger_owed = false;
    deeds_cut(&agent->deeds, 0, agent->deeds.n);
    if (was_bad)
        got_well(agent);
    outbox_push(agent->outbox, now_ms);
    return 0;
}

void agent_watch_vault(struct agent *agent)
{
    if (agent->vault_bad || agent->deeds.n)
        (void)!agent_settle(agent, NULL); /* tried again with the next tick */
    if (vault_damaged(agent->vault) && agent->ledger.on == ON_NOTHING && !agent->stopping) {
        log_err("vault", "it is damaged; ends in order, so that the next start sets it aside");
        agent_stop(agent);
    }
}
