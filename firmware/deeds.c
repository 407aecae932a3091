/* deeds.c - see deeds.h. */
#include "firmware/deeds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void clear(struct deed *deed)
{
    free(deed->evidence);
    free(deed->code);
    free(deed->about);
    free(deed->detail);
}

void deeds_done(struct deeds *deeds)
{
    deeds_cut(deeds, 0, deeds->n);
}

static void drop(struct deeds *deeds, size_t i)
{
    clear(&deeds->at[i]);
    deeds->n--;
    memmove(&deeds->at[i], &deeds->at[i + 1], (deeds->n - i) * sizeof(*deeds->at));
}

void deeds_cut(struct deeds *deeds, size_t from, size_t count)
{
    for (; count > 0 && from < deeds->n; count--)
        drop(deeds, from + (count <= deeds->n - from ? count - 1 : deeds->n - from - 1));
    if (deeds->n == 0) {
        free(deeds->at);
        deeds->at = NULL;
    }
}

static bool drop_first(struct deeds *deeds, enum deed_kind kind)
{
    for (size_t i = 0; i < deeds->n; i++) {
        if (deeds->at[i].kind != kind)
            continue;
        drop(deeds, i);
        return true;
    }
    return false;
}

static void make_room(struct deeds *deeds)
{
    if (deeds->n < DEEDS_MAX)
        return;
    if (drop_first(deeds, DEED_EVENT))
        deeds->lost_events++;
    else if (drop_first(deeds, DEED_RECEIPT))
        deeds->lost_receipts++;
    else
        drop(deeds, 0); /* of hundreds that are on at once: cannot be, one is on at a time */
}

/* Memory is held only while something waits. */
static struct deed *add(struct deeds *deeds, enum deed_kind kind)
{
    make_room(deeds);
    if (deeds->n % 16 == 0) {
        struct deed *grown = xcalloc(deeds->n + 16, sizeof(*grown));
        if (deeds->n)
            memcpy(grown, deeds->at, deeds->n * sizeof(*grown));
        free(deeds->at);
        deeds->at = grown;
    }
    struct deed *deed = &deeds->at[deeds->n++];
    *deed = (struct deed){.kind = kind};
    return deed;
}

static struct airing_evidence *copy_evidence(const struct airing_evidence *evidence)
{
    if (!evidence)
        return NULL;
    struct airing_evidence *copy = xcalloc(1, sizeof(*copy));
    *copy = *evidence;
    return copy;
}

/* What came before about the same airing is said by the newer one as well. */
static void forget(struct deeds *deeds, uint64_t key, enum deed_kind kind)
{
    for (size_t i = deeds->n; i-- > 0;)
        if (deeds->at[i].kind == kind && deeds->at[i].airing.key == key)
            drop(deeds, i);
}

void deeds_airing(struct deeds *deeds, const struct airing *airing)
{
    add(deeds, DEED_AIRING)->airing = *airing;
}

void deeds_evidence(struct deeds *deeds, uint64_t key, const struct airing_evidence *evidence)
{
    forget(deeds, key, DEED_EVIDENCE);
    struct deed *deed = add(deeds, DEED_EVIDENCE);
    deed->airing.key = key;
    deed->evidence = copy_evidence(evidence);
}

void deeds_receipt(struct deeds *deeds, const struct airing *airing, const struct airing_evidence *evidence,
                   const char *detail)
{
    forget(deeds, airing->key, DEED_AIRING);
    forget(deeds, airing->key, DEED_EVIDENCE);
    struct deed *deed = add(deeds, DEED_RECEIPT);
    deed->airing = *airing;
    deed->evidence = copy_evidence(evidence);
    deed->detail = detail && detail[0] ? xstrdup(detail) : NULL;
}

void deeds_event(struct deeds *deeds, const char *code, const char *about, const char *detail, int64_t at_ms)
{
    struct deed *deed = add(deeds, DEED_EVENT);
    deed->code = xstrdup(code);
    deed->about = xstrdup(about ? about : "");
    deed->detail = xstrdup(detail ? detail : "");
    deed->at_ms = at_ms;
}

int deeds_find(const struct deeds *deeds, uint64_t key, struct airing *ret)
{
    for (size_t i = deeds->n; i-- > 0;) {
        const struct deed *deed = &deeds->at[i];
        if (deed->kind == DEED_EVENT || deed->kind == DEED_EVIDENCE || deed->airing.key != key)
            continue;
        if (deed->kind == DEED_RECEIPT)
            return -ENOENT;
        *ret = deed->airing;
        return 0;
    }
    return -ENODATA;
}

const struct airing_evidence *deeds_find_evidence(const struct deeds *deeds, uint64_t key)
{
    for (size_t i = deeds->n; i-- > 0;)
        if (deeds->at[i].kind == DEED_EVIDENCE && deeds->at[i].airing.key == key)
            return deeds->at[i].evidence;
    return NULL;
}
