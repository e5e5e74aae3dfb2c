/* setup.h -- what check looks at beside the rules: the variables, and the broker. */
#ifndef PIGEON_SETUP_H
#define PIGEON_SETUP_H

#include <stdbool.h>

#include "buffer.h"
#include "config.h"
#include "delivery.h"

/* Whether the variables for the broker are right; none at all is right, too, unless it
 * has to be connected. False: err says what is wrong. */
bool setup_check(struct config *config, bool connect, struct err *err);

/* Connects, and asks for each of these queues, names with commas between them; publishes
 * nothing. Appends to `found` for each queue a word, "ok" or "fault", its name, and what
 * the broker said, a zero byte behind each. A queue that may not be asked for is ok. */
bool setup_ask(struct delivery *delivery, const char *queues, struct buffer *found,
               struct err *err);

#endif
