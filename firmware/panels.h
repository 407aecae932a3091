/* panels.h - all text signs of this box together: the same page on each, or blank. Loop thread. */
#ifndef LOA_PANELS_H
#define LOA_PANELS_H

#include "firmware/evidence.h"
#include "firmware/site.h"

struct panels;

/* `site` and `buses` (by the site's order) are borrowed. Everything is blank until wanted. */
MUST_USE int panels_new(const struct site *site, struct bus **buses, struct panels **ret_panels, struct complaint *why);
void panels_free(struct panels *panels); /* writes nothing; NULL is fine */

void panels_mark(struct panels *panels);                   /* a new airing: evidence begins anew */
void panels_show(struct panels *panels, const char *text); /* on every sign, in place of what is there */
void panels_blank(struct panels *panels);                  /* at once, whatever is there */
void panels_clear(struct panels *panels);                  /* the same, when a page is up */
bool panels_settled(const struct panels *panels);          /* blank or shown everywhere, or out of reach */

/* True when the page that is up has been written and read back everywhere, or has failed. */
bool panels_page_done(const struct panels *panels);
void panels_evidence(const struct panels *panels, struct airing_panels *ret, char *ret_problem, size_t problem_size);

size_t panels_count(const struct panels *panels);
void panels_report(const struct panels *panels, size_t index, struct part_report *ret);

#endif
