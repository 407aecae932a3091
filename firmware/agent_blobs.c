/* agent_blobs.c - which bulletins, approvals and media this box holds: what it needs is fetched as far as there is
 * room, what it needs least leaves when there is none. quota.c decides. */
#include "firmware/agent_parts.h"

#include "firmware/quota.h"
#include "playlists/base/clock.h"
#include "playlists/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

enum { BLOB_KEEP_S = 14 * 86400, SOON_MS = 3600000 };

struct ledge { /* all blobs that are needed or here */
    struct quota_blob *at;
    size_t n, cap;
    int64_t now_ms;
};

static void add(struct ledge *ledge, const struct quota_blob *blob)
{
    if (ledge->n == ledge->cap) {
        ledge->cap = ledge->cap ? ledge->cap * 2 : 64;
        struct quota_blob *grown = xcalloc(ledge->cap, sizeof(*grown));
        if (ledge->n)
            memcpy(grown, ledge->at, ledge->n * sizeof(*grown));
        free(ledge->at);
        ledge->at = grown;
    }
    ledge->at[ledge->n++] = *blob;
}

static void add_need(void *arg, const struct blob_need *need)
{
    struct ledge *ledge = arg;
    struct quota_blob blob = {.size = need->size,
                              .due_ms = need->due_ms,
                              .here = need->here,
                              .keep = need->due_ms - ledge->now_ms < SOON_MS,
                              .about = need->occurrence};
    snprintf(blob.hash.hex, sizeof(blob.hash.hex), "%s", need->hash);
    add(ledge, &blob);
}

/* Clips for emergencies come before all that has a date. */
static void add_pinned(const struct agent *agent, struct ledge *ledge)
{
    const struct config *config = courier_config(agent->courier);
    for (size_t i = 0; config && i < config->n_pinned; i++) {
        const struct blob_ref *ref = &config->pinned[i];
        struct quota_blob blob = {.size = ref->size, .keep = true, .about = "pinned"};
        snprintf(blob.hash.hex, sizeof(blob.hash.hex), "%s", ref->hash);
        blob.here = blobs_have(agent->blobs, ref->hash, ref->size);
        add(ledge, &blob);
    }
}

static int by_hash(const void *a, const void *b)
{
    const struct quota_blob *x = a, *y = b;
    int order = strcmp(x->hash.hex, y->hash.hex);
    return order ? order : (x->due_ms > y->due_ms) - (x->due_ms < y->due_ms);
}

/* Each once, with its soonest use. */
static void merge(struct ledge *ledge)
{
    size_t n = 0;
    if (ledge->n)
        qsort(ledge->at, ledge->n, sizeof(*ledge->at), by_hash);
    for (size_t i = 0; i < ledge->n; i++) {
        if (n > 0 && hash_equal(&ledge->at[n - 1].hash, &ledge->at[i].hash))
            ledge->at[n - 1].keep |= ledge->at[i].keep;
        else
            ledge->at[n++] = ledge->at[i];
    }
    ledge->n = n;
}

static void add_unused(const struct agent *agent, struct ledge *ledge)
{
    size_t n_seen, needed = ledge->n;
    struct blob_seen *seen = blobs_list(agent->blobs, &n_seen);
    for (size_t i = 0; i < n_seen; i++) {
        struct quota_blob blob = {
            .hash = seen[i].hash, .size = seen[i].size, .due_ms = QUOTA_UNUSED, .used_s = seen[i].used_s, .here = true};
        size_t low = 0, high = needed;
        while (low < high) {
            size_t middle = (low + high) / 2;
            int order = strcmp(ledge->at[middle].hash.hex, blob.hash.hex);
            if (order == 0)
                break;
            low = order < 0 ? middle + 1 : low;
            high = order < 0 ? high : middle;
        }
        if (low >= high)
            add(ledge, &blob);
    }
    free(seen);
}

/* --- room --- */

static void find_room(const struct agent *agent, int64_t *ret_room, int64_t *ret_most)
{
    struct statvfs st;
    int64_t quota = agent->settings->quota_bytes, reserve = agent->settings->reserve_bytes;
    int64_t used = blobs_used(agent->blobs);
    if (quota == 0)
        quota = INT64_C(1048576) * QUOTA_DEFAULT_MIB;
    *ret_room = *ret_most = quota;
    if (statvfs(vault_dir(agent->vault), &st) < 0)
        return;
    int64_t unit = (int64_t)st.f_frsize, all = (int64_t)st.f_blocks * unit, left = (int64_t)st.f_bavail * unit;
    if (reserve > all / 10)
        reserve = all / 10;
    *ret_room = quota_room(quota, used, left, reserve);
    *ret_most =
        quota_room(quota, used, left, reserve / 2); /* what others write does not make us evict and fetch in turn */
}

static int64_t missing(const struct ledge *ledge)
{
    int64_t sum = 0;
    for (size_t i = 0; i < ledge->n; i++)
        sum += ledge->at[i].here ? 0 : ledge->at[i].size;
    return sum;
}

static bool told_unfit(const struct agent *agent, uint64_t key)
{
    for (size_t i = 0; i < agent->n_unfit; i++)
        if (agent->unfit[i] == key)
            return true;
    return false;
}

static void tell_unfit(struct agent *agent, const struct quota_blob *blob, int64_t room)
{
    log_warn("vault", "%.12s of %lld bytes for %s has no room; not fetched", blob->hash.hex, (long long)blob->size,
             blob->about);
    agent_event(agent, "vault_full", blob->about,
                "%s of %lld bytes has no room beside what is pinned or needed sooner; blobs may take %lld bytes",
                blob->hash.hex, (long long)blob->size, (long long)room);
}

static void carry_out(struct agent *agent, const struct ledge *ledge, int64_t room)
{
    uint64_t unfit[UNFIT_MAX];
    size_t n_unfit = 0;
    for (size_t i = 0; i < ledge->n; i++) {
        const struct quota_blob *blob = &ledge->at[i];
        uint64_t key = arbiter_key(blob->hash.hex);
        if (blob->evict) {
            log_info("vault", "%.12s leaves: its room is needed", blob->hash.hex);
            blobs_evict(agent->blobs, blob->hash.hex);
            timetable_blob(agent->timetable, blob->hash.hex);
        }
        if (blob->here || blob->in || n_unfit == UNFIT_MAX)
            continue;
        if (!told_unfit(agent, key))
            tell_unfit(agent, blob, room);
        unfit[n_unfit++] = key;
    }
    if (n_unfit)
        memcpy(agent->unfit, unfit, n_unfit * sizeof(unfit[0]));
    agent->n_unfit = n_unfit;
}

static void plan(struct agent *agent, struct ledge *ledge)
{
    int64_t room, most, used = blobs_used(agent->blobs);
    find_room(agent, &room, &most);
    if (used + missing(ledge) > room || used > most) {
        add_unused(agent, ledge);
        quota_plan(ledge->at, ledge->n, room, most);
    } else {
        for (size_t i = 0; i < ledge->n; i++)
            ledge->at[i].in = true;
    }
    carry_out(agent, ledge, room);
}

void agent_wants(struct agent *agent)
{
    struct ledge ledge = {.now_ms = agent_stamp_ms(agent)};
    agent->wants_changed = false;
    timetable_needs(agent->timetable, ledge.now_ms, add_need, &ledge);
    add_pinned(agent, &ledge);
    merge(&ledge);
    fetcher_begin(agent->fetcher);
    if (!agent->vault_bad) { /* what cannot be put down is not fetched */
        plan(agent, &ledge);
        for (size_t i = 0; i < ledge.n; i++) {
            const struct quota_blob *blob = &ledge.at[i];
            bool dated = blob->due_ms > 0;
            if (blob->in && !blob->here)
                fetcher_want(agent->fetcher, blob->hash.hex, blob->size, dated ? blob->due_ms : ledge.now_ms + SOON_MS);
        }
    }
    fetcher_end(agent->fetcher, ledge.now_ms, clock_elapsed_ms());
    free(ledge.at);
}

/* --- they come and go --- */

static void blob_changed(struct agent *agent, const char *hash)
{
    timetable_blob(agent->timetable, hash);
    agent->wants_changed = true;
    agent_ask_soon(agent);
}

void agent_blob_taken(void *arg, const char *hash, int result, const char *why)
{
    struct agent *agent = arg;
    if (result < 0) {
        log_warn("fetch", "%.12s was fetched but is refused: %s; fetched again", hash, why);
        if (result == ERR_HASH)
            agent_event(agent, "blob_damaged", hash, "fetched, but refused: %s", why);
        fetcher_spoilt(agent->fetcher, hash, clock_elapsed_ms());
        return;
    }
    log_info("fetch", "%.12s is in the vault", hash);
    fetcher_landed(agent->fetcher, hash);
    blob_changed(agent, hash);
}

void agent_blob_checked(void *arg, const char *hash, bool whole)
{
    struct agent *agent = arg;
    if (!whole) {
        log_warn("vault", "blob %.12s is damaged; deleted, to be fetched again", hash);
        agent_event(agent, "blob_damaged", hash,
                    "what lies in the vault cannot be read, or is not what its hash says; fetched again");
        blob_changed(agent, hash);
    }
    agent_ask_soon(agent);
}

static bool blob_wanted(void *arg, const char *hash)
{
    struct agent *agent = arg;
    const struct config *config = courier_config(agent->courier);
    for (size_t i = 0; config && i < config->n_pinned; i++)
        if (strcmp(config->pinned[i].hash, hash) == 0)
            return true;
    return timetable_uses(agent->timetable, hash);
}

void agent_sweep_blobs(struct agent *agent)
{
    blobs_sweep(agent->blobs, clock_wall_ms() / 1000, BLOB_KEEP_S, blob_wanted, agent);
}
