/* Lines of `loa follow` for people. */
#include "unit.h"

#include "tools/loa/line.h"
#include "tools/loa/when.h"

#include <stdlib.h>
#include <string.h>

static struct buf line(const char *kind, const char *json, const char *lang)
{
    struct zone *zone = NULL;
    struct buf out = {0};
    json_t *item = json_loads(json, 0, NULL);
    assert_non_null(item);
    assert_int_equal(zone_load(NULL, WHEN_ZONE, &zone, NULL), 0);
    struct line_style style = {lang, zone, false, INT64_C(1782856801000)}; /* 05:00:01 */
    assert_true(line_put(kind, item, &style, &out));
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
    "\"sound\":{\"frames\":96010,\"frames_expected\":96000,\"start_error_us\":4000},"                                  \
    "\"amplifier\":{\"seen\":" seen ",\"level_mb\":-1250},"                                                            \
    "\"sign\":{\"read_back\":true,\"text\":\"a\\nb\"}}}"

static void test_receipt(void **state)
{
    (void)state;
    expect(
        "receipt", RECEIPT("true"), "vi",
        "05:00:00.004 d-1 đã phát – có bằng chứng \"Lịch\": đúng giờ; âm thanh 2.0/2.0 s (+4.0 ms); có tiếng ở đầu ra "
        "tăng âm (-12.5 dB); bảng hiện đúng: \"a / b\"");
    expect("receipt", RECEIPT("false"), "en",
           "05:00:00.004 d-1 played without evidence \"Lịch\": on time; sound 2.0/2.0 s (+4.0 ms); NOT heard at the "
           "amplifier; board shows: \"a / b\"");
    expect("receipt",
           "{\"device\":\"d-1\",\"title\":\"Lịch\",\"planned\":\"2026-06-30T22:00:00.000Z\",\"started\":null,"
           "\"reason\":\"not_approved\",\"detail\":\"out_of_scope\",\"evidence\":null}",
           "vi", "05:00:00.000 d-1 không phát \"Lịch\": chưa được duyệt – out_of_scope");
}

#define SOUND(frames)        "\"sound\":{\"frames\":" frames ",\"frames_expected\":96000}"
#define AMPLIFIER(seen)      "\"amplifier\":{\"seen\":" seen ",\"level_mb\":-1250}"
#define SIGN(read_back, cut) "\"sign\":{\"read_back\":" read_back ",\"cut\":" cut ",\"text\":\"a\"}"

/* Evidence: the amplifier or the sign was asked, and all that was asked agrees. The page holds to the same rule. */
static void test_proven(void **state)
{
    (void)state;
    static const struct {
        const char *evidence;
        bool proven;
    } cases[] = {
        {SOUND("96000"), false}, /* nobody listened */
        {SOUND("96000") "," AMPLIFIER("true"), true},
        {SOUND("96010") "," AMPLIFIER("true"), true},   /* resumed */
        {SOUND("48000") "," AMPLIFIER("true"), false},  /* in part */
        {SOUND("96000") "," AMPLIFIER("false"), false}, /* the wire is pulled */
        {SIGN("true", "false"), true},
        {SIGN("false", "false"), false},
        {SIGN("true", "true"), false}, /* shortened */
        {SOUND("96000") "," AMPLIFIER("true") "," SIGN("true", "false"), true},
        {SOUND("96000") "," AMPLIFIER("true") "," SIGN("false", "false"), false},
        {SOUND("48000") "," SIGN("true", "false"), false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *item = xasprintf("{\"started\":\"2026-06-30T22:00:00.004Z\",\"evidence\":{%s}}", cases[i].evidence);
        struct buf out = line("receipt", item, "en");
        if (!strstr(buf_text(&out), "with evidence") != !cases[i].proven)
            fail_msg("%s: %s", item, buf_text(&out));
        buf_done(&out);
        free(item);
    }
}

/* The play log is of many days. */
static void test_date(void **state)
{
    (void)state;
    struct zone *zone = NULL;
    struct buf out = {0};
    json_t *item = json_loads(RECEIPT("true"), 0, NULL);
    assert_int_equal(zone_load(NULL, WHEN_ZONE, &zone, NULL), 0);
    assert_true(line_put("receipt", item, &(struct line_style){"vi", zone, true, 0}, &out));
    assert_memory_equal(buf_text(&out), "2026-07-01 05:00:00.004 d-1 ", 28);
    buf_done(&out);
    zone_free(zone);
    json_decref(item);
}

static void test_others(void **state)
{
    (void)state;
    expect("state", "{\"id\":\"d-1\",\"online\":true,\"on_air\":\"r.1\",\"on_air_title\":\"Lịch\",\"up_to_date\":true}",
           "en", "05:00:01.000 d-1 connected; playing \"Lịch\"; up to date");
    expect("state", "{\"id\":\"d-1\",\"online\":false,\"contact\":\"lost_playing\"}", "vi",
           "05:00:01.000 d-1 mất kết nối, vẫn phát theo lịch");
    expect("state", "{\"id\":\"b\",\"kind\":\"board\",\"online\":true,\"on_air\":\"r.1\",\"on_air_title\":\"Lịch\"}",
           "vi", "05:00:01.000 b đang kết nối; đang hiển thị \"Lịch\"; đang nhận lịch");
    expect("playlist", "{\"device\":\"d-1\",\"ver\":1}", "vi", "05:00:01.000 d-1 đã gửi lịch phát");
    expect("command", "{\"device\":\"d-1\",\"command\":\"restart\",\"status\":\"sent\"}", "vi",
           "05:00:01.000 d-1 lệnh khởi động lại: đã gửi");
    expect("link", "{\"link\":\"online\"}", "en", "05:00:01.000 the centre's link: connection good");
    expect("health",
           "{\"device\":\"d-1\",\"health\":{\"parts\":[{\"name\":\"sound\",\"state\":\"ok\"},"
           "{\"name\":\"am-1\",\"state\":\"fault\"}]}}",
           "vi", "05:00:01.000 d-1 tình trạng: âm thanh tốt, am-1 sự cố");
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_receipt), cmocka_unit_test(test_proven),
                                       cmocka_unit_test(test_date),    cmocka_unit_test(test_others),
                                       cmocka_unit_test(test_clean),   cmocka_unit_test(test_poor)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
