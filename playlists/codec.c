/* codec.c - see codec.h. json_read.h reads the JSON; writing is ours, straight from the table. */
#include "playlists/codec.h"

#include "playlists/json_read.h"
#include "playlists/member.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- reading --- */

struct reader {
    struct arena *arena;
    const struct json_value *values;
    struct complaint *why;
};

static int wrong_type(const struct json_value *value, const char *wanted, struct complaint *why)
{
    static const char *const words[] = {
        [JSON_IS_OBJECT] = "an object", [JSON_IS_LIST] = "a list",        [JSON_IS_TEXT] = "a text",
        [JSON_IS_INT] = "an integer",   [JSON_IS_REAL] = "a real number", [JSON_IS_NULL] = "null"};
    const char *word = value->kind != JSON_IS_BOOL ? words[value->kind] : value->yes ? "true" : "false";
    return complain(why, ERR_FORMAT, "is %s, it must be %s", word, wanted);
}

/* What follows `value` and all that is in it: the next entry of its list. */
static const struct json_value *behind(const struct reader *r, const struct json_value *value)
{
    return &r->values[value->next];
}

static int read_shape(const struct reader *r, const struct shape *shape, const struct json_value *value,
                      const struct member_path *path, void *ret);

static int read_text(const struct reader *r, const struct field *f, const struct json_value *value, const char **ret)
{
    if (value->kind != JSON_IS_TEXT)
        return wrong_type(value, "a text", r->why);
    const char *text = arena_strndup(r->arena, value->text, value->n);
    int err = member_check_text(f, text, value->n, r->why);
    if (err == 0)
        *ret = text;
    return err;
}

static int read_texts(const struct reader *r, const struct field *f, const struct json_value *value,
                      const struct member_path *path, struct texts *ret)
{
    if (value->kind != JSON_IS_LIST)
        return member_at(path, r->why, wrong_type(value, "a list of texts", r->why));
    size_t n = value->n;
    int err = member_check_count(f, n, r->why);
    if (err)
        return member_at(path, r->why, err);
    ret->at = arena_alloc(r->arena, n * sizeof(*ret->at));
    ret->n = n;
    const struct json_value *entry = value + 1;
    for (size_t i = 0; i < n; i++, entry = behind(r, entry)) {
        struct member_path here = {path->up, path->name, i, true};
        err = read_text(r, f, entry, &ret->at[i]);
        if (err)
            return member_at(&here, r->why, err);
    }
    err = member_check_distinct(ret, r->why);
    return err ? member_at(path, r->why, err) : 0;
}

static int read_list(const struct reader *r, const struct field *f, const struct json_value *value,
                     const struct member_path *path, char *base)
{
    if (value->kind != JSON_IS_LIST)
        return member_at(path, r->why, wrong_type(value, "a list", r->why));
    size_t n = value->n;
    int err = member_check_count(f, n, r->why);
    if (err)
        return member_at(path, r->why, err);
    char *items = arena_alloc(r->arena, n * f->shape->size);
    const struct json_value *entry = value + 1;
    for (size_t i = 0; i < n; i++, entry = behind(r, entry)) {
        struct member_path here = {path->up, path->name, i, true};
        err = read_shape(r, f->shape, entry, &here, items + i * f->shape->size);
        if (err)
            return err;
    }
    *(void **)(void *)(base + f->offset) = items;
    *(size_t *)(void *)(base + f->count_offset) = n;
    return 0;
}

static int read_object(const struct reader *r, const struct field *f, const struct json_value *value,
                       const struct member_path *path, char *base)
{
    void *object = arena_alloc(r->arena, f->shape->size);
    int err = read_shape(r, f->shape, value, path, object);
    if (err == 0)
        *(void **)(void *)(base + f->offset) = object;
    return err;
}

static int read_number(const struct reader *r, const struct field *f, const struct json_value *value, void *at)
{
    if (f->kind == FIELD_REAL) {
        if (value->kind != JSON_IS_REAL && value->kind != JSON_IS_INT)
            return wrong_type(value, "a number", r->why);
        *(double *)at = value->kind == JSON_IS_REAL ? value->real : (double)value->integer;
        return member_check_real(f, *(double *)at, r->why);
    }
    if (value->kind != JSON_IS_INT)
        return wrong_type(value, "an integer", r->why);
    *(int64_t *)at = value->integer;
    return member_check_int(f, *(int64_t *)at, r->why);
}

static int read_choice(const struct reader *r, const struct field *f, const struct json_value *value, int *ret)
{
    if (value->kind != JSON_IS_TEXT)
        return wrong_type(value, "a text", r->why);
    *ret = -1;
    for (int i = 0; *ret < 0 && f->names[i]; i++)
        if (strlen(f->names[i]) == value->n && memcmp(f->names[i], value->text, value->n) == 0)
            *ret = i;
    if (*ret >= f->min && *ret <= f->max)
        return 0;
    return member_check_choice(f, *ret, arena_strndup(r->arena, value->text, value->n), r->why);
}

static int read_field(const struct reader *r, const struct field *f, const struct json_value *value,
                      const struct member_path *path, char *base)
{
    void *at = base + f->offset;
    int err = 0;
    switch (f->kind) {
    case FIELD_INT:
    case FIELD_REAL:
        err = read_number(r, f, value, at);
        break;
    case FIELD_BOOL:
        if (value->kind != JSON_IS_BOOL)
            err = wrong_type(value, "true or false", r->why);
        *(bool *)at = value->kind == JSON_IS_BOOL && value->yes;
        break;
    case FIELD_CHOICE:
        err = read_choice(r, f, value, at);
        break;
    case FIELD_TEXT:
        err = read_text(r, f, value, at);
        break;
    case FIELD_TEXTS:
        return read_texts(r, f, value, path, at);
    case FIELD_OBJECT:
        return read_object(r, f, value, path, base);
    case FIELD_LIST:
        return read_list(r, f, value, path, base);
    }
    return err ? member_at(path, r->why, err) : 0;
}

/* The field of this name; NULL: none of ours. `next` is looked at first: members mostly come in the table's order. */
static const struct field *field_named(const struct shape *shape, const struct json_value *name, size_t next)
{
    for (size_t i = 0; i < shape->n_fields; i++, next++) {
        const struct field *f = &shape->fields[next < shape->n_fields ? next : next - shape->n_fields];
        if (f->name_len == name->n && memcmp(f->name, name->text, name->n) == 0)
            return f;
    }
    return NULL;
}

static int check_shape(const struct reader *r, const struct shape *shape, uint64_t there,
                       const struct member_path *path, const void *value)
{
    for (size_t i = 0; i < shape->n_fields; i++) {
        struct member_path here = {path, shape->fields[i].name, 0, false};
        if (shape->fields[i].required && !(there >> i & 1))
            return member_at(&here, r->why, complain(r->why, ERR_FORMAT, "is missing"));
    }
    int err = shape->check ? shape->check(value, r->why) : 0;
    return err ? member_below(path, r->why, err) : 0;
}

static int read_shape(const struct reader *r, const struct shape *shape, const struct json_value *value,
                      const struct member_path *path, void *ret)
{
    if (value->kind != JSON_IS_OBJECT)
        return member_at(path, r->why, wrong_type(value, "an object", r->why));
    assert(shape->n_fields <= 64);
    const struct json_value *name = value + 1;
    uint64_t there = 0; /* bit of each field */
    size_t next = 0;
    for (uint32_t i = 0; i < value->n; i++) {
        const struct json_value *member = name + 1;
        const struct field *f = field_named(shape, name, next);
        name = behind(r, member);
        if (!f)
            continue;
        next = (size_t)(f - shape->fields) + 1;
        there |= UINT64_C(1) << (next - 1);
        struct member_path here = {path, f->name, 0, false};
        int err = read_field(r, f, member, &here, ret);
        if (err)
            return err;
    }
    return check_shape(r, shape, there, path, ret);
}

bool codec_depth_ok(const char *text, size_t len, int max_depth)
{
    int depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > max_depth)
                return false;
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return true;
}

int codec_decode(const struct shape *shape, const void *data, size_t len, size_t max_len, struct arena *arena,
                 void **ret, struct complaint *why)
{
    if (len > max_len)
        return complain(why, ERR_LIMIT, "has %zu bytes, it must have at most %zu", len, max_len);
    struct json_value *values = NULL;
    int err = json_read(data, len, CODEC_DEPTH_MAX, arena, &values, why);
    if (err)
        return err;
    struct reader r = {arena, values, why};
    struct member_path top = {0};
    void *value = arena_alloc(arena, shape->size);
    err = read_shape(&r, shape, values, &top, value);
    free(values);
    if (err == 0)
        *ret = value;
    return err;
}

/* --- writing --- */

static int write_shape(const struct shape *shape, const void *value, const struct member_path *path, struct buf *ret,
                       struct complaint *why);

static void put_string(struct buf *ret, const char *text)
{
    buf_put(ret, "\"", 1);
    for (const char *p = text; *p;) {
        size_t plain = 0;
        while (p[plain] && p[plain] != '"' && p[plain] != '\\' && (unsigned char)p[plain] >= 0x20)
            plain++;
        buf_put(ret, p, plain);
        p += plain;
        if (!*p)
            break;
        if (*p == '"' || *p == '\\')
            buf_putf(ret, "\\%c", *p);
        else
            buf_putf(ret, "\\u%04x", (unsigned)*p);
        p++;
    }
    buf_put(ret, "\"", 1);
}

/* The shortest digits that read back as the same number. */
static void put_real(struct buf *ret, double value)
{
    char text[40];
    value = value == 0.0 ? 0.0 : value; /* -0 would be read back as another number */
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    char *comma = strchr(text, ','); /* a locale that somebody set */
    if (comma)
        *comma = '.';
    buf_put(ret, text, strlen(text));
}

static int write_text(const struct field *f, const char *text, struct buf *ret, struct complaint *why)
{
    if (!text)
        return complain(why, ERR_FORMAT, "is missing");
    int err = member_check_text(f, text, strlen(text), why);
    if (err == 0)
        put_string(ret, text);
    return err;
}

static int write_texts(const struct field *f, const struct texts *texts, const struct member_path *path,
                       struct buf *ret, struct complaint *why)
{
    int err = member_check_count(f, texts->n, why);
    if (err)
        return member_at(path, why, err);
    buf_put(ret, "[", 1);
    for (size_t i = 0; i < texts->n; i++) {
        struct member_path here = {path->up, path->name, i, true};
        if (i > 0)
            buf_put(ret, ",", 1);
        err = write_text(f, texts->at[i], ret, why);
        if (err)
            return member_at(&here, why, err);
    }
    buf_put(ret, "]", 1);
    err = member_check_distinct(texts, why);
    return err ? member_at(path, why, err) : 0;
}

static int write_list(const struct field *f, const char *items, size_t n, const struct member_path *path,
                      struct buf *ret, struct complaint *why)
{
    int err = member_check_count(f, n, why);
    if (err)
        return member_at(path, why, err);
    buf_put(ret, "[", 1);
    for (size_t i = 0; i < n; i++) {
        struct member_path here = {path->up, path->name, i, true};
        if (i > 0)
            buf_put(ret, ",", 1);
        err = write_shape(f->shape, items + i * f->shape->size, &here, ret, why);
        if (err)
            return err;
    }
    buf_put(ret, "]", 1);
    return 0;
}

static int write_choice(const struct field *f, int value, struct buf *ret, struct complaint *why)
{
    int n = 0;
    while (f->names[n])
        n++;
    int err = member_check_choice(f, value, value >= 0 && value < n ? f->names[value] : "(no name)", why);
    if (err == 0)
        put_string(ret, f->names[value]);
    return err;
}

/* Nothing to say: an optional member that holds its default. */
static bool is_default(const struct field *f, const char *base)
{
    const void *at = base + f->offset;
    switch (f->kind) {
    case FIELD_INT:
        return *(const int64_t *)at == 0;
    case FIELD_REAL:
        return *(const double *)at == 0.0;
    case FIELD_BOOL:
        return !*(const bool *)at;
    case FIELD_CHOICE:
        return *(const int *)at == 0;
    case FIELD_TEXT:
    case FIELD_OBJECT:
        return *(void *const *)at == NULL;
    case FIELD_TEXTS:
        return ((const struct texts *)at)->n == 0;
    case FIELD_LIST:
        return *(const size_t *)(const void *)(base + f->count_offset) == 0;
    }
    return false;
}

static int write_field(const struct field *f, const char *base, const struct member_path *path, struct buf *ret,
                       struct complaint *why)
{
    const void *at = base + f->offset;
    int err = 0;
    switch (f->kind) {
    case FIELD_INT:
        err = member_check_int(f, *(const int64_t *)at, why);
        buf_putf(ret, "%" PRId64, *(const int64_t *)at);
        break;
    case FIELD_REAL:
        err = member_check_real(f, *(const double *)at, why);
        if (err == 0)
            put_real(ret, *(const double *)at);
        break;
    case FIELD_BOOL:
        buf_putf(ret, "%s", *(const bool *)at ? "true" : "false");
        break;
    case FIELD_CHOICE:
        err = write_choice(f, *(const int *)at, ret, why);
        break;
    case FIELD_TEXT:
        err = write_text(f, *(const char *const *)at, ret, why);
        break;
    case FIELD_TEXTS:
        return write_texts(f, at, path, ret, why);
    case FIELD_OBJECT:
        if (*(void *const *)at)
            return write_shape(f->shape, *(void *const *)at, path, ret, why);
        err = complain(why, ERR_FORMAT, "is missing");
        break;
    case FIELD_LIST:
        return write_list(f, *(const char *const *)at, *(const size_t *)(const void *)(base + f->count_offset), path,
                          ret, why);
    }
    return err ? member_at(path, why, err) : 0;
}

static int write_shape(const struct shape *shape, const void *value, const struct member_path *path, struct buf *ret,
                       struct complaint *why)
{
    bool first = true;
    buf_put(ret, "{", 1);
    for (size_t i = 0; i < shape->n_fields; i++) {
        const struct field *f = &shape->fields[i];
        if (!f->required && is_default(f, value))
            continue;
        struct member_path here = {path, f->name, 0, false};
        buf_putf(ret, "%s\"%s\":", first ? "" : ",", f->name);
        int err = write_field(f, value, &here, ret, why);
        if (err)
            return err;
        first = false;
    }
    buf_put(ret, "}", 1);
    int err = shape->check ? shape->check(value, why) : 0;
    return err ? member_below(path, why, err) : 0;
}

int codec_encode(const struct shape *shape, const void *value, size_t max_len, struct buf *ret, struct complaint *why)
{
    size_t before = ret->len;
    struct member_path top = {0};
    int err = write_shape(shape, value, &top, ret, why);
    if (err == 0 && ret->len - before > max_len)
        err = complain(why, ERR_LIMIT, "would have %zu bytes, it must have at most %zu", ret->len - before, max_len);
    if (err) {
        ret->len = before;
        buf_put(ret, "", 0);
    }
    return err;
}
