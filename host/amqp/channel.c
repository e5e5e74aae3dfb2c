/* channel.c -- what each frame of the broker means for the messages under way. */
#include "amqp/channel.h"

#include <amqp.h>
#include <errno.h>
#include <string.h>

#include "net/guard.h"

#define NO_ROUTE 312 /* AMQP: no queue for a mandatory message */

static struct bytes bytes_of(amqp_bytes_t bytes)
{
    return (struct bytes){.data = bytes.bytes, .len = bytes.len};
}

/* What no broker sends. */
static bool fail(struct err *err, const char *words)
{
    return err_set_at(err, CAUSE_BROKER, "confirm", 0, "%s", words);
}

static bool return_message(struct channel *channel, struct err *err)
{
    const struct returned *r = &channel->returned;
    struct err words;

    err_set(&words, r->code == NO_ROUTE ? CAUSE_NO_ROUTE : CAUSE_BROKER, "%s",
            r->text.data);
    err_advise(&words);
    return confirms_return(
        &channel->confirms, (struct bytes){r->exchange.data, r->exchange.len},
        (struct bytes){r->routing_key.data, r->routing_key.len},
        (struct bytes){r->message_id.data, r->message_id.len}, r->code, words.text, err);
}

static bool take_header(struct returned *returned, const amqp_frame_t *frame)
{
    const amqp_basic_properties_t *properties = frame->payload.properties.decoded;
    struct bytes message_id = {"", 0};

    if (frame->payload.properties.class_id != AMQP_BASIC_CLASS)
        return false; /* then `decoded` is another struct */
    if (properties->_flags & AMQP_BASIC_MESSAGE_ID_FLAG)
        message_id = bytes_of(properties->message_id);
    return returned_header(returned, message_id, frame->payload.properties.body_size);
}

/* A frame of a returned message's header or body. */
static bool take_content(struct channel *channel, const amqp_frame_t *frame,
                         struct err *err)
{
    struct returned *returned = &channel->returned;
    bool ok = frame->frame_type == AMQP_FRAME_HEADER
                  ? take_header(returned, frame)
                  : returned_body(returned, frame->payload.body_fragment.len);

    if (!ok)
        return fail(err, "the broker sent a content frame without a publish or return");
    return returned_open(returned) || return_message(channel, err);
}

/* One method frame. False: the connection cannot be used any more. */
static bool take_method(struct channel *channel, const amqp_method_t *method,
                        struct err *err)
{
    amqp_connection_close_ok_t ok = {0}; /* empty, as channel.close-ok is */

    if (returned_open(&channel->returned))
        return fail(err, "the broker sent only a part of a returned message");
    switch (method->id) {
    case AMQP_BASIC_ACK_METHOD: {
        const amqp_basic_ack_t *ack = method->decoded;
        return confirms_settle(&channel->confirms, ack->delivery_tag, ack->multiple,
                               FATE_CONFIRMED, err);
    }
    case AMQP_BASIC_NACK_METHOD: {
        const amqp_basic_nack_t *nack = method->decoded;
        return confirms_settle(&channel->confirms, nack->delivery_tag, nack->multiple,
                               FATE_NACKED, err);
    }
    case AMQP_BASIC_RETURN_METHOD: {
        const amqp_basic_return_t *r = method->decoded;
        return returned_method(&channel->returned, r->reply_code, bytes_of(r->reply_text),
                               bytes_of(r->exchange), bytes_of(r->routing_key)) ||
               fail(err, "a name of over 255 bytes");
    }
    case AMQP_CHANNEL_CLOSE_METHOD:
        connection_fail_closed(channel->connection, err, "publish", method);
        amqp_send_method(channel->connection->amqp, CHANNEL, AMQP_CHANNEL_CLOSE_OK_METHOD,
                         &ok);
        return false;
    case AMQP_CONNECTION_CLOSE_METHOD:
        connection_fail_closed(channel->connection, err, "confirm", method);
        amqp_send_method(channel->connection->amqp, 0, AMQP_CONNECTION_CLOSE_OK_METHOD,
                         &ok);
        return false;
    case AMQP_CONNECTION_BLOCKED_METHOD:
        connection_fail_blocked(&channel->blocked_by, method);
        channel->blocked = true;
        return true;
    case AMQP_CONNECTION_UNBLOCKED_METHOD:
        channel->blocked = false;
        return true;
    default: /* cancel, flow: nothing that a publisher has to answer */
        return true;
    }
}

enum channel_reading channel_read(struct channel *channel, int64_t ms, struct err *err)
{
    struct timeval wait = connection_wait(ms);
    amqp_frame_t frame;
    bool good;
    int status;

    errno = 0;
    status = amqp_simple_wait_frame_noblock(channel->connection->amqp, &frame, &wait);
    if (status == AMQP_STATUS_TIMEOUT && !guard_fired())
        return CHANNEL_READ_NOTHING;
    if (status != AMQP_STATUS_OK) {
        connection_fail(channel->connection, err, "confirm", status);
        return CHANNEL_READ_BROKEN;
    }
    good = frame.frame_type == AMQP_FRAME_METHOD
               ? take_method(channel, &frame.payload.method, err)
               : take_content(channel, &frame, err);
    if (!good)
        return CHANNEL_READ_BROKEN;
    channel->used_ms = clock_ms();
    amqp_maybe_release_buffers(channel->connection->amqp);
    return CHANNEL_READ_FRAME;
}

bool channel_drain(struct channel *channel, struct err *err)
{
    enum channel_reading reading;

    do
        reading = channel_read(channel, 0, err);
    while (reading == CHANNEL_READ_FRAME);
    return reading == CHANNEL_READ_NOTHING;
}
