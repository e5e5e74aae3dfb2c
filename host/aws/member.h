/* member.h -- one string out of a JSON document: the only place that knows jansson.
 *
 * For the answers of AWS. Decoded bytes are wiped before their memory is freed. */
#ifndef PIGEON_AWS_MEMBER_H
#define PIGEON_AWS_MEMBER_H

#include "base/buffer.h"

enum member_result {
    MEMBER_FOUND,
    MEMBER_BROKEN,  /* not a JSON object, or one with a member twice */
    MEMBER_MISSING, /* no such member */
    MEMBER_NO_TEXT, /* the member is not a string */
    MEMBER_NO_ROOM  /* in `text` */
};

/* Puts the string (it may have a NUL in it) that is the member `name` of the object into
 * `text`: of the object itself, or of its member `outer` where that is not NULL. */
enum member_result member_text(const struct buffer *json, const char *outer,
                               const char *name, struct buffer *text);

#endif
