/* outbox.c -- a growing list of messages; knows neither Lua nor AMQP.
 *
 * The four strings of a message lie in one block, each with a NUL behind it; the
 * exchange is the first, so its pointer is the block's. */
#include "outbox.h"

#include <stdlib.h>
#include <string.h>

static struct bytes place(char **at, struct bytes from)
{
    struct bytes to = {.data = *at, .len = from.len};

    if (from.len > 0)
        memcpy(*at, from.data, from.len);
    (*at)[from.len] = '\0';
    *at += from.len + 1;
    return to;
}

static bool reserve_one(struct outbox *outbox)
{
    size_t capacity = outbox->capacity ? outbox->capacity * 2 : 4;
    struct message *grown;

    if (outbox->count < outbox->capacity)
        return true;
    grown = reallocarray(outbox->messages, capacity, sizeof(*grown));
    if (!grown)
        return false;
    outbox->messages = grown;
    outbox->capacity = capacity;
    return true;
}

bool outbox_add(struct outbox *outbox, struct bytes exchange, struct bytes routing_key,
                struct bytes message_id, struct bytes body)
{
    struct message message = {.fate = FATE_NONE};
    char *at;

    if (!reserve_one(outbox))
        return false;
    at = malloc(exchange.len + routing_key.len + message_id.len + body.len + 4);
    if (!at)
        return false;
    message.exchange = place(&at, exchange);
    message.routing_key = place(&at, routing_key);
    message.message_id = place(&at, message_id);
    message.body = place(&at, body);
    outbox->messages[outbox->count++] = message;
    return true;
}

void outbox_settle(struct message *message, enum fate fate, const char *stage, int code,
                   const char *text)
{
    char *copy = text ? strdup(text) : NULL; /* without memory: a fate without words */

    free(message->text); /* after the copy: text may be the old one */
    message->text = copy;
    message->lasting = false;
    message->fate = fate;
    message->stage = stage;
    message->code = code;
}

const char *fate_name(enum fate fate)
{
    static const char *const names[] = {[FATE_NONE] = "none",
                                        [FATE_CONFIRMED] = "confirmed",
                                        [FATE_RETURNED] = "returned",
                                        [FATE_NACKED] = "nacked",
                                        [FATE_UNKNOWN] = "unknown"};

    return names[fate];
}

void outbox_truncate(struct outbox *outbox, size_t count)
{
    struct message *message;

    while (outbox->count > count) {
        message = &outbox->messages[--outbox->count];
        free((char *)message->exchange.data);
        free(message->text);
    }
}

void outbox_clear(struct outbox *outbox)
{
    outbox_truncate(outbox, 0);
    free(outbox->messages);
    *outbox = (struct outbox){0};
}
