/* loa-modbus-sim: plays the device that a profile describes, over Modbus TCP. */
#include "tools/modbus-sim/device.h"
#include "tools/modbus-sim/meter.h"
#include "tools/modbus-sim/panel.h"
#include "tools/modbus-sim/server.h"

#include "playlists/base/clock.h"
#include "playlists/base/file.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TICK_MS = 25 };

static const char help[] = "loa-modbus-sim --profile FILE [--port P] [--unit U] [--name N] [--address A]\n"
                           "               [--panel SOCKET] [--meter SOCKET] [--journal FILE] [--ports-file FILE]\n"
                           "\n"
                           "Giả lập thiết bị theo tệp mô tả, qua Modbus TCP.\n"
                           "Plays the device that a profile describes, over Modbus TCP.\n"
                           "  --profile FILE     boards/profiles/*.cfg\n"
                           "  --port P           0 (the default) takes a free one; {\"port\": ...} is printed\n"
                           "  --unit U           1 to 247 (1)\n"
                           "  --name N           in the panel (the model)\n"
                           "  --address A        where to listen (127.0.0.1)\n"
                           "  --panel SOCKET     front panel: JSON lines, see panel.h\n"
                           "  --meter SOCKET     the virtual sound card's meter\n"
                           "  --journal FILE     one JSON line for each register write\n"
                           "  --ports-file FILE  the printed line, written whole\n";

struct options {
    const char *profile, *name, *address, *panel, *meter, *journal, *ports_file;
    long port, unit;
};

struct sim {
    uv_loop_t loop;
    struct profile *profile;
    struct device *device;
    struct server *server;
    struct panel *panel;
    struct meter *meter;
    uv_timer_t tick;
    uv_signal_t sigint, sigterm;
};

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

/* 0: go on, 1: help was asked for, negative: wrong. */
static int read_options(int argc, char **argv, struct options *o)
{
    static const struct option known[] = {
        {"profile", 1, NULL, 'f'}, {"port", 1, NULL, 'p'},  {"unit", 1, NULL, 'u'},    {"name", 1, NULL, 'n'},
        {"panel", 1, NULL, 'P'},   {"meter", 1, NULL, 'm'}, {"journal", 1, NULL, 'j'}, {"ports-file", 1, NULL, 'F'},
        {"address", 1, NULL, 'a'}, {"help", 0, NULL, 'h'},  {NULL, 0, NULL, 0}};
    int r = 0;
    for (int c; r == 0 && (c = getopt_long(argc, argv, "h", known, NULL)) >= 0;) {
        const char **text = c == 'f'   ? &o->profile
                            : c == 'n' ? &o->name
                            : c == 'P' ? &o->panel
                            : c == 'm' ? &o->meter
                            : c == 'j' ? &o->journal
                            : c == 'F' ? &o->ports_file
                            : c == 'a' ? &o->address
                                       : NULL;
        if (text)
            *text = optarg;
        else if (c == 'p')
            r = number("port", optarg, 0, 65535, &o->port);
        else if (c == 'u')
            r = number("unit", optarg, 1, 247, &o->unit);
        else
            r = c == 'h' ? 1 : ERR_FORMAT;
    }
    if (r == 0 && (!o->profile || optind < argc)) {
        fprintf(stderr, "loa-modbus-sim: --profile FILE is needed, and nothing else than options; see --help\n");
        r = ERR_FORMAT;
    }
    return r;
}

static void on_tick(uv_timer_t *timer)
{
    struct sim *sim = timer->data;
    int64_t now = clock_elapsed_ms();
    meter_tick(sim->meter, now);
    device_tick(sim->device, now);
    panel_refresh(sim->panel);
}

static void stop(struct sim *sim)
{
    panel_free(sim->panel);
    sim->panel = NULL;
    meter_free(sim->meter);
    sim->meter = NULL;
    server_free(sim->server);
    sim->server = NULL;
    uv_handle_t *own[] = {(uv_handle_t *)&sim->tick, (uv_handle_t *)&sim->sigint, (uv_handle_t *)&sim->sigterm};
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        if (!uv_is_closing(own[i]))
            uv_close(own[i], NULL);
}

static void on_signal(uv_signal_t *handle, int signum)
{
    (void)signum;
    stop(handle->data);
}

static int announce(const struct options *o, int port, struct complaint *why)
{
    json_t *object = json_pack("{s:i, s:i, s:s, s:s?}", "port", port, "unit", (int)o->unit, "address", o->address,
                               "panel", o->panel);
    char *text = json_dumps(object, 0);
    json_decref(object);
    struct buf line = {0};
    buf_putf(&line, "%s\n", text);
    free(text);
    printf("%s", buf_text(&line));
    fflush(stdout);
    int r = o->ports_file ? file_write_whole(o->ports_file, line.data, line.len, 0644) : 0;
    buf_done(&line);
    return r < 0 ? complain(why, r, "%s: cannot be written: %s", o->ports_file, err_name(r)) : 0;
}

static int start(struct sim *sim, const struct options *o, struct complaint *why)
{
    int port = 0;
    int r = profile_open(o->profile, &sim->profile, why);
    if (r < 0)
        return r;
    sim->device = device_new(sim->profile, o->name ? o->name : sim->profile->model);
    r = server_new(&sim->loop, sim->device, (uint8_t)o->unit, o->address, (int)o->port, o->journal, &sim->server, &port,
                   why);
    if (r == 0 && o->panel)
        r = panel_new(&sim->loop, sim->device, sim->server, o->panel, &sim->panel, why);
    if (r < 0)
        return r;
    if (o->meter)
        sim->meter = meter_new(&sim->loop, sim->device, o->meter);
    uv_timer_start(&sim->tick, on_tick, 0, TICK_MS);
    uv_signal_start(&sim->sigint, on_signal, SIGINT);
    uv_signal_start(&sim->sigterm, on_signal, SIGTERM);
    return announce(o, port, why);
}

int main(int argc, char **argv)
{
    struct options o = {.unit = 1, .address = "127.0.0.1"};
    int r = read_options(argc, argv, &o);
    if (r != 0) {
        if (r > 0)
            fputs(help, stdout);
        return r > 0 ? 0 : 2;
    }
    signal(SIGPIPE, SIG_IGN);
    struct sim sim = {0};
    struct complaint why = {0};
    uv_loop_init(&sim.loop);
    uv_timer_init(&sim.loop, &sim.tick);
    uv_signal_init(&sim.loop, &sim.sigint);
    uv_signal_init(&sim.loop, &sim.sigterm);
    sim.tick.data = sim.sigint.data = sim.sigterm.data = &sim;
    r = start(&sim, &o, &why);
    if (r < 0) {
        fprintf(stderr, "loa-modbus-sim: %s\n", why.text);
        stop(&sim);
    }
    uv_run(&sim.loop, UV_RUN_DEFAULT);
    uv_loop_close(&sim.loop);
    device_free(sim.device);
    profile_free(sim.profile);
    return r < 0 ? 1 : 0;
}
