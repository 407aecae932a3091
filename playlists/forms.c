/* forms.c - see forms.h. */
#include "playlists/forms.h"

#include "playlists/base/bytes.h"

#include <string.h>

static bool all_of(const char *text, size_t len, const char *set)
{
    return strlen(text) == len && strspn(text, set) == len;
}

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

static bool is_any(const char *text, size_t len)
{
    (void)text;
    (void)len;
    return true;
}

static bool is_text(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (((unsigned char)text[i] < 0x20 && !strchr("\t\n\r", text[i])) || text[i] == 0x7F)
            return false;
    return true;
}

static bool is_line(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F)
            return false;
    return true;
}

static bool is_id(const char *text, size_t len)
{
    return strlen(text) == len && id_valid(text);
}

static bool is_word(const char *text, size_t len)
{
    return all_of(text, len, LOWER DIGITS "_-.");
}

static bool is_token(const char *text, size_t len)
{
    return all_of(text, len, UPPER LOWER DIGITS "_-");
}

static bool is_hash(const char *text, size_t len)
{
    return strlen(text) == len && hash_valid(text);
}

static bool is_key(const char *text, size_t len)
{
    unsigned char bytes[32];
    return len == 43 && b64url_decode(text, len, bytes, sizeof(bytes)) == (int)sizeof(bytes);
}

static bool is_audience(const char *text, size_t len)
{
    (void)len;
    if (strcmp(text, "all") == 0 || strcmp(text, "controller") == 0)
        return true;
    if (strncmp(text, "dev/", 4) == 0)
        return id_valid(text + 4);
    return strncmp(text, "area/", 5) == 0 && id_valid(text + 5);
}

/* Behind an occurrence's first dot: seconds, and for a part of a session a dot and its name. */
static bool is_instant(const char *text, size_t len)
{
    size_t seconds = strspn(text, DIGITS);
    if (seconds < 1 || seconds > 13)
        return false;
    size_t part = len - seconds - 1;
    return seconds == len ||
           (text[seconds] == '.' && part >= 1 && part <= 16 && all_of(text + seconds + 1, part, LOWER DIGITS));
}

static bool is_occurrence(const char *text, size_t len)
{
    const char *dot = strchr(text, '.');
    size_t id_len = dot ? (size_t)(dot - text) : len;
    char id[41];
    if (id_len >= sizeof(id))
        return false;
    memcpy(id, text, id_len);
    id[id_len] = '\0';
    if (!id_valid(id))
        return false;
    return !dot || is_instant(dot + 1, len - id_len - 1);
}

static bool is_lang(const char *text, size_t len)
{
    return all_of(text, len, LOWER);
}

static bool is_zone(const char *text, size_t len)
{
    return all_of(text, len, UPPER LOWER DIGITS "_+-/") && text[0] != '/' && text[len - 1] != '/' &&
           !strstr(text, "//");
}

const struct form forms[FORMS] = {
    [FORM_ANY] = {is_any, 0, 0, "text"},
    [FORM_TEXT] = {is_text, 0, 0, "text without control characters"},
    [FORM_LINE] = {is_line, 0, 0, "one line without control characters"},
    [FORM_ID] = {is_id, 1, 40, "an id: 1 to 40 of a-z, 0-9 and '-', not beginning or ending with '-'"},
    [FORM_WORD] = {is_word, 1, 64, "a word: 1 to 64 of a-z, 0-9, '_', '-' and '.'"},
    [FORM_TOKEN] = {is_token, 1, 64, "1 to 64 of A-Z, a-z, 0-9, '_' and '-'"},
    [FORM_NONCE] = {is_token, 8, 64, "a nonce: 8 to 64 of A-Z, a-z, 0-9, '_' and '-'"},
    [FORM_HASH] = {is_hash, 64, 64, "a SHA-256: 64 hex digits in lower case"},
    [FORM_KEY] = {is_key, 43, 43, "32 bytes in base64url: 43 characters"},
    [FORM_AUDIENCE] = {is_audience, 1, 64, "all, controller, dev/<id> or area/<id>"},
    [FORM_OCCURRENCE] = {is_occurrence, 1, 71,
                         "an occurrence: <id>.<start in Unix seconds>, or that, a dot and the part"},
    [FORM_LANG] = {is_lang, 2, 3, "a language tag: 2 or 3 of a-z"},
    [FORM_ZONE] = {is_zone, 1, 64, "a name of the tz database, such as Asia/Ho_Chi_Minh"},
    [FORM_NAME] = {is_line, 1, 40, "one of the names of this member"},
};
