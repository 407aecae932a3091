/* client.c - see client.h. */
#include "tools/loa/client.h"

#include "playlists/base/file.h"
#include "tools/loa/sentences.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    TOKEN_MAX = 512,
    CONNECT_TIMEOUT_S = 10,
    ANSWER_TIMEOUT_S = 120,
    STREAM_LINE_MAX = 1024 * 1024,
    PROGRESS_FROM = 1024 * 1024
};

struct client {
    CURL *curl;
    char *url; /* without a slash at its end */
    char *ca;
    struct curl_slist *headers; /* the token, and the language of refusals */
    const char *lang;           /* "vi" or "en", as in the call */
};

static int read_token(const struct call *call, struct buf *ret)
{
    const char *file = call_option(call, "token-file");
    const char *token = getenv("LOA_TOKEN");
    if (!file) {
        if (!token || !*token)
            return misused(call, "no token: give --token-file FILE, or set LOA_TOKEN");
        buf_put(ret, token, strlen(token));
    } else {
        int r = file_read_whole(file, TOKEN_MAX, ret);
        if (r < 0)
            return refuse(call, "%s: cannot be read: %s", file, error_in(call->lang, r));
    }
    while (ret->len > 0 && strchr(" \r\n\t", ret->data[ret->len - 1]))
        ret->len--;
    if (ret->len == 0 || ret->len > TOKEN_MAX)
        return refuse(call, "the token is empty or too long; a token is one line of text");
    for (size_t i = 0; i < ret->len; i++)
        if (ret->data[i] < 0x21 || ret->data[i] > 0x7e)
            return refuse(call, "the token has a character that no token has; a token is one line of text");
    return EXIT_OK;
}

static const char *option_or_env(const struct call *call, const char *option, const char *variable)
{
    const char *value = call_option(call, option);
    if (!value)
        value = getenv(variable);
    return value && *value ? value : NULL;
}

int client_new(const struct call *call, struct client **ret_client)
{
    const char *url = option_or_env(call, "url", "LOA_URL");
    const char *ca = option_or_env(call, "ca", "LOA_CA");
    if (!url)
        return misused(call, "no address of the controller: give --url https://..., or set LOA_URL");
    if (strncmp(url, "https://", 8) != 0)
        return misused(call, "the address '%s' does not begin with https://", url);
    if (ca && access(ca, R_OK) < 0)
        return refuse(call, "%s: the certificate authority cannot be read: %s", ca, strerror(errno));
    struct buf token = {0};
    int r = read_token(call, &token);
    if (r != EXIT_OK) {
        buf_done(&token);
        return r;
    }
    struct client *client = xcalloc(1, sizeof(*client));
    client->lang = call->lang;
    client->curl = curl_easy_init();
    client->url = xstrdup(url);
    client->ca = ca ? xstrdup(ca) : NULL;
    size_t len = strlen(client->url);
    while (len > 0 && client->url[len - 1] == '/')
        client->url[--len] = '\0';
    char *header = xasprintf("Authorization: Bearer %s", buf_text(&token));
    client->headers = curl_slist_append(NULL, header);
    free(header);
    buf_done(&token);
    if (strcmp(call->lang, "en") == 0)
        client->headers = curl_slist_append(client->headers, "Accept-Language: en");
    if (!client->curl || !client->headers)
        abort(); /* memory is out */
    *ret_client = client;
    return EXIT_OK;
}

void client_free(struct client *client)
{
    if (!client)
        return;
    curl_easy_cleanup(client->curl);
    curl_slist_free_all(client->headers);
    free(client->url);
    free(client->ca);
    free(client);
}

struct answer {
    struct buf body;
    size_t max;
    bool too_long;
};

static size_t take_body(char *data, size_t size, size_t n, void *arg)
{
    struct answer *answer = arg;
    if (answer->body.len + size * n > answer->max) {
        answer->too_long = true;
        return 0;
    }
    buf_put(&answer->body, data, size * n);
    return size * n;
}

/* Common to every request. *ret_url and *ret_headers live until the transfer is over. */
static void prepare(struct client *client, const char *method, const char *path, const char *type, char **ret_url,
                    struct curl_slist **ret_headers)
{
    CURL *curl = client->curl;
    curl_easy_reset(curl);
    *ret_url = xasprintf("%s%s", client->url, path);
    struct curl_slist *headers = NULL;
    for (const struct curl_slist *h = client->headers; h; h = h->next)
        headers = curl_slist_append(headers, h->data);
    if (type) {
        char *line = xasprintf("Content-Type: %s", type);
        headers = curl_slist_append(headers, line);
        free(line);
    }
    headers = curl_slist_append(headers, "Expect:"); /* no round trip before the body */
    if (!headers)
        abort();
    *ret_headers = headers;
    curl_easy_setopt(curl, CURLOPT_URL, *ret_url);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT_S);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "loa/" LOA_VERSION);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    if (client->ca)
        curl_easy_setopt(curl, CURLOPT_CAINFO, client->ca);
}

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* At most `max` bytes of it, up to the end of a word. */
static size_t shorter(const char *text, size_t max)
{
    size_t len = max;
    while (len > 0 && text[len] != ' ')
        len--;
    return len > 0 ? len : max;
}

/* The sentence of a refusal: the controller's own words, or the bare status. */
static int complain_status(const struct client *client, long status, const struct buf *body, struct complaint *why)
{
    json_t *problem = json_loadb((const char *)body->data, body->len, JSON_REJECT_DUPLICATES, NULL);
    const char *detail = text_of(problem, "detail");
    const char *title = text_of(problem, "title");
    if (detail && strlen(detail) >= sizeof(why->text))
        complain(why, ERR_STATE, "%.*s…", (int)shorter(detail, sizeof(why->text) - sizeof("…")), detail);
    else if (detail)
        complain(why, ERR_STATE, "%s", detail);
    else if (title)
        complain(why, ERR_STATE, "%s", title);
    else
        complain(why, ERR_STATE,
                 sentence_in(client->lang, "the controller answered with HTTP status %ld and no explanation"), status);
    json_decref(problem);
    return ERR_STATE;
}

/* A connection that did not come about or broke: what that is in words, then curl's own detail. */
static int complain_curl(const struct client *client, CURLcode code, const char *detail, struct complaint *why)
{
    static const struct {
        CURLcode code;
        const char *en;
    } words[] = {
        {CURLE_COULDNT_CONNECT, "cannot connect"},
        {CURLE_COULDNT_RESOLVE_HOST, "the name is not known"},
        {CURLE_PEER_FAILED_VERIFICATION, "the certificate is not proven by the authority"},
        {CURLE_OPERATION_TIMEDOUT, "no answer in time"},
        {CURLE_RECV_ERROR, "the connection broke"},
        {CURLE_SEND_ERROR, "the connection broke"},
        {CURLE_PARTIAL_FILE, "the connection broke"},
        {CURLE_GOT_NOTHING, "the connection broke"},
    };
    if (!*detail)
        detail = curl_easy_strerror(code);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (words[i].code == code)
            return complain(why, -EIO, "%s: %s (%s)", client->url, sentence_in(client->lang, words[i].en), detail);
    return complain(why, -EIO, "%s: %s", client->url, detail);
}

static int perform(struct client *client, struct answer *answer, struct complaint *why)
{
    char detail[CURL_ERROR_SIZE] = "";
    curl_easy_setopt(client->curl, CURLOPT_ERRORBUFFER, detail);
    curl_easy_setopt(client->curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(client->curl, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(client->curl, CURLOPT_TIMEOUT, (long)ANSWER_TIMEOUT_S);
    CURLcode code = curl_easy_perform(client->curl);
    curl_easy_setopt(client->curl, CURLOPT_ERRORBUFFER, NULL);
    if (answer->too_long)
        return complain(why, ERR_LIMIT, "%s: the answer is longer than %zu bytes", client->url, answer->max);
    if (code != CURLE_OK)
        return complain_curl(client, code, detail, why);
    long status = 0;
    curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200 || status > 299)
        return complain_status(client, status, &answer->body, why);
    return 0;
}

static int parse_answer(const struct answer *answer, json_t **ret_answer, struct complaint *why)
{
    if (!ret_answer)
        return 0;
    if (answer->body.len == 0) {
        *ret_answer = json_null();
        return 0;
    }
    json_error_t error;
    json_t *value =
        json_loadb((const char *)answer->body.data, answer->body.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (!value)
        return complain(why, ERR_FORMAT, "the controller's answer is not JSON: %s", error.text);
    *ret_answer = value;
    return 0;
}

int client_send_bytes(struct client *client, const char *method, const char *path, const char *type, const void *data,
                      size_t len, json_t **ret_answer, struct complaint *why)
{
    char *url;
    struct curl_slist *headers;
    struct answer answer = {.max = CLIENT_ANSWER_MAX};
    prepare(client, method, path, type, &url, &headers);
    if (type || strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0) {
        curl_easy_setopt(client->curl, CURLOPT_POSTFIELDS, len ? data : "");
        curl_easy_setopt(client->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
    }
    int r = perform(client, &answer, why);
    if (r == 0)
        r = parse_answer(&answer, ret_answer, why);
    buf_done(&answer.body);
    curl_slist_free_all(headers);
    free(url);
    return r;
}

int client_send(struct client *client, const char *method, const char *path, const json_t *body, json_t **ret_answer,
                struct complaint *why)
{
    if (!body)
        return client_send_bytes(client, method, path, NULL, NULL, 0, ret_answer, why);
    char *text = json_dumps(body, JSON_COMPACT);
    if (!text)
        return complain(why, ERR_FORMAT, "what was given is not valid UTF-8 text");
    int r = client_send_bytes(client, method, path, "application/json", text, strlen(text), ret_answer, why);
    free(text);
    return r;
}

/* How far an upload is, on one line of a terminal. The controller works on the sound when all has gone out. */
static int show_progress(void *arg, curl_off_t down_all, curl_off_t down, curl_off_t up_all, curl_off_t up)
{
    (void)arg;
    (void)down_all;
    if (down > 0 || up_all <= 0)
        fprintf(stderr, "\r%*s\r", 40, "");
    else
        fprintf(stderr, "\r%5.1f / %.1f MB (%d %%) ", (double)up / 1e6, (double)up_all / 1e6, (int)(100 * up / up_all));
    return 0;
}

int client_send_file(struct client *client, const char *method, const char *path, const char *type, const char *file,
                     json_t **ret_answer, struct complaint *why)
{
    FILE *stream = fopen(file, "rb");
    struct stat st;
    if (!stream || fstat(fileno(stream), &st) < 0) {
        int error = errno;
        if (stream)
            fclose(stream);
        return complain(why, -error, sentence_in(client->lang, "cannot be read: %s"), error_in(client->lang, -error));
    }
    if (!S_ISREG(st.st_mode) || st.st_size == 0) {
        fclose(stream);
        return complain(why, ERR_FORMAT, "%s",
                        sentence_in(client->lang, S_ISREG(st.st_mode)
                                                      ? "is empty; a file with sound in it would be right"
                                                      : "is not a file; a file with sound in it would be right"));
    }
    char *url;
    struct curl_slist *headers;
    struct answer answer = {.max = CLIENT_ANSWER_MAX};
    prepare(client, method, path, type, &url, &headers);
    curl_easy_setopt(client->curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(client->curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(client->curl, CURLOPT_READDATA, stream);
    curl_easy_setopt(client->curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)st.st_size);
    if (st.st_size >= PROGRESS_FROM && isatty(STDERR_FILENO)) {
        curl_easy_setopt(client->curl, CURLOPT_XFERINFOFUNCTION, show_progress);
        curl_easy_setopt(client->curl, CURLOPT_NOPROGRESS, 0L);
    }
    int r = perform(client, &answer, why);
    if (r == 0)
        r = parse_answer(&answer, ret_answer, why);
    fclose(stream);
    buf_done(&answer.body);
    curl_slist_free_all(headers);
    free(url);
    return r;
}

int client_get_bytes(struct client *client, const char *path, size_t max, struct buf *ret, struct complaint *why)
{
    char *url;
    struct curl_slist *headers;
    struct answer answer = {.max = max};
    prepare(client, "GET", path, NULL, &url, &headers);
    int r = perform(client, &answer, why);
    if (r == 0)
        buf_put(ret, answer.body.data, answer.body.len);
    buf_done(&answer.body);
    curl_slist_free_all(headers);
    free(url);
    return r;
}

struct stream {
    CURL *curl;
    client_event_fn on_event;
    void *arg;
    struct buf waiting; /* bytes of a line that is not whole yet */
    struct buf data;    /* data lines of the event that is being read */
    char event[64];
    struct buf refusal; /* body of an answer that is no stream */
    bool ended, too_long;
};

static void dispatch(struct stream *s)
{
    if (s->data.len > 0 && !s->on_event(s->arg, *s->event ? s->event : "message", buf_text(&s->data)))
        s->ended = true;
    buf_drop(&s->data, s->data.len);
    s->event[0] = '\0';
}

/* One line of the stream (WHATWG HTML, server-sent events), without its end. */
static void take_line(struct stream *s, const char *line)
{
    if (!*line) {
        dispatch(s);
    } else if (strncmp(line, "event:", 6) == 0) {
        snprintf(s->event, sizeof(s->event), "%s", line[6] == ' ' ? line + 7 : line + 6);
    } else if (strncmp(line, "data:", 5) == 0) {
        const char *text = line[5] == ' ' ? line + 6 : line + 5;
        if (s->data.len > 0)
            buf_put(&s->data, "\n", 1);
        buf_put(&s->data, text, strlen(text));
    }
}

static size_t take_stream(char *bytes, size_t size, size_t n, void *arg)
{
    struct stream *s = arg;
    long status = 0;
    curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &status);
    struct buf *into = status == 200 ? &s->waiting : &s->refusal;
    if (into->len + s->data.len + size * n > STREAM_LINE_MAX) {
        s->too_long = true;
        return 0;
    }
    buf_put(into, bytes, size * n);
    while (!s->ended && status == 200) {
        char *end = s->waiting.len ? memchr(s->waiting.data, '\n', s->waiting.len) : NULL;
        if (!end)
            break;
        size_t len = (size_t)(end - (char *)s->waiting.data);
        *end = '\0';
        if (len > 0 && end[-1] == '\r')
            end[-1] = '\0';
        take_line(s, (const char *)s->waiting.data);
        buf_drop(&s->waiting, len + 1);
    }
    return s->ended ? 0 : size * n;
}

int client_stream(struct client *client, const char *path, client_event_fn on_event, void *arg, struct complaint *why)
{
    char *url;
    struct curl_slist *headers;
    struct stream s = {.curl = client->curl, .on_event = on_event, .arg = arg};
    char detail[CURL_ERROR_SIZE] = "";
    prepare(client, "GET", path, NULL, &url, &headers);
    curl_easy_setopt(client->curl, CURLOPT_ERRORBUFFER, detail);
    curl_easy_setopt(client->curl, CURLOPT_WRITEFUNCTION, take_stream);
    curl_easy_setopt(client->curl, CURLOPT_WRITEDATA, &s);
    curl_easy_setopt(client->curl, CURLOPT_TCP_KEEPALIVE, 1L);
    CURLcode code = curl_easy_perform(client->curl);
    curl_easy_setopt(client->curl, CURLOPT_ERRORBUFFER, NULL);
    long status = 0;
    curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
    int r = 0;
    if (s.too_long)
        r = complain(why, ERR_LIMIT, "the controller sent an event longer than %d bytes", STREAM_LINE_MAX);
    else if (!s.ended && code != CURLE_OK)
        r = complain_curl(client, code, detail, why);
    else if (!s.ended && status != 200)
        r = complain_status(client, status, &s.refusal, why);
    else if (!s.ended)
        r = complain(why, -EPIPE, "%s", sentence_in(client->lang, "the controller ended the stream"));
    buf_done(&s.waiting);
    buf_done(&s.data);
    buf_done(&s.refusal);
    curl_slist_free_all(headers);
    free(url);
    return r;
}

char *client_escape(const char *text)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    struct buf out = {0};
    for (const char *p = text; *p; p++) {
        if (strchr(plain, *p))
            buf_put(&out, p, 1);
        else
            buf_putf(&out, "%%%02X", (unsigned char)*p);
    }
    char *result = xstrdup(buf_text(&out));
    buf_done(&out);
    return result;
}
