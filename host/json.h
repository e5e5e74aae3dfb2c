/* json.h -- one text out of a JSON document: the only place that knows jansson.
 *
 * For what AWS answers. What was decoded is wiped before its memory is given back. */
#ifndef PIGEON_JSON_H
#define PIGEON_JSON_H

#include "buffer.h"

enum json_result {
    JSON_FOUND,
    JSON_BROKEN,  /* no JSON object, or one with a member twice */
    JSON_MISSING, /* it has no such member */
    JSON_NO_TEXT, /* the member is no string */
    JSON_NO_ROOM  /* in `text` */
};

/* Puts the string (it may have a NUL in it) that is the member `name` of the object into
 * `text`: of the object itself, or of its member `outer` where that is not NULL. */
enum json_result json_text(const struct buffer *json, const char *outer, const char *name,
                           struct buffer *text);

#endif
