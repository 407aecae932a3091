/* examples.c - lines for --help. See command.h. */
#include "tools/loa/command.h"

const struct cli_example examples[] = {
    {"preview", NULL, "loa preview cum-loa-1 --day 2026-07-01"},
    {"preview", NULL, "loa preview cum-loa-1 --draft rule.json --without r-0011223344aa"},
    {"bulletin", "add",
     "loa bulletin add --title \"Họp thôn\" --category \"hành chính\" --answerable \"Nguyễn Văn An\" "
     "--content vi:text=\"Tối nay 19 giờ họp thôn\",audio=hop-thon.wav"},
    {"approve", NULL, "loa approve HASH --key lan.jwk --area a001 --until 2026-12-31"},
    {"limit", "load", "loa limit load limits-rural.json --area a000"},
    {"device", "add",
     "loa device add xa-tan-thanh-1 --kind loudspeaker --area a001 --name \"Cụm loa Tân Thành\" --serial LOA-2026-0001 "
     "--key box.jwk"},
    {"rule", "add", "loa rule add --bulletin HASH --area a001 --once +5m"},
    {"rule", "add", "loa rule add --bulletin HASH --area a001 --daily 05:00,17:00 --until 2026-12-31"},
    {"rule", "add", "loa rule add --bulletin HASH --area a001 --weekdays mon,thu --at 05:10 --holidays skip"},
    {"rule", "add", "loa rule add --bulletin HASH --area a001 --weekdays sun --nth 1,-1 --at 06:30"},
    {"rule", "add", "loa rule add --bulletin HASH --area a001 --month-days 1,15,-1 --at 17:00"},
    {"rule", "add", "loa rule add --bulletin HASH --area a001 --every 10 --anchor 2026-07-01 --at 05:00"},
    {"rule", "add", "loa rule add --bulletin HASH --area a001 --lunar-days 2,7,12,17,22,27 --at 05:30"},
    {"rule", "add", "loa rule add --bulletin HASH --area a001 --lunar-dates 03-10,12-23..01-03 --at 07:00"},
    {"rule", "add", "loa rule add --bulletin HASH --area a001 --on-holidays tet,national --at 06:00"},
    {"rule", "add", "loa rule add --bulletin HASH --group gio-moi --daily 05:00 --season 10-15..03-15"},
    {"rule", "add", "loa rule add --session buoi-sang.json --area a001 --except-device cum-loa-9 --daily 05:00"},
    {"rule", "change", "loa rule change sang-5h --at 05:30"},
    {"rule", "change", "loa rule change sang-5h --weekdays sat,sun --at 06:00 --unset late_ms"},
    {"rule", "skip", "loa rule skip sang-5h 2026-09-02"},
    {"rule", "skip", "loa rule skip sang-5h 2026-09-02 --take-back"},
    {"rule", "calendar", "loa rule calendar > lich-phat.ics"},
    {0},
};
