/* command.h - the table of commands of `loa`, and what each is called with.
 *
 * Every command is one row: its words, its arguments, its options, its function. Reading the command line, --help and
 * the list of all commands come from that table and from nowhere else. One thread. */
#ifndef LOA_COMMAND_H
#define LOA_COMMAND_H

#include "playlists/base/errors.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EXIT_OK = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2 };
enum { COMMAND_OPTIONS_MAX = 64, COMMAND_ARGS_MAX = 64 };

struct option_spec {
    const char *name;  /* without the dashes */
    const char *value; /* what stands for it in --help; NULL: a switch without a value */
    const char *help;
    bool required;
    bool repeat; /* may be given more than once */
};

struct call;

struct cli_command {
    const char *group; /* first word */
    const char *name;  /* second word; NULL: the group is the command */
    const char *args;  /* for --help; "" when none */
    size_t min_args, max_args;
    const char *vi, *en;               /* one line each: what it does */
    const struct option_spec *options; /* ends with a NULL name; NULL: none of its own */
    int (*run)(struct call *call);     /* returns one of EXIT_ */
};

struct given_option {
    const char *name;
    const char *value;
};

/* One command as it was typed. All texts are borrowed from argv and the environment. */
struct call {
    const struct cli_command *command;
    const char *args[COMMAND_ARGS_MAX];
    size_t n_args;
    struct given_option options[COMMAND_OPTIONS_MAX];
    size_t n_options;
    bool json;        /* machine-readable answers */
    const char *lang; /* "vi" or "en" */
};

/* What --help shows of a command beside its options: lines that work as they stand. */
struct cli_example {
    const char *group, *name;
    const char *line;
};
extern const struct cli_example examples[]; /* ends with a NULL group (examples.c) */

/* The commands of each file, in the order of --help; each ends with a NULL group. */
extern const struct cli_command keys_commands[], trust_commands[], persons_commands[], bulletin_commands[],
    approve_commands[], rule_commands[], area_commands[], device_commands[], group_commands[], limit_commands[],
    token_commands[], report_commands[], preview_commands[];
extern const struct cli_command *const command_tables[]; /* NULL-terminated */

/* Options that every command has. */
extern const struct option_spec common_options[];

/* Read argv into *ret. EXIT_OK; EXIT_USAGE after saying what is wrong; -1: help or version was asked for and printed.
 */
int command_read(int argc, char **argv, struct call *ret);

/* The value of an option (the last one when repeated), NULL when it was not given; a switch gives "". */
const char *call_option(const struct call *call, const char *name);
/* All values of a repeated option: the i-th, or NULL. */
const char *call_option_at(const struct call *call, const char *name, size_t i);
/* A whole number in [min, max]; absent: *ret stays. EXIT_OK, or EXIT_USAGE after saying what is wrong. */
MUST_USE int call_number(const struct call *call, const char *name, int64_t min, int64_t max, int64_t *ret);

/* Something to know about what was done, on stderr. */
void warn(const struct call *call, const char *text);

/* Say on stderr why it is refused; return EXIT_REFUSED or EXIT_USAGE, so that a command can `return refuse(...)`. */
int refuse(const struct call *call, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int misused(const struct call *call, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
