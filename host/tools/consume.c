/* consume.c -- RabbitMQ's queues from the other side: prints and empties them, counts,
 * declares.
 *
 * Follows the PIGEON_* variables as Pigeon does. A message is acknowledged after
 * printing, so a broken pipe loses none. */
#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/output.h"

static const char usage[] =
    "Usage: consume [--headers | --properties | --count-only | --declare | --delete]\n"
    "               [--] QUEUE...\n"
    "Prints \"item: BODY\" for each message in the queues and empties them.\n"
    "\n"
    "  --headers      prints each header after its message: \" NAME=VALUE\"\n"
    "  --properties   the same with the properties before them, and \"flags=\", AMQP's\n"
    "                 flags of all that it has, in hex\n"
    "  --count-only   prints \"QUEUE: N\" instead, and leaves the messages\n"
    "  --declare      makes durable queues, where they do not exist\n"
    "  --delete       deletes the queues with all that is in them\n"
    "\n"
    "The broker is the one of PIGEON_HOST, PIGEON_PORT, PIGEON_VIRTUAL_HOST,\n"
    "PIGEON_USER and PIGEON_PASSWORD, without TLS.\n"
    "Status: 0 all is well, 1 the broker refused something, 2 misuse.\n";

#define WAIT_S 30  /* for each answer of the broker */
#define WINDOW 200 /* how many basic.get are on the way at once */

enum action {
    ACTION_CONSUME, /* the first three print messages */
    ACTION_HEADERS,
    ACTION_PROPERTIES,
    ACTION_COUNT,
    ACTION_DECLARE,
    ACTION_DELETE
};

static const amqp_channel_t channel = 1;

/* The broker's text where it refused, otherwise the cause on the way to it. */
static bool check(amqp_rpc_reply_t reply, const char *what, struct err *err)
{
    amqp_channel_close_t *close =
        reply.reply.decoded; /* connection.close begins like it */

    if (reply.reply_type == AMQP_RESPONSE_NORMAL)
        return true;
    if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION)
        return err_set(err, CAUSE_OTHER, "%s: %s", what,
                       amqp_error_string2(reply.library_error));
    if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION && close)
        return err_set(err, CAUSE_OTHER, "%s: %d %.*s", what, close->reply_code,
                       (int)close->reply_text.len, (const char *)close->reply_text.bytes);
    return err_set(err, CAUSE_OTHER, "%s: the broker's answer cannot be understood",
                   what);
}

static const char *setting(const char *name, struct err *err)
{
    const char *value = getenv(name);

    if (!value || !*value)
        err_set(err, CAUSE_OTHER, "%s is not set", name);
    return value && *value ? value : NULL;
}

/* Connects to the first host of "a,b:5673" that answers. */
static bool open_socket(amqp_connection_state_t connection, const char *hosts, int port,
                        struct err *err)
{
    struct timeval wait = {.tv_sec = 5};
    amqp_socket_t *socket = amqp_tcp_socket_new(connection);
    char *copy = strdup(hosts), *left = copy, *host, *colon;
    int status = AMQP_STATUS_NO_MEMORY;

    while (socket && status != AMQP_STATUS_OK && (host = strsep(&left, ",")) != NULL) {
        host += strspn(host, " ");
        host[strcspn(host, " ")] = '\0';
        colon = strchr(host, ':');
        if (colon)
            *colon = '\0';
        status =
            amqp_socket_open_noblock(socket, host, colon ? atoi(colon + 1) : port, &wait);
    }
    free(copy);
    if (status != AMQP_STATUS_OK)
        return err_set(err, CAUSE_OTHER, "connect to %s: %s", hosts,
                       amqp_error_string2(status));
    return true;
}

static bool connect_broker(amqp_connection_state_t connection, struct err *err)
{
    const char *hosts = setting("PIGEON_HOST", err), *port = setting("PIGEON_PORT", err);
    const char *vhost = setting("PIGEON_VIRTUAL_HOST", err);
    const char *user = setting("PIGEON_USER", err);
    const char *password = setting("PIGEON_PASSWORD", err);
    struct timeval wait = {.tv_sec = WAIT_S};

    if (!hosts || !port || !vhost || !user || !password)
        return false;
    if (!open_socket(connection, hosts, atoi(port), err))
        return false;
    amqp_set_rpc_timeout(connection, &wait);
    if (!check(amqp_login(connection, vhost, 1, 131072, 0, AMQP_SASL_METHOD_PLAIN, user,
                          password),
               "login", err))
        return false;
    amqp_channel_open(connection, channel);
    return check(amqp_get_rpc_reply(connection), "channel", err);
}

static void print_headers(const amqp_table_t *headers)
{
    for (int i = 0; i < headers->num_entries; i++) {
        const amqp_table_entry_t *entry = &headers->entries[i];
        amqp_bytes_t value = entry->value.value.bytes;

        if (entry->value.kind == AMQP_FIELD_KIND_UTF8)
            printf(" %.*s=%.*s", (int)entry->key.len, (char *)entry->key.bytes,
                   (int)value.len, (char *)value.bytes);
    }
}

static void print_text(const char *name, amqp_bytes_t text)
{
    printf(" %s=%.*s", name, (int)text.len, (char *)text.bytes);
}

static void print_properties(const amqp_basic_properties_t *properties)
{
    amqp_flags_t flags = properties->_flags;

    printf(" flags=%04x", (unsigned)flags);
    if (flags & AMQP_BASIC_CONTENT_TYPE_FLAG)
        print_text("content_type", properties->content_type);
    if (flags & AMQP_BASIC_DELIVERY_MODE_FLAG)
        printf(" delivery_mode=%d", properties->delivery_mode);
    if (flags & AMQP_BASIC_MESSAGE_ID_FLAG)
        print_text("message_id", properties->message_id);
    if (flags & AMQP_BASIC_TIMESTAMP_FLAG)
        printf(" timestamp=%llu", (unsigned long long)properties->timestamp);
    if (flags & AMQP_BASIC_APP_ID_FLAG)
        print_text("app_id", properties->app_id);
}

static bool print_message(amqp_connection_state_t connection, enum action action,
                          struct err *err)
{
    amqp_message_t message;

    if (!check(amqp_read_message(connection, channel, &message, 0), "read", err))
        return false;
    fputs("item: ", stdout);
    if (message.body.len > 0)
        fwrite(message.body.bytes, 1, message.body.len, stdout);
    if (action == ACTION_PROPERTIES)
        print_properties(&message.properties);
    if (action != ACTION_CONSUME && message.properties._flags & AMQP_BASIC_HEADERS_FLAG)
        print_headers(&message.properties.headers);
    putchar('\n');
    amqp_destroy_message(&message);
    return true;
}

/* The answer to one basic.get. *tag is that of its message, and stays where there is
 * none. */
static bool read_get(amqp_connection_state_t connection, enum action action,
                     uint64_t *tag, bool *empty, struct err *err)
{
    struct timeval wait = {.tv_sec = WAIT_S};
    amqp_rpc_reply_t refused = {.reply_type = AMQP_RESPONSE_SERVER_EXCEPTION};
    amqp_frame_t frame;
    int status;

    do {
        status = amqp_simple_wait_frame_noblock(connection, &frame, &wait);
        if (status != AMQP_STATUS_OK)
            return err_set(err, CAUSE_OTHER, "basic.get: %s", amqp_error_string2(status));
    } while (frame.frame_type != AMQP_FRAME_METHOD);
    if (frame.payload.method.id == AMQP_BASIC_GET_EMPTY_METHOD) {
        *empty = true;
        return true;
    }
    refused.reply = frame.payload.method;
    if (frame.payload.method.id != AMQP_BASIC_GET_OK_METHOD)
        return check(refused, "basic.get", err);
    *tag = ((amqp_basic_get_ok_t *)frame.payload.method.decoded)->delivery_tag;
    return print_message(connection, action, err);
}

/* Empties a queue, WINDOW messages at a time: one by one, each would cost a round trip.
 */
static bool consume(amqp_connection_state_t connection, const char *queue,
                    enum action action, struct err *err)
{
    amqp_basic_get_t get = {.queue = amqp_cstring_bytes(queue)};
    bool empty = false;
    uint64_t tag;
    int i;

    while (!empty) {
        tag = 0;
        for (i = 0; i < WINDOW; i++)
            if (amqp_send_method(connection, channel, AMQP_BASIC_GET_METHOD, &get) != 0)
                return err_set(err, CAUSE_OTHER, "basic.get: the connection broke");
        for (i = 0; i < WINDOW; i++)
            if (!read_get(connection, action, &tag, &empty, err))
                return false;
        if (fflush(stdout) == EOF)
            return err_set(err, CAUSE_OTHER,
                           "stdout cannot be written; the last messages stay");
        if (tag > 0 && amqp_basic_ack(connection, channel, tag, true) != 0)
            return err_set(err, CAUSE_OTHER, "basic.ack: the connection broke");
        amqp_maybe_release_buffers(connection);
    }
    return true;
}

static bool act(amqp_connection_state_t connection, enum action action, const char *queue,
                struct err *err)
{
    amqp_bytes_t name = amqp_cstring_bytes(queue);
    amqp_queue_declare_ok_t *found = NULL;

    if (action <= ACTION_PROPERTIES)
        return consume(connection, queue, action, err);
    if (action == ACTION_DELETE)
        amqp_queue_delete(connection, channel, name, false, false);
    else
        found = amqp_queue_declare(connection, channel, name, action == ACTION_COUNT,
                                   true, false, false, amqp_empty_table);
    if (!check(amqp_get_rpc_reply(connection), "queue", err))
        return false;
    if (action == ACTION_COUNT &&
        (printf("%s: %u\n", queue, found->message_count) < 0 || fflush(stdout) == EOF))
        return err_set(err, CAUSE_OTHER, "stdout cannot be written");
    return true;
}

static bool read_options(int argc, char **argv, enum action *action)
{
    static const struct option options[] = {
        {"headers", no_argument, NULL, ACTION_HEADERS},
        {"properties", no_argument, NULL, ACTION_PROPERTIES},
        {"count-only", no_argument, NULL, ACTION_COUNT},
        {"declare", no_argument, NULL, ACTION_DECLARE},
        {"delete", no_argument, NULL, ACTION_DELETE},
        {NULL, 0, NULL, 0}};
    int option;

    while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
        if (option == '?' || *action != ACTION_CONSUME)
            return false;
        *action = (enum action)option;
    }
    for (int i = optind; i < argc; i++)
        if (argv[i][0] == '\0') { /* to a broker a new name, or the queue declared last */
            fputs("consume: a queue's name is empty; is a variable not set?\n\n", stderr);
            return false;
        }
    return optind < argc;
}

int main(int argc, char **argv)
{
    amqp_connection_state_t connection;
    enum action action = ACTION_CONSUME;
    struct err err = {0};
    bool ok;
    int i;

    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return output_print("consume", usage);
    if (!read_options(argc, argv, &action)) {
        fputs(usage, stderr);
        return 2;
    }
    connection = amqp_new_connection();
    ok = connect_broker(connection, &err);
    for (i = optind; ok && i < argc; i++)
        ok = act(connection, action, argv[i], &err) || err_wrap(&err, "%s", argv[i]);
    if (ok)
        amqp_connection_close(connection, AMQP_REPLY_SUCCESS);
    else
        fprintf(stderr, "consume: %s\n", err.text);
    amqp_destroy_connection(connection);
    return ok ? 0 : 1;
}
