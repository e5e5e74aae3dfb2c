/* desk.h -- the commands that people run on their own machine.
 *
 * All of them are the walk of an event with another ending: input in batches through the
 * handler, publishing or not. What a command says is Lua, lua/pigeon/desk/COMMAND.lua. */
#ifndef PIGEON_DESK_DESK_H
#define PIGEON_DESK_DESK_H

#include "amqp/delivery.h"
#include "config.h"
#include "desk/options.h"

/* Whether it needs all of the configuration, and a delivery. */
bool desk_delivers(const struct options *options);

/* Runs a command; the configuration has been read. The delivery stays the caller's; NULL:
 * the command needs none, or the configuration does not allow it. Returns the exit
 * status: 0, 1 for a finding or where it could not be done, 2 for misuse. */
int desk_run(const struct options *options, struct config *config,
             struct delivery *delivery);

/* What is wrong with how it was called, and how it is used. Returns 2. */
int desk_misuse(const char *command, const char *problem);

#endif
