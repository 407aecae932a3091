/* sim_options.c - see sim_options.h. */
#include "tools/modbus-sim/sim_options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "loa-modbus-sim [--port P] [--address A] [--tty LINK [--baud B]] [--ports-file FILE] SLAVE...\n"
    "  SLAVE: --profile FILE [--unit U] [--name N] [--panel SOCKET] [--meter SOCKET] [--journal FILE]\n"
    "         [--fault FAULT] [--mains NAME.CHANNEL] [--measures NAME,...]\n"
    "\n"
    "Giả lập các thiết bị Modbus theo tệp mô tả, qua TCP và qua RTU trên một cổng nối tiếp ảo.\n"
    "Plays the devices that profiles describe, over Modbus TCP and over Modbus RTU on a pty.\n"
    "The bus:\n"
    "  --port P           TCP; 0 (the default) takes a free one; {\"port\": ...} is printed\n"
    "  --address A        where to listen (127.0.0.1)\n"
    "  --tty LINK         RTU too: a symbolic link to a new pty\n"
    "  --baud B           answers on it take the time of such a line (0, the default: none)\n"
    "  --ports-file FILE  the printed line, written whole\n"
    "Each slave begins with its --profile; all answer on the same bus:\n"
    "  --profile FILE     boards/profiles/*.cfg\n"
    "  --unit U           1 to 247 (1, 2, ...)\n"
    "  --name N           in the panel (the model)\n"
    "  --panel SOCKET     front panel: JSON lines, see panel.h\n"
    "  --meter SOCKET     the virtual sound card's meter\n"
    "  --journal FILE     one JSON line for each register write\n"
    "  --fault FAULT      what is wrong from the start; README.md lists them, the panel changes them\n"
    "  --mains NAME.C     fed by channel C of the relay board NAME\n"
    "  --measures NAME,.. a meter: whose draw it sees\n";

static int wrong(const char *what, const char *text)
{
    fprintf(stderr, "loa-modbus-sim: %s%s; see --help\n", what, text);
    return ERR_FORMAT;
}

static int number(const char *name, const char *text, long low, long high, long *ret)
{
    char *end;
    long value = strtol(text, &end, 10);
    if (*text == '\0' || *end != '\0' || value < low || value > high) {
        fprintf(stderr, "loa-modbus-sim: --%s is \"%s\", it must be %ld to %ld\n", name, text, low, high);
        return ERR_FORMAT;
    }
    *ret = value;
    return 0;
}

static int begin_slave(struct sim_options *o, const char *profile)
{
    if (o->slaves[o->n - 1].profile) {
        if (o->n == SLAVES_MAX)
            return wrong("too many slaves at ", profile);
        o->slaves[o->n] = (struct slave_options){.unit = (long)o->n + 1, .fault = {.every = 1}, .fed_by = -1};
        o->n++;
    }
    o->slaves[o->n - 1].profile = profile;
    return 0;
}

static int read_slave_option(int c, struct sim_options *o)
{
    struct slave_options *slave = &o->slaves[o->n - 1];
    struct complaint why = {0};
    switch (c) {
    case 'f':
        return begin_slave(o, optarg);
    case 'u':
        return number("unit", optarg, 1, 247, &slave->unit);
    case 'n':
        slave->name = optarg;
        return 0;
    case 'P':
        slave->panel = optarg;
        return 0;
    case 'm':
        slave->meter = optarg;
        return 0;
    case 'j':
        slave->journal = optarg;
        return 0;
    case 'M':
        slave->mains = optarg;
        return 0;
    case 'w':
        slave->measured = optarg;
        return 0;
    default:
        return fault_read(optarg, &slave->fault, &why) < 0 ? wrong(why.text, "") : 0;
    }
}

/* Index of the slave of this name, or -1. */
static int find(const struct sim_options *o, const char *name, size_t len)
{
    for (size_t i = 0; i < o->n; i++)
        if (o->slaves[i].name && strlen(o->slaves[i].name) == len && memcmp(o->slaves[i].name, name, len) == 0)
            return (int)i;
    return -1;
}

static int connect_mains(const struct sim_options *o, struct slave_options *slave)
{
    if (slave->mains) {
        const char *dot = strrchr(slave->mains, '.');
        long channel = 0;
        slave->fed_by = dot ? find(o, slave->mains, (size_t)(dot - slave->mains)) : -1;
        if (slave->fed_by < 0)
            return wrong("--mains must be the name of a slave, a dot and a channel, not ", slave->mains);
        if (number("mains ...", dot + 1, 1, 8, &channel) < 0)
            return ERR_FORMAT;
        slave->fed_channel = (unsigned)channel;
    }
    for (const char *at = slave->measured; at && *at;) {
        size_t len = strcspn(at, ",");
        int index = find(o, at, len);
        if (index < 0)
            return wrong("--measures names a slave that is not there: ", at);
        slave->measures |= UINT32_C(1) << index;
        at += len + (at[len] == ',');
    }
    return 0;
}

static int check(struct sim_options *o)
{
    if (!o->slaves[0].profile)
        return wrong("--profile FILE is needed", "");
    for (size_t i = 0; i < o->n; i++) {
        for (size_t k = 0; k < i; k++)
            if (o->slaves[k].unit == o->slaves[i].unit)
                return wrong("two slaves have the same --unit: ", o->slaves[i].profile);
        int r = connect_mains(o, &o->slaves[i]);
        if (r < 0)
            return r;
    }
    return 0;
}

int sim_options_read(int argc, char **argv, struct sim_options *ret)
{
    static const struct option known[] = {
        {"profile", 1, NULL, 'f'},  {"unit", 1, NULL, 'u'},    {"name", 1, NULL, 'n'},       {"panel", 1, NULL, 'P'},
        {"meter", 1, NULL, 'm'},    {"journal", 1, NULL, 'j'}, {"fault", 1, NULL, 'x'},      {"mains", 1, NULL, 'M'},
        {"measures", 1, NULL, 'w'}, {"port", 1, NULL, 'p'},    {"ports-file", 1, NULL, 'F'}, {"address", 1, NULL, 'a'},
        {"tty", 1, NULL, 't'},      {"baud", 1, NULL, 'b'},    {"help", 0, NULL, 'h'},       {NULL, 0, NULL, 0}};
    struct sim_options o = {.address = "127.0.0.1", .n = 1};
    o.slaves[0] = (struct slave_options){.unit = 1, .fault = {.every = 1}, .fed_by = -1};
    int r = 0;
    for (int c; r == 0 && (c = getopt_long(argc, argv, "h", known, NULL)) >= 0;) {
        if (c == 'p')
            r = number("port", optarg, 0, 65535, &o.port);
        else if (c == 'b')
            r = number("baud", optarg, 0, 115200, &o.baud);
        else if (c == 'F')
            o.ports_file = optarg;
        else if (c == 'a')
            o.address = optarg;
        else if (c == 't')
            o.tty = optarg;
        else if (c == 'h')
            r = 1;
        else
            r = c == '?' ? ERR_FORMAT : read_slave_option(c, &o);
    }
    if (r > 0)
        fputs(help, stdout);
    if (r == 0 && optind < argc)
        r = wrong("this is no option: ", argv[optind]);
    if (r == 0)
        r = check(&o);
    *ret = o;
    return r;
}
