/* What may go on air, and what is still missing: one playlist, a vault that fills, approvals that hold or not. */
#include "unit.h"

#include "firmware/timetable.h"
#include "playlists/base/file.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *area[] = {"a001"}, *role[] = {"approver"}, *vi[] = {"vi"};

#define HASH_MISSING "00000000000000000000000000000000000000000000000000000000000000aa"

struct world {
    char folder[64];
    uv_loop_t loop;
    struct blobs *blobs;
    struct site site;
    struct signer lan;
    struct person_key person;
    struct keys keys;
    struct trust trust;
    struct authority authority;
    struct config config;
    struct media_ref media;
    struct playlist_bulletin bulletin;
    struct blob_ref approval;
    struct playlist_item item;
    struct playlist playlist;
    char hashes[3][HASH_HEX_LEN + 1];
    char bulletin_bytes[2000];
    char *approval_bytes;
    struct timetable *timetable;
    int refused;
};

static void on_taken(void *arg, const char *hash, int result, const char *why)
{
    (void)arg, (void)hash, (void)result, (void)why;
}

static void on_checked(void *arg, const char *hash, bool whole)
{
    struct world *w = arg;
    (void)whole;
    timetable_blob(w->timetable, hash);
}

static void on_refused(void *arg, const char *about, const char *hash, enum refusal refusal, const char *why)
{
    struct world *w = arg;
    (void)about, (void)hash, (void)refusal, (void)why;
    w->refused++;
}

static void put_blob(struct world *w, const char *hash, const void *data, size_t len)
{
    char path[BLOB_PATH_MAX], *slash;
    blobs_path(w->blobs, hash, path);
    slash = strrchr(path, '/');
    *slash = '\0';
    assert_int_equal(file_make_dir(path, 0700), 0);
    *slash = '/';
    assert_int_equal(file_write_whole(path, data, len, 0600), 0);
    timetable_blob(w->timetable, hash);
}

static void make_approval(struct world *w, int class, const char *in_area)
{
    const char *areas[] = {in_area};
    struct complaint why = {0};
    struct approval approval = {.head = {.aud = "all", .era = 1, .ver = 1, .iat_s = 1, .exp_s = 4000000000},
                                .bulletin = w->hashes[0],
                                .areas = {areas, 1},
                                .class = class,
                                .until_ms = 4000000000000};
    free(w->approval_bytes);
    assert_int_equal(seal_doc(&w->lan, DOC_APPROVAL, &approval, false, &w->approval_bytes, &why), 0);
    strcpy(w->hashes[1], hash_of(w->approval_bytes, strlen(w->approval_bytes)).hex);
    w->approval = (struct blob_ref){.hash = w->hashes[1], .size = (int64_t)strlen(w->approval_bytes)};
}

static void put_contents(struct world *w, struct bulletin_content *contents, size_t n)
{
    struct bulletin bulletin = {.id = "b1",
                                .revision = 1,
                                .title = "t",
                                .category = "c",
                                .answerable = "Mai",
                                .unit = "a001",
                                .class = CLASS_NORMAL,
                                .contents = contents,
                                .n_contents = n};
    struct buf bytes = {0};
    struct complaint why = {0};
    assert_int_equal(bulletin_encode(&bulletin, &bytes, &why), 0);
    snprintf(w->bulletin_bytes, sizeof(w->bulletin_bytes), "%s", buf_text(&bytes));
    strcpy(w->hashes[0], hash_of(bytes.data, bytes.len).hex);
    w->bulletin = (struct playlist_bulletin){
        .hash = w->hashes[0], .size = (int64_t)bytes.len, .approvals = &w->approval, .n_approvals = 1};
    buf_done(&bytes);
}

static void make_bulletin(struct world *w)
{
    struct bulletin_content content = {.lang = "vi", .text = "chào", .audio = &w->media};
    strcpy(w->hashes[2], hash_of("sound", 5).hex);
    w->media = (struct media_ref){.hash = w->hashes[2], .size = 5, .frames = 96000};
    put_contents(w, &content, 1);
}

static void make_authority(struct world *w)
{
    signer_generate(&w->lan);
    w->person = (struct person_key){.kid = w->lan.kid,
                                    .x = w->lan.x,
                                    .person = "lan",
                                    .roles = {role, 1},
                                    .areas = {area, 1},
                                    .class = CLASS_PRIORITY};
    w->keys = (struct keys){.persons = &w->person, .n_persons = 1};
    w->trust = (struct trust){.head = {.era = 1}};
    w->authority = (struct authority){.trust = &w->trust, .keys = &w->keys};
}

static int setup(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));
    struct blobs_events events = {.taken = on_taken, .checked = on_checked};
    struct complaint why = {0};
    strcpy(w->folder, "/tmp/loa-table-XXXXXX");
    if (!mkdtemp(w->folder) || uv_loop_init(&w->loop) < 0)
        return -1;
    if (blobs_new(&w->loop, w->folder, "/nowhere", &events, w, &w->blobs, &why) < 0)
        return -1;
    w->timetable = timetable_new(w->blobs, &w->site, on_refused, w);
    w->config = (struct config){.kind = KIND_CLUSTER, .areas = {area, 1}, .languages = {vi, 1}};
    make_authority(w);
    make_bulletin(w);
    make_approval(w, CLASS_NORMAL, "a001");
    w->item = (struct playlist_item){
        .id = "r1.1000", .start_ms = 1000000, .end_ms = 1100000, .class = CLASS_NORMAL, .late_ms = 60000};
    w->playlist = (struct playlist){.bulletins = &w->bulletin, .n_bulletins = 1, .items = &w->item, .n_items = 1};
    *state = w;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static int teardown(void **state)
{
    struct world *w = *state;
    timetable_free(w->timetable);
    blobs_free(w->blobs);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    uv_loop_close(&w->loop);
    nftw(w->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(w->approval_bytes);
    free(w);
    return 0;
}

static enum reason judged(struct world *w)
{
    size_t n;
    timetable_judge(w->timetable);
    const struct air_item *items = timetable_items(w->timetable, &n);
    assert_int_equal(n, 1);
    return items[0].blocked;
}

static void count_want(void *arg, const struct blob_need *need)
{
    int *n = arg;
    assert_int_equal(need->due_ms, 1000000);
    assert_non_null(need->occurrence);
    *n += !need->here;
}

static int wants(struct world *w, int64_t now_ms)
{
    int n = 0;
    timetable_needs(w->timetable, now_ms, count_want, &n);
    return n;
}

static void waits_until_all_is_here(void **state)
{
    struct world *w = *state;
    timetable_set(w->timetable, &w->playlist, &w->config, &w->authority);
    assert_int_equal(judged(w), REASON_NO_MEDIA);
    assert_int_equal(wants(w, 0), 2); /* the bulletin and its approval; the sound is not known yet */
    put_blob(w, w->hashes[0], w->bulletin_bytes, strlen(w->bulletin_bytes));
    assert_int_equal(judged(w), REASON_NO_MEDIA);
    assert_int_equal(wants(w, 0), 2);
    put_blob(w, w->hashes[1], w->approval_bytes, strlen(w->approval_bytes));
    assert_int_equal(judged(w), REASON_NO_MEDIA);
    put_blob(w, w->hashes[2], "sound", 5);
    assert_int_equal(judged(w), REASON_ON_TIME);
    assert_int_equal(wants(w, 0), 0);
    size_t n;
    assert_int_equal(timetable_items(w->timetable, &n)[0].length_ms, 2000);
}

static void fill(struct world *w)
{
    timetable_set(w->timetable, &w->playlist, &w->config, &w->authority);
    put_blob(w, w->hashes[0], w->bulletin_bytes, strlen(w->bulletin_bytes));
    put_blob(w, w->hashes[1], w->approval_bytes, strlen(w->approval_bytes));
    put_blob(w, w->hashes[2], "sound", 5);
}

static void says_why_it_is_not_approved(void **state)
{
    struct world *w = *state;
    make_approval(w, CLASS_NORMAL, "a777");
    fill(w);
    assert_int_equal(judged(w), REASON_NOT_APPROVED);
    assert_non_null(strstr(timetable_detail(w->timetable, 0), "out_of_scope"));
    w->person.ended = KEY_COMPROMISED;
    w->person.ended_ms = 5;
    timetable_set(w->timetable, &w->playlist, &w->config, &w->authority);
    assert_int_equal(judged(w), REASON_NOT_APPROVED);
    assert_non_null(strstr(timetable_detail(w->timetable, 0), "compromised_key"));
    assert_int_equal(w->refused, 1);
    w->bulletin.n_approvals = 0;
    timetable_set(w->timetable, &w->playlist, &w->config, &w->authority);
    assert_int_equal(judged(w), REASON_NOT_APPROVED);
    assert_non_null(strstr(timetable_detail(w->timetable, 0), "unapproved"));
}

/* Of a playlist that takes the place of another only what is new is judged. */
static void only_what_is_new_is_judged(void **state)
{
    struct world *w = *state;
    struct playlist_item items[2] = {w->item, w->item};
    struct playlist next = w->playlist;
    size_t n;
    fill(w);
    assert_int_equal(judged(w), REASON_ON_TIME);
    items[1].id = "r1.2000";
    items[1].start_ms = 2000000;
    items[1].end_ms = 2100000;
    next.items = items;
    timetable_replace(w->timetable, &next);
    assert_false(timetable_judge(w->timetable));
    assert_int_equal(timetable_items(w->timetable, &n)[0].blocked, REASON_ON_TIME);
    assert_int_equal(timetable_items(w->timetable, &n)[0].length_ms, 2000);
    assert_int_equal(wants(w, 0), 0);
    next.n_items = 2;
    timetable_replace(w->timetable, &next);
    assert_true(timetable_judge(w->timetable));
    assert_int_equal(timetable_items(w->timetable, &n)[1].blocked, REASON_ON_TIME);
    assert_int_equal(n, 2);
    items[0].class = CLASS_PRIORITY; /* more than the bulletin is meant for */
    struct playlist_item other[2] = {items[0], items[1]};
    struct playlist last = next;
    last.items = other;
    items[0].class = CLASS_NORMAL;
    timetable_replace(w->timetable, &last);
    assert_true(timetable_judge(w->timetable));
    assert_int_equal(timetable_items(w->timetable, &n)[0].blocked, REASON_NOT_APPROVED);
    assert_int_equal(timetable_items(w->timetable, &n)[1].blocked, REASON_ON_TIME);
    struct playlist_bulletin unapproved = w->bulletin;
    unapproved.n_approvals = 0;
    next.bulletins = &unapproved;
    timetable_replace(w->timetable, &next);
    assert_true(timetable_judge(w->timetable));
    assert_int_equal(timetable_items(w->timetable, &n)[1].blocked, REASON_NOT_APPROVED);
    timetable_replace(w->timetable, NULL);
    timetable_items(w->timetable, &n);
    assert_int_equal(n, 0);
}

/* To verify an approval costs much; a playlist that comes leaves what was verified as it was, other keys do not. */
static void an_approval_is_verified_once_under_the_same_keys(void **state)
{
    struct world *w = *state;
    struct playlist_item items[2] = {w->item, w->item};
    struct playlist next = w->playlist;
    char path[BLOB_PATH_MAX];
    size_t n;
    items[1].id = "r1.2000";
    items[1].start_ms = 2000000;
    items[1].end_ms = 2100000;
    next.items = items;
    next.n_items = 2;
    fill(w);
    assert_int_equal(judged(w), REASON_ON_TIME);
    blobs_path(w->blobs, w->hashes[1], path);
    assert_int_equal(unlink(path), 0);
    timetable_replace(w->timetable, &next);
    assert_true(timetable_judge(w->timetable));
    assert_int_equal(timetable_items(w->timetable, &n)[1].blocked, REASON_ON_TIME);
    timetable_set(w->timetable, &next, &w->config, &w->authority);
    assert_true(timetable_judge(w->timetable));
    assert_int_equal(timetable_items(w->timetable, &n)[1].blocked, REASON_NO_MEDIA);
    put_blob(w, w->hashes[1], w->approval_bytes, strlen(w->approval_bytes));
    assert_true(timetable_judge(w->timetable));
    assert_int_equal(timetable_items(w->timetable, &n)[1].blocked, REASON_ON_TIME);
}

static void altered_sound_is_blocked_and_wanted(void **state)
{
    struct world *w = *state;
    fill(w);
    assert_int_equal(judged(w), REASON_ON_TIME);
    size_t n;
    timetable_near(w->timetable, 950000, 1000, 0);
    assert_int_equal(timetable_items(w->timetable, &n)[0].blocked, REASON_NO_MEDIA); /* until it was hashed */
    assert_true(timetable_items(w->timetable, &n)[0].unsure && timetable_items(w->timetable, &n)[0].soon);
    timetable_near(w->timetable, 950000, 5999, 0);
    assert_true(timetable_items(w->timetable, &n)[0].soon);
    timetable_near(w->timetable, 950000, 6000, 0); /* a disk that hangs does not hold up the others */
    assert_true(timetable_items(w->timetable, &n)[0].unsure && !timetable_items(w->timetable, &n)[0].soon);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    timetable_judge(w->timetable);
    timetable_near(w->timetable, 950000, 1000, 0);
    assert_int_equal(timetable_items(w->timetable, &n)[0].blocked, REASON_ON_TIME);
    assert_false(timetable_items(w->timetable, &n)[0].unsure || timetable_items(w->timetable, &n)[0].soon);
    char path[BLOB_PATH_MAX];
    blobs_path(w->blobs, w->hashes[2], path);
    assert_int_equal(file_write_whole(path, "sounD", 5, 0600), 0);
    timetable_near(w->timetable, 950000, 1000, 0);
    assert_int_equal(timetable_items(w->timetable, &n)[0].blocked, REASON_NO_MEDIA);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(judged(w), REASON_NO_MEDIA);
    assert_int_equal(wants(w, 0), 1);
    assert_int_equal(wants(w, 2000000), 0); /* the item is over: nothing is wanted for it */
}

static void a_damaged_bulletin_is_fetched_again(void **state)
{
    struct world *w = *state;
    fill(w);
    put_blob(w, w->hashes[0], "{}", 2);
    assert_int_equal(judged(w), REASON_NO_MEDIA);
    assert_int_equal(wants(w, 0), 1);
}

static void a_relay_says_what_is_missing(void **state)
{
    struct world *w = *state;
    fill(w);
    w->item.bulletin = -1;
    w->item.source = "VOV1";
    timetable_set(w->timetable, &w->playlist, &w->config, &w->authority);
    assert_int_equal(judged(w), REASON_NO_MEDIA);
    assert_non_null(strstr(timetable_detail(w->timetable, 0), "VOV1"));
    assert_null(timetable_bulletin_hash(w->timetable, 0));
    assert_int_equal(wants(w, 0), 0);
    timetable_near(w->timetable, 950000, 1000, 0);
    timetable_replace(w->timetable, &w->playlist);
    assert_int_equal(judged(w), REASON_NO_MEDIA);
    struct arena *arena = arena_new();
    struct bulletin *bulletin;
    struct programme programme;
    assert_int_equal(timetable_programme(w->timetable, 0, arena, &bulletin, &programme), -ENOENT);
    arena_free(arena);
}

/* A language that an item leaves out is not waited for. */
static void an_item_may_leave_out_languages(void **state)
{
    struct world *w = *state;
    static const char *both[] = {"vi", "en"}, *en[] = {"en"}, *zh[] = {"zh"};
    struct media_ref missing = {.hash = HASH_MISSING, .size = 7, .frames = 48000};
    struct bulletin_content contents[] = {{.lang = "vi", .audio = &w->media}, {.lang = "en", .audio = &missing}};
    size_t n;
    put_contents(w, contents, 2);
    make_approval(w, CLASS_NORMAL, "a001");
    w->config.languages = (struct texts){both, 2};
    fill(w);
    assert_int_equal(judged(w), REASON_NO_MEDIA);
    assert_int_equal(timetable_items(w->timetable, &n)[0].length_ms, 3000);
    w->item.languages = (struct texts){vi, 1};
    timetable_set(w->timetable, &w->playlist, &w->config, &w->authority);
    assert_int_equal(judged(w), REASON_ON_TIME);
    assert_int_equal(timetable_items(w->timetable, &n)[0].length_ms, 2000);
    w->item.languages = (struct texts){en, 1};
    timetable_set(w->timetable, &w->playlist, &w->config, &w->authority);
    assert_int_equal(judged(w), REASON_NO_MEDIA);
    assert_int_equal(timetable_items(w->timetable, &n)[0].length_ms, 1000);
    w->item.languages = (struct texts){zh, 1}; /* the bulletin has none of these: all of the device's */
    timetable_set(w->timetable, &w->playlist, &w->config, &w->authority);
    assert_int_equal(judged(w), REASON_NO_MEDIA);
    assert_int_equal(timetable_items(w->timetable, &n)[0].length_ms, 3000);
}

static void without_config_there_is_no_timetable(void **state)
{
    struct world *w = *state;
    size_t n = 7;
    timetable_set(w->timetable, &w->playlist, NULL, &w->authority);
    timetable_items(w->timetable, &n);
    assert_int_equal(n, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(waits_until_all_is_here),
        TEST(says_why_it_is_not_approved),
        TEST(only_what_is_new_is_judged),
        TEST(an_approval_is_verified_once_under_the_same_keys),
        TEST(altered_sound_is_blocked_and_wanted),
        TEST(a_damaged_bulletin_is_fetched_again),
        TEST(a_relay_says_what_is_missing),
        TEST(an_item_may_leave_out_languages),
        TEST(without_config_there_is_no_timetable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
