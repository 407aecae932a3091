/* fuzz_fetch - a media server that answers anything. Real libcurl, transfer and part; only the line is a Unix socket
 * without TLS.
 *
 * The first byte says what of the file lies in the spool (0 to 63 bytes; above 127 altered ones), the rest is what the
 * server sends. Whatever comes: one end, at `<spool>/<hash>` nothing but the file of that hash, never more in the spool
 * than was stated. */
#include "playlists/base/bytes.h"
#include "playlists/link/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { FILE_LEN = 64, VISITORS_MAX = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
void __real_http_start(struct http *http, CURL *easy, void *arg); /* NOLINT */
void __wrap_http_start(struct http *http, CURL *easy, void *arg); /* NOLINT: --wrap asks for these names */

static const uint8_t *answer;
static size_t answer_len;
static char spool[] = "/dev/shm/loa-fuzz-fetch-XXXXXX";
static char content[FILE_LEN + 1];
static struct hash name;
static int listener = -1, visitors[VISITORS_MAX], n_visitors;
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static int ends;
static enum transfer_end ended;

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* The server sends all it has to say at once; it stays until the end, so that the request can be sent. */
static void on_visitor(uv_poll_t *poll, int status, int events)
{
    (void)poll;
    (void)status;
    (void)events;
    int visitor = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (visitor < 0)
        return;
    size_t len = answer_len < 65536 ? answer_len : 65536;
    require(len == 0 || write(visitor, answer, len) == (ssize_t)len);
    shutdown(visitor, SHUT_WR);
    require(n_visitors < VISITORS_MAX);
    visitors[n_visitors++] = visitor;
}

/* Everything is set up as in the program; then TLS and the network are taken out. */
void __wrap_http_start(struct http *http, CURL *easy, void *arg) /* NOLINT */
{
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http");
    curl_easy_setopt(easy, CURLOPT_URL, "http://localhost/file");
    curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, address.sun_path);
    __real_http_start(http, easy, arg);
}

static void on_end(void *arg, enum transfer_end end, const char *why, const char *path, bool progress)
{
    (void)path;
    (void)progress;
    require(end == TRANSFER_DONE || utf8_valid(why, strlen(why)) || why[0]);
    ends++;
    ended = end;
    uv_stop(arg);
}

static void clear_up(void)
{
    unlink(address.sun_path);
    rmdir(spool);
}

static void set_up(void)
{
    for (int i = 0; i < FILE_LEN; i++)
        content[i] = (char)('a' + i % 26);
    name = hash_of(content, FILE_LEN);
    require(mkdtemp(spool) != NULL && curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/server", spool);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    require(listener >= 0 && bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0);
    require(listen(listener, VISITORS_MAX) == 0);
    atexit(clear_up);
}

static void put_remains(const char *path, uint8_t pick)
{
    size_t len = pick % FILE_LEN;
    char bytes[FILE_LEN];
    memcpy(bytes, content, len);
    if (pick > 127 && len > 0)
        bytes[len - 1] ^= 1;
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    require(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
    close(fd);
}

static void look_at_spool(const char *part, const char *whole)
{
    struct stat st;
    require(stat(part, &st) < 0 || st.st_size <= FILE_LEN);
    struct hash found;
    uint64_t size = 0;
    bool there = hash_of_file(whole, FILE_LEN, &found, &size) == 0;
    require(there == (ended == TRANSFER_DONE));
    require(!there || (size == FILE_LEN && hash_equal(&found, &name)));
    unlink(part);
    unlink(whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (!name.hex[0])
        set_up();
    if (len == 0)
        return 0;
    char part[200], whole[200];
    snprintf(part, sizeof(part), "%s/%s.part", spool, name.hex);
    snprintf(whole, sizeof(whole), "%s/%s", spool, name.hex);
    put_remains(part, data[0]);
    answer = data + 1;
    answer_len = len - 1;
    ends = 0;
    uv_loop_t loop;
    uv_poll_t poll;
    uv_loop_init(&loop);
    uv_poll_init(&loop, &poll, listener);
    uv_poll_start(&poll, UV_READABLE, on_visitor);
    struct settings settings = {.spool = spool, .media = {.url = "https://localhost/"}};
    struct tls_time known = {0};
    struct transfer_ground ground = {
        .loop = &loop, .http = http_new(&loop, transfer_http_done), .settings = &settings, .known = &known};
    struct transfer *transfer = NULL;
    require(transfer_start(&ground, name.hex, FILE_LEN, on_end, &loop, &transfer) == 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    require(ends == 1);
    transfer_free(transfer, false);
    http_free(ground.http);
    uv_close((uv_handle_t *)&poll, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    require(uv_loop_close(&loop) == 0 && ends == 1);
    while (n_visitors > 0)
        close(visitors[--n_visitors]);
    look_at_spool(part, whole);
    return 0;
}
