/* fake_broker.c -- just enough AMQP 0-9-1 for the server's end: frames, a few methods.
 *
 * The thread is in accept() or in a script; fake_broker_stop() shuts both sockets down,
 * which wakes it. Nothing is asserted here: only the spec's own thread may fail a case.
 */
#include "fake_broker.h"

#include <arpa/inet.h>
#include <endian.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FRAME_END 0xCE
#define FRAME_METHOD 1
#define FRAME_HEADER 2
#define FRAME_BODY 3
#define FRAME_HEARTBEAT 8
#define STALL_MS 60000 /* then a client that waits for ever is let go */
#define METHOD(class_id, method_id) ((uint32_t)(class_id) << 16 | (uint32_t)(method_id))

/* ------------------------------------------------------------- bytes */

static bool write_all(struct session *session, const unsigned char *bytes, size_t len)
{
    size_t slice = session->slice ? session->slice : len;
    ssize_t n;

    while (len > 0 && !session->gone) {
        n = send(session->fake->fd, bytes, slice < len ? slice : len, MSG_NOSIGNAL);
        session->gone = n <= 0;
        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
        }
    }
    return !session->gone;
}

bool session_flush(struct session *session)
{
    bool ok = write_all(session, session->out, session->out_len);

    session->out_len = 0;
    return ok;
}

static bool read_all(struct session *session, void *bytes, size_t len)
{
    char *at = bytes;
    ssize_t n;

    while (len > 0 && !session->gone) {
        n = read(session->fake->fd, at, len);
        session->gone = n <= 0;
        if (n > 0) {
            at += n;
            len -= (size_t)n;
        }
    }
    return !session->gone;
}

void session_send_bytes(struct session *session, const void *bytes, size_t len)
{
    size_t needed = session->out_len + len;
    unsigned char *grown;

    if (needed > session->out_capacity) {
        grown = realloc(session->out, 2 * needed);
        if (!grown) {
            session->gone = true;
            return;
        }
        session->out = grown;
        session->out_capacity = 2 * needed;
    }
    if (len > 0)
        memcpy(session->out + session->out_len, bytes, len);
    session->out_len += len;
}

/* ------------------------------------------------------------- sending */

void session_send_frame(struct session *session, int type, int channel,
                        const void *payload, size_t len)
{
    const unsigned char head[7] = {
        (unsigned char)type,        (unsigned char)(channel >> 8),
        (unsigned char)channel,     (unsigned char)(len >> 24),
        (unsigned char)(len >> 16), (unsigned char)(len >> 8),
        (unsigned char)len,
    };
    const unsigned char end = FRAME_END;

    session_send_bytes(session, head, sizeof(head));
    session_send_bytes(session, payload, len);
    session_send_bytes(session, &end, 1);
}

static size_t put_number(unsigned char *at, uint64_t number, size_t size)
{
    uint64_t big = htobe64(number);

    memcpy(at, (unsigned char *)&big + sizeof(big) - size, size);
    return size;
}

static size_t put_text(unsigned char *at, const char *text, size_t size_of_length)
{
    size_t len = strlen(text);

    put_number(at, len, size_of_length);
    memcpy(at + size_of_length, text, len);
    return size_of_length + len;
}

void session_send_method(struct session *session, int channel, int class_id,
                         int method_id, const char *arguments, ...)
{
    unsigned char payload[2048];
    size_t len = put_number(payload, METHOD(class_id, method_id), 4);
    va_list ap;

    va_start(ap, arguments);
    for (const char *a = arguments; *a; a++) {
        if (*a == 'o' || *a == 's')
            len +=
                put_number(payload + len, (uint64_t)va_arg(ap, int), *a == 'o' ? 1 : 2);
        if (*a == 'l')
            len += put_number(payload + len, va_arg(ap, uint32_t), 4);
        if (*a == 'L')
            len += put_number(payload + len, va_arg(ap, uint64_t), 8);
        if (*a == 'S' || *a == 'T')
            len += put_text(payload + len, va_arg(ap, const char *), *a == 'S' ? 1 : 4);
    }
    va_end(ap);
    session_send_frame(session, FRAME_METHOD, channel, payload, len);
}

void session_send_ack(struct session *session, uint64_t tag, bool multiple)
{
    session_send_method(session, 1, 60, 80, "Lo", tag, multiple);
}

void session_send_nack(struct session *session, uint64_t tag, bool multiple)
{
    session_send_method(session, 1, 60, 120, "Lo", tag, multiple);
}

void session_send_return(struct session *session, uint64_t tag, int code,
                         const char *text)
{
    const struct published *published = session_published(session, tag);

    if (!published)
        return;
    session_send_method(session, 1, 60, 50, "sSSS", code, text, published->exchange,
                        published->routing_key);
    session_send_frame(session, FRAME_HEADER, 1, published->header,
                       published->header_len);
    if (published->body_len > 0)
        session_send_frame(session, FRAME_BODY, 1, published->body, published->body_len);
}

void session_send_close(struct session *session, int code, const char *text)
{
    session_send_method(session, 0, 10, 50, "sSss", code, text, 0, 0);
}

void session_send_channel_close(struct session *session, int code, const char *text)
{
    session_send_method(session, 1, 20, 40, "sSss", code, text, 60, 40);
}

void session_send_blocked(struct session *session, const char *reason)
{
    session_send_method(session, 0, 10, 60, "S", reason);
}

void session_send_heartbeat(struct session *session)
{
    session_send_frame(session, FRAME_HEARTBEAT, 0, NULL, 0);
}

/* ------------------------------------------------------------- reading */

struct frame {
    int type;
    uint32_t method;
    unsigned char *payload; /* of a method: its arguments */
    size_t len;
};

/* A cursor that stops at the end. */
struct cursor {
    const unsigned char *at;
    size_t left;
};

static uint64_t take_number(struct cursor *cursor, size_t size)
{
    uint64_t number = 0;

    for (; size > 0 && cursor->left > 0; size--, cursor->left--)
        number = number << 8 | *cursor->at++;
    return number;
}

static void take_text(struct cursor *cursor, char text[256])
{
    size_t len = (size_t)take_number(cursor, 1);

    if (len > cursor->left)
        len = cursor->left;
    memcpy(text, cursor->at, len);
    text[len] = '\0';
    cursor->at += len;
    cursor->left -= len;
}

static void take_table(struct cursor *cursor, struct published *published)
{
    const unsigned char *start = cursor->at;
    size_t len = (size_t)take_number(cursor, 4);

    if (len > cursor->left)
        len = cursor->left;
    cursor->at += len;
    cursor->left -= len;
    published->headers_len = (size_t)(cursor->at - start);
    if (published->headers_len > sizeof(published->headers))
        published->headers_len = sizeof(published->headers);
    memcpy(published->headers, start, published->headers_len);
}

/* The properties that Pigeon sets, in the order of their bits. */
static void take_properties(struct published *published)
{
    struct cursor cursor = {published->header + 12, published->header_len - 12};
    uint64_t flags = take_number(&cursor, 2);

    if (flags & 1 << 15)
        take_text(&cursor, published->content_type);
    if (flags & 1 << 13)
        take_table(&cursor, published);
    if (flags & 1 << 12)
        published->delivery_mode = (int)take_number(&cursor, 1);
    if (flags & 1 << 7)
        take_text(&cursor, published->message_id);
    if (flags & 1 << 6)
        published->timestamp = take_number(&cursor, 8);
    if (flags & 1 << 3)
        take_text(&cursor, published->app_id);
}

/* The caller frees the payload; it is 4 bytes longer than len, for a method's id. */
static bool read_frame(struct session *session, struct frame *frame)
{
    unsigned char head[7];
    unsigned char end;
    struct cursor cursor = {head, sizeof(head)};

    *frame = (struct frame){0};
    if (!session_flush(session) || !read_all(session, head, sizeof(head)))
        return false;
    frame->type = (int)take_number(&cursor, 1);
    take_number(&cursor, 2);
    frame->len = (size_t)take_number(&cursor, 4);
    frame->payload = malloc(frame->len + 1);
    if (!frame->payload || !read_all(session, frame->payload, frame->len) ||
        !read_all(session, &end, 1) || end != FRAME_END) {
        free(frame->payload);
        session->gone = true;
        return false;
    }
    if (frame->type == FRAME_METHOD && frame->len >= 4) {
        cursor = (struct cursor){frame->payload, 4};
        frame->method = (uint32_t)take_number(&cursor, 4);
        frame->len -= 4;
        memmove(frame->payload, frame->payload + 4, frame->len);
        session->fake->last_method = frame->method;
    }
    return true;
}

/* The header and the body of a publish whose method was published. */
static bool read_content(struct session *session, struct published *published)
{
    struct frame frame;
    struct cursor cursor;

    if (!read_frame(session, &frame))
        return false;
    published->header_len =
        frame.len < sizeof(published->header) ? frame.len : sizeof(published->header);
    memcpy(published->header, frame.payload, published->header_len);
    free(frame.payload);
    cursor = (struct cursor){published->header + 4, 8};
    published->body_len = (size_t)take_number(&cursor, 8);
    take_properties(published);
    published->body = calloc(1, published->body_len + 1);
    for (size_t have = 0; have < published->body_len; have += frame.len) {
        if (!read_frame(session, &frame))
            return false;
        memcpy(published->body + have, frame.payload, frame.len);
        free(frame.payload);
    }
    return true;
}

/* Room for one publish more; NULL: no memory. */
static struct published *add_published(struct fake_broker *fake)
{
    size_t capacity = fake->capacity ? 2 * fake->capacity : 16;
    struct published *grown = fake->published;

    if (fake->count == fake->capacity) {
        grown = reallocarray(fake->published, capacity, sizeof(*grown));
        if (!grown)
            return NULL;
        fake->published = grown;
        fake->capacity = capacity;
    }
    return &fake->published[fake->count++];
}

static bool read_rest_of_publish(struct session *session, const struct frame *method)
{
    struct published *published = add_published(session->fake);
    struct cursor cursor = {method->payload, method->len};

    if (!published)
        return false;
    *published = (struct published){.session = session->number};
    take_number(&cursor, 2);
    take_text(&cursor, published->exchange);
    take_text(&cursor, published->routing_key);
    published->mandatory = take_number(&cursor, 1) & 1;
    return read_content(session, published);
}

/* Notes what a spec may want to know, and answers a connection.close. */
static void note_method(struct session *session, const struct frame *frame)
{
    struct fake_broker *fake = session->fake;

    if (frame->method == METHOD(10, 11)) {
        fake->start_ok_len =
            frame->len < sizeof(fake->start_ok) ? frame->len : sizeof(fake->start_ok);
        memcpy(fake->start_ok, frame->payload, fake->start_ok_len);
    }
    if (frame->method == METHOD(10, 31) && frame->len == sizeof(fake->tune_ok))
        memcpy(fake->tune_ok, frame->payload, frame->len);
    if (frame->method == METHOD(10, 50)) {
        session_send_method(session, 0, 10, 51, "");
        session_flush(session);
        session->gone = true;
    }
}

/* One method; a publish with all that belongs to it. 0: the client has gone. */
static uint32_t read_method(struct session *session)
{
    struct frame frame;
    bool ok = true;

    do {
        if (!read_frame(session, &frame))
            return 0;
        note_method(session, &frame);
        if (frame.method == METHOD(60, 40))
            ok = read_rest_of_publish(session, &frame);
        free(frame.payload);
    } while (ok && frame.type != FRAME_METHOD);
    return ok && !session->gone ? frame.method : 0;
}

bool session_read_heartbeat(struct session *session)
{
    struct frame frame = {0};

    do {
        free(frame.payload);
        if (!read_frame(session, &frame))
            return false;
    } while (frame.type != FRAME_HEARTBEAT);
    free(frame.payload);
    return true;
}

bool session_read(struct session *session, int class_id, int method_id)
{
    uint32_t method;

    do
        method = read_method(session);
    while (method != 0 && method != METHOD(class_id, method_id));
    return method != 0;
}

bool session_read_publishes(struct session *session, size_t count)
{
    while (count > 0 && session_read(session, 60, 40))
        count--;
    return count == 0;
}

const struct published *session_published(struct session *session, uint64_t tag)
{
    size_t i = session->before + (size_t)tag - 1;

    return i < session->fake->count ? &session->fake->published[i] : NULL;
}

bool session_is_quiet(struct session *session, int ms)
{
    struct pollfd ready = {.fd = session->fake->fd, .events = POLLIN};

    return session_flush(session) && poll(&ready, 1, ms) == 0;
}

void session_be_silent(struct session *session)
{
    while (read_method(session) != 0)
        ;
}

void session_stall(struct session *session)
{
    struct pollfd ended = {.fd = session->fake->fd, .events = POLLRDHUP};

    if (session_flush(session))
        poll(&ended, 1, STALL_MS);
}

void session_flood(struct session *session)
{
    struct timespec now;
    time_t end;

    clock_gettime(CLOCK_MONOTONIC, &now);
    end = now.tv_sec + STALL_MS / 1000;
    session_flush(session);
    for (int i = 0; i < 10000; i++)
        session_send_heartbeat(session);
    while (now.tv_sec < end && write_all(session, session->out, session->out_len))
        clock_gettime(CLOCK_MONOTONIC, &now);
    session->out_len = 0;
}

void session_reset(struct session *session)
{
    const struct linger now = {.l_onoff = 1};

    session_flush(session);
    setsockopt(session->fake->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

bool session_log_in(struct session *session, enum step last)
{
    char header[8];

    if (!read_all(session, header, sizeof(header)) || last == STEP_HEADER)
        return !session->gone;
    session_send_method(session, 0, 10, 10, "ooTTT", 0, 9, "", "AMQPLAIN PLAIN", "en_US");
    if (!session_read(session, 10, 11) || last == STEP_START_OK)
        return !session->gone;
    session_send_method(session, 0, 10, 30, "sls", 2047, (uint32_t)131072,
                        session->heartbeat);
    if (!session_read(session, 10, 40) || last == STEP_OPEN)
        return !session->gone;
    session_send_method(session, 0, 10, 41, "S", "");
    if (!session_read(session, 20, 10) || last == STEP_CHANNEL_OPEN)
        return !session->gone;
    session_send_method(session, 1, 20, 11, "T", "");
    if (!session_read(session, 85, 10) || last == STEP_CONFIRM_SELECT)
        return !session->gone;
    session_send_method(session, 1, 85, 11, "");
    return !session->gone;
}

/* ------------------------------------------------------------- the thread */

/* The next connection, -1 when the fake is being stopped. */
static int next_connection(struct fake_broker *fake)
{
    const int on = 1;
    int fd = accept4(fake->listener, NULL, NULL, SOCK_CLOEXEC);

    if (fd >= 0)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    pthread_mutex_lock(&fake->lock);
    if (fake->stopping && fd >= 0) {
        close(fd);
        fd = -1;
    }
    fake->fd = fd;
    fake->connects += fd >= 0;
    pthread_mutex_unlock(&fake->lock);
    return fd;
}

static void end_connection(struct fake_broker *fake)
{
    pthread_mutex_lock(&fake->lock);
    close(fake->fd);
    fake->fd = -1;
    pthread_mutex_unlock(&fake->lock);
}

static void *run(void *data)
{
    struct fake_broker *fake = data;
    unsigned number = 0;

    while (next_connection(fake) >= 0) {
        struct session session = {
            .fake = fake, .number = number++, .before = fake->count, .heartbeat = 60};

        fake->script(&session);
        session_flush(&session);
        free(session.out);
        end_connection(fake);
    }
    return NULL;
}

/* A listener on a port that the system picks, or -1. */
static int listen_anywhere(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fd, 16) != 0 || getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        close(fd);
        return -1;
    }
    *port = ntohs(address.sin_port);
    return fd;
}

struct fake_broker *fake_broker_start(void (*script)(struct session *session))
{
    struct fake_broker *fake = calloc(1, sizeof(*fake));

    if (!fake)
        return NULL;
    fake->script = script;
    fake->fd = -1;
    pthread_mutex_init(&fake->lock, NULL);
    fake->listener = listen_anywhere(&fake->port);
    if (fake->listener < 0 || pthread_create(&fake->thread, NULL, run, fake) != 0) {
        close(fake->listener);
        free(fake);
        return NULL;
    }
    return fake;
}

void fake_broker_stop(struct fake_broker *fake)
{
    if (fake->listener < 0)
        return;
    pthread_mutex_lock(&fake->lock);
    fake->stopping = true;
    shutdown(fake->fd, SHUT_RDWR);
    shutdown(fake->listener, SHUT_RDWR);
    pthread_mutex_unlock(&fake->lock);
    pthread_join(fake->thread, NULL);
    close(fake->listener);
    fake->listener = -1;
}

void fake_broker_free(struct fake_broker *fake)
{
    if (!fake)
        return;
    fake_broker_stop(fake);
    for (size_t i = 0; i < fake->count; i++)
        free(fake->published[i].body);
    free(fake->published);
    pthread_mutex_destroy(&fake->lock);
    free(fake);
}
