/* fuzz_documents - any bytes as any document. The first byte picks the kind. What is read can be written, and what was
 * written reads back as the same bytes; what is refused has a sentence in UTF-8. */
#include "playlists/codec.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0)
        return 0;
    int pick = data[0] % (DOC_TYPES + 1);
    const struct shape *shape = pick == DOC_TYPES ? documents_bulletin_shape() : documents_shape((enum doc_type)pick);
    struct arena *arena = arena_new();
    struct complaint why = {0};
    struct buf first = {0}, second = {0};
    void *doc = NULL, *again = NULL;
    if (codec_decode(shape, data + 1, len - 1, DOC_INFLATED_MAX, arena, &doc, &why) == 0) {
        require(codec_encode(shape, doc, 8 * (size_t)DOC_INFLATED_MAX, &first, &why) == 0);
        require(codec_decode(shape, first.data, first.len, first.len, arena, &again, &why) == 0);
        require(codec_encode(shape, again, first.len, &second, &why) == 0);
        require(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
    } else {
        require(doc == NULL && why.text[0] != '\0' && utf8_valid(why.text, strlen(why.text)));
    }
    buf_done(&first);
    buf_done(&second);
    arena_free(arena);
    return 0;
}
