/* answer.h - asking the controller and printing what it says: JSON with --json, else lines and tables for people
 * (print.h). */
#ifndef LOA_ANSWER_H
#define LOA_ANSWER_H

#include "tools/loa/client.h"
#include "tools/loa/print.h"

/* Connect, send, print the answer. Returns one of EXIT_. */
int ask(const struct call *call, const char *method, const char *path, const json_t *body);
/* Connect, send bytes of `type`, print the answer. */
int ask_bytes(const struct call *call, const char *path, const char *type, const void *data, size_t len);
/* Print items for people; `how` is what the caller gave. */
typedef void (*print_items_fn)(const struct call *call, const json_t *items, const void *how);

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
