/* problem.c - see problem.h. */
#include "controller/problem.h"

#include "playlists/base/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What is quoted may have been cut in the midst of a character: the rest of that one goes, or it were no JSON. */
static void keep_utf8(char *text)
{
    char *out = text;
    for (const char *at = text; *at;) {
        size_t n = 1;
        while ((unsigned char)*at >= 0xC0 && n < 4 && ((unsigned char)at[n] & 0xC0) == 0x80)
            n++;
        if (utf8_valid(at, n)) {
            memmove(out, at, n);
            out += n;
        }
        at += n;
    }
    *out = '\0';
}

int refuse(struct problem *problem, int status, const char *code, const char *member, enum word word, ...)
{
    *problem = (struct problem){.status = status, .code = code};
    snprintf(problem->member, sizeof(problem->member), "%s", member ? member : "");
    keep_utf8(problem->member);
    va_list args;
    va_start(args, word);
    va_list again;
    va_copy(again, args);
    vsnprintf(problem->vi, sizeof(problem->vi), word_text(word, true), args);
    vsnprintf(problem->en, sizeof(problem->en), word_text(word, false), again);
    va_end(again);
    va_end(args);
    keep_utf8(problem->vi);
    keep_utf8(problem->en);
    return -1;
}

int refuse_missing(struct problem *problem, int status, const char *code, const char *member, const char *thing,
                   const char *id)
{
    return refuse(problem, status, code, member, WORD_MISSING, word_thing(thing), thing, id);
}

int refuse_taken(struct problem *problem, const char *thing, const char *id)
{
    return refuse(problem, 409, "conflict", "id", WORD_TAKEN, word_thing(thing), thing, id);
}
