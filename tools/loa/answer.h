/* answer.h - asking the controller and printing what it says: JSON with --json, else lines and columns for people, with
 * the times of WHEN_ZONE in the place of the API's UTC. */
#ifndef LOA_ANSWER_H
#define LOA_ANSWER_H

#include "tools/loa/client.h"

/* One column of a list: its heading and the member it shows ("box.kid" goes down; a list is joined by commas). */
struct column {
    const char *heading;
    const char *member;
};

/* Print one value: indented JSON with --json, else "member: value" lines of what is there to read. */
void print_value(const struct call *call, const json_t *value);

/* The member at "a.b.c"; NULL when it is not there. Borrowed. */
const json_t *answer_at(const json_t *object, const char *path);
/* Its text, or `otherwise`. Borrowed. */
const char *answer_text(const json_t *object, const char *path, const char *otherwise);

/* Connect, send, print the answer. Returns one of EXIT_. */
int ask(const struct call *call, const char *method, const char *path, const json_t *body);
/* Connect, send bytes of `type`, print the answer. */
int ask_bytes(const struct call *call, const char *path, const char *type, const void *data, size_t len);
/* Print items for people; `how` is what the caller gave. */
typedef void (*print_items_fn)(const json_t *items, const void *how);
/* As a table: `how` is columns ended by a NULL heading. */
void print_columns(const json_t *items, const void *how);

/* Connect and print a list: follows `next` until --limit (100 unless given, 0: all) items are there. */
int ask_list(const struct call *call, const char *path, const struct column *columns);
/* The same, printed for people by `print`. */
int ask_list_as(const struct call *call, const char *path, print_items_fn print, const void *how);

/* Put "?name=value" or "&name=value" behind a path, escaped; a NULL value adds nothing. */
void query_add(struct buf *path, const char *name, const char *value);

/* Hand in a sealed document from a file (POST, application/jose). */
int ask_document(const struct call *call, const char *path, const char *file);

/* JSON list of the texts that a repeated option was given; each is split at commas. NULL when it was not given. */
json_t *option_list(const struct call *call, const char *name);

#endif
