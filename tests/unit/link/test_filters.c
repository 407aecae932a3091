/* The subscriptions of a session against a model: random wants, drops, packets, answers and lost connections. */
#include "unit.h"

#include "playlists/link/filters.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { NAMES = 150, STEPS = 20000, PACKETS_MAX = 64, MAX = 120 };

struct model {
    bool wanted[NAMES], acked[NAMES];
};

struct packet {
    int mid, n;
    int names[FILTERS_BATCH_MAX];
    bool void_of[FILTERS_BATCH_MAX]; /* asked for again, or dropped, since */
};

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static void name_of(int i, char ret[32])
{
    snprintf(ret, 32, "loa/1/dev/box-%d/state", i);
}

static void forget_in_packets(struct packet *packets, int n, int name)
{
    for (int p = 0; p < n; p++)
        for (int i = 0; i < packets[p].n; i++)
            if (packets[p].names[i] == name)
                packets[p].void_of[i] = true;
}

static void assert_same(struct filters *filters, const struct model *model)
{
    size_t waiting = 0;
    for (int i = 0; i < NAMES; i++)
        waiting += model->wanted[i] && !model->acked[i];
    assert_int_equal(filters_waiting(filters), waiting);
}

static void test_random_lives(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 20; seed++) {
        struct filters *filters = filters_new();
        struct model model = {0};
        struct packet packets[PACKETS_MAX];
        int n_packets = 0, mid = 0;
        uint32_t dice = seed;
        size_t wanted = 0;
        for (int step = 0; step < STEPS; step++) {
            char name[32];
            int i = (int)(next_random(&dice) % NAMES);
            name_of(i, name);
            switch (next_random(&dice) % 8) {
            case 0:
            case 1:
            case 2: { /* wanted */
                bool known = filters_find(filters, name);
                int r = filters_want(filters, name, MAX);
                if (r < 0) {
                    assert_false(known);
                    assert_int_equal(r, ERR_LIMIT);
                    break;
                }
                wanted += !model.wanted[i];
                model.wanted[i] = true;
                model.acked[i] = false;
                forget_in_packets(packets, n_packets, i);
                break;
            }
            case 3: /* dropped */
                if (model.wanted[i]) {
                    filters_drop(filters, filters_find(filters, name));
                    model.wanted[i] = model.acked[i] = false;
                    wanted--;
                }
                break;
            case 4:
            case 5: { /* a packet leaves, unless the pipe is full */
                char *texts[FILTERS_BATCH_MAX];
                int n = n_packets < PACKETS_MAX ? filters_take(filters, texts) : 0;
                if (n == 0)
                    break;
                struct packet *packet = &packets[n_packets++];
                *packet = (struct packet){.mid = ++mid, .n = n};
                for (int k = 0; k < n; k++)
                    assert_int_equal(sscanf(texts[k], "loa/1/dev/box-%d/state", &packet->names[k]), 1);
                filters_asked(filters, mid);
                break;
            }
            case 6: /* an answer, not always to the oldest */
                if (n_packets > 0) {
                    int p = (int)(next_random(&dice) % (unsigned)n_packets);
                    int granted[FILTERS_BATCH_MAX] = {0};
                    assert_null(filters_answered(filters, packets[p].mid, granted, packets[p].n));
                    for (int k = 0; k < packets[p].n; k++)
                        if (!packets[p].void_of[k] && model.wanted[packets[p].names[k]])
                            model.acked[packets[p].names[k]] = true;
                    packets[p] = packets[--n_packets];
                }
                break;
            default: /* the connection is lost, now and then */
                if (next_random(&dice) % 20 == 0) {
                    filters_begin_anew(filters);
                    memset(model.acked, 0, sizeof(model.acked));
                    n_packets = 0;
                    assert_int_equal(filters_count(filters), wanted);
                }
                break;
            }
            assert_same(filters, &model);
        }
        filters_free(filters);
    }
}

static void test_refused_is_named_and_asked_again(void **state)
{
    (void)state;
    struct filters *filters = filters_new();
    char *texts[FILTERS_BATCH_MAX];
    assert_int_equal(filters_want(filters, "a", 2), 0);
    assert_int_equal(filters_want(filters, "b", 2), 0);
    assert_int_equal(filters_want(filters, "c", 2), ERR_LIMIT);
    assert_int_equal(filters_take(filters, texts), 2);
    filters_asked(filters, 7);
    assert_int_equal(filters_take(filters, texts), 0);
    const int granted[] = {1, 0x80};
    assert_null(filters_answered(filters, 8, granted, 2)); /* no such packet */
    assert_string_equal(filters_answered(filters, 7, granted, 2), "b");
    assert_int_equal(filters_waiting(filters), 1);
    assert_int_equal(filters_take(filters, texts), 1);
    assert_string_equal(texts[0], "b");
    filters_free(filters);
}

static void test_many(void **state)
{
    (void)state;
    enum { MANY = 100000 };
    struct filters *filters = filters_new();
    char *texts[FILTERS_BATCH_MAX], name[32];
    for (int i = 0; i < MANY; i++) {
        name_of(i, name);
        assert_int_equal(filters_want(filters, name, MANY), 0);
    }
    int mid = 0, asked = 0;
    for (int n; (n = filters_take(filters, texts)) > 0; asked += n)
        filters_asked(filters, ++mid);
    assert_int_equal(asked, MANY);
    const int granted[FILTERS_BATCH_MAX] = {0};
    for (int k = 1; k <= mid; k++)
        assert_null(filters_answered(filters, k, granted, FILTERS_BATCH_MAX));
    assert_int_equal(filters_waiting(filters), 0);
    assert_int_equal(filters_count(filters), MANY);
    filters_free(filters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_lives),
        cmocka_unit_test(test_refused_is_named_and_asked_again),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
