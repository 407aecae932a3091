/* What the vault keeps: versions that never go back, whole transactions, bounded memories. */
#include "unit.h"

#include "firmware/ledger_form.h"
#include "firmware/vault.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/loa-vault-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    static const char *const names[] = {"vault.db", "vault.db-wal", "vault.db-shm"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[100];
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        unlink(path);
    }
    return rmdir(folder);
}

static struct vault *open_vault(void)
{
    struct vault *vault = NULL;
    struct complaint why = {0};
    assert_int_equal(vault_open(folder, 1000, &vault, &why), 0);
    return vault;
}

static void welcome(struct vault *vault, int64_t floor_era, int64_t floor_ver)
{
    struct doc_floor floor = {.doc = "playlist", .era = floor_era, .ver = floor_ver};
    struct welcome welcome = {.floors = &floor, .n_floors = floor_era ? 1 : 0};
    assert_int_equal(vault_keep_welcome(vault, &welcome), 0);
}

static void keeps_store_and_welcome(void **state)
{
    (void)state;
    struct vault *vault = open_vault();
    char store[64];
    snprintf(store, sizeof(store), "%s", vault_store(vault));
    assert_true(strlen(store) > 10);
    assert_false(vault_welcomed(vault));
    welcome(vault, 0, 0);
    vault_close(vault);
    vault = open_vault();
    assert_string_equal(vault_store(vault), store);
    assert_true(vault_welcomed(vault));
    vault_close(vault);
}

static int adopt(struct vault *vault, enum doc_type type, const struct doc_head *head, const char *sealed, size_t len)
{
    struct hash hash = hash_of(sealed, len);
    return vault_adopt(vault, type, head, sealed, len, &hash);
}

static void versions_never_go_back(void **state)
{
    (void)state;
    struct vault *vault = open_vault();
    struct doc_head head = {.era = 1, .ver = 10};
    struct held_version held;
    assert_int_equal(adopt(vault, DOC_PLAYLIST, &head, "abc", 3), 0);
    head.ver = 7;
    assert_int_equal(adopt(vault, DOC_PLAYLIST, &head, "old", 3), 0);
    vault_held(vault, DOC_PLAYLIST, &held);
    assert_int_equal(held.ver, 10);
    welcome(vault, 1, 20);
    welcome(vault, 1, 5);
    vault_held(vault, DOC_PLAYLIST, &held);
    assert_int_equal(held.floor_ver, 20);
    welcome(vault, 2, 1);
    vault_held(vault, DOC_PLAYLIST, &held);
    assert_int_equal(held.floor_era, 2);
    vault_close(vault);
}

static off_t size_of(const char *name)
{
    char path[200];
    struct stat st;
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return stat(path, &st) == 0 ? st.st_size : -1;
}

/* A big document waits for the journal alone; the file itself follows with the next tick, or when very much came. */
static void the_file_follows_its_journal(void **state)
{
    (void)state;
    struct vault *vault = open_vault();
    static char sealed[60000];
    struct doc_head head = {.era = 1, .ver = 1};
    memset(sealed, 'x', sizeof(sealed));
    off_t before = size_of("vault.db");
    for (; head.ver <= 4; head.ver++)
        assert_int_equal(adopt(vault, DOC_PLAYLIST, &head, sealed, sizeof(sealed)), 0);
    assert_int_equal(size_of("vault.db"), before);
    vault_tidy(vault);
    assert_true(size_of("vault.db") >= (off_t)sizeof(sealed));
    for (; head.ver <= 100; head.ver++)
        assert_int_equal(adopt(vault, DOC_PLAYLIST, &head, sealed, sizeof(sealed)), 0);
    assert_true(size_of("vault.db-wal") <= 300 * 4200); /* bounded without any tick */
    vault_close(vault);
}

static void transactions_are_whole(void **state)
{
    (void)state;
    struct vault *vault = open_vault();
    struct doc_head head = {.era = 1, .ver = 3};
    struct vault_document document;
    vault_begin(vault);
    assert_int_equal(adopt(vault, DOC_KEYS, &head, "keys", 4), 0);
    vault_abandon(vault);
    assert_int_equal(vault_document(vault, DOC_KEYS, &document), -ENOENT);
    vault_begin(vault);
    vault_begin(vault);
    assert_int_equal(adopt(vault, DOC_KEYS, &head, "keys", 4), 0);
    vault_abandon(vault); /* the inner one fails: nothing of the outer one holds */
    assert_int_equal(vault_commit(vault), ERR_STORE);
    assert_int_equal(vault_document(vault, DOC_KEYS, &document), -ENOENT);
    vault_begin(vault);
    assert_int_equal(adopt(vault, DOC_KEYS, &head, "keys", 4), 0);
    assert_int_equal(vault_commit(vault), 0);
    assert_int_equal(vault_document(vault, DOC_KEYS, &document), 0);
    assert_int_equal(document.len, 4);
    assert_memory_equal(document.sealed, "keys", 4);
    free(document.sealed);
    vault_close(vault);
}

static void up_versions_rise_over_restarts(void **state)
{
    (void)state;
    struct vault *vault = open_vault();
    int64_t first = vault_up_version(vault, 5000);
    int64_t second = vault_up_version(vault, 5000);
    assert_true(first >= 5000 && second > first);
    vault_close(vault);
    vault = open_vault();
    assert_true(vault_up_version(vault, 100) > second); /* the clock went back meanwhile */
    vault_close(vault);
}

static void remembers_within_bounds(void **state)
{
    (void)state;
    struct vault *vault = open_vault();
    struct hash hash = hash_of("x", 1);
    assert_true(vault_refusal_is_new(vault, &hash, "older"));
    assert_false(vault_refusal_is_new(vault, &hash, "older"));
    assert_true(vault_refusal_is_new(vault, &hash, "expired"));
    assert_true(1 == vault_command_new(vault, "c-1"));
    for (int i = 0; i < VAULT_COMMANDS_MAX - 1; i++) {
        char id[20];
        snprintf(id, sizeof(id), "d-%d", i);
        assert_true(1 == vault_command_new(vault, id));
    }
    assert_true(0 == vault_command_new(vault, "c-1"));
    bool ok = false;
    char detail[VAULT_ANSWER_MAX];
    assert_int_equal(vault_command_answered(vault, "c-1", &ok, detail), -ENOENT);
    assert_int_equal(vault_command_answer(vault, "c-1", true, "done"), 0);
    assert_int_equal(vault_command_answered(vault, "c-1", &ok, detail), 0);
    assert_true(ok);
    assert_string_equal(detail, "done");
    vault_close(vault);
}

struct seen {
    int n;
    enum doc_type types[VAULT_WAITING_MAX + VAULT_STRANGERS_MAX];
    char first[16];
};

static void see(void *arg, enum doc_type type, const void *sealed, size_t len)
{
    struct seen *seen = arg;
    if (seen->n == 0)
        snprintf(seen->first, sizeof(seen->first), "%.*s", (int)len, (const char *)sealed);
    seen->types[seen->n++] = type;
}

static void waiting_is_bounded_and_in_order(void **state)
{
    (void)state;
    struct vault *vault = open_vault();
    struct seen seen = {0};
    for (int i = 0; i < VAULT_WAITING_MAX + 5; i++) {
        char text[16];
        snprintf(text, sizeof(text), "p%d", i);
        assert_int_equal(vault_wait(vault, i % 2 ? DOC_PLAYLIST : DOC_TRUST, text, strlen(text), 0, false), 0);
    }
    vault_waiting(vault, see, &seen);
    assert_int_equal(seen.n, VAULT_WAITING_MAX);
    assert_int_equal(seen.types[0], DOC_TRUST);
    assert_int_equal(seen.types[seen.n - 1], DOC_PLAYLIST);
    assert_string_equal(seen.first, "p6"); /* the oldest five are gone, p5 was a playlist */
    struct hash hash = hash_of("p6", 2);
    vault_wait_no_more(vault, &hash);
    memset(&seen, 0, sizeof(seen));
    vault_waiting(vault, see, &seen);
    assert_int_equal(seen.n, VAULT_WAITING_MAX - 1);
    vault_close(vault);
}

static void strangers_push_out_only_each_other(void **state)
{
    (void)state;
    struct vault *vault = open_vault();
    struct seen seen = {0};
    struct hash p0 = hash_of("p0", 2), s0 = hash_of("s0", 2);
    assert_int_equal(vault_wait(vault, DOC_CONFIG, "p0", 2, 0, false), 0);
    for (int i = 0; i < VAULT_WAITING_MAX + VAULT_STRANGERS_MAX; i++) {
        char text[16];
        snprintf(text, sizeof(text), "s%d", i);
        assert_int_equal(vault_wait(vault, DOC_CONFIG, text, strlen(text), 0, true), 0);
    }
    assert_true(vault_waits(vault, &p0, false));
    assert_false(vault_waits(vault, &s0, true));
    vault_waiting(vault, see, &seen);
    assert_int_equal(seen.n, VAULT_STRANGERS_MAX + 1);
    assert_string_equal(seen.first, "p0");
    assert_int_equal(vault_wait(vault, DOC_CONFIG, "p0", 2, 0, true), 0); /* it is in one of the two */
    assert_false(vault_waits(vault, &p0, false));
    assert_true(vault_waits(vault, &p0, true));
    vault_wait_no_more(vault, &p0);
    assert_false(vault_waits(vault, &p0, true));
    vault_close(vault);
}

static void ledger_and_airing_survive(void **state)
{
    (void)state;
    struct vault *vault = open_vault();
    struct ledger *ledger = xcalloc(1, sizeof(*ledger)), *back = xcalloc(1, sizeof(*back));
    ledger->on = ON_ITEM;
    ledger->key = UINT64_MAX - 3;
    ledger->n_done = 1;
    ledger->done[0] = (struct done_mark){.key = 7, .start_ms = 9};
    assert_int_equal(vault_save_ledger(vault, ledger), 0);
    struct airing airing = {.key = UINT64_MAX - 3, .planned_ms = 5, .reason = REASON_LATE, .class = CLASS_PRIORITY};
    snprintf(airing.occurrence, sizeof(airing.occurrence), "r1.5");
    snprintf(airing.exempt, sizeof(airing.exempt), "12/QĐ-UBND");
    airing.bulletin = hash_of("b", 1);
    assert_int_equal(vault_airing_save(vault, &airing), 0);
    int proof = 42, proof_back = 0;
    assert_int_equal(vault_airing_save_evidence(vault, airing.key, &proof, sizeof(proof)), 0);
    airing.over = true;
    assert_int_equal(vault_airing_save(vault, &airing), 0);
    vault_close(vault);
    vault = open_vault();
    vault_load_ledger(vault, back);
    assert_memory_equal(ledger, back, sizeof(*ledger));
    struct airing over;
    assert_int_equal(vault_airing_over(vault, &over), 0);
    assert_string_equal(over.occurrence, "r1.5");
    assert_string_equal(over.exempt, "12/QĐ-UBND");
    assert_true(over.key == airing.key && over.reason == REASON_LATE);
    assert_int_equal(vault_airing_evidence(vault, over.key, &proof_back, sizeof(proof_back)), 0);
    assert_int_equal(proof_back, 42);
    assert_int_equal(vault_airing_drop(vault, over.key), 0);
    assert_int_equal(vault_airing_over(vault, &over), -ENOENT);
    vault_close(vault);
    free(ledger);
    free(back);
}

/* The ledger of format 1 is read: nothing of it plays twice. */
static void the_former_ledger_is_read(void **state)
{
    (void)state;
    struct ledger *ledger = xcalloc(1, sizeof(*ledger)), *back = xcalloc(1, sizeof(*back));
    ledger->since_ms = 5;
    ledger->n_silences = 1;
    ledger->silences[0] = 77;
    ledger->n_done = 2;
    ledger->done[0] = (struct done_mark){.key = 7, .start_ms = 9};
    ledger->done[1] = (struct done_mark){.key = 8, .start_ms = 11};
    uint64_t form[2] = {1, offsetof(struct ledger, on_passed)};
    struct buf bytes = {0};
    buf_put(&bytes, form, sizeof(form));
    buf_put(&bytes, ledger, form[1]);
    assert_int_equal(ledger_read(bytes.data, bytes.len, back), 0);
    assert_memory_equal(ledger, back, sizeof(*ledger));
    assert_int_equal(ledger_read(bytes.data, bytes.len - 8, back), ERR_FORMAT);
    bytes.len = 0;
    ledger->n_off = ARBITER_OFF_MAX + 1;
    ledger_write(ledger, &bytes);
    assert_int_equal(ledger_read(bytes.data, bytes.len, back), ERR_FORMAT);
    buf_done(&bytes);
    free(ledger);
    free(back);
}

static void spoil(const char *what)
{
    char path[100];
    snprintf(path, sizeof(path), "%s/vault.db", folder);
    FILE *file = fopen(path, strcmp(what, "cut") == 0 ? "r+" : "w");
    assert_non_null(file);
    if (strcmp(what, "cut") == 0)
        assert_int_equal(ftruncate(fileno(file), 5000), 0);
    else
        fprintf(file, "this is no database, whatever its name says; %500s", "x");
    fclose(file);
}

static int count_aside(bool remove_them)
{
    int n = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *e; (e = readdir(dir));) {
        n += strncmp(e->d_name, "vault.db.damaged-", 17) == 0;
        if (remove_them && e->d_name[0] != '.')
            unlinkat(dirfd(dir), e->d_name, 0);
    }
    closedir(dir);
    return n;
}

static void a_damaged_vault_is_set_aside(void **state)
{
    (void)state;
    const char *const kinds[] = {"garbage", "cut", "garbage"};
    char store[24];
    for (int i = 0; i < 3; i++) {
        struct vault *vault = NULL;
        struct complaint why = {0};
        vault = open_vault();
        welcome(vault, 0, 0);
        snprintf(store, sizeof(store), "%s", vault_store(vault));
        vault_close(vault);
        spoil(kinds[i]);
        assert_int_equal(vault_open(folder, 5000 + i, &vault, &why), 0);
        assert_non_null(vault_set_aside(vault));
        assert_false(vault_welcomed(vault)); /* as a new box: silence until somebody says what holds */
        assert_string_not_equal(vault_store(vault), store);
        vault_close(vault);
    }
    assert_int_equal(count_aside(false), 2); /* not ever more of them */
    count_aside(true);
}

static void an_emptied_vault_is_set_aside(void **state)
{
    (void)state;
    char file[100], blobs[100];
    struct complaint why = {0};
    snprintf(file, sizeof(file), "%s/vault.db", folder);
    snprintf(blobs, sizeof(blobs), "%s/blobs", folder);
    for (int i = 0; i < 2; i++) { /* the power went before the first vault was made; then one is lost */
        struct vault *vault = NULL;
        fclose(fopen(file, "w"));
        assert_int_equal(vault_open(folder, 5000, &vault, &why), 0);
        if (i == 0)
            assert_null(vault_set_aside(vault));
        else
            assert_non_null(vault_set_aside(vault));
        vault_close(vault);
        assert_int_equal(i == 0 ? mkdir(blobs, 0700) : rmdir(blobs), 0);
    }
    assert_int_equal(count_aside(true), 1);
}

static void one_agent_for_each_vault(void **state)
{
    (void)state;
    struct vault *first = open_vault(), *second = NULL;
    struct complaint why = {0};
    assert_int_equal(vault_open(folder, 1000, &second, &why), -EBUSY);
    assert_non_null(strstr(why.text, "another loa-agent uses this vault"));
    assert_null(second);
    vault_close(first);
    first = open_vault();
    vault_close(first);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(a_damaged_vault_is_set_aside),
        TEST(one_agent_for_each_vault),
        TEST(an_emptied_vault_is_set_aside),
        TEST(keeps_store_and_welcome),
        TEST(versions_never_go_back),
        TEST(the_file_follows_its_journal),
        TEST(transactions_are_whole),
        TEST(up_versions_rise_over_restarts),
        TEST(remembers_within_bounds),
        TEST(waiting_is_bounded_and_in_order),
        TEST(strangers_push_out_only_each_other),
        TEST(ledger_and_airing_survive),
        TEST(the_former_ledger_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
