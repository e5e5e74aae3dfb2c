/* returned.c -- three states, and the frames allowed in each. */
#include "amqp/returned.h"

#include <string.h>

/* The rest of the name is zero, since returned_method(). */
static bool keep(struct name *name, struct bytes bytes)
{
    if (bytes.len >= sizeof(name->data))
        return false;
    if (bytes.len > 0)
        memcpy(name->data, bytes.data, bytes.len);
    name->len = bytes.len;
    return true;
}

bool returned_open(const struct returned *returned)
{
    return returned->state == RETURNED_METHOD || returned->state == RETURNED_BODY;
}

bool returned_method(struct returned *returned, int code, struct bytes text,
                     struct bytes exchange, struct bytes routing_key)
{
    if (returned_open(returned))
        return false;
    *returned = (struct returned){.state = RETURNED_METHOD, .code = code};
    return keep(&returned->text, text) && keep(&returned->exchange, exchange) &&
           keep(&returned->routing_key, routing_key);
}

bool returned_header(struct returned *returned, struct bytes message_id,
                     uint64_t body_size)
{
    if (returned->state != RETURNED_METHOD || !keep(&returned->message_id, message_id))
        return false;
    returned->body_left = body_size;
    returned->state = body_size > 0 ? RETURNED_BODY : RETURNED_WHOLE;
    return true;
}

bool returned_body(struct returned *returned, uint64_t size)
{
    if (returned->state != RETURNED_BODY || size > returned->body_left)
        return false;
    returned->body_left -= size;
    if (returned->body_left == 0)
        returned->state = RETURNED_WHOLE;
    return true;
}
