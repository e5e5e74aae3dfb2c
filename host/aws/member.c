/* member.c -- jansson, as strict as it can be. */
#include "aws/member.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/wipe.h"

static enum member_result find(const json_t *object, const char *name,
                               struct buffer *text)
{
    const json_t *member = json_object_get(object, name);

    if (!member)
        return MEMBER_MISSING;
    if (!json_is_string(member))
        return MEMBER_NO_TEXT;
    buffer_clear(text);
    if (!buffer_append(text, json_string_value(member), json_string_length(member)))
        return MEMBER_NO_ROOM;
    return MEMBER_FOUND;
}

enum member_result member_text(const struct buffer *json, const char *outer,
                               const char *name, struct buffer *text)
{
    enum member_result result = MEMBER_BROKEN;
    json_t *root;

    json_set_alloc_funcs(malloc, wipe_free);
    root = json_loadb(json->data ? json->data : "", json->len,
                      JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    if (json_is_object(root))
        result = find(outer ? json_object_get(root, outer) : root, name, text);
    json_decref(root);
    return result;
}
