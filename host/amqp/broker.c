/* broker.c -- a batch on one connection: publish in a window, read what comes, until
 * every message is settled.
 *
 * Two traps of rabbitmq-c 0.11 shape it: a publish may block for ever
 * (https://github.com/alanxz/rabbitmq-c/issues/519), so the guard shuts the socket at the
 * deadline; and after two heartbeats of silence a publish waits for one (the same,
 * issues/788), so a connection that was silent for one is not used again. */
#include "amqp/broker.h"

#include <amqp.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "amqp/channel.h"
#include "amqp/connection.h"
#include "net/connector.h"
#include "net/guard.h"

#define CLOSE_MS 200  /* for a polite end: Lambda kills 300 or 500 ms after SIGTERM */
#define DRAIN_MS 200  /* for what came since the last batch, however much it is */
#define ROOM 4096     /* bytes that surely fit where a socket says it takes some */
#define FRAMES 256    /* bytes of a publish, without what it says */
#define QUIET_MS 1000 /* without a frame: then a heartbeat is sent */

struct broker {
    struct connection connection;
    struct channel channel;
    unsigned silence_ms; /* what connector_notice_silence() set */
    bool gathering;      /* what connector_gather() set */
    /* Bytes that may be sent before the socket is asked again: a poll for each message
     * would take 4 % more CPU of a batch, 1 % of a lone event. */
    size_t room;
};

/* ------------------------------------------------------------- a batch */

/* False: the broker takes no messages (connection.blocked). */
static bool may_publish(const struct broker *broker, struct err *err)
{
    if (broker->channel.blocked)
        *err = broker->channel.blocked_by;
    return !broker->channel.blocked;
}

/* Reads what comes while the socket does not take more: two ends that both only write
 * would wait for each other. */
static bool wait_for_room(struct broker *broker, const struct message *message,
                          const struct deadline *deadline, struct err *err)
{
    struct pollfd ready = {.fd = broker->connection.fd, .events = POLLIN | POLLOUT};
    size_t size = FRAMES + message->exchange.len + message->routing_key.len +
                  message->message_id.len + message->body.len;

    size = size < ROOM ? size : ROOM;
    while (broker->room < size) {
        int n = poll(&ready, 1, (int)deadline_left_ms(deadline));

        if (n < 0 && errno != EINTR)
            return err_set_at(err, CAUSE_BROKER, "publish", 0, "%s", strerror(errno));
        if (n == 0 && deadline_left_ms(deadline) == 0)
            return connection_fail(&broker->connection, err, "publish",
                                   AMQP_STATUS_TIMEOUT);
        if (n > 0 && (ready.revents & ~POLLOUT) &&
            (!channel_drain(&broker->channel, err) || !may_publish(broker, err)))
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

static bool publish(struct broker *broker, size_t number, struct err *err)
{
    const struct outbox *outbox = broker->channel.confirms.outbox;
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
    struct err close = {0};
    int status;

    if (outbox->rules_version) {
        version = connection_text("rules_version", outbox->rules_version);
        properties._flags |= AMQP_BASIC_HEADERS_FLAG;
        properties.headers = (amqp_table_t){.num_entries = 1, .entries = &version};
    }
    confirms_publish(&broker->channel.confirms, number);
    errno = 0;
    status = amqp_basic_publish(
        broker->connection.amqp, CHANNEL, amqp_bytes_of(message->exchange),
        amqp_bytes_of(message->routing_key), 1 /* mandatory */, 0 /* immediate */,
        &properties, amqp_bytes_of(message->body));
    if (status == AMQP_STATUS_OK)
        return true;
    connection_fail(&broker->connection, err, "publish", status);
    /* the broker may have sent the reason before it closed */
    if (!channel_drain(&broker->channel, &close) && close.code != 0)
        *err = close;
    else
        may_publish(broker, err);
    return false;
}

/* Sends something that the broker's kernel has to acknowledge, so that TCP_USER_TIMEOUT
 * finds a flow that died in silence after the publish was acknowledged. Not where the
 * socket has no room: then there is unacknowledged data. */
static bool send_heartbeat(struct broker *broker, struct err *err)
{
    struct pollfd ready = {.fd = broker->connection.fd, .events = POLLOUT};
    const amqp_frame_t heartbeat = {.frame_type = AMQP_FRAME_HEARTBEAT};
    int status = AMQP_STATUS_OK;

    errno = 0;
    if (poll(&ready, 1, 0) == 1 && ready.revents == POLLOUT)
        status = amqp_send_frame(broker->connection.amqp, &heartbeat);
    return status == AMQP_STATUS_OK ||
           connection_fail(&broker->connection, err, "confirm", status);
}

/* Nothing came for a while. */
static bool stay_patient(struct broker *broker, const struct deadline *patience,
                         const struct deadline *deadline, struct err *err)
{
    bool quiet = clock_ms() - broker->channel.used_ms >= QUIET_MS;
    bool over = deadline_left_ms(deadline) == 0;

    if (!over && !(quiet && deadline_left_ms(patience) == 0))
        return !quiet || send_heartbeat(broker, err);
    connection_fail(&broker->connection, err, "confirm", AMQP_STATUS_TIMEOUT);
    err->silent = !over;
    return false;
}

/* Waits for one more frame, QUIET_MS at most. Behind a connection.blocked no further ones
 * are waited for, but those that have arrived are read: they may be acks. */
static bool read_more(struct broker *broker, const struct deadline *patience,
                      const struct deadline *deadline, struct err *err)
{
    struct deadline soon = deadline_within(deadline, QUIET_MS);
    enum channel_reading reading =
        channel_read(&broker->channel, deadline_left_ms(&soon), err);

    if (reading == CHANNEL_READ_BROKEN)
        return false;
    if (reading == CHANNEL_READ_NOTHING)
        return stay_patient(broker, patience, deadline, err);
    return !broker->channel.blocked ||
           (channel_drain(&broker->channel, err) &&
            (broker->channel.confirms.open == 0 || may_publish(broker, err)));
}

/* The first message of a batch leaves at once, those behind it in full packets, and the
 * last one before anything is waited for. A packet for each message would take 1 ms more
 * of a batch of 1,000, and 5 % more of the broker's CPU. */
static void gather(struct broker *broker, bool on)
{
    if (broker->gathering != on)
        connector_gather(broker->connection.fd, on);
    broker->gathering = on;
}

static bool send_batch(struct broker *broker, struct outbox *outbox,
                       const struct deadline *patience, const struct deadline *deadline,
                       struct err *err)
{
    bool ok = true;

    confirms_continue(&broker->channel.confirms, outbox);
    broker->channel.returned.state = RETURNED_NOTHING;
    connector_notice_silence(broker->connection.fd, deadline, &broker->silence_ms);
    for (size_t i = 0; ok && i < outbox->count; i++) {
        if (outbox->messages[i].fate != FATE_NONE)
            continue;
        if (confirms_full(&broker->channel.confirms))
            gather(broker, false);
        while (ok && confirms_full(&broker->channel.confirms))
            ok = read_more(broker, patience, deadline, err);
        if (broker->channel.confirms.open > 0)
            gather(broker, true);
        ok = ok && may_publish(broker, err) &&
             wait_for_room(broker, &outbox->messages[i], deadline, err) &&
             publish(broker, i, err);
    }
    gather(broker, false);
    while (ok && broker->channel.confirms.open > 0)
        ok = read_more(broker, patience, deadline, err);
    return ok;
}

/* ------------------------------------------------------------- public */

struct broker *broker_open(const struct login *login)
{
    struct broker *broker = calloc(1, sizeof(*broker));

    if (broker) {
        broker->connection.login = *login;
        broker->channel.connection = &broker->connection;
    }
    return broker;
}

void broker_log_in_as(struct broker *broker, const char *virtual_host, const char *user,
                      const char *password)
{
    broker->connection.login.virtual_host = virtual_host;
    broker->connection.login.user = user;
    broker->connection.login.password = password;
}

bool broker_connect(struct broker *broker, int fd, const char *tls_name,
                    const struct deadline *deadline, struct err *err)
{
    if (!connection_open(&broker->connection, fd, tls_name, deadline, err))
        return false;
    broker->channel.used_ms = clock_ms();
    broker->silence_ms = 0;
    broker->gathering = false;
    broker->room = 0;
    broker->channel.blocked = false;
    confirms_start(&broker->channel.confirms, NULL);
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
    struct err why;
    int64_t heartbeat_ms; /* of both sides */
    bool good;

    if (!broker->connection.amqp)
        return false;
    heartbeat_ms = (int64_t)amqp_get_heartbeat(broker->connection.amqp) * 1000;
    good = clock_ms() - broker->channel.used_ms <= heartbeat_ms;
    if (good && has_mail(broker)) {
        soon = deadline_in(DRAIN_MS);
        good = guard_start(broker->connection.fd, &soon, &why) &&
               channel_drain(&broker->channel, &why);
        guard_stop();
    }
    /* where it is still blocked, another node may take messages */
    if (!good || broker->channel.blocked)
        broker_drop(broker);
    return broker->connection.amqp != NULL;
}

bool broker_publish(struct broker *broker, struct outbox *outbox,
                    const struct deadline *patience, const struct deadline *deadline,
                    struct err *err)
{
    bool ok = guard_start(broker->connection.fd, deadline, err)
                  ? send_batch(broker, outbox, patience, deadline, err)
                  : err_at(err, "publish");

    guard_stop();
    if (!ok)
        broker_drop(broker);
    return ok;
}

bool broker_ask(struct broker *broker, const char *queue, const struct deadline *deadline,
                struct err *err)
{
    amqp_rpc_reply_t reply;

    if (!guard_start(broker->connection.fd, deadline, err))
        return err_at(err, "ask");
    errno = 0;
    amqp_queue_declare(broker->connection.amqp, CHANNEL, amqp_cstring_bytes(queue),
                       1 /* passive */, 0, 0, 0, amqp_empty_table);
    reply = amqp_get_rpc_reply(broker->connection.amqp);
    guard_stop();
    if (reply.reply_type == AMQP_RESPONSE_NORMAL)
        return true;
    if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION)
        connection_fail_closed(&broker->connection, err, "ask",
                               &reply.reply); /* the only exception here */
    else
        connection_fail(&broker->connection, err, "ask", reply.library_error);
    broker_drop(broker);
    return false;
}

void broker_hang_up(struct broker *broker, const struct deadline *deadline)
{
    struct deadline soon = deadline_within(deadline, CLOSE_MS);
    struct err err;

    if (broker->connection.amqp && guard_start(broker->connection.fd, &soon, &err))
        amqp_connection_close(broker->connection.amqp, AMQP_REPLY_SUCCESS);
    broker_drop(broker);
}

void broker_close(struct broker *broker)
{
    struct deadline soon = deadline_in(CLOSE_MS);

    if (!broker)
        return;
    broker_hang_up(broker, &soon);
    free(broker);
}
