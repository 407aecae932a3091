/* device.c - see device.h. */
#include "tools/modbus-sim/device.h"

#include "tools/modbus-sim/image.h"

#include "boards/bus/points.h"
#include "playlists/base/bytes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Draw of an amplifier: standing by, on, and at 0 dB on top of that; of a sign: dark, lit. */
enum { STANDBY_W = 2, ON_W = 14, LOUD_W = 90, DARK_W = 6, LIT_W = 40, MAINS_V = 230, MAINS_HZ = 50 };
enum { BUSY_MS = 150, SILENT_MB = -12000, FLOOR_DB = -120, COLD = 25, WARM = 45, HOT = 75 };

struct device {
    const struct profile *profile;
    char *name;
    struct image *image;
    struct image *still; /* what is read while frozen; else NULL; owned */
    bool wire;
    bool offline, no_mains;
    bool watts_held; /* meter: somebody else draws too, whatever our devices do */
    double watts, energy_kwh;
    int rms_mb;
    double temperature;
    bool temperature_held;
    bool forced[PROFILE_FAULTS_MAX];
    bool powered; /* amplifier: the switch is on; `up_ms` from when it counts */
    int64_t up_ms;
    bool up;
    char *shown[PROFILE_LINES_MAX]; /* sign: what is lit, per text point; owned */
    bool busy, commit_waits;
    int64_t busy_until_ms;
    int64_t last_tick_ms;
};

static bool is_on(const struct device *d, int index)
{
    return point_is_on(&d->profile->points[index], image_get(d->image, index));
}

static void set_switch(struct device *d, int index, bool on)
{
    const struct point *point = &d->profile->points[index];
    image_set(d->image, index, on ? point->on : point->off);
}

/* What a point reads when the device comes out of its box. */
static double fresh_value(const struct profile *p, int index)
{
    const struct point *point = &p->points[index];
    if (index == p->brightness)
        return isfinite(point->max) ? point->max : 100;
    return index == p->gain || index == p->output_level ? 0 : point->off;
}

static void show(struct device *d, size_t nth, const char *text)
{
    int verify = d->profile->points[d->profile->text[nth]].verify;
    char *copy = xstrdup(text);
    free(d->shown[nth]);
    d->shown[nth] = copy;
    if (verify >= 0)
        image_set_text(d->image, verify, text);
}

/* The proof of a plain setting follows at once; power, text and what a display does follow in their own time. */
static void mirror(struct device *d, int index)
{
    const struct profile *p = d->profile;
    const struct point *point = &p->points[index];
    if (point->verify < 0 || point->verify == index || point->type == POINT_TEXT ||
        (index == p->power && p->kind == PROFILE_AMPLIFIER))
        return;
    image_set(d->image, point->verify, point_proof(point, &p->points[point->verify], image_get(d->image, index)));
}

static void fresh(struct device *d)
{
    const struct profile *p = d->profile;
    for (size_t i = 0; i < p->n_points; i++) {
        if (p->points[i].type == POINT_TEXT)
            image_set_text(d->image, (int)i, "");
        else
            image_set(d->image, (int)i, fresh_value(p, (int)i));
    }
    for (size_t i = 0; i < p->n_text; i++)
        show(d, i, "");
    for (size_t i = 0; i < p->n_points; i++)
        if (p->points[i].access & POINT_WRITE)
            mirror(d, (int)i);
    d->powered = d->up = d->busy = d->commit_waits = false;
}

struct device *device_new(const struct profile *profile, const char *name)
{
    struct device *d = xcalloc(1, sizeof(*d));
    d->profile = profile;
    d->name = xstrdup(name);
    d->image = image_new(profile);
    d->wire = true;
    d->rms_mb = SILENT_MB;
    d->temperature = COLD;
    fresh(d);
    return d;
}

void device_free(struct device *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < PROFILE_LINES_MAX; i++)
        free(d->shown[i]);
    image_free(d->image);
    image_free(d->still);
    free(d->name);
    free(d);
}

bool device_offline(const struct device *d)
{
    return d->offline || d->no_mains;
}

void device_freeze(struct device *d, bool frozen)
{
    image_free(d->still);
    d->still = frozen ? image_new(d->profile) : NULL;
    if (frozen)
        image_copy(d->still, d->image);
}

void device_set_mains(struct device *d, bool on, int64_t now_ms)
{
    if (on == !d->no_mains)
        return;
    d->no_mains = !on;
    device_power_cycle(d, now_ms);
}

bool device_channel(const struct device *d, unsigned channel)
{
    int index = channel >= 1 && channel <= PROFILE_ZONES_MAX ? d->profile->zones[channel - 1] : -1;
    return !d->no_mains && index >= 0 && is_on(d, index);
}

void device_hear(struct device *d, int rms_mb)
{
    d->rms_mb = rms_mb;
}

void device_power_cycle(struct device *d, int64_t now_ms)
{
    fresh(d);
    device_tick(d, now_ms);
}

int device_read(const struct device *d, enum point_kind kind, uint16_t address, uint16_t count, uint16_t *ret_values)
{
    return image_read(d->still ? d->still : d->image, kind, address, count, ret_values);
}

/* ---- sign ---- */

/* Points that the sequence waits for and nothing else explains: they say "busy" while the display works. */
static bool is_busy_point(const struct profile *p, const struct step *step)
{
    if (step->act != STEP_WAIT)
        return false;
    for (size_t i = 0; i < p->n_points; i++)
        if (p->points[i].verify == step->point)
            return false;
    return !(p->points[step->point].access & POINT_WRITE);
}

static double other_value(const struct point *point, double value)
{
    if (point_is_on(point, value))
        return point->off;
    return point_is_off(point, value) ? point->on : value + point->scale;
}

static bool set_busy(struct device *d, bool busy)
{
    const struct profile *p = d->profile;
    bool any = false;
    for (size_t i = 0; i < p->n_show + p->n_blank; i++) {
        const struct step *step = i < p->n_show ? &p->show[i] : &p->blank[i - p->n_show];
        if (!is_busy_point(p, step))
            continue;
        any = true;
        image_set(d->image, step->point, busy ? other_value(&p->points[step->point], step->value) : step->value);
    }
    d->busy = any && busy;
    return any;
}

static void take_over(struct device *d)
{
    for (size_t i = 0; i < d->profile->n_text; i++) {
        char *text = image_get_text(d->image, d->profile->text[i]);
        show(d, i, text);
        free(text);
    }
    d->commit_waits = false;
}

static void begin_work(struct device *d, int64_t now_ms)
{
    d->busy_until_ms = set_busy(d, true) ? now_ms + BUSY_MS : now_ms;
}

/* The value by which the sequence triggers this point; its `on` when the sequence does not. */
static double trigger_value(const struct profile *p, int index)
{
    for (size_t i = 0; i < p->n_show; i++)
        if (p->show[i].point == index && (p->show[i].act == STEP_WRITE || p->show[i].act == STEP_PULSE))
            return p->show[i].value;
    return index == p->silence ? p->silence_value : p->points[index].on;
}

static void sign_written(struct device *d, int index, int64_t now_ms)
{
    const struct profile *p = d->profile;
    bool triggered =
        p->points[index].type != POINT_TEXT && fabs(image_get(d->image, index) - trigger_value(p, index)) < 1e-6;
    if (index == p->clear && triggered) {
        for (size_t i = 0; i < p->n_text; i++) {
            image_set_text(d->image, p->text[i], "");
            show(d, i, "");
        }
        d->commit_waits = false;
        begin_work(d, now_ms);
    } else if (index == p->commit && triggered) {
        d->commit_waits = true;
        begin_work(d, now_ms);
        if (!d->busy)
            take_over(d);
    } else if (p->points[index].type == POINT_TEXT && p->commit < 0) {
        take_over(d);
    }
}

static bool is_lit(const struct device *d)
{
    const struct profile *p = d->profile;
    bool any = false;
    for (size_t i = 0; i < p->n_text; i++)
        any = any || d->shown[i][0];
    if (p->brightness >= 0 && image_get(d->image, p->brightness) <= 0)
        return false;
    if (p->silence != p->clear && fabs(image_get(d->image, p->silence) - p->silence_value) < 1e-6)
        return false;
    return any;
}

/* ---- amplifier ---- */

static void amplifier_written(struct device *d, int index, int64_t now_ms)
{
    const struct profile *p = d->profile;
    if (index != p->power || is_on(d, index) == d->powered)
        return;
    d->powered = !d->powered;
    d->up_ms = now_ms + p->power_up_ms;
}

static bool any_zone_on(const struct device *d)
{
    bool has_zones = false;
    for (size_t i = 0; i < PROFILE_ZONES_MAX; i++) {
        int zone = d->profile->zones[i];
        has_zones = has_zones || zone >= 0;
        if (zone >= 0 && is_on(d, zone))
            return true;
    }
    return !has_zones;
}

static double level_db(const struct device *d)
{
    const struct profile *p = d->profile;
    bool muted = p->mute >= 0 && is_on(d, p->mute);
    if (!d->up || muted || !d->wire || !any_zone_on(d) || d->rms_mb <= SILENT_MB)
        return FLOOR_DB;
    double gain = p->gain >= 0 ? image_get(d->image, p->gain) : 0;
    return fmax(d->rms_mb / 100.0 + gain, FLOOR_DB);
}

static void tick_amplifier(struct device *d, int64_t now_ms)
{
    const struct profile *p = d->profile;
    d->up = p->power < 0 || (d->powered && now_ms >= d->up_ms);
    if (p->power_state >= 0)
        set_switch(d, p->power_state, d->up);
    if (p->power >= 0 && p->points[p->power].verify >= 0)
        set_switch(d, p->points[p->power].verify, d->up);
    if (p->output_level >= 0)
        image_set(d->image, p->output_level, level_db(d));
    double goal = d->up ? WARM : COLD;
    double passed = d->last_tick_ms ? (double)(now_ms - d->last_tick_ms) : 0;
    if (!d->temperature_held)
        d->temperature += (goal - d->temperature) * (1 - exp(-passed / 60000));
    if (p->temperature >= 0)
        image_set(d->image, p->temperature, d->temperature);
}

double device_watts(const struct device *d)
{
    if (d->no_mains)
        return 0;
    if (d->profile->kind == PROFILE_SIGN)
        return is_lit(d) ? LIT_W : DARK_W;
    if (d->profile->kind != PROFILE_AMPLIFIER)
        return 0;
    return d->up ? ON_W + LOUD_W * pow(10, fmin(level_db(d), 0) / 10) : STANDBY_W;
}

static void put(struct device *d, const char *name, double value)
{
    int index = profile_find(d->profile, name);
    if (index >= 0)
        image_set(d->image, index, value);
}

void device_measure(struct device *d, double watts, int64_t now_ms)
{
    if (!d->watts_held)
        d->watts = watts;
    d->energy_kwh += d->last_tick_ms ? d->watts * (double)(now_ms - d->last_tick_ms) / 3.6e9 : 0;
    put(d, "voltage", MAINS_V);
    put(d, "frequency", MAINS_HZ);
    put(d, "power_factor", 1);
    put(d, "active_power", d->watts);
    put(d, "current", d->watts / MAINS_V);
    put(d, "energy", d->energy_kwh);
}

static bool has_fault(const struct device *d, size_t nth)
{
    const char *name = d->profile->points[d->profile->faults[nth]].name;
    return d->forced[nth] || (strcmp(name, "fault_overheat") == 0 && d->temperature >= HOT);
}

void device_tick(struct device *d, int64_t now_ms)
{
    const struct profile *p = d->profile;
    if (p->kind == PROFILE_AMPLIFIER)
        tick_amplifier(d, now_ms);
    if (d->busy && now_ms >= d->busy_until_ms) {
        set_busy(d, false);
        if (d->commit_waits)
            take_over(d);
    }
    for (size_t i = 0; i < p->n_faults; i++)
        set_switch(d, p->faults[i], has_fault(d, i));
    d->last_tick_ms = now_ms;
}

int device_write(struct device *d, enum point_kind kind, uint16_t address, uint16_t count, const uint16_t *values,
                 int64_t now_ms)
{
    const struct profile *p = d->profile;
    int exception = image_write(d->image, kind, address, count, values);
    if (exception)
        return exception;
    for (size_t i = 0; i < p->n_points; i++) {
        if (!(p->points[i].access & POINT_WRITE) || !image_touches(p, (int)i, kind, address, count))
            continue;
        mirror(d, (int)i);
        if (p->kind == PROFILE_SIGN)
            sign_written(d, (int)i, now_ms);
        else if (p->kind == PROFILE_AMPLIFIER)
            amplifier_written(d, (int)i, now_ms);
    }
    device_tick(d, now_ms);
    return 0;
}

/* ---- panel ---- */

static double tenths(double value)
{
    return nearbyint(value * 10) / 10;
}

static json_t *panel_faults(const struct device *d)
{
    json_t *faults = json_array();
    for (size_t i = 0; i < d->profile->n_faults; i++)
        if (has_fault(d, i))
            json_array_append_new(faults, json_string(d->profile->points[d->profile->faults[i]].name));
    return faults;
}

static void fill_amplifier(const struct device *d, json_t *panel)
{
    const struct profile *p = d->profile;
    json_t *zones = json_array();
    for (int i = 0; i < PROFILE_ZONES_MAX; i++)
        if (p->zones[i] >= 0 && is_on(d, p->zones[i]))
            json_array_append_new(zones, json_integer(i + 1));
    json_object_set_new(panel, "power", json_boolean(p->power < 0 || d->powered));
    json_object_set_new(panel, "ready", json_boolean(d->up));
    json_object_set_new(panel, "mute", json_boolean(p->mute >= 0 && is_on(d, p->mute)));
    json_object_set_new(panel, "gain_db", json_real(p->gain >= 0 ? tenths(image_get(d->image, p->gain)) : 0));
    json_object_set_new(panel, "zones", zones);
    json_object_set_new(panel, "level_db", json_real(tenths(level_db(d))));
    json_object_set_new(panel, "temperature", json_real(tenths(d->temperature)));
    json_object_set_new(panel, "wire", json_boolean(d->wire));
}

static void fill_sign(const struct device *d, json_t *panel)
{
    struct buf shown = {0};
    for (size_t i = 0; i < d->profile->n_text; i++)
        buf_putf(&shown, "%s%s", i ? "\n" : "", d->shown[i]);
    while (shown.len > 0 && shown.data[shown.len - 1] == '\n')
        shown.len--;
    json_object_set_new(panel, "shown", json_string(buf_text(&shown)));
    json_object_set_new(panel, "lit", json_boolean(is_lit(d)));
    if (d->profile->brightness >= 0)
        json_object_set_new(panel, "brightness", json_real(image_get(d->image, d->profile->brightness)));
    buf_done(&shown);
}

static void fill_relay(const struct device *d, json_t *panel)
{
    json_t *channels = json_array();
    for (unsigned i = 1; i <= PROFILE_ZONES_MAX; i++)
        if (device_channel(d, i))
            json_array_append_new(channels, json_integer(i));
    json_object_set_new(panel, "channels", channels);
}

json_t *device_panel(const struct device *d)
{
    json_t *panel = json_pack("{s:s, s:s, s:s, s:b}", "name", d->name, "model", d->profile->model, "kind",
                              profile_kind_name(d->profile->kind), "mains", !d->no_mains);
    if (d->profile->kind == PROFILE_SIGN)
        fill_sign(d, panel);
    else if (d->profile->kind == PROFILE_AMPLIFIER)
        fill_amplifier(d, panel);
    else if (d->profile->kind == PROFILE_RELAY)
        fill_relay(d, panel);
    else
        json_object_set_new(panel, "watts", json_real(tenths(d->watts)));
    json_object_set_new(panel, "faults", panel_faults(d));
    json_object_set_new(panel, "offline", json_boolean(d->offline));
    return panel;
}

static int set_flag(bool *flag, const char *name, const json_t *value, struct complaint *why)
{
    if (!json_is_boolean(value))
        return complain(why, ERR_FORMAT, "'%s' must be true or false", name);
    *flag = json_is_true(value);
    return 0;
}

/* A number to hold, or null to let it go. */
static int set_held(bool *held, double *number, double low, double high, const char *name, const json_t *value,
                    struct complaint *why)
{
    if (!json_is_number(value) && !json_is_null(value))
        return complain(why, ERR_FORMAT, "'%s' must be a number to hold, or null to let it go", name);
    *held = json_is_number(value);
    if (*held)
        *number = fmin(fmax(json_number_value(value), low), high);
    return 0;
}

int device_set(struct device *d, const char *name, const json_t *value, struct complaint *why)
{
    if (strcmp(name, "offline") == 0)
        return set_flag(&d->offline, name, value, why);
    if (strcmp(name, "wire") == 0 && d->profile->kind == PROFILE_AMPLIFIER)
        return set_flag(&d->wire, name, value, why);
    if (strcmp(name, "temperature") == 0 && d->profile->kind == PROFILE_AMPLIFIER)
        return set_held(&d->temperature_held, &d->temperature, -40, 150, name, value, why);
    if (strcmp(name, "watts") == 0 && d->profile->kind == PROFILE_METER)
        return set_held(&d->watts_held, &d->watts, -50000, 50000, name, value, why);
    for (size_t i = 0; i < d->profile->n_faults; i++)
        if (strcmp(d->profile->points[d->profile->faults[i]].name, name) == 0)
            return set_flag(&d->forced[i], name, value, why);
    return complain(why, ERR_FORMAT, "this %s has no '%s' to set", profile_kind_name(d->profile->kind), name);
}
