/* response.h -- a response of HTTP/1.1, out of the pieces that it comes in: the only
 * place that knows http_parser. */
#ifndef PIGEON_LAMBDA_RESPONSE_H
#define PIGEON_LAMBDA_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/err.h"

struct response;

/* For one response after the other. NULL: out of memory. */
struct response *response_open(void);

/* A new one comes. Its body goes into `body`, which stays the caller's: where `cut`, what
 * fits into it; else what does not is an error. */
void response_begin(struct response *response, struct buffer *body, bool cut);

/* The next piece. False: err says what is wrong with it, and no more can be read. */
bool response_take(struct response *response, const char *piece, size_t len,
                   struct err *err);

/* All of it came. The rest is known then. */
bool response_whole(const struct response *response);

/* Whether the connection stays for another one. */
bool response_keeps(const struct response *response);

unsigned response_status(const struct response *response);

/* The value of a header, in any case of letters; NULL: there is none. It stays until
 * response_begin(). */
const char *response_header(const struct response *response, const char *name);

void response_close(struct response *response);

#endif
