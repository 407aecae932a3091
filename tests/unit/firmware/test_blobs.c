/* What comes from the spool becomes a file of the vault's own, or nothing. */
#include "unit.h"

#include "firmware/blobs.h"
#include "playlists/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT "xin chào"

struct world {
    uv_loop_t loop;
    char folder[64], vault[80], spool[80];
    struct blobs *blobs;
    struct hash hash; /* of TEXT */
    int taken, result;
};

static void on_taken(void *arg, const char *hash, int result, const char *why)
{
    struct world *w = arg;
    assert_string_equal(hash, w->hash.hex);
    assert_true(result == 0 || why[0]);
    w->taken++;
    w->result = result;
}

static void on_checked(void *arg, const char *hash, bool whole)
{
    (void)arg, (void)hash, (void)whole;
}

static int setup(void **state)
{
    static const struct blobs_events events = {.taken = on_taken, .checked = on_checked};
    struct world *w = xcalloc(1, sizeof(*w));
    struct complaint why = {0};
    strcpy(w->folder, "/tmp/loa-blobs-XXXXXX");
    if (!mkdtemp(w->folder) || uv_loop_init(&w->loop) < 0)
        return -1;
    snprintf(w->vault, sizeof(w->vault), "%s/vault", w->folder);
    snprintf(w->spool, sizeof(w->spool), "%s/spool", w->folder);
    w->hash = hash_of(TEXT, strlen(TEXT));
    if (mkdir(w->spool, 0700) < 0 || blobs_new(&w->loop, w->vault, w->spool, &events, w, &w->blobs, &why) < 0)
        return -1;
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    char command[100];
    blobs_free(w->blobs);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    snprintf(command, sizeof(command), "rm -r %s", w->folder);
    int r = uv_loop_close(&w->loop) + system(command);
    free(w);
    return r;
}

static void spooled(const struct world *w, const char *name, char ret[200])
{
    snprintf(ret, 200, "%s/%s", w->spool, name);
}

static void put(const struct world *w, const char *name, const char *text)
{
    char path[200];
    spooled(w, name, path);
    assert_int_equal(file_write_whole(path, text, strlen(text), 0600), 0);
}

static int take(struct world *w)
{
    int before = w->taken;
    blobs_take(w->blobs, w->hash.hex, (int64_t)strlen(TEXT));
    blobs_take(w->blobs, w->hash.hex, (int64_t)strlen(TEXT)); /* one more while it is under way */
    uv_run(&w->loop, UV_RUN_DEFAULT);
    assert_int_equal(w->taken, before + 1);
    return w->result;
}

static void refused(struct world *w)
{
    char path[BLOB_PATH_MAX], temp[BLOB_PATH_MAX + 8], from[200];
    struct stat st;
    blobs_path(w->blobs, w->hash.hex, path);
    snprintf(temp, sizeof(temp), "%s.new", path);
    spooled(w, w->hash.hex, from);
    assert_true(take(w) < 0);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(access(temp, F_OK), -1);
    assert_int_equal(lstat(from, &st), -1);
}

static void who_holds_the_source_cannot_change_the_blob(void **state)
{
    struct world *w = *state;
    char from[200], path[BLOB_PATH_MAX];
    struct stat before, after;
    struct buf text = {0};
    spooled(w, w->hash.hex, from);
    blobs_path(w->blobs, w->hash.hex, path);
    put(w, w->hash.hex, TEXT);
    int held = open(from, O_WRONLY);
    assert_true(held >= 0);
    assert_int_equal(fstat(held, &before), 0);
    assert_int_equal(take(w), 0);
    assert_int_equal(pwrite(held, "X", 1, 0), 1);
    assert_int_equal(close(held), 0);
    assert_int_equal(stat(path, &after), 0);
    assert_true(before.st_ino != after.st_ino);
    assert_int_equal(after.st_mode & 07777, 0600);
    assert_int_equal(blobs_read(w->blobs, w->hash.hex, 100, &text), 0);
    assert_int_equal(text.len, strlen(TEXT));
    buf_done(&text);
    assert_int_equal(access(from, F_OK), -1);
}

static void what_is_not_its_hash_is_refused(void **state)
{
    struct world *w = *state;
    put(w, w->hash.hex, "xin chàO");
    refused(w);
    assert_int_equal(w->result, ERR_HASH);
    put(w, w->hash.hex, TEXT " và nhiều hơn");
    refused(w);
    assert_int_equal(w->result, ERR_HASH);
    put(w, w->hash.hex, "");
    refused(w);
    refused(w); /* nothing there at all */
    assert_int_equal(w->result, -ENOENT);
}

static void only_a_plain_file_is_opened(void **state)
{
    struct world *w = *state;
    char from[200], other[200];
    spooled(w, w->hash.hex, from);
    snprintf(other, sizeof(other), "%s/other", w->folder);
    assert_int_equal(file_write_whole(other, TEXT, strlen(TEXT), 0600), 0);
    assert_int_equal(symlink(other, from), 0);
    refused(w);
    assert_int_equal(w->result, -ELOOP);
    assert_int_equal(access(other, F_OK), 0);
    assert_int_equal(mkfifo(from, 0600), 0); /* nobody writes: opening it must not wait */
    refused(w);
}

static void remains_of_a_power_cut_do_no_harm(void **state)
{
    struct world *w = *state;
    char path[BLOB_PATH_MAX], temp[BLOB_PATH_MAX + 8];
    blobs_path(w->blobs, w->hash.hex, path);
    snprintf(temp, sizeof(temp), "%s.new", path);
    put(w, w->hash.hex, TEXT);
    *strrchr(path, '/') = '\0';
    assert_int_equal(file_make_dir(path, 0700), 0);
    assert_int_equal(file_write_whole(temp, "half", 4, 0600), 0);
    assert_int_equal(take(w), 0);
    assert_int_equal(access(temp, F_OK), -1);
}

static void what_is_read_is_a_plain_file_or_lost(void **state)
{
    struct world *w = *state;
    char path[BLOB_PATH_MAX];
    struct buf text = {0};
    put(w, w->hash.hex, TEXT);
    assert_int_equal(take(w), 0);
    blobs_path(w->blobs, w->hash.hex, path);
    assert_int_equal(truncate(path, 0), 0); /* as many a file system leaves it after a power cut */
    assert_int_equal(blobs_read(w->blobs, w->hash.hex, 100, &text), ERR_HASH);
    assert_int_equal(mkfifo(path, 0600), 0); /* the damaged one is gone; nobody writes to this one */
    assert_int_equal(blobs_read(w->blobs, w->hash.hex, 100, &text), ERR_HASH);
    assert_int_equal(blobs_read(w->blobs, w->hash.hex, 100, &text), -ENOENT);
    assert_int_equal(text.len, 0);
    buf_done(&text);
}

static void discards_by_hash_only(void **state)
{
    struct world *w = *state;
    char from[200], outside[200];
    spooled(w, w->hash.hex, from);
    snprintf(outside, sizeof(outside), "%s/keep", w->folder);
    assert_int_equal(file_write_whole(outside, TEXT, strlen(TEXT), 0600), 0);
    put(w, w->hash.hex, TEXT);
    blobs_discard(w->blobs, w->hash.hex);
    assert_int_equal(access(from, F_OK), -1);
    blobs_discard(w->blobs, "../keep");
    assert_int_equal(access(outside, F_OK), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(who_holds_the_source_cannot_change_the_blob),
        TEST(what_is_not_its_hash_is_refused),
        TEST(only_a_plain_file_is_opened),
        TEST(what_is_read_is_a_plain_file_or_lost),
        TEST(remains_of_a_power_cut_do_no_harm),
        TEST(discards_by_hash_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
