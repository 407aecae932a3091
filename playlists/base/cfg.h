/* cfg.h - configuration and profile files (libconfig), read once into plain values.
 *
 * Every error is a sentence that begins with file:line. Each getter marks its setting as known, and cfg_finish()
 * refuses settings that nobody asked for: a misspelt name is an error, not a silent default. Loop thread. */
#ifndef LOA_CFG_H
#define LOA_CFG_H

#include "playlists/base/errors.h"
#include "playlists/base/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cfg;      /* one open file; owns all text that getters return */
struct cfg_node; /* one group or list in it (borrowed from the file) */

/* Open and parse; at most 256 KiB, no @include. */
MUST_USE int cfg_open(const char *path, struct cfg **ret_cfg, struct complaint *why);
void cfg_close(struct cfg *cfg); /* NULL is fine */
const struct cfg_node *cfg_root(struct cfg *cfg);

/* Each: 0 and *ret set; when the setting is absent, 0 with *ret left as it was (preset it with the default), or
 * ERR_FORMAT if `required`. Wrong type, out of [min, max], longer than max_len bytes or bad UTF-8: ERR_FORMAT. */
MUST_USE int cfg_int(const struct cfg_node *group, const char *name, bool required, int64_t min, int64_t max,
                     int64_t *ret, struct complaint *why);
MUST_USE int cfg_real(const struct cfg_node *group, const char *name, bool required, double min, double max,
                      double *ret, struct complaint *why);
MUST_USE int cfg_bool(const struct cfg_node *group, const char *name, bool required, bool *ret, struct complaint *why);
MUST_USE int cfg_text(const struct cfg_node *group, const char *name, bool required, size_t max_len, const char **ret,
                      struct complaint *why);
/* The path of a file that can be read now. */
MUST_USE int cfg_file(const struct cfg_node *group, const char *name, bool required, const char **ret,
                      struct complaint *why);
/* One of `names` (NULL-terminated); *ret is its index. */
MUST_USE int cfg_choice(const struct cfg_node *group, const char *name, bool required, const char *const *names,
                        int *ret, struct complaint *why);
/* The setting `log` of every program: error, warning, info (when absent: *ret stays) or debug. */
MUST_USE int cfg_log(const struct cfg_node *root, enum log_level *ret, struct complaint *why);
/* A group or list by name; absent and not required: *ret is NULL. */
MUST_USE int cfg_group(const struct cfg_node *group, const char *name, bool required, const struct cfg_node **ret,
                       struct complaint *why);
MUST_USE int cfg_list(const struct cfg_node *group, const char *name, bool required, size_t max_items,
                      const struct cfg_node **ret, struct complaint *why);

size_t cfg_len(const struct cfg_node *list);                              /* items in a list; NULL: 0 */
const struct cfg_node *cfg_at(const struct cfg_node *list, size_t index); /* group at index; not a group: NULL */
MUST_USE int cfg_text_at(const struct cfg_node *list, size_t index, size_t max_len, const char **ret,
                         struct complaint *why);

/* Complain about this node: "file:line: " and the sentence. Returns ERR_FORMAT. */
int cfg_complain(const struct cfg_node *node, struct complaint *why, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The same about one setting of a group, at its own line (the group's when it is absent). */
int cfg_complain_of(const struct cfg_node *group, const char *name, struct complaint *why, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Refuse settings in `group` (and groups below it) that no getter named. Call after reading all. */
MUST_USE int cfg_finish(struct cfg *cfg, struct complaint *why);

#endif
