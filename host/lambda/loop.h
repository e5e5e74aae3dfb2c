/* loop.h -- event after event: taken, handled, answered, logged.
 * The caller of the function gets the answer before the log is written. Lambda freezes
 * the process only at /next, so no line is lost. */
#ifndef PIGEON_LAMBDA_LOOP_H
#define PIGEON_LAMBDA_LOOP_H

#include <stdbool.h>

#include "handler.h"
#include "lambda/runtime.h"

/* Until the environment ends: true. False: a fresh process is needed, and the log has the
 * reason; an event that was taken is answered first, and logged where possible. */
bool loop_run(struct runtime *runtime, struct handler *handler);

#endif
