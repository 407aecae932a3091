/* nonce.c - see nonce.h. */
#include "firmware/nonce.h"

#include <stdio.h>
#include <string.h>

void nonce_begin(struct nonce *nonce, const char *text, int64_t elapsed_ms)
{
    *nonce = (struct nonce){.began_elapsed_ms = elapsed_ms, .sealed_s = INT64_MAX};
    snprintf(nonce->text, sizeof(nonce->text), "%s", text);
}

bool nonce_quoted(const struct nonce *nonce, enum doc_type type, const void *doc)
{
    const char *quoted = "";
    if (type == DOC_WELCOME)
        quoted = ((const struct welcome *)doc)->nonce;
    else if (type == DOC_COMMAND)
        quoted = ((const struct command *)doc)->nonce;
    return quoted[0] && strcmp(quoted, nonce->text) == 0;
}

int64_t nonce_moment_ms(struct nonce *nonce, enum doc_type type, const void *doc, int64_t now_ms, int64_t elapsed_ms)
{
    if (!nonce_quoted(nonce, type, doc))
        return now_ms;
    int64_t iat_s = ((const struct doc_head *)doc)->iat_s; /* every document begins with its head */
    if (iat_s < nonce->sealed_s)
        nonce->sealed_s = iat_s;
    int64_t latest_ms = (nonce->sealed_s + 1) * 1000 + (elapsed_ms - nonce->began_elapsed_ms);
    return now_ms < latest_ms ? now_ms : latest_ms;
}

void nonce_welcomed(struct nonce *nonce, const struct welcome *welcome)
{
    nonce->era = welcome->head.era;
    nonce->ver = welcome->head.ver;
}
