/* letters.c - see letters.h. */
#include "firmware/letters.h"

#include "playlists/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct doc_head letters_head(const struct letters *letters, int64_t stamp_ms)
{
    int64_t iat_s = stamp_ms > 0 ? stamp_ms / 1000 : 0;
    return (struct doc_head){.aud = "controller",
                             .era = letters->era,
                             .ver = vault_up_version(letters->vault, stamp_ms > 0 ? stamp_ms : 1),
                             .iat_s = iat_s,
                             .exp_s = iat_s + LETTER_KEEP_S};
}

int letters_seal(const struct letters *letters, enum doc_type type, const void *doc, char **ret)
{
    struct complaint why = {0};
    int r = seal_doc(letters->signer, type, doc, true, ret, &why);
    if (r < 0)
        log_err("letters", "%s cannot be sealed: %s; it is not told", doc_word(type),
                why.text[0] ? why.text : err_name(r));
    return r;
}

static int put(const struct letters *letters, struct outbox *outbox, enum outbox_kind kind, enum doc_type type,
               const void *doc, int64_t n, int64_t stamp_ms)
{
    char *sealed = NULL;
    int r = letters_seal(letters, type, doc, &sealed);
    if (r == 0)
        r = outbox_put(outbox, kind, n, sealed, strlen(sealed), stamp_ms);
    free(sealed);
    return r;
}

int letters_put_receipt(const struct letters *letters, struct outbox *outbox, struct receipt *receipt, int64_t stamp_ms)
{
    receipt->head = letters_head(letters, stamp_ms);
    receipt->device = letters->device;
    receipt->store = vault_store(letters->vault);
    receipt->n = outbox_next(outbox, OUTBOX_RECEIPT);
    struct receipt row = *receipt;
    struct hash prev;
    row.prev = outbox_prev(outbox, OUTBOX_RECEIPT, &prev) ? prev.hex : NULL;
    return put(letters, outbox, OUTBOX_RECEIPT, DOC_RECEIPT, &row, row.n, stamp_ms);
}

int letters_put_event(const struct letters *letters, struct outbox *outbox, const char *code, const char *about,
                      const char *detail, int64_t at_ms, int64_t stamp_ms)
{
    char short_about[200], short_detail[900];
    snprintf(short_about, sizeof(short_about), "%s", about ? about : "");
    struct complaint cut = {0};
    complain(&cut, 0, "%s", detail ? detail : ""); /* cuts between characters, never inside one */
    snprintf(short_detail, sizeof(short_detail), "%s", cut.text);
    struct hash prev;
    struct event event = {.head = letters_head(letters, stamp_ms),
                          .device = letters->device,
                          .store = vault_store(letters->vault),
                          .n = outbox_next(outbox, OUTBOX_EVENT),
                          .prev = outbox_prev(outbox, OUTBOX_EVENT, &prev) ? prev.hex : NULL,
                          .at_ms = at_ms > 0 ? at_ms : 0,
                          .code = code,
                          .about = short_about[0] ? short_about : NULL,
                          .detail = short_detail[0] ? short_detail : NULL};
    return put(letters, outbox, OUTBOX_EVENT, DOC_EVENT, &event, event.n, stamp_ms);
}
