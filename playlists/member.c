/* member.c - see member.h. */
#include "playlists/member.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PATH_TEXT_MAX = 120 };

static void path_text(const struct member_path *path, char *ret, size_t cap)
{
    if (!path || !path->name) {
        ret[0] = '\0';
        return;
    }
    path_text(path->up, ret, cap);
    size_t used = strlen(ret);
    snprintf(ret + used, cap - used, "%s%s", used ? "." : "", path->name);
    used = strlen(ret);
    if (path->indexed)
        snprintf(ret + used, cap - used, "[%zu]", path->index);
}

int member_at(const struct member_path *path, struct complaint *why, int code)
{
    char text[PATH_TEXT_MAX];
    path_text(path, text, sizeof(text));
    if (text[0])
        complain_prefix(why, "%s", text);
    return code;
}

int member_below(const struct member_path *path, struct complaint *why, int code)
{
    char text[PATH_TEXT_MAX];
    path_text(path, text, sizeof(text));
    if (!text[0] || !why)
        return code;
    struct complaint old = *why;
    return complain(why, code, "%s.%s", text, old.text);
}

const char *member_quote(const char *text, size_t len, char ret[MEMBER_QUOTE_MAX + 8])
{
    if (!utf8_valid(text, len))
        return "(no UTF-8 text)";
    size_t n = len < MEMBER_QUOTE_MAX ? len : MEMBER_QUOTE_MAX;
    while (n < len && n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80)
        n--;
    for (size_t i = 0; i < n; i++)
        ret[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7F ? '?' : text[i];
    strcpy(ret + n, n < len ? "..." : "");
    return ret;
}

static void list_names(const char *const *names, int64_t min, int64_t max, char *ret, size_t cap)
{
    ret[0] = '\0';
    for (int64_t i = 0; names[i]; i++) {
        size_t used = strlen(ret);
        if (i >= min && i <= max)
            snprintf(ret + used, cap - used, "%s%s", used ? ", " : "", names[i]);
    }
}

int member_name_index(const char *const *names, const char *text)
{
    for (int i = 0; names[i]; i++)
        if (strcmp(names[i], text) == 0)
            return i;
    return -1;
}

static int refuse_name(const struct field *f, int64_t min, int64_t max, const char *text, struct complaint *why)
{
    char listed[240], q[MEMBER_QUOTE_MAX + 8];
    list_names(f->names, min, max, listed, sizeof(listed));
    return complain(why, ERR_FORMAT, "is \"%s\", it must be one of %s", member_quote(text, strlen(text), q), listed);
}

int member_check_text(const struct field *f, const char *text, size_t len, struct complaint *why)
{
    const struct form *form = &forms[f->form];
    size_t min = form->max ? form->min : (size_t)f->min;
    size_t max = form->max ? form->max : (size_t)f->max;
    char q[MEMBER_QUOTE_MAX + 8];
    if (!utf8_valid(text, len))
        return complain(why, ERR_FORMAT, "is not UTF-8 text without NUL");
    if (form->max == 0 && (len < min || len > max))
        return complain(why, ERR_LIMIT, "has %zu bytes, it must have %zu to %zu", len, min, max);
    if (len < min || len > max || !form->fits(text, len))
        return complain(why, ERR_FORMAT, "is \"%s\", it must be %s", member_quote(text, len, q), form->right);
    if (f->form == FORM_NAME && member_name_index(f->names, text) < 0)
        return refuse_name(f, 0, INT64_MAX, text, why);
    return 0;
}

int member_check_int(const struct field *f, int64_t value, struct complaint *why)
{
    if (value < f->min || value > f->max)
        return complain(why, ERR_LIMIT, "is %" PRId64 ", it must be %" PRId64 " to %" PRId64, value, f->min, f->max);
    return 0;
}

int member_check_real(const struct field *f, double value, struct complaint *why)
{
    if (!isfinite(value) || value < (double)f->min || value > (double)f->max)
        return complain(why, ERR_LIMIT, "is %g, it must be %" PRId64 " to %" PRId64, value, f->min, f->max);
    return 0;
}

int member_check_count(const struct field *f, size_t n, struct complaint *why)
{
    if (n < (size_t)f->min || n > (size_t)f->max)
        return complain(why, ERR_LIMIT, "has %zu entries, it must have %" PRId64 " to %" PRId64, n, f->min, f->max);
    return 0;
}

int member_check_choice(const struct field *f, int value, const char *text, struct complaint *why)
{
    if (value < f->min || value > f->max)
        return refuse_name(f, f->min, f->max, text, why);
    return 0;
}

int member_check_distinct(const struct texts *texts, struct complaint *why)
{
    for (size_t i = 0; i < texts->n; i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(texts->at[i], texts->at[j]) == 0)
                return complain(why, ERR_FORMAT, "names \"%s\" twice, each may stand once", texts->at[i]);
    return 0;
}
