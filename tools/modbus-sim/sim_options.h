/* sim_options.h - the command line of loa-modbus-sim. */
#ifndef LOA_SIM_OPTIONS_H
#define LOA_SIM_OPTIONS_H

#include "tools/modbus-sim/slave.h"

struct slave_options {
    const char *profile, *name, *panel, *meter, *journal;
    const char *mains, *measured; /* as given: NAME.CHANNEL; NAME,NAME */
    long unit;
    struct fault fault;
    int fed_by; /* index of the relay board, -1: mains are always there */
    unsigned fed_channel;
    uint32_t measures; /* bit i: slave i */
};

struct sim_options {
    struct slave_options slaves[SLAVES_MAX];
    size_t n;
    const char *address, *tty, *ports_file;
    long port, baud;
};

/* 0: go on, 1: help was asked for and given, negative: wrong, and said so on stderr. */
MUST_USE int sim_options_read(int argc, char **argv, struct sim_options *ret);

#endif
