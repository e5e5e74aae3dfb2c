/* desk.h -- the commands that people run on their own machine.
 * All of them take the way of an event with another ending: input in batches through the
 * handler, published or not. The output is made in Lua: lua/pigeon/desk/COMMAND.lua. */
#ifndef PIGEON_DESK_DESK_H
#define PIGEON_DESK_DESK_H

#include "amqp/delivery.h"
#include "config.h"
#include "desk/options.h"

/* Whether the command needs the whole configuration, and a delivery. */
bool desk_needs_broker(const struct options *options);

/* Runs a command; the configuration has been read. The delivery stays the caller's; NULL:
 * the command needs none, or the configuration does not allow it. Returns the exit
 * status: 0, 1 for a finding or a failure, 2 for misuse. */
int desk_run(const struct options *options, struct config *config,
             struct delivery *delivery);

/* Prints the misuse and the command's usage. Returns 2. */
int desk_misuse(const char *command, const char *problem);

#endif
