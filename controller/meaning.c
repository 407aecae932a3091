/* meaning.c - see meaning.h. */
#include "controller/meaning.h"

#include "playlists/base/bytes.h"

#include <stdio.h>
#include <string.h>

struct meaning {
    const char *code, *vi, *en; /* "{}": what it is about */
};

/* Why an item or a document is not acted upon. */
static const struct meaning details[] = {
    {"unapproved", "chưa ai duyệt bản tin này", "nobody has approved this bulletin"},
    {"out_of_scope", "phê duyệt không gồm địa bàn của thiết bị này", "the approval does not cover this device's area"},
    {"out_of_class", "mức ưu tiên cao hơn mức đã duyệt", "its class is above the one that was approved"},
    {"out_of_time", "giờ phát nằm ngoài thời gian đã duyệt", "its start lies outside the time that was approved"},
    {"key", "khóa của người duyệt không có hiệu lực, hoặc người đó không có quyền duyệt",
     "the approver's key does not hold, or that person may not approve"},
    {"quorum", "chưa đủ số người duyệt", "too few persons have approved"},
    {"approval_missing", "bản duyệt chưa tải về tới thiết bị", "its approval has not reached the device yet"},
    {"bulletin_missing", "bản tin chưa tải về tới thiết bị", "the bulletin has not reached the device yet"},
    {"sound_missing", "âm thanh chưa tải về tới thiết bị", "its sound has not reached the device yet"},
    {"nothing_here", "bản tin không có nội dung nào cho thiết bị này", "there is nothing in it for this device"},
    {"relay", "thiết bị này chưa tiếp sóng được nguồn ấy", "this device cannot relay that source"},
    {"start_not_written", "không ghi được giờ bắt đầu vào bộ nhớ, nên không phát để khỏi phát hai lần",
     "its start could not be written down, so it was not begun lest it play twice"},
    {"format", "không đúng dạng", "it is not of a known form"},
    {"alg", "ký bằng thuật toán không được dùng", "it is signed by an algorithm that is not used"},
    {"type", "không đúng loại văn bản", "it is a document of another type"},
    {"unknown_key", "không biết khóa đã ký", "the key that signed it is not known"},
    {"compromised_key", "khóa đã ký bị lộ, không còn giá trị", "the key that signed it is compromised"},
    {"retired_key", "khóa đã hết hiệu lực trước khi ký", "the key had been retired before it signed"},
    {"signature", "chữ ký không đúng", "its signature is wrong"},
    {"too_large", "quá lớn", "it is too large"},
    {"audience", "gửi cho nơi khác", "it is meant for another recipient"},
    {"era", "thuộc kỷ nguyên mới hơn văn bản tin cậy đang giữ", "it is of an era beyond the trust that is held"},
    {"older", "cũ hơn bản đang giữ", "it is older than the one that is held"},
    {"expired", "đã hết hạn", "it has expired"},
    {"nonce", "trả lời cho một phiên kết nối khác", "it answers another session"},
    {NULL, NULL, NULL},
};

static const struct meaning events[] = {
    {"started", "chương trình của hộp thiết bị khởi động", "the box's program started"},
    {"clock_step", "đồng hồ của hộp thiết bị bị chỉnh", "the box's clock was stepped"},
    {"zone_unknown", "hộp thiết bị không biết múi giờ {}", "the box does not know the time zone {}"},
    {"document_refused", "từ chối {}", "refused {}"},
    {"withheld", "trung tâm có {} mới hơn nhưng hộp thiết bị không nhận được",
     "the centre has a newer {}, which does not reach the box"},
    {"vault_damaged", "bộ nhớ của hộp thiết bị hỏng, đã lập bộ nhớ mới",
     "the box's store was damaged, a new one began"},
    {"vault_trouble", "không ghi được vào bộ nhớ của hộp thiết bị", "the box's store cannot be written"},
    {"vault_back", "ghi lại được vào bộ nhớ của hộp thiết bị", "the box's store can be written again"},
    {"vault_full", "bộ nhớ đầy, không tải được nội dung của {}", "the store is full: no room for what {} needs"},
    {"blob_damaged", "tệp tải về bị hỏng, đang tải lại", "a fetched file is damaged and is fetched again"},
    {"unreachable", "{} không trả lời", "{} does not answer"},
    {"reachable", "{} trả lời lại", "{} answers again"},
    {"amplifier_fault", "tăng âm {} có sự cố", "the amplifier {} has a fault"},
    {"sign_fault", "bảng {} có sự cố", "the sign {} has a fault"},
    {"sound_lost", "mất thiết bị âm thanh", "the sound card is lost"},
    {"sound_back", "thiết bị âm thanh hoạt động lại", "the sound card works again"},
    {"record_twin", "hai nội dung khác nhau cùng một số nhật ký: {}", "two contents came under one number: {}"},
    {"store_changed", "hộp thiết bị có bộ nhớ khác (thay thẻ nhớ)", "the box has another store (SD card)"},
    {"identity_twice", "hai hộp thiết bị cùng dùng một danh tính (thẻ nhớ bị sao chép)",
     "two boxes speak with one identity (a copied SD card)"},
    {"flooded", "hộp thiết bị gửi quá nhiều: {}", "the box sends too much: {}"},
    {"version_beyond", "hộp thiết bị giữ {} có phiên bản mà chưa ai lập được",
     "the box holds a {} of a version that nobody can have made yet"},
    {"playlist_not_sealed", "lịch mới quá lớn, chưa gửi được; lịch trước vẫn có hiệu lực",
     "the new playlist is too large to be sent; the former one stays in force"},
    {NULL, NULL, NULL},
};

static const struct meaning problems[] = {
    {"no such bulletin", "không có bản tin này", NULL},
    {"nothing in it for this device", "không có nội dung nào cho thiết bị này", NULL},
    {"emergency needs an order", "phát khẩn cấp cần có lệnh", NULL},
    {"horizon shortened", "quá nhiều lần phát nên lịch gửi đi ngắn hơn 30 ngày", NULL},
    {"clash", "trùng lịch", NULL},
    {"slot full", "khung giờ không đủ chỗ", NULL},
    {"cut", "bị cắt vì quá dài", NULL},
    {"language dropped", "bỏ bớt thứ tiếng vì quá dài", NULL},
    {"language missing", "thiếu thứ tiếng", NULL},
    {"quiet hours", "giờ yên tĩnh", NULL},
    {"limit: sessions", "quá số lần phát mỗi ngày", NULL},
    {"limit: session minutes", "quá số phút mỗi lần phát", NULL},
    {"limit: minutes", "quá số phút mỗi ngày", NULL},
    {"limit: days", "ngày không được phát", NULL},
    {"not taken", "xã chưa nhận", NULL},
    {"declined", "xã đã từ chối", NULL},
    {NULL, NULL, NULL},
};

/* What an event is about, where that is a word of ours and no name. */
static const struct meaning abouts[] = {
    {"trust", "văn bản tin cậy", "trust document"},
    {"keys", "danh sách khóa", "keys document"},
    {"config", "cấu hình", "configuration"},
    {"playlist", "lịch phát", "playlist"},
    {"welcome", "lời chào của trung tâm", "welcome"},
    {"cmd", "lệnh", "command"},
    {"approval", "bản duyệt", "approval"},
    {"bulletin", "bản tin", "bulletin"},
    {"receipt", "nhật ký phát", "receipt"},
    {"event", "sự kiện", "event"},
    {"state", "trạng thái", "state"},
    {"health", "tình trạng", "health"},
    {"reply", "trả lời lệnh", "reply"},
    {"pinned", "phần luôn phải có", "what must always be there"},
    {NULL, NULL, NULL},
};

static const struct meaning *find(const struct meaning *meanings, const char *code, size_t len)
{
    for (; meanings->code; meanings++)
        if (strlen(meanings->code) == len && memcmp(meanings->code, code, len) == 0)
            return meanings;
    return NULL;
}

static const char *text_of(const struct meaning *m, bool english)
{
    return !english ? m->vi : m->en ? m->en : m->code;
}

static void put_joined(struct buf *text, const char *gap, const char *more)
{
    buf_putf(text, "%s%s", text->len ? gap : "", more);
}

/* "quorum: 1 of 2 distinct ..." says how many; of each other code the words. */
static void put_code(struct buf *text, const char *code, size_t len, bool english)
{
    const struct meaning *m = find(details, code, len);
    unsigned has, needs;
    char number[64];
    if (!m)
        return;
    if (strcmp(m->code, "quorum") == 0 && sscanf(code + len, ": %u of %u", &has, &needs) == 2) {
        snprintf(number, sizeof(number), english ? "%u of %u persons have approved" : "mới có %u trong %u người duyệt",
                 has, needs);
        put_joined(text, "; ", number);
    } else if (!strstr(buf_text(text), text_of(m, english))) {
        put_joined(text, "; ", text_of(m, english));
    }
}

static void put_detail(struct buf *text, const char *detail, bool english)
{
    for (const char *at = detail; at; at = strstr(at, "; ")) {
        at += at == detail ? 0 : 2;
        size_t len = strspn(at, "abcdefghijklmnopqrstuvwxyz_");
        if (at[len] == ':')
            put_code(text, at, len, english);
    }
}

static void put_about(struct buf *text, const struct meaning *m, const char *about, bool english)
{
    const char *pattern = text_of(m, english), *hole = strstr(pattern, "{}");
    size_t first = about ? strcspn(about, " ") : 0; /* "receipt 7" */
    const struct meaning *known = about ? find(abouts, about, first) : NULL;
    if (!hole)
        buf_putf(text, "%s", pattern);
    else if (known)
        buf_putf(text, "%.*s%s%s%s", (int)(hole - pattern), pattern, text_of(known, english), about + first, hole + 2);
    else
        buf_putf(text, "%.*s%s%s", (int)(hole - pattern), pattern, about ? about : "?", hole + 2);
}

/* Consumes both; null when nothing was found to say. */
static json_t *told(struct buf *vi, struct buf *en)
{
    json_t *words = vi->len ? json_pack("{s:s, s:s}", "vi", buf_text(vi), "en", buf_text(en)) : NULL;
    buf_done(vi);
    buf_done(en);
    return words ? words : json_null();
}

json_t *meaning_of_detail(const char *detail)
{
    struct buf text[2] = {{0}, {0}};
    for (int english = 0; detail && english < 2; english++)
        put_detail(&text[english], detail, english);
    return told(&text[0], &text[1]);
}

json_t *meaning_of_event(const char *code, const char *about, const char *detail)
{
    const struct meaning *m = code ? find(events, code, strlen(code)) : NULL;
    struct buf text[2] = {{0}, {0}};
    for (int english = 0; m && english < 2; english++) {
        struct buf why = {0};
        put_about(&text[english], m, about, english);
        if (detail)
            put_detail(&why, detail, english);
        if (why.len)
            put_joined(&text[english], ": ", buf_text(&why));
        buf_done(&why);
    }
    return told(&text[0], &text[1]);
}

json_t *meaning_of_problem(const char *why)
{
    const struct meaning *m = why ? find(problems, why, strlen(why)) : NULL;
    return m ? json_pack("{s:s, s:s}", "vi", m->vi, "en", text_of(m, true)) : json_null();
}

const char *meaning_of_code(const char *code, bool english)
{
    const struct meaning *m = find(details, code, strlen(code));
    return m ? text_of(m, english) : code;
}

static const char *text(const json_t *row, const char *member)
{
    return json_string_value(json_object_get(row, member));
}

void mean_receipt(json_t *row)
{
    json_object_set_new(row, "meaning", meaning_of_detail(text(row, "detail")));
}

void mean_event(json_t *row)
{
    json_object_set_new(row, "meaning", meaning_of_event(text(row, "code"), text(row, "about"), text(row, "detail")));
}

void mean_problem(json_t *row)
{
    json_object_set_new(row, "meaning", meaning_of_problem(text(row, "why")));
}

void mean_each(json_t *rows, mean_fn mean)
{
    json_t *row;
    size_t i;
    json_array_foreach(rows, i, row) mean(row);
}
