/* The outbox: numbers without gaps, a window, order, nothing dropped before a welcome says it is stored. */
#include "unit.h"

#include "firmware/outbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char folder[64], store[68];

struct wire {
    uint32_t ids[400];
    char rows[400][16];
    int n;
    bool broken;
};

static int take(void *arg, uint32_t id, enum outbox_kind kind, const void *sealed, size_t len)
{
    struct wire *wire = arg;
    (void)kind;
    if (wire->broken)
        return -1;
    wire->ids[wire->n] = id;
    snprintf(wire->rows[wire->n++], 16, "%.*s", (int)len, (const char *)sealed);
    return 0;
}

static struct vault *open_vault(void)
{
    struct vault *vault = NULL;
    struct complaint why = {0};
    assert_int_equal(vault_open(folder, 1000, &vault, &why), 0);
    snprintf(store, sizeof(store), "%s", vault_store(vault));
    return vault;
}

static void put(struct vault *vault, struct outbox *outbox, int count)
{
    for (int i = 0; i < count; i++) {
        char text[16];
        int64_t n = outbox_next(outbox, OUTBOX_RECEIPT);
        snprintf(text, sizeof(text), "r%d", (int)n);
        vault_begin(vault);
        assert_int_equal(outbox_put(outbox, OUTBOX_RECEIPT, n, text, strlen(text), 1000), 0);
        assert_int_equal(vault_commit(vault), 0);
    }
}

/* A welcome of a centre that has the rows up to this one, as put() makes them; as `other` makes them, when it is given.
 */
static int welcomed_at(struct outbox *outbox, int64_t upto, const char *other, int64_t now_ms, int64_t elapsed_ms)
{
    char text[32];
    snprintf(text, sizeof(text), "%sr%d", other ? other : "", (int)upto);
    struct hash hash = hash_of(text, strlen(text));
    struct stored_mark mark = {.kind = "receipt", .store = store, .upto = upto, .hash = upto ? hash.hex : NULL};
    return outbox_welcomed(outbox, &mark, 1, now_ms, elapsed_ms);
}

static int welcomed(struct outbox *outbox, int64_t upto, const char *other, int64_t elapsed_ms)
{
    return welcomed_at(outbox, upto, other, 2000, elapsed_ms);
}

/* A session in which all of `n` rows leave and are stored. */
static void store_all(struct outbox *outbox, struct wire *wire, int n)
{
    outbox_online(outbox, 0);
    for (int i = 0; i < n; i++)
        assert_true(outbox_acked(outbox, wire->ids[i], 0));
    assert_int_equal(welcomed(outbox, n, NULL, 10), 0);
    assert_int_equal(outbox_stored(outbox, OUTBOX_RECEIPT), n);
    wire->n = 0;
}

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/loa-outbox-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    char path[100];
    snprintf(path, sizeof(path), "%s/vault.db", folder);
    unlink(path);
    return rmdir(folder);
}

static void sends_in_order_within_a_window(void **state)
{
    (void)state;
    struct wire wire = {0};
    struct vault *vault = open_vault();
    struct outbox *outbox = outbox_new(vault, take, &wire);
    put(vault, outbox, 40);
    outbox_push(outbox, 0);
    assert_int_equal(wire.n, 0); /* no session */
    outbox_online(outbox, 0);
    assert_int_equal(wire.n, OUTBOX_WINDOW);
    for (int i = 0; i < 40; i++)
        assert_true(outbox_acked(outbox, wire.ids[i], 10));
    assert_int_equal(wire.n, 40);
    for (int i = 0; i < 40; i++) {
        char text[16];
        snprintf(text, sizeof(text), "r%d", i + 1);
        assert_string_equal(wire.rows[i], text);
    }
    assert_false(outbox_acked(outbox, 5, 10));
    outbox_free(outbox);
    vault_close(vault);
}

static void only_a_welcome_empties_it(void **state)
{
    (void)state;
    struct wire wire = {0};
    struct vault *vault = open_vault();
    struct outbox *outbox = outbox_new(vault, take, &wire);
    put(vault, outbox, 3);
    outbox_online(outbox, 0);
    for (int i = 0; i < 3; i++)
        outbox_acked(outbox, wire.ids[i], 10);
    outbox_free(outbox); /* a restart: acknowledged by the broker only, so all come again */
    vault_close(vault);
    vault = open_vault();
    outbox = outbox_new(vault, take, &wire);
    wire.n = 0;
    outbox_online(outbox, 0);
    assert_int_equal(wire.n, 3);
    for (int i = 0; i < 3; i++)
        outbox_acked(outbox, wire.ids[i], 10);
    assert_int_equal(welcomed(outbox, 2, NULL, 20), 0);
    assert_int_equal(wire.n, 3); /* the third was acknowledged just now: the welcome may be older */
    assert_int_equal(welcomed(outbox, 2, NULL, 60000), 0);
    assert_int_equal(wire.n, 4);
    assert_string_equal(wire.rows[3], "r3");
    outbox_acked(outbox, wire.ids[3], 60001);
    assert_int_equal(welcomed(outbox, 3, NULL, 60002), 0);
    outbox_online(outbox, 0);
    assert_int_equal(wire.n, 4);
    assert_int_equal(outbox_next(outbox, OUTBOX_RECEIPT), 4);
    outbox_free(outbox);
    vault_close(vault);
}

static void a_restored_centre_gets_all_again(void **state)
{
    (void)state;
    struct wire wire = {0};
    struct vault *vault = open_vault();
    struct outbox *outbox = outbox_new(vault, take, &wire);
    put(vault, outbox, 3);
    store_all(outbox, &wire, 3);
    outbox_online(outbox, 0);
    assert_int_equal(wire.n, 0);
    assert_int_equal(welcomed(outbox, 1, NULL, 60000), 0);
    assert_int_equal(wire.n, 2);
    outbox_free(outbox);
    vault_close(vault);
}

/* The copy of this vault, in another box, has given the centre what it calls 3 and 4. */
static void the_mark_of_a_copied_vault_stores_nothing(void **state)
{
    (void)state;
    struct wire wire = {0};
    struct vault *vault = open_vault();
    struct outbox *outbox = outbox_new(vault, take, &wire);
    put(vault, outbox, 2);
    store_all(outbox, &wire, 2);
    put(vault, outbox, 3);
    outbox_online(outbox, 0);
    assert_int_equal(wire.n, 3);
    for (int i = 0; i < 3; i++)
        assert_true(outbox_acked(outbox, wire.ids[i], 1)); /* the broker took them, the centre was away */
    assert_int_equal(welcomed(outbox, 4, "its ", 2), 1);
    assert_int_equal(wire.n, 8); /* from the first on: it may be the centre that lost them */
    assert_string_equal(wire.rows[3], "r1");
    for (int i = 3; i < 8; i++)
        assert_true(outbox_acked(outbox, wire.ids[i], 2));
    assert_int_equal(welcomed(outbox, 9, "its ", 3), 0); /* once in a session, also when it never made so many */
    assert_int_equal(outbox_stored(outbox, OUTBOX_RECEIPT), 2);
    assert_int_equal(wire.n, 8);
    outbox_again(outbox, 20000);
    outbox_push(outbox, 20000);
    assert_int_equal(wire.n, 11);
    assert_string_equal(wire.rows[8], "r3");
    outbox_free(outbox);
    vault_close(vault);
}

static void each_of_two_chains_has_its_mark(void **state)
{
    (void)state;
    struct wire wire = {0};
    struct vault *vault = open_vault();
    struct outbox *outbox = outbox_new(vault, take, &wire);
    put(vault, outbox, 5);
    outbox_online(outbox, 0);
    struct hash mine = hash_of("r3", 2), its = hash_of("its r5", 6), ahead = hash_of("r9", 2);
    struct stored_mark marks[] = {{.kind = "receipt", .store = store, .upto = 9, .hash = ahead.hex},
                                  {.kind = "receipt", .store = store, .upto = 3, .hash = mine.hex},
                                  {.kind = "receipt", .store = store, .upto = 5, .hash = its.hex},
                                  {.kind = "receipt", .store = "s0123456789", .upto = 5, .hash = mine.hex},
                                  {.kind = "event", .store = store, .upto = 5, .hash = mine.hex}};
    assert_int_equal(outbox_welcomed(outbox, &marks[2], 2, 2000, 1), 1);
    assert_int_equal(outbox_welcomed(outbox, marks, 4, 2000, 2), 0);
    assert_int_equal(outbox_stored(outbox, OUTBOX_RECEIPT), 3);
    assert_int_equal(outbox_stored(outbox, OUTBOX_EVENT), 0);
    outbox_online(outbox, 3); /* stored in an earlier session, too */
    marks[1] = (struct stored_mark){.kind = "receipt", .store = store, .upto = 4};
    assert_int_equal(outbox_welcomed(outbox, &marks[1], 1, 2000, 4), 0); /* names no row */
    assert_int_equal(outbox_stored(outbox, OUTBOX_RECEIPT), 3);
    outbox_free(outbox);
    vault_close(vault);
}

static void each_row_names_the_one_before(void **state)
{
    (void)state;
    struct wire wire = {0};
    struct vault *vault = open_vault();
    struct outbox *outbox = outbox_new(vault, take, &wire);
    struct hash prev, two = hash_of("r2", 2);
    assert_false(outbox_prev(outbox, OUTBOX_RECEIPT, &prev));
    put(vault, outbox, 2);
    store_all(outbox, &wire, 2);
    assert_false(outbox_sweep(outbox, 2001 + OUTBOX_KEEP_MS));
    assert_true(outbox_prev(outbox, OUTBOX_RECEIPT, &prev)); /* however old it is */
    assert_true(hash_equal(&prev, &two));
    outbox_free(outbox);
    vault_close(vault);
}

static void what_nobody_confirms_comes_again_ever_less_often(void **state)
{
    (void)state;
    struct wire wire = {0};
    struct vault *vault = open_vault();
    struct outbox *outbox = outbox_new(vault, take, &wire);
    put(vault, outbox, 1);
    outbox_online(outbox, 0);
    assert_int_equal(wire.n, 1);
    outbox_again(outbox, 1000000); /* still with the broker */
    outbox_push(outbox, 0);
    assert_int_equal(wire.n, 1);
    int64_t acked_ms = 1000, waits_ms[] = {10000, 20000, 40000};
    for (int i = 0; i < 3; i++) {
        assert_true(outbox_acked(outbox, wire.ids[i], acked_ms));
        outbox_again(outbox, acked_ms + waits_ms[i] - 1);
        outbox_push(outbox, 0);
        assert_int_equal(wire.n, i + 1);
        outbox_again(outbox, acked_ms + waits_ms[i]);
        outbox_push(outbox, 0);
        assert_int_equal(wire.n, i + 2);
        acked_ms += 100000;
    }
    assert_true(outbox_acked(outbox, wire.ids[3], acked_ms));
    assert_int_equal(welcomed(outbox, 1, NULL, acked_ms), 0);
    outbox_again(outbox, acked_ms + 10000000);
    outbox_push(outbox, 0);
    assert_int_equal(wire.n, 4); /* nothing is left to send */
    outbox_free(outbox);
    vault_close(vault);
}

static void refused_rows_come_again(void **state)
{
    (void)state;
    struct wire wire = {0};
    struct vault *vault = open_vault();
    struct outbox *outbox = outbox_new(vault, take, &wire);
    put(vault, outbox, 2);
    outbox_online(outbox, 0);
    assert_true(outbox_refused(outbox, wire.ids[0]));
    wire.broken = true;
    outbox_push(outbox, 0);
    assert_int_equal(wire.n, 2);
    wire.broken = false;
    outbox_push(outbox, 0);
    assert_string_equal(wire.rows[2], "r1");
    assert_string_equal(wire.rows[3], "r2");
    outbox_free(outbox);
    vault_close(vault);
}

static void numbers_survive_the_sweep(void **state)
{
    (void)state;
    struct wire wire = {0};
    struct vault *vault = open_vault();
    struct outbox *outbox = outbox_new(vault, take, &wire);
    put(vault, outbox, 5);
    store_all(outbox, &wire, 5);
    outbox_sweep(outbox, 2000 + OUTBOX_KEEP_MS + 1);
    outbox_free(outbox);
    outbox = outbox_new(vault, take, &wire);
    assert_int_equal(outbox_next(outbox, OUTBOX_RECEIPT), 6);
    assert_int_equal(outbox_stored(outbox, OUTBOX_RECEIPT), 5);
    outbox_free(outbox);
    vault_close(vault);
}

static void an_abandoned_number_is_given_again(void **state)
{
    (void)state;
    struct wire wire = {0};
    struct vault *vault = open_vault();
    struct outbox *outbox = outbox_new(vault, take, &wire);
    vault_begin(vault);
    assert_int_equal(outbox_put(outbox, OUTBOX_EVENT, 1, "e", 1, 0), 0);
    vault_abandon(vault);
    outbox_recount(outbox);
    assert_int_equal(outbox_next(outbox, OUTBOX_EVENT), 1);
    outbox_free(outbox);
    vault_close(vault);
}

static void the_centre_sets_the_pace(void **state)
{
    (void)state;
    struct wire wire = {0};
    struct vault *vault = open_vault();
    struct outbox *outbox = outbox_new(vault, take, &wire);
    put(vault, outbox, OUTBOX_AHEAD + 20);
    outbox_online(outbox, 0);
    int acked = 0;
    for (int64_t now_ms = 1; now_ms < 3000; now_ms += 10) {
        while (acked < wire.n)
            assert_true(outbox_acked(outbox, wire.ids[acked++], now_ms));
        outbox_push(outbox, now_ms);
    }
    assert_int_equal(wire.n, OUTBOX_AHEAD); /* all acknowledged by the broker, none by the centre */
    assert_int_equal(welcomed(outbox, 10, NULL, 3000), 0);
    while (acked < wire.n)
        assert_true(outbox_acked(outbox, wire.ids[acked++], 3000));
    assert_int_equal(wire.n, OUTBOX_AHEAD + 10);
    outbox_free(outbox);
    vault_close(vault);
}

static void what_the_centre_lost_is_sent_again(void **state)
{
    (void)state;
    struct wire wire = {0};
    struct vault *vault = open_vault();
    struct outbox *outbox = outbox_new(vault, take, &wire);
    int64_t first, rows;
    put(vault, outbox, 100);
    store_all(outbox, &wire, 100);
    outbox_online(outbox, 0);
    assert_int_equal(outbox_repeat(outbox, OUTBOX_RECEIPT, 101, &first, &rows), ERR_LIMIT);
    assert_int_equal(outbox_repeat(outbox, OUTBOX_RECEIPT, 61, &first, &rows), 0);
    assert_int_equal(first, 61);
    assert_int_equal(rows, 40);
    put(vault, outbox, 1); /* what is new goes on beside it */
    int acked = 0;
    for (int64_t now_ms = 0; now_ms <= 1000; now_ms += 10) {
        while (acked < wire.n)
            assert_true(outbox_acked(outbox, wire.ids[acked++], now_ms));
        outbox_push(outbox, now_ms);
        assert_in_range(wire.n, 1, 1 + OUTBOX_REPEAT_RATE + now_ms * OUTBOX_REPEAT_RATE / 1000);
    }
    assert_int_equal(wire.n, 41);
    assert_string_equal(wire.rows[0], "r101");
    for (int i = 0; i < 40; i++) {
        char text[16];
        snprintf(text, sizeof(text), "r%d", 61 + i);
        assert_string_equal(wire.rows[1 + i], text);
    }
    outbox_push(outbox, 100000);
    assert_int_equal(wire.n, 41);
    assert_int_equal(outbox_repeat(outbox, OUTBOX_RECEIPT, 1, &first, &rows), 0);
    outbox_online(outbox, 200000); /* another session: the centre asks anew if it wants to */
    assert_int_equal(wire.n, 42);
    outbox_free(outbox);
    vault_close(vault);
}

/* Weeks without a network. LOA_ROWS rows leave once each, in order, at the promised rate; nothing costs more for being
 * many. */
struct backlog {
    int64_t sent, out_of_order;
    uint32_t flights[OUTBOX_WINDOW];
    int n;
};

static int take_backlog(void *arg, uint32_t id, enum outbox_kind kind, const void *sealed, size_t len)
{
    struct backlog *backlog = arg;
    char text[16];
    (void)kind;
    snprintf(text, sizeof(text), "%.*s", (int)len, (const char *)sealed);
    backlog->out_of_order += strtoll(text + 1, NULL, 10) != ++backlog->sent;
    assert_in_range(backlog->n, 0, OUTBOX_WINDOW - 1);
    backlog->flights[backlog->n++] = id;
    return 0;
}

static void drain(struct outbox *outbox, struct backlog *backlog, int64_t rows, int64_t *ret_ms)
{
    for (*ret_ms = 1; outbox_stored(outbox, OUTBOX_RECEIPT) < rows; *ret_ms += 50) {
        for (int round = 0; round < 8; round++) {
            struct backlog now = *backlog;
            backlog->n = 0;
            for (int i = 0; i < now.n; i++)
                assert_true(outbox_acked(outbox, now.flights[i], *ret_ms));
        }
        outbox_push(outbox, *ret_ms);
        assert_in_range(backlog->sent, 0, OUTBOX_RATE + *ret_ms * OUTBOX_RATE / 1000);
        if (*ret_ms % 500 == 1)
            assert_int_equal(welcomed_at(outbox, backlog->sent, NULL, 5000, *ret_ms), 0);
    }
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void many_leave_once_and_at_a_bounded_rate(void **state)
{
    (void)state;
    const char *given = getenv("LOA_ROWS");
    int64_t rows = given ? strtoll(given, NULL, 10) : 10000, past_ms;
    struct backlog backlog = {0};
    struct vault *vault = open_vault();
    struct outbox *outbox = outbox_new(vault, take_backlog, &backlog);
    vault_begin(vault);
    put(vault, outbox, (int)rows);
    assert_int_equal(vault_commit(vault), 0);
    double from = seconds();
    outbox_online(outbox, 0);
    drain(outbox, &backlog, rows, &past_ms);
    double sending = seconds() - from;
    assert_int_equal(backlog.sent, rows);
    assert_int_equal(backlog.out_of_order, 0);
    assert_true(past_ms * OUTBOX_RATE / 1000 >= rows - OUTBOX_RATE);
    from = seconds();
    for (int i = 0; i < 100; i++) { /* nothing is old enough: all these rows must not be looked at */
        assert_false(outbox_sweep(outbox, 5000 + OUTBOX_KEEP_MS));
        assert_int_equal(welcomed_at(outbox, rows, NULL, 5000, past_ms), 0);
    }
    double asking = (seconds() - from) / 100;
    printf("%lld rows: %.1f us each, %lld s of its own time; sweep and mark with all kept: %.1f us\n", (long long)rows,
           sending / (double)rows * 1e6, (long long)(past_ms / 1000), asking * 1e6);
    assert_true(asking < sending / (double)rows * 200); /* far from once per row */
    int sweeps = 1;
    while (outbox_sweep(outbox, 5001 + OUTBOX_KEEP_MS))
        sweeps++;
    assert_in_range(sweeps, rows / 256, rows / 256 + 1);
    outbox_free(outbox);
    vault_close(vault);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(sends_in_order_within_a_window),
        TEST(only_a_welcome_empties_it),
        TEST(a_restored_centre_gets_all_again),
        TEST(refused_rows_come_again),
        TEST(the_mark_of_a_copied_vault_stores_nothing),
        TEST(each_of_two_chains_has_its_mark),
        TEST(each_row_names_the_one_before),
        TEST(what_nobody_confirms_comes_again_ever_less_often),
        TEST(numbers_survive_the_sweep),
        TEST(the_centre_sets_the_pace),
        TEST(what_the_centre_lost_is_sent_again),
        TEST(many_leave_once_and_at_a_bounded_rate),
        TEST(an_abandoned_number_is_given_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
