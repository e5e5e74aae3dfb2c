/* handler.h -- one event: decide everything, then send everything, then conclude. Once it
 * is answered, script_tell() logs it.
 *
 * Once every message has its fate, and before the answer is made, the shadow script runs.
 * The parts stay the caller's. */
#ifndef PIGEON_HANDLER_H
#define PIGEON_HANDLER_H

#include <stdbool.h>

#include "amqp/delivery.h"
#include "lua/script.h"

struct handler {
    struct script *script;
    struct delivery *delivery; /* NULL: decides alone, each message counts as confirmed */
    bool warm; /* an event was handled before, or none waited for the start */
};

/* Fills in the answer to Lambda. False: Lua itself broke, and err says how. */
bool handler_event(struct handler *handler, const struct invocation *invocation,
                   struct answer *answer, struct err *err);

#endif
