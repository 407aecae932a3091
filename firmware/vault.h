/* vault.h - what an agent must not lose, in one SQLite file (WAL, synchronous FULL): documents in force, versions and
 * floors, documents that wait, ledger, timekeeper, occurrences on air, outbox, remembered commands and refusals.
 *
 * Loop thread only. Everything is bounded. Codes: ERR_STORE when the database or the disk below it fails; then nothing
 * of a transaction has happened. Several changes that must hold together go between vault_begin() and vault_commit().
 */
#ifndef LOA_VAULT_H
#define LOA_VAULT_H

#include "playlists/arbiter.h"
#include "playlists/judge.h"
#include "playlists/timekeeper.h"

struct vault;
struct sqlite3;

/* Open or make `<dir>/vault.db` (and the folder), and hold the folder: -EBUSY when another agent has it. A file of a
 * newer format is refused. A damaged one is set aside as `vault.db.damaged-<ms>` and a new vault begun, with a new
 * store id. When the disk only reads, a copy in memory is opened: everything can be read, every change fails. */
MUST_USE int vault_open(const char *dir, int64_t now_ms, struct vault **ret_vault, struct complaint *why);
void vault_close(struct vault *vault);              /* NULL is fine */
const char *vault_store(const struct vault *vault); /* store id: random, made with the vault */
const char *vault_dir(const struct vault *vault);
struct sqlite3 *vault_db(struct vault *vault); /* for outbox.c, which keeps its rows in the same file */

const char *vault_set_aside(const struct vault *vault); /* what was set aside at the start; NULL: nothing */

/* A disk that fails. Why the last transaction failed; the store's own file is damaged (then only a new start helps). */
const char *vault_trouble(const struct vault *vault);
bool vault_damaged(const struct vault *vault);
bool vault_reads_only(const struct vault *vault); /* a copy is open */
/* Try whether it can be written again: gives back what the journal takes of a full disk, opens the file anew.
 * ERR_STORE: not yet. Not inside a transaction. */
MUST_USE int vault_mend(struct vault *vault);

/* Each second or so: brings into the file what its journal holds, once that has grown. So a document that is adopted
 * waits for the disk once, and not for this too. */
void vault_tidy(struct vault *vault);

/* Transactions nest; only the outermost commits. After a failed vault_commit() nothing of it has happened. */
void vault_begin(struct vault *vault);
MUST_USE int vault_commit(struct vault *vault);
void vault_abandon(struct vault *vault);

bool vault_welcomed(const struct vault *vault); /* ever */
/* Remember that there was a welcome, and the floors that it names. Most say nothing new: those cost no write, and are
 * taken while the disk only reads. */
MUST_USE int vault_keep_welcome(struct vault *vault, const struct welcome *welcome);

/* A version for documents that go up: above every one handed out before, also across restarts, and at least now_ms. */
int64_t vault_up_version(struct vault *vault, int64_t now_ms);

/* Documents in force: one per type, whole. The highest version ever adopted and the floor never go back within an era.
 */
struct vault_document {
    int64_t era, ver;
    struct hash hash; /* of the sealed bytes */
    char *sealed;     /* heap, caller frees */
    size_t len;
};
MUST_USE int vault_document(struct vault *vault, enum doc_type type, struct vault_document *ret); /* -ENOENT */
MUST_USE int vault_adopt(struct vault *vault, enum doc_type type, const struct doc_head *head, const void *sealed,
                         size_t len, const struct hash *hash); /* hash: of the sealed bytes */
void vault_held(struct vault *vault, enum doc_type type, struct held_version *ret_held);

/* Documents that wait to be judged again. Those by keys that nobody vouches for ("strangers") are counted apart, since
 * anybody can make them: at most VAULT_STRANGERS_MAX of them, VAULT_WAITING_MAX of the others; the oldest of its kind
 * leaves. What waits already as this kind costs no write. */
enum { VAULT_WAITING_MAX = 24, VAULT_STRANGERS_MAX = 12, VAULT_COMMANDS_MAX = 256, VAULT_REFUSALS_MAX = 256 };
MUST_USE int vault_wait(struct vault *vault, enum doc_type type, const void *sealed, size_t len, int64_t now_ms,
                        bool stranger);
bool vault_waits(struct vault *vault, const struct hash *hash, bool stranger);
void vault_wait_no_more(struct vault *vault, const struct hash *hash);
/* Calls `each` for every one, trust first, in the order in which they came. `each` may change the vault. */
typedef void (*vault_waiting_fn)(void *arg, enum doc_type type, const void *sealed, size_t len);
void vault_waiting(struct vault *vault, vault_waiting_fn each, void *arg);

/* True when this refusal (what, why) was not told yet; remembers it. */
bool vault_refusal_is_new(struct vault *vault, const struct hash *hash, const char *reason);
/* 1: this command id was not seen before, and is remembered now. 0: it was. ERR_STORE: it cannot be remembered. */
MUST_USE int vault_command_new(struct vault *vault, const char *id);
/* How it was answered, so that a repetition gets the same. -ENOENT: it was not, or long ago. */
enum { VAULT_ANSWER_MAX = 400 };
MUST_USE int vault_command_answer(struct vault *vault, const char *id, bool ok, const char *detail);
MUST_USE int vault_command_answered(struct vault *vault, const char *id, bool *ret_ok,
                                    char ret_detail[VAULT_ANSWER_MAX]);

/* Ledger and timekeeper. Load: absent or of an unknown format -> zeros, 0. */
MUST_USE int vault_save_ledger(struct vault *vault, const struct ledger *ledger);
void vault_load_ledger(struct vault *vault, struct ledger *ret_ledger);
MUST_USE int vault_save_timekeeper(struct vault *vault, const struct timekeeper *tk);
void vault_load_timekeeper(struct vault *vault, struct timekeeper *ret_tk);

/* What must be known of an occurrence that began, until its receipt is made: the playlist may not name it any more. */
struct airing {
    uint64_t key;
    char occurrence[128];
    struct hash bulletin; /* empty: a relay */
    char exempt[104];     /* what lets it pass quiet hours, and once it is over: what did; empty: nothing */
    int class;
    int64_t planned_ms;
    enum time_grade grade;
    bool over; /* the arbiter ended it; the receipt waits for the outputs */
    int64_t started_ms, ended_ms;
    enum reason reason;
};
MUST_USE int vault_airing_save(struct vault *vault, const struct airing *airing);
MUST_USE int vault_airing(struct vault *vault, uint64_t key, struct airing *ret); /* -ENOENT */
MUST_USE int vault_airing_drop(struct vault *vault, uint64_t key);
/* What was proven of it so far, as plain bytes of one fixed size. Load: -ENOENT when there is none of that size. */
MUST_USE int vault_airing_save_evidence(struct vault *vault, uint64_t key, const void *evidence, size_t size);
MUST_USE int vault_airing_evidence(struct vault *vault, uint64_t key, void *ret_evidence, size_t size);
/* Any that is over, for the first after a start: 0, or -ENOENT. */
MUST_USE int vault_airing_over(struct vault *vault, struct airing *ret);

#endif
