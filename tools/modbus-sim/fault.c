/* fault.c - see fault.h. */
#include "tools/modbus-sim/fault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    long value, low, high; /* when not given; its range, 0 and 0 when it takes none */
} kinds[] = {[FAULT_NONE] = {"none", 0, 0, 0},
             [FAULT_SILENT] = {"silent", 0, 0, 0},
             [FAULT_LATE] = {"late", 600, 1, 60000},
             [FAULT_DRIBBLE] = {"dribble", 400, 1, 10000},
             [FAULT_WRONG_UNIT] = {"wrong_unit", 0, 0, 0},
             [FAULT_WRONG_FUNCTION] = {"wrong_function", 0, 0, 0},
             [FAULT_GARBAGE] = {"garbage", 0, 0, 0},
             [FAULT_SHORT] = {"short", 0, 0, 0},
             [FAULT_TWICE] = {"twice", 0, 0, 0},
             [FAULT_EXCEPTION] = {"exception", 4, 1, 255},
             [FAULT_GONE] = {"gone", 5000, 1, 3600000},
             [FAULT_FROZEN] = {"frozen", 0, 0, 0}};

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]), EVERY_MAX = 1000 };

static int refuse(const char *word, struct complaint *why)
{
    return complain(why, ERR_FORMAT,
                    "'%.60s' is no fault: none, silent, late[:MS], dribble[:MS], wrong_unit, wrong_function, garbage, "
                    "short, twice, exception[:CODE], gone[:MS], frozen, each with /N for one answer in N",
                    word);
}

int fault_read(const char *word, struct fault *ret, struct complaint *why)
{
    size_t len = strcspn(word, ":/");
    for (size_t i = 0; i < KINDS; i++) {
        if (strlen(kinds[i].name) != len || memcmp(kinds[i].name, word, len) != 0)
            continue;
        struct fault fault = {.kind = (enum fault_kind)i, .value = kinds[i].value, .every = 1};
        char *rest = (char *)(word + len);
        if (*rest == ':')
            fault.value = strtol(rest + 1, &rest, 10);
        if (*rest == '/')
            fault.every = (unsigned)strtoul(rest + 1, &rest, 10);
        if (*rest || fault.every < 1 || fault.every > EVERY_MAX || fault.value < kinds[i].low ||
            fault.value > kinds[i].high)
            return refuse(word, why);
        *ret = fault;
        return 0;
    }
    return refuse(word, why);
}

void fault_write(const struct fault *fault, char ret[FAULT_WORD_MAX])
{
    int n = snprintf(ret, FAULT_WORD_MAX, "%s", kinds[fault->kind].name);
    if (kinds[fault->kind].high)
        n += snprintf(ret + n, FAULT_WORD_MAX - (size_t)n, ":%ld", fault->value);
    if (fault->every > 1)
        snprintf(ret + n, FAULT_WORD_MAX - (size_t)n, "/%u", fault->every);
}
