/* bulletin.c - `loa bulletin` and `loa media`: what is said. */
#include "playlists/base/file.h"
#include "playlists/documents.h"
#include "tools/loa/answer.h"
#include "tools/loa/sentences.h"

#include <stdlib.h>
#include <string.h>

enum { TEXT_FILE_MAX = 16 * 1024 };

/* One --content: LANG:text=...,audio=FILE. A text may hold commas; it ends where ",audio=" or ",media=" begins. */
struct content {
    char *lang, *text, *audio, *media; /* owned */
};

static void content_done(struct content *content)
{
    free(content->lang);
    free(content->text);
    free(content->audio);
    free(content->media);
}

/* Where the next member begins: at the first ",text=", ",audio=" or ",media=", else at the end. */
static const char *member_end(const char *text)
{
    static const char *const marks[] = {",text=", ",audio=", ",media="};
    const char *end = text + strlen(text);
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        const char *mark = strstr(text, marks[i]);
        if (mark && mark < end)
            end = mark;
    }
    return end;
}

static int content_read(const struct call *call, const char *given, struct content *ret)
{
    const char *colon = strchr(given, ':');
    if (!colon || colon == given)
        return misused(call, "--content is '%s'; right would be LANG:text=...,audio=FILE, such as vi:text=Xin chào",
                       given);
    ret->lang = strndup(given, (size_t)(colon - given));
    for (const char *p = colon + 1; *p;) {
        const char *end = member_end(p);
        const char *equals = strchr(p, '=');
        size_t name_len = equals && equals < end ? (size_t)(equals - p) : 0;
        char **member = name_len == 4 && memcmp(p, "text", 4) == 0    ? &ret->text
                        : name_len == 5 && memcmp(p, "audio", 5) == 0 ? &ret->audio
                        : name_len == 5 && memcmp(p, "media", 5) == 0 ? &ret->media
                                                                      : NULL;
        if (!member || *member)
            return misused(call,
                           "--content %s has '%.*s'; right would be text=..., audio=FILE or media=HASH, each once",
                           ret->lang, (int)(end - p), p);
        *member = strndup(equals + 1, (size_t)(end - equals - 1));
        p = *end ? end + 1 : end;
    }
    if (!ret->text && !ret->audio && !ret->media)
        return misused(call, "--content %s has neither text nor sound; right would be %s:text=...,audio=FILE",
                       ret->lang, ret->lang);
    if (ret->audio && ret->media)
        return misused(call, "--content %s names both a file and a medium; one of them would be right", ret->lang);
    return EXIT_OK;
}

static char *upload_path(const char *file)
{
    const char *slash = strrchr(file, '/');
    struct buf path = {0};
    buf_putf(&path, "/api/v1/media");
    query_add(&path, "name", slash ? slash + 1 : file);
    char *text = xstrdup(buf_text(&path));
    buf_done(&path);
    return text;
}

static int upload(const struct call *call, struct client *client, const char *file, json_t **ret_media)
{
    struct complaint why = {0};
    char *path = upload_path(file);
    int r = client_send_file(client, "POST", path, "application/octet-stream", file, ret_media, &why);
    free(path);
    return r < 0 ? refuse(call, "%s: %s", file, why.text) : EXIT_OK;
}

/* The text itself, or with "@" before it what a file holds. */
static int text_member(const struct call *call, const char *text, json_t *member)
{
    struct buf data = {0};
    int r = EXIT_OK;
    if (*text == '@') {
        int got = file_read_whole(text + 1, TEXT_FILE_MAX, &data);
        if (got < 0)
            r = refuse(call, "%s: cannot be read: %s", text + 1, error_in(call->lang, got));
        while (data.len > 0 && data.data[data.len - 1] == '\n')
            data.len--;
    } else {
        buf_put(&data, text, strlen(text));
    }
    if (r == EXIT_OK && json_object_set_new(member, "text", json_stringn(buf_text(&data), data.len)) < 0)
        r = refuse(call, "the text is not UTF-8");
    buf_done(&data);
    return r;
}

/* Upload what must be, and put the member of the API's bulletin behind `contents`. */
static int content_add(const struct call *call, struct client *client, const char *given, json_t *contents)
{
    struct content content = {0};
    json_t *media = NULL;
    json_t *member = json_object();
    int r = content_read(call, given, &content);
    if (r == EXIT_OK)
        json_object_set_new(member, "lang", json_string(content.lang));
    if (r == EXIT_OK && content.text)
        r = text_member(call, content.text, member);
    if (r == EXIT_OK && content.audio)
        r = upload(call, client, content.audio, &media);
    if (r == EXIT_OK && (media || content.media))
        json_object_set_new(member, "audio", json_string(media ? answer_text(media, "hash", "") : content.media));
    if (r == EXIT_OK)
        json_array_append(contents, member);
    json_decref(media);
    json_decref(member);
    content_done(&content);
    return r;
}

static int post_bulletin(const struct call *call, struct client *client, json_t *bulletin)
{
    struct complaint why = {0};
    json_t *answer = NULL;
    if (client_send(client, "POST", "/api/v1/bulletins", bulletin, &answer, &why) < 0)
        return refuse(call, "%s", why.text);
    if (call->json)
        print_value(call, answer);
    else
        puts(answer_text(answer, "hash", "?"));
    json_decref(answer);
    return EXIT_OK;
}

static int bulletin_add(struct call *call)
{
    static const char *const members[] = {"title", "category", "answerable", "source", "class", "id", "unit"};
    json_t *bulletin = json_object();
    json_t *contents = json_array();
    struct client *client = NULL;
    const char *given;
    int r = EXIT_OK;
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]) && r == EXIT_OK; i++) {
        const char *value = call_option(call, members[i]);
        if (value && json_object_set_new(bulletin, members[i], json_string(value)) < 0)
            r = refuse(call, "--%s is not UTF-8 text", members[i]);
    }
    for (size_t i = 0; r == EXIT_OK && (given = call_option_at(call, "content", i)); i++) {
        struct content content = {0}; /* all of them are read before any sound is sent */
        r = content_read(call, given, &content);
        content_done(&content);
    }
    if (r == EXIT_OK)
        r = client_new(call, &client);
    for (size_t i = 0; r == EXIT_OK && (given = call_option_at(call, "content", i)); i++)
        r = content_add(call, client, given, contents);
    if (r == EXIT_OK) {
        json_object_set(bulletin, "contents", contents);
        r = post_bulletin(call, client, bulletin);
    }
    json_decref(contents);
    json_decref(bulletin);
    client_free(client);
    return r;
}

static const struct column bulletin_columns[] = {
    {"id", "id"}, {"revision", "revision"}, {"class", "class"}, {"title", "title"}, {"hash", "hash"}, {NULL, NULL},
};

static int bulletin_list(struct call *call)
{
    struct buf path = {0};
    buf_putf(&path, "/api/v1/bulletins");
    query_add(&path, "id", call_option(call, "id"));
    int r = ask_list(call, buf_text(&path), bulletin_columns);
    buf_done(&path);
    return r;
}

static int bulletin_show(struct call *call)
{
    if (!hash_valid(call->args[0]))
        return misused(call, "'%s' is not a hash; right would be 64 digits of 0-9 a-f", call->args[0]);
    char *path = xasprintf("/api/v1/bulletins/%s", call->args[0]);
    int r = ask(call, "GET", path, NULL);
    free(path);
    return r;
}

static int media_add(struct call *call)
{
    struct client *client;
    json_t *media = NULL;
    int r = client_new(call, &client);
    if (r != EXIT_OK)
        return r;
    r = upload(call, client, call->args[0], &media);
    if (r == EXIT_OK)
        print_value(call, media);
    json_decref(media);
    client_free(client);
    return r;
}

/* The very bytes that the hash names, or nothing: what is heard before it is signed must be what is signed. */
static int media_save(struct call *call)
{
    const char *hash = call->args[0], *file = call->args[1];
    struct client *client;
    struct complaint why = {0};
    struct buf bytes = {0};
    if (!hash_valid(hash))
        return misused(call, "'%s' is not a hash; right would be 64 digits of 0-9 a-f", hash);
    int r = client_new(call, &client);
    if (r != EXIT_OK)
        return r;
    char *path = xasprintf("/api/v1/media/%s/content", hash);
    if (client_get_bytes(client, path, CLIENT_ANSWER_MAX, &bytes, &why) < 0) {
        r = refuse(call, "%s", why.text);
    } else {
        struct hash real = hash_of(bytes.data, bytes.len);
        int wrote = strcmp(real.hex, hash) == 0 ? file_write_whole(file, bytes.data, bytes.len, 0644) : 0;
        if (strcmp(real.hex, hash) != 0)
            r = refuse(call, "%s: is not what was asked for: its hash is %s; nothing is written", file, real.hex);
        else if (wrote < 0)
            r = refuse(call, "%s: cannot be written: %s", file, error_in(call->lang, wrote));
    }
    free(path);
    buf_done(&bytes);
    client_free(client);
    return r;
}

static const struct column media_columns[] = {
    {"hash", "hash"}, {"duration", "duration_ms"}, {"loudness_lufs", "loudness_lufs"}, {"file", "source.name"},
    {NULL, NULL},
};

static int media_list(struct call *call)
{
    return ask_list(call, "/api/v1/media", media_columns);
}

static const struct option_spec add_options[] = {
    {"title", "TEXT", "title", true, false},
    {"category", "TEXT", "category", true, false},
    {"answerable", "NAME", "person answerable for the content", true, false},
    {"source", "TEXT", "number of the source document", false, false},
    {"class", "CLASS", "highest class of use: filler, normal, priority, emergency (else normal)", false, false},
    {"content", "LANG:text=...,audio=FILE", "one language; text=@FILE reads a file, media=HASH names a known sound",
     true, true},
    {"id", "ID", "id; the same id makes a new revision", false, false},
    {"unit", "AREA", "unit that makes it (else the token's)", false, false},
    {0},
};

static const struct option_spec list_options[] = {
    {"id", "ID", "only revisions of this bulletin", false, false},
    {"limit", "N", "at most so many (else 100; 0: all)", false, false},
    {0},
};

static const struct option_spec limit_options[] = {
    {"limit", "N", "at most so many (else 100; 0: all)", false, false},
    {0},
};

const struct cli_command bulletin_commands[] = {
    {"bulletin", "add", "", 0, 0, "Thêm bản tin: tải âm thanh lên, in ra mã băm của bản tin",
     "Add a bulletin: uploads its sound, prints its hash", add_options, bulletin_add},
    {"bulletin", "list", "", 0, 0, "Danh sách bản tin", "List bulletins", list_options, bulletin_list},
    {"bulletin", "show", "HASH", 1, 1, "Xem một bản tin", "Show one bulletin", NULL, bulletin_show},
    {"media", "add", "FILE", 1, 1, "Tải một tệp âm thanh lên", "Upload one sound file", NULL, media_add},
    {"media", "save", "HASH FILE", 2, 2, "Lưu một tệp âm thanh về máy để nghe (Ogg Opus)",
     "Fetch a sound to hear it (Ogg Opus)", NULL, media_save},
    {"media", "list", "", 0, 0, "Danh sách tệp âm thanh", "List sounds", limit_options, media_list},
    {0},
};
