/* Random slaves against a model: whatever a slave says that answers in order, however late, torn, drowned in noise or
 * spoken over by others, a value is believed only when it was given to the very request that it is believed to answer.
 *
 * LOA_SEED=N begins there; LOA_SEEDS=N plays so many. */
#include "unit.h"

#include "boards/bus/wire.h"
#include "playlists/base/clock.h"
#include "pty_script.h"

#include <errno.h>
#include <stdio.h>

enum { SLAVES = 3, SAYINGS = 64, OPS = 90, OP_MS = 14, MS = 1000000 };

struct random {
    uint64_t state;
};

static uint32_t draw(struct random *random, uint32_t below)
{
    random->state = random->state * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(random->state >> 33) % below;
}

struct saying {
    int64_t due_ns;
    uint8_t bytes[48];
    size_t len;
};

/* What one seed makes of the slaves. */
struct model {
    struct random random;
    unsigned probe_style[SLAVES]; /* 0, 1: echoes; 2: refuses; 3: is silent */
    unsigned health;              /* answers out of ten that are right and at once */
    int64_t due_ns[SLAVES];       /* of the newest answer: they go in order */
    atomic_int newest[SLAVES];    /* given to the newest request that reached this slave */
    atomic_int writes[SLAVES];
    struct saying sayings[SAYINGS];
    size_t n;
    int master, stop[2];
};

static void say(struct model *m, int64_t due_ns, const uint8_t *bytes, size_t len)
{
    if (m->n == SAYINGS)
        return;
    m->sayings[m->n].due_ns = due_ns;
    memcpy(m->sayings[m->n].bytes, bytes, len);
    m->sayings[m->n++].len = len;
}

/* Noise on the line: bytes, or a whole frame of nobody we know. */
static void make_noise(struct model *m, int64_t at_ns)
{
    uint8_t bytes[16];
    size_t len = 1 + draw(&m->random, 8);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)draw(&m->random, 256);
    if (draw(&m->random, 3) == 0) {
        const uint8_t frame[] = {77, 3, 2, 0xAA, 0xAA};
        memcpy(bytes, frame, sizeof(frame));
        len = rtu_seal(bytes, sizeof(frame));
    }
    say(m, at_ns, bytes, len);
}

static size_t right_answer(struct model *m, const uint8_t *q, uint8_t *a)
{
    size_t who = q[0] - 1U;
    unsigned style = m->probe_style[who];
    memcpy(a, q, 6);
    if (q[1] == 3 || q[1] == 4) {
        int value = atomic_fetch_add(&m->newest[who], 1) + 1;
        const uint8_t data[] = {2, (uint8_t)(value >> 8), (uint8_t)value};
        memcpy(a + 2, data, sizeof(data));
        return 5;
    }
    if (q[1] == 6)
        atomic_store(&m->writes[who], q[4] << 8 | q[5]);
    if (q[1] != 8 || style < 2)
        return 6;
    a[1] |= 0x80;
    a[2] = 1;
    return style == 2 ? 3 : 0;
}

static void on_request(struct model *m, const uint8_t *q, size_t len)
{
    (void)len;
    if (q[0] < 1 || q[0] > SLAVES)
        return;
    uint8_t a[48];
    size_t who = q[0] - 1U;
    size_t n = right_answer(m, q, a);
    int64_t at_ns = clock_elapsed_ns();
    if (n == 0)
        return;
    n = rtu_seal(a, n);
    if (draw(&m->random, 10) >= m->health) {
        switch (draw(&m->random, 6)) {
        case 0:
            return; /* lost */
        case 1:
            at_ns += (int64_t)draw(&m->random, 60) * MS;
            break;
        case 2:
            a[draw(&m->random, (uint32_t)n)] ^= (uint8_t)(1U << draw(&m->random, 8));
            break;
        case 3:
            n -= 1 + draw(&m->random, (uint32_t)n - 1);
            break;
        case 4:
            make_noise(m, at_ns);
            break;
        default:
            a[0] = (uint8_t)(a[0] + SLAVES); /* in the name of another; of one we ask no master could tell it apart */
            n = rtu_seal(a, n - 2);
            break;
        }
    }
    if (draw(&m->random, 40) == 0)
        make_noise(m, at_ns + (int64_t)draw(&m->random, 20) * MS);
    int64_t earliest_ns = m->due_ns[who] + (int64_t)draw(&m->random, 5) * MS; /* it thinks about one at a time */
    m->due_ns[who] = at_ns > earliest_ns ? at_ns : earliest_ns;
    say(m, m->due_ns[who], a, n);
}

static int64_t speak(struct model *m)
{
    int64_t now = clock_elapsed_ns();
    int64_t next = now + (int64_t)1000 * MS;
    for (size_t i = 0; i < m->n;) {
        struct saying *s = &m->sayings[i];
        if (s->due_ns > now) {
            next = s->due_ns < next ? s->due_ns : next;
            i++;
            continue;
        }
        if (write(m->master, s->bytes, s->len) < 0)
            abort();
        memmove(s, s + 1, (--m->n - i) * sizeof(*s)); /* in the order they were said */
    }
    return next - now;
}

static void *slaves_thread(void *arg)
{
    struct model *m = arg;
    uint8_t in[256];
    size_t len = 0;
    struct pollfd fds[] = {{.fd = m->master, .events = POLLIN}, {.fd = m->stop[0], .events = POLLIN}};
    for (;;) {
        int64_t wait_ns = speak(m);
        struct timespec wait = {.tv_sec = wait_ns / 1000000000, .tv_nsec = wait_ns % 1000000000};
        ppoll(fds, 2, &wait, NULL);
        if (fds[1].revents)
            return NULL;
        ssize_t n = fds[0].revents ? read(m->master, in + len, sizeof(in) - len) : 0;
        len += n > 0 ? (size_t)n : 0;
        for (size_t want; (want = pty_request_len(in, len)) > 0 && want <= len;) {
            assert_true(rtu_whole(in, want)); /* a master speaks cleanly */
            on_request(m, in, want - 2);
            len -= want;
            memmove(in, in + want, len);
        }
    }
}

static int check_op(struct model *m, struct wire *wire, struct random *random)
{
    struct bus_request request = {.act = BUS_READ, .kind = POINT_HOLDING, .address = 1, .count = 1};
    struct sockaddr_storage nowhere = {0};
    uint16_t value = 0;
    uint8_t exception = 0;
    size_t who = draw(random, SLAVES);
    request.unit = (uint8_t)(who + 1);
    if (draw(random, 4) == 0)
        request.kind = POINT_INPUT;
    if (draw(random, 4) == 0) {
        request.act = BUS_WRITE;
        request.kind = POINT_HOLDING;
        request.values[0] = (uint16_t)draw(random, 3);
        request.urgent = draw(random, 2) == 0;
    }
    int r = wire_do(wire, &nowhere, &request, clock_elapsed_ns() + (int64_t)OP_MS * MS, &value, &exception);
    assert_true(r == 0 || r == ERR_DEVICE || r == -ETIMEDOUT || r == ERR_LIMIT);
    if (r == 0 && request.act == BUS_READ)
        assert_int_equal(value, atomic_load(&m->newest[who]));
    if (r == 0 && request.act == BUS_WRITE)
        assert_int_equal(request.values[0], atomic_load(&m->writes[who]));
    return r == 0;
}

static int play_seed(uint64_t seed)
{
    struct model m = {.random = {seed}};
    struct random random = {seed ^ 0x9E3779B97F4A7C15U};
    struct pty_script pty = {0};
    pthread_t thread;
    for (size_t i = 0; i < SLAVES; i++)
        m.probe_style[i] = draw(&random, 4);
    m.health = 2 + draw(&random, 8);
    assert_true(pty_open(&pty) && pipe(m.stop) == 0);
    m.master = pty.master;
    assert_int_equal(pthread_create(&thread, NULL, slaves_thread, &m), 0);
    struct wire *wire = wire_rtu_new(pty.path, 115200, 'N', 1);
    int done = 0;
    for (int i = 0; i < OPS; i++)
        done += check_op(&m, wire, &random);
    wire_free(wire);
    assert_int_equal(write(m.stop[1], "", 1), 1);
    pthread_join(thread, NULL);
    close(m.stop[0]);
    close(m.stop[1]);
    close(pty.master);
    close(pty.slave);
    return done;
}

static void test_nothing_stale_is_believed(void **state)
{
    (void)state;
    const char *first = getenv("LOA_SEED");
    const char *count = getenv("LOA_SEEDS");
    uint64_t seed = first ? strtoull(first, NULL, 10) : 1;
    uint64_t n = count ? strtoull(count, NULL, 10) : 6;
    int done = 0;
    for (uint64_t i = 0; i < n; i++) {
        print_message("seed %llu\r", (unsigned long long)(seed + i));
        done += play_seed(seed + i);
    }
    print_message("seeds %llu to %llu: %d of %llu requests were answered\n", (unsigned long long)seed,
                  (unsigned long long)(seed + n - 1), done, (unsigned long long)n * OPS);
    assert_true(done > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_nothing_stale_is_believed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
