/* extension.h -- Pigeon as an internal extension of Lambda, for a good end.
 *
 * Lambda sends SIGTERM only where an extension is registered; without one it ends the
 * process at once, and the broker keeps the connection until two heartbeats are missing:
 * https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html. The
 * extension asks for no kind of event. It has to ask for the next one all the same, and
 * init ends only when it has: the request stays open, unanswered, on its own connection.
 * A failure costs the good end and nothing else. */
#ifndef PIGEON_LAMBDA_EXTENSION_H
#define PIGEON_LAMBDA_EXTENSION_H

#include <stdbool.h>

#include "base/err.h"
#include "lambda/http.h"

#define EXTENSION_REGISTER_MS 1000 /* for registering, the connect included */

struct extension;

/* Sends the request to register, beside `api`, which stays open longer. NULL: out of
 * memory. */
struct extension *extension_open(const struct http *api);

/* Waits for the answer, until 1 s after extension_open(), and asks for the next event.
 * False: err has the cause. */
bool extension_settle(struct extension *extension, struct err *err);

/* Where no answer came in time: waits until it comes, and settles then, or until
 * something else happens on `api`. Otherwise it returns at once. */
void extension_settle_late(struct extension *extension, const struct http *api);

void extension_close(struct extension *extension);

#endif
