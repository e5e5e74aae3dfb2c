/* connection.c -- rabbitmq-c over a connected socket, plain or TLS, and the words for
 * what it reports. The conversation of the login is in login.c. */
#include "amqp/connection.h"

#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "amqp/blame.h"
#include "net/connector.h"
#include "net/guard.h"

/* ------------------------------------------------------------- errors */

/* AMQP_STATUS_SSL_ERROR and its kin. */
static bool is_of_tls(int status)
{
    return status <= AMQP_STATUS_SSL_ERROR && status > AMQP_STATUS_SSL_ERROR - 0x100;
}

/* For a socket's error errno is the cause, so it is 0 before rabbitmq-c is called. TLS
 * has more to say of its errors; what ends a login is its to explain, because in TLS 1.3
 * a client certificate is judged after the handshake. */
bool connection_fail(const struct connection *connection, struct err *err,
                     const char *stage, int status)
{
    bool in_login = strcmp(stage, "login") == 0, in_tls = strcmp(stage, "tls") == 0;
    enum cause cause = in_login ? CAUSE_LOGIN : in_tls ? CAUSE_TLS : CAUSE_BROKER;
    enum cause end = in_login && !connection->secure ? CAUSE_LOGIN_UNANSWERED : cause;
    enum cause silence = in_login ? CAUSE_LOGIN
                         : in_tls ? CAUSE_TLS_SILENCE
                                  : CAUSE_BROKER_SILENCE;

    if (guard_fired() || status == AMQP_STATUS_TIMEOUT) {
        err_set(err, silence, "no answer in time");
    } else if (connection->secure && is_of_tls(status)) {
        tls_explain(&connection->tls, err);
        if (in_login)
            stage = "tls";
        else if (!in_tls && err->cause == CAUSE_TLS)
            err->cause = CAUSE_BROKER; /* long after the handshake */
    } else if (status == AMQP_STATUS_CONNECTION_CLOSED) {
        err_set(err, end, "the broker's end closed the connection");
    } else if (status == AMQP_STATUS_SOCKET_ERROR && errno != 0) {
        err_set(err, errno == ETIMEDOUT ? silence : end, "connection lost: %s",
                strerror(errno));
    } else {
        err_set(err, status == AMQP_STATUS_HEARTBEAT_TIMEOUT ? silence : cause, "%s",
                amqp_error_string2(status));
    }
    return err_at(err, stage);
}

static bool begins(amqp_bytes_t text, const char *with)
{
    size_t len = strlen(with);

    return text.len >= len && memcmp(text.bytes, with, len) == 0;
}

static bool ends(amqp_bytes_t text, const char *with)
{
    size_t len = strlen(with);

    return text.len >= len && memcmp((char *)text.bytes + text.len - len, with, len) == 0;
}

/* RabbitMQ has one code, NOT_ALLOWED, for three faults of a connection.open and one of a
 * channel.open, and tells them apart in words, of which the middle is somebody's names
 * (rabbit_reader.erl). */
static enum cause cause_not_allowed(amqp_bytes_t text)
{
    if (ends(text, " is reached") ||
        begins(text, "NOT_ALLOWED - number of channels opened "))
        return CAUSE_CONNECTION_LIMIT;
    if (begins(text, "NOT_ALLOWED - access to vhost "))
        return CAUSE_VHOST_REFUSED;
    return ends(text, " not found") ? CAUSE_VHOST_MISSING : CAUSE_BROKER;
}

static bool holds(amqp_bytes_t text, const char *words)
{
    return text.len > 0 && memmem(text.bytes, text.len, words, strlen(words));
}

/* Whether a token has ended: RabbitMQ 4.3 closes the connection, earlier ones refuse what
 * needs a right. A text has 255 bytes at most: behind long names its end is missing. */
static bool is_expiry(int code, amqp_bytes_t text)
{
    if (code == AMQP_CONNECTION_FORCED)
        return holds(text, "credential expired");
    return code == AMQP_ACCESS_REFUSED &&
           (holds(text, "token has expired") ||
            holds(text, ", backend rabbit_auth_backend_o"));
}

/* Whether the password is a JWT: three parts with dots between, the first of which is a
 * JSON object (RFC 7519). */
static bool is_token(const char *password)
{
    const char *dot = password ? strchr(password, '.') : NULL;

    return dot && strncmp(password, "eyJ", 3) == 0 && strchr(dot + 1, '.');
}

/* The user of a token has no rights that rabbitmqctl could set. */
static enum cause cause_for_token(enum cause cause)
{
    switch (cause) {
    case CAUSE_LOGIN_REFUSED:
        return CAUSE_TOKEN_REFUSED;
    case CAUSE_VHOST_REFUSED:
    case CAUSE_MAY_NOT_ASK:
    case CAUSE_NO_WRITE:
    case CAUSE_NO_TOPIC:
        return CAUSE_TOKEN_NO_RIGHT;
    default:
        return cause;
    }
}

static enum cause cause_of(const char *stage, int code, amqp_bytes_t text)
{
    bool in_login = strcmp(stage, "login") == 0, in_ask = strcmp(stage, "ask") == 0;

    if (is_expiry(code, text))
        return CAUSE_TOKEN_EXPIRED;
    switch (code) {
    case AMQP_CONNECTION_FORCED:
        return CAUSE_CLOSED_BY_OPERATOR;
    case AMQP_ACCESS_REFUSED:
        return in_login                   ? CAUSE_LOGIN_REFUSED
               : in_ask                   ? CAUSE_MAY_NOT_ASK
               : holds(text, BLAME_TOPIC) ? CAUSE_NO_TOPIC
                                          : CAUSE_NO_WRITE;
    case AMQP_NOT_FOUND:
        return in_ask ? CAUSE_NO_QUEUE : CAUSE_NO_EXCHANGE;
    case AMQP_NOT_ALLOWED:
        return cause_not_allowed(text);
    case AMQP_INTERNAL_ERROR:
        return in_login ? CAUSE_VHOST_DOWN : CAUSE_BROKER;
    default:
        return CAUSE_BROKER;
    }
}

bool connection_fail_closed(const struct connection *connection, struct err *err,
                            const char *stage, const amqp_method_t *method)
{
    const amqp_connection_close_t *whole = method->decoded;
    const amqp_channel_close_t *channel = method->decoded;
    bool is_whole = method->id == AMQP_CONNECTION_CLOSE_METHOD;
    amqp_bytes_t text = is_whole ? whole->reply_text : channel->reply_text;
    int code = is_whole ? whole->reply_code : channel->reply_code;
    enum cause cause = cause_of(stage, code, text);

    if (connection->login.external && cause == CAUSE_LOGIN_REFUSED)
        cause = CAUSE_CERTIFICATE_REFUSED;
    else if (is_token(connection->login.password))
        cause = cause_for_token(cause);
    return err_set_at(err, cause, stage, code, "%s%.*s",
                      cause == CAUSE_TOKEN_EXPIRED ? "the token has expired: " : "",
                      (int)text.len, (const char *)text.bytes);
}

bool connection_fail_blocked(struct err *err, const amqp_method_t *method)
{
    const amqp_connection_blocked_t *blocked = method->decoded;

    err_set_at(err, CAUSE_BLOCKED, "confirm", 0,
               "the broker takes no messages (connection.blocked): %.*s",
               (int)blocked->reason.len, (char *)blocked->reason.bytes);
    err->final = true; /* a new connection would be blocked as well */
    return false;
}

/* ------------------------------------------------------------- small parts */

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

/* ------------------------------------------------------------- sockets */

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
                     const struct deadline *deadline, struct err *err)
{
    struct timeval left = connection_wait(deadline_left_ms(deadline));
    amqp_socket_t *socket = amqp_ssl_socket_new(connection->amqp);
    int status;

    if (!socket) {
        close(fd);
        return err_set_at(err, CAUSE_MEMORY, "tls", 0, "out of memory");
    }
    if (!tls_start(&connection->tls, &connection->login.tls, name,
                   amqp_ssl_socket_get_context(socket), err)) {
        close(fd);
        return err_at(err, "tls");
    }
    amqp_ssl_socket_set_verify_hostname(socket, 0); /* OpenSSL knows addresses, too */
    socket_to_take = fd;
    errno = 0;
    status =
        amqp_socket_open_noblock(socket, tls_server_name(&connection->tls), 0, &left);
    return status == AMQP_STATUS_OK || connection_fail(connection, err, "tls", status);
}

static bool open_plain(struct connection *connection, int fd, struct err *err)
{
    amqp_socket_t *socket = amqp_tcp_socket_new(connection->amqp);

    if (!socket) {
        close(fd);
        return err_set_at(err, CAUSE_MEMORY, "login", 0, "out of memory");
    }
    amqp_tcp_socket_set_sockfd(socket, fd);
    return true;
}

/* A TLS server answers AMQP's first bytes with an alert, of 7 bytes (RFC 8446, 5.1 and
 * 6), and hangs up, or hangs up without one, as OpenSSL's do (proxies, load balancers);
 * an AMQP server says more before it does. */
static void suspect_tls(int fd, struct err *err)
{
    uint64_t heard = connector_heard(fd);

    if (heard == 7)
        err_set_at(err, CAUSE_TLS_EXPECTED, "tls", 0, "the broker's port expects TLS");
    else if (heard > 0 && err->cause == CAUSE_LOGIN_UNANSWERED)
        err->cause = CAUSE_LOGIN;
}

/* ------------------------------------------------------------- public */

bool connection_open(struct connection *connection, int fd, const char *tls_name,
                     const struct deadline *deadline, struct err *err)
{
    int ear = fcntl(fd, F_DUPFD_CLOEXEC, 0); /* rabbitmq-c closes fd in a failed login */
    bool ok;

    connection->amqp = amqp_new_connection();
    if (!connection->amqp) {
        close(fd);
        close(ear);
        return err_set_at(err, CAUSE_MEMORY, "login", 0, "out of memory");
    }
    connection->fd = fd;
    connection->secure = tls_name != NULL;
    ok = guard_start(fd, deadline, err);
    if (!ok) {
        err_at(err, "login");
        close(fd);
    }
    ok = ok && (tls_name ? open_tls(connection, fd, tls_name, deadline, err)
                         : open_plain(connection, fd, err));
    ok = ok && login_run(connection, deadline, err);
    if (!ok && !tls_name)
        suspect_tls(ear, err);
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
