/* sentences.c - see sentences.h. */
#include "tools/loa/sentences.h"

#include <string.h>

const struct sentence sentences[] = {
    {"there is no option --%.*s here", "không có tùy chọn --%.*s ở đây"},
    {"--%s needs a value: %s", "--%s cần có giá trị: %s"},
    {"--%s takes no value", "--%s không nhận giá trị"},
    {"--%s is given twice; once would be right", "--%s bị ghi hai lần; chỉ được ghi một lần"},
    {"more than %d options", "nhiều hơn %d tùy chọn"},
    {"more than %d arguments", "nhiều hơn %d đối số"},
    {"--%s %s is required", "thiếu --%s %s, bắt buộc phải có"},
    {"too few arguments; right would be: %s", "thiếu đối số; cách viết đúng: %s"},
    {"'%s' is one argument too many; right would be: %s", "thừa đối số '%s'; cách viết đúng: %s"},
    {"--lang is '%s'; right would be: vi or en", "--lang là '%s'; phải là vi hoặc en"},
    {"'%s' has no command '%s'; `loa %s --help` lists what it has",
     "'%s' không có lệnh '%s'; xem các lệnh bằng `loa %s --help`"},
    {"there is no command '%s'; `loa --help` lists them", "không có lệnh '%s'; xem các lệnh bằng `loa --help`"},
    {"--%s is '%s'; right would be a whole number from %lld to %lld",
     "--%s là '%s'; phải là số nguyên từ %lld đến %lld"},
    {"no token: give --token-file FILE, or set LOA_TOKEN",
     "chưa có mã truy cập: ghi --token-file FILE hoặc đặt LOA_TOKEN"},
    {"%s: cannot be read: %s", "%s: không đọc được: %s"},
    {"%s: cannot be written", "%s: không ghi được"},
    {"the token is empty or too long; a token is one line of text",
     "mã truy cập trống hoặc quá dài; mã truy cập là một dòng chữ"},
    {"the token has a character that no token has; a token is one line of text",
     "mã truy cập có ký tự không hợp lệ; mã truy cập là một dòng chữ"},
    {"no address of the controller: give --url https://..., or set LOA_URL",
     "chưa có địa chỉ máy chủ: ghi --url https://... hoặc đặt LOA_URL"},
    {"the address '%s' does not begin with https://", "địa chỉ '%s' không bắt đầu bằng https://"},
    {"%s: the certificate authority cannot be read: %s", "%s: không đọc được chứng thư gốc: %s"},
    {"%s; trying again", "%s; đang thử lại"},
    {"'%s' is not a hash; right would be 64 digits of 0-9 a-f", "'%s' không phải mã băm; phải là 64 ký tự 0-9 a-f"},
    {"where? --area AREA or --device DEVICE would be right", "chưa ghi phát ở đâu: --area AREA hoặc --device DEVICE"},
    {"one of --once, --daily, --weekdays, --month-days, --every, --lunar-days, --lunar-dates and --on-holidays would "
     "be "
     "right",
     "phải ghi đúng một trong các tùy chọn --once, --daily, --weekdays, --month-days, --every, --lunar-days, "
     "--lunar-dates và --on-holidays"},
    {"one of --bulletin HASH and --session FILE would be right",
     "phải ghi một trong hai: --bulletin HASH hoặc --session FILE"},
    {"at what time? --at HH:MM,... would be right", "chưa ghi giờ phát: --at HH:MM,..."},
    {"--%s has '%s'; right would be numbers such as 1,15,-1", "--%s có '%s'; phải là các số như 1,15,-1"},
    {"nothing is changed; options such as --at 05:30 would be right",
     "chưa ghi gì để sửa; hãy ghi tùy chọn như --at 05:30"},
    {"%s: not JSON: line %d: %s", "%s: không phải JSON: dòng %d: %s"},
    {"the date is not UTF-8 text", "ngày không phải văn bản UTF-8"},
    {"--from and --until belong to --daily and all that comes again",
     "--from và --until chỉ đi với --daily và các lịch lặp lại"},
    {"--once is '%s'; right would be now, +10s, +5m, +2h or 2026-07-01T05:00:00, in the rule's zone",
     "--once là '%s'; phải là now, +10s, +5m, +2h hoặc 2026-07-01T05:00:00 theo múi giờ của lịch phát"},
    {"--gain is '%s'; right would be decibels from -60 to 0", "--gain là '%s'; phải là số đề-xi-ben từ -60 đến 0"},
    {"a box needs both --serial TEXT and --key X|FILE", "hộp thiết bị cần cả --serial TEXT và --key X|FILE"},
    {"--until is not after --from and now; such an approval would never hold",
     "--until không sau --from và hiện tại; duyệt như vậy không bao giờ có hiệu lực"},
    {"--area is missing: the areas in which the bulletin may go on air", "thiếu --area: các địa bàn được phát bản tin"},
    {"--class is '%s'; right would be filler, normal, priority or emergency",
     "--class là '%s'; phải là filler, normal, priority hoặc emergency"},
    {"the bulletin itself is %s at most; it cannot be approved as %s",
     "bản tin này cao nhất là mức %s; không thể duyệt ở mức %s"},
    {"not signed", "chưa ký"},
    {"%s: the command was not carried out: %s", "%s: lệnh chưa được thực hiện: %s"},
    {"no answer came", "thiết bị không trả lời"},
    {"the controller has forgotten the command", "máy chủ không còn lệnh này"},
    {"--kind is not UTF-8 text", "--kind không phải văn bản UTF-8"},
    {"the device's id is not UTF-8 text", "mã thiết bị không phải văn bản UTF-8"},
    {"cannot connect", "không kết nối được với máy chủ"},
    {"the name is not known", "không tìm thấy tên máy chủ"},
    {"the certificate is not proven by the authority", "chứng thư của máy chủ không được chứng thư gốc xác nhận"},
    {"no answer in time", "máy chủ không trả lời kịp"},
    {"the connection broke", "kết nối bị đứt"},
    {"the controller ended the stream", "máy chủ đã kết thúc luồng tin"},
    {"--quiet-hours is '%s'; right would be 21:00-05:00, none or default",
     "--quiet-hours là '%s'; phải là 21:00-05:00, none hoặc default"},
    {"nothing is changed; --name, --area, --tag and so on would be right",
     "chưa có gì để đổi; hãy ghi --name, --area, --tag hoặc tùy chọn khác"},
    {"%s:%d: is not JSON: %s", "%s:%d: không phải JSON: %s"},
    {"%s: has no list \"items\" of limits", "%s: không có danh sách \"items\" các giới hạn"},
    {"the controller answered with HTTP status %ld and no explanation",
     "máy chủ trả lời mã HTTP %ld, không giải thích"},
};

const size_t n_sentences = sizeof(sentences) / sizeof(sentences[0]);

const char *sentence_in(const char *lang, const char *en)
{
    if (strcmp(lang, "en") == 0)
        return en;
    for (size_t i = 0; i < n_sentences; i++)
        if (strcmp(sentences[i].en, en) == 0)
            return sentences[i].vi;
    return en;
}
