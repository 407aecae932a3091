/* device.h - how a simulated amplifier, sign, relay board or meter behaves, told by the roles in its profile. Loop
 * thread; time is an argument (elapsed ms). */
#ifndef LOA_SIM_DEVICE_H
#define LOA_SIM_DEVICE_H

#include "boards/bus/profile.h"
#include "playlists/base/errors.h"

#include <jansson.h>

struct device;

struct device *device_new(const struct profile *profile, const char *name);
void device_free(struct device *device);

/* What a master asks for: 0 or a Modbus exception code. */
int device_read(const struct device *device, enum point_kind kind, uint16_t address, uint16_t count,
                uint16_t *ret_values);
int device_write(struct device *device, enum point_kind kind, uint16_t address, uint16_t count, const uint16_t *values,
                 int64_t now_ms);

/* Let time pass: power comes up, a display takes over, it warms, levels move. */
void device_tick(struct device *device, int64_t now_ms);
/* Sound that the card is really playing, in hundredths of dBFS. */
void device_hear(struct device *device, int rms_mb);

/* The front panel as a technician sees it. The caller owns the object. */
json_t *device_panel(const struct device *device);
/* One setting of the panel socket's "set". ERR_FORMAT and a sentence when there is no such thing. */
MUST_USE int device_set(struct device *device, const char *name, const json_t *value, struct complaint *why);
/* The mains went away and came back: all that is not burnt in is gone. */
void device_power_cycle(struct device *device, int64_t now_ms);
bool device_offline(const struct device *device);       /* cut off from its bus, or without mains: it answers nothing */
void device_freeze(struct device *device, bool frozen); /* what is read stands still, what is written is done */

/* Mains. Without them a device has forgotten everything and answers nothing. */
void device_set_mains(struct device *device, bool on, int64_t now_ms);
bool device_channel(const struct device *device, unsigned channel); /* relay board: is this contact (1..) closed? */
double device_watts(const struct device *device);                   /* what it draws now */
void device_measure(struct device *device, double watts, int64_t now_ms); /* meter: what runs through it */

#endif
