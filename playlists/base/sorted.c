/* sorted.c - see sorted.h. */
#include "playlists/base/sorted.h"

#include <string.h>

size_t sorted_place(const void *list, size_t n, sorted_text_fn text_of, const char *text)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (strcmp(text_of(list, mid), text) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}
