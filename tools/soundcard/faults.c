/* faults.c - see faults.h. */
#include "tools/soundcard/faults.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct word {
    const char *name;
    enum fault_kind kind;
    bool needs_number, takes_number, takes_ms;
    int64_t min, max, number;
    int64_t ms;
};

static const struct word words[] = {
    {.name = "vanish", .kind = FAULT_VANISH, .takes_ms = true},
    {.name = "busy", .kind = FAULT_BUSY, .takes_ms = true},
    {.name = "freeze", .kind = FAULT_FREEZE, .takes_ms = true},
    {.name = "underrun",
     .kind = FAULT_UNDERRUN,
     .takes_number = true,
     .takes_ms = true,
     .min = 1,
     .max = FAULT_UNDERRUNS_MAX,
     .number = 1,
     .ms = 200},
    {.name = "ppm",
     .kind = FAULT_PPM,
     .needs_number = true,
     .takes_number = true,
     .min = -FAULT_PPM_MAX,
     .max = FAULT_PPM_MAX},
    {.name = "return", .kind = FAULT_RETURN},
    {.name = "status", .kind = FAULT_STATUS},
};

static const struct word *find_word(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strlen(words[i].name) == len && strncmp(words[i].name, name, len) == 0) {
            return &words[i];
        }
    }
    return NULL;
}

/* The next number of the line; *at moves behind it. 1: there is none left. */
static int take_number(const char **at, int64_t min, int64_t max, int64_t *ret, struct complaint *why)
{
    const char *from = *at + strspn(*at, " ");
    if (*from == '\0') {
        *at = from;
        return 1;
    }
    char *end = NULL;
    errno = 0;
    long long value = strtoll(from, &end, 10);
    if (errno != 0 || end == from || (*end != '\0' && *end != ' ') || value < min || value > max) {
        return complain(why, ERR_FORMAT, "\"%s\" is not right; a number from %lld to %lld would be", from,
                        (long long)min, (long long)max);
    }
    *at = end;
    *ret = value;
    return 0;
}

int fault_parse(const char *line, struct fault *ret_fault, struct complaint *why)
{
    size_t len = strcspn(line, " ");
    const struct word *word = find_word(line, len);
    if (word == NULL) {
        return complain(why, ERR_FORMAT,
                        "\"%.*s\" is not known; vanish, busy, freeze, underrun, ppm, return or status would be right",
                        len > 40 ? 40 : (int)len, line);
    }
    struct fault fault = {.kind = word->kind, .number = word->number, .ms = word->ms};
    const char *at = line + len;
    int r = word->takes_number ? take_number(&at, word->min, word->max, &fault.number, why) : 0;
    if (r > 0 && word->needs_number) {
        return complain(why, ERR_FORMAT, "\"%s\" needs a number from %lld to %lld", word->name, (long long)word->min,
                        (long long)word->max);
    }
    if (r >= 0 && word->takes_ms) {
        r = take_number(&at, 1, FAULT_MS_MAX, &fault.ms, why);
    }
    if (r < 0) {
        return r;
    }
    if (at[strspn(at, " ")] != '\0') {
        return complain(why, ERR_FORMAT, "\"%s\" is too much after \"%s\"", at + strspn(at, " "), word->name);
    }
    *ret_fault = fault;
    return 0;
}

static int64_t until(const struct fault *fault, int64_t now_ns)
{
    return fault->ms == 0 ? INT64_MAX : now_ns + fault->ms * 1000000;
}

void faults_set(struct faults *faults, const struct fault *fault, int64_t now_ns)
{
    switch (fault->kind) {
    case FAULT_VANISH:
        faults->gone_until_ns = until(fault, now_ns);
        return;
    case FAULT_BUSY:
        faults->busy_until_ns = until(fault, now_ns);
        return;
    case FAULT_FREEZE:
        faults->still_until_ns = until(fault, now_ns);
        return;
    case FAULT_UNDERRUN:
        faults->dry_left = (uint32_t)fault->number;
        faults->dry_every_ns = fault->ms * 1000000;
        faults->dry_next_ns = now_ns;
        return;
    case FAULT_RETURN:
        *faults = (struct faults){.dry_left = 0};
        return;
    case FAULT_PPM:
    case FAULT_STATUS:
        return;
    }
}

static void pass(int64_t *until_ns, int64_t now_ns)
{
    *until_ns = *until_ns <= now_ns ? 0 : *until_ns;
}

void faults_pass(struct faults *faults, int64_t now_ns)
{
    pass(&faults->gone_until_ns, now_ns);
    pass(&faults->busy_until_ns, now_ns);
    pass(&faults->still_until_ns, now_ns);
}

bool faults_dry(struct faults *faults, int64_t now_ns)
{
    if (faults->dry_left == 0 || now_ns < faults->dry_next_ns) {
        return false;
    }
    faults->dry_left--;
    faults->dry_next_ns = now_ns + faults->dry_every_ns;
    return true;
}
