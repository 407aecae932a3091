/* layout.h - how laid-out text (lines joined by '\n') is spread over a sign's text points. Pure. */
#ifndef LOA_LAYOUT_H
#define LOA_LAYOUT_H

#include "boards/bus/profile.h"

/* What belongs into the nth text point: line nth, or the whole block with the profile's line breaks. The caller frees.
 */
char *sign_part(const struct profile *profile, size_t nth, const char *laid_out);
size_t sign_lines(const struct profile *profile); /* most lines it shows */
size_t text_columns(const char *text);            /* CJK counts two, combining marks none */

#endif
