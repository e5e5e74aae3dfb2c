/* http.h -- the Runtime API's HTTP/1.1: one call after the other, over one kept
 * connection.
 *
 * Without TLS, proxies or redirects. From http_open() on SIGTERM and SIGINT are blocked
 * in the whole process, for good; http_get() and http_stop_asked() notice them. Paths,
 * headers and bodies stay the caller's, a path until the next call. */
#ifndef PIGEON_LAMBDA_HTTP_H
#define PIGEON_LAMBDA_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/err.h"

struct http;

/* The result of one call. */
struct http_outcome {
    bool arrived; /* a whole response did */
    bool stopped; /* SIGTERM or SIGINT came first; only of http_get() */
    bool again;   /* the request was sent twice, since the kept connection had ended */
    unsigned status;
};

/* `server` is host:port (port 80 without a port); no connection is made yet. NULL:
 * err. */
struct http *http_open(const char *server, struct err *err);

/* Waits without a limit. The body of the response goes into `body`, whose maximum it must
 * not exceed. */
struct http_outcome http_get(struct http *http, const char *path, struct buffer *body);

/* Sends JSON with one more header ("Name: value", NULL: none). http_await() has to
 * follow, with room for other work between the two; path and body stay until then. */
void http_post(struct http *http, const char *path, const char *header, const char *body,
               size_t len);

/* Waits for the answer, until 5 s after http_post(). The part of its body that fits into
 * `reply` is kept. */
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
