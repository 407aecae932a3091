/* lookup.c - see lookup.h. */
#include "playlists/link/lookup.h"

#include "playlists/base/bytes.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

/* Outlives whoever asked when that gives up first: a lookup cannot be called back. */
struct lookup {
    uv_getaddrinfo_t req;
    lookup_fn found; /* NULL: nobody waits any more */
    void *arg;
};

bool lookup_numeric(const char *host, struct addresses *ret)
{
    unsigned char address[sizeof(struct in6_addr)];
    if (inet_pton(AF_INET, host, address) != 1 && inet_pton(AF_INET6, host, address) != 1)
        return false;
    snprintf(ret->text[0], INET6_ADDRSTRLEN, "%s", host);
    ret->n = 1;
    return true;
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *list)
{
    struct lookup *lookup = (struct lookup *)req;
    struct addresses found = {0};
    for (struct addrinfo *a = list; a && found.n < LOOKUP_MAX; a = a->ai_next)
        if (uv_ip_name(a->ai_addr, found.text[found.n], INET6_ADDRSTRLEN) == 0)
            found.n++;
    uv_freeaddrinfo(list);
    if (lookup->found)
        lookup->found(lookup->arg, &found, status < 0 ? uv_strerror(status) : NULL);
    free(lookup);
}

int lookup_start(uv_loop_t *loop, const char *host, lookup_fn found, void *arg, struct lookup **ret)
{
    struct lookup *lookup = xcalloc(1, sizeof(*lookup));
    lookup->found = found;
    lookup->arg = arg;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    int r = uv_getaddrinfo(loop, &lookup->req, on_resolved, host, NULL, &hints);
    if (r < 0) {
        free(lookup);
        return r;
    }
    *ret = lookup;
    return 0;
}

void lookup_cancel(struct lookup *lookup)
{
    if (lookup)
        lookup->found = NULL;
}
