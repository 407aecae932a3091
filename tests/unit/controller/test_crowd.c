/* What the fleet decides by: how much one device may cost, whose welcome is next, which vaults speak. */
#include "unit.h"

#include "controller/allowance.h"
#include "controller/guests.h"
#include "controller/vaults.h"
#include "controller/welcome.h"
#include "playlists/base/bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void a_flood_is_told_once_and_others_are_not_touched(void **state)
{
    struct allowance flooding = {0}, quiet = {0};
    int taken = 0, floods = 0;
    (void)state;
    for (int64_t ms = 1; ms <= 30000; ms++) /* 5 words a millisecond, 30 s long */
        for (int k = 0; k < 5; k++) {
            enum allowance_verdict verdict = allowance_take(&flooding, 900, ms);
            taken += verdict == ALLOWANCE_TAKE;
            floods += verdict == ALLOWANCE_FLOOD;
        }
    assert_in_range(taken, ALLOWANCE_FULL, ALLOWANCE_FULL + 31 * ALLOWANCE_PER_S);
    assert_int_equal(floods, 1);
    assert_int_equal(allowance_take(&quiet, 900, 30000), ALLOWANCE_TAKE);
    /* Calm again for a minute: the next flood is another one. */
    int64_t later_ms = 30000 + ALLOWANCE_CALM_MS + 1;
    assert_int_equal(allowance_take(&flooding, 900, later_ms), ALLOWANCE_TAKE);
    while (allowance_take(&flooding, 900, later_ms) == ALLOWANCE_TAKE)
        ;
    assert_int_equal(flooding.dropped, 1);
}

static void long_words_and_long_work_cost_more(void **state)
{
    struct allowance allowance = {0};
    int taken = 0;
    (void)state;
    while (allowance_take(&allowance, 64 * 1024, 1) == ALLOWANCE_TAKE)
        taken++;
    assert_int_equal(taken, ALLOWANCE_FULL / 65);
    struct allowance slow = {0};
    for (taken = 0; allowance_take(&slow, 100, 1) == ALLOWANCE_TAKE; taken++)
        allowance_charge(&slow, 11);
    assert_in_range(taken, ALLOWANCE_FULL / 11, ALLOWANCE_FULL / 11 + 1);
}

/* A box with 100,000 receipts in its outbox sends at most 20 a second, and its states: nothing is dropped. */
static void an_outbox_that_is_emptied_fits(void **state)
{
    struct allowance allowance = {0};
    (void)state;
    for (int64_t i = 0; i < 100000; i++)
        assert_int_equal(allowance_take(&allowance, 1500, 1 + i * 1000 / 60), ALLOWANCE_TAKE);
}

static void the_first_due_is_first_however_they_move(void **state)
{
    enum { N = 3000 };
    struct guests *guests = guests_new();
    struct guest *all[N];
    int64_t due[N] = {0};
    char id[16];
    (void)state;
    uint32_t seed = 7;
    for (int i = 0; i < N; i++) {
        snprintf(id, sizeof(id), "dev-%d", i);
        all[i] = guests_get(guests, id);
        assert_string_equal(all[i]->id, id);
    }
    for (int step = 0; step < 20000; step++) {
        seed = seed * 1664525 + 1013904223;
        int i = (int)(seed >> 8) % N;
        seed = seed * 1664525 + 1013904223;
        due[i] = seed >> 30 == 0 ? 0 : 1 + (int64_t)(seed >> 8);
        guests_due(guests, all[i], due[i]);
    }
    int64_t last = 0;
    int left = 0;
    for (int i = 0; i < N; i++)
        left += due[i] != 0;
    for (struct guest *first; (first = guests_first(guests)) != NULL; left--) {
        assert_true(first->welcome_at_ms >= last);
        last = first->welcome_at_ms;
        guests_due(guests, first, 0);
    }
    assert_int_equal(left, 0);
    assert_ptr_equal(guests_get(guests, "dev-17"), all[17]);
    guests_free(guests);
}

/* --- vaults --- */

struct told {
    struct vault_row rows[VAULTS_MAX];
    size_t n;
    char current[68];
};

static struct vault_verdict tell(struct told *t, const char *store, const char *nonce, int64_t ver)
{
    struct vault_state s = {.store = store, .kid = "kid", .nonce = nonce, .era = 1, .ver = ver};
    struct vault_verdict verdict = vault_judge(t->rows, t->n, t->current, &s);
    if (verdict.order != VAULT_NEWER)
        return verdict;
    if (verdict.at == t->n)
        t->rows[t->n++] = (struct vault_row){0};
    vault_follow(&t->rows[verdict.at], &s, ver);
    snprintf(t->current, sizeof(t->current), "%s", nonce);
    return verdict;
}

static void one_box_is_never_twins(void **state)
{
    struct told t = {0};
    char nonce[16];
    (void)state;
    for (int64_t i = 0; i < 40; i++) {
        snprintf(nonce, sizeof(nonce), "n%d", (int)i / 4);
        struct vault_verdict v = tell(&t, "a", nonce, 1000 + i);
        assert_int_equal(v.order, VAULT_NEWER);
        assert_false(v.twins || v.changed);
        assert_int_equal(v.same_session, i % 4 != 0);
    }
    assert_int_equal(tell(&t, "a", "n9", 1039).order, VAULT_SAME);
    assert_int_equal(tell(&t, "a", "n3", 1015).order, VAULT_OLD); /* brought once more by a hostile broker */
    assert_int_equal(t.n, 1);
}

static void a_new_card_is_told_once(void **state)
{
    struct told t = {0};
    (void)state;
    tell(&t, "a", "n1", 5000);
    /* Its clock is in 1970: its versions are lower, and it is heard nevertheless. */
    struct vault_verdict v = tell(&t, "b", "n2", 7);
    assert_int_equal(v.order, VAULT_NEWER);
    assert_true(v.changed && !v.twins);
    assert_string_equal(v.other, "a");
    v = tell(&t, "b", "n2", 8);
    assert_false(v.changed || v.twins);
    v = tell(&t, "b", "n3", 9);
    assert_false(v.changed || v.twins);
    assert_int_equal(tell(&t, "a", "n1", 5000).order, VAULT_SAME);
    assert_int_equal(tell(&t, "a", "n1", 4000).order, VAULT_OLD);
}

static void twins_are_seen_when_the_first_goes_on(void **state)
{
    struct told t = {0};
    (void)state;
    tell(&t, "a", "n1", 1000);
    assert_true(tell(&t, "b", "n2", 1001).changed);
    struct vault_verdict v = tell(&t, "a", "n1", 1002);
    assert_true(v.twins && !v.changed);
    assert_string_equal(v.other, "b");
    /* The same store id in both: a session that was followed by another one goes on. */
    struct told same = {0};
    tell(&same, "a", "n1", 1000);
    assert_false(tell(&same, "a", "n2", 1001).twins);
    v = tell(&same, "a", "n1", 1002);
    assert_true(v.twins);
    assert_string_equal(v.other, "a");
    assert_true(tell(&same, "a", "n2", 1003).twins);
}

static void another_box_begins_anew(void **state)
{
    struct told t = {0};
    (void)state;
    tell(&t, "a", "n1", 1000);
    struct vault_state s = {.store = "b", .kid = "other", .nonce = "n2", .era = 1, .ver = 1};
    struct vault_verdict v = vault_judge(t.rows, t.n, t.current, &s);
    assert_int_equal(v.order, VAULT_NEWER);
    assert_false(v.changed || v.twins);
}

static void a_life_that_could_not_write_is_a_stray(void **state)
{
    struct told t = {0};
    (void)state;
    tell(&t, "a", "n1", 1000);
    tell(&t, "a", "n2", 1001);
    /* The next life counts from where the last one did, or by a clock in 1970: a session that nobody knows. */
    const int64_t versions[] = {1001, 1000, 7};
    for (size_t i = 0; i < 3; i++) {
        struct vault_state s = {.store = "a", .kid = "kid", .nonce = "n3", .era = 1, .ver = versions[i]};
        struct vault_verdict v = vault_judge(t.rows, t.n, t.current, &s);
        assert_true(v.order != VAULT_NEWER && v.stray && !v.twins && !v.changed);
    }
    /* What was heard already, said once more, is not, and neither is what will be stored. */
    const struct vault_state known[] = {{.store = "a", .kid = "kid", .nonce = "n1", .era = 1, .ver = 1000},
                                        {.store = "a", .kid = "kid", .nonce = "n2", .era = 1, .ver = 1001},
                                        {.store = "a", .kid = "kid", .nonce = "n3", .era = 1, .ver = 1002}};
    for (size_t i = 0; i < 3; i++)
        assert_false(vault_judge(t.rows, t.n, t.current, &known[i]).stray);
}

static void the_window_grows_with_the_fleet(void **state)
{
    (void)state;
    assert_int_equal(welcome_spread_s(0), 5);
    assert_int_equal(welcome_spread_s(1000), 5);
    assert_int_equal(welcome_spread_s(10000), 45);
    assert_int_equal(welcome_spread_s(100000), 454);
    assert_int_equal(welcome_spread_s(INT64_MAX), 3600);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flood_is_told_once_and_others_are_not_touched),
        cmocka_unit_test(long_words_and_long_work_cost_more),
        cmocka_unit_test(an_outbox_that_is_emptied_fits),
        cmocka_unit_test(the_first_due_is_first_however_they_move),
        cmocka_unit_test(the_window_grows_with_the_fleet),
        cmocka_unit_test(one_box_is_never_twins),
        cmocka_unit_test(a_new_card_is_told_once),
        cmocka_unit_test(twins_are_seen_when_the_first_goes_on),
        cmocka_unit_test(another_box_begins_anew),
        cmocka_unit_test(a_life_that_could_not_write_is_a_stray),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
