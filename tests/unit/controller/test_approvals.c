/* Which approvals go along with a playlist. */
#include "unit.h"

#include "controller/approvals.h"

#include <stdio.h>
#include <string.h>

#define BULLETIN "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

enum { PERSONS = 12, ITEMS = 30, DAY = 1000 };

static const char *one_area[] = {"a001"}, *far_area[] = {"a002"}, *approver[] = {"approver"};
static char names[PERSONS][8], hashes[64][8];
static struct person_key persons[PERSONS];
static struct approval given[64];
static struct candidate all[64];
static size_t n_all;
static struct playlist_item items[ITEMS];
static size_t wanted[ITEMS];
static struct quorum two = {.class = CLASS_FILLER, .persons = 2};
static struct trust trust = {.head = {.era = 1}};
static struct keys keys = {.persons = persons, .n_persons = PERSONS};
static struct authority authority = {.trust = &trust, .keys = &keys};
static struct bulletin bulletin = {.class = CLASS_PRIORITY};
static struct texts here = {.at = one_area, .n = 1};

static int begin(void **state)
{
    (void)state;
    n_all = 0;
    trust.n_quorums = 0;
    trust.quorums = &two;
    for (size_t i = 0; i < PERSONS; i++) {
        snprintf(names[i], sizeof(names[i]), "p%zu", i);
        persons[i] = (struct person_key){.kid = names[i],
                                         .person = names[i],
                                         .roles = {.at = approver, .n = 1},
                                         .areas = here,
                                         .class = CLASS_PRIORITY};
    }
    for (size_t i = 0; i < ITEMS; i++) {
        items[i] = (struct playlist_item){.start_ms = (int64_t)i * DAY, .class = CLASS_NORMAL};
        wanted[i] = i;
    }
    return 0;
}

/* An approval from one item to another. */
static void give(size_t person, int64_t from, int64_t until, const char **area)
{
    size_t i = n_all++;
    snprintf(hashes[i], sizeof(hashes[i]), "h%02zu", i);
    given[i] = (struct approval){.head = {.era = 1, .exp_s = 1000},
                                 .bulletin = BULLETIN,
                                 .areas = {.at = area, .n = 1},
                                 .class = CLASS_NORMAL,
                                 .from_ms = from * DAY,
                                 .until_ms = until * DAY};
    all[i] = (struct candidate){.ref = {.hash = hashes[i], .size = 1},
                                .opened = {.approval = &given[i], .kid = names[person]},
                                .person = names[person],
                                .until_ms = until * DAY};
}

/* The hashes chosen, in a row. */
static const char *chosen(void)
{
    static char text[100];
    struct approvals_case c = {.authority = &authority,
                               .bulletin = &bulletin,
                               .hash = BULLETIN,
                               .areas = &here,
                               .items = items,
                               .wanted = wanted,
                               .n_wanted = ITEMS};
    struct blob_ref ret[APPROVALS_MAX];
    size_t n = approvals_choose(&c, all, n_all, ret);
    text[0] = '\0';
    for (size_t i = 0; i < n; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? " " : "", ret[i].hash);
    return text;
}

static void of_one_person_the_longest_valid_goes(void **state)
{
    (void)state;
    for (int64_t i = 0; i < 12; i++)
        give(0, 0, 30 + (i * 7) % 12, one_area);
    assert_string_equal(chosen(), "h05");
}

static void of_many_persons_eight_go(void **state)
{
    (void)state;
    for (size_t i = 0; i < 12; i++)
        give(i, 0, 30 + (int64_t)i, one_area);
    assert_string_equal(chosen(), "h04 h05 h06 h07 h08 h09 h10 h11");
}

static void a_renewal_goes_beside_what_it_renews(void **state)
{
    (void)state;
    give(0, 0, 10, one_area);
    give(0, 10, 40, one_area);
    give(0, 12, 40, one_area);
    assert_string_equal(chosen(), "h00 h01");
}

static void the_one_that_lets_an_item_on_air_is_not_crowded_out(void **state)
{
    (void)state;
    for (size_t i = 1; i < 12; i++)
        give(i, 2, 40, one_area);
    give(0, 0, 2, one_area);
    assert_non_null(strstr(chosen(), "h11"));
    trust.n_quorums = 1;
    give(1, 0, 2, one_area);
    assert_non_null(strstr(chosen(), "h11 h12"));
}

static void two_keys_of_one_person_are_one(void **state)
{
    (void)state;
    persons[1].person = names[0];
    give(0, 0, 40, one_area);
    give(1, 0, 41, one_area);
    all[1].person = names[0];
    assert_string_equal(chosen(), "h01");
    trust.n_quorums = 1; /* then nothing is on air, and the device is to say why */
    assert_string_equal(chosen(), "h00 h01");
}

static void those_that_do_not_count_go_only_while_an_item_is_wanting(void **state)
{
    (void)state;
    for (size_t i = 0; i < 9; i++)
        give(i, 0, 40, far_area);
    all[3].opened.approval = NULL;
    assert_string_equal(chosen(), "h00 h01 h02 h03 h04 h05 h06 h07");
    give(10, 0, 40, one_area);
    assert_string_equal(chosen(), "h09");
    n_all = 0;
    assert_string_equal(chosen(), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(of_one_person_the_longest_valid_goes, begin),
        cmocka_unit_test_setup(of_many_persons_eight_go, begin),
        cmocka_unit_test_setup(a_renewal_goes_beside_what_it_renews, begin),
        cmocka_unit_test_setup(the_one_that_lets_an_item_on_air_is_not_crowded_out, begin),
        cmocka_unit_test_setup(two_keys_of_one_person_are_one, begin),
        cmocka_unit_test_setup(those_that_do_not_count_go_only_while_an_item_is_wanting, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
