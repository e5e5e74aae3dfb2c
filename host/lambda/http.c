/* http.c -- requests on a socket, and response.c for what comes from it.
 * Not libcurl, which costs 123,000 instructions and 4 system calls an event more, 6 % of
 * its time and a quarter of its CPU. The connection is kept from call to call, or made
 * anew where it ended. A wait also polls the signals' descriptor, so that SIGTERM ends
 * one that could last for hours. */
#include "lambda/http.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/deadline.h"
#include "lambda/response.h"
#include "net/connector.h"

#define DEFAULT_PORT 80
#define CONNECT_TIMEOUT_MS 1000
#define POST_TIMEOUT_MS DEADLINE_MARGIN_MAX_MS
#define HEAD_MAX 65536    /* bytes */
#define PIECE_BYTES 65536 /* one read; an answer of the second connection is short */

/* The request. */
struct call {
    const char *path; /* for messages */
    const char *body; /* sent after http->head */
    size_t len;
    bool timed; /* with a deadline */
    struct deadline deadline;
};

/* How far one try came. */
struct attempt {
    bool kept;    /* on a kept connection */
    bool late;    /* the time was over before the whole response came */
    bool sent;    /* the whole request was sent */
    bool early;   /* the response came before that: the connection is not kept */
    bool begun;   /* a byte of the response came */
    bool stopped; /* a signal came first */
    bool ended;   /* the connection ended before a byte of the response */
};

struct http {
    struct connector *connector;
    int fd;          /* the connection; -1: none */
    int signals;     /* a signalfd; never read, so a stop stays a stop */
    char *fixed;     /* the headers that every request has */
    bool beside;     /* connector, signals, fixed: those of another */
    int64_t post_ms; /* how long a POST may take */
    struct buffer head;
    struct call call;
    struct attempt attempt;
    struct response *response;
    struct err cause; /* why no whole response came */
    char *piece;      /* the last piece read */
    size_t piece_max;
};

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
    struct err err = {0};

    if (http->fd >= 0)
        return true;
    deadline = http->call.timed
                   ? deadline_within(&http->call.deadline, CONNECT_TIMEOUT_MS)
                   : deadline_in(CONNECT_TIMEOUT_MS);
    http->fd = connector_connect(http->connector, 0, &deadline, &err);
    return http->fd >= 0 ||
           err_set(&http->cause, CAUSE_OTHER, "%s: %s", err.stage, err.text);
}

/* Waits for the connection, or, without a deadline, for a signal, as long as it takes.
 * Returns what the connection is ready for, before a signal counts; 0: nothing. */
static short wait_for(struct http *http, short events)
{
    const struct call *call = &http->call;
    struct pollfd ready[] = {{.fd = http->fd, .events = events},
                             {.fd = call->timed ? -1 : http->signals, .events = POLLIN}};
    int n;

    do
        n = poll(ready, 2, call->timed ? (int)deadline_left_ms(&call->deadline) : -1);
    while (n < 0 && errno == EINTR);
    http->attempt.stopped = n > 0 && ready[0].revents == 0;
    http->attempt.late = n == 0;
    if (n <= 0)
        err_set(&http->cause, CAUSE_OTHER, "%s",
                n == 0 ? "no answer in time" : strerror(errno));
    return n > 0 ? ready[0].revents : 0;
}

/* Removes the sent bytes. */
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
                            {(void *)(uintptr_t)http->call.body, http->call.len}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};

    while (parts[0].iov_len + parts[1].iov_len > 0 && !http->attempt.early) {
        ssize_t n = sendmsg(http->fd, &message, MSG_NOSIGNAL);
        short ready = POLLOUT;

        if (n >= 0) {
            advance(parts, (size_t)n);
        } else if (errno == EAGAIN) {
            ready = wait_for(http, POLLIN | POLLOUT);
            http->attempt.early = (ready & POLLIN) != 0;
        } else if (errno != EINTR) {
            http->attempt.ended = true;
            return err_set(&http->cause, CAUSE_OTHER, "%s", strerror(errno));
        }
        if (ready == 0)
            return false;
    }
    return true;
}

/* One piece of the response. */
static bool read_piece(struct http *http)
{
    ssize_t n = recv(http->fd, http->piece, http->piece_max, 0);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (n > 0) {
        http->attempt.begun = true;
        return response_take(http->response, http->piece, (size_t)n, &http->cause);
    }
    http->attempt.ended = !http->attempt.begun;
    return err_set(&http->cause, CAUSE_OTHER, "the connection ended %s%s%s",
                   http->attempt.begun ? "in the answer" : "without an answer",
                   n < 0 ? ": " : "", n < 0 ? strerror(errno) : "");
}

/* The response to a POST has usually arrived by now: try to read before polling. */
static bool read_answer(struct http *http)
{
    bool looks = http->call.timed;

    while (!response_whole(http->response)) {
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
    http->attempt = (struct attempt){0};
    buffer_clear(&http->head);
    return (buffer_append_text(&http->head, method) &&
            buffer_append_text(&http->head, path) &&
            buffer_append_text(&http->head, " HTTP/1.1\r\n") &&
            buffer_append_text(&http->head, http->fixed) &&
            buffer_append_text(&http->head, headers) &&
            buffer_append_text(&http->head, more ? more : "") &&
            buffer_append_text(&http->head, more ? "\r\n\r\n" : "\r\n")) ||
           err_set(&http->cause, CAUSE_OTHER, "the request is too long");
}

/* On a kept connection, or a new one. */
static void send_request(struct http *http)
{
    http->attempt = (struct attempt){.kept = http->fd >= 0};
    http->attempt.sent = connect_server(http) && send_parts(http);
}

/* Beside another, the connection is kept for an answer that is late. */
static bool receive(struct http *http, struct buffer *body, bool cut)
{
    bool ok, keeps;

    if (!http->attempt.begun)
        response_begin(http->response, body, cut);
    ok = http->attempt.sent && read_answer(http);
    keeps = ok ? !http->attempt.early && response_keeps(http->response)
               : http->beside && http->attempt.late;
    if (!keeps)
        hang_up(http);
    return ok;
}

/* Where the server ended the kept connection meanwhile, sends the request once more on a
 * new one. */
static struct http_outcome finish(struct http *http, struct buffer *body, bool cut)
{
    struct http_outcome outcome = {.arrived = receive(http, body, cut)};

    outcome.again = http->attempt.kept && http->attempt.ended;
    if (outcome.again) {
        send_request(http);
        outcome.arrived = receive(http, body, cut);
    }
    outcome.stopped = http->attempt.stopped;
    outcome.late = http->attempt.late && http->fd >= 0;
    outcome.status = outcome.arrived ? response_status(http->response) : 0;
    return outcome;
}

void http_ask(struct http *http, const char *path, const char *header)
{
    http->call = (struct call){.path = path, .body = ""};
    if (write_head(http, "GET ", path, "", header))
        send_request(http);
}

struct http_outcome http_hear(struct http *http, struct buffer *body)
{
    return finish(http, body, false);
}

bool http_hears_first(const struct http *http, const struct http *other)
{
    struct pollfd ready[] = {{.fd = http->fd, .events = POLLIN},
                             {.fd = other->fd, .events = POLLIN},
                             {.fd = other->signals, .events = POLLIN}};
    int n;

    if (http->fd < 0 || other->fd < 0)
        return false;
    do
        n = poll(ready, 3, -1);
    while (n < 0 && errno == EINTR);
    return n > 0 && ready[0].revents != 0;
}

void http_post(struct http *http, const char *path, const char *header, const char *body,
               size_t len)
{
    char headers[96];

    snprintf(headers, sizeof(headers),
             "Content-Type: application/json\r\nContent-Length: %zu\r\n", len);
    http->call = (struct call){.path = path,
                               .body = body,
                               .len = len,
                               .timed = true,
                               .deadline = deadline_in(http->post_ms)};
    if (write_head(http, "POST ", path, headers, header))
        send_request(http);
}

struct http_outcome http_await(struct http *http, struct buffer *reply)
{
    if (http->attempt.late) /* once more */
        http->call.deadline = deadline_in(http->post_ms);
    http->attempt.late = false;
    return finish(http, reply, true);
}

const char *http_header(const struct http *http, const char *name)
{
    return response_header(http->response, name);
}

bool http_stop_asked(const struct http *http, int wait_ms)
{
    struct pollfd fd = {.fd = http->signals, .events = POLLIN};

    return poll(&fd, 1, wait_ms) > 0;
}

bool http_explain(const struct http *http, const struct http_outcome *outcome,
                  const struct buffer *body, struct err *err)
{
    if (!outcome->arrived)
        return err_set(err, CAUSE_OTHER, "http://%s%.200s: %s",
                       connector_label(http->connector, 0), http->call.path,
                       http->cause.text);
    return err_set(err, CAUSE_OTHER, "http://%s%.200s: status %u: %.200s",
                   connector_label(http->connector, 0), http->call.path, outcome->status,
                   body->len > 0 ? body->data : "(no body)");
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
    return http->signals >= 0 ||
           err_set(err, CAUSE_OTHER, "signalfd: %s", strerror(errno));
}

static bool set_up(struct http *http, const char *server, struct err *err)
{
    http->connector = connector_open(server, DEFAULT_PORT, "off", err);
    if (!http->connector)
        return err_set(err, CAUSE_OTHER,
                       "AWS_LAMBDA_RUNTIME_API is `%s`, but must be HOST:PORT", server);
    if (asprintf(&http->fixed,
                 "Host: %s\r\nUser-Agent: pigeon/" PIGEON_VERSION "\r\nAccept: */*\r\n",
                 server) < 0)
        http->fixed = NULL;
    if (!http->fixed)
        return err_set(err, CAUSE_MEMORY, "out of memory");
    return block_stops(http, err);
}

/* Without a server yet. */
static struct http *open_one(size_t piece_max)
{
    struct http *http = calloc(1, sizeof(*http));

    if (!http)
        return NULL;
    *http = (struct http){.fd = -1,
                          .signals = -1,
                          .post_ms = POST_TIMEOUT_MS,
                          .head.max = HEAD_MAX,
                          .response = response_open(),
                          .piece = malloc(piece_max),
                          .piece_max = piece_max};
    if (http->piece && http->response)
        return http;
    http_close(http);
    return NULL;
}

struct http *http_open(const char *server, struct err *err)
{
    struct http *http = open_one(PIECE_BYTES);

    if (!http)
        err_set(err, CAUSE_MEMORY, "out of memory");
    if (!http || set_up(http, server, err))
        return http;
    http_close(http);
    return NULL;
}

struct http *http_open_beside(const struct http *first, int64_t post_ms)
{
    struct http *http = open_one(PIECE_BYTES / 16);

    if (!http)
        return NULL;
    http->beside = true;
    http->connector = first->connector;
    http->signals = first->signals;
    http->fixed = first->fixed;
    http->post_ms = post_ms;
    return http;
}

/* The signals stay blocked: a pending one must not kill the process while it closes. */
void http_close(struct http *http)
{
    if (!http)
        return;
    hang_up(http);
    if (!http->beside) {
        if (http->signals >= 0)
            close(http->signals);
        connector_close(http->connector);
        free(http->fixed);
    }
    buffer_free(&http->head);
    response_close(http->response);
    free(http->piece);
    free(http);
}
