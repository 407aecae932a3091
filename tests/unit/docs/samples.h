/* samples.h - what the document tests begin with: the examples of WIRE.md, and a world in which everything holds. */
#ifndef LOA_TESTS_SAMPLES_H
#define LOA_TESTS_SAMPLES_H

#include "playlists/judge.h"

#include <jansson.h>

/* Text of WIRE.md; read once, never freed. */
const char *wire_text(void);
/* The example fenced as ```json TAG. The caller owns it. */
json_t *wire_example(const char *tag);
/* Replace (or with NULL remove) the member at a path such as "items[1].start_ms"; consumes `value`. */
void json_put(json_t *root, const char *path, json_t *value);
/* Compact text of a document; the caller frees. Consumes `root`. */
char *json_text(json_t *root);

/* Read a document of this tag as its table has it; the result of the reading. */
int example_decode(const char *tag, const char *text, struct complaint *why);
/* Replace (NULL: remove) one member of the example; reading it must be refused with this sentence. */
void example_refuse(const char *tag, const char *path, const char *value, const char *sentence);

/* Compact JWS of any header and payload, with a signature that holds. The caller frees. */
char *craft(const struct signer *signer, const char *header, const void *payload, size_t len);

/* Two roots, one registrar, one scheduler, one box, three keys of two persons, one bulletin. */
struct world {
    struct signer root[2], registrar, scheduler, box, person[3], stranger;
    struct public_key registrars[1], schedulers[1];
    struct quorum quorums[2];
    struct person_key persons[3];
    struct trust trust;
    struct keys keys;
    struct config config;
    struct approval approval;
    struct bulletin bulletin;
    struct bulletin_content contents[3];
    struct authority authority;
    struct arena *arena;
};

enum { WORLD_ERA = 3 };
#define WORLD_NOW_S INT64_C(1782882000)
#define WORLD_HASH  "9f330c8cf8294f37ee837c420c922da0d03883aba5e9fae59c4d239b15c11ab9"

void world_init(struct world *w);
void world_done(struct world *w);
struct doc_head world_head(const char *aud);

#endif
