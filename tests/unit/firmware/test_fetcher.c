/* Which blob is asked for, when: soonest first, few at a time, urgent before bulk, again after failures. */
#include "unit.h"

#include "firmware/fetcher.h"
#include "playlists/base/bytes.h"

#include <stdio.h>
#include <string.h>

struct link {
    struct {
        uint32_t id;
        char hash[65];
        bool urgent, cancelled;
    } asked[100];
    int n;
};

static int fetch(void *arg, uint32_t id, const char *hash, int64_t size, bool urgent)
{
    struct link *link = arg;
    (void)size;
    link->asked[link->n].id = id;
    link->asked[link->n].urgent = urgent;
    snprintf(link->asked[link->n++].hash, 65, "%s", hash);
    return 0;
}

static void cancel(void *arg, uint32_t id)
{
    struct link *link = arg;
    for (int i = 0; i < link->n; i++)
        if (link->asked[i].id == id)
            link->asked[i].cancelled = true;
}

static const struct fetcher_link calls = {.fetch = fetch, .cancel = cancel};
enum { DAY = 86400000 };

static struct hash name(int i)
{
    return hash_of(&i, sizeof(i));
}

static void want(struct fetcher *fetcher, int from, int to, int64_t due_ms)
{
    for (int i = from; i < to; i++)
        fetcher_want(fetcher, name(i).hex, 100, due_ms + i);
}

static void urgent_goes_before_bulk(void **state)
{
    (void)state;
    struct link link = {0};
    struct fetcher *fetcher = fetcher_new(&calls, &link);
    fetcher_begin(fetcher);
    want(fetcher, 0, 20, DAY);
    fetcher_end(fetcher, 0, 0);
    assert_int_equal(link.n, 0);
    fetcher_online(fetcher, true);
    fetcher_look(fetcher, 0, 0);
    assert_int_equal(link.n, FETCHES_MAX);
    assert_string_equal(link.asked[0].hash, name(0).hex);
    fetcher_begin(fetcher);
    want(fetcher, 0, 20, DAY);
    want(fetcher, 50, 51, 1000);
    fetcher_end(fetcher, 0, 0);
    assert_int_equal(link.n, FETCHES_MAX + 1);
    assert_string_equal(link.asked[FETCHES_MAX].hash, name(50).hex);
    assert_true(link.asked[FETCHES_MAX].urgent);
    assert_true(link.asked[FETCHES_MAX - 1].cancelled); /* the bulk that is due last made room */
    fetcher_free(fetcher);
}

static void becomes_urgent_when_due(void **state)
{
    (void)state;
    struct link link = {0};
    struct fetcher *fetcher = fetcher_new(&calls, &link);
    fetcher_online(fetcher, true);
    fetcher_begin(fetcher);
    want(fetcher, 0, 1, DAY);
    fetcher_end(fetcher, 0, 0);
    assert_false(link.asked[0].urgent);
    fetcher_look(fetcher, DAY - 1000, 0);
    assert_int_equal(link.n, 2);
    assert_true(link.asked[0].cancelled && link.asked[1].urgent);
    fetcher_free(fetcher);
}

static void asks_again_after_failure_and_reconnect(void **state)
{
    (void)state;
    struct link link = {0};
    struct fetcher *fetcher = fetcher_new(&calls, &link);
    fetcher_online(fetcher, true);
    fetcher_begin(fetcher);
    want(fetcher, 0, 1, 1000);
    fetcher_end(fetcher, 0, 0);
    fetcher_failed(fetcher, link.asked[0].id, false, 0);
    fetcher_look(fetcher, 0, 100000);
    assert_int_equal(link.n, 1); /* not final: the link goes on by itself */
    fetcher_failed(fetcher, link.asked[0].id, true, 0);
    fetcher_look(fetcher, 0, 100);
    assert_int_equal(link.n, 1);
    fetcher_look(fetcher, 0, 10000);
    assert_int_equal(link.n, 2);
    fetcher_online(fetcher, false);
    fetcher_online(fetcher, true);
    fetcher_look(fetcher, 0, 10000);
    assert_int_equal(link.n, 3);
    assert_int_equal(fetcher_fetched(fetcher, link.asked[2].id, name(1).hex), -1); /* another hash than was asked for */
    assert_int_equal(fetcher_fetched(fetcher, link.asked[2].id, name(0).hex), 100);
    fetcher_spoilt(fetcher, name(0).hex, 10000);
    fetcher_look(fetcher, 0, 100000);
    assert_int_equal(link.n, 4);
    assert_int_equal(fetcher_fetched(fetcher, link.asked[3].id, name(0).hex), 100);
    fetcher_landed(fetcher, name(0).hex);
    assert_int_equal(fetcher_wanted(fetcher), 0);
    fetcher_free(fetcher);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urgent_goes_before_bulk),
        cmocka_unit_test(becomes_urgent_when_due),
        cmocka_unit_test(asks_again_after_failure_and_reconnect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
