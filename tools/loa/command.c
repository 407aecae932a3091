/* command.c - see command.h. */
#include "tools/loa/command.h"

#include "tools/loa/sentences.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct cli_command *const command_tables[] = {
    keys_commands,    trust_commands, persons_commands, bulletin_commands,
    approve_commands, rule_commands,  area_commands,    device_commands,
    group_commands,   limit_commands, token_commands,   report_commands,
    preview_commands, NULL,
};

const struct option_spec common_options[] = {
    {"url", "URL", "address of the controller (else $LOA_URL)", false, false},
    {"ca", "FILE", "certificate authority that the controller must prove (else $LOA_CA)", false, false},
    {"token-file", "FILE", "file that holds the token (else $LOA_TOKEN holds the token itself)", false, false},
    {"json", NULL, "print JSON", false, false},
    {"lang", "vi|en", "language of lines for people (else $LOA_LANG, else vi)", false, false},
    {"help", NULL, "this text", false, false},
    {NULL, NULL, NULL, false, false},
};

static void say(const struct call *call, const char *fmt, va_list ap)
{
    char text[1200];
    vsnprintf(text, sizeof(text), sentence_in(call->lang, fmt), ap);
    if (!call->json) {
        fprintf(stderr, "loa: %s\n", text);
        return;
    }
    json_t *error = json_pack("{s:s}", "error", text);
    char *line = error ? json_dumps(error, JSON_COMPACT) : NULL;
    fprintf(stderr, "%s\n", line ? line : "{\"error\":\"not UTF-8\"}");
    free(line);
    json_decref(error);
}

int refuse(const struct call *call, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say(call, fmt, ap);
    va_end(ap);
    return EXIT_REFUSED;
}

int misused(const struct call *call, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say(call, fmt, ap);
    va_end(ap);
    const struct cli_command *c = call->command;
    if (c && !call->json)
        fprintf(stderr,
                strcmp(call->lang, "en") == 0 ? "     loa %s%s%s --help tells more\n"
                                              : "     xem thêm: loa %s%s%s --help\n",
                c->group, c->name ? " " : "", c->name ? c->name : "");
    return EXIT_USAGE;
}

void warn(const struct call *call, const char *text)
{
    fprintf(stderr, "loa: %s: %s\n", strcmp(call->lang, "en") == 0 ? "warning" : "cảnh báo", text);
}

/* "loa rule show ID" */
static const char *usage_of(const struct cli_command *c, char ret[160])
{
    snprintf(ret, 160, "loa %s%s%s%s%s", c->group, c->name ? " " : "", c->name ? c->name : "", *c->args ? " " : "",
             c->args);
    return ret;
}

static void print_options(const struct option_spec *options, const char *lang)
{
    for (const struct option_spec *o = options; o && o->name; o++) {
        char left[64];
        snprintf(left, sizeof(left), "--%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
        printf("  %-28s %s%s%s\n", left, sentence_in(lang, o->help),
               o->required ? sentence_in(lang, " (required)") : "",
               o->repeat ? sentence_in(lang, " (repeatable)") : "");
    }
}

static void print_examples(const struct cli_command *c, const char *lang)
{
    const char *heading = sentence_in(lang, "\nExamples:\n");
    for (const struct cli_example *e = examples; e->group; e++) {
        if (strcmp(e->group, c->group) != 0 || (c->name && strcmp(e->name, c->name) != 0))
            continue;
        printf("%s  %s\n", heading, e->line);
        heading = "";
    }
}

static void print_common(const char *lang)
{
    printf("%s", sentence_in(lang, "\nEvery command:\n"));
    print_options(common_options, lang);
}

static void print_command_help(const struct cli_command *c, const char *lang)
{
    char usage[160];
    printf("%s\n%s\n\n", c->vi, c->en);
    printf(sentence_in(lang, "Usage: %s [options]\n"), usage_of(c, usage));
    if (c->options && c->options->name) {
        printf("\n");
        print_options(c->options, lang);
    }
    print_examples(c, lang);
    print_common(lang);
}

static void print_help(const char *group, const char *lang)
{
    printf("loa: dòng lệnh của Loa, điều khiển loa và bảng tin điện tử.\n"
           "loa: the command line of Loa, loudspeakers and electronic boards.\n\n"
           "%s",
           sentence_in(lang, "Usage: loa COMMAND [options]; loa COMMAND --help tells more.\n\n"));
    for (size_t t = 0; command_tables[t]; t++) {
        for (const struct cli_command *c = command_tables[t]; c->group; c++) {
            if (group && strcmp(group, c->group) != 0)
                continue;
            char words[48];
            snprintf(words, sizeof(words), "%s%s%s", c->group, c->name ? " " : "", c->name ? c->name : "");
            printf("  %-16s %s\n  %-16s %s\n", words, c->vi, "", c->en);
        }
    }
    print_common(lang);
    printf("%s", sentence_in(lang, "\nExit: 0 done, 1 refused or failed, 2 wrong usage.\n"));
}

static const struct cli_command *find_command(const char *group, const char *name, bool *ret_group_known)
{
    *ret_group_known = false;
    for (size_t t = 0; command_tables[t]; t++) {
        for (const struct cli_command *c = command_tables[t]; c->group; c++) {
            if (strcmp(c->group, group) != 0)
                continue;
            *ret_group_known = true;
            if (!c->name || (name && strcmp(c->name, name) == 0))
                return c;
        }
    }
    return NULL;
}

static const struct option_spec *find_option(const struct option_spec *specs, const char *name, size_t len)
{
    for (const struct option_spec *o = specs; o && o->name; o++)
        if (strlen(o->name) == len && memcmp(o->name, name, len) == 0)
            return o;
    return NULL;
}

/* Keys are 43 letters of base64url, which may begin with hyphens; an option as long has a '=' in it. */
static bool is_value(const char *word)
{
    return strncmp(word, "--", 2) != 0 || (strlen(word) == 43 && !strchr(word, '='));
}

/* One option at argv[*i]; moves *i over its value. */
static int read_option(struct call *call, int argc, char **argv, int *i)
{
    const char *name = argv[*i] + 2;
    const char *equals = strchr(name, '=');
    size_t len = equals ? (size_t)(equals - name) : strlen(name);
    const struct option_spec *spec = call->command ? find_option(call->command->options, name, len) : NULL;
    if (!spec)
        spec = find_option(common_options, name, len);
    if (!spec)
        return misused(call, "there is no option --%.*s here", (int)len, name);
    const char *value = "";
    if (spec->value && equals)
        value = equals + 1;
    else if (spec->value && *i + 1 < argc && is_value(argv[*i + 1]))
        value = argv[++*i];
    else if (spec->value)
        return misused(call, "--%s needs a value: %s", spec->name, spec->value);
    else if (equals)
        return misused(call, "--%s takes no value", spec->name);
    if (!spec->repeat && call_option(call, spec->name))
        return misused(call, "--%s is given twice; once would be right", spec->name);
    if (call->n_options == COMMAND_OPTIONS_MAX)
        return misused(call, "more than %d options", COMMAND_OPTIONS_MAX);
    call->options[call->n_options++] = (struct given_option){spec->name, value};
    return EXIT_OK;
}

static int check(struct call *call)
{
    const struct cli_command *c = call->command;
    char usage[160], lacks[320] = "";
    size_t len = 0;
    for (const struct option_spec *o = c->options; o && o->name && len < sizeof(lacks); o++)
        if (o->required && !call_option(call, o->name))
            len += (size_t)snprintf(lacks + len, sizeof(lacks) - len, "%s--%s%s%s", len ? ", " : "", o->name,
                                    o->value ? " " : "", o->value ? o->value : "");
    if (len > 0)
        return misused(call, "missing, and required: %s", lacks);
    if (call->n_args < c->min_args)
        return misused(call, "too few arguments; right would be: %s", usage_of(c, usage));
    if (call->n_args > c->max_args)
        return misused(call, "'%s' is one argument too many; right would be: %s", call->args[c->max_args],
                       usage_of(c, usage));
    const char *lang = call_option(call, "lang");
    if (lang && strcmp(lang, "vi") != 0 && strcmp(lang, "en") != 0)
        return misused(call, "--lang is '%s'; right would be: vi or en", lang);
    return EXIT_OK;
}

static int read_words(struct call *call, int argc, char **argv, int i)
{
    bool only_args = false;
    for (; i < argc; i++) {
        if (!only_args && strcmp(argv[i], "--") == 0) {
            only_args = true;
        } else if (!only_args && strncmp(argv[i], "--", 2) == 0) {
            int r = read_option(call, argc, argv, &i);
            if (r != EXIT_OK)
                return r;
        } else if (call->n_args == COMMAND_ARGS_MAX) {
            return misused(call, "more than %d arguments", COMMAND_ARGS_MAX);
        } else {
            call->args[call->n_args++] = argv[i];
        }
    }
    return EXIT_OK;
}

/* How refusals are written must be known before anything is refused: also of what is wrong before --json or --lang. */
static void read_manner(struct call *call, int argc, char **argv)
{
    const char *wanted = getenv("LOA_LANG");
    *call = (struct call){.lang = wanted && strcmp(wanted, "en") == 0 ? "en" : "vi"};
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        call->json = call->json || strcmp(argv[i], "--json") == 0;
        const char *lang = strncmp(argv[i], "--lang=", 7) == 0              ? argv[i] + 7
                           : strcmp(argv[i], "--lang") == 0 && i + 1 < argc ? argv[i + 1]
                                                                            : NULL;
        if (lang)
            call->lang = strcmp(lang, "en") == 0 ? "en" : "vi";
    }
}

/* Options before the command; *i ends at the first word that is none of them. */
static int read_before(struct call *call, int argc, char **argv, int *i)
{
    for (; *i < argc && strncmp(argv[*i], "--", 2) == 0; ++*i) {
        if (strcmp(argv[*i], "--help") == 0 || strcmp(argv[*i], "--version") == 0)
            break;
        int r = read_option(call, argc, argv, i);
        if (r != EXIT_OK)
            return r;
    }
    return EXIT_OK;
}

/* The command that the words from argv[i] name; -1 when help was asked for and printed. */
static int read_command(struct call *call, int argc, char **argv, int i)
{
    const char *group = argv[i], *name = i + 1 < argc ? argv[i + 1] : NULL;
    bool known;
    call->command = find_command(group, name, &known);
    if (!call->command && known && (!name || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)) {
        print_help(group, call->lang);
        return name ? -1 : EXIT_USAGE;
    }
    if (!call->command && known)
        return misused(call, "'%s' has no command '%s'; `loa %s --help` lists what it has", group, name, group);
    if (!call->command)
        return misused(call, "there is no command '%s'; `loa --help` lists them", group);
    return EXIT_OK;
}

int command_read(int argc, char **argv, struct call *ret)
{
    int i = 1;
    read_manner(ret, argc, argv);
    int r = read_before(ret, argc, argv, &i);
    if (r != EXIT_OK)
        return r;
    const char *first = i < argc ? argv[i] : "--help";
    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0 || strcmp(first, "help") == 0) {
        print_help(NULL, ret->lang);
        return i < argc ? -1 : EXIT_USAGE;
    }
    if (strcmp(first, "--version") == 0) {
        printf("loa %s\n", LOA_VERSION);
        return -1;
    }
    r = read_command(ret, argc, argv, i);
    if (r == EXIT_OK)
        r = read_words(ret, argc, argv, i + (ret->command->name ? 2 : 1));
    if (r != EXIT_OK)
        return r;
    if (call_option(ret, "help")) {
        print_command_help(ret->command, ret->lang);
        return -1;
    }
    return check(ret);
}

const char *call_option(const struct call *call, const char *name)
{
    for (size_t i = call->n_options; i-- > 0;)
        if (strcmp(call->options[i].name, name) == 0)
            return call->options[i].value;
    return NULL;
}

const char *call_option_at(const struct call *call, const char *name, size_t i)
{
    for (size_t k = 0; k < call->n_options; k++)
        if (strcmp(call->options[k].name, name) == 0 && i-- == 0)
            return call->options[k].value;
    return NULL;
}

int call_number(const struct call *call, const char *name, int64_t min, int64_t max, int64_t *ret)
{
    const char *text = call_option(call, name);
    if (!text)
        return EXIT_OK;
    char *end = NULL;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (!*text || *end || errno || value < min || value > max)
        return misused(call, "--%s is '%s'; right would be a whole number from %lld to %lld", name, text,
                       (long long)min, (long long)max);
    *ret = value;
    return EXIT_OK;
}
