/* returned.h -- a basic.return put together from its frames; pure. confirms_return()
 * matches it to its message.
 *
 * The broker sends the method, then a header, then the body in pieces, and other frames
 * of the channel only after them. Plain data with copies of its own; valid when zeroed.
 */
#ifndef PIGEON_AMQP_RETURNED_H
#define PIGEON_AMQP_RETURNED_H

#include <stdbool.h>
#include <stdint.h>

#include "outbox.h"

struct name {
    char data[256];
    size_t len;
};

struct returned {
    enum { RETURNED_NOTHING, RETURNED_METHOD, RETURNED_BODY, RETURNED_WHOLE } state;
    int code;
    struct name text, exchange, routing_key, message_id;
    uint64_t body_left;
};

/* Each takes one frame. False: the frame is not allowed here, or a name is over 255
 * bytes, and the stream cannot be trusted any more. */
bool returned_method(struct returned *returned, int code, struct bytes text,
                     struct bytes exchange, struct bytes routing_key);
bool returned_header(struct returned *returned, struct bytes message_id,
                     uint64_t body_size);
bool returned_body(struct returned *returned, uint64_t size);

/* Whether a return has begun and its frames are not all there. */
bool returned_open(const struct returned *returned);

#endif
