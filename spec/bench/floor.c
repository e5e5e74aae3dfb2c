/* floor.c -- the least for the same work: `make bench` compares Pigeon with it.
 *
 * The exchange with the Runtime API over a raw socket, and a confirmed, mandatory,
 * persistent publish for each id, with the properties that Pigeon gives it. No JSON, no
 * Lua, no logs, no deadlines; whatever is not as expected ends it. The ids lie at fixed
 * places of the event:
 *
 *   floor OFFSET STRIDE COUNT [each]   the first one's, from one to the next, how many;
 *                                      each: connects again for each event
 *
 * It connects to the broker before it asks for the first event, as Pigeon does. */
#include <amqp.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "amqp/confirms.h"

#define CHANNEL 1
#define ID_BYTES 36

static char input[8 * 1024 * 1024];

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "floor: %s\n", what);
    exit(1);
}

/* ------------------------------------------------------------- the Runtime API */

static int connect_api(const char *api)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    const char *colon = strchr(api, ':');
    const int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    must(colon && strncmp(api, "127.0.0.1:", 10) == 0, "no Runtime API on loopback");
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)strtol(colon + 1, NULL, 10));
    must(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0, "connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

/* Sends a request and reads the answer; returns its body. */
static const char *call(int fd, const char *request)
{
    size_t len = strlen(request), used = 0, wanted = sizeof(input) - 1;
    const char *body = NULL, *length;
    ssize_t n;

    must(write(fd, request, len) == (ssize_t)len, "write");
    while (used < wanted) {
        n = read(fd, input + used, wanted - used);
        must(n > 0, "read");
        used += (size_t)n;
        input[used] = '\0';
        if (body)
            continue;
        body = strstr(input, "\r\n\r\n");
        length = strcasestr(input, "\r\nContent-Length: ");
        must(body && length, "an answer in pieces");
        body += 4;
        wanted = (size_t)(body - input) + strtoul(length + 18, NULL, 10);
        must(wanted < sizeof(input), "an answer that is too long");
    }
    return body;
}

/* ------------------------------------------------------------- the broker */

/* Which publishes wait for their confirm: tag modulo the window. */
static bool waiting[CONFIRMS_WINDOW];
static uint64_t next_tag = 1, first_waiting = 1;

#ifdef WITH_TLS /* floor_tls.c */
static amqp_socket_t *new_socket(amqp_connection_state_t connection)
{
    amqp_socket_t *socket = amqp_ssl_socket_new(connection);

    must(amqp_ssl_socket_set_cacert(socket, getenv("PIGEON_TLS_CA_FILE")) ==
             AMQP_STATUS_OK,
         "CAs");
    /* it knows no certificate for an address */
    amqp_ssl_socket_set_verify_hostname(socket, false);
    return socket;
}
#else
#define new_socket amqp_tcp_socket_new
#endif

static amqp_connection_state_t connect_broker(void)
{
    amqp_connection_state_t connection = amqp_new_connection();
    amqp_socket_t *socket = new_socket(connection);
    int port = (int)strtol(getenv("PIGEON_PORT"), NULL, 10);

    must(amqp_socket_open(socket, getenv("PIGEON_HOST"), port) == 0, "no broker");
    must(amqp_login(connection, getenv("PIGEON_VIRTUAL_HOST"), 1, 131072, 30,
                    AMQP_SASL_METHOD_PLAIN, getenv("PIGEON_USER"),
                    getenv("PIGEON_PASSWORD"))
                 .reply_type == AMQP_RESPONSE_NORMAL,
         "login");
    must(amqp_channel_open(connection, CHANNEL) != NULL, "channel.open");
    must(amqp_confirm_select(connection, CHANNEL) != NULL, "confirm.select");
    next_tag = first_waiting = 1;
    return connection;
}

static void publish(amqp_connection_state_t connection, amqp_bytes_t queue,
                    const char *id)
{
    amqp_bytes_t bytes = {.len = ID_BYTES, .bytes = (void *)(uintptr_t)id};
    amqp_table_entry_t version = {
        .key = amqp_cstring_bytes("rules_version"),
        .value = {.kind = AMQP_FIELD_KIND_UTF8,
                  .value.bytes = amqp_cstring_bytes("0123456789ab")}};
    amqp_basic_properties_t properties = {
        ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_HEADERS_FLAG |
                  AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG |
                  AMQP_BASIC_TIMESTAMP_FLAG | AMQP_BASIC_APP_ID_FLAG,
        .headers = {.num_entries = 1, .entries = &version},
        .content_type = amqp_cstring_bytes("text/plain"),
        .delivery_mode = AMQP_DELIVERY_PERSISTENT,
        .message_id = bytes,
        .timestamp = (uint64_t)time(NULL),
        .app_id = amqp_cstring_bytes("pigeon"),
    };

    must(amqp_basic_publish(connection, CHANNEL, amqp_empty_bytes, queue,
                            1 /* mandatory */, 0, &properties, bytes) == AMQP_STATUS_OK,
         "publish");
}

static void read_confirm(amqp_connection_state_t connection)
{
    amqp_frame_t frame;
    const amqp_basic_ack_t *ack;

    must(amqp_simple_wait_frame(connection, &frame) == AMQP_STATUS_OK &&
             frame.frame_type == AMQP_FRAME_METHOD &&
             frame.payload.method.id == AMQP_BASIC_ACK_METHOD,
         "something else than an ack");
    ack = frame.payload.method.decoded;
    for (uint64_t tag = first_waiting; ack->multiple && tag < ack->delivery_tag; tag++)
        waiting[tag % CONFIRMS_WINDOW] = false;
    waiting[ack->delivery_tag % CONFIRMS_WINDOW] = false;
    while (first_waiting < next_tag && !waiting[first_waiting % CONFIRMS_WINDOW])
        first_waiting++;
    amqp_maybe_release_buffers(connection);
}

static void publish_all(amqp_connection_state_t connection, amqp_bytes_t queue,
                        const char *first, size_t stride, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        while (next_tag - first_waiting == CONFIRMS_WINDOW)
            read_confirm(connection);
        waiting[next_tag++ % CONFIRMS_WINDOW] = true;
        publish(connection, queue, first + i * stride);
    }
    while (first_waiting < next_tag)
        read_confirm(connection);
}

/* ------------------------------------------------------------- the loop */

int main(int argc, char **argv)
{
    static const char host[] = "Host: 127.0.0.1\r\nUser-Agent: floor\r\nAccept: */*\r\n";
    const char *api = getenv("AWS_LAMBDA_RUNTIME_API"), *body, *id;
    amqp_bytes_t queue = amqp_cstring_bytes(getenv("PIGEON_QUEUE"));
    char next[256], response[256];
    amqp_connection_state_t connection;
    size_t offset, stride, count;
    int fd;

    must(argc >= 4 && api, "usage: floor OFFSET STRIDE COUNT [each], started by driver");
    offset = strtoul(argv[1], NULL, 10);
    stride = strtoul(argv[2], NULL, 10);
    count = strtoul(argv[3], NULL, 10);
    connection = connect_broker();
    fd = connect_api(api);
    snprintf(next, sizeof(next),
             "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n%s\r\n", host);
    for (;;) {
        body = call(fd, next);
        if (argc == 5) {
            amqp_destroy_connection(connection);
            connection = connect_broker();
        }
        publish_all(connection, queue, body + offset, stride, count);
        id = strcasestr(input, "\r\nLambda-Runtime-Aws-Request-Id: ");
        must(id != NULL, "no request id");
        snprintf(response, sizeof(response),
                 "POST /2018-06-01/runtime/invocation/%.36s/response HTTP/1.1\r\n%s"
                 "Content-Type: application/json\r\nContent-Length: 4\r\n\r\nnull",
                 id + 33, host);
        call(fd, response);
    }
}
