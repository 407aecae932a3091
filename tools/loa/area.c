/* area.c - `loa area`: the administrative tree. */
#include "playlists/base/file.h"
#include "tools/loa/answer.h"

enum { CSV_MAX = 256 * 1024 };

static int area_import(struct call *call)
{
    struct buf csv = {0};
    int r = file_read_whole(call->args[0], CSV_MAX, &csv);
    if (r < 0)
        r = refuse(call, "%s: cannot be read: %s", call->args[0], err_name(r));
    else if (csv.len == 0)
        r = refuse(call, "%s: is empty; a header line id,parent,kind,name and one line an area would be right",
                   call->args[0]);
    else
        r = ask_bytes(call, "/api/v1/areas", "text/csv", csv.data, csv.len);
    buf_done(&csv);
    return r;
}

static const struct column area_columns[] = {
    {"id", "id"}, {"parent", "parent"}, {"kind", "kind"}, {"name", "name"}, {NULL, NULL},
};

static int area_list(struct call *call)
{
    return ask_list(call, "/api/v1/areas", area_columns);
}

static const struct option_spec list_options[] = {
    {"limit", "N", "at most so many (else 100; 0: all)", false, false},
    {0},
};

const struct cli_command area_commands[] = {
    {"area", "import", "CSV", 1, 1, "Nạp địa bàn từ tệp CSV (id,parent,kind,name)",
     "Add or change areas from a CSV file (id,parent,kind,name)", NULL, area_import},
    {"area", "list", "", 0, 0, "Danh sách địa bàn", "List areas", list_options, area_list},
    {0},
};
