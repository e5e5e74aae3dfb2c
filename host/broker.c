/* broker.c -- the AMQP side: rabbitmq-c, one connection, one channel.
 *
 * From the bottom: how rabbitmq-c says that something failed, a connection (log in, open
 * the channel), what a frame means, and a batch (publish in a window, read what comes,
 * until all is settled). Two traps of rabbitmq-c 0.11 shape it: a publish may block for
 * ever (https://github.com/alanxz/rabbitmq-c/issues/519), so the guard shuts the socket
 * at the deadline; and so may a publish after a long silence (the same, issues/788), so
 * the socket is drained before each batch. */
#include "broker.h"

#include <amqp.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "confirms.h"
#include "dial.h"
#include "returned.h"
#include "wipe.h"

#define CHANNEL 1
#define FRAME_MAX 8192 /* enough: messages are small, and buffers have its size */
#define HEARTBEAT_S 30 /* the broker forgets a dead client within 90 s */
#define CLOSE_MS 500   /* for a polite end */
#define DRAIN_MS 200   /* for what came since the last batch, however much it is */
#define ROOM 4096      /* bytes that surely fit where a socket says it takes some */
#define FRAMES 256     /* bytes of a publish, without what it says */

struct broker {
    struct broker_settings settings;
    amqp_connection_state_t connection; /* NULL: none */
    int fd;                             /* its socket; the connection owns it */
    bool secure;                        /* over TLS */
    struct tls tls;
    int greeted;         /* a socket that the protocol's header was sent to; -1: none */
    int64_t used_ms;     /* when it last showed that it works, clock_ms() */
    unsigned silence_ms; /* what dial_notice_silence() set */
    size_t room;         /* bytes that may be sent before the socket is asked again */
    struct confirms confirms;
    struct returned returned;
};

/* ------------------------------------------------------------- failures */

/* AMQP_STATUS_SSL_ERROR and its kin. */
static bool is_of_tls(int status)
{
    return status <= AMQP_STATUS_SSL_ERROR && status > AMQP_STATUS_SSL_ERROR - 0x100;
}

/* For a socket's error errno is the cause, so it is 0 before rabbitmq-c is called. TLS
 * has more to say of its errors; what ends a login is its to explain, because in TLS 1.3
 * a client certificate is judged after the handshake. */
static bool fail_status(const struct broker *broker, struct failure *failure,
                        const char *stage, int status)
{
    const char *words = amqp_error_string2(status);
    struct err err = {0};

    if (guard_fired() || status == AMQP_STATUS_TIMEOUT)
        words = "no answer in time";
    else if (broker->secure && is_of_tls(status)) {
        tls_explain(&broker->tls, &err);
        return failure_set(failure, strcmp(stage, "login") == 0 ? "tls" : stage, 0, "%s",
                           err.text);
    } else if (status == AMQP_STATUS_CONNECTION_CLOSED)
        words = "the broker's end closed the connection";
    else if (status == AMQP_STATUS_SOCKET_ERROR && errno != 0)
        return failure_set(failure, stage, 0, "connection lost: %s", strerror(errno));
    return failure_set(failure, stage, 0, "%s", words);
}

/* A close of connection or channel by the broker. */
static bool fail_closed(struct failure *failure, const char *stage,
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

static bool fail_blocked(struct failure *failure, const amqp_method_t *method)
{
    const amqp_connection_blocked_t *blocked = method->decoded;

    failure_set(failure, "confirm", 0,
                "the broker takes no messages (connection.blocked): %.*s",
                (int)blocked->reason.len, (char *)blocked->reason.bytes);
    failure->final = true; /* a new connection would be blocked as well */
    return false;
}

static bool fail_reply(const struct broker *broker, struct failure *failure,
                       const char *stage, amqp_rpc_reply_t reply)
{
    if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION)
        return fail_closed(failure, stage, &reply.reply); /* it is nothing else */
    return fail_status(broker, failure, stage, reply.library_error);
}

/* ------------------------------------------------------------- a connection */

void broker_drop(struct broker *broker)
{
    guard_stop();
    amqp_destroy_connection(broker->connection); /* closes the socket; NULL: nothing */
    broker->connection = NULL;
}

static struct timeval timeval_of(int64_t ms)
{
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
}

static amqp_table_entry_t text_entry(const char *key, const char *value)
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

void broker_greet(struct broker *broker, int fd)
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
        broker->greeted = fd;
}

/* The header, where it has not been sent. */
static bool greet(struct broker *broker, struct failure *failure)
{
    bool greeted = broker->greeted == broker->fd;
    int status;

    broker->greeted = -1;
    errno = 0;
    status = greeted ? AMQP_STATUS_OK : amqp_send_header(broker->connection);
    return status == AMQP_STATUS_OK || fail_status(broker, failure, "login", status);
}

/* The next method on `channel`, which has to be this one; NULL: failure. It stays until
 * the buffers are released. */
static const void *await(struct broker *broker, amqp_channel_t channel,
                         amqp_method_number_t wanted, const struct deadline *deadline,
                         const char *stage, struct failure *failure)
{
    struct timeval left = timeval_of(deadline_left_ms(deadline));
    amqp_frame_t frame;
    const amqp_method_t *method = &frame.payload.method;
    int status;

    errno = 0;
    status = amqp_simple_wait_frame_noblock(broker->connection, &frame, &left);
    if (status == AMQP_STATUS_OK && frame.frame_type != AMQP_FRAME_METHOD)
        status = AMQP_STATUS_WRONG_METHOD;
    if (status != AMQP_STATUS_OK) {
        fail_status(broker, failure, stage, status);
        return NULL;
    }
    if (method->id == wanted && frame.channel == channel)
        return method->decoded;
    if (method->id == AMQP_CONNECTION_CLOSE_METHOD ||
        method->id == AMQP_CHANNEL_CLOSE_METHOD)
        fail_closed(failure, stage, method);
    else if (method->id == AMQP_CONNECTION_BLOCKED_METHOD)
        fail_blocked(failure, method);
    else
        fail_status(broker, failure, stage, AMQP_STATUS_WRONG_METHOD);
    return NULL;
}

static bool send_method(struct broker *broker, amqp_channel_t channel,
                        amqp_method_number_t id, void *method, const char *stage,
                        struct failure *failure)
{
    int status;

    errno = 0;
    status = amqp_send_method(broker->connection, channel, id, method);
    return status == AMQP_STATUS_OK || fail_status(broker, failure, stage, status);
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

static bool send_start_ok(struct broker *broker, const amqp_connection_start_t *start,
                          struct failure *failure)
{
    const struct broker_settings *settings = &broker->settings;
    size_t user_len = strlen(settings->user);
    size_t len = user_len + strlen(settings->password) + 2;
    char *plain = calloc(1, len + 1); /* NUL user NUL password */
    amqp_table_entry_t capabilities[] = {true_entry("authentication_failure_close"),
                                         true_entry("connection.blocked")};
    amqp_table_entry_t properties[] = {
        text_entry("product", "Pigeon"),
        text_entry("version", settings->version),
        text_entry("connection_name", settings->connection_name),
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
        return fail_status(broker, failure, "login",
                           AMQP_STATUS_BROKER_UNSUPPORTED_SASL_METHOD);
    }
    strcpy(plain + 1, settings->user);
    strcpy(plain + 1 + user_len + 1, settings->password);
    ok = send_method(broker, 0, AMQP_CONNECTION_START_OK_METHOD, &start_ok, "login",
                     failure);
    wipe_free(plain);
    return ok;
}

/* 0 is the broker's word for no limit, and its heartbeat of 0 for none. */
static uint32_t lower(uint32_t ours, uint32_t brokers)
{
    return brokers != 0 && brokers < ours ? brokers : ours;
}

static bool tune(struct broker *broker, const amqp_connection_tune_t *tune,
                 struct failure *failure)
{
    amqp_connection_tune_ok_t ok = {.channel_max = CHANNEL,
                                    .frame_max = lower(FRAME_MAX, tune->frame_max),
                                    .heartbeat =
                                        (uint16_t)lower(HEARTBEAT_S, tune->heartbeat)};
    int status = amqp_tune_connection(broker->connection, ok.channel_max,
                                      (int)ok.frame_max, ok.heartbeat);

    if (status != AMQP_STATUS_OK)
        return fail_status(broker, failure, "login", status);
    return send_method(broker, 0, AMQP_CONNECTION_TUNE_OK_METHOD, &ok, "login", failure);
}

/* From a connected socket to a channel in confirm mode; the guard is on. rabbitmq-c's
 * own login would wait for each answer: here what needs no answer to be said is said at
 * once, which saves two round trips. */
static bool log_in(struct broker *broker, const struct deadline *deadline,
                   struct failure *failure)
{
    amqp_connection_open_t open = {.virtual_host =
                                       amqp_cstring_bytes(broker->settings.virtual_host)};
    amqp_channel_open_t channel = {0};
    amqp_confirm_select_t confirm = {0};
    const amqp_connection_start_t *start =
        await(broker, 0, AMQP_CONNECTION_START_METHOD, deadline, "login", failure);
    bool ok = start && send_start_ok(broker, start, failure);
    const amqp_connection_tune_t *limits =
        ok ? await(broker, 0, AMQP_CONNECTION_TUNE_METHOD, deadline, "login", failure)
           : NULL;

    ok = limits && tune(broker, limits, failure) &&
         send_method(broker, 0, AMQP_CONNECTION_OPEN_METHOD, &open, "login", failure) &&
         send_method(broker, CHANNEL, AMQP_CHANNEL_OPEN_METHOD, &channel, "login",
                     failure) &&
         send_method(broker, CHANNEL, AMQP_CONFIRM_SELECT_METHOD, &confirm, "login",
                     failure) &&
         await(broker, 0, AMQP_CONNECTION_OPEN_OK_METHOD, deadline, "login", failure) &&
         await(broker, CHANNEL, AMQP_CHANNEL_OPEN_OK_METHOD, deadline, "channel",
               failure) &&
         await(broker, CHANNEL, AMQP_CONFIRM_SELECT_OK_METHOD, deadline, "channel",
               failure);
    amqp_maybe_release_buffers(broker->connection);
    return ok;
}

/* rabbitmq-c's TLS makes its TCP connection by itself, where it should take the one that
 * dial.c made; the linker (LDFLAGS) leads its call here. It then owns the socket. */
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
static bool open_tls(struct broker *broker, int fd, const char *name,
                     const struct deadline *deadline, struct failure *failure)
{
    struct timeval left = timeval_of(deadline_left_ms(deadline));
    amqp_socket_t *socket = amqp_ssl_socket_new(broker->connection);
    struct err err = {0};
    int status;

    if (!socket) {
        close(fd);
        return failure_set(failure, "tls", 0, "out of memory");
    }
    if (!tls_start(&broker->tls, &broker->settings.tls, name,
                   amqp_ssl_socket_get_context(socket), &err)) {
        close(fd);
        return failure_set(failure, "tls", 0, "%s", err.text);
    }
    amqp_ssl_socket_set_verify_hostname(socket, 0); /* OpenSSL knows addresses, too */
    socket_to_take = fd;
    errno = 0;
    status = amqp_socket_open_noblock(socket, tls_server_name(&broker->tls), 0, &left);
    return status == AMQP_STATUS_OK || fail_status(broker, failure, "tls", status);
}

static bool open_plain(struct broker *broker, int fd, struct failure *failure)
{
    amqp_socket_t *socket = amqp_tcp_socket_new(broker->connection);

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
    return dial_heard(fd) == 7;
}

bool broker_connect(struct broker *broker, int fd, const char *tls_name,
                    const struct deadline *deadline, struct failure *failure)
{
    int ear = fcntl(fd, F_DUPFD_CLOEXEC, 0); /* rabbitmq-c closes fd in a failed login */
    struct err err = {0};
    bool ok;

    broker->connection = amqp_new_connection();
    if (!broker->connection) {
        close(fd);
        close(ear);
        return failure_set(failure, "login", 0, "out of memory");
    }
    broker->fd = fd;
    broker->silence_ms = 0;
    broker->room = 0;
    broker->secure = tls_name != NULL;
    ok = guard_start(fd, deadline, &err);
    if (!ok) {
        failure_set(failure, "login", 0, "%s", err.text);
        close(fd);
    }
    ok = ok && (tls_name ? open_tls(broker, fd, tls_name, deadline, failure)
                         : open_plain(broker, fd, failure));
    ok = ok && greet(broker, failure) && log_in(broker, deadline, failure);
    if (!ok && !tls_name && met_tls(ear))
        failure_set(failure, "tls", 0, "the other end speaks TLS");
    close(ear);
    guard_stop();
    if (ok) {
        broker->tls.asked = false;
        broker->used_ms = clock_ms();
        confirms_start(&broker->confirms, NULL);
    } else
        broker_drop(broker);
    return ok;
}

const char *broker_tls(const struct broker *broker)
{
    return broker->connection && broker->secure ? broker->tls.version : NULL;
}

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
        fail_closed(failure, "publish", method);
        amqp_send_method(broker->connection, CHANNEL, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok);
        return false;
    case AMQP_CONNECTION_CLOSE_METHOD:
        fail_closed(failure, "confirm", method);
        amqp_send_method(broker->connection, 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &ok);
        return false;
    case AMQP_CONNECTION_BLOCKED_METHOD:
        return fail_blocked(failure, method);
    default: /* unblocked, cancel, flow: nothing that a publisher has to answer */
        return true;
    }
}

enum reading { READ_FRAME, READ_NOTHING, READ_BROKEN };

/* Waits at most `ms` for one frame and acts on it. */
static enum reading read_frame(struct broker *broker, int64_t ms, struct failure *failure)
{
    struct timeval wait = timeval_of(ms);
    amqp_frame_t frame;
    bool good;
    int status;

    errno = 0;
    status = amqp_simple_wait_frame_noblock(broker->connection, &frame, &wait);
    if (status == AMQP_STATUS_TIMEOUT && !guard_fired())
        return READ_NOTHING;
    if (status != AMQP_STATUS_OK) {
        fail_status(broker, failure, "confirm", status);
        return READ_BROKEN;
    }
    good = frame.frame_type == AMQP_FRAME_METHOD
               ? take_method(broker, &frame.payload.method, failure)
               : take_content(broker, &frame, failure);
    if (!good)
        return READ_BROKEN;
    broker->used_ms = clock_ms();
    amqp_maybe_release_buffers(broker->connection);
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
    struct pollfd ready = {.fd = broker->fd, .events = POLLIN | POLLOUT};
    size_t size = FRAMES + message->exchange.len + message->routing_key.len +
                  message->message_id.len + message->body.len;

    size = size < ROOM ? size : ROOM;
    while (broker->room < size) {
        int n = poll(&ready, 1, (int)deadline_left_ms(deadline));

        if (n < 0 && errno != EINTR)
            return failure_set(failure, "publish", 0, "%s", strerror(errno));
        if (n == 0 && deadline_left_ms(deadline) == 0)
            return fail_status(broker, failure, "publish", AMQP_STATUS_TIMEOUT);
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
        version = text_entry("rules_version", outbox->rules_version);
        properties._flags |= AMQP_BASIC_HEADERS_FLAG;
        properties.headers = (amqp_table_t){.num_entries = 1, .entries = &version};
    }
    confirms_publish(&broker->confirms, number);
    errno = 0;
    status =
        amqp_basic_publish(broker->connection, CHANNEL, amqp_bytes_of(message->exchange),
                           amqp_bytes_of(message->routing_key), 1 /* mandatory */,
                           0 /* immediate */, &properties, amqp_bytes_of(message->body));
    if (status == AMQP_STATUS_OK)
        return true;
    fail_status(broker, failure, "publish", status);
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
        return fail_status(broker, failure, "confirm", AMQP_STATUS_TIMEOUT);
    return reading != READ_BROKEN;
}

static bool send_batch(struct broker *broker, struct outbox *outbox,
                       const struct deadline *deadline, struct failure *failure)
{
    bool ok = true;

    confirms_continue(&broker->confirms, outbox);
    broker->returned.state = RETURNED_NOTHING;
    dial_notice_silence(broker->fd, deadline, &broker->silence_ms);
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
        broker->settings = *settings;
        broker->greeted = -1;
    }
    return broker;
}

void broker_log_in_as(struct broker *broker, const char *virtual_host, const char *user,
                      const char *password)
{
    broker->settings.virtual_host = virtual_host;
    broker->settings.user = user;
    broker->settings.password = password;
}

/* Whether something came since the last batch; TLS may have read it from the socket.
 * Finds out, too, whether the socket has room. */
static bool has_mail(struct broker *broker)
{
    struct pollfd ready = {.fd = broker->fd, .events = POLLIN | POLLOUT};
    int n = poll(&ready, 1, 0);

    broker->room = n == 1 && ready.revents == POLLOUT ? ROOM : 0;
    return broker->secure || ready.revents & ~POLLOUT ||
           amqp_frames_enqueued(broker->connection) ||
           amqp_data_in_buffer(broker->connection);
}

bool broker_connected(struct broker *broker)
{
    struct deadline soon;
    struct failure why;
    struct err err;

    if (!broker->connection)
        return false;
    if (clock_ms() - broker->used_ms > HEARTBEAT_S * 1000)
        broker_drop(broker);
    else if (has_mail(broker)) {
        soon = deadline_in(DRAIN_MS);
        if (!guard_start(broker->fd, &soon, &err) || !drain(broker, &why))
            broker_drop(broker);
        guard_stop();
    }
    return broker->connection != NULL;
}

bool broker_publish(struct broker *broker, struct outbox *outbox,
                    const struct deadline *deadline, struct failure *failure)
{
    struct err err;
    bool ok = guard_start(broker->fd, deadline, &err)
                  ? send_batch(broker, outbox, deadline, failure)
                  : failure_set(failure, "publish", 0, "%s", err.text);

    guard_stop();
    if (!ok)
        broker_drop(broker);
    return ok;
}

bool broker_ask(struct broker *broker, const char *queue, const struct deadline *deadline,
                struct failure *failure)
{
    struct err err;
    amqp_rpc_reply_t reply;

    if (!guard_start(broker->fd, deadline, &err))
        return failure_set(failure, "ask", 0, "%s", err.text);
    errno = 0;
    amqp_queue_declare(broker->connection, CHANNEL, amqp_cstring_bytes(queue),
                       1 /* passive */, 0, 0, 0, amqp_empty_table);
    reply = amqp_get_rpc_reply(broker->connection);
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
    if (broker->connection && guard_start(broker->fd, &soon, &err))
        amqp_connection_close(broker->connection, AMQP_REPLY_SUCCESS);
    broker_drop(broker);
    free(broker);
}
