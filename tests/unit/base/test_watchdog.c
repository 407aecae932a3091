/* What the service manager hears: ready at once, fed while all moves, not a word more while something is stuck. */
#include "playlists/base/pulse.h"
#include "playlists/base/watchdog.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct manager { /* systemd's side */
    char path[80];
    int fd;
    uv_loop_t loop;
    uv_poll_t poll;
    uv_timer_t give_up;
    const char *stuck;
    int ready, fed, stopping;
    int stop_after_fed;
    char status[200];
};

static const char *stuck(void *arg)
{
    const struct manager *m = arg;
    return m->stuck;
}

static void on_message(uv_poll_t *poll, int status, int events)
{
    struct manager *m = poll->data;
    char text[300];
    (void)status;
    (void)events;
    ssize_t n = recv(m->fd, text, sizeof(text) - 1, 0);
    assert_true(n > 0);
    text[n] = '\0';
    m->ready += strstr(text, "READY=1") != NULL;
    m->fed += strstr(text, "WATCHDOG=1") != NULL;
    m->stopping += strstr(text, "STOPPING=1") != NULL;
    const char *said = strstr(text, "STATUS=");
    if (said)
        snprintf(m->status, sizeof(m->status), "%s", said + 7);
    if (m->fed >= m->stop_after_fed || (said && m->stuck))
        uv_stop(&m->loop);
}

static void on_give_up(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

static void run_at_most(struct manager *m, uint64_t ms)
{
    uv_timer_start(&m->give_up, on_give_up, ms, 0);
    uv_run(&m->loop, UV_RUN_DEFAULT);
    uv_timer_stop(&m->give_up);
}

static void open_manager(struct manager *m)
{
    *m = (struct manager){.stop_after_fed = 1000};
    snprintf(m->path, sizeof(m->path), "/tmp/loa-watchdog-%d.sock", (int)getpid());
    unlink(m->path);
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    memcpy(at.sun_path, m->path, strlen(m->path) + 1);
    m->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(m->fd, (struct sockaddr *)&at, sizeof(at)), 0);
    uv_loop_init(&m->loop);
    uv_poll_init(&m->loop, &m->poll, m->fd);
    uv_timer_init(&m->loop, &m->give_up);
    m->poll.data = m;
    uv_poll_start(&m->poll, UV_READABLE, on_message);
    setenv("NOTIFY_SOCKET", m->path, 1);
    setenv("WATCHDOG_USEC", "40000", 1);
    unsetenv("WATCHDOG_PID");
}

static void close_manager(struct manager *m)
{
    uv_close((uv_handle_t *)&m->poll, NULL);
    uv_close((uv_handle_t *)&m->give_up, NULL);
    uv_run(&m->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&m->loop), 0);
    close(m->fd);
    unlink(m->path);
}

static void test_fed_only_while_all_moves(void **state)
{
    (void)state;
    struct manager m;
    open_manager(&m);
    struct watchdog *watchdog = watchdog_start(&m.loop, stuck, &m);
    m.stop_after_fed = 3;
    run_at_most(&m, 5000);
    assert_int_equal(m.ready, 1);
    assert_int_equal(m.fed, 3);

    m.stuck = "the sound thread";
    run_at_most(&m, 5000); /* until it says what is stuck */
    assert_string_equal(m.status, "the sound thread does not come back");
    int fed = m.fed;
    m.stop_after_fed = fed + 1;
    run_at_most(&m, 200); /* twenty meals */
    assert_int_equal(m.fed, fed);

    m.stuck = NULL;
    run_at_most(&m, 5000);
    assert_int_equal(m.fed, fed + 1);
    assert_string_equal(m.status, "\nWATCHDOG=1");

    watchdog_stopping(watchdog);
    watchdog_free(watchdog);
    uv_run(&m.loop, UV_RUN_NOWAIT);
    assert_int_equal(m.stopping, 1);
    close_manager(&m);
}

static void test_not_asked_for(void **state)
{
    (void)state;
    struct manager m;
    open_manager(&m);
    setenv("WATCHDOG_PID", "1", 1); /* meant for another process */
    m.stop_after_fed = 1;
    struct watchdog *watchdog = watchdog_start(&m.loop, stuck, &m);
    run_at_most(&m, 100);
    assert_int_equal(m.ready, 1);
    assert_int_equal(m.fed, 0);
    watchdog_free(watchdog);
    unsetenv("NOTIFY_SOCKET"); /* not started by a service manager */
    watchdog = watchdog_start(&m.loop, stuck, &m);
    run_at_most(&m, 50);
    assert_int_equal(m.ready, 1);
    watchdog_stopping(watchdog);
    watchdog_free(watchdog);
    watchdog_free(NULL);
    close_manager(&m);
}

static void test_pulse(void **state)
{
    (void)state;
    struct pulse pulse = {0};
    assert_false(pulse_missed(&pulse)); /* never begun */
    pulse_within(&pulse, 60000);
    assert_false(pulse_missed(&pulse));
    pulse_within(&pulse, -1);
    assert_true(pulse_missed(&pulse));
    pulse_rest(&pulse);
    assert_false(pulse_missed(&pulse));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fed_only_while_all_moves),
        cmocka_unit_test(test_not_asked_for),
        cmocka_unit_test(test_pulse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
