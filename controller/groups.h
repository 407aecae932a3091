/* groups.h - named groups of devices (nhóm thiết bị): a word of a unit for devices below it, wherever they lie in the
 * tree. A member counts as long as it lies in the group's unit. Loop thread. */
#ifndef LOA_GROUPS_H
#define LOA_GROUPS_H

#include "controller/store.h"

/* The group is there, and its unit lies in `unit`. */
bool group_in_unit(struct store *store, const char *group, const char *unit);
bool group_exists(struct store *store, const char *group);
/* Ids of the groups that count for a device whose area has this path (own first); a new array, by id. */
json_t *groups_of_device(struct store *store, const char *device, const json_t *path);
/* Ids of the devices that count in the group, by id; a new array. */
json_t *group_devices(struct store *store, const char *group);

#endif
