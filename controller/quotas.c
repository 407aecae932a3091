/* quotas.c - see quotas.h. */
#include "controller/quotas.h"

#include "playlists/base/civil.h"

#include <stdio.h>

static const char *const counts[QUOTAS] = {
    [QUOTA_RULES] = "SELECT count(*) FROM (SELECT 1 FROM rules WHERE unit = ?1 AND ended_ms IS NULL AND"
                    " coalesce(json_extract(body, '$.date'), json_extract(body, '$.until'), '9999') >= ?2 LIMIT ?3)",
    [QUOTA_BULLETINS] = "SELECT count(*) FROM (SELECT 1 FROM bulletins WHERE unit = ?1 AND ?2 <> '' LIMIT ?3)",
    [QUOTA_GROUPS] = "SELECT count(*) FROM (SELECT 1 FROM groups WHERE unit = ?1 AND ?2 <> '' LIMIT ?3)",
    [QUOTA_EXEMPTIONS] = "SELECT count(*) FROM (SELECT 1 FROM exemptions WHERE unit = ?1 AND ended_ms IS NULL AND"
                         " until_date >= ?2 LIMIT ?3)",
};

int quota_check(struct request *r, enum quota what, const char *unit)
{
    int64_t max = r->c->settings->per_unit[what];
    int year, month, day;
    char yesterday[48]; /* over in every zone */
    civil_date(r->now_ms / INT64_C(86400000) - 1, &year, &month, &day);
    snprintf(yesterday, sizeof(yesterday), "%04d-%02d-%02d", year, month, day);
    int64_t n = store_number(r->c->store, 0, counts[what], "ssi", unit, yesterday, max);
    return n < max ? 0
                   : refuse(&r->problem, 409, "quota", NULL, WORD_QUOTA, unit, (long long)max, quota_words[what],
                            quota_names[what]);
}
