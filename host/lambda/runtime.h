/* runtime.h -- the Lambda Runtime API: take an event, send its answer.
 *
 * One kept HTTP/1.1 connection, no proxy, no timeout on /next, in which the process is
 * frozen between events. The runtime owns the strings and the payload of an event until
 * the next call of runtime_next(). SIGTERM and SIGINT are noticed in runtime_next()
 * alone: an event that has begun is finished first. Reactions to each status code:
 * https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html */
#ifndef PIGEON_LAMBDA_RUNTIME_H
#define PIGEON_LAMBDA_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct runtime;

struct runtime_event {
    const char *request_id;
    int64_t deadline_ms; /* Unix milliseconds; 0: no header */
    const char *payload;
    size_t payload_len;
};

enum runtime_next {
    RUNTIME_EVENT, /* *event is filled in */
    RUNTIME_STOP,  /* SIGTERM or SIGINT came: close what is open and exit 0 */
    RUNTIME_GONE   /* err has the cause: no more events, exit 1 */
};

/* `api` is AWS_LAMBDA_RUNTIME_API, host:port; no connection is made yet. NULL: err. */
struct runtime *runtime_open(const char *api, struct err *err);

/* Registers an internal extension, so that SIGTERM comes before the end (extension.h);
 * runtime_extended() has to follow before the first runtime_next(), with room for other
 * work between the two: it waits until 1 s after runtime_extend(). False: err has the
 * cause, and all goes on without. */
void runtime_extend(struct runtime *runtime);
bool runtime_extended(struct runtime *runtime, struct err *err);

/* Asks for the next event, and waits for it without a limit. */
enum runtime_next runtime_next(struct runtime *runtime, struct runtime_event *event,
                               struct err *err);

/* Sends the answer to the event that runtime_next() gave last; of an error, the body is
 * its JSON and `type` the header's Function.X, otherwise `type` is NULL. runtime_await()
 * has to follow, with room for other work between the two; type and body stay until then.
 */
void runtime_answer(struct runtime *runtime, const char *type, const char *body,
                    size_t len);

/* Waits until the answer is taken, for 5 s at most, and sends it once more where it is
 * unknown whether it arrived. An answer that comes too late or is too big (400, 410, 413)
 * is logged and counts as given. False: the Runtime API is gone or returned 403 or 500,
 * and the process should end. */
bool runtime_await(struct runtime *runtime, struct err *err);

/* Before the first runtime_next(): why the process cannot work. The body is made from
 * `type` and message; the header has the type where it is a Runtime.X, and
 * Runtime.ConfigInvalid where it is another ("KeyError"). */
bool runtime_init_error(struct runtime *runtime, const char *type, const char *message,
                        struct err *err);

void runtime_close(struct runtime *runtime);

#endif
