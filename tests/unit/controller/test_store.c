/* The store: schema, rows as JSON, transactions; records that are kept once; tokens; places. */
#include "unit.h"

#include "controller/chains.h"
#include "controller/people.h"
#include "controller/places.h"
#include "controller/records.h"
#include "playlists/base/bytes.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct bench {
    char dir[40];
    char path[64];
    struct store *store;
};

static int setup(void **state)
{
    struct bench *b = xcalloc(1, sizeof(*b));
    struct complaint why = {0};
    strcpy(b->dir, "/tmp/loa-store-XXXXXX");
    assert_non_null(mkdtemp(b->dir));
    snprintf(b->path, sizeof(b->path), "%s/c.db", b->dir);
    assert_int_equal(store_open(b->path, &b->store, &why), 0);
    assert_true(store_run(b->store,
                          "INSERT INTO areas VALUES ('p', NULL, 'province', 'P'), ('c', 'p', 'commune', 'C'),"
                          " ('d', 'p', 'commune', 'D'), ('v', 'c', 'village', 'V')",
                          "") == 4);
    assert_true(
        store_run(b->store, "INSERT INTO devices VALUES ('dev', 'board', 'N', 'v', '{\"zone\":\"UTC\"}', 5)", "") == 1);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    store_close(b->store);
    for (int i = 0; i < 3; i++) {
        static const char *const ends[] = {"", "-wal", "-shm"};
        char path[80];
        snprintf(path, sizeof(path), "%s%s", b->path, ends[i]);
        unlink(path);
    }
    rmdir(b->dir);
    free(b);
    return 0;
}

static void rows_follow_their_names(void **state)
{
    struct bench *b = *state;
    json_t *row =
        store_one(b->store,
                  "SELECT 1782878400123 AS a__at, 0 AS b__at, '[1]' AS c__json, 1 AS d__bool, NULL AS e__bool,"
                  " 7 AS f__text, ? AS g, ? AS h",
                  "ri", 1.5, (int64_t)9);
    char *text = json_dumps(row, JSON_COMPACT);
    assert_string_equal(text,
                        "{\"a\":\"2026-07-01T04:00:00.123Z\",\"b\":null,\"c\":[1],\"d\":true,\"e\":null,\"f\":\"7\","
                        "\"g\":1.5,\"h\":9}");
    free(text);
    json_decref(row);
}

static void opens_again_and_refuses_a_newer_schema(void **state)
{
    struct bench *b = *state;
    struct complaint why = {0};
    struct store *again = NULL;
    store_close(b->store);
    b->store = NULL;
    assert_int_equal(store_open(b->path, &b->store, &why), 0);
    assert_int_equal(store_number(b->store, 0, "SELECT count(*) FROM migrations", ""), schema_n_steps);
    assert_true(store_run(b->store, "INSERT INTO migrations VALUES (999, 1)", "") == 1);
    assert_int_equal(store_open(b->path, &again, &why), ERR_STORE);
    assert_non_null(strstr(why.text, "newer program"));
}

static void a_rolled_back_transaction_leaves_nothing(void **state)
{
    struct bench *b = *state;
    assert_int_equal(store_begin(b->store), 0);
    assert_int_equal(store_run(b->store, "INSERT INTO meta VALUES ('x', 1)", ""), 1);
    store_rollback(b->store);
    assert_int_equal(store_number(b->store, 0, "SELECT count(*) FROM meta WHERE key = 'x'", ""), 0);
    assert_int_equal(store_run(b->store, "INSERT INTO nowhere VALUES (1)", ""), ERR_STORE);
}

static void settled(void *arg, bool stored)
{
    int *count = arg;
    *count += stored ? 1 : 100;
}

static int64_t of_reader(struct store *reader, const char *sql)
{
    return store_number(reader, 0, sql, "");
}

static void what_is_gathered_is_committed_together(void **state)
{
    static const char count[] = "SELECT count(*) FROM meta";
    struct bench *b = *state;
    struct store *reader = NULL;
    int told = 0;
    assert_int_equal(store_open_reader(b->path, &reader), 0);
    store_on_settled(b->store, settled, &told);
    int64_t before = of_reader(reader, count);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(store_enter(b->store), 0);
        assert_int_equal(store_run(b->store, "INSERT INTO meta VALUES (?, 1)", "i", (int64_t)i), 1);
        /* One of them fails within: only that one is taken back. */
        assert_int_equal(store_begin(b->store), 0);
        assert_int_equal(store_run(b->store, "INSERT INTO meta VALUES ('gone', 1)", ""), 1);
        store_rollback(b->store);
        store_leave(b->store);
    }
    assert_int_equal(of_reader(reader, count), before);
    assert_int_equal(store_settle(b->store), 0);
    assert_int_equal(of_reader(reader, count), before + 3);
    assert_int_equal(told, 1);
    assert_int_equal(store_settle(b->store), 0); /* nothing is gathered: nothing to tell */
    assert_int_equal(told, 1);
    store_close(reader);
}

/* What a person was told is stored does not share the fate of what is gathered, and is on disk at once. */
static void who_writes_outside_settles_first(void **state)
{
    struct bench *b = *state;
    struct store *reader = NULL;
    int told = 0;
    assert_int_equal(store_open_reader(b->path, &reader), 0);
    store_on_settled(b->store, settled, &told);
    assert_int_equal(store_enter(b->store), 0);
    assert_int_equal(store_run(b->store, "INSERT INTO meta VALUES ('gathered', 1)", ""), 1);
    store_leave(b->store);
    assert_int_equal(store_begin(b->store), 0);
    assert_int_equal(told, 1);
    assert_int_equal(store_run(b->store, "INSERT INTO meta VALUES ('own', 1)", ""), 1);
    assert_int_equal(of_reader(reader, "SELECT count(*) FROM meta WHERE key IN ('gathered', 'own')"), 1);
    store_rollback(b->store);
    assert_int_equal(store_run(b->store, "INSERT INTO meta VALUES ('alone', 1)", ""), 1);
    assert_int_equal(of_reader(reader, "SELECT count(*) FROM meta WHERE key IN ('gathered', 'alone')"), 2);
    store_close(reader);
}

static void a_reader_changes_nothing(void **state)
{
    struct bench *b = *state;
    struct store *reader = NULL;
    assert_int_equal(store_open_reader(b->path, &reader), 0);
    assert_int_equal(store_run(reader, "INSERT INTO meta VALUES ('x', 1)", ""), ERR_STORE);
    assert_int_equal(store_snapshot(reader), 0);
    assert_int_equal(of_reader(reader, "SELECT count(*) FROM meta WHERE key = 'x'"), 0);
    assert_int_equal(store_run(b->store, "INSERT INTO meta VALUES ('x', 1)", ""), 1);
    assert_int_equal(of_reader(reader, "SELECT count(*) FROM meta WHERE key = 'x'"), 0); /* one moment */
    assert_int_equal(store_commit(reader), 0);
    assert_int_equal(of_reader(reader, "SELECT count(*) FROM meta WHERE key = 'x'"), 1);
    store_close(reader);
}

/* More statements than are kept, and one inside of another's rows. */
static void statements_are_kept_and_let_go(void **state)
{
    struct bench *b = *state;
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 300; i++) {
            char sql[60];
            snprintf(sql, sizeof(sql), "SELECT ? + %d", i);
            assert_int_equal(store_number(b->store, -1, sql, "i", (int64_t)5), 5 + i);
        }
}

static struct receipt receipt_of(int64_t n, enum reason reason)
{
    return (struct receipt){.head = {.aud = "controller", .era = 1, .ver = 1000 + n, .iat_s = 1, .exp_s = 2},
                            .device = "dev",
                            .store = "store-1",
                            .n = n,
                            .occurrence = "rule-a.1782878400",
                            .bulletin = "0000000000000000000000000000000000000000000000000000000000000000",
                            .class = CLASS_NORMAL,
                            .planned_ms = 1782878400000,
                            .reason = (int)reason,
                            .grade = "synced"};
}

/* Its hash is that of `seal`, which stands for its sealed bytes; it names that of `prev`. */
static int take(struct store *store, const char *vault, int64_t n, const char *seal, const char *prev)
{
    static int64_t now_ms;
    struct receipt receipt = receipt_of(n, REASON_LATE);
    struct hash before = hash_of(prev ? prev : "", prev ? strlen(prev) : 0);
    receipt.store = vault;
    receipt.prev = prev ? before.hex : NULL;
    return record_receipt(store, &receipt, hash_of(seal, strlen(seal)).hex, ++now_ms);
}

/* Whether there is a mark at this number for this row, and how many there are. */
static void expect_mark(struct store *store, const char *vault, int64_t upto, const char *seal, int64_t of)
{
    assert_int_equal(store_number(store, 0,
                                  "SELECT count(*) FROM marks WHERE device = 'dev' AND kind = 'receipt' AND"
                                  " store = ?",
                                  "s", vault),
                     of);
    if (of > 0)
        assert_int_equal(store_number(store, 0, "SELECT count(*) FROM marks WHERE store = ? AND upto = ? AND hash = ?",
                                      "sis", vault, upto, seal ? hash_of(seal, strlen(seal)).hex : ""),
                         1);
}

static void a_receipt_is_kept_once_and_marks_move_without_gaps(void **state)
{
    struct bench *b = *state;
    assert_int_equal(take(b->store, "s", 1, "one", NULL), RECORD_NEW);
    assert_int_equal(take(b->store, "s", 1, "one", NULL), RECORD_KNOWN);
    assert_int_equal(take(b->store, "s", 3, "three", "two"), RECORD_NEW);
    assert_int_equal(take(b->store, "s", 4, "four", NULL), RECORD_NEW); /* names none: follows any */
    expect_mark(b->store, "s", 1, "one", 1);
    assert_int_equal(take(b->store, "s", 2, "two", "one"), RECORD_NEW);
    expect_mark(b->store, "s", 4, "four", 1);
    assert_int_equal(take(b->store, "other", 3, "three", "two"), RECORD_NEW); /* another vault counts by itself */
    expect_mark(b->store, "other", 0, NULL, 0);
}

/* Two boxes with one vault: their rows come in any order, and with holes. */
static void two_chains_of_one_store_are_marked_each_by_itself(void **state)
{
    struct bench *b = *state;
    assert_int_equal(take(b->store, "s", 1, "one", NULL), RECORD_NEW);
    assert_int_equal(take(b->store, "s", 2, "a2", "one"), RECORD_NEW);
    assert_int_equal(take(b->store, "s", 3, "b3", "b2"), RECORD_NEW); /* the broker lost b2 */
    expect_mark(b->store, "s", 2, "a2", 1);
    assert_int_equal(take(b->store, "s", 4, "b4", "b3"), RECORD_NEW);
    assert_int_equal(take(b->store, "s", 3, "a3", "a2"), RECORD_TWIN);
    assert_int_equal(take(b->store, "s", 3, "a3", "a2"), RECORD_KNOWN);
    expect_mark(b->store, "s", 3, "a3", 1);
    assert_int_equal(take(b->store, "s", 2, "b2", "one"), RECORD_TWIN);
    expect_mark(b->store, "s", 4, "b4", 2);
    expect_mark(b->store, "s", 3, "a3", 2);
    assert_int_equal(store_number(b->store, 0, "SELECT count(*) FROM receipts WHERE joined = 0", ""), 0);
}

/* A third waits beside the second one of the same number: it is joined when it comes once more. */
static void what_waited_beside_another_is_joined_when_it_comes_again(void **state)
{
    struct bench *b = *state;
    assert_int_equal(take(b->store, "s", 2, "a2", "one"), RECORD_NEW);
    assert_int_equal(take(b->store, "s", 2, "b2", "one"), RECORD_TWIN);
    assert_int_equal(take(b->store, "s", 1, "one", NULL), RECORD_NEW);
    expect_mark(b->store, "s", 2, "a2", 1);
    assert_int_equal(take(b->store, "s", 2, "b2", "one"), RECORD_KNOWN);
    expect_mark(b->store, "s", 2, "b2", 2);
}

static void chains_are_bounded_and_rows_are_not_lost(void **state)
{
    struct bench *b = *state;
    char seal[16];
    assert_int_equal(take(b->store, "s", 1, "one", NULL), RECORD_NEW);
    for (int i = 0; i < 3 * CHAINS_MAX; i++) {
        snprintf(seal, sizeof(seal), "two %d", i);
        assert_int_equal(take(b->store, "s", 2, seal, "one"), i == 0 ? RECORD_NEW : RECORD_TWIN);
    }
    expect_mark(b->store, "s", 2, seal, CHAINS_MAX);
    assert_int_equal(store_number(b->store, 0, "SELECT count(*) FROM receipts", ""), 1 + 3 * CHAINS_MAX);
    assert_int_equal(take(b->store, "s", 3, "three", "two 0"), RECORD_NEW); /* one that was forgotten is back */
    expect_mark(b->store, "s", 3, "three", CHAINS_MAX);
}

enum { STEPS_BEFORE_CHAINS = 10 };

/* What a centre stored before rows named each other: numbers 1 to 4, of which 1 and 2 are marked; 3 is missing. */
static void what_was_stored_before_chains_is_followed(void **state)
{
    struct bench *b = *state;
    struct complaint why = {0};
    char path[80];
    sqlite3 *db = NULL;
    snprintf(path, sizeof(path), "%s/old.db", b->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    for (int i = 0; i < STEPS_BEFORE_CHAINS; i++)
        assert_int_equal(sqlite3_exec(db, schema_steps[i], NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "INSERT INTO receipts (device, store, n, hash, twin, occurrence, rule, planned_ms,"
                                  " reason, received_ms) SELECT 'dev', 's', value, 'old ' || value, 0, 'o', 'r', 1,"
                                  " 'late', 1 FROM json_each('[1,2,4]');"
                                  "INSERT INTO marks VALUES ('dev', 'receipt', 's', 2);"
                                  "CREATE TABLE migrations (version INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL);"
                                  "INSERT INTO migrations VALUES (10, 1)",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    struct store *store = NULL;
    assert_int_equal(store_open(path, &store, &why), 0);
    expect_mark(store, "s", 2, NULL, 1);
    assert_int_equal(take(store, "s", 2, "2", NULL), RECORD_KNOWN);
    assert_int_equal(take(store, "s", 3, "3", "2"), RECORD_NEW);
    expect_mark(store, "s", 4, NULL, 1);
    assert_int_equal(take(store, "s", 5, "5", "4"), RECORD_NEW);
    expect_mark(store, "s", 5, "5", 1);
    store_close(store);
    for (int i = 0; i < 3; i++) {
        static const char *const ends[] = {"", "-wal", "-shm"};
        char *end = xasprintf("%s%s", path, ends[i]);
        unlink(end);
        free(end);
    }
}

static void own_events_are_numbered(void **state)
{
    struct bench *b = *state;
    record_own_event(b->store, "dev", "document_refused", "state", "why", 5);
    record_own_event(b->store, "dev", "document_refused", NULL, NULL, 6);
    assert_int_equal(store_number(b->store, 0, "SELECT max(n) FROM events WHERE store = 'controller'", ""), 2);
}

static void tokens_hold_until_revoked(void **state)
{
    struct bench *b = *state;
    struct token token, found;
    char text[96], other[96];
    assert_int_equal(people_add(b->store, "c", ROLE_OPERATOR, "", 1, &token, text), 0);
    assert_int_equal(people_add(b->store, "c", ROLE_ADMIN, "", 1, &token, other), 0);
    assert_true(people_check(b->store, text, &found));
    assert_string_equal(found.unit, "c");
    assert_int_equal(found.role, ROLE_OPERATOR);
    char mixed[96];
    memcpy(mixed, text, sizeof(mixed));
    memcpy(mixed + 17, other + 17, 44); /* one token's id with another's secret */
    assert_false(people_check(b->store, mixed, &found));
    text[20] = text[20] == 'A' ? 'B' : 'A';
    assert_false(people_check(b->store, text, &found));
    assert_false(people_check(b->store, "", &found));
    assert_int_equal(store_run(b->store, "UPDATE tokens SET revoked_ms = 2 WHERE id = ?", "s", token.id), 1);
    assert_false(people_check(b->store, other, &found));
}

static void scope_is_the_subtree(void **state)
{
    struct bench *b = *state;
    assert_true(area_in_unit(b->store, "v", "p"));
    assert_true(area_in_unit(b->store, "v", "v"));
    assert_false(area_in_unit(b->store, "p", "v"));
    assert_false(area_in_unit(b->store, "v", "d"));
    assert_true(device_in_unit(b->store, "dev", "c"));
    assert_false(device_in_unit(b->store, "dev", "d"));
    json_t *path = area_path(b->store, "v");
    char *text = json_dumps(path, JSON_COMPACT);
    assert_string_equal(text, "[\"v\",\"c\",\"p\"]");
    free(text);
    json_decref(path);
    json_t *device = device_json(b->store, "dev", 1000);
    assert_string_equal(json_string_value(json_object_get(device, "contact")), "never");
    json_decref(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_follow_their_names, setup, teardown),
        cmocka_unit_test_setup_teardown(opens_again_and_refuses_a_newer_schema, setup, teardown),
        cmocka_unit_test_setup_teardown(a_rolled_back_transaction_leaves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_gathered_is_committed_together, setup, teardown),
        cmocka_unit_test_setup_teardown(who_writes_outside_settles_first, setup, teardown),
        cmocka_unit_test_setup_teardown(a_reader_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(statements_are_kept_and_let_go, setup, teardown),
        cmocka_unit_test_setup_teardown(a_receipt_is_kept_once_and_marks_move_without_gaps, setup, teardown),
        cmocka_unit_test_setup_teardown(two_chains_of_one_store_are_marked_each_by_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(what_waited_beside_another_is_joined_when_it_comes_again, setup, teardown),
        cmocka_unit_test_setup_teardown(chains_are_bounded_and_rows_are_not_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_stored_before_chains_is_followed, setup, teardown),
        cmocka_unit_test_setup_teardown(own_events_are_numbered, setup, teardown),
        cmocka_unit_test_setup_teardown(tokens_hold_until_revoked, setup, teardown),
        cmocka_unit_test_setup_teardown(scope_is_the_subtree, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
