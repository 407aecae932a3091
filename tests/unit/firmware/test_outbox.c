/* The outbox: numbers without gaps, a window, order, nothing dropped before a welcome says it is stored. */
#include "unit.h"

#include "firmware/outbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[64];

struct wire {
    uint32_t ids[200];
    char rows[200][16];
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
    outbox_push(outbox);
    assert_int_equal(wire.n, 0); /* no session */
    outbox_online(outbox);
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
    outbox_online(outbox);
    for (int i = 0; i < 3; i++)
        outbox_acked(outbox, wire.ids[i], 10);
    outbox_free(outbox); /* a restart: acknowledged by the broker only, so all come again */
    vault_close(vault);
    vault = open_vault();
    outbox = outbox_new(vault, take, &wire);
    wire.n = 0;
    outbox_online(outbox);
    assert_int_equal(wire.n, 3);
    for (int i = 0; i < 3; i++)
        outbox_acked(outbox, wire.ids[i], 10);
    assert_int_equal(outbox_stored_upto(outbox, OUTBOX_RECEIPT, 4, 2000, 20), ERR_LIMIT);
    assert_int_equal(outbox_stored_upto(outbox, OUTBOX_RECEIPT, 2, 2000, 20), 0);
    assert_int_equal(wire.n, 3); /* the third was acknowledged just now: the welcome may be older */
    assert_int_equal(outbox_stored_upto(outbox, OUTBOX_RECEIPT, 2, 2000, 60000), 0);
    assert_int_equal(wire.n, 4);
    assert_string_equal(wire.rows[3], "r3");
    outbox_acked(outbox, wire.ids[3], 60001);
    assert_int_equal(outbox_stored_upto(outbox, OUTBOX_RECEIPT, 3, 2000, 60002), 0);
    outbox_online(outbox);
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
    assert_int_equal(outbox_stored_upto(outbox, OUTBOX_RECEIPT, 3, 2000, 10), 0);
    outbox_online(outbox);
    assert_int_equal(wire.n, 0);
    assert_int_equal(outbox_stored_upto(outbox, OUTBOX_RECEIPT, 1, 3000, 60000), 0);
    assert_int_equal(wire.n, 2);
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
    outbox_online(outbox);
    assert_int_equal(wire.n, 1);
    outbox_again(outbox, 1000000); /* still with the broker */
    outbox_push(outbox);
    assert_int_equal(wire.n, 1);
    int64_t acked_ms = 1000, waits_ms[] = {10000, 20000, 40000};
    for (int i = 0; i < 3; i++) {
        assert_true(outbox_acked(outbox, wire.ids[i], acked_ms));
        outbox_again(outbox, acked_ms + waits_ms[i] - 1);
        outbox_push(outbox);
        assert_int_equal(wire.n, i + 1);
        outbox_again(outbox, acked_ms + waits_ms[i]);
        outbox_push(outbox);
        assert_int_equal(wire.n, i + 2);
        acked_ms += 100000;
    }
    assert_true(outbox_acked(outbox, wire.ids[3], acked_ms));
    assert_int_equal(outbox_stored_upto(outbox, OUTBOX_RECEIPT, 1, 2000, acked_ms), 0);
    outbox_again(outbox, acked_ms + 10000000);
    outbox_push(outbox);
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
    outbox_online(outbox);
    assert_true(outbox_refused(outbox, wire.ids[0]));
    wire.broken = true;
    outbox_push(outbox);
    assert_int_equal(wire.n, 2);
    wire.broken = false;
    outbox_push(outbox);
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
    assert_int_equal(outbox_stored_upto(outbox, OUTBOX_RECEIPT, 5, 2000, 10), 0);
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

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(sends_in_order_within_a_window),
        TEST(only_a_welcome_empties_it),
        TEST(a_restored_centre_gets_all_again),
        TEST(refused_rows_come_again),
        TEST(what_nobody_confirms_comes_again_ever_less_often),
        TEST(numbers_survive_the_sweep),
        TEST(an_abandoned_number_is_given_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
