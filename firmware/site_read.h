/* site_read.h - what the readers of both configuration files share; nobody else includes it. */
#ifndef LOA_SITE_READ_H
#define LOA_SITE_READ_H

#include "playlists/base/cfg.h"

enum { PATH_MAX_LEN = 500, NAME_MAX_LEN = 40 };

/* An id that must be there. */
MUST_USE int site_read_id(const struct cfg_node *group, const char *setting, const char **ret, struct complaint *why);

#endif
