/* approve.c - `loa approve`: read what is about to go out, sign it here, hand the signature in.
 *
 * What is shown and what is signed are the same bytes: they are fetched once, must have the hash that was asked for,
 * and are decoded here. The private key is read here and goes nowhere. */
#include "playlists/base/clock.h"
#include "tools/loa/answer.h"
#include "tools/loa/sealing.h"
#include "tools/loa/sentences.h"
#include "tools/loa/when.h"
#include "tools/loa/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { APPROVAL_DAYS = 30, DAY_S = 86400 };

static int fetch(const struct call *call, struct client *client, const char *hash, struct arena *arena,
                 struct bulletin **ret)
{
    struct complaint why = {0};
    struct buf bytes = {0};
    char *path = xasprintf("/api/v1/bulletins/%s/content", hash);
    int r = EXIT_OK;
    if (client_get_bytes(client, path, BLOB_DOC_MAX, &bytes, &why) < 0) {
        r = refuse(call, "%s", why.text);
    } else {
        struct hash real = hash_of(bytes.data, bytes.len);
        if (strcmp(real.hex, hash) != 0)
            r = refuse(call, "the controller sent another bulletin (%s) than was asked for; nothing is signed",
                       real.hex);
        else if (bulletin_decode(bytes.data, bytes.len, arena, ret, &why) < 0)
            r = refuse(call, "bulletin %s: %s", hash, why.text);
    }
    free(path);
    buf_done(&bytes);
    return r;
}

static void show_line(const struct call *call, const char *member, const char *text)
{
    char word[64];
    if (text && *text)
        fprintf(stderr, "  %s: %s\n", word_of_member(call->lang, member, word), text);
}

/* Everything that will be heard or read, and where, before it is signed. On stderr: stdout belongs to the answer. */
static void show(const struct call *call, const struct bulletin *bulletin, const struct approval *approval)
{
    char from[32], until[32];
    when_format_utc(approval->from_ms, from);
    when_format_utc(approval->until_ms, until);
    (void)when_on_the_clock(from, from);
    (void)when_on_the_clock(until, until);
    fprintf(stderr, sentence_in(call->lang, "You are approving: %s\n"), bulletin->title);
    show_line(call, "category", bulletin->category);
    show_line(call, "answerable", bulletin->answerable);
    show_line(call, "source", bulletin->source);
    show_line(call, "class", word_of_value(call->lang, "class", air_class_names[approval->class]));
    fprintf(stderr, sentence_in(call->lang, "  holds: %s – %s\n"), from, until);
    for (size_t i = 0; i < bulletin->n_contents; i++) {
        const struct bulletin_content *c = &bulletin->contents[i];
        fprintf(stderr, "  [%s] %s\n", c->lang, c->text ? c->text : "–");
        if (c->audio)
            fprintf(stderr, sentence_in(call->lang, "       sound of %.1f s; to hear it: loa media save %s FILE.ogg\n"),
                    (double)c->audio->frames / DOC_RATE_HZ, c->audio->hash);
    }
}

/* NULL when it cannot be had: what is shown beside is worth less than the approval. Consumes path. */
static json_t *ask_beside(struct client *client, char *path)
{
    struct complaint why = {0};
    json_t *answer = NULL;
    if (client_send(client, "GET", path, NULL, &answer, &why) < 0)
        answer = NULL;
    free(path);
    return answer;
}

/* The areas by their names, since an id says little to who signs. */
static void show_scope(const struct call *call, struct client *client, const struct approval *approval)
{
    for (size_t i = 0; i < approval->areas.n; i++) {
        json_t *area = ask_beside(client, xasprintf("/api/v1/areas/%s", approval->areas.at[i]));
        fprintf(stderr, "  %s %s%s\n", approval->areas.at[i], answer_text(area, "name", "?"),
                sentence_in(call->lang, " and all below it"));
        json_decref(area);
    }
}

static void show_former(const struct call *call, struct client *client, const struct approval *approval)
{
    size_t i;
    const json_t *item;
    json_t *answer = ask_beside(client, xasprintf("/api/v1/approvals?bulletin=%s&limit=1000", approval->bulletin));
    const json_t *items = json_object_get(answer, "items");
    fprintf(stderr, sentence_in(call->lang, "  hash: %s\n  approvals until now: %zu\n"), approval->bulletin,
            json_array_size(items));
    json_array_foreach((json_t *)(uintptr_t)items, i, item)
    {
        struct buf areas = {0};
        put_plain(&areas, call->lang, "areas", answer_at(item, "areas"));
        fprintf(stderr, "    %s: %s\n", answer_text(item, "name", answer_text(item, "person", "?")), buf_text(&areas));
        buf_done(&areas);
    }
    json_decref(answer);
}

static bool agreed(const struct call *call)
{
    char line[16] = "";
    if (call_option(call, "yes") || !isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
        return true;
    fprintf(stderr, "%s", sentence_in(call->lang, "Sign it? [y/N] "));
    return fgets(line, sizeof(line), stdin) && *line && strchr("cCyY", *line);
}

static int read_window(const struct call *call, struct approval *approval)
{
    struct complaint why = {0};
    struct zone *zone = NULL;
    const char *from = call_option(call, "from");
    const char *until = call_option(call, "until");
    int64_t now_ms = clock_wall_ms();
    int r = zone_load(NULL, WHEN_ZONE, &zone, &why);
    approval->from_ms = now_ms - now_ms % 1000;
    if (r == 0 && from)
        r = when_parse(from, zone, false, "--from", &approval->from_ms, &why);
    approval->until_ms = approval->from_ms + (int64_t)APPROVAL_DAYS * DAY_S * 1000;
    if (r == 0 && until)
        r = when_parse(until, zone, true, "--until", &approval->until_ms, &why);
    zone_free(zone);
    if (r < 0)
        return misused(call, "%s", why.text);
    if (approval->until_ms <= approval->from_ms || approval->until_ms <= now_ms)
        return misused(call, "--until is not after --from and now; such an approval would never hold");
    return EXIT_OK;
}

static int read_scope(const struct call *call, const struct bulletin *bulletin, struct arena *arena,
                      struct approval *approval)
{
    const char *class = call_option(call, "class");
    struct buf areas = {0};
    const char *area;
    for (size_t i = 0; (area = call_option_at(call, "area", i)); i++)
        buf_putf(&areas, "%s,", area);
    if (areas.len == 0 && bulletin->unit)
        buf_putf(&areas, "%s", bulletin->unit);
    approval->areas = texts_split(buf_text(&areas), ",", arena);
    buf_done(&areas);
    if (approval->areas.n == 0)
        return misused(call, "--area is missing: the areas in which the bulletin may go on air");
    approval->class = class ? name_index(air_class_names, class) : bulletin->class;
    if (approval->class < 0)
        return misused(call, "--class is '%s'; right would be filler, normal, priority or emergency", class);
    if (approval->class > bulletin->class)
        return refuse(call, "the bulletin itself is %s at most; it cannot be approved as %s",
                      air_class_names[bulletin->class], air_class_names[approval->class]);
    return EXIT_OK;
}

/* The era of the trust in force, unless --era says it. */
static int read_era(const struct call *call, struct client *client, int64_t *ret_era)
{
    struct complaint why = {0};
    json_t *trust = NULL;
    if (call_option(call, "era"))
        return call_number(call, "era", 1, INT64_C(1) << 31, ret_era);
    if (client_send(client, "GET", "/api/v1/trust", NULL, &trust, &why) < 0)
        return refuse(call, "the trust in force cannot be asked for, and --era is not given: %s", why.text);
    *ret_era = json_integer_value(answer_at(trust, "era"));
    json_decref(trust);
    return EXIT_OK;
}

/* The end of what was done, in one sentence: the last day on which it holds. */
static void say_approved(const struct call *call, const json_t *answer, const struct approval *approval)
{
    json_t *warning;
    size_t n;
    json_array_foreach(answer_at(answer, "warnings"), n, warning) warn(call, json_string_value(warning));
    struct zone *zone = NULL;
    char day[32];
    when_format_utc(approval->until_ms - 1, day);
    if (zone_load(NULL, WHEN_ZONE, &zone, NULL) == 0)
        zone_format(zone, approval->until_ms - 1, day);
    zone_free(zone);
    bool vi = strcmp(call->lang, "en") != 0;
    printf("%s", vi ? "Đã duyệt cho " : "Approved for ");
    for (size_t i = 0; i < approval->areas.n; i++)
        printf("%s%s", i ? ", " : "", approval->areas.at[i]);
    if (vi)
        printf(" đến %.2s/%.2s/%.4s\n", day + 8, day + 5, day);
    else
        printf(" until %.10s\n", day);
}

static int sign_and_send(const struct call *call, struct client *client, const struct approval *approval)
{
    struct complaint why = {0};
    struct signer signer;
    json_t *answer = NULL;
    char *sealed = NULL;
    if (signer_load(call_option(call, "key"), &signer, &why) < 0)
        return refuse(call, "%s", why.text);
    int r = seal_doc(&signer, DOC_APPROVAL, approval, false, &sealed, &why);
    signer_wipe(&signer);
    if (r < 0)
        return refuse(call, "the approval cannot be sealed: %s", *why.text ? why.text : error_in(call->lang, r));
    const char *out = call_option(call, "out");
    if (out) {
        FILE *file = fopen(out, "w");
        r = file && fprintf(file, "%s\n", sealed) > 0 ? EXIT_OK : refuse(call, "%s: cannot be written", out);
        if (file && fclose(file) != 0)
            r = refuse(call, "%s: cannot be written", out);
    } else if (client_send_bytes(client, "POST", "/api/v1/approvals", "application/jose", sealed, strlen(sealed),
                                 &answer, &why) < 0) {
        r = refuse(call, "%s", why.text);
    } else {
        r = EXIT_OK;
        if (call->json)
            print_value(call, answer);
        else
            say_approved(call, answer, approval);
    }
    json_decref(answer);
    free(sealed);
    return r;
}

static int approve(struct call *call)
{
    const char *hash = call->args[0];
    struct client *client;
    struct bulletin *bulletin = NULL;
    struct approval approval = {0};
    int64_t era = 0;
    if (!hash_valid(hash))
        return misused(call, "'%s' is not a hash; right would be 64 digits of 0-9 a-f", hash);
    int r = client_new(call, &client);
    if (r != EXIT_OK)
        return r;
    struct arena *arena = arena_new();
    r = fetch(call, client, hash, arena, &bulletin);
    if (r == EXIT_OK)
        r = read_window(call, &approval);
    if (r == EXIT_OK)
        r = read_scope(call, bulletin, arena, &approval);
    if (r == EXIT_OK)
        r = read_era(call, client, &era);
    if (r == EXIT_OK)
        r = head_new(call, era, 1, &approval.head);
    if (r == EXIT_OK) {
        approval.head.exp_s = approval.until_ms / 1000 + DAY_S;
        approval.bulletin = hash;
        show(call, bulletin, &approval);
        show_scope(call, client, &approval);
        if (call_option(call, "verbose"))
            show_former(call, client, &approval);
        r = agreed(call) ? sign_and_send(call, client, &approval) : refuse(call, "not signed");
    }
    arena_free(arena);
    client_free(client);
    return r;
}

static const struct column approval_columns[] = {
    {"person", "person"}, {"class", "class"}, {"areas", "areas"}, {"from", "from"},
    {"until", "until"},   {"hash", "hash"},   {NULL, NULL},
};

static int approvals(struct call *call)
{
    struct buf path = {0};
    buf_putf(&path, "/api/v1/approvals");
    query_add(&path, "bulletin", call_option(call, "bulletin"));
    int r = ask_list(call, buf_text(&path), approval_columns);
    buf_done(&path);
    return r;
}

static const struct option_spec approve_options[] = {
    {"key", "FILE", "the approver's private key (JWK, mode 0600); it is not sent", true, false},
    {"area", "AREA", "area ids in which it may go on air (else the bulletin's unit)", false, true},
    {"class", "CLASS", "highest class of use (else the bulletin's)", false, false},
    {"from", "INSTANT", "holds from (else now)", false, false},
    {"until", "INSTANT", "holds until; a date counts to its end (else 30 days)", false, false},
    {"era", "N", "era of the trust in force (else the controller is asked)", false, false},
    {"ver", "N", "version (else the present moment in Unix ms)", false, false},
    {"out", "FILE", "write the sealed approval there instead of handing it in", false, false},
    {"verbose", NULL, "also show the hash and who has approved it already", false, false},
    {"yes", NULL, "do not ask on a terminal", false, false},
    {0},
};

static const struct option_spec list_options[] = {
    {"bulletin", "HASH", "only of this bulletin", false, false},
    {"limit", "N", "at most so many (else 100; 0: all)", false, false},
    {0},
};

const struct cli_command approve_commands[] = {
    {"approve", NULL, "HASH", 1, 1, "Xem và ký duyệt một bản tin; khóa riêng không rời máy này",
     "Show a bulletin and sign its approval; the private key stays here", approve_options, approve},
    {"approvals", NULL, "", 0, 0, "Danh sách duyệt", "List approvals", list_options, approvals},
    {0},
};
