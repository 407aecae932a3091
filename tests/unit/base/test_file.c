/* file.h: whole or absent. */
#include "unit.h"

#include "playlists/base/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/loa-test-file-XXXXXX";

static char *at(const char *name)
{
    return xasprintf("%s/%s", dir, name);
}

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int drop_dir(void **state)
{
    (void)state;
    const char *names[] = {"a", "b", "deep/er", "deep"};
    for (size_t i = 0; i < 4; i++) {
        char *path = at(names[i]);
        remove(path);
        free(path);
    }
    return rmdir(dir);
}

static void a_file_is_replaced_whole(void **state)
{
    (void)state;
    char *path = at("a");
    assert_int_equal(file_write_whole(path, "one", 3, 0600), 0);
    assert_int_equal(file_write_whole(path, "second", 6, 0640), 0);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    struct buf b = {0};
    assert_int_equal(file_read_whole(path, 6, &b), 0);
    assert_memory_equal(b.data, "second", 6);
    assert_int_equal(file_read_whole(path, 5, &b), -EFBIG);
    buf_done(&b);
    char *temp = at("a.new");
    assert_int_equal(access(temp, F_OK), -1);
    free(temp);
    free(path);
}

static void a_failed_write_leaves_the_old_file(void **state)
{
    (void)state;
    char *path = at("a");
    char *temp = at("a.new");
    assert_int_equal(mkdir(temp, 0700), 0); /* the temporary cannot be opened */
    assert_true(file_write_whole(path, "third", 5, 0600) < 0);
    assert_int_equal(rmdir(temp), 0);
    struct buf b = {0};
    assert_int_equal(file_read_whole(path, 100, &b), 0);
    assert_int_equal(b.len, 6);
    buf_done(&b);
    free(temp);
    free(path);
}

static void moving_and_hashing(void **state)
{
    (void)state;
    char *from = at("a"), *to = at("b");
    assert_int_equal(file_move(from, to), 0);
    assert_int_equal(file_move(from, to), -ENOENT);
    struct hash h, expected = hash_of("second", 6);
    uint64_t size;
    assert_int_equal(hash_of_file(to, 6, &h, &size), 0);
    assert_true(hash_equal(&h, &expected));
    assert_int_equal(size, 6);
    assert_int_equal(hash_of_file(to, 5, &h, &size), -EFBIG);
    free(from);
    free(to);
}

/* What was synced, by number. */
static ino_t synced[8];
static size_t n_synced;

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    struct stat st;
    if (fstat(fd, &st) == 0 && n_synced < 8)
        synced[n_synced++] = st.st_ino;
    return __real_fsync(fd);
}

static bool was_synced(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    for (size_t i = 0; i < n_synced; i++)
        if (synced[i] == st.st_ino)
            return true;
    return false;
}

static void the_name_of_a_folder_is_safe(void **state)
{
    (void)state;
    char *deep = at("deep/er"), *above = at("deep");
    n_synced = 0;
    assert_int_equal(file_make_dir(deep, 0700), 0);
    assert_true(was_synced(dir) && was_synced(above));
    n_synced = 0; /* whoever made it may have died before its name was safe */
    assert_int_equal(file_make_dir(deep, 0700), 0);
    assert_true(was_synced(above));
    free(above);
    free(deep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_replaced_whole),
        cmocka_unit_test(a_failed_write_leaves_the_old_file),
        cmocka_unit_test(moving_and_hashing),
        cmocka_unit_test(the_name_of_a_folder_is_safe),
    };
    return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
