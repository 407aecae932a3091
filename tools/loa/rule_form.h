/* rule_form.h - a rule's members (API.md, Rules) from the options of `loa rule add` and `loa rule change`. */
#ifndef LOA_RULE_FORM_H
#define LOA_RULE_FORM_H

#include "tools/loa/command.h"

/* Options of both commands, in the order of --help. */
#define RULE_FORM_OPTIONS                                                                                              \
    {"once", "INSTANT", "at this civil time, such as 2026-07-01T05:00:00; or now, +10s, +5m, +2h", false, false},      \
        {"daily", "HH:MM,...", "each day at these times", false, true},                                                \
        {"at", "HH:MM,...", "times of the day of all that follows here", false, true},                                 \
        {"weekdays", "DAY,...", "mon tue wed thu fri sat sun: each week on these", false, true},                       \
        {"nth", "N,...", "with --weekdays: the first (1) to fifth, or last (-1), of the month", false, true},          \
        {"month-days", "N,...", "each month on these days; -1: the last", false, true},                                \
        {"every", "N", "each N-th day, counted from --anchor", false, false},                                          \
        {"anchor", "DATE", "a day that --every counts from", false, false},                                            \
        {"lunar-days", "N,...", "these days of each lunar month, such as 2,7,12,17,22,27; -1: the last", false, true}, \
        {"lunar-dates", "MM-DD,...", "lunar days of the year, such as 03-10 or 12-23..01-03", false, true},            \
        {"leap", "no|only|both", "--lunar-dates where a year has the month twice (else no)", false, false},            \
        {"on-holidays", "ID,...", "on these holidays, or all: of --calendar", false, true},                            \
        {"from", "DATE", "first day", false, false}, {"until", "DATE", "last day", false, false},                      \
        {"season", "MM-DD..MM-DD", "only in these parts of the year", false, true},                                    \
        {"lunar-season", "MM-DD..MM-DD", "only in these parts of the lunar year", false, true},                        \
        {"except", "DATE,...", "not on these days", false, true},                                                      \
        {"holidays", "usual|skip|only", "what a public holiday changes (else usual)", false, false},                   \
        {"calendar", "ID", "calendar of holidays (else vietnam)", false, false},                                       \
        {"zone", "TZ", "time zone of the times (else the controller's)", false, false},                                \
        {"area", "AREA,...", "on the devices of these areas", false, true},                                            \
        {"group", "GROUP,...", "and of these groups", false, true},                                                    \
        {"device", "DEVICE,...", "and on these devices", false, true},                                                 \
        {"kind", "KIND,...", "only loudspeaker, board, cluster, gateway, mobile", false, true},                        \
        {"tag", "TAG,...", "only with one of these tags", false, true},                                                \
        {"except-area", "AREA,...", "but not in these areas", false, true},                                            \
        {"except-group", "GROUP,...", "nor in these groups", false, true},                                             \
        {"except-device", "DEVICE,...", "nor on these devices", false, true},                                          \
        {"loudspeaker-zone", "ZONE,...", "only these loudspeaker zones (else all)", false, true},                      \
        {"class", "CLASS", "filler, normal, priority (else normal)", false, false},                                    \
        {"start", "exact|wait|boundary", "priority: cuts what is on, waits --wait-s, or never cuts", false, false},    \
        {"policy", "POLICY", "when cut: drop, resume, restart (else drop)", false, false},                             \
        {"late-s", "N", "not begun when later than this (else 60)", false, false},                                     \
        {"wait-s", "N", "priority: waits so long for the end of another (else 0)", false, false},                      \
        {"catch-up-s", "N", "may begin so late after a power cut (else 0)", false, false},                             \
        {"show-s", "N", "a text stays at least so long (else as long as the sound)", false, false},                    \
        {"gain", "DB", "louder or softer, -60 to 0 dB (else 0)", false, false},                                        \
        {"carry", "HOW", "direct; offer: communes take it first; must: they cannot drop it", false, false},            \
        {"window", "HH:MM-HH:MM", "where a commune may move it to, with --carry offer or must", false, false},         \
    {                                                                                                                  \
        "on-clash", "WAY", "tell, refuse, replace, after or shift when others are on then (else tell)", false, false   \
    }

/* Fill `rule`. With `whole`, what a rule needs must be there. Returns one of EXIT_. */
int rule_form(const struct call *call, bool whole, json_t *rule);

/* The times of an option ("5:00,17h30") as the API writes them, as the member "times". EXIT_OK, or EXIT_USAGE after
 * saying what is wrong. */
MUST_USE int put_times(const struct call *call, const char *option, json_t *rule);

#endif
