/* apart.h -- a walk in a process of its own, which a script cannot end for the others.
 *
 * For host/desk alone. */
#ifndef PIGEON_DESK_APART_H
#define PIGEON_DESK_APART_H

#include "desk/command.h"

/* Splits the process. Returns true in the child, which walks through the report's objects
 * from the first one and ends the command; it writes where it is to command->place.
 * Returns in the parent when all is over: command->ended, and command->status is that of
 * the last child. False: err has the cause. */
bool apart_run(struct command *command, struct err *err);

#endif
