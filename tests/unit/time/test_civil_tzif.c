/* test_civil_tzif.c - footers of zone files made by hand, and changes that few zones have. */
#include "unit.h"

#include "playlists/base/bytes.h"
#include "playlists/base/civil.h"

#include <string.h>

/* A file of one zone with the given footer: no transitions, UTC+7, version 3. */
static int parse_footer(const char *footer, char version, struct zone **ret)
{
    static const uint8_t counts[24] = {[19] = 1, [23] = 4}; /* one type, four characters */
    static const uint8_t body[] = {0, 0, 0x62, 0x70, 0, 0, '+', '0', '7', 0};
    struct buf file = {0};
    for (int block = 0; block < 2; block++) {
        uint8_t head[20] = "TZif";
        head[4] = (uint8_t)version;
        buf_put(&file, head, sizeof(head));
        buf_put(&file, counts, sizeof(counts));
        buf_put(&file, body, sizeof(body));
    }
    buf_putf(&file, "\n%s\n", footer);
    int r = zone_parse("Made/Up", file.data, file.len, ret, NULL);
    buf_done(&file);
    return r;
}

static void footers_are_checked(void **state)
{
    (void)state;
    static const char *const bad[] = {"X3",
                                      "ABC",
                                      "ABC25",
                                      "ABC+3DEF",
                                      "ABC3DEF,M3.2.0",
                                      "ABC3DEF,M13.1.0,M11.1.0",
                                      "ABC3DEF,M3.6.0,M11.1.0",
                                      "<AB>3",
                                      "ABC3DEF,J0,J365",
                                      "ABC3DEF,366,0",
                                      "ABC3DEF,M3.2.7,M11.1.0",
                                      "ABC3 ",
                                      "<+07-7",
                                      "ABC3DEF,M3.2.0/168,M11.1.0",
                                      NULL};
    struct zone *zone = NULL;
    for (size_t i = 0; bad[i]; i++) {
        if (parse_footer(bad[i], '3', &zone) == 0)
            fail_msg("\"%s\" was taken", bad[i]);
    }
    assert_int_equal(parse_footer("ABC3DEF,M3.2.0/-2,M11.1.0", '2', &zone), ERR_FORMAT); /* hours of version 3 */
    assert_int_equal(parse_footer("ABC3DEF,M3.2.0/-2,M11.1.0", '3', &zone), 0);
    zone_free(zone);
    assert_int_equal(parse_footer("", '2', &zone), 0); /* no rule: the last type goes on */
    assert_int_equal(zone_offset_s(zone, 0), 7 * 3600);
    zone_free(zone);
    assert_int_equal(parse_footer("XXX3EDT4,0/0,J365/23", '3', &zone), 0); /* summer time all year */
    for (int64_t at = 0; at < INT64_C(4000000000); at += 1234567)
        assert_int_equal(zone_offset_s(zone, at), -4 * 3600);
    for (int year = 1999; year < 2009; year++)
        for (int64_t s = -7200; s <= 7200; s += 600)
            assert_int_equal(zone_offset_s(zone, civil_days(year, 1, 1) * 86400 + 4 * 3600 + s), -4 * 3600);
    zone_free(zone);
}

static void a_day_that_never_was(void **state)
{
    (void)state;
    struct zone *apia = NULL;
    assert_int_equal(zone_load(NULL, "Pacific/Apia", &apia, NULL), 0);
    int fold = 7;
    int64_t skipped = zone_instant_s(apia, civil_days(2011, 12, 30), 43200, &fold);
    assert_int_equal(fold, -1);
    assert_int_equal(skipped, zone_instant_s(apia, civil_days(2011, 12, 31), 43200, &fold));
    assert_int_equal(fold, 0);
    zone_free(apia);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(footers_are_checked),
        cmocka_unit_test(a_day_that_never_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
