/* walk.h -- hands a command its input, batch by batch: keys, an event, lines of stdin.
 *
 * For host/desk alone. */
#ifndef PIGEON_DESK_WALK_H
#define PIGEON_DESK_WALK_H

#include "desk/command.h"

/* The whole input, for an open script. False: err has the cause; true does not mean that
 * every object succeeded, which the command's report counts. Where command->ended is set,
 * another process has finished the command, too. */
bool walk_all(struct command *command, struct err *err);

/* Notes that the process that decided object `number` of the report's, from 1, has ended,
 * and why. False: err has the cause. */
bool walk_stopped(struct command *command, const char *why, int64_t number, bool shadow,
                  struct err *err);

#endif
