/* Documents on their way in: adopted, waiting, refused; judged again when the keys change. */
#include "unit.h"

#include "firmware/courier.h"
#include "firmware/sql.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *area[] = {"a001"}, *vi[] = {"vi"};
#define DEV "loa/1/dev/d1/"

struct world {
    char folder[64];
    struct vault *vault;
    struct courier *courier;
    struct signer root, registrar, scheduler, thief;
    int welcomes, commands, refusals, is_new;
    char reason[32], about[32];
    struct courier_now now;
};

static void on_changed(void *arg, enum doc_type type)
{
    (void)arg, (void)type;
}

static void on_settle(void *arg)
{
    (void)arg;
}

static void on_welcome(void *arg, const struct welcome *welcome, const char *kid)
{
    struct world *w = arg;
    (void)welcome, (void)kid;
    w->welcomes++;
}

static void on_command(void *arg, const struct command *command, int is_new)
{
    struct world *w = arg;
    (void)command;
    w->commands++;
    w->is_new = is_new;
}

static void on_refused(void *arg, const char *about, const char *reason, const char *why)
{
    struct world *w = arg;
    (void)why;
    w->refusals++;
    snprintf(w->reason, sizeof(w->reason), "%s", reason);
    snprintf(w->about, sizeof(w->about), "%s", about);
}

static const struct courier_events events = {
    .changed = on_changed, .settle = on_settle, .welcome = on_welcome, .command = on_command, .refused = on_refused};

static void open_courier(struct world *w)
{
    struct complaint why = {0};
    const char *roots[ROOTS_MAX] = {w->root.x, NULL};
    assert_int_equal(vault_open(w->folder, 1000, &w->vault, &why), 0);
    w->courier = courier_new(w->vault, "d1", roots, &events, w);
    courier_load(w->courier, &w->now);
    courier_session(w->courier, "nonce-nonce", w->now.elapsed_ms);
}

static void close_courier(struct world *w)
{
    courier_free(w->courier);
    vault_close(w->vault);
}

static int setup(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));
    strcpy(w->folder, "/tmp/loa-courier-XXXXXX");
    if (!mkdtemp(w->folder))
        return -1;
    signer_generate(&w->root);
    signer_generate(&w->registrar);
    signer_generate(&w->scheduler);
    signer_generate(&w->thief);
    w->now = (struct courier_now){.now_ms = 1000000, .elapsed_ms = 1, .idle = true};
    open_courier(w);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    char path[100];
    close_courier(w);
    snprintf(path, sizeof(path), "%s/vault.db", w->folder);
    unlink(path);
    rmdir(w->folder);
    free(w);
    return 0;
}

static struct doc_head head(const char *aud, int64_t ver)
{
    return (struct doc_head){.aud = aud, .era = 1, .ver = ver, .iat_s = 1000, .exp_s = 2000};
}

static void give(struct world *w, const char *topic, const struct signer *signer, enum doc_type type, const void *doc)
{
    char *sealed = NULL;
    struct complaint why = {0};
    int r = seal_doc(signer, type, doc, false, &sealed, &why);
    if (r < 0)
        fail_msg("%s", why.text);
    courier_message(w->courier, topic, sealed, strlen(sealed), false, &w->now);
    free(sealed);
}

static void give_trust(struct world *w, int64_t ver, const struct signer *scheduler)
{
    struct public_key registrar = {.kid = w->registrar.kid, .x = w->registrar.x};
    struct public_key key = {.kid = scheduler->kid, .x = scheduler->x};
    struct trust trust = {
        .head = head("all", ver), .registrars = &registrar, .n_registrars = 1, .schedulers = &key, .n_schedulers = 1};
    give(w, "loa/1/trust", &w->root, DOC_TRUST, &trust);
}

static void give_config(struct world *w, int64_t ver)
{
    struct config config = {
        .head = head("dev/d1", ver), .zone = "Asia/Ho_Chi_Minh", .areas = {area, 1}, .languages = {vi, 1}};
    give(w, DEV "config", &w->scheduler, DOC_CONFIG, &config);
}

static void give_playlist(struct world *w, const struct signer *signer, int64_t ver, int64_t config_ver)
{
    struct playlist playlist = {.head = head("dev/d1", ver), .config_ver = config_ver};
    give(w, DEV "playlist", signer, DOC_PLAYLIST, &playlist);
}

static void give_welcome_ver(struct world *w, const char *nonce, int64_t ver)
{
    struct doc_floor floor = {.doc = "playlist", .era = 1, .ver = 5};
    struct welcome welcome = {
        .head = head("dev/d1", ver), .nonce = nonce, .time_ms = 1000, .floors = &floor, .n_floors = 1};
    give(w, DEV "welcome", &w->scheduler, DOC_WELCOME, &welcome);
}

static void give_welcome(struct world *w, const char *nonce)
{
    give_welcome_ver(w, nonce, 9);
}

static int64_t playlist_ver(const struct world *w)
{
    const struct playlist *playlist = courier_playlist(w->courier);
    return playlist ? playlist->head.ver : 0;
}

static void begin(struct world *w)
{
    give_trust(w, 1, &w->scheduler);
    give_welcome(w, "nonce-nonce");
    give_config(w, 1);
}

static void nothing_before_the_first_welcome(void **state)
{
    struct world *w = *state;
    give_trust(w, 1, &w->scheduler);
    give_config(w, 1);
    give_playlist(w, &w->scheduler, 6, 1);
    give_playlist(w, &w->scheduler, 4, 1);
    assert_null(courier_config(w->courier));
    give_welcome(w, "another-one");
    assert_int_equal(w->welcomes, 0);
    assert_string_equal(w->reason, "nonce");
    give_welcome(w, "nonce-nonce");
    assert_int_equal(w->welcomes, 1);
    assert_non_null(courier_config(w->courier));
    assert_int_equal(playlist_ver(w), 6);
}

static void the_floor_refuses_an_old_world(void **state)
{
    struct world *w = *state;
    begin(w);
    give_playlist(w, &w->scheduler, 4, 1);
    assert_int_equal(playlist_ver(w), 0);
    assert_string_equal(w->reason, "older");
    give_playlist(w, &w->scheduler, 5, 1);
    assert_int_equal(playlist_ver(w), 5);
}

static void versions_hold_over_a_restart(void **state)
{
    struct world *w = *state;
    begin(w);
    give_playlist(w, &w->scheduler, 7, 1);
    close_courier(w);
    open_courier(w);
    assert_int_equal(playlist_ver(w), 7);
    int before = w->refusals;
    give_playlist(w, &w->scheduler, 7, 1);
    assert_int_equal(w->refusals, before); /* told once more: harmless */
    give_playlist(w, &w->scheduler, 6, 1);
    assert_int_equal(w->refusals, before + 1);
    give_playlist(w, &w->scheduler, 6, 1);
    assert_int_equal(w->refusals, before + 1); /* the same refusal is told once */
    assert_int_equal(playlist_ver(w), 7);
}

static void an_unknown_key_waits_for_its_trust(void **state)
{
    struct world *w = *state;
    begin(w);
    give_playlist(w, &w->thief, 8, 0);
    assert_string_equal(w->reason, "unknown_key");
    assert_int_equal(playlist_ver(w), 0);
    give_trust(w, 2, &w->thief); /* the root now vouches for it */
    assert_int_equal(playlist_ver(w), 8);
    assert_null(courier_config(w->courier)); /* what the other one sealed does not hold any more */
    give_trust(w, 3, &w->scheduler);
    assert_int_equal(playlist_ver(w), 0);
    assert_non_null(courier_config(w->courier));
}

static void a_playlist_waits_for_its_configuration(void **state)
{
    struct world *w = *state;
    begin(w);
    give_playlist(w, &w->scheduler, 8, 3);
    assert_int_equal(playlist_ver(w), 0);
    w->now.idle = false;
    give_config(w, 3);
    assert_int_equal(courier_config(w->courier)->head.ver, 1);
    w->now.elapsed_ms = 100000;
    courier_again(w->courier, &w->now);
    assert_int_equal(playlist_ver(w), 0);
    w->now.elapsed_ms = COURIER_CONFIG_WAIT_MS + 100;
    courier_again(w->courier, &w->now);
    assert_int_equal(courier_config(w->courier)->head.ver, 3);
    assert_int_equal(playlist_ver(w), 8);
}

static void without_trusted_time_the_old_playlist_stays(void **state)
{
    struct world *w = *state;
    begin(w);
    give_playlist(w, &w->scheduler, 6, 1);
    w->now.timeless = true;
    give_playlist(w, &w->scheduler, 7, 1);
    assert_int_equal(playlist_ver(w), 6);
    courier_again(w->courier, &w->now);
    assert_int_equal(playlist_ver(w), 6);
    close_courier(w);
    open_courier(w); /* it waits over a restart, too */
    assert_int_equal(playlist_ver(w), 6);
    w->now.timeless = false;
    courier_again(w->courier, &w->now);
    assert_int_equal(playlist_ver(w), 7);
}

static void a_welcome_on_a_disk_that_only_reads(void **state)
{
    struct world *w = *state;
    begin(w);
    assert_int_equal(w->welcomes, 1);
    sqlite3_exec(vault_db(w->vault), "PRAGMA query_only=ON", NULL, NULL, NULL);
    give_welcome_ver(w, "nonce-nonce", 10);
    assert_int_equal(w->welcomes, 2); /* the disk is no reason to lose the time that it brings */
}

static void a_strangers_welcome_says_nothing(void **state)
{
    struct world *w = *state;
    struct signer scheduler = w->scheduler;
    w->scheduler = w->thief; /* before there is any trust, and after */
    give_welcome(w, "nonce-nonce");
    assert_string_equal(w->reason, "unknown_key");
    w->scheduler = scheduler;
    begin(w);
    assert_int_equal(w->welcomes, 1);
    w->scheduler = w->thief;
    give_welcome_ver(w, "nonce-nonce", 10);
    courier_message(w->courier, DEV "welcome", "a.b.c", 5, false, &w->now);
    assert_int_equal(w->welcomes, 1);
    w->scheduler = scheduler;
}

static void a_welcome_is_not_played_back(void **state)
{
    struct world *w = *state;
    begin(w);
    give_welcome_ver(w, "nonce-nonce", 10);
    assert_int_equal(w->welcomes, 2);
    give_welcome_ver(w, "nonce-nonce", 10);
    assert_int_equal(w->welcomes, 2);
    assert_int_equal(w->refusals, 0); /* the very same: harmless */
    give_welcome_ver(w, "nonce-nonce", 9);
    assert_int_equal(w->welcomes, 2);
    assert_string_equal(w->about, "welcome");
    assert_string_equal(w->reason, "older");
    give_welcome_ver(w, "other-nonce", 12);
    give_welcome_ver(w, "nonce-nonce", 11);
    assert_int_equal(w->welcomes, 3); /* one that was refused did not count */
    courier_session(w->courier, "nonce-again", w->now.elapsed_ms);
    give_welcome_ver(w, "nonce-again", 3);
    assert_int_equal(w->welcomes, 4);
}

static void commands_once_and_in_their_session(void **state)
{
    struct world *w = *state;
    begin(w);
    struct command command = {.head = head("dev/d1", 1), .nonce = "nonce-nonce", .id = "c1", .command = "restart"};
    give(w, DEV "cmd", &w->scheduler, DOC_COMMAND, &command);
    assert_int_equal(w->commands, 1);
    assert_int_equal(w->is_new, 1);
    give(w, DEV "cmd", &w->scheduler, DOC_COMMAND, &command);
    assert_int_equal(w->commands, 2); /* told as known: answered, not done */
    assert_int_equal(w->is_new, 0);
    command.id = "c2";
    command.nonce = "other-nonce";
    give(w, DEV "cmd", &w->scheduler, DOC_COMMAND, &command);
    assert_string_equal(w->reason, "nonce");
    command.nonce = "nonce-nonce";
    command.head.exp_s = 1030;
    w->now.now_ms += 31000;
    w->now.elapsed_ms += 31000;
    give(w, DEV "cmd", &w->scheduler, DOC_COMMAND, &command);
    assert_string_equal(w->reason, "expired");
    assert_int_equal(w->commands, 2);
}

static void what_expires_leaves_force(void **state)
{
    struct world *w = *state;
    begin(w);
    give_playlist(w, &w->scheduler, 8, 1);
    w->now.now_ms = 2000001;
    courier_expire(w->courier, &w->now);
    assert_int_equal(playlist_ver(w), 0);
    assert_null(courier_authority(w->courier)->trust);
}

static void what_only_a_clock_led_astray_called_expired_comes_back(void **state)
{
    struct world *w = *state;
    begin(w);
    give_playlist(w, &w->scheduler, 8, 1);
    w->now.now_ms = 2000001;
    courier_expire(w->courier, &w->now);
    assert_null(courier_config(w->courier));
    w->now = (struct courier_now){.now_ms = 900000, .elapsed_ms = 60000, .idle = true, .timeless = true};
    courier_expire(w->courier, &w->now); /* nobody says so */
    assert_null(courier_config(w->courier));
    w->now.now_ms = 1060000;
    w->now.timeless = false;
    courier_expire(w->courier, &w->now);
    assert_non_null(courier_authority(w->courier)->trust);
    assert_non_null(courier_config(w->courier));
    assert_int_equal(playlist_ver(w), 8);
}

static void a_welcome_for_a_clock_led_astray(void **state)
{
    struct world *w = *state;
    begin(w);
    w->now.now_ms += 1209600000; /* two weeks; nothing was judged by that yet */
    w->now.elapsed_ms += 400000;
    give_welcome_ver(w, "nonce-nonce", 10);
    assert_int_equal(w->welcomes, 2);
    w->now.elapsed_ms += 601000; /* held back longer than it is good for */
    give_welcome_ver(w, "nonce-nonce", 11);
    assert_int_equal(w->welcomes, 2);
    assert_string_equal(w->reason, "expired");
}

/* How often anything was written to the vault's rows. */
static int writes(const struct world *w)
{
    return sqlite3_total_changes(vault_db(w->vault));
}

static void a_flood_of_forged_documents_wears_out_nothing(void **state)
{
    struct world *w = *state;
    begin(w);
    give_playlist(w, &w->scheduler, 8, 3); /* waits for its configuration */
    int before = writes(w), told = w->refusals;
    for (int i = 0; i < 500; i++)
        give_playlist(w, &w->thief, 100 + i, 0);
    assert_in_range(w->refusals - told, 1, 10);
    assert_in_range(writes(w) - before, 1, 30);
    before = writes(w), told = w->refusals;
    for (int i = 0; i < 60; i++) { /* a minute of it */
        w->now.elapsed_ms += 1000;
        give_playlist(w, &w->thief, 1000 + i, 0);
        courier_message(w->courier, "loa/1/keys", &i, sizeof(i), false, &w->now);
    }
    assert_in_range(w->refusals - told, 1, 3);
    assert_in_range(writes(w) - before, 1, 10);
    w->now.elapsed_ms += 3600000;
    told = w->refusals;
    for (int i = 0; i < 2; i++)
        give_playlist(w, &w->thief, 100 + i, 0); /* those are known: nothing to say, nothing to write */
    assert_int_equal(w->refusals, told);
    give_config(w, 3);
    assert_int_equal(playlist_ver(w), 8);
}

static void the_same_forged_document_is_written_once(void **state)
{
    struct world *w = *state;
    begin(w);
    courier_message(w->courier, DEV "playlist", "x.y.z", 5, false, &w->now);
    assert_string_equal(w->reason, "format");
    int before = writes(w), told = w->refusals;
    for (int i = 0; i < 100; i++) {
        w->now.elapsed_ms += 60000;
        courier_message(w->courier, DEV "playlist", "x.y.z", 5, false, &w->now);
    }
    assert_int_equal(w->refusals, told);
    assert_int_equal(writes(w), before);
}

static int count_statement(unsigned event, void *arg, void *statement, void *text)
{
    (void)event, (void)statement, (void)text;
    ++*(int *)arg;
    return 0;
}

/* Each session begins with what the broker retains, and mostly that is what is in force. */
static void what_is_in_force_is_not_looked_into_again(void **state)
{
    struct world *w = *state;
    int statements = 0;
    begin(w);
    give_playlist(w, &w->scheduler, 7, 1);
    sqlite3_trace_v2(vault_db(w->vault), SQLITE_TRACE_STMT, count_statement, &statements);
    give_trust(w, 1, &w->scheduler);
    give_config(w, 1);
    give_playlist(w, &w->scheduler, 7, 1);
    assert_int_equal(statements, 0);
    assert_int_equal(playlist_ver(w), 7);
    w->now.now_ms = 2000001; /* all of it has expired: told once more, it does not come back */
    courier_expire(w->courier, &w->now);
    assert_int_equal(playlist_ver(w), 0);
    give_playlist(w, &w->scheduler, 7, 1);
    assert_int_equal(playlist_ver(w), 0);
    sqlite3_trace_v2(vault_db(w->vault), 0, NULL, NULL);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(nothing_before_the_first_welcome),
        TEST(a_welcome_on_a_disk_that_only_reads),
        TEST(a_strangers_welcome_says_nothing),
        TEST(the_floor_refuses_an_old_world),
        TEST(versions_hold_over_a_restart),
        TEST(an_unknown_key_waits_for_its_trust),
        TEST(a_playlist_waits_for_its_configuration),
        TEST(without_trusted_time_the_old_playlist_stays),
        TEST(a_welcome_is_not_played_back),
        TEST(commands_once_and_in_their_session),
        TEST(what_expires_leaves_force),
        TEST(what_only_a_clock_led_astray_called_expired_comes_back),
        TEST(a_welcome_for_a_clock_led_astray),
        TEST(a_flood_of_forged_documents_wears_out_nothing),
        TEST(the_same_forged_document_is_written_once),
        TEST(what_is_in_force_is_not_looked_into_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
