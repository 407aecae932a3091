/* The subscriptions of a session against a model: random wants, drops, packets, answers and lost connections. */
#include "unit.h"

#include "playlists/link/filters.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { NAMES = 150, STEPS = 20000, PACKETS_MAX = 64, MAX = 120 };

struct packet {
    int mid, n;
    int names[FILTERS_BATCH_MAX];
    bool void_of[FILTERS_BATCH_MAX]; /* asked for again, or dropped, since */
};

struct model {
    struct filters *filters; /* under test */
    bool wanted[NAMES], acked[NAMES];
    size_t n_wanted;
    struct packet packets[PACKETS_MAX]; /* not answered yet */
    int n_packets, mid;
    uint32_t dice;
};

static unsigned roll(struct model *m, unsigned sides)
{
    m->dice = m->dice * 1664525u + 1013904223u;
    return (m->dice >> 8) % sides;
}

static void name_of(int i, char ret[32])
{
    snprintf(ret, 32, "loa/1/dev/box-%d/state", i);
}

static void want(struct model *m, int i, const char *name)
{
    bool known = filters_find(m->filters, name);
    int r = filters_want(m->filters, name, i % 2, MAX) /* every other one is brief */;
    if (r < 0) {
        assert_false(known);
        assert_int_equal(r, ERR_LIMIT);
        return;
    }
    m->n_wanted += !m->wanted[i];
    m->wanted[i] = true;
    m->acked[i] = false;
    for (int p = 0; p < m->n_packets; p++)
        for (int k = 0; k < m->packets[p].n; k++)
            if (m->packets[p].names[k] == i)
                m->packets[p].void_of[k] = true;
}

static void drop(struct model *m, int i, const char *name)
{
    if (!m->wanted[i])
        return;
    filters_drop(m->filters, filters_find(m->filters, name));
    m->wanted[i] = m->acked[i] = false;
    m->n_wanted--;
}

static void send_packet(struct model *m)
{
    char *texts[FILTERS_BATCH_MAX];
    bool brief;
    int n = m->n_packets < PACKETS_MAX ? filters_take(m->filters, texts, &brief) : 0;
    if (n == 0)
        return;
    struct packet *packet = &m->packets[m->n_packets++];
    *packet = (struct packet){.mid = ++m->mid, .n = n};
    for (int k = 0; k < n; k++) {
        assert_int_equal(sscanf(texts[k], "loa/1/dev/box-%d/state", &packet->names[k]), 1);
        assert_int_equal(packet->names[k] % 2, brief);
    }
    filters_asked(m->filters, m->mid);
}

/* Not always to the oldest. */
static void answer(struct model *m)
{
    if (m->n_packets == 0)
        return;
    struct packet *packet = &m->packets[roll(m, (unsigned)m->n_packets)];
    const int granted[FILTERS_BATCH_MAX] = {0};
    assert_null(filters_answered(m->filters, packet->mid, granted, packet->n));
    for (int k = 0; k < packet->n; k++)
        if (!packet->void_of[k] && m->wanted[packet->names[k]])
            m->acked[packet->names[k]] = true;
    *packet = m->packets[--m->n_packets];
}

static void lose_connection(struct model *m)
{
    filters_begin_anew(m->filters);
    memset(m->acked, 0, sizeof(m->acked));
    m->n_packets = 0;
    for (int i = 1; i < NAMES; i += 2) {
        m->n_wanted -= m->wanted[i];
        m->wanted[i] = false;
    }
    assert_int_equal(filters_count(m->filters), m->n_wanted);
}

static void step(struct model *m)
{
    char name[32];
    int i = (int)roll(m, NAMES);
    name_of(i, name);
    unsigned what = roll(m, 160);
    if (what < 60)
        want(m, i, name);
    else if (what < 80)
        drop(m, i, name);
    else if (what < 120)
        send_packet(m);
    else if (what < 159)
        answer(m);
    else
        lose_connection(m);
    size_t waiting = 0;
    for (int k = 0; k < NAMES; k++)
        waiting += m->wanted[k] && !m->acked[k];
    assert_int_equal(filters_waiting(m->filters), waiting);
}

static void test_random_lives(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 20; seed++) {
        struct model model = {.filters = filters_new(), .dice = seed};
        for (int i = 0; i < STEPS; i++)
            step(&model);
        filters_free(model.filters);
    }
}

static void test_refused_is_named_and_asked_again(void **state)
{
    (void)state;
    struct filters *filters = filters_new();
    char *texts[FILTERS_BATCH_MAX];
    bool brief;
    assert_int_equal(filters_want(filters, "a", false, 2), 0);
    assert_int_equal(filters_want(filters, "b", false, 2), 0);
    assert_int_equal(filters_want(filters, "c", false, 2), ERR_LIMIT);
    assert_int_equal(filters_take(filters, texts, &brief), 2);
    filters_asked(filters, 7);
    assert_int_equal(filters_take(filters, texts, &brief), 0);
    const int granted[] = {1, 0x80};
    assert_null(filters_answered(filters, 8, granted, 2)); /* no such packet */
    assert_string_equal(filters_answered(filters, 7, granted, 2), "b");
    assert_int_equal(filters_waiting(filters), 1);
    assert_int_equal(filters_take(filters, texts, &brief), 1);
    assert_string_equal(texts[0], "b");
    filters_free(filters);
}

static void test_what_lasts_is_not_made_brief(void **state)
{
    (void)state;
    struct filters *filters = filters_new();
    assert_int_equal(filters_want(filters, "a", false, 4), 0);
    assert_int_equal(filters_want(filters, "a", true, 4), 0);
    assert_int_equal(filters_want(filters, "b", true, 4), 0);
    assert_int_equal(filters_want(filters, "c", true, 4), 0);
    assert_int_equal(filters_want(filters, "c", false, 4), 0);
    filters_begin_anew(filters);
    assert_int_equal(filters_count(filters), 2);
    assert_non_null(filters_find(filters, "a"));
    assert_null(filters_find(filters, "b"));
    assert_non_null(filters_find(filters, "c"));
    filters_free(filters);
}

static void test_many(void **state)
{
    (void)state;
    enum { MANY = 100000 };
    struct filters *filters = filters_new();
    char *texts[FILTERS_BATCH_MAX], name[32];
    bool brief;
    for (int i = 0; i < MANY; i++) {
        name_of(i, name);
        assert_int_equal(filters_want(filters, name, false, MANY), 0);
    }
    int mid = 0, asked = 0;
    for (int n; (n = filters_take(filters, texts, &brief)) > 0; asked += n)
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
        cmocka_unit_test(test_what_lasts_is_not_made_brief),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
