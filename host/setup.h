/* setup.h -- what check looks at beside the rules: the variables, and the broker.
 *
 * Findings go to stdout, a line each. */
#ifndef PIGEON_SETUP_H
#define PIGEON_SETUP_H

#include <stdbool.h>

#include "config.h"
#include "delivery.h"

/* Whether the variables for the broker are right; none at all is right, too, unless it
 * has to be connected. */
bool setup_check(struct config *config, bool connect);

/* Connects, and asks for each of these queues, names with commas between them; publishes
 * nothing. A queue that may not be asked for is no finding. */
bool setup_ask(struct delivery *delivery, const char *queues);

#endif
