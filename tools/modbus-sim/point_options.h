/* point_options.h - the command line of loa-point. */
#ifndef LOA_POINT_OPTIONS_H
#define LOA_POINT_OPTIONS_H

#include "boards/bus/bus.h"

struct point_options {
    const char *profile_path;
    struct bus_config bus_config;
    long unit, within_ms;
    bool json, watch;
    const char *verb, *first, *second; /* the command; NULL: not given */
};

/* 0: go on, -1: help was asked for and given, 2: wrong, and said so on stderr. */
MUST_USE int point_options_read(int argc, char **argv, struct point_options *ret);
/* Say what is wrong with the call, `fmt` with one %s; returns 2. */
int point_wrong(const char *fmt, const char *what);

#endif
