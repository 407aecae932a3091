/* print.h - what the controller says, for people: lines "member: value" and tables, in their words (words.h), with the
 * times of WHEN_ZONE in the place of the API's UTC. One thread. */
#ifndef LOA_LOA_PRINT_H
#define LOA_LOA_PRINT_H

#include "playlists/base/bytes.h"
#include "tools/loa/command.h"

/* One column of a table: its heading (a member's name or one of words.c) and the member it shows ("box.kid" goes down).
 */
struct column {
    const char *heading;
    const char *member;
};

/* The member at "a.b.c"; NULL when it is not there. Borrowed. */
const json_t *answer_at(const json_t *object, const char *path);
/* Its text, or `otherwise`. Borrowed. */
const char *answer_text(const json_t *object, const char *path, const char *otherwise);

/* The value of this member as one line (appended): instants by the clock, codes as words, 60000 of late_ms as "60 s".
 * Control characters become spaces: a title must not move the terminal's cursor. */
void put_plain(struct buf *out, const char *lang, const char *member, const json_t *value);

/* A table, `how` is columns ended by a NULL heading. */
void print_columns(const struct call *call, const json_t *items, const void *how);

/* Print one value: indented JSON with --json, else "member: value" lines of what is there to read. */
void print_value(const struct call *call, const json_t *value);
/* The same, as JSON always. */
void print_json(const json_t *value);

#endif
