/* broker.c -- the AMQP side: what a frame means, and a batch (publish in a window, read
 * what comes, until all is settled).
 *
 * Two traps of rabbitmq-c 0.11 shape it: a publish may block for ever
 * (https://github.com/alanxz/rabbitmq-c/issues/519), so the guard shuts the socket at the
 * deadline; and so may a publish after a long silence (the same, issues/788), so the
 * socket is drained before each batch. */
#include "amqp/broker.h"

#include <amqp.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "amqp/confirms.h"
#include "amqp/connection.h"
#include "amqp/returned.h"
#include "net/connector.h"
#include "net/guard.h"

#define CLOSE_MS 500 /* for a polite end */
#define DRAIN_MS 200 /* for what came since the last batch, however much it is */
#define ROOM 4096    /* bytes that surely fit where a socket says it takes some */
#define FRAMES 256   /* bytes of a publish, without what it says */

struct broker {
    struct connection connection;
    int64_t used_ms;     /* when it last showed that it works, clock_ms() */
    unsigned silence_ms; /* what connector_notice_silence() set */
    size_t room;         /* bytes that may be sent before the socket is asked again */
    struct confirms confirms;
    struct returned returned;
};

/* ------------------------------------------------------------- frames */

static struct bytes bytes_of(amqp_bytes_t bytes)
{
    return (struct bytes){.data = bytes.bytes, .len = bytes.len};
}

static bool return_message(struct broker *broker, struct failure *failure)
{
    const struct returned *r = &broker->returned;
    struct failure words;
    struct err err = {0};

    failure_set(&words, "publish", r->code, "%s", r->text.data);
    return confirms_return(&broker->confirms,
                           (struct bytes){r->exchange.data, r->exchange.len},
                           (struct bytes){r->routing_key.data, r->routing_key.len},
                           (struct bytes){r->message_id.data, r->message_id.len}, r->code,
                           words.text, &err) ||
           failure_set(failure, "confirm", 0, "%s", err.text);
}

static bool take_header(struct returned *returned, const amqp_frame_t *frame)
{
    const amqp_basic_properties_t *properties = frame->payload.properties.decoded;
    struct bytes message_id = {"", 0};

    if (frame->payload.properties.class_id != AMQP_BASIC_CLASS)
        return false; /* and what was decoded is another struct */
    if (properties->_flags & AMQP_BASIC_MESSAGE_ID_FLAG)
        message_id = bytes_of(properties->message_id);
    return returned_header(returned, message_id, frame->payload.properties.body_size);
}

/* A frame of a returned message's header or body. */
static bool take_content(struct broker *broker, const amqp_frame_t *frame,
                         struct failure *failure)
{
    struct returned *returned = &broker->returned;
    bool ok = frame->frame_type == AMQP_FRAME_HEADER
                  ? take_header(returned, frame)
                  : returned_body(returned, frame->payload.body_fragment.len);

    if (!ok)
        return failure_set(failure, "confirm", 0,
                           "the broker sent a content frame that belongs nowhere");
    return returned_open(returned) || return_message(broker, failure);
}

static bool settle(struct broker *broker, uint64_t tag, bool multiple, enum fate fate,
                   struct failure *failure)
{
    struct err err;

    return confirms_settle(&broker->confirms, tag, multiple, fate, &err) ||
           failure_set(failure, "confirm", 0, "%s", err.text);
}

/* One method frame. False: the connection is of no use any more. */
static bool take_method(struct broker *broker, const amqp_method_t *method,
                        struct failure *failure)
{
    amqp_connection_close_ok_t ok = {0}; /* empty, as the channel's is */

    if (returned_open(&broker->returned))
        return failure_set(failure, "confirm", 0,
                           "the broker broke off a returned message");
    switch (method->id) {
    case AMQP_BASIC_ACK_METHOD: {
        const amqp_basic_ack_t *ack = method->decoded;
        return settle(broker, ack->delivery_tag, ack->multiple, FATE_CONFIRMED, failure);
    }
    case AMQP_BASIC_NACK_METHOD: {
        const amqp_basic_nack_t *nack = method->decoded;
        return settle(broker, nack->delivery_tag, nack->multiple, FATE_NACKED, failure);
    }
    case AMQP_BASIC_RETURN_METHOD: {
        const amqp_basic_return_t *r = method->decoded;
        return returned_method(&broker->returned, r->reply_code, bytes_of(r->reply_text),
                               bytes_of(r->exchange), bytes_of(r->routing_key)) ||
               failure_set(failure, "confirm", 0, "a name of over 255 bytes");
    }
    case AMQP_CHANNEL_CLOSE_METHOD:
        connection_fail_closed(failure, "publish", method);
        amqp_send_method(broker->connection.amqp, CHANNEL, AMQP_CHANNEL_CLOSE_OK_METHOD,
                         &ok);
        return false;
    case AMQP_CONNECTION_CLOSE_METHOD:
        connection_fail_closed(failure, "confirm", method);
        amqp_send_method(broker->connection.amqp, 0, AMQP_CONNECTION_CLOSE_OK_METHOD,
                         &ok);
        return false;
    case AMQP_CONNECTION_BLOCKED_METHOD:
        return connection_fail_blocked(failure, method);
    default: /* unblocked, cancel, flow: nothing that a publisher has to answer */
        return true;
    }
}

enum reading { READ_FRAME, READ_NOTHING, READ_BROKEN };

/* Waits at most `ms` for one frame and acts on it. */
static enum reading read_frame(struct broker *broker, int64_t ms, struct failure *failure)
{
    struct timeval wait = connection_wait(ms);
    amqp_frame_t frame;
    bool good;
    int status;

    errno = 0;
    status = amqp_simple_wait_frame_noblock(broker->connection.amqp, &frame, &wait);
    if (status == AMQP_STATUS_TIMEOUT && !guard_fired())
        return READ_NOTHING;
    if (status != AMQP_STATUS_OK) {
        connection_fail(&broker->connection, failure, "confirm", status);
        return READ_BROKEN;
    }
    good = frame.frame_type == AMQP_FRAME_METHOD
               ? take_method(broker, &frame.payload.method, failure)
               : take_content(broker, &frame, failure);
    if (!good)
        return READ_BROKEN;
    broker->used_ms = clock_ms();
    amqp_maybe_release_buffers(broker->connection.amqp);
    return READ_FRAME;
}

/* Acts on all that has already arrived. */
static bool drain(struct broker *broker, struct failure *failure)
{
    enum reading reading;

    do
        reading = read_frame(broker, 0, failure);
    while (reading == READ_FRAME);
    return reading == READ_NOTHING;
}

/* ------------------------------------------------------------- a batch */

/* Reads what comes while the socket does not take more: two ends that both only write
 * would wait for each other. */
static bool wait_for_room(struct broker *broker, const struct message *message,
                          const struct deadline *deadline, struct failure *failure)
{
    struct pollfd ready = {.fd = broker->connection.fd, .events = POLLIN | POLLOUT};
    size_t size = FRAMES + message->exchange.len + message->routing_key.len +
                  message->message_id.len + message->body.len;

    size = size < ROOM ? size : ROOM;
    while (broker->room < size) {
        int n = poll(&ready, 1, (int)deadline_left_ms(deadline));

        if (n < 0 && errno != EINTR)
            return failure_set(failure, "publish", 0, "%s", strerror(errno));
        if (n == 0 && deadline_left_ms(deadline) == 0)
            return connection_fail(&broker->connection, failure, "publish",
                                   AMQP_STATUS_TIMEOUT);
        if (n > 0 && (ready.revents & ~POLLOUT) && !drain(broker, failure))
            return false;
        if (n > 0 && (ready.revents & POLLOUT))
            broker->room = ROOM;
    }
    broker->room -= size;
    return true;
}

static amqp_bytes_t amqp_bytes_of(struct bytes bytes)
{
    return (amqp_bytes_t){.len = bytes.len, .bytes = (void *)(uintptr_t)bytes.data};
}

static bool publish(struct broker *broker, size_t number, struct failure *failure)
{
    const struct outbox *outbox = broker->confirms.outbox;
    const struct message *message = &outbox->messages[number];
    amqp_table_entry_t version; /* on the stack: rabbitmq-c writes it into its buffer */
    amqp_basic_properties_t properties = {
        ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG |
                  AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_TIMESTAMP_FLAG |
                  AMQP_BASIC_APP_ID_FLAG,
        .content_type = amqp_cstring_bytes("text/plain"),
        .delivery_mode = AMQP_DELIVERY_PERSISTENT,
        .message_id = amqp_bytes_of(message->message_id),
        .timestamp = (uint64_t)time(NULL),
        .app_id = amqp_cstring_bytes("pigeon"),
    };
    struct failure close = {0};
    int status;

    if (outbox->rules_version) {
        version = connection_text("rules_version", outbox->rules_version);
        properties._flags |= AMQP_BASIC_HEADERS_FLAG;
        properties.headers = (amqp_table_t){.num_entries = 1, .entries = &version};
    }
    confirms_publish(&broker->confirms, number);
    errno = 0;
    status = amqp_basic_publish(
        broker->connection.amqp, CHANNEL, amqp_bytes_of(message->exchange),
        amqp_bytes_of(message->routing_key), 1 /* mandatory */, 0 /* immediate */,
        &properties, amqp_bytes_of(message->body));
    if (status == AMQP_STATUS_OK)
        return true;
    connection_fail(&broker->connection, failure, "publish", status);
    if (!drain(broker, &close) && (close.code != 0 || close.final))
        *failure = close; /* the broker had said why before it went */
    return false;
}

/* Waits for one frame more. */
static bool read_more(struct broker *broker, const struct deadline *deadline,
                      struct failure *failure)
{
    enum reading reading = read_frame(broker, deadline_left_ms(deadline), failure);

    if (reading == READ_NOTHING && deadline_left_ms(deadline) == 0)
        return connection_fail(&broker->connection, failure, "confirm",
                               AMQP_STATUS_TIMEOUT);
    return reading != READ_BROKEN;
}

static bool send_batch(struct broker *broker, struct outbox *outbox,
                       const struct deadline *deadline, struct failure *failure)
{
    bool ok = true;

    confirms_continue(&broker->confirms, outbox);
    broker->returned.state = RETURNED_NOTHING;
    connector_notice_silence(broker->connection.fd, deadline, &broker->silence_ms);
    for (size_t i = 0; ok && i < outbox->count; i++) {
        if (outbox->messages[i].fate != FATE_NONE)
            continue;
        while (ok && confirms_full(&broker->confirms))
            ok = read_more(broker, deadline, failure);
        ok = ok && wait_for_room(broker, &outbox->messages[i], deadline, failure) &&
             publish(broker, i, failure);
    }
    while (ok && broker->confirms.open > 0)
        ok = read_more(broker, deadline, failure);
    return ok;
}

/* ------------------------------------------------------------- public */

struct broker *broker_open(const struct broker_settings *settings)
{
    struct broker *broker = calloc(1, sizeof(*broker));

    if (broker) {
        broker->connection.settings = *settings;
        broker->connection.greeted = -1;
    }
    return broker;
}

void broker_log_in_as(struct broker *broker, const char *virtual_host, const char *user,
                      const char *password)
{
    broker->connection.settings.virtual_host = virtual_host;
    broker->connection.settings.user = user;
    broker->connection.settings.password = password;
}

void broker_greet(struct broker *broker, int fd)
{
    connection_greet(&broker->connection, fd);
}

bool broker_connect(struct broker *broker, int fd, const char *tls_name,
                    const struct deadline *deadline, struct failure *failure)
{
    if (!connection_open(&broker->connection, fd, tls_name, deadline, failure))
        return false;
    broker->used_ms = clock_ms();
    broker->silence_ms = 0;
    broker->room = 0;
    confirms_start(&broker->confirms, NULL);
    return true;
}

const char *broker_tls(const struct broker *broker)
{
    return broker->connection.amqp && broker->connection.secure
               ? broker->connection.tls.version
               : NULL;
}

void broker_drop(struct broker *broker)
{
    connection_drop(&broker->connection);
}

/* Whether something came since the last batch; TLS may have read it from the socket.
 * Finds out, too, whether the socket has room. */
static bool has_mail(struct broker *broker)
{
    struct pollfd ready = {.fd = broker->connection.fd, .events = POLLIN | POLLOUT};
    int n = poll(&ready, 1, 0);

    broker->room = n == 1 && ready.revents == POLLOUT ? ROOM : 0;
    return broker->connection.secure || ready.revents & ~POLLOUT ||
           amqp_frames_enqueued(broker->connection.amqp) ||
           amqp_data_in_buffer(broker->connection.amqp);
}

bool broker_connected(struct broker *broker)
{
    struct deadline soon;
    struct failure why;
    struct err err;

    if (!broker->connection.amqp)
        return false;
    if (clock_ms() - broker->used_ms > HEARTBEAT_S * 1000)
        broker_drop(broker);
    else if (has_mail(broker)) {
        soon = deadline_in(DRAIN_MS);
        if (!guard_start(broker->connection.fd, &soon, &err) || !drain(broker, &why))
            broker_drop(broker);
        guard_stop();
    }
    return broker->connection.amqp != NULL;
}

bool broker_publish(struct broker *broker, struct outbox *outbox,
                    const struct deadline *deadline, struct failure *failure)
{
    struct err err;
    bool ok = guard_start(broker->connection.fd, deadline, &err)
                  ? send_batch(broker, outbox, deadline, failure)
                  : failure_set(failure, "publish", 0, "%s", err.text);

    guard_stop();
    if (!ok)
        broker_drop(broker);
    return ok;
}

static bool fail_reply(struct broker *broker, struct failure *failure, const char *stage,
                       amqp_rpc_reply_t reply)
{
    if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION)
        return connection_fail_closed(failure, stage,
                                      &reply.reply); /* it is nothing else */
    return connection_fail(&broker->connection, failure, stage, reply.library_error);
}

bool broker_ask(struct broker *broker, const char *queue, const struct deadline *deadline,
                struct failure *failure)
{
    struct err err;
    amqp_rpc_reply_t reply;

    if (!guard_start(broker->connection.fd, deadline, &err))
        return failure_set(failure, "ask", 0, "%s", err.text);
    errno = 0;
    amqp_queue_declare(broker->connection.amqp, CHANNEL, amqp_cstring_bytes(queue),
                       1 /* passive */, 0, 0, 0, amqp_empty_table);
    reply = amqp_get_rpc_reply(broker->connection.amqp);
    guard_stop();
    if (reply.reply_type == AMQP_RESPONSE_NORMAL)
        return true;
    fail_reply(broker, failure, "ask", reply);
    broker_drop(broker);
    return false;
}

void broker_close(struct broker *broker)
{
    struct deadline soon = deadline_in(CLOSE_MS);
    struct err err;

    if (!broker)
        return;
    if (broker->connection.amqp && guard_start(broker->connection.fd, &soon, &err))
        amqp_connection_close(broker->connection.amqp, AMQP_REPLY_SUCCESS);
    broker_drop(broker);
    free(broker);
}
