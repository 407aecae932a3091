/* courier.h - documents that come down: judged, adopted whole, kept waiting, or refused; and what is in force.
 *
 * Nothing is believed because of where it came from. A document is adopted in one transaction with its version, then it
 * is in force in memory. What was refused only because its key is unknown waits and is judged again when trust or keys
 * change; what is in force is judged again then too. Trust and keys are taken at any time, since without them no
 * welcome can be checked; configuration and playlist only once the vault was ever welcomed. Without trusted time no
 * playlist takes the place of another: what that one named and was missed could not be answered for any more.
 *
 * Anybody who reaches the broker can make documents that are refused, and flash wears out: refusals are told and kept
 * within an allowance (refusals.h), what is known already is not written again, and
 * documents by unknown keys push out only each other. Loop thread. */
#ifndef LOA_COURIER_H
#define LOA_COURIER_H

#include "firmware/vault.h"

#define COURIER_CONFIG_WAIT_MS INT64_C(600000) /* a configuration waits this long for an idle moment */

struct courier_now {
    int64_t now_ms; /* trusted time, or what it certainly is past */
    int64_t elapsed_ms;
    bool idle;     /* nothing is on */
    bool timeless; /* there is no trusted time */
};

struct courier_events {
    /* What is in force changed: a document was adopted, or one does not hold any more. */
    void (*changed)(void *arg, enum doc_type type);
    /* Another playlist comes into force right after this: what the old one decided so far is to be settled. */
    void (*settle)(void *arg);
    /* A welcome of this session; the vault knows its floors already. `kid`: who sealed it. */
    void (*welcome)(void *arg, const struct welcome *welcome, const char *kid);
    /* A command of this session. 1: not seen before; 0: seen, to be answered as before; negative: it cannot be
     * remembered, and must not be done. */
    void (*command)(void *arg, const struct command *command, int is_new);
    /* Refused, not told before. `about`: the word of the document. */
    void (*refused)(void *arg, const char *about, const char *reason, const char *why);
};

struct courier;

struct courier *courier_new(struct vault *vault, const char *device, const char *const roots[ROOTS_MAX],
                            const struct courier_events *events, void *arg);
void courier_free(struct courier *courier); /* NULL is fine */

/* Take what is on disk into force. Before any network. */
void courier_load(struct courier *courier, const struct courier_now *now);
/* A new session: welcomes and commands must quote this. "": none. */
void courier_session(struct courier *courier, const char *nonce, int64_t elapsed_ms);
/* A message from the link. Unknown topics are ignored. */
void courier_message(struct courier *courier, const char *topic, const void *payload, size_t len, bool retained,
                     const struct courier_now *now);
/* Judge what waits again: something became idle, or time went on. */
void courier_again(struct courier *courier, const struct courier_now *now);
/* Put out of force what has expired; into force again what has not, by trusted time that was set right. */
void courier_expire(struct courier *courier, const struct courier_now *now);

/* In force; NULL: none. Valid until `changed`. */
const struct authority *courier_authority(const struct courier *courier);
const struct config *courier_config(const struct courier *courier);
const struct playlist *courier_playlist(const struct courier *courier);
int64_t courier_era(const struct courier *courier);          /* of the trust in force; 1 without one */
int64_t courier_trust_exp_ms(const struct courier *courier); /* INT64_MAX without one */
/* True when this key may still seal for a scheduler. */
bool courier_trusts(const struct courier *courier, const char *scheduler_kid);
/* Held documents for a state, at most `cap`; texts are borrowed until `changed`. */
size_t courier_held(const struct courier *courier, struct held_doc *ret, size_t cap);

#endif
