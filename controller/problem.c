/* problem.c - see problem.h. */
#include "controller/problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Cut text that filled its buffer back to a whole UTF-8 sequence. */
static void trim_utf8(char *text, size_t cap)
{
    size_t len = strlen(text);
    if (len + 1 < cap)
        return;
    while (len > 0 && ((unsigned char)text[len - 1] & 0xC0) == 0x80)
        len--;
    if (len > 0 && ((unsigned char)text[len - 1] & 0x80))
        len--;
    text[len] = '\0';
}

int refuse(struct problem *problem, int status, const char *code, const char *member, enum word word, ...)
{
    *problem = (struct problem){.status = status, .code = code};
    snprintf(problem->member, sizeof(problem->member), "%s", member ? member : "");
    trim_utf8(problem->member, sizeof(problem->member));
    va_list args;
    va_start(args, word);
    va_list again;
    va_copy(again, args);
    vsnprintf(problem->vi, sizeof(problem->vi), word_text(word, true), args);
    vsnprintf(problem->en, sizeof(problem->en), word_text(word, false), again);
    va_end(again);
    va_end(args);
    trim_utf8(problem->vi, sizeof(problem->vi));
    trim_utf8(problem->en, sizeof(problem->en));
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
