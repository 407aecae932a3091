/* words.c - see words.h. */
#include "controller/words.h"

#include <string.h>

static const struct {
    const char *vi, *en;
} words[WORDS] = {
    [WORD_STORE] = {"Máy chủ không ghi hoặc đọc được kho dữ liệu; chưa có gì thay đổi, hãy thử lại sau.",
                    "The server cannot write or read its store; nothing was changed, try again later."},
    [WORD_BUSY] = {"Máy chủ đang xử lý quá nhiều yêu cầu loại này; hãy gửi lại sau ít phút.",
                   "The server is busy with too many requests of this kind; send it again in a moment."},
    [WORD_ROUTE] = {"Không có địa chỉ %s; các địa chỉ bắt đầu bằng /api/v1/ và được liệt kê trong API.md.",
                    "There is no route %s; routes begin with /api/v1/ and are listed in API.md."},
    [WORD_METHOD] = {"Không dùng được phương thức %s với %s; các phương thức dùng được: %s.",
                     "The method %s cannot be used with %s; it takes %s."},
    [WORD_MISSING] = {"Không có %1$s%2$.0s \"%3$s\" trong phạm vi của mã truy cập này.",
                      "There is no %2$s%1$.0s \"%3$s\" in the scope of this token."},
    [WORD_QUERY_UNKNOWN] = {"Không có tham số \"%s\" ở đây; các tham số dùng được: %s.",
                            "The query parameter \"%s\" is not known here; it takes: %s."},
    [WORD_QUERY_NONE] = {"Không có tham số \"%s\" ở đây; địa chỉ này không nhận tham số nào.",
                         "The query parameter \"%s\" is not known here; this route takes none."},
    [WORD_QUERY_UTF8] = {"Giá trị của tham số \"%s\" không phải chữ viết theo UTF-8.",
                         "The value of the query parameter \"%s\" is no proper UTF-8 text."},
    [WORD_QUERY_LIMIT] = {"Tham số limit là \"%s\"; phải là số từ 1 đến 1000.",
                          "The query parameter limit is \"%s\"; it must be a number from 1 to 1000."},
    [WORD_QUERY_ORDER] = {"Tham số order là \"%s\"; phải là asc hoặc desc.",
                          "The query parameter order is \"%s\"; it must be asc or desc."},
    [WORD_QUERY_AFTER] = {"Tham số after là \"%s\"; phải là giá trị next hoặc cursor của một danh sách trước.",
                          "The query parameter after is \"%s\"; it must be a next or cursor of an earlier list."},
    [WORD_QUERY_INSTANT] = {"Tham số %s là \"%s\"; phải là thời điểm như 2026-07-01T05:00:00Z.",
                            "The query parameter %s is \"%s\"; it must be an instant such as 2026-07-01T05:00:00Z."},
    [WORD_TOKEN_NONE] = {"Thiếu mã truy cập; hãy gửi kèm dòng Authorization: Bearer loa_...",
                         "A token is missing; send the header Authorization: Bearer loa_..."},
    [WORD_TOKEN_WRONG] = {"Mã truy cập không đúng hoặc đã bị thu hồi; hãy xin mã mới từ người quản trị.",
                          "The token is wrong or was revoked; ask an administrator for a new one."},
    [WORD_THROTTLE] = {"Địa chỉ này đã gửi sai mã truy cập quá nhiều lần; hãy thử lại sau %d giây.",
                       "Too many wrong tokens came from this address; try again in %d seconds."},
    [WORD_STREAMS] =
        {"Mã truy cập này đang mở %d luồng tin trực tiếp, mức cao nhất cho một mã; hãy đóng bớt một luồng.",
         "This token reads %d streams already, as many as one may; close one of them."},
    [WORD_ROLE] = {"Vai trò \"%s\" không được dùng %s %s; cần một mã truy cập có vai trò khác.",
                   "The role \"%s\" may not %s %s; a token of another role is needed."},
    [WORD_SCOPE] = {"\"%s\" nằm ngoài đơn vị \"%s\" của mã truy cập này.",
                    "\"%s\" lies outside the unit \"%s\" of this token."},
    [WORD_OWN_UNIT] = {"Không được đổi parent của \"%s\", đơn vị của chính mã truy cập này; việc đó thuộc cấp trên.",
                       "The parent of \"%s\", this token's own unit, cannot be changed with it; that is for a token "
                       "of a unit above."},
    [WORD_FORMER] =
        {"former_areas: \"%s\" không phải nơi thiết bị này đang hoặc từng đặt; chỉ người quản trị của đơn vị "
         "bao trùm địa bàn đó mới được thêm.",
         "former_areas: the device does not lie in \"%s\", nor did it; only an admin whose unit covers that "
         "area may add it."},
    [WORD_TYPE] = {"Kiểu dữ liệu (Content-Type) là \"%s\"; ở đây cần %s.",
                   "The Content-Type is \"%s\"; this route takes %s."},
    [WORD_SIZE] = {"Dữ liệu gửi lên lớn hơn mức cho phép ở đây là %llu byte.",
                   "The body is larger than the %llu bytes that this route takes."},
    [WORD_BODY_EMPTY] = {"Yêu cầu này cần có dữ liệu kèm theo nhưng không có gì được gửi lên.",
                         "This request needs a body, and none came."},
    [WORD_JSON] = {"Dữ liệu không phải JSON đúng: dòng %d, cột %d: %s.",
                   "The body is not proper JSON: line %d, column %d: %s."},
    [WORD_JSON_DEPTH] = {"JSON lồng nhau quá sâu; tối đa %d cấp.",
                         "The JSON is nested too deeply; %d levels are allowed."},
    [WORD_JSON_OBJECT] = {"Dữ liệu JSON phải là một đối tượng { ... }.", "The JSON body must be an object { ... }."},
    [WORD_CSV] =
        {"Tệp CSV sai ở dòng %d; dòng đầu phải là id,parent,kind,name và mỗi dòng có đúng bốn ô (UTF-8).",
         "The CSV is wrong in line %d; its first line must be id,parent,kind,name and each line has four fields "
         "(UTF-8)."},
    [WORD_MEMBER_UNKNOWN] = {"Không dùng trường \"%s\" ở đây; các trường dùng được: %s.",
                             "The member \"%s\" is not known here; known are: %s."},
    [WORD_MEMBER_MISSING] = {"Thiếu trường %s; trường này bắt buộc.", "%s is missing; it is required."},
    [WORD_VALUE_TEXT] = {"%s phải là một chuỗi ký tự.", "%s must be a text."},
    [WORD_VALUE_LENGTH] = {"%s dài %zu byte; phải từ %zu đến %zu byte.", "%s has %zu bytes; it must have %zu to %zu."},
    [WORD_VALUE_CONTROL] = {"%s có ký tự điều khiển ở vị trí %zu; chỉ dùng chữ, dấu cách, xuống dòng và tab.",
                            "%s has a control character at position %zu; only letters, spaces, line ends and tabs are "
                            "allowed."},
    [WORD_VALUE_RESERVED] = {"\"%s\" là tên mà máy chủ MQTT dành cho trung tâm; hãy đặt mã khác cho thiết bị.",
                             "\"%s\" is a name that the broker keeps for the centre; give the device another id."},
    [WORD_VALUE_ID] =
        {"%s là \"%.80s\"; phải gồm 1 đến 40 ký tự a-z, 0-9 và dấu -, không bắt đầu hay kết thúc bằng dấu -.",
         "%s is \"%.80s\"; it must be 1 to 40 of a-z, 0-9 and -, not beginning or ending with -."},
    [WORD_VALUE_HASH] = {"%s là \"%.80s\"; phải là mã SHA-256 gồm 64 chữ số thập lục phân viết thường.",
                         "%s is \"%.80s\"; it must be a SHA-256 of 64 lower-case hex digits."},
    [WORD_VALUE_KEY] = {"box.x là \"%.80s\"; phải là khóa công khai Ed25519 gồm 43 ký tự base64url.",
                        "box.x is \"%.80s\"; it must be an Ed25519 public key, 43 characters of base64url."},
    [WORD_VALUE_INT] = {"%s phải là số nguyên từ %lld đến %lld.", "%s must be a whole number from %lld to %lld."},
    [WORD_VALUE_CHOICE] = {"%s phải là một trong: %s.", "%s must be one of: %s."},
    [WORD_VALUE_LIST] = {"%s phải là danh sách có từ %zu đến %zu mục.", "%s must be a list of %zu to %zu items."},
    [WORD_VALUE_ITEM] = {"%s là \"%.80s\"; phải có dạng như: %s.", "%s is \"%.80s\"; it must be such as: %s."},
    [WORD_VALUE_TWICE] = {"%s là \"%.80s\", đã có ở mục trước; mỗi mục chỉ được nêu một lần.",
                          "%s is \"%.80s\", which stands there already; each may stand once."},
    [WORD_VALUE_OBJECT] = {"%s phải là một đối tượng { ... }.", "%s must be an object { ... }."},
    [WORD_VALUE_DATE] = {"%s là \"%.80s\"; phải là ngày có thật như 2026-07-01.",
                         "%s is \"%.80s\"; it must be a date that exists, such as 2026-07-01."},
    [WORD_VALUE_TIME] = {"%s là \"%.80s\"; phải là giờ trong ngày như 05:00 hoặc 05:00:30.",
                         "%s is \"%.80s\"; it must be a time of day such as 05:00 or 05:00:30."},
    [WORD_VALUE_ZONE] = {"Không có múi giờ \"%.80s\"; hãy dùng tên như Asia/Ho_Chi_Minh.",
                         "There is no time zone \"%.80s\"; use a name such as Asia/Ho_Chi_Minh."},
    [WORD_NO_AREA] = {"%s: không có địa bàn \"%.80s\"; hãy tạo địa bàn trước hoặc dùng mã có trong danh sách /areas.",
                      "%s: there is no area \"%.80s\"; make it first, or use an id from /areas."},
    [WORD_AREA_LOOP] = {"Địa bàn \"%.80s\" sẽ nằm trong chính nó hoặc sâu quá 16 cấp; hãy sửa trường parent.",
                        "The area \"%.80s\" would lie within itself, or deeper than 16 levels; mend its parent."},
    [WORD_NO_MEDIA] = {"%saudio: không có bản ghi âm \"%.80s\"; hãy gửi tệp âm thanh lên /media trước.",
                       "%saudio: there is no recording \"%.80s\"; hand it in at /media first."},
    [WORD_CONTENT_EMPTY] = {"%slang: ngôn ngữ này không có nội dung; cần text hoặc audio.",
                            "%slang: this language has no content; text or audio is needed."},
    [WORD_BULLETIN] = {"Bản tin không hợp lệ: %s.", "The bulletin cannot be written: %s."},
    [WORD_TAKEN] = {"Mã \"%3$s\" của %1$s%2$.0s đã được dùng cho nội dung khác; hãy chọn mã khác.",
                    "The id of %2$s%1$.0s \"%3$s\" is taken with other content; choose another id."},
    [WORD_BOX_ELSEWHERE] = {"Khóa này thuộc hộp thiết bị đang đặt tại \"%s\"; mỗi hộp chỉ ở một nơi.",
                            "This key belongs to the box at \"%s\"; a box stands at one place only."},
    [WORD_NO_STORE] = {"Thiết bị \"%s\" chưa báo kho lưu nào; hãy ghi store (mã kho) hoặc chờ thiết bị kết nối.",
                       "The device \"%s\" has named no store yet; name the store, or wait until it connects."},
    [WORD_DOCUMENT] = {"Tài liệu bị từ chối: %1$s%2$.0s (%3$s: %4$s).",
                       "The document is refused: %2$s%1$.0s (%3$s: %4$s)."},
    [WORD_NOT_APPROVER] = {"Khóa %s không có vai trò người duyệt (approver) trong danh sách khóa hiện hành.",
                           "The key %s has no role approver in the keys in force."},
    [WORD_RULE_STRAY] = {"Không dùng trường %s với lịch \"%s\".", "%s cannot stand in a rule that is \"%s\"."},
    [WORD_RULE_ORDER] = {"until là %s, trước from là %s; ngày kết thúc phải sau ngày bắt đầu.",
                         "until is %s, before from, which is %s; it must not be earlier."},
    [WORD_RULE_TARGETS] = {"Chưa có nơi phát: cần areas (địa bàn), groups (nhóm) hoặc devices (thiết bị).",
                           "There is no place: one of areas, groups or devices is needed."},
    [WORD_RULE_EMERGENCY] = {"class là emergency; phát khẩn cấp cần một lệnh, không đặt trong lịch phát được.",
                             "class is emergency; an emergency needs an order and cannot be scheduled."},
    [WORD_RULE_CLASS] = {"class là %s, cao hơn mức %s của bản tin '%s'.",
                         "class is %s, above the limit %s of the bulletin '%s'."},
    [WORD_RULE_PAST] = {"Mọi giờ phát trong times đều đã qua; hãy chọn thời điểm trong tương lai.",
                        "All of times are past on that date; choose an instant to come."},
    [WORD_WARN_NOBODY] = {"Hiện chưa có thiết bị nào thuộc lịch phát này.", "No device is meant by this rule now."},
    [WORD_WARN_UNAPPROVED] =
        {"Thiết bị \"%1$s\" sẽ không phát '%2$s': %3$s%4$.0s; hãy duyệt cho đúng nơi, mức và giờ.",
         "The device \"%1$s\" would not play '%2$s': %4$s%3$.0s; approve it for this place, class and time."},
    [WORD_SOUND_UNREADABLE] = {"Không đọc được tệp âm thanh (%s); hãy dùng tệp WAV, FLAC, Ogg hoặc MP3.",
                               "The sound cannot be read (%s); WAV, FLAC, Ogg and MP3 files can."},
    [WORD_SOUND_BROKEN] = {"Tệp âm thanh hỏng sau %.1f giây (%s); hãy xuất lại tệp từ bản gốc.",
                           "The sound breaks off after %.1f seconds (%s); export the file again."},
    [WORD_SOUND_CHANNELS] = {"Tệp âm thanh có %d kênh; tối đa %d kênh.",
                             "The sound has %d channels; at most %d are allowed."},
    [WORD_SOUND_RATE] = {"Tần số lấy mẫu là %d Hz; phải từ %d đến %d Hz.",
                         "The sound is sampled at %d Hz; it must be from %d to %d Hz."},
    [WORD_SOUND_LONG] = {"Tệp âm thanh dài hơn %d phút; hãy chia nhỏ tệp.",
                         "The sound is longer than %d minutes; split it."},
    [WORD_SOUND_SHORT] = {"Tệp âm thanh chỉ dài %.3f giây; phải từ 0,2 giây trở lên.",
                          "The sound has only %.3f seconds; it must have at least 0.2."},
    [WORD_SOUND_SILENT] = {"Tệp âm thanh im lặng (dưới %.0f LUFS); hãy kiểm tra micrô và bản ghi.",
                           "The sound is silent (below %.0f LUFS); check the microphone and the recording."},
    [WORD_SOUND_PEAK] = {"Đỉnh âm thanh vẫn là %.1f dBTP sau khi hạn chế; không thể đưa về -1 dBTP.",
                         "The sound still peaks at %.1f dBTP after limiting; it cannot be brought to -1 dBTP."},
    [WORD_SOUND_LARGE] = {"Tệp âm thanh sau khi nén vẫn lớn hơn %d MiB.",
                          "The sound is larger than %d MiB even when coded."},
    [WORD_GROUP_STRAY] = {"Thiết bị \"%s\" không nằm trong đơn vị \"%s\" của nhóm; hãy chọn thiết bị trong đơn vị đó.",
                          "The device \"%s\" does not lie in \"%s\", the group's unit; choose devices from there."},
    [WORD_GROUP_USED] = {"Nhóm \"%s\" đang được dùng trong lịch phát \"%s\"; hãy kết thúc hoặc sửa lịch đó trước.",
                         "The group \"%s\" is used by the rule \"%s\"; end or change that rule first."},
    [WORD_AREA_ENDED] = {"Địa bàn \"%s\" đã (hoặc khi đó đã) kết thúc; hãy dùng địa bàn kế thừa, xem /areas/changes.",
                         "The area \"%s\" has ended, or will have by then; use the one that took it over, see"
                         " /areas/changes."},
    [WORD_AREA_SAME] = {"Địa bàn \"%s\" không thể là chính nó trong %s; hãy chọn địa bàn khác.",
                        "The area \"%s\" cannot be named in %s as well; another area would be right."},
    [WORD_AREA_DATE] = {"date là %s; thay đổi có hiệu lực từ 0 giờ, sớm nhất là ngày %s và không quá 5 năm sau.",
                        "date is %s; a change takes effect at a midnight, %s at the earliest and within 5 years."},
    [WORD_AREA_DONE] = {"Thay đổi %s đã có hiệu lực từ ngày %s nên không hủy được; hãy lập một thay đổi ngược lại.",
                        "The change %s took effect on %s and cannot be undone; make the opposite change."},
    [WORD_AREA_UNDONE] = {"Thay đổi %s đã được hủy trước đó.", "The change %s was undone already."},
    [WORD_AREA_PLANNED] = {"Đã có %d thay đổi địa bàn đang chờ, mức cao nhất; hãy chờ hoặc hủy bớt.",
                           "%d changes of areas are planned already, as many as there may be; wait, or undo some."},
    [WORD_AREA_OF_OTHERS] = {"Thay đổi %s do đơn vị \"%s\" lập; chỉ đơn vị đó hoặc cấp trên mới hủy được.",
                             "The change %s was made by \"%s\"; that unit or one above it can undo it."},
    [WORD_MEMBER_STRAY] = {"Không dùng trường %s với \"%s\".", "%s cannot stand with \"%s\"."},
    [WORD_VALUE_MONTH_DAY] =
        {"%s là \"%s\"; phải là ngày trong năm như 03-10 hoặc khoảng ngày như 12-23..01-03 (âm lịch: ngày 1 đến 30).",
         "%s is \"%s\"; it must be a day of the year such as 03-10, or days such as 12-23..01-03 (lunar: 1 to 30)."},
    [WORD_RULE_LEAP] =
        {"%s: leap chỉ dùng được với ngày âm lịch trong cùng một tháng; khoảng qua nhiều tháng luôn gồm cả tháng nhuận "
         "ở giữa.",
         "%s: leap is for lunar days within one month; days over several months hold in a leap month between them."},
    [WORD_RULE_EXCEPT_MANY] =
        {"except có %zu ngày; tối đa %zu. Hãy dùng seasons, from, until hoặc holidays thay cho nhiều ngày lẻ.",
         "except has %zu dates; at most %zu. Seasons, from, until or holidays say the same with less."},
    [WORD_RULE_NO_HOLIDAYS] = {"%s chỉ có nghĩa khi holidays là skip hoặc only, hoặc when là holidays.",
                               "%s means something only where holidays is skip or only, or when is holidays."},
    [WORD_RULE_CALENDAR] = {"Không có lịch ngày lễ \"%s\"; ví dụ đúng: vietnam.",
                            "There is no calendar of holidays \"%s\"; right would be vietnam, for example."},
    [WORD_RULE_NEVER] = {"Lịch này không rơi vào ngày nào; hãy xem lại ngày, mùa, ngày bắt đầu và kết thúc.",
                         "No day at all is meant by this rule; look at its days, seasons, first and last day again."},
    [WORD_RULE_PART] =
        {"%s phải có đúng một trong hai: bulletin (bản tin), hoặc source (nguồn tiếp sóng) cùng length_ms.",
         "%s must have one of bulletin, and source (of a relay) with length_ms."},
    [WORD_RULE_FILL] = {"session.topics lấp phần trống của khung giờ, nên cần session.length_ms lớn hơn 0.",
                        "session.topics fill what is left of a slot, so session.length_ms must be above 0."},
    [WORD_RULE_CONTENT] = {"Chỉ dùng một trong hai: bulletin (một bản tin) hoặc session (một buổi phát).",
                           "Only one of bulletin and session can be used."},
    [WORD_RULE_START] =
        {"wait_ms phải lớn hơn 0 khi start là wait, và là 0 khi start là exact hoặc boundary; start đang là %s.",
         "wait_ms must be above 0 where start is wait, and 0 where it is exact or boundary; start is %s."},
    [WORD_RULE_OFF] = {"Lịch phát \"%s\" không phát vào ngày %s, nên không có gì để bỏ.",
                       "The rule \"%s\" does not hold on %s, so there is nothing to leave out."},
    [WORD_RULE_DAY_PAST] = {"Ngày %s đã qua; chỉ bỏ được ngày hôm nay hoặc ngày sau.",
                            "%s is over; only today or a later day can be left out."},
    [WORD_RULE_NO_EXCEPTION] = {"Lịch phát \"%s\" không bỏ ngày %s.", "The rule \"%s\" does not leave out %s."},
    [WORD_RULE_ONCE] = {"Lịch phát \"%s\" chỉ phát một lần; hãy kết thúc nó thay vì bỏ ngày.",
                        "The rule \"%s\" holds once; end it instead of leaving out its day."},
    [WORD_RULE_ENDED] = {"Lịch phát \"%s\" đã kết thúc; hãy khôi phục trước khi sửa.",
                         "The rule \"%s\" has ended; restore it before changing it."},
    [WORD_RULE_NO_CHANGE] = {"Lịch phát \"%s\" chưa sửa lần nào, hoặc mọi lần sửa đã được hoàn tác.",
                             "The rule \"%s\" was never changed, or every change has been undone."},
    [WORD_WARN_LUNAR_SHORT] =
        {"Ngày %s âm lịch không có trong năm %s (tháng thiếu hoặc không nhuận); năm đó không phát.",
         "There is no lunar %s in %s (a month of 29 days, or no leap month); nothing plays then."},
    [WORD_CALENDAR_LONG] =
        {"Lịch xuất ra dài hơn %d KiB hoặc có từ %d lịch phát; hãy xin ít ngày hơn (days) hoặc từng lịch "
         "phát (/rules/ID.ics).",
         "The calendar is longer than %d KiB or has %d rules or more; ask for fewer days, or for one rule "
         "(/rules/ID.ics)."},
    [WORD_LIMIT_EMPTY] = {"%s bắt đầu và kết thúc cùng lúc; cả ngày là từ 00:00 đến 24:00.",
                          "%s begins and ends at the same time; a whole day is from 00:00 to 24:00."},
    [WORD_LIMIT_CEILING] = {"Mức âm lượng trần do thiết bị tự giữ nên action phải là refuse.",
                            "A ceiling is kept by the device itself, so action must be refuse."},
    [WORD_LIMIT_MANY] = {"Địa bàn \"%s\" đã có %d giới hạn, mức cao nhất; hãy xóa bớt.",
                         "The area \"%s\" has %d limits, as many as there may be; take some back."},
    [WORD_LIMIT_OF_OTHERS] = {"\"%s\" do đơn vị \"%s\" đặt ra; chỉ đơn vị đó hoặc cấp trên mới bỏ được.",
                              "\"%s\" was laid down by \"%s\"; that unit or one above it can take it back."},
    [WORD_LIMIT_QUIET] =
        {"Lần phát %1$s nằm trong giờ yên tĩnh %2$s-%3$s của %4$s (%5$s); hãy chọn giờ từ %3$s đến %2$s, hoặc ghi văn "
         "bản cho phép tại /exemptions (loa exempt add).",
         "The airing at %1$s falls into the quiet hours %2$s-%3$s of %4$s (%5$s); right would be from %3$s to %2$s, or "
         "an order that exempts it, at /exemptions."},
    [WORD_LIMIT_QUIET_DEFAULT] =
        {"Lần phát %1$s tại %4$s nằm trong giờ yên tĩnh mặc định %2$s-%3$s (chưa địa bàn nào quy định khác%5$.0s); hãy "
         "chọn giờ từ %3$s đến %2$s, hoặc ghi văn bản cho phép tại /exemptions (loa exempt add).",
         "The airing at %1$s at %4$s falls into the default quiet hours %2$s-%3$s (no area there says "
         "otherwise%5$.0s); "
         "right would be from %3$s to %2$s, or an order that exempts it, at /exemptions."},
    [WORD_LIMIT_DAY] = {"Lần phát %s rơi vào ngày không được phát theo quy định của %s (%s); hãy chọn ngày khác, hoặc "
                        "ghi văn bản cho phép tại /exemptions (loa exempt add).",
                        "The airing at %s falls on a day without broadcasts by the limits of %s (%s); choose other "
                        "days, or enter an order that exempts it, at /exemptions."},
    [WORD_LIMIT_SESSIONS] =
        {"Đến lần phát %1$s, lịch này phát %2$lld lần trong ngày; %4$s chỉ cho %3$lld lần (%5$s).",
         "With the airing at %1$s this rule is on air %2$lld times that day; %4$s allows %3$lld (%5$s)."},
    [WORD_LIMIT_SESSION_MINUTES] = {"Lần phát %1$s dài %2$lld phút; %4$s chỉ cho %3$lld phút mỗi lần (%5$s).",
                                    "The airing at %1$s takes %2$lld minutes; %4$s allows %3$lld each (%5$s)."},
    [WORD_LIMIT_MINUTES] =
        {"Đến lần phát %1$s, lịch này phát %2$lld phút trong ngày; %4$s chỉ cho %3$lld phút (%5$s).",
         "With the airing at %1$s this rule takes %2$lld minutes that day; %4$s allows %3$lld (%5$s)."},
    [WORD_LIMIT_SESSIONS_ALL] =
        {"Ngày %1$s tất cả lịch phát ở %4$s cộng lại là %2$lld lần, chỉ được %3$lld lần mỗi ngày (%5$s); số ngày như "
         "vậy trong %8$d ngày: %7$d. Các lịch khác: %6$s.",
         "On %1$s all rules for %4$s together are on air %2$lld times, and %3$lld a day are allowed (%5$s); days like "
         "that within %8$d days: %7$d. The other rules: %6$s."},
    [WORD_LIMIT_MINUTES_ALL] =
        {"Ngày %1$s tất cả lịch phát ở %4$s cộng lại là %2$lld phút, chỉ được %3$lld phút mỗi ngày (%5$s); số ngày như "
         "vậy trong %8$d ngày: %7$d. Các lịch khác: %6$s.",
         "On %1$s all rules for %4$s together take %2$lld minutes, and %3$lld a day are allowed (%5$s); days like that "
         "within %8$d days: %7$d. The other rules: %6$s."},
    [WORD_EXEMPT_PLACES] = {"Chưa ghi nơi được miễn: cần areas (địa bàn) hoặc devices (thiết bị).",
                            "The exemption has no place: areas or devices are needed."},
    [WORD_EXEMPT_ORDER] = {"order phải là một dòng, như 12/CV-UBND.", "order must be one line, such as 12/CV-UBND."},
    [WORD_EXEMPT_LONG] = {"Miễn đến %s kể từ %s là quá lâu; tối đa %d ngày cho một văn bản.",
                          "Until %s from %s is too long; an order exempts for %d days at most."},
    [WORD_INBOX_WHERE] = {"Đơn vị \"%s\" không nằm trong xã, phường nào; hãy ghi commune.",
                          "The unit \"%s\" lies in no commune or ward; name the commune."},
    [WORD_INBOX_NOT] = {"Lịch phát \"%s\" không chờ \"%s\" trả lời.",
                        "The rule \"%s\" does not wait for an answer of \"%s\"."},
    [WORD_INBOX_MUST] =
        {"Lịch phát \"%s\" bắt buộc phải phát, không từ chối được; có thể dời trong khung giờ cho phép.",
         "The rule \"%s\" must be carried and cannot be declined; it may be moved within its window."},
    [WORD_INBOX_COUNT] = {"times có %zu giờ; lịch bắt buộc này có %zu giờ, phải giữ đủ.",
                          "times has %zu; the rule must be carried %zu times a day."},
    [WORD_INBOX_WINDOW] = {"Giờ %s nằm ngoài khung giờ cho phép %s-%s.", "%s lies outside the window %s-%s."},
    [WORD_INBOX_FIXED] = {"Lịch phát \"%s\" không cho dời giờ.", "The times of the rule \"%s\" cannot be moved."},
    [WORD_CARRY_WINDOW] = {"window chỉ dùng khi carry là must hoặc offer; carry đang là %s.",
                           "window is for a rule whose carry is must or offer; it is %s."},
    [WORD_CARRY_DIRECT] =
        {"carry là direct; với đơn vị \"%s\" có xã, phường bên dưới, chỉ người quản trị mới được đặt "
         "như vậy; hãy dùng offer hoặc must.",
         "carry is direct; from \"%s\", which has communes below it, only an admin may do that; offer "
         "or must would be right."},
    [WORD_CARRIAGE_DIRECT] =
        {"Lịch phát \"%s\" là lịch trực tiếp (carry là direct): các xã, phường không phải trả lời nên không có tình "
         "hình "
         "tiếp nhận; xem nhật ký phát của lịch tại /receipts.",
         "The rule \"%s\" is direct (its carry): no commune is asked, so there is no carriage to tell; what was heard "
         "of it is at /receipts."},
    [WORD_WARN_NO_AREA] = {"Chưa có địa bàn \"%s\"; phần duyệt cho nơi đó chưa có tác dụng.",
                           "There is no area \"%s\" yet; for that place the approval has no effect."},
    [WORD_CLASH] =
        {"Chưa lưu: %s (tổng số lịch phát bị trùng: %zu). Có thể đặt on_clash là replace (thay), after (phát sau) hoặc "
         "shift (dời giờ).",
         "Not saved: %s (rules that clash: %zu). With on_clash it could replace them, come after them, or shift."},
    [WORD_RULE_LANGUAGE] =
        {"Bản tin '%1$s' không có tiếng \"%2$s\" cho thiết bị \"%3$s\" (%4$s%5$.0s), mà languages là complete; hãy bổ "
         "sung bản tin, bỏ thiết bị ra, hoặc đặt languages là drop.",
         "The bulletin '%1$s' has no \"%2$s\" for the device \"%3$s\" (%5$s%4$.0s), and languages is complete; add it "
         "to "
         "the bulletin, leave the device out, or let languages be drop."},
    [WORD_RULE_MEANWHILE] = {"Lịch phát \"%s\" vừa được người khác sửa; hãy đọc lại rồi sửa trên bản mới.",
                             "The rule \"%s\" was changed by someone else meanwhile; read it again and change that."},
    [WORD_QUOTA] = {"Đơn vị \"%1$s\" đã có %2$lld %3$s, mức cao nhất cho một đơn vị; hãy kết thúc những cái không còn "
                    "dùng, hoặc nâng per_unit.%4$s trong cấu hình bộ điều khiển.",
                    "The unit \"%1$s\" has %2$lld %4$s%3$.0s, as many as one unit may have; end those that are not "
                    "needed any more, or raise per_unit.%4$s in the controller's configuration."},
    [WORD_CLASH_FULL] = {"Chưa lưu: không còn giờ trống nào trong ngày để dời lịch phát này (on_clash là %s).",
                         "Not saved: the day has no free time left to move this rule to (on_clash is %s)."},
};

const char *word_text(enum word word, bool vietnamese)
{
    return vietnamese ? words[word].vi : words[word].en;
}

const char *word_thing(const char *english)
{
    static const struct {
        const char *en, *vi;
    } things[] = {
        {"area", "địa bàn"},
        {"bulletin", "bản tin"},
        {"change", "thay đổi địa bàn"},
        {"device", "thiết bị"},
        {"group", "nhóm thiết bị"},
        {"exemption", "văn bản cho phép"},
        {"keys", "danh sách khóa"},
        {"limit", "giới hạn"},
        {"playlist", "lịch đã gửi cho thiết bị"},
        {"media", "tệp âm thanh"},
        {"rule", "lịch phát"},
        {"trust", "văn bản tin cậy"},
        {"token", "mã truy cập"},
        {"loudspeaker", "cụm loa"},
        {"board", "bảng tin điện tử"},
        {"cluster", "cụm thông tin đối ngoại"},
        {"gateway", "thiết bị tích hợp"},
        {"mobile", "loa lưu động"},
    };
    for (size_t i = 0; i < sizeof(things) / sizeof(things[0]); i++)
        if (strcmp(things[i].en, english) == 0)
            return things[i].vi;
    return english;
}
