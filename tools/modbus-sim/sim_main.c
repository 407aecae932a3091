/* loa-modbus-sim: plays the devices that profiles describe, over Modbus TCP and over Modbus RTU on a pty. */
#include "tools/modbus-sim/meter.h"
#include "tools/modbus-sim/panel.h"
#include "tools/modbus-sim/serial.h"
#include "tools/modbus-sim/server.h"
#include "tools/modbus-sim/sim_options.h"

#include "playlists/base/clock.h"
#include "playlists/base/file.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TICK_MS = 25 };

struct sim {
    uv_loop_t loop;
    const struct sim_options *options;
    struct rack rack;
    struct profile *profiles[SLAVES_MAX];
    struct panel *panels[SLAVES_MAX];
    struct meter *meters[SLAVES_MAX];
    struct server *server;
    struct serial *serial;
    uv_timer_t tick;
    uv_signal_t sigint, sigterm;
};

static struct device *device_at(const struct sim *sim, size_t i)
{
    return slave_device(sim->rack.slaves[i]);
}

/* Who is fed by whose contact, and what runs through which meter. */
static void spread_mains(struct sim *sim, int64_t now_ms)
{
    const struct sim_options *o = sim->options;
    for (size_t i = 0; i < sim->rack.n; i++)
        if (o->slaves[i].fed_by >= 0)
            device_set_mains(device_at(sim, i),
                             device_channel(device_at(sim, (size_t)o->slaves[i].fed_by), o->slaves[i].fed_channel),
                             now_ms);
    for (size_t i = 0; i < sim->rack.n; i++) {
        double watts = 0;
        for (size_t k = 0; k < sim->rack.n; k++)
            if (o->slaves[i].measures & UINT32_C(1) << k)
                watts += device_watts(device_at(sim, k));
        if (sim->profiles[i]->kind == PROFILE_METER)
            device_measure(device_at(sim, i), watts, now_ms);
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct sim *sim = timer->data;
    int64_t now = clock_elapsed_ms();
    spread_mains(sim, now);
    for (size_t i = 0; i < sim->rack.n; i++) {
        meter_tick(sim->meters[i], now);
        slave_tick(sim->rack.slaves[i], now);
        panel_refresh(sim->panels[i]);
    }
}

static void stop(struct sim *sim)
{
    for (size_t i = 0; i < SLAVES_MAX; i++) {
        panel_free(sim->panels[i]);
        sim->panels[i] = NULL;
        meter_free(sim->meters[i]);
        sim->meters[i] = NULL;
    }
    server_free(sim->server);
    sim->server = NULL;
    serial_free(sim->serial);
    sim->serial = NULL;
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

static int announce(const struct sim_options *o, int port, struct complaint *why)
{
    json_t *object = json_pack("{s:i, s:i, s:s, s:s?, s:s?}", "port", port, "unit", (int)o->slaves[0].unit, "address",
                               o->address, "panel", o->slaves[0].panel, "tty", o->tty);
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

static int add_slave(struct sim *sim, const struct slave_options *o, struct complaint *why)
{
    size_t i = sim->rack.n;
    int r = profile_open(o->profile, &sim->profiles[i], why);
    if (r < 0)
        return r;
    struct device *device = device_new(sim->profiles[i], o->name ? o->name : sim->profiles[i]->model);
    r = slave_new((uint8_t)o->unit, device, o->journal, &sim->rack.slaves[i], why);
    if (r < 0) {
        device_free(device);
        return r;
    }
    slave_set_fault(sim->rack.slaves[i], &o->fault, clock_elapsed_ms());
    sim->rack.n++;
    return 0;
}

static int start(struct sim *sim, struct complaint *why)
{
    const struct sim_options *o = sim->options;
    int port = 0;
    int r = 0;
    for (size_t i = 0; r == 0 && i < o->n; i++)
        r = add_slave(sim, &o->slaves[i], why);
    if (r == 0)
        r = server_new(&sim->loop, &sim->rack, o->address, (int)o->port, &sim->server, &port, why);
    if (r == 0 && o->tty)
        r = serial_new(&sim->loop, &sim->rack, o->tty, (uint32_t)o->baud, &sim->serial, why);
    for (size_t i = 0; r == 0 && i < o->n; i++)
        if (o->slaves[i].panel)
            r = panel_new(&sim->loop, sim->rack.slaves[i], sim->server, sim->serial, o->slaves[i].panel,
                          &sim->panels[i], why);
    if (r < 0)
        return r;
    for (size_t i = 0; i < o->n; i++)
        if (o->slaves[i].meter)
            sim->meters[i] = meter_new(&sim->loop, device_at(sim, i), o->slaves[i].meter);
    spread_mains(sim, clock_elapsed_ms());
    uv_timer_start(&sim->tick, on_tick, 0, TICK_MS);
    uv_signal_start(&sim->sigint, on_signal, SIGINT);
    uv_signal_start(&sim->sigterm, on_signal, SIGTERM);
    return announce(o, port, why);
}

int main(int argc, char **argv)
{
    struct sim_options o;
    int r = sim_options_read(argc, argv, &o);
    if (r != 0)
        return r > 0 ? 0 : 2;
    signal(SIGPIPE, SIG_IGN);
    struct sim sim = {.options = &o};
    struct complaint why = {0};
    uv_loop_init(&sim.loop);
    uv_timer_init(&sim.loop, &sim.tick);
    uv_signal_init(&sim.loop, &sim.sigint);
    uv_signal_init(&sim.loop, &sim.sigterm);
    sim.tick.data = sim.sigint.data = sim.sigterm.data = &sim;
    r = start(&sim, &why);
    if (r < 0) {
        fprintf(stderr, "loa-modbus-sim: %s\n", why.text);
        stop(&sim);
    }
    uv_run(&sim.loop, UV_RUN_DEFAULT);
    uv_loop_close(&sim.loop);
    for (size_t i = 0; i < SLAVES_MAX; i++) {
        slave_free(sim.rack.slaves[i]);
        profile_free(sim.profiles[i]);
    }
    return r < 0 ? 1 : 0;
}
