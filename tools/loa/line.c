/* line.c - see line.h. */
#include "tools/loa/line.h"

#include "tools/loa/answer.h"
#include "tools/loa/when.h"
#include "tools/loa/words.h"

#include <string.h>

static const char *word(const char *member, const char *value, bool vi)
{
    return word_of_value(vi ? "vi" : "en", member, value);
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

/* "2026-07-01 05:00:00.004 ": the date only where the lines are of many days. */
static void put_time(struct buf *out, const char *instant, const struct line_style *style)
{
    int64_t at_ms;
    char text[32];
    if (style->zone && when_parse(instant, style->zone, false, "", &at_ms, NULL) == 0) {
        zone_format(style->zone, at_ms, text);
        instant = text;
    }
    if (style->date)
        buf_putf(out, "%.10s ", instant);
    buf_putf(out, "%-12.12s ", strlen(instant) > 11 ? instant + 11 : instant);
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
        if (json_is_true(answer_at(sign, "cut")))
            buf_putf(out, " (%s)", vi ? "nội dung bị cắt bớt" : "text was shortened");
    } else {
        buf_putf(out, "; %s", vi ? "bảng CHƯA đọc lại đúng" : "board NOT read back");
    }
}

/* The same rule as the page's: the amplifier or the sign was asked, and every part that was asked agrees. A resumed
 * item may play a little more than was expected. */
static bool proven(const json_t *evidence)
{
    const json_t *sound = answer_at(evidence, "sound");
    const json_t *amplifier = answer_at(evidence, "amplifier"), *sign = answer_at(evidence, "sign");
    if (!json_is_object(amplifier) && !json_is_object(sign))
        return false;
    if (json_is_object(sound) &&
        json_integer_value(answer_at(sound, "frames")) < json_integer_value(answer_at(sound, "frames_expected")))
        return false;
    if (json_is_object(amplifier) && !json_is_true(answer_at(amplifier, "seen")))
        return false;
    return !json_is_object(sign) ||
           (json_is_true(answer_at(sign, "read_back")) && !json_is_true(answer_at(sign, "cut")));
}

/* "đã phát – có bằng chứng"; what left evidence of a sign alone was shown, not played. */
static void put_outcome(struct buf *out, const json_t *item, bool vi)
{
    const json_t *evidence = answer_at(item, "evidence");
    bool shown = json_is_object(answer_at(evidence, "sign")) && !json_is_object(answer_at(evidence, "sound")) &&
                 !json_is_object(answer_at(evidence, "amplifier"));
    if (!answer_text(item, "started", NULL)) {
        buf_putf(out, "%s", vi ? "không phát" : "not played");
        return;
    }
    buf_putf(out, "%s", shown ? (vi ? "đã hiển thị" : "shown") : (vi ? "đã phát" : "played"));
    if (proven(evidence))
        buf_putf(out, "%s", vi ? " – có bằng chứng" : " with evidence");
    else
        buf_putf(out, "%s", vi ? " – chưa có bằng chứng" : " without evidence");
}

/* What the controller says that a code of the device means. */
static const char *meaning(const json_t *item, const char *otherwise, bool vi)
{
    return answer_text(item, vi ? "meaning.vi" : "meaning.en", otherwise);
}

static void put_receipt(struct buf *out, const json_t *item, bool vi)
{
    const char *reason = answer_text(item, "reason", "?");
    const json_t *evidence = answer_at(item, "evidence");
    put_outcome(out, item, vi);
    buf_putf(out, " \"");
    put_clean(out, answer_text(item, "title", "?"));
    buf_putf(out, "\": %s", word("reason", reason, vi));
    if (answer_text(item, "detail", NULL)) {
        buf_putf(out, " – ");
        put_clean(out, meaning(item, answer_text(item, "detail", ""), vi));
    }
    if (json_is_object(answer_at(evidence, "sound")))
        put_sound(out, answer_at(evidence, "sound"), vi);
    if (json_is_object(answer_at(evidence, "amplifier")))
        put_amplifier(out, answer_at(evidence, "amplifier"), vi);
    if (json_is_object(answer_at(evidence, "sign")))
        put_sign(out, answer_at(evidence, "sign"), vi);
}

/* The words for people first; whoever mends the box needs the code and the detail, too. */
static void put_event(struct buf *out, const json_t *item, bool vi)
{
    const char *words = meaning(item, NULL, vi);
    buf_putf(out, "%s: ", vi ? "sự kiện" : "event");
    if (words) {
        put_clean(out, words);
        buf_putf(out, " – ");
    }
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
        if (strcmp(answer_text(item, "kind", ""), "board") == 0)
            buf_putf(out, "; %s \"", vi ? "đang hiển thị" : "showing");
        else
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
        buf_putf(out, "%s", i > 0 ? ", " : " ");
        put_clean(out, word("name", answer_text(part, "name", "?"), vi));
        buf_putf(out, " ");
        put_clean(out, word("state", answer_text(part, "state", "?"), vi));
    }
}

static void put_command(struct buf *out, const json_t *item, bool vi)
{
    buf_putf(out, "%s ", vi ? "lệnh" : "command");
    put_clean(out, word("command", answer_text(item, "command", "?"), vi));
    buf_putf(out, ": ");
    put_clean(out, word("status", answer_text(item, "status", "?"), vi));
    if (answer_text(item, "detail", NULL)) {
        buf_putf(out, " – ");
        put_clean(out, answer_text(item, "detail", ""));
    }
}

static void put_playlist(struct buf *out, const json_t *item, bool vi)
{
    (void)item;
    buf_putf(out, "%s", vi ? "đã gửi lịch phát" : "playlist published");
}

static void put_link(struct buf *out, const json_t *item, bool vi)
{
    buf_putf(out, "%s: ", vi ? "đường truyền của trung tâm" : "the centre's link");
    put_clean(out, word("link", answer_text(item, "link", "?"), vi));
}

/* When it happened as far as the item says; else when it came. */
static const char *instant_of(const char *kind, const json_t *item)
{
    static const char *const times[] = {"started", "planned", "at", "health.at", "answered", "sent", "created", NULL};
    if (strcmp(kind, "state") == 0 || strcmp(kind, "playlist") == 0 || strcmp(kind, "link") == 0)
        return NULL; /* a device's times are of other things than this news */
    for (size_t i = 0; times[i]; i++)
        if (answer_text(item, times[i], NULL))
            return answer_text(item, times[i], NULL);
    return NULL;
}

static const struct {
    const char *kind;
    void (*put)(struct buf *out, const json_t *item, bool vi);
} kinds[] = {
    {"receipt", put_receipt},   {"event", put_event},     {"state", put_state}, {"health", put_health},
    {"playlist", put_playlist}, {"command", put_command}, {"link", put_link},
};

bool line_put(const char *kind, const json_t *item, const struct line_style *style, struct buf *ret)
{
    bool vi = strcmp(style->lang, "en") != 0;
    size_t k = 0;
    while (k < sizeof(kinds) / sizeof(kinds[0]) && strcmp(kinds[k].kind, kind) != 0)
        k++;
    if (k == sizeof(kinds) / sizeof(kinds[0]))
        return false;
    char came[32];
    const char *instant = instant_of(kind, item);
    when_format_utc(style->now_ms, came);
    put_time(ret, instant ? instant : came, style);
    const char *device = answer_text(item, "device", strcmp(kind, "state") == 0 ? answer_text(item, "id", "") : "");
    put_clean(ret, device);
    buf_putf(ret, "%s", *device ? " " : "");
    kinds[k].put(ret, item, vi);
    return true;
}
