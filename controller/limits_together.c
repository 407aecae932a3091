/* limits_together.c - see limits_together.h. */
#include "controller/limits_together.h"

#include "playlists/excess.h"

#include <stdlib.h>
#include <string.h>

enum { TITLE_MAX = 60 };

/* At most so many bytes, whole characters. */
static int cut(const char *text)
{
    size_t len = strlen(text);
    if (len <= TITLE_MAX)
        return (int)len;
    for (len = TITLE_MAX; len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80;)
        len--;
    return (int)len;
}

/* 'Tin huyện' (tin-huyen), 'Giá cả' (gia-ca), +2 */
static void put_others(struct request *r, const json_t *excess, struct buf *text)
{
    const json_t *others = json_object_get(excess, "others"), *other;
    json_int_t more = json_integer_value(json_object_get(excess, "n_others")) - (json_int_t)json_array_size(others);
    size_t i;
    json_array_foreach(others, i, other)
    {
        const char *id = json_string_value(other);
        char *title = store_text(
            r->c->store, "SELECT b.title FROM rules r JOIN bulletins b ON b.hash = r.bulletin WHERE r.id = ?", "s", id);
        buf_putf(text, "%s", i ? ", " : "");
        if (title)
            buf_putf(text, "'%.*s' (%s)", cut(title), title, id);
        else
            buf_putf(text, "%s", id);
        free(title);
    }
    if (more > 0)
        buf_putf(text, ", +%lld", (long long)more);
}

/* Whose line it is: "a001 Thất Khê", or the device. */
static void put_whose(struct request *r, const json_t *excess, struct buf *text)
{
    const char *area = json_string_value(json_object_get(excess, "area"));
    char *name = area ? store_text(r->c->store, "SELECT name FROM areas WHERE id = ?", "s", area) : NULL;
    buf_putf(text, "%s", area ? area : json_string_value(json_object_get(excess, "device")));
    if (name)
        buf_putf(text, " %.*s", cut(name), name);
    free(name);
}

static void say(struct request *r, const json_t *excess, struct problem *ret)
{
    const char *authority = json_string_value(json_object_get(excess, "authority"));
    bool sessions =
        strcmp(json_string_value(json_object_get(excess, "what")), limit_what_names[LIMIT_SESSIONS_PER_DAY]) == 0;
    struct buf whose = {0}, others = {0};
    put_whose(r, excess, &whose);
    put_others(r, excess, &others);
    refuse(ret, 422, "value", "times", sessions ? WORD_LIMIT_SESSIONS_ALL : WORD_LIMIT_MINUTES_ALL,
           json_string_value(json_object_get(excess, "day")),
           (long long)json_integer_value(json_object_get(excess, "wanted")),
           (long long)json_integer_value(json_object_get(excess, "number")), buf_text(&whose),
           authority ? authority : "-", buf_text(&others), (int)json_integer_value(json_object_get(excess, "days")),
           (int)EXCESS_DAYS);
    buf_done(&whose);
    buf_done(&others);
}

static bool refuses(const json_t *excess)
{
    return json_is_true(json_object_get(excess, "worse")) &&
           json_integer_value(json_object_get(excess, "action")) == LIMIT_REFUSE;
}

int limits_check_together(struct request *r, const json_t *excess)
{
    const json_t *one;
    size_t i;
    json_array_foreach(excess, i, one)
    {
        if (!refuses(one))
            continue;
        say(r, one, &r->problem);
        return -1;
    }
    return 0;
}

json_t *limits_warn_together(struct request *r, const json_t *excess)
{
    json_t *list = json_array();
    const json_t *one;
    size_t i;
    json_array_foreach(excess, i, one)
    {
        struct problem said;
        say(r, one, &said);
        json_array_append_new(list, json_string(r->english ? said.en : said.vi));
    }
    return list;
}

bool limits_refuse_days(struct store *store)
{
    return store_number(store, 0,
                        "SELECT EXISTS (SELECT 1 FROM limits WHERE json_extract(body, '$.what') IN"
                        " ('sessions_per_day', 'minutes_per_day') AND json_extract(body, '$.action') = 'refuse')",
                        "") == 1;
}
