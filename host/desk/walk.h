/* walk.h -- hands a command its input, batch by batch: keys, an event, lines of stdin.
 *
 * For host/desk alone. */
#ifndef PIGEON_DESK_WALK_H
#define PIGEON_DESK_WALK_H

#include "desk/command.h"

/* The whole input, for an open script. False: err has the cause; true does not mean that
 * every object succeeded, which the command's report counts. */
bool walk_all(struct command *command, struct err *err);

#endif
