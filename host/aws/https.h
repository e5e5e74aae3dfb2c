/* https.h -- calls to AWS, mostly signed, one after the other.
 *
 * HTTP/1.1 over TLS, never by way of a proxy, redirects not followed; signals stay as
 * they are. URLs, headers and bodies stay the caller's. */
#ifndef PIGEON_AWS_HTTPS_H
#define PIGEON_AWS_HTTPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/err.h"

struct https;

/* What became of one call. */
struct https_outcome {
    int code;    /* curl's; 0: a whole answer arrived */
    long status; /* of the answer */
};

/* Whether a URL may be called with credentials: https, or http to loopback, without a
 * user, a query or a fragment. False: err has the reason. */
bool https_check_url(const char *url, struct err *err);

/* The same for a GET that is not signed: it may have a query, and http goes to the
 * addresses too that containers of ECS and EKS have for credentials. */
bool https_check_container_url(const char *url, struct err *err);

/* NULL: err. */
struct https *https_open(struct err *err);

struct https_request {
    const char *url;
    const char *const *headers; /* "Name: value" each, NULL after the last */
    const char *body;           /* NULL: a GET */
    size_t len;
    int64_t timeout_ms;     /* less than 1 is 1 */
    const char *signed_for; /* "aws:amz:REGION:SERVICE"; NULL: not signed */
    const char *key_id;
    const char *secret_key;
    const char *bundle; /* the CAs for https, ca.h */
};

/* Sends a request. The answer's body goes into `reply`, whose maximum it must not
 * exceed. */
struct https_outcome https_call(struct https *https, const struct https_request *request,
                                struct buffer *reply);

/* Where no whole answer arrived: whether a retry may help. Not where the peer's
 * certificate was refused. */
bool https_may_pass(const struct https_outcome *outcome);

/* A header of the last answer; NULL: the answer has no such header; case does not matter.
 * It stays until the next call. */
const char *https_header(const struct https *https, const char *name);

/* Where no whole answer arrived, curl's cause in words, after the URL without its query,
 * which may have a token. Returns false, as err_set() does. */
bool https_tell(const struct https *https, const struct https_outcome *outcome,
                struct err *err);

void https_close(struct https *https);

#endif
