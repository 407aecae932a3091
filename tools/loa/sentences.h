/* sentences.h - the sentences of refusals and of --help in Vietnamese, found by the English ones. Pure, any thread. */
#ifndef LOA_SENTENCES_H
#define LOA_SENTENCES_H

#include <stddef.h>

struct sentence {
    const char *en, *vi; /* printf formats with the same conversions in the same order */
};

extern const struct sentence sentences[];
extern const size_t n_sentences;
extern const struct sentence option_words[]; /* ends with a NULL `en` */

/* The format in `lang`; `en` itself where there is no other. */
const char *sentence_in(const char *lang, const char *en) __attribute__((format_arg(2)));

/* err_name() in `lang`. */
const char *error_in(const char *lang, int error);

#endif
