/* response.h -- an HTTP/1.1 response, from the pieces in which it arrives: the only place
 * that knows http_parser. */
#ifndef PIGEON_LAMBDA_RESPONSE_H
#define PIGEON_LAMBDA_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/err.h"

struct response;

/* For one response after the other. NULL: out of memory. */
struct response *response_open(void);

/* Begins a new one. Its body goes into `body`, which stays the caller's. With `cut` the
 * part that does not fit is dropped, otherwise it is an error. */
void response_begin(struct response *response, struct buffer *body, bool cut);

/* The next piece. False: err has what is wrong, and no more can be read. */
bool response_take(struct response *response, const char *piece, size_t len,
                   struct err *err);

/* Whether it is complete; the functions below need that. */
bool response_whole(const struct response *response);

/* Whether the connection can be kept. */
bool response_keeps(const struct response *response);

unsigned response_status(const struct response *response);

/* The value of a header; case does not matter. NULL: no such header. It stays until
 * response_begin(). */
const char *response_header(const struct response *response, const char *name);

void response_close(struct response *response);

#endif
