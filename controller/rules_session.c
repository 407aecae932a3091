/* rules_session.c - a rule's session: what stands in a slot. */
#include "controller/rules_part.h"

#include <stdio.h>
#include <string.h>

enum { SOURCE_MAX = 200, GAP_MAX_MS = 3600000, WEIGHT_MAX = 1000 };

/* One part: a bulletin, or a relay that says its source and how long it is. */
static int put_part(const struct form *form, json_t *list)
{
    const char *bulletin = NULL, *source = NULL;
    int class = -1;
    int64_t length_ms = 0;
    char full[64];
    if (form_known(form, "bulletin source length_ms class") < 0 || form_hash(form, "bulletin", false, &bulletin) < 0 ||
        form_text(form, "source", false, 1, SOURCE_MAX, &source) < 0 ||
        form_choice(form, "class", false, air_class_names, &class) < 0 ||
        form_int(form, "length_ms", source && !bulletin, 1000, SESSION_LENGTH_MAX_MS, &length_ms) < 0)
        return -1;
    snprintf(full, sizeof(full), "%.40ssource", form->path);
    if (!bulletin == !source || (bulletin && length_ms))
        return refuse(form->problem, 422, "member", full, WORD_RULE_PART, form->path);
    if (source && strpbrk(source, "\n\t"))
        return refuse(form->problem, 422, "value", full, WORD_VALUE_CONTROL, full, strcspn(source, "\n\t"));
    snprintf(full, sizeof(full), "%.40sclass", form->path);
    if (class == CLASS_EMERGENCY)
        return refuse(form->problem, 422, "value", full, WORD_RULE_EMERGENCY);
    json_t *part = json_object();
    if (bulletin)
        json_object_set_new(part, "bulletin", json_string(bulletin));
    if (source) {
        json_object_set_new(part, "source", json_string(source));
        json_object_set_new(part, "length_ms", json_integer(length_ms));
    }
    if (class >= 0)
        json_object_set_new(part, "class", json_string(air_class_names[class]));
    return json_array_append_new(list, part);
}

static int put_topic(const struct form *form, json_t *list)
{
    const char *topic = NULL;
    int64_t weight = 1;
    if (form_known(form, "topic weight") < 0 || form_text(form, "topic", true, 1, 100, &topic) < 0 ||
        form_int(form, "weight", false, 1, WEIGHT_MAX, &weight) < 0)
        return -1;
    return json_array_append_new(list, json_pack("{s:s, s:I}", "topic", topic, "weight", (json_int_t)weight));
}

/* A list of objects, each read by `put`. */
static int put_objects(const struct form *form, const char *name, size_t min, size_t max,
                       int (*put)(const struct form *item, json_t *list), json_t *ret)
{
    const json_t *list;
    if (form_list(form, name, min > 0, min, max, &list) < 0)
        return -1;
    json_t *made = json_array();
    int r = 0;
    for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
        struct form item;
        r = form_item(form, name, list, i, &item);
        if (r == 0) {
            snprintf(item.path, sizeof(item.path), "%.12s%.10s[%u].", form->path, name, (unsigned)i);
            r = put(&item, made);
        }
    }
    if (r == 0 && (json_array_size(made) || min > 0))
        json_object_set(ret, name, made);
    json_decref(made);
    return r;
}

static int put_tune(const struct form *form, const char *name, json_t *ret)
{
    const char *hash = NULL;
    if (form_hash(form, name, false, &hash) < 0)
        return -1;
    if (hash)
        json_object_set_new(ret, name, json_string(hash));
    return 0;
}

static int fill_session(const struct form *form, json_t *ret)
{
    static const char known[] = "length_ms opening parts closing plays gap_ms topics overrun languages";
    int64_t length_ms = 0;
    if (form_known(form, known) < 0 || form_int(form, "length_ms", false, 0, SESSION_LENGTH_MAX_MS, &length_ms) < 0)
        return -1;
    json_object_set_new(ret, "length_ms", json_integer(length_ms));
    if (put_tune(form, "opening", ret) < 0 || put_tune(form, "closing", ret) < 0 ||
        put_objects(form, "parts", 1, SESSION_PARTS_MAX, put_part, ret) < 0 ||
        put_int(form, "plays", 1, SESSION_PLAYS_MAX, 1, ret) < 0 ||
        put_int(form, "gap_ms", 0, GAP_MAX_MS, 0, ret) < 0 ||
        put_objects(form, "topics", 0, SESSION_TOPICS_MAX, put_topic, ret) < 0 ||
        put_choice(form, "overrun", session_overrun_names, ret) < 0 ||
        put_choice(form, "languages", session_languages_names, ret) < 0)
        return -1;
    if (json_object_get(ret, "topics") && length_ms == 0)
        return refuse(form->problem, 422, "member", "session.topics", WORD_RULE_FILL);
    return 0;
}

int put_session(const struct form *form, json_t *ret)
{
    const json_t *value = json_object_get(form->object, "session");
    struct form inner = {.object = value, .path = "session.", .problem = form->problem};
    if (!json_is_object(value))
        return refuse(form->problem, 422, "value", "session", WORD_VALUE_OBJECT, "session");
    json_t *session = json_object();
    int r = fill_session(&inner, session);
    if (r == 0)
        json_object_set(ret, "session", session);
    json_decref(session);
    return r;
}

static const char *keep(const json_t *object, const char *name, struct arena *arena)
{
    const json_t *value = json_object_get(object, name);
    return json_is_string(value) ? arena_strndup(arena, json_string_value(value), json_string_length(value)) : NULL;
}

static const struct session_part *parts_of(const json_t *list, struct arena *arena, size_t *ret_n)
{
    size_t n = json_array_size(list);
    struct session_part *parts = arena_alloc(arena, (n + 1) * sizeof(*parts));
    for (size_t i = 0; i < n; i++) {
        const json_t *part = json_array_get(list, i), *class = json_object_get(part, "class");
        parts[i] = (struct session_part){.bulletin = keep(part, "bulletin", arena),
                                         .source = keep(part, "source", arena),
                                         .length_ms = json_integer_value(json_object_get(part, "length_ms")),
                                         .class = class ? rule_index_of(air_class_names, class) : -1};
    }
    *ret_n = n;
    return parts;
}

static const struct session_topic *topics_of(const json_t *list, struct arena *arena, size_t *ret_n)
{
    size_t n = json_array_size(list);
    struct session_topic *topics = arena_alloc(arena, (n + 1) * sizeof(*topics));
    for (size_t i = 0; i < n; i++)
        topics[i] = (struct session_topic){keep(json_array_get(list, i), "topic", arena),
                                           json_integer_value(json_object_get(json_array_get(list, i), "weight"))};
    *ret_n = n;
    return topics;
}

const struct session *session_build(const json_t *body, struct arena *arena)
{
    const json_t *from = json_object_get(body, "session");
    if (!json_is_object(from))
        return NULL;
    struct session *session = arena_alloc(arena, sizeof(*session));
    *session = (struct session){
        .length_ms = json_integer_value(json_object_get(from, "length_ms")),
        .opening = keep(from, "opening", arena),
        .closing = keep(from, "closing", arena),
        .plays = json_integer_value(json_object_get(from, "plays")),
        .gap_ms = json_integer_value(json_object_get(from, "gap_ms")),
        .overrun = (enum session_overrun)rule_index_of(session_overrun_names, json_object_get(from, "overrun")),
        .languages = (enum session_languages)rule_index_of(session_languages_names, json_object_get(from, "languages")),
    };
    session->parts = parts_of(json_object_get(from, "parts"), arena, &session->n_parts);
    session->topics = topics_of(json_object_get(from, "topics"), arena, &session->n_topics);
    return session;
}
