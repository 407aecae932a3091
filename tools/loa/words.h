/* words.h - what people call the members and values of the API's answers. Pure; any thread.
 *
 * The API and --json speak in the stable words of API.md; people read these instead. */
#ifndef LOA_LOA_WORDS_H
#define LOA_LOA_WORDS_H

/* A member: "times_here" is "giờ phát ở đây", with lang "en" "times here". `ret` holds it where it must be made. */
const char *word_of_member(const char *lang, const char *member, char ret[64]);

/* A value of this member: ("class", "normal") is "thông thường"; the value itself where there is no word. */
const char *word_of_value(const char *lang, const char *member, const char *value);

#endif
