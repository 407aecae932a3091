/* Whatever the clock says, the session bounds how late it can be: by chance, LOA_SEED for another. */
#include "unit.h"

#include "seed.h"

#include "firmware/nonce.h"

enum { SESSIONS = 5000, WELCOMES = 20, LIFE_S = 600 };
#define T0 INT64_C(1782882000000)

/* By how much the clock is wrong: not, by seconds, hours, or years. */
static int64_t error_ms(void)
{
    static const int64_t spans_ms[] = {1, 5000, 86400000, INT64_C(630000000000)};
    return seed_between(0, spans_ms[seed_between(0, 4)]) * (seed_between(0, 2) ? 1 : -1);
}

static struct welcome sealed_at(int64_t time_ms, const char *quoted, int64_t ver)
{
    return (struct welcome){.head = {.era = 1, .ver = ver, .iat_s = time_ms / 1000, .exp_s = time_ms / 1000 + LIFE_S},
                            .nonce = quoted};
}

static bool expired(struct nonce *nonce, const struct welcome *welcome, int64_t clock_ms, int64_t elapsed_ms)
{
    return nonce_moment_ms(nonce, DOC_WELCOME, welcome, clock_ms, elapsed_ms) >= welcome->head.exp_s * 1000;
}

/* True time is T0 + elapsed. The first welcome is sealed a while after the session began; each takes a while to come.
 */
static void one_session(void)
{
    struct nonce nonce;
    int64_t elapsed_ms = seed_between(0, 1000000), began_ms = elapsed_ms,
            first_ms = seed_between(0, 2) ? seed_between(0, 3000) : seed_between(0, 300000);
    nonce_begin(&nonce, "this", began_ms);
    for (int i = 0; i < WELCOMES; i++) {
        elapsed_ms += i == 0 ? first_ms : seed_between(0, 600000);
        struct welcome welcome = sealed_at(T0 + elapsed_ms, "this", i + 1);
        elapsed_ms += seed_between(0, 3) ? seed_between(0, 2000) : seed_between(0, 900000);
        int64_t true_ms = T0 + elapsed_ms, clock_ms = true_ms + error_ms(), exp_ms = welcome.head.exp_s * 1000;
        bool refused = expired(&nonce, &welcome, clock_ms, elapsed_ms);
        if (clock_ms >= true_ms && true_ms >= exp_ms)
            assert_true(refused); /* what has expired is never taken for a clock that runs ahead */
        if (clock_ms < exp_ms || true_ms + first_ms + 1000 < exp_ms)
            assert_false(refused); /* what is good is taken, wherever the clock is */
        if (!refused)
            nonce_welcomed(&nonce, &welcome);
    }
}

static void however_far_a_clock_was_led_astray(void **state)
{
    (void)state;
    for (int i = 0; i < SESSIONS; i++)
        one_session();
}

static void what_quotes_no_session_is_judged_by_the_clock(void **state)
{
    (void)state;
    struct nonce nonce;
    struct welcome other = sealed_at(T0, "other", 1), none = sealed_at(T0, "", 1);
    struct config config = {.head = {.iat_s = T0 / 1000}};
    nonce_begin(&nonce, "this", 0);
    assert_false(nonce_quoted(&nonce, DOC_WELCOME, &other));
    assert_false(nonce_quoted(&nonce, DOC_CONFIG, &config));
    assert_int_equal(nonce_moment_ms(&nonce, DOC_WELCOME, &other, 2 * T0, 1), 2 * T0);
    assert_int_equal(nonce_moment_ms(&nonce, DOC_CONFIG, &config, 2 * T0, 1), 2 * T0);
    nonce_begin(&nonce, "", 0); /* it has ended */
    assert_false(nonce_quoted(&nonce, DOC_WELCOME, &none));
}

int main(void)
{
    seed_begin();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(however_far_a_clock_was_led_astray),
        cmocka_unit_test(what_quotes_no_session_is_judged_by_the_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
