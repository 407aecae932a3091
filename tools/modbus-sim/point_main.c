/* loa-point: read, write and try one device on a Modbus bus by the names of its profile. For technicians and tests. */
#include "boards/bus/amplifier.h"
#include "boards/bus/points.h"
#include "boards/bus/rtu.h"
#include "boards/bus/sign.h"
#include "playlists/base/clock.h"
#include "tools/modbus-sim/point_options.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct call {
    struct point_options o;
    int64_t began_ms;
    const struct profile *profile;
    uv_loop_t loop;
    uv_timer_t limit;
    uv_signal_t sigint, sigterm;
    struct bus *bus;
    struct points *points;
    struct amplifier *amplifier;
    struct sign *sign;
    json_t *out; /* owned */
    int index;   /* of the point that is read; -1 when none is left */
    int result;
    char why[400];
    bool ended;
};

static void end(struct call *call, int result, const char *why)
{
    if (call->ended)
        return;
    call->ended = true;
    call->result = result;
    snprintf(call->why, sizeof(call->why), "%s", why);
    points_free(call->points);
    amplifier_free(call->amplifier);
    sign_free(call->sign);
    bus_free(call->bus);
    uv_close((uv_handle_t *)&call->limit, NULL);
    uv_close((uv_handle_t *)&call->sigint, NULL);
    uv_close((uv_handle_t *)&call->sigterm, NULL);
}

static void on_signal(uv_signal_t *handle, int signum)
{
    (void)signum;
    end(handle->data, 0, "");
}

static void on_limit(uv_timer_t *timer)
{
    struct call *call = timer->data;
    char why[300] = "not done in time";
    if (call->o.watch) {
        end(call, 0, "");
        return;
    }
    if (call->amplifier) {
        struct amplifier_status status;
        amplifier_status(call->amplifier, &status);
        if (status.problem[0])
            snprintf(why, sizeof(why), "not done in time: %s", status.problem);
    }
    end(call, -ETIMEDOUT, why);
}

static void put_reading(struct call *call, int index)
{
    const struct point *point = &call->profile->points[index];
    struct reading reading = points_reading(call->points, index);
    json_t *value = json_null();
    if (reading.valid && point->type == POINT_TEXT)
        value = json_string(points_text(call->points, index));
    else if (reading.valid)
        value = json_real(reading.value);
    json_object_set_new(call->out, point->name, value);
}

static void on_done(void *arg, int result, const char *why)
{
    end(arg, result, why);
}

/* On a serial line a unit that knows no loop-back is not believed at once (rtu.h): have patience. */
static bool try_again(const struct call *call, int result)
{
    return call->o.bus_config.transport == BUS_RTU && result == -ETIMEDOUT &&
           clock_elapsed_ms() - call->began_ms < RTU_FORGET_MS + BUS_LIMIT_MS;
}

static void on_point_read(void *arg, int result, const char *why)
{
    struct call *call = arg;
    if (try_again(call, result)) {
        points_get(call->points, call->index, on_point_read, call);
        return;
    }
    if (result == 0)
        put_reading(call, call->index);
    end(call, result, why);
}

static void read_next(struct call *call);

static void on_status_read(void *arg, int result, const char *why)
{
    struct call *call = arg;
    if (try_again(call, result)) {
        read_next(call);
        return;
    }
    if (result < 0 && result != ERR_LIMIT && result != ERR_FORMAT) {
        end(call, result, why);
        return;
    }
    put_reading(call, call->index);
    call->index++;
    read_next(call);
}

static void read_next(struct call *call)
{
    int n = (int)call->profile->n_points;
    while (call->index < n && !(call->profile->points[call->index].access & POINT_READ))
        call->index++;
    if (call->index == n)
        end(call, 0, "");
    else
        points_get(call->points, call->index, on_status_read, call);
}

static void on_shown(void *arg, const struct sign_result *result)
{
    struct call *call = arg;
    if (result->code == -ECANCELED || call->o.watch)
        return;
    json_object_set_new(call->out, "written", json_boolean(result->written));
    json_object_set_new(call->out, "read_back_equal", json_boolean(result->read_back_equal));
    json_object_set_new(call->out, "cut", json_boolean(result->cut));
    json_object_set_new(call->out, "shown", json_string(result->shown));
    end(call, result->code, result->why);
}

/* One line of --watch; consumes the object. */
static void print_line(json_t *object)
{
    char *text = json_dumps(object, JSON_REAL_PRECISION(9));
    puts(text);
    fflush(stdout);
    free(text);
    json_decref(object);
}

static void on_sign(void *arg, const struct sign_status *s)
{
    static const char *const phases[] = {"unknown", "blank", "writing", "shown", "failed"};
    const struct call *call = arg;
    if (call->o.watch)
        print_line(json_pack("{s:b, s:s, s:b, s:s, s:b, s:b, s:i, s:i, s:s}", "reachable", s->reachable, "phase",
                             phases[s->phase], "want_blank", s->want_blank, "shown", s->shown, "read_back_equal",
                             s->read_back_equal, "cut", s->cut, "times_lost", (int)s->times_lost, "faults",
                             (int)s->faults, "problem", s->problem));
}

static void watch_amplifier(const struct amplifier_status *s)
{
    print_line(json_pack("{s:b, s:b, s:b, s:b, s:b, s:b, s:b, s:i, s:i, s:s}", "reachable", s->reachable, "settled",
                         s->settled, "ready", s->ready, "power_proven", s->power_proven, "mute_proven", s->mute_proven,
                         "gain_proven", s->gain_proven, "zones_proven", s->zones_proven, "zones", (int)s->zones,
                         "faults", (int)s->faults, "problem", s->problem));
}

static void on_amplifier(void *arg, const struct amplifier_status *status)
{
    struct call *call = arg;
    if (call->o.watch)
        watch_amplifier(status);
    if (call->o.watch || !call->amplifier || !status->settled || call->ended)
        return;
    json_object_set_new(call->out, "power_proven", json_boolean(status->power_proven));
    json_object_set_new(call->out, "mute_proven", json_boolean(status->mute_proven));
    json_object_set_new(call->out, "gain_proven", json_boolean(status->gain_proven));
    json_object_set_new(call->out, "zones_proven", json_boolean(status->zones_proven));
    json_object_set_new(call->out, "zones", json_integer(status->zones));
    json_object_set_new(call->out, "faults", json_integer(status->faults));
    end(call, 0, "");
}

static int to_real(const char *text, double *ret)
{
    char *rest;
    *ret = text ? strtod(text, &rest) : 0;
    return text && *text && *rest == '\0' ? 0 : point_wrong("'%s' is not a number", text ? text : "");
}

static int zones_of(const char *text, uint32_t *ret_zones)
{
    *ret_zones = 0;
    if (!text || strcmp(text, "all") == 0) {
        *ret_zones = 0xFF;
        return 0;
    }
    for (const char *p = text; *p; p++) {
        if (*p >= '1' && *p <= '8')
            *ret_zones |= 1U << (*p - '1');
        else if (*p != ',')
            return point_wrong("'%s' is no list of zones like 1,3", text);
    }
    return 0;
}

static void open_points(struct call *call)
{
    static const struct points_events none;
    call->points = points_new(call->bus, call->profile, (uint8_t)call->o.unit, call->profile->model, &none, NULL);
}

/* Point commands. 0: under way; 2: wrong. */
static int begin_point(struct call *call)
{
    double value = 0;
    if (strcmp(call->o.verb, "silence") == 0) {
        open_points(call);
        points_put(call->points, call->profile->silence, call->profile->silence_value, true, on_done, call);
        return 0;
    }
    if (strcmp(call->o.verb, "status") == 0) {
        open_points(call);
        read_next(call);
        return 0;
    }
    call->index = call->o.first ? profile_find(call->profile, call->o.first) : -1;
    if (call->index < 0)
        return point_wrong("the profile has no point '%s'", call->o.first ? call->o.first : "");
    bool text = call->profile->points[call->index].type == POINT_TEXT;
    bool write = strcmp(call->o.verb, "write") == 0;
    unsigned access = write ? POINT_WRITE : POINT_READ;
    if (!(call->profile->points[call->index].access & access))
        return point_wrong(write ? "point '%s' cannot be written" : "point '%s' cannot be read", call->o.first);
    if (write && !text && to_real(call->o.second, &value))
        return 2;
    open_points(call);
    if (!write)
        points_get(call->points, call->index, on_point_read, call);
    else if (text)
        points_put_text(call->points, call->index, call->o.second ? call->o.second : "", on_done, call);
    else
        points_set(call->points, call->index, value, on_done, call);
    return 0;
}

static int begin_sign(struct call *call)
{
    struct complaint why = {0};
    if (sign_new(call->bus, call->profile, (uint8_t)call->o.unit, call->profile->model, on_sign, call, &call->sign) < 0)
        return point_wrong("'%s' is for signs, and this profile is none", call->o.verb);
    if (strcmp(call->o.verb, "blank") == 0) {
        sign_blank(call->sign, on_shown, call);
        return 0;
    }
    char *text = strdup(call->o.first ? call->o.first : "");
    for (char *p = text; p && (p = strstr(p, "\\n"));) {
        *p = '\n';
        memmove(p + 1, p + 2, strlen(p + 2) + 1);
    }
    int r = sign_show(call->sign, text ? text : "", on_shown, call, &why);
    free(text);
    if (r < 0)
        end(call, r, why.text);
    return 0;
}

static int begin_amplifier(struct call *call)
{
    struct amplifier_want want = {.mute = true};
    if (strcmp(call->o.verb, "on") == 0) {
        double gain;
        if (to_real(call->o.first, &gain) || zones_of(call->o.second, &want.zones))
            return 2;
        want.power = true;
        want.mute = false;
        want.gain_mb = (int32_t)(gain * 100);
    }
    for (int i = 0; i < PROFILE_ZONES_MAX; i++)
        if (call->profile->zones[i] < 0)
            want.zones &= ~(1U << i);
    if (amplifier_new(call->bus, call->profile, (uint8_t)call->o.unit, call->profile->model, on_amplifier, call,
                      &call->amplifier) < 0)
        return point_wrong("'%s' is for amplifiers, and this profile is none", call->o.verb);
    amplifier_want(call->amplifier, &want);
    return 0;
}

static int begin(struct call *call)
{
    static const struct {
        const char *verb;
        int (*begin)(struct call *call);
    } verbs[] = {{"read", begin_point}, {"write", begin_point}, {"status", begin_point}, {"silence", begin_point},
                 {"show", begin_sign},  {"blank", begin_sign},  {"on", begin_amplifier}, {"off", begin_amplifier}};
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strcmp(verbs[i].verb, call->o.verb) == 0)
            return verbs[i].begin(call);
    return point_wrong("'%s' is not a command", call->o.verb);
}

static void print_out(const struct call *call)
{
    if (call->o.json) {
        json_object_set_new(call->out, "result", json_string(call->result < 0 ? err_name(call->result) : "ok"));
        if (call->why[0])
            json_object_set_new(call->out, "why", json_string(call->why));
        char *text = json_dumps(call->out, JSON_REAL_PRECISION(9));
        puts(text);
        free(text);
        return;
    }
    const char *name;
    json_t *value;
    json_object_foreach(call->out, name, value)
    {
        char *text = json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
        printf("%s = %s\n", name, text ? text : json_string_value(value));
        free(text);
    }
    if (call->result < 0)
        fprintf(stderr, "loa-point: %s\n", call->why[0] ? call->why : err_name(call->result));
}

static void list_points(const struct call *call)
{
    const struct profile *p = call->profile;
    for (size_t i = 0; i < p->n_points; i++) {
        const struct point *point = &p->points[i];
        json_object_set_new(call->out, point->name,
                            json_pack("{s:s, s:i, s:s, s:i, s:s?}", "kind", point_kind_name(point->kind), "address",
                                      point->address, "type", point_type_name(point->type), "length", point->n_regs,
                                      "verify", point->verify >= 0 ? p->points[point->verify].name : NULL));
    }
}

static int run(struct call *call)
{
    struct complaint why = {0};
    uv_loop_init(&call->loop);
    int r = bus_new(&call->loop, &call->o.bus_config, &call->bus, &why);
    if (r < 0) {
        fprintf(stderr, "loa-point: %s\n", why.text);
        return 1;
    }
    uv_timer_init(&call->loop, &call->limit);
    uv_signal_init(&call->loop, &call->sigint);
    uv_signal_init(&call->loop, &call->sigterm);
    call->limit.data = call->sigint.data = call->sigterm.data = call;
    uv_signal_start(&call->sigint, on_signal, SIGINT);
    uv_signal_start(&call->sigterm, on_signal, SIGTERM);
    uv_timer_start(&call->limit, on_limit, (uint64_t)call->o.within_ms, 0);
    int usage = begin(call);
    if (usage)
        end(call, ERR_FORMAT, "");
    uv_run(&call->loop, UV_RUN_DEFAULT);
    uv_loop_close(&call->loop);
    if (usage || call->o.watch)
        return usage;
    print_out(call);
    return call->result < 0 ? 1 : 0;
}

int main(int argc, char **argv)
{
    struct call call = {.began_ms = clock_elapsed_ms()};
    int r = point_options_read(argc, argv, &call.o);
    if (r != 0)
        return r < 0 ? 0 : 2;
    struct profile *profile = NULL;
    struct complaint why = {0};
    if (profile_open(call.o.profile_path, &profile, &why) < 0) {
        fprintf(stderr, "loa-point: %s\n", why.text);
        return 1;
    }
    signal(SIGPIPE, SIG_IGN);
    call.profile = profile;
    call.out = json_object();
    if (strcmp(call.o.verb, "check") == 0) {
        list_points(&call);
        print_out(&call);
    } else {
        r = run(&call);
    }
    json_decref(call.out);
    profile_free(profile);
    return r;
}
