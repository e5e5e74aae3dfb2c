/* http.h -- one HTTP call after the other, over one kept connection.
 *
 * HTTP/1.1, never by way of a proxy, redirects not followed. http_open() is for the
 * Runtime API, without TLS: from it on SIGTERM and SIGINT are blocked in the whole
 * process, for good; http_get() and http_stop_asked() notice them. http_open_client() is
 * for signed calls to AWS, with TLS. URLs, headers and bodies stay the caller's. */
#ifndef PIGEON_HTTP_H
#define PIGEON_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "err.h"

struct http;

/* What became of one call. */
struct http_outcome {
    bool arrived; /* a whole answer did */
    bool stopped; /* SIGTERM or SIGINT came first; only of http_get() */
    int code;     /* curl's, where no whole answer arrived */
    long status;
};

struct http *http_open(const char *user_agent, struct err *err);

/* Waits as long as it takes. The answer's body goes into `body`, whose maximum it must
 * not exceed. */
struct http_outcome http_get(struct http *http, const char *url, struct buffer *body);

/* Posts JSON with one more header ("Name: value", NULL: none), for 5 s at most. Of the
 * answer's body what fits into `reply` is kept. */
struct http_outcome http_post(struct http *http, const char *url, const char *header,
                              const char *body, size_t len, struct buffer *reply);

/* Whether a URL may be called with credentials: https, or http to loopback, without a
 * user, a query or a fragment. False: err says what is wrong with it. */
bool http_check_url(const char *url, struct err *err);

/* For http_call(); signals stay as they are. */
struct http *http_open_client(const char *user_agent, struct err *err);

struct http_request {
    const char *url;
    const char *const *headers; /* "Name: value" each, NULL behind the last */
    const char *body;
    size_t len;
    int64_t timeout_ms;
    const char *signed_for; /* "aws:amz:REGION:SERVICE" */
    const char *key_id;
    const char *secret_key;
    const char *bundle; /* the CAs for https, trust.h */
};

/* Posts a signed request. The answer's body goes into `reply`, whose maximum it must not
 * exceed. */
struct http_outcome http_call(struct http *http, const struct http_request *request,
                              struct buffer *reply);

/* Whether trying again may help where no whole answer arrived: not where the peer's
 * certificate is of no use. */
bool http_may_pass(const struct http_outcome *outcome);

/* A header of the last answer; NULL: it has none of that name, in any case of letters.
 * It stays until the next call. */
const char *http_header(const struct http *http, const char *name);

/* Whether SIGTERM or SIGINT came, or comes within wait_ms; once true, always true. */
bool http_stop_asked(const struct http *http, int wait_ms);

/* What became of the last call, in words: its URL, and curl's cause or the status and
 * the beginning of the body. Returns false, as err_set() does. */
bool http_tell(const struct http *http, const struct http_outcome *outcome,
               const struct buffer *body, struct err *err);

void http_close(struct http *http);

#endif
