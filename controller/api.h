/* api.h - what the routes do (API.md tells it to callers). One group of routes per api_*.c; routes.c lists them all. */
#ifndef LOA_API_H
#define LOA_API_H

#include "controller/request.h"

int api_status(struct request *r);
int api_whoami(struct request *r);
int api_tokens_list(struct request *r);
int api_tokens_new(struct request *r);
int api_token_end(struct request *r);

int api_areas_list(struct request *r);
int api_areas_put(struct request *r);
int api_area(struct request *r);
int api_area_history(struct request *r);
int api_changes_list(struct request *r);
int api_changes_new(struct request *r);
int api_change_undo(struct request *r);

int api_limits_list(struct request *r);
int api_limits_new(struct request *r);
int api_limit_end(struct request *r);
int api_exemptions_list(struct request *r);
int api_exemptions_new(struct request *r);
int api_exemption_end(struct request *r);
int api_inbox(struct request *r);
int api_inbox_answer(struct request *r);
int api_carriage(struct request *r);

int api_groups_list(struct request *r);
int api_groups_new(struct request *r);
int api_group(struct request *r);
int api_group_change(struct request *r);
int api_group_end(struct request *r);

int api_devices_list(struct request *r);
int api_devices_new(struct request *r);
int api_device(struct request *r);
int api_device_change(struct request *r);
int api_device_box(struct request *r);
int api_device_playlist(struct request *r);
int api_commands_list(struct request *r);
int api_commands_new(struct request *r);

int api_media_list(struct request *r);
int api_media_new(struct request *r);
int api_media(struct request *r);
int api_media_content(struct request *r);

int api_bulletins_list(struct request *r);
int api_bulletins_new(struct request *r);
int api_bulletin(struct request *r);
int api_bulletin_content(struct request *r);

int api_approvals_list(struct request *r);
int api_approvals_new(struct request *r);
int api_trust(struct request *r);
int api_trust_new(struct request *r);
int api_keys(struct request *r);
int api_keys_new(struct request *r);

int api_rules_list(struct request *r);
int api_rules_new(struct request *r);
int api_rule(struct request *r);
int api_rule_end(struct request *r);
int api_rule_restore(struct request *r);
int api_rule_change(struct request *r);
int api_rule_except(struct request *r);
int api_rule_except_back(struct request *r);
int api_rule_undo(struct request *r);
int api_rule_changes(struct request *r);
int api_rules_calendar(struct request *r);

int api_preview(struct request *r);
int api_preview_drafts(struct request *r);

int api_receipts(struct request *r);
int api_events(struct request *r);
int api_stream(struct request *r);

#endif
