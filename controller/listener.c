/* listener.c - see listener.h. */
#include "controller/listener.h"

#include "playlists/base/bytes.h"
#include "playlists/base/clock.h"
#include "playlists/base/file.h"
#include "playlists/base/log.h"
#include "playlists/base/pulse.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    PEM_MAX = 256 * 1024,
    BACKLOG = 256,
    DESCRIPTORS_MIN = 256,
    DESCRIPTORS_KEPT = 128, /* for the store, the link, recordings on their way in */
    PORTS = 2,
    PER_CONNECTION = 2, /* its socket, and the file that it is answered from or fills */
    CONNECTIONS_MAX = 2000,
    STRANGER_S = 10,       /* to send a first request whole up to its body; then idle time of who is not admitted */
    STRANGER_WHOLE_S = 30, /* for all that is said with who is not admitted */
    IDLE_S = 120,
    SWEEP_MS = 1000,
    VAIN_RUNS = 4, /* in which no byte moved; then a pause that doubles */
    PAUSE_MS = 2,
    PAUSE_MAX_MS = 128,
};

static const char priorities[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";

/* A connection; in its listener's list until it is admitted. */
struct visitor {
    struct listener *listener;
    struct visitor *next;
    int fd;     /* libmicrohttpd's */
    bool heard; /* the head of its first request came */
    int64_t since_ms;
};

struct listener {
    const char *name;
    struct listener_handler handler;
    struct visitor *strangers;
    struct MHD_Daemon *daemon;
    uv_poll_t poll;
    uv_timer_t timer, sweep;
    int open_handles;
    int port, epoll_fd; /* the descriptor is libmicrohttpd's */
    int64_t ran_ms;
    unsigned vain;            /* runs in a row in which nothing happened */
    struct buf cert, key, ca; /* the server refers to them */
};

static int read_pem(const char *path, const char *what, struct buf *ret, struct complaint *why)
{
    int r = file_read_whole(path, PEM_MAX, ret);
    if (r < 0)
        return complain(why, r, "%s: %s cannot be read: %s", what, path, err_name(r));
    buf_text(ret);
    return 0;
}

/* As many descriptors as the system lets us have. Returns how many connections one port may hold. */
static int connections_max(const char *name, struct complaint *why)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return complain(why, -errno, "%s: the limit of open files is not told: %s", name, strerror(errno));
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        return complain(why, -errno, "%s: the limit of open files cannot be raised: %s", name, strerror(errno));
    if (limit.rlim_cur < DESCRIPTORS_MIN)
        return complain(why, ERR_LIMIT,
                        "%s: only %llu files may be open (ulimit -Hn, LimitNOFILE=), at least %d are needed", name,
                        (unsigned long long)limit.rlim_cur, DESCRIPTORS_MIN);
    rlim_t n = (limit.rlim_cur - DESCRIPTORS_KEPT) / (PORTS * PER_CONNECTION);
    return n < CONNECTIONS_MAX ? (int)n : CONNECTIONS_MAX;
}

int listener_check(const struct settings_listener *settings, const char *name, struct complaint *why)
{
    gnutls_certificate_credentials_t cred;
    int connections = connections_max(name, why);
    if (connections < 0)
        return connections;
    gnutls_certificate_allocate_credentials(&cred);
    int r = gnutls_certificate_set_x509_key_file(cred, settings->cert, settings->key, GNUTLS_X509_FMT_PEM);
    if (r < 0)
        complain(why, ERR_FORMAT, "%s: certificate %s and key %s cannot be used: %s", name, settings->cert,
                 settings->key, gnutls_strerror(r));
    if (r >= 0 && settings->client_ca) {
        r = gnutls_certificate_set_x509_trust_file(cred, settings->client_ca, GNUTLS_X509_FMT_PEM);
        if (r <= 0)
            complain(why, ERR_FORMAT, "%s: client_ca %s holds no certificate authority", name, settings->client_ca);
        r = r <= 0 ? -1 : r;
    }
    gnutls_certificate_free_credentials(cred);
    return r < 0 ? ERR_FORMAT : 0;
}

static int bind_socket(const struct settings_listener *s, const char *name, int *ret_fd, int *ret_port,
                       struct complaint *why)
{
    struct sockaddr_storage address = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address;
    socklen_t len = sizeof(*v4);
    if (inet_pton(AF_INET, s->address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)s->port);
    } else {
        inet_pton(AF_INET6, s->address, &v6->sin6_addr);
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)s->port);
        len = sizeof(*v6);
    }
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0)
        return complain(why, -errno, "%s: no socket: %s", name, strerror(errno));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, BACKLOG) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) < 0) {
        int r = complain(why, -errno, "%s: cannot listen on %s port %lld: %s", name, s->address, (long long)s->port,
                         strerror(errno));
        close(fd);
        return r;
    }
    *ret_port = ntohs(address.ss_family == AF_INET ? v4->sin_port : v6->sin6_port);
    *ret_fd = fd;
    return 0;
}

static void on_timer(uv_timer_t *timer);

/* libmicrohttpd holds a connection for readable from its first byte to the end of its handshake, and asks to be run
 * again at once: a client that does not answer would have us turn in a circle. What really comes wakes us by the
 * descriptor. */
static uint64_t pause_ms(const struct listener *l, uint64_t asked_ms)
{
    if (l->vain < VAIN_RUNS)
        return asked_ms;
    unsigned doubled = l->vain - VAIN_RUNS;
    uint64_t ms = doubled < 6 ? (uint64_t)PAUSE_MS << doubled : PAUSE_MAX_MS;
    return asked_ms > ms ? asked_ms : ms;
}

static void run(struct listener *listener)
{
    MHD_UNSIGNED_LONG_LONG wait_ms;
    listener->vain++;
    MHD_run(listener->daemon);
    listener->ran_ms = clock_elapsed_ms();
    if (MHD_get_timeout(listener->daemon, &wait_ms) == MHD_YES)
        uv_timer_start(&listener->timer, on_timer, pause_ms(listener, wait_ms), 0);
    else
        uv_timer_stop(&listener->timer);
}

static void on_timer(uv_timer_t *timer)
{
    run(timer->data);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    run(poll->data);
}

static void on_server_line(void *arg, const char *fmt, va_list args)
{
    struct listener *listener = arg;
    char text[300];
    vsnprintf(text, sizeof(text), fmt, args);
    text[strcspn(text, "\n")] = '\0';
    log_debug("http", "listener=%s %s", listener->name, text);
}

/* --- bytes on their way, counted --- */

static ssize_t pull(gnutls_transport_ptr_t arg, void *data, size_t size)
{
    struct visitor *visitor = arg;
    ssize_t n = recv(visitor->fd, data, size, 0);
    if (n > 0)
        visitor->listener->vain = 0;
    return n;
}

static ssize_t push(gnutls_transport_ptr_t arg, const giovec_t *parts, int n_parts)
{
    struct visitor *visitor = arg;
    struct msghdr message = {.msg_iov = (struct iovec *)parts, .msg_iovlen = (size_t)n_parts};
    ssize_t n = sendmsg(visitor->fd, &message, MSG_NOSIGNAL);
    if (n > 0)
        visitor->listener->vain = 0;
    return n;
}

static int pull_timeout(gnutls_transport_ptr_t arg, unsigned ms)
{
    const struct visitor *visitor = arg;
    return gnutls_system_recv_timeout((gnutls_transport_ptr_t)(intptr_t)visitor->fd, ms);
}

/* The visitor is there as long as the session. */
static void count_bytes(struct visitor *visitor, gnutls_session_t session)
{
    gnutls_transport_set_ptr(session, visitor);
    gnutls_transport_set_pull_function(session, pull);
    gnutls_transport_set_vec_push_function(session, push);
    gnutls_transport_set_pull_timeout_function(session, pull_timeout);
}

static void forget_visitor(struct visitor *visitor)
{
    struct visitor **at = &visitor->listener->strangers;
    while (*at && *at != visitor)
        at = &(*at)->next;
    if (*at)
        *at = visitor->next;
    visitor->next = NULL;
}

static struct visitor *visitor_of(struct MHD_Connection *connection)
{
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

static void on_connection(void *arg, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct listener *l = arg;
    struct visitor *visitor = *context;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        visitor = *context = xcalloc(1, sizeof(*visitor));
        *visitor =
            (struct visitor){.listener = l,
                             .next = l->strangers,
                             .fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd,
                             .since_ms = clock_elapsed_ms()};
        l->strangers = visitor;
        count_bytes(visitor, MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION)->tls_session);
    } else if (visitor) {
        forget_visitor(visitor);
        free(visitor);
        *context = NULL;
    }
}

static enum MHD_Result on_access(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
                                 const char *version, const char *upload, size_t *upload_size, void **request)
{
    struct listener *l = arg;
    l->vain = 0;
    if (!*request)
        visitor_of(connection)->heard = true;
    return l->handler.access(l->handler.arg, connection, url, method, version, upload, upload_size, request);
}

/* An idle time alone would let a stranger hold a connection by a byte now and then. */
static void on_sweep(uv_timer_t *timer)
{
    struct listener *l = timer->data;
    int64_t now_ms = clock_elapsed_ms();
    for (struct visitor *visitor = l->strangers; visitor; visitor = visitor->next)
        if (now_ms - visitor->since_ms >= (visitor->heard ? STRANGER_WHOLE_S : STRANGER_S) * 1000)
            shutdown(visitor->fd, SHUT_RDWR);
}

void listener_admit(struct MHD_Connection *connection)
{
    forget_visitor(visitor_of(connection));
    MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, (unsigned)IDLE_S);
}

/* As the server does it, but an escaped NUL stays visible: texts would end there, and "box-1%00x" mean box-1. */
static size_t unescape(void *arg, struct MHD_Connection *connection, char *text)
{
    (void)arg, (void)connection;
    size_t len = MHD_http_unescape(text);
    for (char *nul; (nul = memchr(text, 0, len)) != NULL;)
        *nul = '\x01';
    return len;
}

static struct MHD_Daemon *start_daemon(struct listener *l, int fd, bool ask, unsigned connections)
{
    unsigned per_address = connections / 4; /* a mobile network puts hundreds of sites behind one address */
    struct MHD_OptionItem more[] = {{ask ? MHD_OPTION_HTTPS_MEM_TRUST : MHD_OPTION_END, 0, l->ca.data},
                                    {MHD_OPTION_END, 0, NULL}};
    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_TLS | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_access, l,
        MHD_OPTION_EXTERNAL_LOGGER, on_server_line, l, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_HTTPS_MEM_CERT,
        (const char *)l->cert.data, MHD_OPTION_HTTPS_MEM_KEY, (const char *)l->key.data, MHD_OPTION_HTTPS_PRIORITIES,
        priorities, MHD_OPTION_NOTIFY_COMPLETED, l->handler.completed, l->handler.arg, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, l, MHD_OPTION_CONNECTION_LIMIT, connections, MHD_OPTION_PER_IP_CONNECTION_LIMIT, per_address,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)STRANGER_S, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL, MHD_OPTION_ARRAY, more, MHD_OPTION_END);
}

int listener_start(uv_loop_t *loop, const struct settings_listener *settings, const char *name,
                   const struct listener_handler *handler, struct listener **ret, struct complaint *why)
{
    struct listener *l = xcalloc(1, sizeof(*l));
    int fd = -1, r, connections = connections_max(name, why);
    l->name = name;
    l->handler = *handler;
    if ((r = connections) < 0 || (r = listener_check(settings, name, why)) < 0 ||
        (r = read_pem(settings->cert, name, &l->cert, why)) < 0 ||
        (r = read_pem(settings->key, name, &l->key, why)) < 0 ||
        (r = settings->client_ca ? read_pem(settings->client_ca, name, &l->ca, why) : 0) < 0 ||
        (r = bind_socket(settings, name, &fd, &l->port, why)) < 0)
        goto fail;
    l->daemon = start_daemon(l, fd, settings->client_ca != NULL, (unsigned)connections);
    if (!l->daemon) {
        r = complain(why, ERR_STATE, "%s: the HTTP server does not start with these certificates", name);
        close(fd);
        goto fail;
    }
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(l->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    l->epoll_fd = info->epoll_fd;
    uv_poll_init(loop, &l->poll, info->epoll_fd);
    uv_timer_init(loop, &l->timer);
    uv_timer_init(loop, &l->sweep);
    l->timer.data = l->sweep.data = l;
    l->poll.data = l;
    l->open_handles = 3;
    uv_timer_start(&l->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    uv_poll_start(&l->poll, UV_READABLE, on_readable);
    *ret = l;
    return 0;
fail:
    buf_done(&l->cert);
    buf_done(&l->key);
    buf_done(&l->ca);
    free(l);
    return r;
}

int listener_port(const struct listener *listener)
{
    return listener->port;
}

bool listener_stuck(const struct listener *listener)
{
    struct pollfd waiting = {.fd = listener->epoll_fd, .events = POLLIN};
    return clock_elapsed_ms() - listener->ran_ms > PULSE_STEP_MS && poll(&waiting, 1, 0) > 0;
}

void listener_kick(struct listener *listener)
{
    listener->vain = 0;
    uv_timer_start(&listener->timer, on_timer, 0, 0);
}

static void on_closed(uv_handle_t *handle)
{
    struct listener *l = handle->data;
    if (--l->open_handles > 0)
        return;
    buf_done(&l->cert);
    buf_done(&l->key);
    buf_done(&l->ca);
    free(l);
}

void listener_stop(struct listener *listener)
{
    if (!listener)
        return;
    uv_poll_stop(&listener->poll);
    MHD_stop_daemon(listener->daemon);
    uv_close((uv_handle_t *)&listener->poll, on_closed);
    uv_close((uv_handle_t *)&listener->timer, on_closed);
    uv_close((uv_handle_t *)&listener->sweep, on_closed);
}

bool listener_peer(struct MHD_Connection *connection, char ret_name[64])
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    unsigned status = 0, n = 0;
    if (!info || !info->tls_session)
        return false;
    gnutls_session_t session = info->tls_session;
    if (gnutls_certificate_verify_peers3(session, NULL, &status) != 0 || status != 0)
        return false;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &n);
    gnutls_x509_crt_t crt;
    if (!chain || n == 0 || gnutls_x509_crt_init(&crt) < 0)
        return false;
    size_t len = 64;
    bool has = gnutls_x509_crt_import(crt, &chain[0], GNUTLS_X509_FMT_DER) == 0 &&
               gnutls_x509_crt_get_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0, ret_name, &len) == 0 && len > 0 &&
               strlen(ret_name) == len;
    gnutls_x509_crt_deinit(crt);
    return has;
}

void answer_headers(struct MHD_Response *response, bool page)
{
    MHD_add_response_header(response, "Strict-Transport-Security", "max-age=31536000");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
    MHD_add_response_header(response, "Cross-Origin-Resource-Policy", "same-origin");
    MHD_add_response_header(response, "Content-Security-Policy",
                            page ? "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
                                   "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
                                 : "default-src 'none'; frame-ancestors 'none'");
}
