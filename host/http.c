/* http.c -- a socket, and http_parser to read what comes from it.
 *
 * Not libcurl, which takes more of a warm event than all else in the host: it reckons
 * with what a server on the same machine never does. A connection is kept from call to
 * call, and one that ended meanwhile is made anew. A wait also looks at the signals'
 * descriptor, so that a SIGTERM ends a call that would otherwise wait for hours. */
#include "http.h"

#include <errno.h>
#include <http_parser.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "deadline.h"
#include "dial.h"

#define DEFAULT_PORT 80
#define CONNECT_TIMEOUT_MS 1000
#define POST_TIMEOUT_MS 5000 /* the most that a deadline keeps back for the answer */
#define HEAD_MAX 65536       /* bytes of a request's head, or of an answer's headers */
#define PIECE_BYTES 65536    /* what is read at once */

/* What is sent behind http->head. */
struct request {
    const char *body;
    size_t len;
    bool timed; /* there is a deadline */
    struct deadline deadline;
    bool kept; /* on a connection that was there before */
    bool sent;
};

/* The answer that is being read. */
struct reading {
    struct buffer *body;
    bool cut;     /* what does not fit into the body is dropped; else it is an error */
    bool begun;   /* a byte of it came */
    bool whole;   /* all of it came */
    bool in_name; /* of a header, not in its value */
    bool stopped; /* a signal came first */
    bool ended;   /* the connection did, before a byte of it came */
    bool early;   /* it came before the request was sent: no further call on this one */
};

struct http {
    struct dial *dial;
    int fd;      /* the connection; -1: none */
    int signals; /* a signalfd; never read, so a stop stays a stop */
    char *fixed; /* the headers that every request has */
    struct buffer head;
    const char *path; /* of the last call, to tell of it */
    struct request request;
    http_parser parser;
    struct reading reading;
    struct buffer headers; /* of the last answer: name, NUL, value, NUL, ... */
    struct err cause;      /* why no whole answer came */
    char *piece;           /* the last piece read, PIECE_BYTES at most */
};

/* ------------------------------------------------------------- reading an answer */

static struct http *http_of(http_parser *parser)
{
    return parser->data;
}

/* The end of a name or of a value, without the blanks that may follow one. */
static bool end_text(struct buffer *headers)
{
    while (headers->len > 0 && strchr(" \t", headers->data[headers->len - 1]))
        headers->len--; /* a NUL ends it, too */
    return buffer_append(headers, "", 1);
}

static int take_name(http_parser *parser, const char *at, size_t len)
{
    struct http *http = http_of(parser);
    bool ok = http->reading.in_name || http->headers.len == 0 || end_text(&http->headers);

    http->reading.in_name = true;
    return !ok || !buffer_append(&http->headers, at, len);
}

static int take_value(http_parser *parser, const char *at, size_t len)
{
    struct http *http = http_of(parser);
    bool ok = !http->reading.in_name || end_text(&http->headers);

    http->reading.in_name = false;
    return !ok || !buffer_append(&http->headers, at, len);
}

/* A body that ends where the connection ends may be half of one. */
static int end_headers(http_parser *parser)
{
    struct http *http = http_of(parser);

    if (http->headers.len > 0 && !end_text(&http->headers))
        return -1;
    if (parser->content_length != ULLONG_MAX || (parser->flags & F_CHUNKED) ||
        parser->status_code / 100 == 1 || parser->status_code == 204)
        return 0;
    err_set(&http->cause, "an answer that does not say its length");
    return -1;
}

static int take_body(http_parser *parser, const char *at, size_t len)
{
    struct http *http = http_of(parser);
    struct buffer *body = http->reading.body;
    size_t room = body->max - body->len;

    if (http->reading.cut && len > room)
        len = room;
    if (buffer_append(body, at, len))
        return 0;
    err_set(&http->cause, "an answer of more than %zu bytes", body->max);
    return -1;
}

static int end_answer(http_parser *parser)
{
    struct http *http = http_of(parser);

    if (parser->status_code / 100 == 1) { /* "100 Continue": the answer is yet to come */
        buffer_clear(&http->headers);
        return 0;
    }
    http->reading.whole = true;
    http_parser_pause(parser, 1);
    return 0;
}

static const http_parser_settings on_parts = {
    .on_header_field = take_name,
    .on_header_value = take_value,
    .on_headers_complete = end_headers,
    .on_body = take_body,
    .on_message_complete = end_answer,
};

static void begin_reading(struct http *http)
{
    buffer_clear(&http->headers);
    http->reading = (struct reading){0};
    http->cause.text[0] = '\0';
    http_parser_init(&http->parser, HTTP_RESPONSE);
    http->parser.data = http;
}

/* A piece of the answer, in http->piece. False: it is none, or too long. */
static bool parse(struct http *http, size_t len)
{
    size_t parsed = http_parser_execute(&http->parser, &on_parts, http->piece, len);
    enum http_errno status = HTTP_PARSER_ERRNO(&http->parser);

    if (http->reading.whole && parsed == len)
        return true;
    if (!http->reading.whole && status == HPE_OK && !http->parser.upgrade)
        return true;
    if (http->cause.text[0] == '\0')
        err_set(&http->cause, "no answer in HTTP: %s",
                http->reading.whole ? "bytes behind its end"
                                    : http_errno_description(status));
    http->reading.whole = false;
    return false;
}

/* ------------------------------------------------------------- the connection */

static void hang_up(struct http *http)
{
    if (http->fd >= 0)
        close(http->fd);
    http->fd = -1;
}

static bool connect_server(struct http *http)
{
    struct deadline deadline;
    const char *stage;
    struct err err = {0};

    if (http->fd >= 0)
        return true;
    deadline = deadline_in(CONNECT_TIMEOUT_MS);
    http->fd = dial_connect(http->dial, 0, &deadline, &stage, &err);
    return http->fd >= 0 || err_set(&http->cause, "%s: %s", stage, err.text);
}

/* Waits for the connection, or, without a deadline, for a signal, as long as it takes.
 * What the connection is ready for; 0: nothing. */
static short wait_for(struct http *http, short events)
{
    const struct request *request = &http->request;
    struct pollfd ready[] = {
        {.fd = http->fd, .events = events},
        {.fd = request->timed ? -1 : http->signals, .events = POLLIN}};
    int n;

    do
        n = poll(ready, 2,
                 request->timed ? (int)deadline_left_ms(&request->deadline) : -1);
    while (n < 0 && errno == EINTR);
    http->reading.stopped = n > 0 && ready[0].revents == 0; /* what came is taken first */
    if (n <= 0)
        err_set(&http->cause, "%s", n == 0 ? "no answer in time" : strerror(errno));
    return n > 0 ? ready[0].revents : 0;
}

/* Takes off what was sent. */
static void advance(struct iovec *parts, size_t sent)
{
    for (size_t i = 0; i < 2; i++) {
        size_t len = sent < parts[i].iov_len ? sent : parts[i].iov_len;

        parts[i].iov_base = (char *)parts[i].iov_base + len;
        parts[i].iov_len -= len;
        sent -= len;
    }
}

static bool send_parts(struct http *http)
{
    struct iovec parts[] = {{http->head.data, http->head.len},
                            {(void *)(uintptr_t)http->request.body, http->request.len}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};

    while (parts[0].iov_len + parts[1].iov_len > 0 && !http->reading.early) {
        ssize_t n = sendmsg(http->fd, &message, MSG_NOSIGNAL);
        short ready = POLLOUT;

        if (n >= 0) {
            advance(parts, (size_t)n);
        } else if (errno == EAGAIN) {
            ready = wait_for(http, POLLIN | POLLOUT);
            http->reading.early = (ready & POLLIN) != 0;
        } else if (errno != EINTR) {
            http->reading.ended = true;
            return err_set(&http->cause, "%s", strerror(errno));
        }
        if (ready == 0)
            return false;
    }
    return true;
}

/* One piece of the answer. */
static bool read_piece(struct http *http)
{
    ssize_t n = recv(http->fd, http->piece, PIECE_BYTES, 0);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (n > 0) {
        http->reading.begun = true;
        return parse(http, (size_t)n);
    }
    http->reading.ended = !http->reading.begun;
    return err_set(&http->cause, "the connection ended %s%s%s",
                   http->reading.begun ? "in the answer" : "without an answer",
                   n < 0 ? ": " : "", n < 0 ? strerror(errno) : "");
}

/* That to a post has mostly come by now, so it is looked for before it is waited for. */
static bool read_answer(struct http *http)
{
    bool looks = http->request.timed;

    while (!http->reading.whole) {
        if ((!looks && !wait_for(http, POLLIN)) || !read_piece(http))
            return false;
        looks = false;
    }
    return true;
}

/* ------------------------------------------------------------- calls */

/* `headers` are lines, `more` is one more without its end, or NULL. */
static bool write_head(struct http *http, const char *method, const char *path,
                       const char *headers, const char *more)
{
    buffer_clear(&http->head);
    http->path = path;
    return (buffer_append_text(&http->head, method) &&
            buffer_append_text(&http->head, path) &&
            buffer_append_text(&http->head, " HTTP/1.1\r\n") &&
            buffer_append_text(&http->head, http->fixed) &&
            buffer_append_text(&http->head, headers) &&
            buffer_append_text(&http->head, more ? more : "") &&
            buffer_append_text(&http->head, more ? "\r\n\r\n" : "\r\n")) ||
           err_set(&http->cause, "the request is too long");
}

/* On a kept connection, or a new one. */
static void send_request(struct http *http)
{
    http->request.kept = http->fd >= 0;
    begin_reading(http);
    http->request.sent = connect_server(http) && send_parts(http);
}

static bool receive(struct http *http, struct buffer *body, bool cut)
{
    bool ok;

    buffer_clear(body);
    http->reading.body = body;
    http->reading.cut = cut;
    ok = http->request.sent && read_answer(http);
    if (!ok || http->reading.early || !http_should_keep_alive(&http->parser))
        hang_up(http);
    return ok;
}

/* The server may have ended a kept connection meanwhile; then once more on a new one. */
static struct http_outcome finish(struct http *http, struct buffer *body, bool cut)
{
    struct http_outcome outcome = {.arrived = receive(http, body, cut)};

    outcome.again = http->request.kept && http->reading.ended;
    if (outcome.again) {
        send_request(http);
        outcome.arrived = receive(http, body, cut);
    }
    outcome.stopped = http->reading.stopped;
    outcome.status = outcome.arrived ? http->parser.status_code : 0;
    return outcome;
}

struct http_outcome http_get(struct http *http, const char *path, struct buffer *body)
{
    http->request = (struct request){.body = ""};
    if (write_head(http, "GET ", path, "", NULL))
        send_request(http);
    return finish(http, body, false);
}

void http_post(struct http *http, const char *path, const char *header, const char *body,
               size_t len)
{
    char headers[96];

    snprintf(headers, sizeof(headers),
             "Content-Type: application/json\r\nContent-Length: %zu\r\n", len);
    http->request = (struct request){.body = body,
                                     .len = len,
                                     .timed = true,
                                     .deadline = deadline_in(POST_TIMEOUT_MS)};
    if (write_head(http, "POST ", path, headers, header))
        send_request(http);
}

struct http_outcome http_await(struct http *http, struct buffer *reply)
{
    return finish(http, reply, true);
}

/* ------------------------------------------------------------- what came back */

const char *http_header(const struct http *http, const char *name)
{
    const char *at = http->headers.data;
    const char *end = at + http->headers.len;

    while (at < end) {
        const char *value = at + strlen(at) + 1;

        if (strcasecmp(at, name) == 0)
            return value;
        at = value + strlen(value) + 1;
    }
    return NULL;
}

bool http_stop_asked(const struct http *http, int wait_ms)
{
    struct pollfd fd = {.fd = http->signals, .events = POLLIN};

    return poll(&fd, 1, wait_ms) > 0;
}

bool http_tell(const struct http *http, const struct http_outcome *outcome,
               const struct buffer *body, struct err *err)
{
    if (!outcome->arrived)
        return err_set(err, "http://%s%s: %s", dial_name(http->dial, 0), http->path,
                       http->cause.text);
    return err_set(err, "http://%s%s: status %u: %.200s", dial_name(http->dial, 0),
                   http->path, outcome->status, body->len > 0 ? body->data : "(no body)");
}

/* ------------------------------------------------------------- open and close */

static bool block_stops(struct http *http, struct err *err)
{
    sigset_t stops;

    sigemptyset(&stops);
    sigaddset(&stops, SIGTERM);
    sigaddset(&stops, SIGINT);
    pthread_sigmask(SIG_BLOCK, &stops, NULL);
    http->signals = signalfd(-1, &stops, SFD_CLOEXEC);
    return http->signals >= 0 || err_set(err, "signalfd: %s", strerror(errno));
}

static bool set_up(struct http *http, const char *server, const char *user_agent,
                   struct err *err)
{
    http->fd = -1;
    http->signals = -1;
    http->head.max = http->headers.max = HEAD_MAX;
    http->dial = dial_open(server, DEFAULT_PORT, "off", err);
    if (!http->dial)
        return err_set(err, "AWS_LAMBDA_RUNTIME_API is `%s`, and should be HOST:PORT",
                       server);
    http->piece = malloc(PIECE_BYTES);
    if (asprintf(&http->fixed, "Host: %s\r\nUser-Agent: %s\r\nAccept: */*\r\n", server,
                 user_agent) < 0)
        http->fixed = NULL;
    if (!http->fixed || !http->piece)
        return err_set(err, "out of memory");
    return block_stops(http, err);
}

struct http *http_open(const char *server, const char *user_agent, struct err *err)
{
    struct http *http = calloc(1, sizeof(*http));

    if (!http) {
        err_set(err, "out of memory");
        return NULL;
    }
    if (set_up(http, server, user_agent, err))
        return http;
    http_close(http);
    return NULL;
}

/* The signals stay blocked: one that came meanwhile must not kill what is still to do. */
void http_close(struct http *http)
{
    if (!http)
        return;
    hang_up(http);
    if (http->signals >= 0)
        close(http->signals);
    dial_close(http->dial);
    buffer_free(&http->head);
    buffer_free(&http->headers);
    free(http->piece);
    free(http->fixed);
    free(http);
}
