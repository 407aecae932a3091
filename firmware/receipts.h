/* receipts.h - from what the outputs proved to the receipt on the wire. Pure. */
#ifndef LOA_RECEIPTS_H
#define LOA_RECEIPTS_H

#include "firmware/evidence.h"
#include "firmware/vault.h"

/* A receipt and everything that it points to. */
struct receipt_paper {
    struct receipt receipt;
    struct evidence evidence;
    struct sound_evidence sound;
    struct amplifier_evidence amplifier;
    struct sign_evidence sign;
    const char *faults[EVIDENCE_FAULTS_MAX];
};

/* Fill all but head, device, store and n. Texts are borrowed from the arguments. `evidence` may be NULL: it never
 * began, or nothing is known of it. `detail` may be NULL. */
void receipt_make(const struct airing *airing, const struct airing_evidence *evidence, const char *detail,
                  struct receipt_paper *ret);

/* An item that was cut and resumed: both parts together, into `sum`. */
void evidence_add(struct airing_evidence *sum, const struct airing_evidence *more);

#endif
