/* mandate.h - the trust and the keys in force, as handed in by root and registrar, and judged here as any device judges
 * them. One thread for each, with a store of its own. */
#ifndef LOA_MANDATE_H
#define LOA_MANDATE_H

#include "controller/problem.h"
#include "controller/settings.h"
#include "controller/store.h"
#include "playlists/judge.h"

struct mandate;

/* What the store holds, judged again against the roots of today. */
struct mandate *mandate_new(struct store *store, const struct settings *settings);
void mandate_free(struct mandate *mandate); /* NULL is fine */

/* By whom to judge; valid until the next mandate_adopt(). box_x is empty: copy the value and set it. */
const struct authority *mandate_authority(const struct mandate *mandate);
int64_t mandate_era(const struct mandate *mandate);   /* 0: no trust yet */
int64_t mandate_exp_s(const struct mandate *mandate); /* of the trust */
/* The trust in force names this key as a scheduler. */
bool mandate_schedules(const struct mandate *mandate, const char *kid);

/* Take in a sealed trust or keys document. 0, or -1 with the sentence; *ret_same: it was there already. */
int mandate_adopt(struct mandate *mandate, enum doc_type type, const char *compact, size_t len, int64_t now_ms,
                  struct problem *problem, bool *ret_same);

/* A sealed document without the white space around it. */
void sealed_trim(const char **text, size_t *len);
/* Refuse with what the judge said. */
int refuse_document(struct problem *problem, enum refusal refusal, const struct complaint *why);
/* A decoded document's payload as JSON (members as on the wire); new reference, NULL when it cannot be. */
json_t *doc_json(enum doc_type type, const void *doc);

#endif
