/* sorted.h - places in a list that ascends by a text. Pure; any thread. */
#ifndef LOA_BASE_SORTED_H
#define LOA_BASE_SORTED_H

#include <stddef.h>

typedef const char *(*sorted_text_fn)(const void *list, size_t i);

/* Where the first stands whose text is not below this one; n: there is none. */
size_t sorted_place(const void *list, size_t n, sorted_text_fn text_of, const char *text);

#endif
