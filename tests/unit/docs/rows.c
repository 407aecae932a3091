#include "rows.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const kind_words[] = {
    [FIELD_INT] = "int",   [FIELD_REAL] = "real",   [FIELD_BOOL] = "bool",     [FIELD_CHOICE] = "name",
    [FIELD_TEXT] = "text", [FIELD_TEXTS] = "texts", [FIELD_OBJECT] = "object", [FIELD_LIST] = "list"};

static const char *const form_words[FORMS] = {
    [FORM_ANY] = "any",      [FORM_TEXT] = "text",   [FORM_LINE] = "line",         [FORM_ID] = "id",
    [FORM_WORD] = "word",    [FORM_TOKEN] = "token", [FORM_NONCE] = "nonce",       [FORM_HASH] = "hash",
    [FORM_KEY] = "key",      [FORM_LANG] = "lang",   [FORM_AUDIENCE] = "audience", [FORM_OCCURRENCE] = "occurrence",
    [FORM_ZONE] = "tz zone", [FORM_NAME] = "name",
};

static void put_names(struct buf *out, const struct field *f, int64_t last)
{
    for (int64_t i = 0; f->names[i] && i <= last; i++)
        buf_putf(out, "%s`%s`", i ? ", " : "", f->names[i]);
}

static void put_bounds(struct buf *out, const struct field *f)
{
    switch (f->kind) {
    case FIELD_INT:
    case FIELD_REAL:
        buf_putf(out, "%" PRId64 " to %" PRId64, f->min, f->max);
        break;
    case FIELD_CHOICE:
        put_names(out, f, f->max);
        break;
    case FIELD_TEXT:
        if (f->form == FORM_NAME)
            put_names(out, f, INT64_MAX);
        else if (f->max)
            buf_putf(out, "%s, %" PRId64 " to %" PRId64 " bytes", form_words[f->form], f->min, f->max);
        else
            buf_putf(out, "%s", form_words[f->form]);
        break;
    case FIELD_TEXTS:
        buf_putf(out, "%" PRId64 " to %" PRId64 " of %s", f->min, f->max, form_words[f->form]);
        break;
    case FIELD_LIST:
        buf_putf(out, "%" PRId64 " to %" PRId64, f->min, f->max);
        break;
    case FIELD_BOOL:
    case FIELD_OBJECT:
        buf_putf(out, "-");
        break;
    }
}

void rows_walk(const struct shape *shape, const char *prefix, size_t skip, row_fn row, void *arg)
{
    for (size_t i = skip; i < shape->n_fields; i++) {
        const struct field *f = &shape->fields[i];
        struct buf line = {0};
        buf_putf(&line, "| `%s%s%s` | %s | %s | ", prefix, f->name, f->kind == FIELD_LIST ? "[]" : "",
                 kind_words[f->kind], f->required ? "yes" : "no");
        put_bounds(&line, f);
        buf_putf(&line, " |");
        row(arg, buf_text(&line));
        buf_done(&line);
        if (!f->shape)
            continue;
        char *below = xasprintf("%s%s%s.", prefix, f->name, f->kind == FIELD_LIST ? "[]" : "");
        rows_walk(f->shape, below, 0, row, arg);
        free(below);
    }
}
