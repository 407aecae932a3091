/* layout.c - sign_layout(): a text as lines that fit a sign. Pure; see sign.h. */
#include "boards/bus/sign.h"

#include "boards/bus/layout.h"
#include "playlists/base/bytes.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum { LINES_MAX = 64, COLUMNS_MAX = 512 };

struct lines {
    char *text[LINES_MAX]; /* owned */
    size_t n;
    bool more; /* something did not fit into the list */
};

static void lines_done(struct lines *lines)
{
    for (size_t i = 0; i < lines->n; i++)
        free(lines->text[i]);
    lines->n = 0;
}

static void add_line(struct lines *lines, const char *from, size_t len)
{
    while (len > 0 && from[len - 1] == ' ')
        len--;
    if (lines->n == LINES_MAX) {
        lines->more = true;
        return;
    }
    char *line = xcalloc(1, len + 1);
    memcpy(line, from, len);
    lines->text[lines->n++] = line;
}

static size_t next_char(const char *text, size_t *ret_columns, int32_t *ret_code)
{
    utf8proc_int32_t code = 0;
    utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)text, -1, &code);
    *ret_columns = (size_t)utf8proc_charwidth(code);
    *ret_code = code;
    return n > 0 ? (size_t)n : 1;
}

size_t text_columns(const char *text)
{
    size_t sum = 0;
    for (const char *p = text; *p;) {
        size_t columns;
        int32_t code;
        p += next_char(p, &columns, &code);
        sum += columns;
    }
    return sum;
}

/* How many bytes of `text` go into one line of `columns`: up to a space, else between two wide (CJK) characters or
 * beside one, else in the middle of the word. At least one character. */
static size_t fit(const char *text, size_t len, size_t columns)
{
    size_t used = 0;
    size_t best = 0;
    bool wide_before = false;
    for (size_t i = 0; i < len;) {
        size_t width;
        int32_t code;
        size_t n = next_char(text + i, &width, &code);
        if (i > 0 && width > 0 && (code == ' ' || width == 2 || wide_before))
            best = i;
        if (used + width > columns && code != ' ')
            return best ? best : (i ? i : n);
        used += width;
        i += n;
        if (width > 0)
            wide_before = width == 2;
    }
    return len;
}

static void wrap(struct lines *lines, const char *text, size_t len, size_t columns)
{
    do {
        size_t n = columns ? fit(text, len, columns) : len;
        add_line(lines, text, n);
        while (n < len && text[n] == ' ')
            n++;
        text += n;
        len -= n;
    } while (len > 0);
}

/* Put an ellipsis at the end of this line, dropping whole words (or at last, characters) until it fits. */
static void end_with_ellipsis(char **line, const char *ellipsis, size_t columns)
{
    size_t len = strlen(*line);
    size_t width = text_columns(ellipsis);
    bool fits = columns == 0 || text_columns(*line) + width <= columns;
    if (!fits) {
        char *space = strrchr(*line, ' ');
        len = space && space != *line ? (size_t)(space - *line)
                                      : (columns > width ? fit(*line, len, columns - width) : 0);
    }
    while (len > 0 && ((*line)[len - 1] == ' ' || (*line)[len - 1] == ','))
        len--;
    *line = realloc(*line, len + strlen(ellipsis) + 1);
    if (!*line)
        abort();
    memcpy(*line + len, ellipsis, strlen(ellipsis) + 1);
}

static int check_chars(const char *text, struct complaint *why)
{
    if (!utf8_valid(text, strlen(text)))
        return complain(why, ERR_FORMAT, "the text is not UTF-8");
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 && *p != '\n' && *p != '\r' && *p != '\t')
            return complain(why, ERR_FORMAT, "the text holds the control character U+%04X", (unsigned char)*p);
    if (text[strspn(text, " \t\r\n")] == '\0')
        return complain(why, ERR_LIMIT, "the text is empty; a sign is blanked instead");
    if (strlen(text) >= SIGN_TEXT_MAX * 4)
        return complain(why, ERR_LIMIT, "the text has %zu bytes, a sign takes at most %d", strlen(text),
                        SIGN_TEXT_MAX * 4 - 1);
    return 0;
}

static void split(struct lines *lines, char *text, size_t columns)
{
    for (char *p = text; *p; p++)
        if (*p == '\t')
            *p = ' ';
    char *p = text;
    for (;;) {
        size_t len = strcspn(p, "\r\n");
        wrap(lines, p, len, columns);
        p += len;
        if (*p == '\r' && p[1] == '\n')
            p++;
        if (*p == '\0')
            return;
        p++;
        if (*p == '\0')
            return;
    }
}

size_t sign_lines(const struct profile *profile)
{
    if (profile->points[profile->text[0]].line)
        return profile->lines ? profile->lines : profile->n_text;
    return profile->lines ? profile->lines : PROFILE_LINES_MAX;
}

static void put_padded(struct buf *buf, const char *line, size_t columns)
{
    buf_put(buf, line, strlen(line));
    for (size_t n = text_columns(line); n < columns; n++)
        buf_put(buf, " ", 1);
}

char *sign_part(const struct profile *profile, size_t nth, const char *laid_out)
{
    static const char *const breaks[] = {[BREAK_LF] = "\n", [BREAK_CRLF] = "\r\n", [BREAK_CR] = "\r", [BREAK_PAD] = ""};
    bool by_line = profile->points[profile->text[0]].line != 0;
    struct buf part = {0};
    size_t i = 0;
    for (const char *p = laid_out;; i++) {
        size_t len = strcspn(p, "\n");
        char *line = xcalloc(1, len + 1);
        memcpy(line, p, len);
        if (by_line && i == nth)
            buf_put(&part, line, len);
        if (!by_line && i > 0)
            buf_put(&part, breaks[profile->line_break], strlen(breaks[profile->line_break]));
        if (!by_line)
            put_padded(&part, line, profile->line_break == BREAK_PAD ? profile->columns : 0);
        free(line);
        if (p[len] == '\0')
            break;
        p += len + 1;
    }
    char *text = xstrdup(buf_text(&part));
    buf_done(&part);
    return text;
}

static int try_parts(const struct profile *profile, const char *laid_out, struct complaint *why)
{
    uint16_t regs[PROFILE_TEXT_REGS_MAX];
    int r = 0;
    for (size_t i = 0; r == 0 && i < profile->n_text; i++) {
        char *part = sign_part(profile, i, laid_out);
        r = profile_encode_text(&profile->points[profile->text[i]], part, regs, why);
        free(part);
    }
    return r;
}

static int join(const struct lines *lines, char ret_text[SIGN_TEXT_MAX])
{
    size_t at = 0;
    for (size_t i = 0; i < lines->n; i++) {
        size_t len = strlen(lines->text[i]);
        if (at + len + 2 > SIGN_TEXT_MAX)
            return ERR_LIMIT;
        if (i > 0)
            ret_text[at++] = '\n';
        memcpy(ret_text + at, lines->text[i], len);
        at += len;
    }
    ret_text[at] = '\0';
    return 0;
}

/* Drop the last word of the last line, or the line. False when nothing is left. */
static bool shorten(struct lines *lines, const char *ellipsis)
{
    while (lines->n > 0) {
        char *line = lines->text[lines->n - 1];
        size_t len = strlen(line);
        size_t tail = strlen(ellipsis);
        if (len >= tail && strcmp(line + len - tail, ellipsis) == 0)
            line[len -= tail] = '\0';
        char *space = strrchr(line, ' ');
        size_t keep = 0;
        if (space)
            keep = (size_t)(space - line);
        else if (len > 0) /* one character: of CJK, or of a word longer than a line */
            for (keep = len - 1; keep > 0 && ((unsigned char)line[keep] & 0xC0) == 0x80; keep--)
                ;
        line[keep] = '\0';
        if (keep > 0)
            return true;
        free(line);
        lines->n--;
    }
    return false;
}

/* Cut to the number of lines, then further until the registers hold it: lines of many bytes may be too long for them.
 */
static int cut_to_fit(const struct profile *profile, struct lines *lines, char ret_text[SIGN_TEXT_MAX], bool *ret_cut,
                      struct complaint *why)
{
    bool ascii = profile->points[profile->text[0]].encoding == ENCODING_ASCII;
    const char *ellipsis = ascii ? "..." : "…";
    bool cut = lines->more;
    size_t most = sign_lines(profile);
    while (lines->n > most) {
        free(lines->text[--lines->n]);
        cut = true;
    }
    for (;;) {
        if (cut)
            end_with_ellipsis(&lines->text[lines->n - 1], ellipsis, profile->columns);
        struct complaint cause = {0};
        int r = join(lines, ret_text);
        r = r < 0 ? r : try_parts(profile, ret_text, &cause);
        if (r != ERR_LIMIT) {
            *ret_cut = cut;
            return r < 0 ? complain(why, r, "%s", cause.text) : 0;
        }
        cut = true;
        if (!shorten(lines, ellipsis))
            return complain(why, ERR_LIMIT, "nothing of the text fits the sign's registers");
    }
}

int sign_layout(const struct profile *profile, const char *text, char ret_text[SIGN_TEXT_MAX], bool *ret_cut,
                struct complaint *why)
{
    int r = check_chars(text, why);
    if (r < 0)
        return r;
    utf8proc_uint8_t *nfc = utf8proc_NFC((const utf8proc_uint8_t *)text);
    if (!nfc)
        return complain(why, ERR_FORMAT, "the text is not Unicode that can be normalised");
    struct lines lines = {0};
    split(&lines, (char *)nfc, profile->columns);
    free(nfc);
    char laid_out[SIGN_TEXT_MAX] = {0};
    r = cut_to_fit(profile, &lines, laid_out, ret_cut, why);
    lines_done(&lines);
    if (r == 0)
        memcpy(ret_text, laid_out, sizeof(laid_out));
    return r;
}
