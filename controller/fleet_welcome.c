/* fleet_welcome.c - when whom to welcome: at the begin of a session, soon after records were stored, and every 10
 * minutes; a few at a time with the link, so that nothing else waits behind them. */
#include "controller/fleet_own.h"
#include "controller/mandate.h"
#include "controller/welcome.h"
#include "playlists/base/clock.h"
#include "playlists/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    EVERY_MS = 10 * 60 * 1000,
    EARLIER_MS = 60 * 1000, /* by up to this much, so that those that came together do not stay together */
    AGAIN_MS = 1000,        /* the link had no room */
    TWINS_MS = 25 * 60 * 1000,
    TWINS_EVERY_MS = 5000, /* what one twin is told the other refuses, and tells */
    TURN_MS = 4,           /* of sealing, or as long as the commit before it took: then others have their turn */
    COUNT_MS = 60 * 1000,  /* boxes are counted so often */
};
#define LIFE_S INT64_C(1200)

static void on_due(uv_timer_t *timer)
{
    welcome_pump(timer->data);
}

static void set_timer(struct fleet *f)
{
    struct guest *first = guests_first(f->guests);
    if (!first || !f->online)
        return;
    int64_t now_ms = clock_elapsed_ms(), at_ms = first->welcome_at_ms;
    if (!f->cut && at_ms < f->pumped_at_ms + GATHER_MS) /* together: one commit for all of them */
        at_ms = f->pumped_at_ms + GATHER_MS;
    uv_timer_start(&f->welcomes, on_due, at_ms > now_ms ? (uint64_t)(at_ms - now_ms) : 0, 0);
}

void welcome_in(struct fleet *f, struct guest *guest, int64_t in_ms)
{
    int64_t at_ms = clock_elapsed_ms() + in_ms;
    if (guest->twins_at_ms && at_ms < guest->welcomed_at_ms + TWINS_EVERY_MS)
        at_ms = guest->welcomed_at_ms + TWINS_EVERY_MS;
    if (guest->welcome_at_ms && guest->welcome_at_ms <= at_ms)
        return;
    guests_due(f->guests, guest, at_ms);
    if (guests_first(f->guests) == guest)
        set_timer(f);
}

static int place_of(struct fleet *f, uint32_t id)
{
    for (int i = 0; i < WELCOMES_MAX; i++)
        if (f->welcoming[i].id == id)
            return i;
    return -1;
}

static int64_t spread_s(struct fleet *f, int64_t now_ms)
{
    if (f->c->settings->spread_s != SPREAD_BY_FLEET)
        return f->c->settings->spread_s;
    if (f->counted_at_ms == 0 || now_ms - f->counted_at_ms >= COUNT_MS) {
        int64_t boxes = store_number(f->c->store, 0, "SELECT count(*) FROM boxes WHERE until_ms IS NULL", "");
        f->spread_s = welcome_spread_s(boxes);
        f->counted_at_ms = now_ms;
    }
    return f->spread_s;
}

static int send_one(struct fleet *f, struct guest *guest, const char *nonce)
{
    struct complaint why = {0};
    char aud[64], topic[100], *sealed = NULL;
    int place = place_of(f, 0);
    if (place < 0)
        return -1;
    struct doc_head head = fleet_head(f, guest->id, LIFE_S, aud);
    snprintf(topic, sizeof(topic), "loa/1/dev/%s/welcome", guest->id);
    if (welcome_seal(f->c, &head, guest->id, nonce, spread_s(f, clock_elapsed_ms()), &sealed, &why) < 0) {
        log_err("fleet", "device=%s welcome not sealed: %s", guest->id, why.text);
        return 0;
    }
    uint32_t id = fleet_own_id(f);
    int r = fleet_publish(f, id, topic, sealed, strlen(sealed), false);
    free(sealed);
    if (r < 0)
        return r;
    f->welcoming[place].id = id;
    f->welcoming[place].guest = guest;
    return 0;
}

/* The other one of two boxes with one identity is answered too: it would keep what it has for ever. It speaks from a
 * vault of its own, or from a copy: then its session is the one before this one. */
static void send_twin(struct fleet *f, struct guest *guest, const char *nonce)
{
    if (!guest->twins_at_ms || clock_elapsed_ms() - guest->twins_at_ms > TWINS_MS)
        return;
    char *other = store_text(f->c->store,
                             "SELECT nonce FROM (SELECT nonce, seen_ms FROM vaults WHERE device = ?1 AND up = 1 AND"
                             " nonce <> ?2 AND kid = (SELECT kid FROM states WHERE device = ?1) AND seen_ms > ?3"
                             " UNION ALL SELECT former ->> '$[0]', 0 FROM vaults WHERE device = ?1 AND nonce = ?2)"
                             " WHERE nonce IS NOT NULL ORDER BY seen_ms DESC LIMIT 1",
                             "ssi", guest->id, nonce, clock_wall_ms() - TWINS_MS);
    if (other && send_one(f, guest, other) < 0)
        log_debug("fleet", "device=%s its twin is welcomed with the next one", guest->id);
    free(other);
}

/* 0, or negative: the link has no room now. */
static int send_stray(struct fleet *f, struct guest *guest)
{
    int r = guest->stray[0] ? send_one(f, guest, guest->stray) : 0;
    if (r == 0)
        guest->stray[0] = '\0';
    return r;
}

/* 0, or negative: the link has no room now. */
static int welcome(struct fleet *f, struct guest *guest)
{
    int64_t now_ms = clock_elapsed_ms();
    char *nonce = store_text(f->c->store, "SELECT nonce FROM states WHERE device = ? AND up = 1", "s", guest->id);
    bool may = mandate_schedules(f->c->mandate, f->c->scheduler.kid);
    bool due = nonce && may;
    int r = may ? send_stray(f, guest) : 0;
    if (r == 0 && due)
        r = send_one(f, guest, nonce);
    if (r < 0) {
        guests_due(f->guests, guest, now_ms + AGAIN_MS);
    } else if (!due) {
        guests_due(f->guests, guest, 0);
    } else {
        guest->welcomed_at_ms = now_ms;
        guests_due(f->guests, guest, now_ms + EVERY_MS - random_below(EARLIER_MS));
        send_twin(f, guest, nonce);
    }
    free(nonce);
    return r;
}

void welcome_pump(struct fleet *f)
{
    int64_t now_ms = clock_elapsed_ms();
    struct guest *guest = guests_first(f->guests);
    if (place_of(f, 0) < 0)
        return; /* an answer goes on */
    if (!f->online || !guest || guest->welcome_at_ms > now_ms) {
        set_timer(f);
        return;
    }
    /* What a welcome calls stored is committed. */
    f->pumped_at_ms = now_ms;
    f->cut = false;
    if (store_settle(f->c->store) == 0 && store_snapshot(f->c->store) == 0) {
        int64_t began_ms = clock_elapsed_ms(), turn_ms = began_ms - now_ms > TURN_MS ? began_ms - now_ms : TURN_MS;
        while ((guest = guests_first(f->guests)) != NULL && guest->welcome_at_ms <= now_ms && place_of(f, 0) >= 0) {
            f->cut = clock_elapsed_ms() - began_ms >= turn_ms;
            if (f->cut || welcome(f, guest) < 0)
                break;
        }
        if (store_commit(f->c->store) < 0)
            log_warn("fleet", "the versions of welcomes may not be noted");
    }
    if (place_of(f, 0) >= 0)
        set_timer(f);
}

void welcome_answered(struct fleet *f, uint32_t id, bool acked)
{
    int place = place_of(f, id);
    if (place < 0)
        return;
    struct guest *guest = f->welcoming[place].guest;
    f->welcoming[place].id = 0;
    if (!acked)
        welcome_in(f, guest, AGAIN_MS);
    set_timer(f);
}

void welcome_offline(struct fleet *f)
{
    for (int i = 0; i < WELCOMES_MAX; i++) {
        if (f->welcoming[i].id)
            welcome_in(f, f->welcoming[i].guest, 0);
        f->welcoming[i].id = 0;
    }
}
