/* groups.c - see groups.h. */
#include "controller/groups.h"

#include "controller/places.h"

bool group_exists(struct store *store, const char *group)
{
    return store_number(store, 0, "SELECT 1 FROM groups WHERE id = ?", "s", group) == 1;
}

bool group_in_unit(struct store *store, const char *group, const char *unit)
{
    return store_number(store, 0, SQL_SCOPE "SELECT 1 FROM groups JOIN scope ON scope.id = unit WHERE groups.id = ?2",
                        "ss", unit, group) == 1;
}

json_t *groups_of_device(struct store *store, const char *device, const json_t *path)
{
    return store_ids(store_list(store,
                                "SELECT g.id FROM group_members m JOIN groups g ON g.id = m.grp WHERE m.device = ? AND"
                                " g.unit IN (SELECT value FROM json_each(?)) ORDER BY g.id",
                                "sj", device, path));
}

json_t *group_devices(struct store *store, const char *group)
{
    return store_ids(store_list(store,
                                "WITH RECURSIVE scope(id) AS (SELECT unit FROM groups WHERE id = ?1 UNION SELECT a.id"
                                " FROM areas a JOIN scope ON a.parent = scope.id) SELECT d.id FROM group_members m"
                                " JOIN devices d ON d.id = m.device JOIN scope ON scope.id = d.area WHERE m.grp = ?1"
                                " ORDER BY d.id",
                                "s", group));
}
