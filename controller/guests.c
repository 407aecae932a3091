/* guests.c - see guests.h. A hash table that grows, and a binary heap. */
#include "controller/guests.h"

#include "playlists/base/bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct guests {
    struct guest **chains;
    size_t n_chains, n;   /* n_chains is a power of two */
    struct guest **heap;  /* from 1 on; room for n */
    size_t due, heap_max; /* how many are in it */
};

static size_t chain_of(const struct guests *g, const char *id)
{
    uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a; ids are given by us, not by devices */
    for (; *id; id++)
        h = (h ^ (unsigned char)*id) * UINT64_C(1099511628211);
    return (size_t)(h ^ h >> 32) & (g->n_chains - 1);
}

struct guests *guests_new(void)
{
    struct guests *g = xcalloc(1, sizeof(*g));
    g->n_chains = 64;
    g->chains = xcalloc(g->n_chains, sizeof(struct guest *));
    g->heap_max = 64;
    g->heap = xcalloc(g->heap_max, sizeof(struct guest *));
    return g;
}

void guests_free(struct guests *g)
{
    if (!g)
        return;
    for (size_t i = 0; i < g->n_chains; i++)
        while (g->chains[i]) {
            struct guest *guest = g->chains[i];
            g->chains[i] = guest->next;
            free(guest);
        }
    free(g->chains);
    free(g->heap);
    free(g);
}

static void put_in_chain(struct guests *g, struct guest *guest)
{
    size_t i = chain_of(g, guest->id);
    guest->next = g->chains[i];
    g->chains[i] = guest;
}

static void grow(struct guests *g)
{
    struct guest **old = g->chains;
    size_t n_old = g->n_chains;
    g->n_chains *= 2;
    g->chains = xcalloc(g->n_chains, sizeof(struct guest *));
    for (size_t i = 0; i < n_old; i++)
        while (old[i]) {
            struct guest *guest = old[i];
            old[i] = guest->next;
            put_in_chain(g, guest);
        }
    free(old);
    struct guest **heap = xcalloc(g->n_chains + 2, sizeof(struct guest *));
    memcpy(heap, g->heap, (g->due + 1) * sizeof(struct guest *));
    free(g->heap);
    g->heap = heap;
    g->heap_max = g->n_chains + 2;
}

struct guest *guests_get(struct guests *g, const char *device)
{
    for (struct guest *guest = g->chains[chain_of(g, device)]; guest; guest = guest->next)
        if (strcmp(guest->id, device) == 0)
            return guest;
    if (g->n + 1 >= g->n_chains)
        grow(g);
    struct guest *guest = xcalloc(1, sizeof(*guest));
    snprintf(guest->id, sizeof(guest->id), "%s", device);
    put_in_chain(g, guest);
    g->n++;
    return guest;
}

static void set_place(struct guests *g, struct guest *guest, size_t place)
{
    g->heap[place] = guest;
    guest->place = place;
}

static void settle(struct guests *g, struct guest *guest, size_t at)
{
    while (at > 1 && g->heap[at / 2]->welcome_at_ms > guest->welcome_at_ms) {
        set_place(g, g->heap[at / 2], at);
        at /= 2;
    }
    for (size_t child; (child = at * 2) <= g->due; at = child) {
        if (child < g->due && g->heap[child + 1]->welcome_at_ms < g->heap[child]->welcome_at_ms)
            child++;
        if (g->heap[child]->welcome_at_ms >= guest->welcome_at_ms)
            break;
        set_place(g, g->heap[child], at);
    }
    set_place(g, guest, at);
}

void guests_due(struct guests *g, struct guest *guest, int64_t at_ms)
{
    guest->welcome_at_ms = at_ms;
    if (at_ms != 0) {
        settle(g, guest, guest->place ? guest->place : ++g->due);
    } else if (guest->place) {
        struct guest *last = g->heap[g->due--];
        size_t place = guest->place;
        guest->place = 0;
        if (last != guest)
            settle(g, last, place);
    }
}

struct guest *guests_first(const struct guests *g)
{
    return g->due ? g->heap[1] : NULL;
}
