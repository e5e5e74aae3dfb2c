/* http.h -- the HTTP/1.1 of Lambda's APIs: one call after the other, over one kept
 * connection.
 *
 * Without TLS, proxies or redirects. From http_open() on SIGTERM and SIGINT are blocked
 * in the whole process, for good; http_hear() and http_stop_asked() notice them. Paths,
 * headers and bodies stay the caller's, a path until the next call. */
#ifndef PIGEON_LAMBDA_HTTP_H
#define PIGEON_LAMBDA_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/err.h"

struct http;

/* The result of one call. */
struct http_outcome {
    bool arrived; /* a whole response did */
    bool stopped; /* SIGTERM or SIGINT came first; only of http_hear() */
    bool late;    /* no whole answer in the time that a POST may take */
    bool again;   /* the request was sent twice, since the kept connection had ended */
    unsigned status;
};

/* `server` is host:port (port 80 without a port); no connection is made yet. NULL:
 * err. */
struct http *http_open(const char *server, struct err *err);

/* A second connection to the same server, whose POSTs may take post_ms, the connect
 * included; one that got no whole answer in that time is kept, for http_await() once
 * more, which waits as long again. It has to be closed before the first. NULL: out of
 * memory. */
struct http *http_open_beside(const struct http *first, int64_t post_ms);

/* Sends a GET with one more header ("Name: value", NULL: none). http_hear() may follow,
 * and waits without a limit. The body of the response goes into `body`, whose maximum it
 * must not exceed. */
void http_ask(struct http *http, const char *path, const char *header);
struct http_outcome http_hear(struct http *http, struct buffer *body);

/* Waits until an answer begins on one of the two, or SIGTERM or SIGINT comes. True: on
 * the first. At once where one of them has no connection. */
bool http_hears_first(const struct http *http, const struct http *other);

/* Sends JSON with one more header ("Name: value", NULL: none). http_await() has to
 * follow, with room for other work between the two; path and body stay until then. */
void http_post(struct http *http, const char *path, const char *header, const char *body,
               size_t len);

/* Waits for the answer, until 5 s, or post_ms, after http_post(). The part of its body
 * that fits into `reply` is kept. */
struct http_outcome http_await(struct http *http, struct buffer *reply);

/* A header of the last response; case does not matter. NULL: no such header.
 * It stays until the next call. */
const char *http_header(const struct http *http, const char *name);

/* Whether SIGTERM or SIGINT came, or comes within wait_ms; once true, always true. */
bool http_stop_asked(const struct http *http, int wait_ms);

/* The result of the last call in words: its URL, and the cause or the status and the
 * beginning of the body. Returns false, as err_set() does. */
bool http_explain(const struct http *http, const struct http_outcome *outcome,
                  const struct buffer *body, struct err *err);

void http_close(struct http *http);

#endif
