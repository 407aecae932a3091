/* ledger_form.c - see ledger_form.h. */
#include "firmware/ledger_form.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

enum { TIMEKEEPER_FORMAT = 1 };

/* The ledger of format 1 had all that is before what passed quiet hours; what came later begins at zero. */
enum { LEDGER_FORMER = 1, LEDGER_FORMER_SIZE = offsetof(struct ledger, on_passed) };
static_assert(LEDGER_FORMER_SIZE % sizeof(int64_t) == 0, "format 1 had no padding at its end");

struct form {
    uint64_t format;
    uint64_t size;
};

static void put(struct buf *buf, uint64_t format, const void *value, size_t size)
{
    struct form form = {.format = format, .size = size};
    buf_put(buf, &form, sizeof(form));
    buf_put(buf, value, size);
}

static bool get(const void *data, size_t len, uint64_t format, void *ret, size_t size)
{
    struct form form;
    if (!data || len != sizeof(form) + size)
        return false;
    memcpy(&form, data, sizeof(form));
    if (form.format != format || form.size != size)
        return false;
    memcpy(ret, (const uint8_t *)data + sizeof(form), size);
    return true;
}

void ledger_write(const struct ledger *ledger, struct buf *ret)
{
    put(ret, ARBITER_FORMAT, ledger, sizeof(*ledger));
}

int ledger_read(const void *data, size_t len, struct ledger *ret)
{
    struct ledger ledger = {0};
    if (!get(data, len, ARBITER_FORMAT, &ledger, sizeof(ledger)) &&
        !get(data, len, LEDGER_FORMER, &ledger, LEDGER_FORMER_SIZE))
        return ERR_FORMAT;
    if (ledger.on < ON_NOTHING || ledger.on > ON_ORDER || ledger.n_cut > ARBITER_CUT_MAX ||
        ledger.n_orders > ARBITER_ORDERS_MAX || ledger.n_silences > ARBITER_SILENCES_MAX ||
        ledger.n_done > ARBITER_DONE_MAX || ledger.n_off > ARBITER_OFF_MAX)
        return ERR_FORMAT;
    *ret = ledger;
    return 0;
}

void timekeeper_write(const struct timekeeper *tk, struct buf *ret)
{
    put(ret, TIMEKEEPER_FORMAT, tk, sizeof(*tk));
}

int timekeeper_read(const void *data, size_t len, struct timekeeper *ret)
{
    struct timekeeper tk;
    if (!get(data, len, TIMEKEEPER_FORMAT, &tk, sizeof(tk)))
        return ERR_FORMAT;
    tk.newest_kid[sizeof(tk.newest_kid) - 1] = '\0';
    tk.boot[sizeof(tk.boot) - 1] = '\0';
    *ret = tk;
    return 0;
}
