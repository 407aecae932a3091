/* line.c - see line.h. */
#include "tools/loa/line.h"

#include "tools/loa/answer.h"
#include "tools/loa/when.h"

#include <string.h>

struct word {
    const char *wire, *vi, *en;
};

static const struct word reasons[] = {
    {"on_time", "đúng giờ", "on time"},
    {"late", "trễ giờ", "late"},
    {"preempted", "bị bản tin ưu tiên ngắt", "preempted"},
    {"paused", "tạm ngừng phát", "paused"},
    {"quiet_hours", "giờ yên tĩnh", "quiet hours"},
    {"no_time", "chưa có giờ tin cậy", "no trusted time"},
    {"no_media", "thiếu tệp âm thanh", "media missing"},
    {"not_approved", "chưa được duyệt", "not approved"},
    {"silenced", "đang ngắt toàn bộ", "silenced"},
    {"recalled", "đã thu hồi", "recalled"},
    {"expired", "quá hạn", "expired"},
    {"fault", "sự cố thiết bị", "fault"},
    {"cancelled", "lịch đã hủy", "cancelled"},
    {"restarted", "thiết bị khởi động lại", "restarted"},
    {NULL, NULL, NULL},
};

static const char *word(const struct word *words, const char *wire, bool vi)
{
    for (; words->wire; words++)
        if (strcmp(words->wire, wire) == 0)
            return vi ? words->vi : words->en;
    return wire;
}

/* Without control characters, which could move the terminal's cursor; a line end becomes " / ". */
static void put_clean(struct buf *out, const char *text)
{
    for (const char *p = text; *p; p++) {
        if (*p == '\n')
            buf_put(out, " / ", 3);
        else
            buf_put(out, (unsigned char)*p < 0x20 || *p == 0x7f ? " " : p, 1);
    }
}

static void put_time(struct buf *out, const char *instant, const struct zone *zone)
{
    int64_t at_ms;
    char text[32];
    if (!zone || when_parse(instant, zone, false, "", &at_ms, NULL) < 0) {
        buf_putf(out, "%-12.12s ", strlen(instant) > 11 ? instant + 11 : instant);
        return;
    }
    zone_format(zone, at_ms, text);
    buf_putf(out, "%.12s ", text + 11);
}

static void put_sound(struct buf *out, const json_t *sound, bool vi)
{
    double played_s = (double)json_integer_value(answer_at(sound, "frames")) / 48000;
    double whole_s = (double)json_integer_value(answer_at(sound, "frames_expected")) / 48000;
    double error_ms = (double)json_integer_value(answer_at(sound, "start_error_us")) / 1000;
    buf_putf(out, "; %s %.1f/%.1f s (%+.1f ms)", vi ? "âm thanh" : "sound", played_s, whole_s, error_ms);
}

static void put_amplifier(struct buf *out, const json_t *amplifier, bool vi)
{
    double level_db = (double)json_integer_value(answer_at(amplifier, "level_mb")) / 100;
    if (json_is_true(answer_at(amplifier, "seen")))
        buf_putf(out, vi ? "; có tiếng ở đầu ra tăng âm (%.1f dB)" : "; heard at the amplifier (%.1f dB)", level_db);
    else
        buf_putf(out, "; %s", vi ? "KHÔNG có tiếng ở đầu ra tăng âm" : "NOT heard at the amplifier");
}

static void put_sign(struct buf *out, const json_t *sign, bool vi)
{
    if (json_is_true(answer_at(sign, "read_back"))) {
        buf_putf(out, "; %s: \"", vi ? "bảng hiện đúng" : "board shows");
        put_clean(out, answer_text(sign, "text", ""));
        buf_putf(out, "\"");
    } else {
        buf_putf(out, "; %s", vi ? "bảng CHƯA đọc lại đúng" : "board NOT read back");
    }
}

static bool proven(const json_t *evidence)
{
    const json_t *amplifier = answer_at(evidence, "amplifier"), *sign = answer_at(evidence, "sign");
    bool some = json_is_object(amplifier) || json_is_object(sign);
    return some && (!json_is_object(amplifier) || json_is_true(answer_at(amplifier, "seen"))) &&
           (!json_is_object(sign) || json_is_true(answer_at(sign, "read_back")));
}

static void put_receipt(struct buf *out, const json_t *item, bool vi)
{
    const char *reason = answer_text(item, "reason", "?");
    const json_t *evidence = answer_at(item, "evidence");
    bool began = answer_text(item, "started", NULL) != NULL;
    buf_putf(out, "%s \"",
             !began             ? (vi ? "không phát" : "not played")
             : proven(evidence) ? (vi ? "đã phát – có bằng chứng" : "played with evidence")
                                : (vi ? "đã phát – chưa có bằng chứng" : "played without evidence"));
    put_clean(out, answer_text(item, "title", "?"));
    buf_putf(out, "\": %s", word(reasons, reason, vi));
    if (answer_text(item, "detail", NULL)) {
        buf_putf(out, " – ");
        put_clean(out, answer_text(item, "detail", ""));
    }
    if (json_is_object(answer_at(evidence, "sound")))
        put_sound(out, answer_at(evidence, "sound"), vi);
    if (json_is_object(answer_at(evidence, "amplifier")))
        put_amplifier(out, answer_at(evidence, "amplifier"), vi);
    if (json_is_object(answer_at(evidence, "sign")))
        put_sign(out, answer_at(evidence, "sign"), vi);
}

static void put_event(struct buf *out, const json_t *item, bool vi)
{
    buf_putf(out, "%s: ", vi ? "sự kiện" : "event");
    put_clean(out, answer_text(item, "code", "?"));
    if (answer_text(item, "about", NULL)) {
        buf_putf(out, " (");
        put_clean(out, answer_text(item, "about", ""));
        buf_putf(out, ")");
    }
    if (answer_text(item, "detail", NULL)) {
        buf_putf(out, ": ");
        put_clean(out, answer_text(item, "detail", ""));
    }
}

static void put_state(struct buf *out, const json_t *item, bool vi)
{
    const char *on_air = answer_text(item, "on_air", NULL);
    if (!json_is_true(answer_at(item, "online"))) {
        bool playing = strcmp(answer_text(item, "contact", ""), "lost_playing") == 0;
        buf_putf(out, "%s",
                 playing ? (vi ? "mất kết nối, vẫn phát theo lịch" : "lost, but playing by schedule")
                         : (vi ? "mất kết nối" : "lost"));
        return;
    }
    buf_putf(out, "%s", vi ? "đang kết nối" : "connected");
    if (on_air) {
        buf_putf(out, "; %s \"", vi ? "đang phát" : "playing");
        put_clean(out, answer_text(item, "on_air_title", on_air));
        buf_putf(out, "\"");
    }
    buf_putf(out, "; %s",
             json_is_true(answer_at(item, "up_to_date")) ? (vi ? "lịch mới nhất" : "up to date")
                                                         : (vi ? "đang nhận lịch" : "waiting for documents"));
}

static void put_health(struct buf *out, const json_t *item, bool vi)
{
    size_t i;
    const json_t *part;
    buf_putf(out, "%s:", vi ? "tình trạng" : "health");
    json_array_foreach((json_t *)(uintptr_t)answer_at(item, "health.parts"), i, part)
    {
        buf_putf(out, " ");
        put_clean(out, answer_text(part, "name", "?"));
        buf_putf(out, "=");
        put_clean(out, answer_text(part, "state", "?"));
    }
}

bool line_put(const char *kind, const json_t *item, const char *lang, const struct zone *zone, struct buf *ret)
{
    bool vi = strcmp(lang, "en") != 0;
    static const char *const times[] = {"started", "planned", "at", "health.at", "answered", "created", NULL};
    if (strcmp(kind, "hello") == 0)
        return false;
    for (size_t i = 0; times[i] && strcmp(kind, "state") != 0; i++) {
        const char *instant = answer_text(item, times[i], NULL);
        if (instant) {
            put_time(ret, instant, zone);
            break;
        }
    }
    const char *device = answer_text(item, "device", strcmp(kind, "state") == 0 ? answer_text(item, "id", "") : "");
    put_clean(ret, device);
    buf_putf(ret, "%s", *device ? " " : "");
    if (strcmp(kind, "receipt") == 0)
        put_receipt(ret, item, vi);
    else if (strcmp(kind, "event") == 0)
        put_event(ret, item, vi);
    else if (strcmp(kind, "state") == 0)
        put_state(ret, item, vi);
    else if (strcmp(kind, "health") == 0)
        put_health(ret, item, vi);
    else if (strcmp(kind, "playlist") == 0)
        buf_putf(ret, vi ? "đã gửi lịch phát" : "playlist published");
    else if (strcmp(kind, "command") == 0)
        buf_putf(ret, "%s %s: %s", vi ? "lệnh" : "command", answer_text(item, "command", "?"),
                 answer_text(item, "status", "?"));
    else if (strcmp(kind, "link") == 0)
        buf_putf(ret, "%s: %s", vi ? "đường truyền của trung tâm" : "the centre's link",
                 answer_text(item, "link", "?"));
    else
        return false;
    return true;
}
