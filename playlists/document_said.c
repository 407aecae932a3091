/* document_said.c - bulletins and their approvals: what is said on air, and by whose word. See document_tables.h. */
#include "playlists/document_tables.h"

#include <string.h>

/* --- approval, bulletin --- */

static int check_approval(const void *value, struct complaint *why)
{
    const struct approval *a = value;
    if (a->until_ms <= a->from_ms)
        return complain(why, ERR_FORMAT, "until_ms: is not after from_ms");
    return document_check_head(&a->head, why);
}

static const struct field approval_fields[] = {
    HEAD(approval),
    FORM(approval, "bulletin", bulletin, REQUIRED, FORM_HASH),
    TEXTS(approval, "areas", areas, REQUIRED, FORM_ID, 1, SCOPE_MAX),
    CHOICE(approval, "class", class, REQUIRED, air_class_names, CLASS_EMERGENCY),
    INT(approval, "from_ms", from_ms, REQUIRED, 0, TIME_MAX_MS),
    INT(approval, "until_ms", until_ms, REQUIRED, 1, TIME_MAX_MS),
};
DOCUMENT(approval, check_approval);

static const struct field media_ref_fields[] = {
    FORM(media_ref, "hash", hash, REQUIRED, FORM_HASH),
    INT(media_ref, "size", size, REQUIRED, 1, MEDIA_MAX),
    INT(media_ref, "frames", frames, REQUIRED, 1, FRAMES_MAX),
};
SHAPE(media_ref, NULL);

static int check_content(const void *value, struct complaint *why)
{
    const struct bulletin_content *content = value;
    if (!content->text && !content->audio)
        return complain(why, ERR_FORMAT, "text: is missing, and audio too; one of them must be there");
    return 0;
}

static const struct field bulletin_content_fields[] = {
    FORM(bulletin_content, "lang", lang, REQUIRED, FORM_LANG),
    TEXT(bulletin_content, "text", text, OPTIONAL, FORM_TEXT, 1, TEXT_MAX_BYTES),
    OBJECT(bulletin_content, "audio", audio, OPTIONAL, media_ref_shape),
};
SHAPE(bulletin_content, check_content);

static int check_bulletin(const void *value, struct complaint *why)
{
    const struct bulletin *b = value;
    for (size_t i = 0; i < b->n_contents; i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(b->contents[i].lang, b->contents[j].lang) == 0)
                return complain(why, ERR_FORMAT, "contents[%zu].lang: is \"%s\" a second time, each may stand once", i,
                                b->contents[i].lang);
    return 0;
}

static const struct field bulletin_fields[] = {
    FORM(bulletin, "id", id, REQUIRED, FORM_ID),
    INT(bulletin, "revision", revision, REQUIRED, 1, CODEC_INT_MAX),
    TEXT(bulletin, "title", title, REQUIRED, FORM_LINE, 1, LINE_MAX_BYTES),
    TEXT(bulletin, "category", category, REQUIRED, FORM_LINE, 1, 100),
    TEXT(bulletin, "source", source, OPTIONAL, FORM_LINE, 1, NAME_MAX_BYTES),
    TEXT(bulletin, "answerable", answerable, REQUIRED, FORM_LINE, 1, NAME_MAX_BYTES),
    FORM(bulletin, "unit", unit, REQUIRED, FORM_ID),
    CHOICE(bulletin, "class", class, REQUIRED, air_class_names, CLASS_EMERGENCY),
    LIST(bulletin, "contents", contents, REQUIRED, bulletin_content_shape, 1, 16),
};
DOCUMENT(bulletin, check_bulletin);
