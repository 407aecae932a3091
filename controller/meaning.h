/* meaning.h - what the codes of devices and of the planner mean to people, in both languages.
 *
 * An agent writes a stable code, then English detail for whoever mends the box: "out_of_scope: the approval of lan
 * covers no area of this device". People read the words that stand here beside that code. Each answer is
 * {"vi": ..., "en": ...}, a new reference; JSON null where no word is known. Pure; any thread. */
#ifndef LOA_MEANING_H
#define LOA_MEANING_H

#include <jansson.h>
#include <stdbool.h>

/* Of a receipt's or preview's detail: of each code in it ("key: ...; out_of_scope: ..."). */
json_t *meaning_of_detail(const char *detail);
/* Of an event: its code, what it is about, and the code that its detail begins with. */
json_t *meaning_of_event(const char *code, const char *about, const char *detail);
/* Of what the planner left out or cut: a word of problem_names (playlists/compile.h). */
json_t *meaning_of_problem(const char *why);

/* The words of one code of refusal_names (playlists/seal.h) or item_verdict_names (playlists/judge.h); the code itself
 * where there are none. */
const char *meaning_of_code(const char *code, bool english);

/* Put the member "meaning" into a row: of a receipt ("detail"), an event, a problem ("why"). */
typedef void (*mean_fn)(json_t *row);
void mean_receipt(json_t *row);
void mean_event(json_t *row);
void mean_problem(json_t *row);
void mean_each(json_t *rows, mean_fn mean);

#endif
