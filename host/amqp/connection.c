/* connection.c -- rabbitmq-c, from a connected socket to a channel in confirm mode.
 *
 * From the bottom: how rabbitmq-c says that something failed, the login, the ways to open
 * a socket. */
#include "amqp/connection.h"

#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "amqp/broker.h"
#include "base/wipe.h"
#include "net/connector.h"
#include "net/guard.h"

#define FRAME_MAX 8192 /* enough: messages are small, and buffers have its size */

/* ------------------------------------------------------------- failures */

/* AMQP_STATUS_SSL_ERROR and its kin. */
static bool is_of_tls(int status)
{
    return status <= AMQP_STATUS_SSL_ERROR && status > AMQP_STATUS_SSL_ERROR - 0x100;
}

/* For a socket's error errno is the cause, so it is 0 before rabbitmq-c is called. TLS
 * has more to say of its errors; what ends a login is its to explain, because in TLS 1.3
 * a client certificate is judged after the handshake. */
bool connection_fail(const struct connection *connection, struct failure *failure,
                     const char *stage, int status)
{
    const char *words = amqp_error_string2(status);
    struct err err = {0};

    if (guard_fired() || status == AMQP_STATUS_TIMEOUT)
        words = "no answer in time";
    else if (connection->secure && is_of_tls(status)) {
        tls_explain(&connection->tls, &err);
        return failure_set(failure, strcmp(stage, "login") == 0 ? "tls" : stage, 0, "%s",
                           err.text);
    } else if (status == AMQP_STATUS_CONNECTION_CLOSED)
        words = "the broker's end closed the connection";
    else if (status == AMQP_STATUS_SOCKET_ERROR && errno != 0)
        return failure_set(failure, stage, 0, "connection lost: %s", strerror(errno));
    return failure_set(failure, stage, 0, "%s", words);
}

/* A close of connection or channel by the broker. */
bool connection_fail_closed(struct failure *failure, const char *stage,
                            const amqp_method_t *method)
{
    const amqp_connection_close_t *connection = method->decoded;
    const amqp_channel_close_t *channel = method->decoded;
    bool whole = method->id == AMQP_CONNECTION_CLOSE_METHOD;
    amqp_bytes_t text = whole ? connection->reply_text : channel->reply_text;

    return failure_set(failure, stage,
                       whole ? connection->reply_code : channel->reply_code, "%.*s",
                       (int)text.len, (const char *)text.bytes);
}

bool connection_fail_blocked(struct failure *failure, const amqp_method_t *method)
{
    const amqp_connection_blocked_t *blocked = method->decoded;

    failure_set(failure, "confirm", 0,
                "the broker takes no messages (connection.blocked): %.*s",
                (int)blocked->reason.len, (char *)blocked->reason.bytes);
    failure->final = true; /* a new connection would be blocked as well */
    return false;
}

/* ------------------------------------------------------------- login */

struct timeval connection_wait(int64_t ms)
{
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
}

amqp_table_entry_t connection_text(const char *key, const char *value)
{
    return (amqp_table_entry_t){.key = amqp_cstring_bytes(key),
                                .value = {.kind = AMQP_FIELD_KIND_UTF8,
                                          .value.bytes = amqp_cstring_bytes(value)}};
}

static amqp_table_entry_t true_entry(const char *key)
{
    return (amqp_table_entry_t){
        .key = amqp_cstring_bytes(key),
        .value = {.kind = AMQP_FIELD_KIND_BOOLEAN, .value.boolean = 1}};
}

void connection_greet(struct connection *connection, int fd)
{
    static const char header[] = {'A',
                                  'M',
                                  'Q',
                                  'P',
                                  0,
                                  AMQP_PROTOCOL_VERSION_MAJOR,
                                  AMQP_PROTOCOL_VERSION_MINOR,
                                  AMQP_PROTOCOL_VERSION_REVISION};

    if (send(fd, header, sizeof(header), MSG_NOSIGNAL) == sizeof(header))
        connection->greeted = fd;
}

/* The header, where it has not been sent. */
static bool greet(struct connection *connection, struct failure *failure)
{
    bool greeted = connection->greeted == connection->fd;
    int status;

    connection->greeted = -1;
    errno = 0;
    status = greeted ? AMQP_STATUS_OK : amqp_send_header(connection->amqp);
    return status == AMQP_STATUS_OK ||
           connection_fail(connection, failure, "login", status);
}

/* The next method on `channel`, which has to be this one; NULL: failure. It stays until
 * the buffers are released. */
static const void *await(struct connection *connection, amqp_channel_t channel,
                         amqp_method_number_t wanted, const struct deadline *deadline,
                         const char *stage, struct failure *failure)
{
    struct timeval left = connection_wait(deadline_left_ms(deadline));
    amqp_frame_t frame;
    const amqp_method_t *method = &frame.payload.method;
    int status;

    errno = 0;
    status = amqp_simple_wait_frame_noblock(connection->amqp, &frame, &left);
    if (status == AMQP_STATUS_OK && frame.frame_type != AMQP_FRAME_METHOD)
        status = AMQP_STATUS_WRONG_METHOD;
    if (status != AMQP_STATUS_OK) {
        connection_fail(connection, failure, stage, status);
        return NULL;
    }
    if (method->id == wanted && frame.channel == channel)
        return method->decoded;
    if (method->id == AMQP_CONNECTION_CLOSE_METHOD ||
        method->id == AMQP_CHANNEL_CLOSE_METHOD)
        connection_fail_closed(failure, stage, method);
    else if (method->id == AMQP_CONNECTION_BLOCKED_METHOD)
        connection_fail_blocked(failure, method);
    else
        connection_fail(connection, failure, stage, AMQP_STATUS_WRONG_METHOD);
    return NULL;
}

static bool send_method(struct connection *connection, amqp_channel_t channel,
                        amqp_method_number_t id, void *method, const char *stage,
                        struct failure *failure)
{
    int status;

    errno = 0;
    status = amqp_send_method(connection->amqp, channel, id, method);
    return status == AMQP_STATUS_OK ||
           connection_fail(connection, failure, stage, status);
}

/* In a list of words. */
static bool offers_plain(amqp_bytes_t mechanisms)
{
    const char *at = mechanisms.bytes;
    const char *end = at + mechanisms.len;
    const char *stop;

    for (; at < end; at = stop + 1) {
        stop = memchr(at, ' ', (size_t)(end - at));
        stop = stop ? stop : end;
        if (stop - at == 5 && memcmp(at, "PLAIN", 5) == 0)
            return true;
    }
    return false;
}

static bool send_start_ok(struct connection *connection,
                          const amqp_connection_start_t *start, struct failure *failure)
{
    const struct broker_settings *settings = &connection->settings;
    size_t user_len = strlen(settings->user);
    size_t len = user_len + strlen(settings->password) + 2;
    char *plain = calloc(1, len + 1); /* NUL user NUL password */
    amqp_table_entry_t capabilities[] = {true_entry("authentication_failure_close"),
                                         true_entry("connection.blocked")};
    amqp_table_entry_t properties[] = {
        connection_text("product", "Pigeon"),
        connection_text("version", settings->version),
        connection_text("connection_name", settings->connection_name),
        {.key = amqp_cstring_bytes("capabilities"),
         .value = {.kind = AMQP_FIELD_KIND_TABLE,
                   .value.table = {.num_entries = 2, .entries = capabilities}}}};
    amqp_connection_start_ok_t start_ok = {
        .client_properties = {.num_entries = 4, .entries = properties},
        .mechanism = amqp_cstring_bytes("PLAIN"),
        .response = {.len = len, .bytes = plain},
        .locale = amqp_cstring_bytes("en_US")};
    bool ok;

    if (!plain)
        return failure_set(failure, "login", 0, "out of memory");
    if (!offers_plain(start->mechanisms)) {
        free(plain);
        return connection_fail(connection, failure, "login",
                               AMQP_STATUS_BROKER_UNSUPPORTED_SASL_METHOD);
    }
    strcpy(plain + 1, settings->user);
    strcpy(plain + 1 + user_len + 1, settings->password);
    ok = send_method(connection, 0, AMQP_CONNECTION_START_OK_METHOD, &start_ok, "login",
                     failure);
    wipe_free(plain);
    return ok;
}

/* 0 is the broker's word for no limit, and its heartbeat of 0 for none. */
static uint32_t lower(uint32_t ours, uint32_t brokers)
{
    return brokers != 0 && brokers < ours ? brokers : ours;
}

static bool tune(struct connection *connection, const amqp_connection_tune_t *tune,
                 struct failure *failure)
{
    amqp_connection_tune_ok_t ok = {.channel_max = CHANNEL,
                                    .frame_max = lower(FRAME_MAX, tune->frame_max),
                                    .heartbeat =
                                        (uint16_t)lower(HEARTBEAT_S, tune->heartbeat)};
    int status = amqp_tune_connection(connection->amqp, ok.channel_max, (int)ok.frame_max,
                                      ok.heartbeat);

    if (status != AMQP_STATUS_OK)
        return connection_fail(connection, failure, "login", status);
    return send_method(connection, 0, AMQP_CONNECTION_TUNE_OK_METHOD, &ok, "login",
                       failure);
}

/* From a connected socket to a channel in confirm mode; the guard is on. rabbitmq-c's
 * own login would wait for each answer: here what needs no answer to be said is said at
 * once, which saves two round trips. */
static bool log_in(struct connection *connection, const struct deadline *deadline,
                   struct failure *failure)
{
    amqp_connection_open_t open = {
        .virtual_host = amqp_cstring_bytes(connection->settings.virtual_host)};
    amqp_channel_open_t channel = {0};
    amqp_confirm_select_t confirm = {0};
    const amqp_connection_start_t *start =
        await(connection, 0, AMQP_CONNECTION_START_METHOD, deadline, "login", failure);
    bool ok = start && send_start_ok(connection, start, failure);
    const amqp_connection_tune_t *limits =
        ok ? await(connection, 0, AMQP_CONNECTION_TUNE_METHOD, deadline, "login", failure)
           : NULL;

    ok = limits && tune(connection, limits, failure) &&
         send_method(connection, 0, AMQP_CONNECTION_OPEN_METHOD, &open, "login",
                     failure) &&
         send_method(connection, CHANNEL, AMQP_CHANNEL_OPEN_METHOD, &channel, "login",
                     failure) &&
         send_method(connection, CHANNEL, AMQP_CONFIRM_SELECT_METHOD, &confirm, "login",
                     failure) &&
         await(connection, 0, AMQP_CONNECTION_OPEN_OK_METHOD, deadline, "login",
               failure) &&
         await(connection, CHANNEL, AMQP_CHANNEL_OPEN_OK_METHOD, deadline, "channel",
               failure) &&
         await(connection, CHANNEL, AMQP_CONFIRM_SELECT_OK_METHOD, deadline, "channel",
               failure);
    amqp_maybe_release_buffers(connection->amqp);
    return ok;
}

/* rabbitmq-c's TLS makes its TCP connection by itself, where it should take the one that
 * connector.c made; the linker (LDFLAGS) leads its call here. It then owns the socket. */
int __wrap_amqp_open_socket_inner(const char *host, int port, uint64_t deadline);
static int socket_to_take = -1;

int __wrap_amqp_open_socket_inner(const char *host, int port, uint64_t deadline)
{
    int fd = socket_to_take;

    (void)host, (void)port, (void)deadline;
    socket_to_take = -1;
    return fd;
}

/* Shakes hands. The socket is the connection's, or closed. */
static bool open_tls(struct connection *connection, int fd, const char *name,
                     const struct deadline *deadline, struct failure *failure)
{
    struct timeval left = connection_wait(deadline_left_ms(deadline));
    amqp_socket_t *socket = amqp_ssl_socket_new(connection->amqp);
    struct err err = {0};
    int status;

    if (!socket) {
        close(fd);
        return failure_set(failure, "tls", 0, "out of memory");
    }
    if (!tls_start(&connection->tls, &connection->settings.tls, name,
                   amqp_ssl_socket_get_context(socket), &err)) {
        close(fd);
        return failure_set(failure, "tls", 0, "%s", err.text);
    }
    amqp_ssl_socket_set_verify_hostname(socket, 0); /* OpenSSL knows addresses, too */
    socket_to_take = fd;
    errno = 0;
    status =
        amqp_socket_open_noblock(socket, tls_server_name(&connection->tls), 0, &left);
    return status == AMQP_STATUS_OK ||
           connection_fail(connection, failure, "tls", status);
}

static bool open_plain(struct connection *connection, int fd, struct failure *failure)
{
    amqp_socket_t *socket = amqp_tcp_socket_new(connection->amqp);

    if (!socket) {
        close(fd);
        return failure_set(failure, "login", 0, "out of memory");
    }
    amqp_tcp_socket_set_sockfd(socket, fd);
    return true;
}

/* A TLS server answers AMQP's first bytes with an alert, of 7 bytes (RFC 8446, 5.1 and
 * 6), and hangs up; an AMQP server says more before it does. */
static bool met_tls(int fd)
{
    return connector_heard(fd) == 7;
}

/* ------------------------------------------------------------- public */

bool connection_open(struct connection *connection, int fd, const char *tls_name,
                     const struct deadline *deadline, struct failure *failure)
{
    int ear = fcntl(fd, F_DUPFD_CLOEXEC, 0); /* rabbitmq-c closes fd in a failed login */
    struct err err = {0};
    bool ok;

    connection->amqp = amqp_new_connection();
    if (!connection->amqp) {
        close(fd);
        close(ear);
        return failure_set(failure, "login", 0, "out of memory");
    }
    connection->fd = fd;
    connection->secure = tls_name != NULL;
    ok = guard_start(fd, deadline, &err);
    if (!ok) {
        failure_set(failure, "login", 0, "%s", err.text);
        close(fd);
    }
    ok = ok && (tls_name ? open_tls(connection, fd, tls_name, deadline, failure)
                         : open_plain(connection, fd, failure));
    ok = ok && greet(connection, failure) && log_in(connection, deadline, failure);
    if (!ok && !tls_name && met_tls(ear))
        failure_set(failure, "tls", 0, "the other end speaks TLS");
    close(ear);
    guard_stop();
    if (ok)
        connection->tls.asked = false;
    else
        connection_drop(connection);
    return ok;
}

void connection_drop(struct connection *connection)
{
    guard_stop();
    amqp_destroy_connection(connection->amqp); /* closes the socket; NULL: nothing */
    connection->amqp = NULL;
}
