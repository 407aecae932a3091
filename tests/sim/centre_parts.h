/* centre_parts.h - inside of the model centre: centre.c speaks, centre_ear.c hears. */
#ifndef LOA_CENTRE_PARTS_H
#define LOA_CENTRE_PARTS_H

#include "tests/sim/centre.h"

#include <string.h>

void centre_look(struct centre *centre);      /* set the timer to what is due next */
void centre_fill_gaps(struct centre *centre); /* documents that the latest state lacks */

static inline const char *keep(struct centre *centre, const char *text)
{
    return arena_strndup(centre->arena, text, strlen(text));
}

#endif
