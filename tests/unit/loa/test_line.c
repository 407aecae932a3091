/* Lines of `loa follow` for people. */
#include "unit.h"

#include "tools/loa/line.h"
#include "tools/loa/when.h"

static struct buf line(const char *kind, const char *json, const char *lang)
{
    struct zone *zone = NULL;
    struct buf out = {0};
    json_t *item = json_loads(json, 0, NULL);
    assert_non_null(item);
    assert_int_equal(zone_load(NULL, WHEN_ZONE, &zone, NULL), 0);
    assert_true(line_put(kind, item, lang, zone, &out));
    zone_free(zone);
    json_decref(item);
    return out;
}

static void expect(const char *kind, const char *json, const char *lang, const char *text)
{
    struct buf out = line(kind, json, lang);
    assert_string_equal(buf_text(&out), text);
    buf_done(&out);
}

#define RECEIPT(seen)                                                                                                  \
    "{\"device\":\"d-1\",\"title\":\"Lịch\",\"planned\":\"2026-06-30T22:00:00.000Z\","                               \
    "\"started\":\"2026-06-30T22:00:00.004Z\",\"reason\":\"on_time\",\"detail\":null,\"evidence\":{"                   \
    "\"sound\":{\"frames\":48000,\"frames_expected\":96000,\"start_error_us\":4000},"                                  \
    "\"amplifier\":{\"seen\":" seen ",\"level_mb\":-1250},"                                                            \
    "\"sign\":{\"read_back\":true,\"text\":\"a\\nb\"}}}"

static void test_receipt(void **state)
{
    (void)state;
    expect(
        "receipt", RECEIPT("true"), "vi",
        "05:00:00.004 d-1 đã phát – có bằng chứng \"Lịch\": đúng giờ; âm thanh 1.0/2.0 s (+4.0 ms); có tiếng ở đầu ra "
        "tăng âm (-12.5 dB); bảng hiện đúng: \"a / b\"");
    expect("receipt", RECEIPT("false"), "en",
           "05:00:00.004 d-1 played without evidence \"Lịch\": on time; sound 1.0/2.0 s (+4.0 ms); NOT heard at the "
           "amplifier; board shows: \"a / b\"");
    expect("receipt",
           "{\"device\":\"d-1\",\"title\":\"Lịch\",\"planned\":\"2026-06-30T22:00:00.000Z\",\"started\":null,"
           "\"reason\":\"not_approved\",\"detail\":\"out_of_scope\",\"evidence\":null}",
           "vi", "05:00:00.000 d-1 không phát \"Lịch\": chưa được duyệt – out_of_scope");
}

static void test_others(void **state)
{
    (void)state;
    expect("state", "{\"id\":\"d-1\",\"online\":true,\"on_air\":\"r.1\",\"on_air_title\":\"Lịch\",\"up_to_date\":true}",
           "en", "d-1 connected; playing \"Lịch\"; up to date");
    expect("state", "{\"id\":\"d-1\",\"online\":false,\"contact\":\"lost_playing\"}", "vi",
           "d-1 mất kết nối, vẫn phát theo lịch");
    expect("event",
           "{\"device\":\"d-1\",\"at\":\"2026-06-30T22:00:00.000Z\",\"code\":\"clock_step\",\"about\":\"clock\"}", "en",
           "05:00:00.000 d-1 event: clock_step (clock)");
}

/* What a device says reaches the terminal without its control characters. */
static void test_clean(void **state)
{
    (void)state;
    struct buf out = line("event", "{\"device\":\"d\\u001b[2J\",\"code\":\"x\\u0007\",\"detail\":\"a\\tb\"}", "en");
    for (size_t i = 0; i < out.len; i++)
        assert_true(out.data[i] >= 0x20 && out.data[i] != 0x7f);
    buf_done(&out);
}

/* Members that are missing or of another type make a poorer line, never a crash. */
static void test_poor(void **state)
{
    (void)state;
    static const char *const kinds[] = {"receipt", "event", "state", "health", "playlist", "command", "link"};
    static const char *const items[] = {"{}", "{\"device\":1,\"title\":[],\"evidence\":[],\"reason\":{}}",
                                        "{\"evidence\":{\"sound\":1,\"amplifier\":{},\"sign\":{}},\"started\":\"x\"}",
                                        "{\"health\":{\"parts\":[1,{}]},\"id\":null}"};
    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++) {
            struct buf out = line(kinds[k], items[i], "vi");
            buf_done(&out);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_receipt), cmocka_unit_test(test_others),
                                       cmocka_unit_test(test_clean), cmocka_unit_test(test_poor)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
