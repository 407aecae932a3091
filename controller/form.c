/* form.c - see form.h. */
#include "controller/form.h"

#include "playlists/base/bytes.h"
#include "playlists/base/civil.h"

#include <ctype.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int depth_of(const json_t *value, int left)
{
    const char *key;
    json_t *member;
    size_t i;
    if (left == 0)
        return -1;
    if (json_is_object(value)) {
        json_object_foreach((json_t *)value, key, member) if (depth_of(member, left - 1) < 0) return -1;
    } else if (json_is_array(value)) {
        json_array_foreach(value, i, member) if (depth_of(member, left - 1) < 0) return -1;
    }
    return 0;
}

int form_parse(const void *data, size_t len, struct problem *problem, json_t **ret)
{
    json_error_t error;
    if (len == 0)
        return refuse(problem, 400, "body", NULL, WORD_BODY_EMPTY);
    json_t *json = json_loadb(data, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (!json)
        return refuse(problem, 400, "json", NULL, WORD_JSON, error.line, error.column, error.text);
    int r = 0;
    if (depth_of(json, FORM_DEPTH_MAX) < 0)
        r = refuse(problem, 400, "json", NULL, WORD_JSON_DEPTH, FORM_DEPTH_MAX);
    else if (!json_is_object(json))
        r = refuse(problem, 400, "json", NULL, WORD_JSON_OBJECT);
    if (r < 0) {
        json_decref(json);
        return r;
    }
    *ret = json;
    return 0;
}

/* True when `word` stands in the blank-separated list. */
static bool listed(const char *names, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = names; len > 0 && (at = strstr(at, word)) != NULL; at += len)
        if ((at == names || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
            return true;
    return false;
}

static void full_name(const struct form *form, const char *name, char ret[96])
{
    snprintf(ret, 96, "%s%.47s", form->path, name);
}

int form_known(const struct form *form, const char *names)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)form->object, key, value)
    {
        if (listed(names, key) && !strchr(key, ' '))
            continue;
        char full[96];
        full_name(form, key, full);
        return refuse(form->problem, 422, "member", full, WORD_MEMBER_UNKNOWN, full, names);
    }
    return 0;
}

/* 0: there; 1: absent and allowed to be; -1: refused. null counts as absent. */
static int get(const struct form *form, const char *name, bool required, const json_t **ret)
{
    *ret = json_object_get(form->object, name);
    if (*ret && !json_is_null(*ret))
        return 0;
    if (!required)
        return 1;
    char full[96];
    full_name(form, name, full);
    return refuse(form->problem, 422, "member", full, WORD_MEMBER_MISSING, full);
}

/* Is what begins at `text` a control character, or does it turn the direction of what follows, so that it reads as
 * another: C0 but line end and tab, DEL, C1, U+200E and F, U+2028 to 202E, U+2066 to 2069? `text` is valid UTF-8. */
static bool is_control(const char *text)
{
    const unsigned char *c = (const unsigned char *)text;
    if (c[0] < 0x80)
        return (c[0] < ' ' && c[0] != '\n' && c[0] != '\t') || c[0] == 0x7f;
    if (c[0] == 0xc2)
        return c[1] < 0xa0;
    if (c[0] != 0xe2)
        return false;
    return (c[1] == 0x80 && ((c[2] >= 0x8e && c[2] <= 0x8f) || (c[2] >= 0xa8 && c[2] <= 0xae))) ||
           (c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9);
}

int form_text(const struct form *form, const char *name, bool required, size_t min, size_t max, const char **ret)
{
    const json_t *value;
    int r = get(form, name, required, &value);
    if (r != 0)
        return r < 0 ? r : 0;
    char full[96];
    full_name(form, name, full);
    size_t len = json_string_length(value);
    if (!json_is_string(value))
        return refuse(form->problem, 422, "value", full, WORD_VALUE_TEXT, full);
    if (len < min || len > max)
        return refuse(form->problem, 422, "value", full, WORD_VALUE_LENGTH, full, len, min, max);
    const char *text = json_string_value(value);
    for (size_t i = 0; i < len; i++)
        if (is_control(text + i))
            return refuse(form->problem, 422, "value", full, WORD_VALUE_CONTROL, full, i);
    *ret = text;
    return 0;
}

int form_id(const struct form *form, const char *name, bool required, const char **ret)
{
    const char *text = NULL;
    int r = form_text(form, name, required, 0, 4096, &text);
    if (r < 0 || !text)
        return r;
    char full[96];
    full_name(form, name, full);
    if (!id_valid(text))
        return refuse(form->problem, 422, "value", full, WORD_VALUE_ID, full, text);
    *ret = text;
    return 0;
}

int form_hash(const struct form *form, const char *name, bool required, const char **ret)
{
    const char *text = NULL;
    int r = form_text(form, name, required, 0, 4096, &text);
    if (r < 0 || !text)
        return r;
    char full[96];
    full_name(form, name, full);
    if (!hash_valid(text))
        return refuse(form->problem, 422, "value", full, WORD_VALUE_HASH, full, text);
    *ret = text;
    return 0;
}

int form_int(const struct form *form, const char *name, bool required, int64_t min, int64_t max, int64_t *ret)
{
    const json_t *value;
    int r = get(form, name, required, &value);
    if (r != 0)
        return r < 0 ? r : 0;
    char full[96];
    full_name(form, name, full);
    if (!json_is_integer(value) || json_integer_value(value) < min || json_integer_value(value) > max)
        return refuse(form->problem, 422, "value", full, WORD_VALUE_INT, full, (long long)min, (long long)max);
    *ret = json_integer_value(value);
    return 0;
}

int form_date(const struct form *form, const char *name, bool required, const char **ret, int64_t *ret_days)
{
    const char *text = NULL;
    char full[96];
    if (form_text(form, name, required, 0, 100, &text) < 0)
        return -1;
    full_name(form, name, full);
    if (text && civil_parse_date(text, ret_days) < 0)
        return refuse(form->problem, 422, "value", full, WORD_VALUE_DATE, full, text);
    if (text)
        *ret = text;
    return 0;
}

int form_minute(const struct form *form, const char *name, bool end, int64_t *ret_min)
{
    const char *text = NULL;
    char full[96];
    int32_t second = 0;
    if (form_text(form, name, true, 0, 100, &text) < 0)
        return -1;
    full_name(form, name, full);
    if (end && strcmp(text, "24:00") == 0)
        second = 86400;
    else if (civil_parse_time(text, &second) < 0 || second % 60 != 0)
        return refuse(form->problem, 422, "value", full, WORD_VALUE_TIME, full, text);
    *ret_min = second / 60;
    return 0;
}

void id_make(const char *prefix, char ret[24])
{
    unsigned char bytes[6];
    char hex[13];
    random_bytes(bytes, sizeof(bytes));
    sodium_bin2hex(hex, sizeof(hex), bytes, sizeof(bytes));
    snprintf(ret, 24, "%.8s%s", prefix, hex);
}

void form_names(const char *const *names, char *ret, size_t cap)
{
    size_t len = 0;
    ret[0] = '\0';
    for (size_t i = 0; names[i] && len < cap; i++)
        len += (size_t)snprintf(ret + len, cap - len, "%s%s", i ? ", " : "", names[i]);
}

static int index_of(const char *const *names, const char *text)
{
    for (int i = 0; text && names[i]; i++)
        if (strcmp(names[i], text) == 0)
            return i;
    return -1;
}

int form_choice(const struct form *form, const char *name, bool required, const char *const *names, int *ret)
{
    const json_t *value;
    int r = get(form, name, required, &value);
    if (r != 0)
        return r < 0 ? r : 0;
    int found = index_of(names, json_string_value(value));
    if (found < 0) {
        char full[96], all[240];
        full_name(form, name, full);
        form_names(names, all, sizeof(all));
        return refuse(form->problem, 422, "value", full, WORD_VALUE_CHOICE, full, all);
    }
    *ret = found;
    return 0;
}

int form_list(const struct form *form, const char *name, bool required, size_t min, size_t max, const json_t **ret)
{
    const json_t *value;
    int r = get(form, name, required, &value);
    *ret = NULL;
    if (r != 0)
        return r < 0 ? r : 0;
    char full[96];
    full_name(form, name, full);
    if (!json_is_array(value) || json_array_size(value) < min || json_array_size(value) > max)
        return refuse(form->problem, 422, "value", full, WORD_VALUE_LIST, full, min, max);
    *ret = value;
    return 0;
}

typedef bool (*text_check_fn)(const char *text, const void *arg);

static int check_texts(const struct form *form, const char *name, const json_t *list, text_check_fn fine,
                       const void *arg, const char *want)
{
    const json_t *value;
    size_t i;
    json_array_foreach(list, i, value)
    {
        char full[96];
        snprintf(full, sizeof(full), "%s%s[%zu]", form->path, name, i);
        const char *text = json_string_value(value);
        if (!text || !fine(text, arg))
            return refuse(form->problem, 422, "value", full, WORD_VALUE_ITEM, full, text ? text : "?", want);
        for (size_t j = 0; j < i; j++)
            if (strcmp(json_string_value(json_array_get(list, j)), text) == 0)
                return refuse(form->problem, 422, "value", full, WORD_VALUE_TWICE, full, text);
    }
    return 0;
}

static bool is_id(const char *text, const void *arg)
{
    (void)arg;
    return id_valid(text);
}

int form_ids(const struct form *form, const char *name, bool required, size_t max, const json_t **ret)
{
    int r = form_list(form, name, required, required ? 1 : 0, max, ret);
    return r < 0 || !*ret ? r : check_texts(form, name, *ret, is_id, NULL, "cum-loa-1");
}

static bool is_word(const char *text, const void *arg)
{
    (void)arg;
    size_t len = strlen(text);
    return len >= 1 && len <= 64 && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-.") == len;
}

int form_words(const struct form *form, const char *name, size_t max, const json_t **ret)
{
    int r = form_list(form, name, false, 0, max, ret);
    return r < 0 || !*ret ? r : check_texts(form, name, *ret, is_word, NULL, "zone_1");
}

static bool is_choice(const char *text, const void *arg)
{
    return index_of(arg, text) >= 0;
}

int form_choices(const struct form *form, const char *name, const char *const *names, const json_t **ret)
{
    char all[240];
    form_names(names, all, sizeof(all));
    int r = form_list(form, name, false, 0, 16, ret);
    return r < 0 || !*ret ? r : check_texts(form, name, *ret, is_choice, names, all);
}

bool language_valid(const char *tag)
{
    size_t len = strlen(tag);
    for (size_t i = 0; i < len; i++)
        if (tag[i] < 'a' || tag[i] > 'z')
            return false;
    return len == 2 || len == 3;
}

static bool is_language(const char *text, const void *arg)
{
    (void)arg;
    return language_valid(text);
}

int form_languages(const struct form *form, const char *name, const json_t **ret)
{
    int r = form_list(form, name, false, 1, 8, ret);
    return r < 0 || !*ret ? r : check_texts(form, name, *ret, is_language, NULL, "vi, zh, en");
}

int form_item(const struct form *form, const char *name, const json_t *list, size_t index, struct form *ret)
{
    *ret = (struct form){.object = json_array_get(list, index), .problem = form->problem};
    snprintf(ret->path, sizeof(ret->path), "%.20s[%zu].", name, index);
    if (json_is_object(ret->object))
        return 0;
    ret->path[strlen(ret->path) - 1] = '\0';
    return refuse(form->problem, 422, "value", ret->path, WORD_VALUE_OBJECT, ret->path);
}

static int digits(const char *text, int n, int *ret)
{
    *ret = 0;
    for (int i = 0; i < n; i++) {
        if (!isdigit((unsigned char)text[i]))
            return -1;
        *ret = *ret * 10 + (text[i] - '0');
    }
    return 0;
}

/* "Z" or "+07:00" -> seconds east. */
static int parse_offset(const char *at, int64_t *ret_s)
{
    int hours, minutes;
    *ret_s = 0;
    if (strcmp(at, "Z") == 0)
        return 0;
    if ((*at != '+' && *at != '-') || strlen(at) != 6 || at[3] != ':' || digits(at + 1, 2, &hours) < 0 ||
        digits(at + 4, 2, &minutes) < 0 || hours > 23 || minutes > 59)
        return -1;
    *ret_s = (*at == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
    return 0;
}

int instant_parse(const char *text, int64_t *ret_ms)
{
    char date[11] = "", clock[9] = "";
    int64_t days, offset_s, ms = 0;
    int32_t second;
    if (strlen(text) < 20 || strlen(text) > 40 || (text[10] != 'T' && text[10] != ' '))
        return -1;
    memcpy(date, text, 10);
    memcpy(clock, text + 11, 8);
    if (civil_parse_date(date, &days) < 0 || civil_parse_time(clock, &second) < 0)
        return -1;
    const char *at = text + 19;
    if (*at == '.') {
        int unit = 100;
        for (at++; isdigit((unsigned char)*at); at++, unit /= 10)
            ms += (*at - '0') * unit;
    }
    if (parse_offset(at, &offset_s) < 0)
        return -1;
    *ret_ms = (days * 86400 + second - offset_s) * 1000 + ms;
    return 0;
}
