/* persons.c - `loa persons`: the keys document, who may approve what and where, sealed by the registrar. */
#include "playlists/base/clock.h"
#include "tools/loa/answer.h"
#include "tools/loa/sealing.h"
#include "tools/loa/when.h"

#include <string.h>

static const char *const role_names[] = {"approver", "emergency", "silence", "source", NULL};

enum { KEYS_DAYS = 365, PERSONS_MAX = 2000 };

static int add_member(const struct call *call, const char *name, const char *value, struct arena *arena,
                      struct person_key *person)
{
    if (strcmp(name, "id") == 0)
        person->person = value;
    else if (strcmp(name, "name") == 0)
        person->name = value;
    else if (strcmp(name, "roles") == 0)
        person->roles = texts_split(value, "+", arena);
    else if (strcmp(name, "areas") == 0)
        person->areas = texts_split(value, "+", arena);
    else if (strcmp(name, "key") == 0)
        return key_read(call, value, arena, &person->x, &person->kid);
    else if (strcmp(name, "class") != 0)
        return misused(call, "--person has no member '%s'; right would be id, name, key, roles, areas, class", name);
    else if ((person->class = name_index(air_class_names, value)) < 0)
        return misused(call, "--person names the class '%s'; right would be filler, normal, priority or emergency",
                       value);
    return EXIT_OK;
}

/* "id=lan,name=...,key=X|FILE,roles=approver+emergency,areas=a001+a002,class=priority" */
static int read_person(const struct call *call, const char *text, struct arena *arena, struct person_key *ret)
{
    *ret = (struct person_key){.class = CLASS_NORMAL};
    struct texts members = texts_split(text, ",", arena);
    for (size_t i = 0; i < members.n; i++) {
        const char *equals = strchr(members.at[i], '=');
        if (!equals)
            return misused(call, "--person has '%s'; right would be name=value", members.at[i]);
        const char *name = arena_strndup(arena, members.at[i], (size_t)(equals - members.at[i]));
        int r = add_member(call, name, equals + 1, arena, ret);
        if (r != EXIT_OK)
            return r;
    }
    if (ret->roles.n == 0)
        ret->roles = texts_split("approver", "+", arena);
    for (size_t i = 0; i < ret->roles.n; i++)
        if (name_index(role_names, ret->roles.at[i]) < 0)
            return misused(call, "--person has the role '%s'; right would be approver, emergency, silence or source",
                           ret->roles.at[i]);
    if (!ret->person || !ret->x || ret->areas.n == 0)
        return misused(call, "--person '%s' lacks %s; right would be id=...,key=X|FILE,areas=a000+a001", text,
                       !ret->person ? "id"
                       : !ret->x    ? "key"
                                    : "areas");
    return EXIT_OK;
}

/* Put the persons of the command line behind (or in place of) those that are there; same kid: the same line. */
static int put_persons(const struct call *call, struct arena *arena, struct keys *keys)
{
    const char *text;
    for (size_t i = 0; (text = call_option_at(call, "person", i)); i++) {
        struct person_key person;
        int r = read_person(call, text, arena, &person);
        if (r != EXIT_OK)
            return r;
        size_t at = 0;
        while (at < keys->n_persons && strcmp(keys->persons[at].kid, person.kid) != 0)
            at++;
        if (at == PERSONS_MAX)
            return refuse(call, "a keys document holds at most %d keys", PERSONS_MAX);
        keys->persons[at] = person;
        keys->n_persons += at == keys->n_persons;
    }
    return EXIT_OK;
}

static int seal_keys(struct call *call, struct keys *keys, int64_t era)
{
    int r = call_number(call, "era", 1, INT64_C(1) << 31, &era);
    if (r == EXIT_OK)
        r = head_new(call, era, KEYS_DAYS, &keys->head);
    if (r == EXIT_OK)
        r = seal_to_file(call, call_option(call, "registrar"), DOC_KEYS, keys, call_option(call, "out"));
    return r;
}

/* The document that --in names, with room for more persons. The registrar's own key must have sealed it. */
static int read_former(struct call *call, struct arena *arena, struct keys *ret)
{
    const char *x, *kid;
    void *doc = NULL;
    int r = key_read(call, call_option(call, "registrar"), arena, &x, &kid);
    if (r == EXIT_OK)
        r = sealed_read(call, call_option(call, "in"), DOC_KEYS, x, arena, &doc);
    if (r != EXIT_OK)
        return r;
    *ret = *(struct keys *)doc;
    struct person_key *persons = arena_alloc(arena, PERSONS_MAX * sizeof(*persons));
    if (ret->n_persons > PERSONS_MAX)
        return refuse(call, "%s: holds more than %d keys", call_option(call, "in"), PERSONS_MAX);
    if (ret->n_persons > 0)
        memcpy(persons, ret->persons, ret->n_persons * sizeof(*persons));
    ret->persons = persons;
    return EXIT_OK;
}

static int persons_make(struct call *call)
{
    struct arena *arena = arena_new();
    struct keys keys = {.persons = arena_alloc(arena, PERSONS_MAX * sizeof(struct person_key))};
    int r = put_persons(call, arena, &keys);
    if (r == EXIT_OK)
        r = seal_keys(call, &keys, 1);
    arena_free(arena);
    return r;
}

static int persons_add(struct call *call)
{
    struct arena *arena = arena_new();
    struct keys keys = {0};
    int r = read_former(call, arena, &keys);
    if (r == EXIT_OK)
        r = put_persons(call, arena, &keys);
    if (r == EXIT_OK)
        r = seal_keys(call, &keys, keys.head.era);
    arena_free(arena);
    return r;
}

static int end_key(struct call *call, struct keys *keys)
{
    const char *kid = call_option(call, "kid");
    const char *as = call_option(call, "as");
    const char *at = call_option(call, "at");
    struct complaint why = {0};
    struct zone *zone = NULL;
    int64_t at_ms = clock_wall_ms();
    int end = name_index(key_end_names, as);
    if (end != KEY_RETIRED && end != KEY_COMPROMISED)
        return misused(call, "--as is '%s'; right would be retired (earlier signatures hold) or compromised (none do)",
                       as);
    if (at && (zone_load(NULL, WHEN_ZONE, &zone, &why) < 0 || when_parse(at, zone, false, "--at", &at_ms, &why) < 0)) {
        zone_free(zone);
        return misused(call, "%s", why.text);
    }
    zone_free(zone);
    for (size_t i = 0; i < keys->n_persons; i++) {
        if (strcmp(keys->persons[i].kid, kid) != 0)
            continue;
        keys->persons[i].ended = end;
        keys->persons[i].ended_ms = at_ms;
        return EXIT_OK;
    }
    return refuse(call, "%s: has no key %s", call_option(call, "in"), kid);
}

static int persons_end(struct call *call)
{
    struct arena *arena = arena_new();
    struct keys keys = {0};
    int r = read_former(call, arena, &keys);
    if (r == EXIT_OK)
        r = end_key(call, &keys);
    if (r == EXIT_OK)
        r = seal_keys(call, &keys, keys.head.era);
    arena_free(arena);
    return r;
}

#define PERSON_HELP "id=lan,name=...,key=X|FILE,roles=approver+silence,areas=a000+a001,class=priority"

static const struct option_spec make_options[] = {
    {"registrar", "FILE", "private key of the registrar", true, false},
    {"person", "MEMBERS", PERSON_HELP, true, true},
    {"era", "N", "era of the trust in force (else 1)", false, false},
    {"ver", "N", "version (else the present moment in Unix ms)", false, false},
    {"days", "N", "how long it holds (else 365)", false, false},
    {"out", "FILE", "where to write it (-: standard output)", true, false},
    {0},
};

static const struct option_spec add_options[] = {
    {"in", "FILE", "the keys document as it is now", true, false},
    {"registrar", "FILE", "private key of the registrar", true, false},
    {"person", "MEMBERS", PERSON_HELP, true, true},
    {"era", "N", "era of the trust in force (else as before)", false, false},
    {"ver", "N", "version (else the present moment in Unix ms)", false, false},
    {"days", "N", "how long it holds (else 365)", false, false},
    {"out", "FILE", "where to write it", true, false},
    {0},
};

static const struct option_spec end_options[] = {
    {"in", "FILE", "the keys document as it is now", true, false},
    {"registrar", "FILE", "private key of the registrar", true, false},
    {"kid", "KID", "which key ends", true, false},
    {"as", "retired|compromised", "earlier signatures hold, or none do", true, false},
    {"at", "INSTANT", "moment of the end (else now)", false, false},
    {"era", "N", "era of the trust in force (else as before)", false, false},
    {"ver", "N", "version (else the present moment in Unix ms)", false, false},
    {"days", "N", "how long it holds (else 365)", false, false},
    {"out", "FILE", "where to write it", true, false},
    {0},
};

const struct cli_command persons_commands[] = {
    {"persons", "make", "", 0, 0, "Lập danh sách khóa của người duyệt, cán bộ đăng ký ký",
     "Make the keys document of the persons, sealed by the registrar", make_options, persons_make},
    {"persons", "add", "", 0, 0, "Thêm hoặc thay người trong danh sách khóa",
     "Add persons to a keys document, or replace them", add_options, persons_add},
    {"persons", "end", "", 0, 0, "Chấm dứt một khóa: nghỉ (chữ ký cũ còn giá trị) hoặc lộ (không còn)",
     "End a key: retired (earlier signatures hold) or compromised (none do)", end_options, persons_end},
    {0},
};
