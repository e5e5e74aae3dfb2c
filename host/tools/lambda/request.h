/* request.h -- one HTTP request to the Runtime API or the Extensions API: which call it
 * is, its body, its reply.
 *
 * Knows libmicrohttpd and URLs; api.h has the states. The connection stays
 * libmicrohttpd's. */
#ifndef PIGEON_TOOLS_LAMBDA_REQUEST_H
#define PIGEON_TOOLS_LAMBDA_REQUEST_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

enum verb {
    VERB_NONE,
    VERB_NEXT,
    VERB_RESPONSE,
    VERB_ERROR,
    VERB_INIT_ERROR,
    VERB_PING,
    VERB_REGISTER,      /* an extension */
    VERB_EXTENSION_NEXT /* its next event */
};

struct request {
    enum verb verb;
    char id[64]; /* of the event, in the URL of an answer; a longer one is cut */
    struct MHD_Connection *connection;
    struct buffer body;
    bool too_large;
    bool abandoned;   /* the client is gone */
    bool sending;     /* it brings the answer */
    unsigned refused; /* the status code, 0: not */
    char refusal[256];
};

/* A request whose headers are here; `max` is for its body. NULL: out of memory. */
struct request *request_open(struct MHD_Connection *connection, const char *method,
                             const char *url, size_t max);

/* A piece of the body. The excess is dropped, and the request is too_large. */
void request_take(struct request *request, const char *piece, size_t len);

/* The value of a header; NULL: there is none. */
const char *request_header(const struct request *request, const char *name);

/* Sets the error that the request is refused with. */
void request_refuse(struct request *request, unsigned code, const char *type,
                    const char *message);

/* The whole reply, with the content type of JSON. */
enum MHD_Result request_reply(struct request *request, unsigned code, const char *body);

/* A JSON response, for a reply with more headers; the caller queues and destroys it. */
struct MHD_Response *request_json(const char *body, size_t len);

/* A new UUID of version 4. */
void request_new_id(char id[37]);

void request_close(struct request *request);

#endif
