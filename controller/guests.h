/* guests.h - the devices that spoke since the start: found by id, and by whose welcome is due first. Only what need not
 * outlive the process is here; the rest is in the store. Loop thread only. */
#ifndef LOA_GUESTS_H
#define LOA_GUESTS_H

#include "controller/allowance.h"

struct guest {
    char id[44];
    struct guest *next;    /* in its chain */
    size_t place;          /* in the heap, from 1; 0: not there */
    int64_t welcome_at_ms; /* elapsed; 0: none due. Set by guests_due() */
    int64_t welcomed_at_ms;
    bool welcoming; /* one is on its way to the broker */
    struct allowance allowance;
    int64_t refused_at_ms; /* elapsed; last event about a document that was refused, */
    int64_t twin_at_ms;    /* a record that came twice, */
    int64_t twins_at_ms;   /* two boxes with one identity, */
    int64_t beyond_at_ms;  /* a version that cannot be */
    int64_t sought_at_ms;  /* and when its state was looked for at the broker */
    int64_t stray_at_ms;   /* elapsed; when a session was last noted that is answered and not stored, */
    char stray[68];        /* and its nonce until it is answered; "" none */
};

struct guests;
struct guests *guests_new(void);
void guests_free(struct guests *guests); /* NULL is fine */

/* The guest of this device, made when it is not there. Owned by `guests`, and stays. */
struct guest *guests_get(struct guests *guests, const char *device);
/* Its next welcome is due at this elapsed time; 0: none. */
void guests_due(struct guests *guests, struct guest *guest, int64_t at_ms);
/* Whose welcome is due first, or NULL. */
struct guest *guests_first(const struct guests *guests);

#endif
