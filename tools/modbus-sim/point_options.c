/* point_options.c - see point_options.h. */
#include "tools/modbus-sim/point_options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "loa-point --profile FILE [--host H] [--port P] [--unit U] [--json] [--within-ms N] COMMAND\n"
    "loa-point --profile FILE --tty DEVICE [--baud B] [--parity none|even|odd] [--stop-bits N] ... COMMAND\n"
    "\n"
    "Đọc, ghi và thử một thiết bị Modbus bằng tên điểm trong tệp mô tả.\n"
    "Reads, writes and tries one Modbus device by the names in its profile.\n"
    "  check             read the profile only, list its points\n"
    "  read NAME         one point\n"
    "  write NAME VALUE  one point, and prove it if the profile says how\n"
    "  show TEXT         sign: run the sequence, read back and compare; \\n begins a line\n"
    "  blank             sign: blank, and prove it\n"
    "  on GAIN_DB [ZONES]  amplifier: power, zones (like 1,3; all), gain, unmute; wait until all is proven\n"
    "  off               amplifier: mute and switch off\n"
    "  silence           the profile's one silence write\n"
    "  status            read every readable point once\n"
    "With --watch, show, blank, on and off go on holding what is wanted and print each change of status as a line of\n"
    "JSON, until --within-ms or a signal ends it.\n"
    "Defaults: --host 127.0.0.1 --port 502 --unit 1 --within-ms 10000; --baud 9600 --parity none --stop-bits 1. Exit "
    "code: 0 done, 1 not, 2 wrong call.\n";

int point_wrong(const char *fmt, const char *what)
{
    fprintf(stderr, "loa-point: ");
    fprintf(stderr, fmt, what);
    fprintf(stderr, "; see --help\n");
    return 2;
}

static int number(const char *name, const char *text, long low, long high, long *ret)
{
    char *rest;
    *ret = strtol(text, &rest, 10);
    if (*text && *rest == '\0' && *ret >= low && *ret <= high)
        return 0;
    fprintf(stderr, "loa-point: --%s is \"%s\", it must be %ld to %ld\n", name, text, low, high);
    return 2;
}

static int parity_of(const char *word, char *ret)
{
    *ret = strcmp(word, "none") == 0 ? 'N' : strcmp(word, "even") == 0 ? 'E' : strcmp(word, "odd") == 0 ? 'O' : '?';
    return *ret == '?' ? point_wrong("'%s' is no parity: none, even or odd", word) : 0;
}

/* Where the device is. 0, or 2: wrong. */
static int read_place(int c, struct bus_config *config)
{
    long value = 0;
    int r = 0;
    if (c == 'H' || c == 't')
        config->host = optarg;
    if (c == 't')
        config->transport = BUS_RTU;
    if (c == 'p' && (r = number("port", optarg, 1, 65535, &value)) == 0)
        config->port = (uint16_t)value;
    if (c == 'b' && (r = number("baud", optarg, 1200, 115200, &value)) == 0)
        config->baud = (uint32_t)value;
    if (c == 's' && (r = number("stop-bits", optarg, 1, 2, &value)) == 0)
        config->stop_bits = (uint8_t)value;
    return c == 'P' ? parity_of(optarg, &config->parity) : r;
}

/* 0: go on, -1: help, 2: wrong. */
static int read_options(int argc, char **argv, struct point_options *o)
{
    static const struct option known[] = {
        {"profile", 1, NULL, 'f'}, {"host", 1, NULL, 'H'},   {"port", 1, NULL, 'p'},      {"unit", 1, NULL, 'u'},
        {"json", 0, NULL, 'j'},    {"tty", 1, NULL, 't'},    {"within-ms", 1, NULL, 'w'}, {"baud", 1, NULL, 'b'},
        {"watch", 0, NULL, 'W'},   {"parity", 1, NULL, 'P'}, {"stop-bits", 1, NULL, 's'}, {"help", 0, NULL, 'h'},
        {NULL, 0, NULL, 0}};
    int r = 0;
    for (int c; r == 0 && (c = getopt_long(argc, argv, "+h", known, NULL)) >= 0;) {
        if (c == 'f')
            o->profile_path = optarg;
        else if (c == 'u')
            r = number("unit", optarg, 0, 255, &o->unit);
        else if (c == 'w')
            r = number("within-ms", optarg, 1, 600000, &o->within_ms);
        else if (c == 'W')
            o->watch = true;
        else if (c == 'j')
            o->json = true;
        else if (strchr("HtpbsP", c))
            r = read_place(c, &o->bus_config);
        else
            r = c == 'h' ? -1 : 2;
    }
    return r;
}

static void take_words(int argc, char **argv, struct point_options *o)
{
    /* options may also stand behind the command; a negative number is not one */
    const char *words[3] = {NULL, NULL, NULL};
    size_t n = 0;
    for (int i = optind; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            o->json = true;
        else if (n < 3)
            words[n++] = argv[i];
    }
    o->verb = words[0];
    o->first = words[1];
    o->second = words[2];
}

int point_options_read(int argc, char **argv, struct point_options *ret)
{
    struct point_options o = {.unit = 1, .within_ms = 10000};
    o.bus_config = (struct bus_config){.host = "127.0.0.1", .port = 502, .baud = 9600, .parity = 'N', .stop_bits = 1};
    int r = read_options(argc, argv, &o);
    if (r < 0)
        fputs(help, stdout);
    if (r == 0) {
        take_words(argc, argv, &o);
        if (!o.profile_path || !o.verb)
            r = point_wrong("%s", "--profile FILE and a command are needed");
    }
    *ret = o;
    return r;
}
