/* mqtt.c - see mqtt.h. */
#include "playlists/link/mqtt.h"

#include "playlists/base/bytes.h"
#include "playlists/base/clock.h"
#include "playlists/base/log.h"
#include "playlists/link/conduct.h"
#include "playlists/link/lookup.h"
#include "playlists/link/records.h"
#include "playlists/link/watch.h"

#include <errno.h>
#include <mosquitto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TICK_MS = 1000, RARE_TICK_MS = 3000, RARE_KEEPALIVE_S = 60 };

struct mqtt {
    uv_loop_t *loop;
    const struct settings *settings;
    struct tls *tls;
    struct mqtt_events events;
    void *arg;
    struct mosquitto *mosq; /* owned */
    struct lookup *lookup;  /* under way, or NULL */
    struct addresses addresses;
    int next_address;
    struct records records; /* written and not sent */
    struct watch socket;    /* the library's */
    uv_timer_t tick;        /* keepalive and the bound on connecting */
    uv_timer_t deferred;    /* tells `down` from a clean stack */
    uv_timer_t flush;       /* sends what this turn of the loop wrote */
    int64_t deadline_ms;    /* elapsed time; for connecting */
    uint64_t packet_from;   /* bytes read from the broker when the last whole packet was handled */
    int inside;             /* depth of calls into libmosquitto */
    unsigned handles;
    bool established /* TCP */, up, broken, paused, stopped, packet_done;
    struct conduct conduct;
    const char *fault; /* what the broker did, for which it is left; NULL: nothing */
    char why[300];
    char tls_error[160]; /* last complaint of libmosquitto's TLS */
};

static void connect_next(struct mqtt *m);

static void on_deferred(uv_timer_t *timer)
{
    struct mqtt *m = timer->data;
    m->events.down(m->arg, m->why);
}

static void break_off(struct mqtt *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void break_off(struct mqtt *m, const char *fmt, ...)
{
    if (m->broken || m->stopped)
        return;
    m->broken = true;
    m->up = false;
    records_detach(&m->records);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(m->why, sizeof(m->why), fmt, ap);
    va_end(ap);
    watch_close(&m->socket);
    uv_timer_start(&m->deferred, on_deferred, 0, 0);
}

/* Why the last call into the library failed, as a sentence. */
static void break_with(struct mqtt *m, int rc, int saved_errno)
{
    const char *host = m->settings->broker.host;
    int port = m->settings->broker.port;
    int refusal = tls_refusal(m->tls);
    if (m->fault)
        break_off(m, "%s:%d %s", host, port, m->fault);
    else if (refusal != X509_V_OK)
        break_off(m, "the certificate of %s:%d is refused: %s", host, port, X509_verify_cert_error_string(refusal));
    else if (m->tls_error[0] && !m->up)
        break_off(m, "no TLS with %s:%d: %s", host, port, m->tls_error);
    else if (rc == MOSQ_ERR_ERRNO)
        break_off(m, "the connection to %s:%d failed: %s", host, port, strerror(saved_errno));
    else
        break_off(m, "the connection to %s:%d ended: %s", host, port, mosquitto_strerror(rc));
}

static void destroy_library(struct mqtt *m)
{
    watch_close(&m->socket);
    records_detach(&m->records);
    mosquitto_destroy(m->mosq); /* closes the socket without DISCONNECT */
    m->mosq = NULL;
}

static void on_poll(uv_poll_t *poll, int status, int events);

/* While the handshake waits for the peer, libmosquitto still wants to write its first packet: polling for that would
 * spin. */
static bool wants_write(const struct mqtt *m)
{
    SSL *ssl = mosquitto_ssl_get(m->mosq);
    if (ssl && SSL_in_init(ssl) && SSL_want_read(ssl))
        return false;
    return mosquitto_want_write(m->mosq);
}

static void watch(struct mqtt *m)
{
    if (m->broken || m->stopped || !m->socket.poll)
        return;
    int events = m->paused && m->up ? 0 : UV_READABLE;
    if (m->up ? m->records.blocked : wants_write(m))
        events |= UV_WRITABLE;
    watch_for(&m->socket, events, on_poll);
}

static void write_out(uv_timer_t *flush);

static void enter(struct mqtt *m)
{
    m->inside++;
}

/* After each call into the library: what callbacks put off is done now. */
static void leave(struct mqtt *m, int rc)
{
    int saved_errno = errno;
    m->inside--;
    if (m->stopped && m->inside == 0 && m->mosq) {
        destroy_library(m);
        return;
    }
    if (rc != MOSQ_ERR_SUCCESS || m->fault)
        break_with(m, rc, saved_errno);
    if (m->up && !m->records.blocked && (m->records.waiting.len > 0 || mosquitto_want_write(m->mosq)) &&
        !uv_is_active((uv_handle_t *)&m->flush))
        uv_timer_start(&m->flush, write_out, 0, 0); /* with whatever else this turn writes */
    watch(m);
}

/* What this turn wrote, and what callbacks left with the library. */
static void write_out(uv_timer_t *flush)
{
    struct mqtt *m = flush->data;
    if (!m->mosq || m->broken || m->stopped)
        return;
    enter(m);
    leave(m, mosquitto_loop_write(m->mosq, 1));
    uv_timer_stop(flush);
    if (m->up && !records_flush(&m->records))
        break_with(m, MOSQ_ERR_CONN_LOST, 0);
    watch(m);
}

/* Before each read from the socket. One call of the library's reads on as long as bytes come, and takes whatever length
 * the broker states: both are bounded here. */
static long before_read(BIO *bio, int oper, const char *data, size_t len, int argi, long argl, int ret,
                        size_t *processed)
{
    (void)data, (void)len, (void)argi, (void)argl, (void)processed;
    struct mqtt *m = (struct mqtt *)(void *)BIO_get_callback_arg(bio);
    if (oper != BIO_CB_READ)
        return ret;
    uint64_t total = BIO_number_read(bio);
    if (m->packet_done)
        m->packet_from = total;
    m->packet_done = false;
    if (total - m->packet_from > MQTT_PACKET_MAX)
        m->fault = "sent a packet of more than 1 MiB";
    if (m->fault || m->stopped)
        return 0;
    if (m->paused && m->up) { /* as if no byte had come yet */
        BIO_set_retry_read(bio);
        return -1;
    }
    return ret;
}

/* The address is no good: the next one, or the end. */
static void on_socket_error(struct mqtt *m)
{
    int error = watch_error(&m->socket);
    if (!m->up && m->next_address < m->addresses.n) {
        connect_next(m);
        return;
    }
    /* The library's own attempt to write may have taken the error away: what is left of it then is a refusal. */
    break_with(m, MOSQ_ERR_ERRNO, error ? error : m->established ? ECONNRESET : ECONNREFUSED);
}

/* libmosquitto takes every system error before the end of the handshake for "not yet": look for ourselves. */
static bool has_peer(struct mqtt *m)
{
    m->established = watch_connected(&m->socket);
    return m->established;
}

static void check_handshake(struct mqtt *m)
{
    SSL *ssl = m->stopped || m->broken ? NULL : mosquitto_ssl_get(m->mosq);
    if (ssl && SSL_in_init(ssl) && m->socket.poll && watch_ended(&m->socket))
        break_off(m, "%s:%d closed the connection during the TLS handshake", m->settings->broker.host,
                  m->settings->broker.port);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct mqtt *m = poll->data;
    if (status < 0 || (!m->established && !has_peer(m))) {
        on_socket_error(m);
        return;
    }
    if ((events & UV_READABLE) || !m->up) {
        enter(m);
        leave(m, mosquitto_loop_read(m->mosq, 1));
    }
    if (events & UV_WRITABLE)
        write_out(&m->flush);
    if (!m->up)
        check_handshake(m);
}

static void on_tick(uv_timer_t *timer)
{
    struct mqtt *m = timer->data;
    if (m->broken || !m->mosq)
        return;
    if (!m->up && clock_elapsed_ms() >= m->deadline_ms) {
        if (m->next_address < m->addresses.n)
            connect_next(m);
        else
            break_off(m, "%s:%d did not answer within %d s", m->settings->broker.host, m->settings->broker.port,
                      MQTT_CONNECT_MS / 1000);
        return;
    }
    enter(m);
    leave(m, mosquitto_loop_misc(m->mosq));
}

static void on_connect(struct mosquitto *mosq, void *obj, int code)
{
    (void)mosq;
    struct mqtt *m = obj;
    m->packet_done = true;
    if (m->stopped || m->broken)
        return;
    if (code != 0) {
        break_off(m, "%s:%d refused the session: %s", m->settings->broker.host, m->settings->broker.port,
                  mosquitto_connack_string(code));
        return;
    }
    m->up = true;
    records_attach(&m->records, mosquitto_ssl_get(m->mosq));
    if (m->settings->broker.keepalive_s >= RARE_KEEPALIVE_S) /* nothing else is left to see to */
        uv_timer_start(&m->tick, on_tick, RARE_TICK_MS, RARE_TICK_MS);
    m->events.up(m->arg);
}

static void on_message(struct mosquitto *mosq, void *obj, const struct mosquitto_message *message)
{
    (void)mosq;
    struct mqtt *m = obj;
    m->packet_done = true;
    if (!m->stopped && !m->broken)
        m->events.message(m->arg, message->topic, message->payload, (size_t)message->payloadlen, message->retain);
}

static void on_subscribed(struct mosquitto *mosq, void *obj, int mid, int count, const int *granted)
{
    (void)mosq;
    struct mqtt *m = obj;
    m->packet_done = true;
    if (!m->stopped && !m->broken)
        m->events.subscribed(m->arg, mid, granted, count);
}

static void on_published(struct mosquitto *mosq, void *obj, int mid)
{
    (void)mosq;
    struct mqtt *m = obj;
    if (!m->stopped && !m->broken)
        m->events.published(m->arg, mid);
}

static void on_library_log(struct mosquitto *mosq, void *obj, int level, const char *text)
{
    struct mqtt *m = obj;
    if (level == MOSQ_LOG_DEBUG && conduct_heard(&m->conduct, text, mosquitto_want_write(mosq), &m->fault))
        m->packet_done = true;
    if (level == MOSQ_LOG_ERR)
        snprintf(m->tls_error, sizeof(m->tls_error), "%s", text);
}

static void make_library(struct mqtt *m, const char *client_id, const struct mqtt_will *will)
{
    m->mosq = mosquitto_new(client_id, true, m);
    if (!m->mosq)
        abort();
    mosquitto_int_option(m->mosq, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V311);
    mosquitto_int_option(m->mosq, MOSQ_OPT_TCP_NODELAY, 1);
    mosquitto_int_option(m->mosq, MOSQ_OPT_SSL_CTX_WITH_DEFAULTS, 0); /* or it wants to load files itself */
    mosquitto_void_option(m->mosq, MOSQ_OPT_SSL_CTX, tls_context(m->tls));
    mosquitto_connect_callback_set(m->mosq, on_connect);
    mosquitto_message_callback_set(m->mosq, on_message);
    mosquitto_subscribe_callback_set(m->mosq, on_subscribed);
    mosquitto_publish_callback_set(m->mosq, on_published);
    mosquitto_log_callback_set(m->mosq, on_library_log);
    if (will->topic && mosquitto_will_set(m->mosq, will->topic, (int)will->len, will->payload, 1, true) != 0)
        abort(); /* topic and size were checked when the client attached */
}

static int open_socket(struct mqtt *m)
{
    BIO *bio = SSL_get_rbio(mosquitto_ssl_get(m->mosq));
    BIO_set_callback_arg(bio, (char *)(void *)m);
    BIO_set_callback_ex(bio, before_read);
    return watch_open(&m->socket, m->loop, mosquitto_socket(m->mosq), m);
}

/* Try the next address of the broker; the last failure ends the connection. */
static void connect_next(struct mqtt *m)
{
    watch_close(&m->socket);
    while (m->next_address < m->addresses.n) {
        const char *address = m->addresses.text[m->next_address++];
        m->deadline_ms = clock_elapsed_ms() + MQTT_CONNECT_MS;
        m->tls_error[0] = '\0';
        m->packet_from = 0;
        m->established = false;
        enter(m);
        int rc = mosquitto_connect_async(m->mosq, address, m->settings->broker.port, m->settings->broker.keepalive_s);
        int saved_errno = errno;
        int r = rc == MOSQ_ERR_SUCCESS ? open_socket(m) : 0;
        if (r < 0) {
            rc = MOSQ_ERR_ERRNO;
            saved_errno = -r;
        }
        bool last = rc == MOSQ_ERR_SUCCESS || m->next_address == m->addresses.n;
        errno = saved_errno;
        leave(m, last ? rc : MOSQ_ERR_SUCCESS);
        if (last)
            return;
    }
}

static void on_found(void *arg, const struct addresses *found, const char *why)
{
    struct mqtt *m = arg;
    m->lookup = NULL;
    m->addresses = *found;
    if (why || found->n == 0)
        break_off(m, "the name %s has no address: %s", m->settings->broker.host, why ? why : "none was given");
    else
        connect_next(m);
}

static void resolve(struct mqtt *m)
{
    const char *host = m->settings->broker.host;
    if (lookup_numeric(host, &m->addresses)) {
        connect_next(m);
        return;
    }
    int r = lookup_start(m->loop, host, on_found, m, &m->lookup);
    if (r < 0)
        break_off(m, "the name %s cannot be looked up: %s", host, uv_strerror(r));
}

struct mqtt *mqtt_start(uv_loop_t *loop, const struct settings *settings, struct tls *tls, const char *client_id,
                        const struct mqtt_will *will, const struct mqtt_events *events, void *arg)
{
    struct mqtt *m = xcalloc(1, sizeof(*m));
    m->loop = loop;
    m->settings = settings;
    m->tls = tls;
    m->events = *events;
    m->arg = arg;
    uv_timer_t *timers[] = {&m->tick, &m->deferred, &m->flush};
    for (; m->handles < sizeof(timers) / sizeof(timers[0]); m->handles++) {
        uv_timer_init(loop, timers[m->handles]);
        timers[m->handles]->data = m;
    }
    uv_timer_start(&m->tick, on_tick, TICK_MS, TICK_MS);
    m->deadline_ms = INT64_MAX; /* looking up has bounds of its own */
    make_library(m, client_id, will);
    resolve(m);
    return m;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct mqtt *m = handle->data;
    if (--m->handles == 0)
        free(m);
}

void mqtt_stop(struct mqtt *m)
{
    if (!m || m->stopped)
        return;
    if (m->up)
        (void)records_flush(&m->records);
    m->stopped = true;
    m->up = false;
    lookup_cancel(m->lookup);
    if (m->inside == 0)
        destroy_library(m);
    uv_close((uv_handle_t *)&m->tick, on_timer_closed);
    uv_close((uv_handle_t *)&m->deferred, on_timer_closed);
    uv_close((uv_handle_t *)&m->flush, on_timer_closed);
}

static int left(struct mqtt *m, int rc)
{
    leave(m, rc);
    return rc == MOSQ_ERR_SUCCESS ? 0 : ERR_STATE;
}

int mqtt_subscribe(struct mqtt *m, char *const *filters, int count, int qos, int *ret_mid)
{
    if (!m->up)
        return ERR_STATE;
    enter(m);
    return left(m, mosquitto_subscribe_multiple(m->mosq, ret_mid, count, filters, qos, 0, NULL));
}

int mqtt_unsubscribe(struct mqtt *m, const char *filter)
{
    if (!m->up)
        return ERR_STATE;
    enter(m);
    return left(m, mosquitto_unsubscribe(m->mosq, NULL, filter));
}

int mqtt_publish(struct mqtt *m, const char *topic, const void *payload, size_t len, int qos, bool retain, int *ret_mid)
{
    if (!m->up)
        return ERR_STATE;
    enter(m);
    int rc = mosquitto_publish(m->mosq, ret_mid, topic, (int)len, payload, qos, retain);
    bool refused = rc == MOSQ_ERR_INVAL || rc == MOSQ_ERR_MALFORMED_UTF8 || rc == MOSQ_ERR_PAYLOAD_SIZE;
    int r = left(m, refused ? MOSQ_ERR_SUCCESS : rc);
    return refused ? ERR_FORMAT : r;
}

void mqtt_pause(struct mqtt *m, bool paused)
{
    m->paused = paused;
    watch(m);
}
