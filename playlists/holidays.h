/* holidays.h - a calendar of public holidays, as data (playlists/calendars/, libconfig).
 *
 * A calendar is constant once read; any thread. Its days are a list: each has an id, names and a source in law, and is
 * a day of the solar year, a day of the lunar year, or days that are chosen year by year with a default for the years
 * in which nothing has been chosen yet. One more entry, where the file has it, is the days off in lieu: for each weekly
 * day off that is a holiday the next day that is neither, and not in lieu of another one. */
#ifndef LOA_HOLIDAYS_H
#define LOA_HOLIDAYS_H

#include "playlists/base/errors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HOLIDAYS_MAX = 64 }; /* entries of a calendar */

struct holidays;

/* Read and check a file. Errors are sentences with file and line. The caller owns *ret. */
MUST_USE int holidays_load(const char *path, struct holidays **ret, struct complaint *why);
void holidays_free(struct holidays *holidays); /* NULL is fine */

const char *holidays_id(const struct holidays *holidays); /* "vietnam" */

/* The bits (1 << index) of all entries that hold on this day; 0: an ordinary day. */
uint64_t holidays_on(const struct holidays *holidays, int64_t day);

size_t holidays_count(const struct holidays *holidays);
struct holiday {
    const char *id;      /* "tet" */
    const char *vi, *en; /* names for people */
    const char *source;  /* where it is laid down */
};
const struct holiday *holidays_at(const struct holidays *holidays, size_t index);
/* The bit of the entry with this id; 0: none. */
uint64_t holidays_bit(const struct holidays *holidays, const char *id);

#endif
