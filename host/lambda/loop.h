/* loop.h -- event after event: taken, handled, answered, told.
 *
 * Whoever called Pigeon has the answer before a line is written: lines wait for whoever
 * reads them. Lambda freezes the process at /next alone, so nothing is lost. */
#ifndef PIGEON_LAMBDA_LOOP_H
#define PIGEON_LAMBDA_LOOP_H

#include <stdbool.h>

#include "handler.h"
#include "lambda/runtime.h"

/* Until the environment ends: true. False: a fresh process is due, and the log says why.
 * An event that was taken is answered before, and told where that is possible. */
bool loop_run(struct runtime *runtime, struct handler *handler);

#endif
