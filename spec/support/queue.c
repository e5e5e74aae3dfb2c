/* queue.c -- declare, basic.get until it is empty, delete. */
#include "queue.h"

#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <stdint.h>
#include <stdlib.h>

#define CHANNEL 1
#define WAIT_S 60  /* for each answer of the broker */
#define WINDOW 200 /* how many basic.get are on the way at once */

bool queue_broker(struct login *settings, int *port, struct err *err)
{
    const char *number = getenv("PIGEON_PORT");

    *settings = (struct login){.virtual_host = getenv("PIGEON_VIRTUAL_HOST"),
                               .user = getenv("PIGEON_USER"),
                               .password = getenv("PIGEON_PASSWORD"),
                               .connection_name = "pigeon spec"};
    *port = number ? atoi(number) : 0;
    return (*port && settings->virtual_host && settings->user && settings->password) ||
           err_set(err, CAUSE_OTHER,
                   "PIGEON_* is not set: eval \"$(bin/rabbitmq env)\" sets it");
}

static bool check(amqp_rpc_reply_t reply, const char *what, struct err *err)
{
    if (reply.reply_type == AMQP_RESPONSE_NORMAL)
        return true;
    if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION)
        return err_set(err, CAUSE_OTHER, "%s: %s", what,
                       amqp_error_string2(reply.library_error));
    return err_set(err, CAUSE_OTHER, "%s: the broker refused it", what);
}

/* NULL: err. */
static amqp_connection_state_t log_in(struct err *err)
{
    amqp_connection_state_t connection = amqp_new_connection();
    amqp_socket_t *socket = amqp_tcp_socket_new(connection);
    const struct timeval wait = {.tv_sec = WAIT_S};
    struct login s;
    bool ok;
    int port;

    amqp_set_rpc_timeout(connection, &wait);
    amqp_set_handshake_timeout(connection, &wait);
    ok = queue_broker(&s, &port, err) &&
         (amqp_socket_open_noblock(socket, "127.0.0.1", port, &wait) == 0 ||
          err_set(err, CAUSE_OTHER, "no connection to the broker on port %d", port)) &&
         check(amqp_login(connection, s.virtual_host, 1, 131072, 0,
                          AMQP_SASL_METHOD_PLAIN, s.user, s.password),
               "login", err);
    if (ok) {
        amqp_channel_open(connection, CHANNEL);
        ok = check(amqp_get_rpc_reply(connection), "channel", err);
    }
    if (ok)
        return connection;
    amqp_destroy_connection(connection);
    return NULL;
}

static void log_out(amqp_connection_state_t connection)
{
    amqp_connection_close(connection, AMQP_REPLY_SUCCESS);
    amqp_destroy_connection(connection);
}

bool queue_declare(const char *name, struct err *err)
{
    amqp_connection_state_t connection = log_in(err);
    bool ok;

    if (!connection)
        return false;
    amqp_queue_declare(connection, CHANNEL, amqp_cstring_bytes(name), false,
                       false /* durable */, false, false, amqp_empty_table);
    ok = check(amqp_get_rpc_reply(connection), name, err);
    log_out(connection);
    return ok;
}

bool queue_delete(const char *name, struct err *err)
{
    amqp_connection_state_t connection = log_in(err);
    bool ok;

    if (!connection)
        return false;
    amqp_queue_delete(connection, CHANNEL, amqp_cstring_bytes(name), false, false);
    ok = check(amqp_get_rpc_reply(connection), name, err);
    log_out(connection);
    return ok;
}

/* The answer to one basic.get. */
static bool take_one(amqp_connection_state_t connection,
                     void (*each)(void *, const char *, size_t), void *context,
                     bool *empty, struct err *err)
{
    const struct timeval wait = {.tv_sec = WAIT_S};
    amqp_message_t message;
    amqp_frame_t frame;
    int status = amqp_simple_wait_frame_noblock(connection, &frame, &wait);

    if (status != AMQP_STATUS_OK)
        return err_set(err, CAUSE_OTHER, "basic.get: %s", amqp_error_string2(status));
    if (frame.frame_type == AMQP_FRAME_METHOD &&
        frame.payload.method.id == AMQP_BASIC_GET_EMPTY_METHOD) {
        *empty = true;
        return true;
    }
    if (frame.frame_type != AMQP_FRAME_METHOD ||
        frame.payload.method.id != AMQP_BASIC_GET_OK_METHOD)
        return err_set(err, CAUSE_OTHER, "basic.get: an unexpected answer");
    if (!check(amqp_read_message(connection, CHANNEL, &message, 0), "basic.get", err))
        return false;
    each(context, message.body.bytes, message.body.len);
    amqp_destroy_message(&message);
    return true;
}

bool queue_take(const char *name, void (*each)(void *, const char *, size_t),
                void *context, struct err *err)
{
    amqp_connection_state_t connection = log_in(err);
    amqp_basic_get_t get = {.queue = amqp_cstring_bytes(name), .no_ack = true};
    bool empty = false;
    bool ok = connection != NULL;

    while (ok && !empty) {
        for (int i = 0; i < WINDOW; i++)
            amqp_send_method(connection, CHANNEL, AMQP_BASIC_GET_METHOD, &get);
        for (int i = 0; ok && i < WINDOW; i++)
            ok = take_one(connection, each, context, &empty, err);
        amqp_maybe_release_buffers(connection);
    }
    if (connection)
        log_out(connection);
    return ok;
}
