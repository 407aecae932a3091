/* cfg.c - see cfg.h. A node is libconfig's setting itself; its hook pointer marks that somebody asked for it. */
#include "playlists/base/cfg.h"

#include "playlists/base/bytes.h"
#include "playlists/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libconfig.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CFG_MAX_SIZE = 256 * 1024, PATH_LEN_MAX = 4095 };

struct cfg {
    config_t config;
};

static char known; /* its address is the mark */

static config_setting_t *setting_of(const struct cfg_node *node)
{
    return (config_setting_t *)(uintptr_t)node;
}

static const struct cfg_node *node_of(config_setting_t *setting)
{
    return (const struct cfg_node *)setting;
}

static int vcomplain(const config_setting_t *at, struct complaint *why, const char *fmt, va_list ap)
{
    char sentence[300];
    vsnprintf(sentence, sizeof(sentence), fmt, ap);
    const char *file = config_setting_source_file(at);
    unsigned line = config_setting_source_line(at);
    return complain(why, ERR_FORMAT, "%s:%u: %s", file ? file : "?", line ? line : 1, sentence);
}

int cfg_complain(const struct cfg_node *node, struct complaint *why, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int r = vcomplain(setting_of(node), why, fmt, ap);
    va_end(ap);
    return r;
}

/* No file may pull in another: libconfig 1.5 follows @include at the start of a line. Returns the line, or 0. */
static unsigned find_include(const char *text)
{
    unsigned line = 1;
    for (const char *p = text; *p; p++) {
        p += strspn(p, " \t");
        if (strncmp(p, "@include", 8) == 0)
            return line;
        p = strchr(p, '\n');
        if (!p)
            break;
        line++;
    }
    return 0;
}

int cfg_complain_of(const struct cfg_node *group, const char *name, struct complaint *why, const char *fmt, ...)
{
    const config_setting_t *s = config_setting_get_member(setting_of(group), name);
    va_list ap;
    va_start(ap, fmt);
    int r = vcomplain(s ? s : setting_of(group), why, fmt, ap);
    va_end(ap);
    return r;
}

int cfg_open(const char *path, struct cfg **ret_cfg, struct complaint *why)
{
    struct buf text = {0};
    int r = file_read_whole(path, CFG_MAX_SIZE, &text);
    if (r < 0) {
        buf_done(&text);
        return complain(why, r, "%s: cannot be read: %s", path, err_name(r));
    }
    if (!utf8_valid((const char *)text.data, text.len)) {
        buf_done(&text);
        return complain(why, ERR_FORMAT, "%s:1: is not UTF-8 text", path);
    }
    unsigned include_line = find_include(buf_text(&text));
    buf_done(&text);
    if (include_line)
        return complain(why, ERR_FORMAT, "%s:%u: @include is not allowed; write the settings here", path, include_line);
    struct cfg *cfg = xcalloc(1, sizeof(*cfg));
    config_init(&cfg->config);
    if (config_read_file(&cfg->config, path) != CONFIG_TRUE) {
        int line = config_error_line(&cfg->config);
        r = complain(why, ERR_FORMAT, "%s:%d: %s", path, line > 0 ? line : 1, config_error_text(&cfg->config));
        cfg_close(cfg);
        return r;
    }
    *ret_cfg = cfg;
    return 0;
}

void cfg_close(struct cfg *cfg)
{
    if (!cfg)
        return;
    config_destroy(&cfg->config);
    free(cfg);
}

const struct cfg_node *cfg_root(struct cfg *cfg)
{
    config_setting_t *root = config_root_setting(&cfg->config);
    config_setting_set_hook(root, &known);
    return node_of(root);
}

/* Find a member and mark it. 1: found, 0: absent, negative: required but absent. */
static int find(const struct cfg_node *group, const char *name, bool required, config_setting_t **ret,
                struct complaint *why)
{
    config_setting_t *s = config_setting_get_member(setting_of(group), name);
    if (!s)
        return required ? cfg_complain(group, why, "'%s' is missing", name) : 0;
    config_setting_set_hook(s, &known);
    *ret = s;
    return 1;
}

static int wrong(const config_setting_t *s, struct complaint *why, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static int wrong(const config_setting_t *s, struct complaint *why, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int r = vcomplain(s, why, fmt, ap);
    va_end(ap);
    return r;
}

static bool is_integer(const config_setting_t *s)
{
    int type = config_setting_type(s);
    return type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64;
}

int cfg_int(const struct cfg_node *group, const char *name, bool required, int64_t min, int64_t max, int64_t *ret,
            struct complaint *why)
{
    config_setting_t *s = NULL;
    int r = find(group, name, required, &s, why);
    if (r <= 0)
        return r;
    if (!is_integer(s))
        return wrong(s, why, "'%s' must be a whole number", name);
    int64_t value = config_setting_get_int64(s);
    if (value < min || value > max)
        return wrong(s, why, "'%s' is %lld, it must be %lld to %lld", name, (long long)value, (long long)min,
                     (long long)max);
    *ret = value;
    return 0;
}

int cfg_real(const struct cfg_node *group, const char *name, bool required, double min, double max, double *ret,
             struct complaint *why)
{
    config_setting_t *s = NULL;
    int r = find(group, name, required, &s, why);
    if (r <= 0)
        return r;
    double value;
    if (is_integer(s))
        value = (double)config_setting_get_int64(s);
    else if (config_setting_type(s) == CONFIG_TYPE_FLOAT)
        value = config_setting_get_float(s);
    else
        return wrong(s, why, "'%s' must be a number", name);
    if (!(value >= min && value <= max))
        return wrong(s, why, "'%s' is %g, it must be %g to %g", name, value, min, max);
    *ret = value;
    return 0;
}

int cfg_bool(const struct cfg_node *group, const char *name, bool required, bool *ret, struct complaint *why)
{
    config_setting_t *s = NULL;
    int r = find(group, name, required, &s, why);
    if (r <= 0)
        return r;
    if (config_setting_type(s) != CONFIG_TYPE_BOOL)
        return wrong(s, why, "'%s' must be true or false", name);
    *ret = config_setting_get_bool(s) != 0;
    return 0;
}

static int take_text(const config_setting_t *s, const char *name, size_t max_len, const char **ret,
                     struct complaint *why)
{
    if (config_setting_type(s) != CONFIG_TYPE_STRING)
        return wrong(s, why, "'%s' must be text in quotes", name);
    const char *text = config_setting_get_string(s);
    if (strlen(text) == 0)
        return wrong(s, why, "'%s' is empty", name);
    if (strlen(text) > max_len)
        return wrong(s, why, "'%s' is longer than %zu bytes", name, max_len);
    *ret = text;
    return 0;
}

int cfg_text(const struct cfg_node *group, const char *name, bool required, size_t max_len, const char **ret,
             struct complaint *why)
{
    config_setting_t *s = NULL;
    int r = find(group, name, required, &s, why);
    return r <= 0 ? r : take_text(s, name, max_len, ret, why);
}

int cfg_file(const struct cfg_node *group, const char *name, bool required, const char **ret, struct complaint *why)
{
    const char *path = NULL;
    int r = cfg_text(group, name, required, PATH_LEN_MAX, &path, why);
    if (r < 0 || !path)
        return r;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    r = fd < 0 || fstat(fd, &st) < 0 ? -errno : 0;
    if (fd >= 0)
        close(fd);
    if (r < 0)
        return cfg_complain_of(group, name, why, "'%s' names %s, which cannot be read: %s", name, path, err_name(r));
    if (!S_ISREG(st.st_mode))
        return cfg_complain_of(group, name, why, "'%s' names %s, which is not a file", name, path);
    *ret = path;
    return 0;
}

int cfg_choice(const struct cfg_node *group, const char *name, bool required, const char *const *names, int *ret,
               struct complaint *why)
{
    const char *text = NULL;
    int r = cfg_text(group, name, required, 64, &text, why);
    if (r < 0 || !text)
        return r;
    char all[200] = "";
    for (int i = 0; names[i]; i++) {
        if (strcmp(names[i], text) == 0) {
            *ret = i;
            return 0;
        }
        size_t used = strlen(all);
        snprintf(all + used, sizeof(all) - used, "%s%s", i ? ", " : "", names[i]);
    }
    return wrong(config_setting_get_member(setting_of(group), name), why, "'%s' is \"%s\", it must be one of: %s", name,
                 text, all);
}

int cfg_log(const struct cfg_node *root, enum log_level *ret, struct complaint *why)
{
    static const char *const words[] = {"error", "warning", "info", "debug", NULL};
    static const enum log_level levels[] = {LOG_LEVEL_ERR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG};
    int at = -1;
    int r = cfg_choice(root, "log", false, words, &at, why);
    if (r == 0 && at >= 0)
        *ret = levels[at];
    return r;
}

int cfg_group(const struct cfg_node *group, const char *name, bool required, const struct cfg_node **ret,
              struct complaint *why)
{
    config_setting_t *s = NULL;
    int r = find(group, name, required, &s, why);
    if (r < 0)
        return r;
    if (r > 0 && config_setting_type(s) != CONFIG_TYPE_GROUP)
        return wrong(s, why, "'%s' must be a group { ... }", name);
    *ret = node_of(s);
    return 0;
}

int cfg_list(const struct cfg_node *group, const char *name, bool required, size_t max_items,
             const struct cfg_node **ret, struct complaint *why)
{
    config_setting_t *s = NULL;
    int r = find(group, name, required, &s, why);
    if (r < 0)
        return r;
    if (r > 0 && !config_setting_is_list(s) && !config_setting_is_array(s))
        return wrong(s, why, "'%s' must be a list ( ... )", name);
    if (r > 0 && (size_t)config_setting_length(s) > max_items)
        return wrong(s, why, "'%s' has %d items, it may have %zu", name, config_setting_length(s), max_items);
    *ret = node_of(s);
    return 0;
}

size_t cfg_len(const struct cfg_node *list)
{
    return list ? (size_t)config_setting_length(setting_of(list)) : 0;
}

const struct cfg_node *cfg_at(const struct cfg_node *list, size_t index)
{
    config_setting_t *s = config_setting_get_elem(setting_of(list), (unsigned)index);
    if (!s || config_setting_type(s) != CONFIG_TYPE_GROUP)
        return NULL;
    config_setting_set_hook(s, &known);
    return node_of(s);
}

int cfg_text_at(const struct cfg_node *list, size_t index, size_t max_len, const char **ret, struct complaint *why)
{
    config_setting_t *s = config_setting_get_elem(setting_of(list), (unsigned)index);
    if (!s)
        return cfg_complain(list, why, "item %zu is missing", index + 1);
    config_setting_set_hook(s, &known);
    const char *name = config_setting_name(setting_of(list));
    return take_text(s, name ? name : "item", max_len, ret, why);
}

static int check_known(const config_setting_t *group, struct complaint *why)
{
    int n = config_setting_length(group);
    for (int i = 0; i < n; i++) {
        const config_setting_t *s = config_setting_get_elem(group, (unsigned)i);
        const char *name = config_setting_name(s);
        if (name && config_setting_get_hook(s) != &known)
            return wrong(s, why, "'%s' is not a setting that is known here", name);
        if (config_setting_is_aggregate(s)) {
            int r = check_known(s, why);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

int cfg_finish(struct cfg *cfg, struct complaint *why)
{
    return check_known(config_root_setting(&cfg->config), why);
}
