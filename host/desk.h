/* desk.h -- the commands that people run on their own machine.
 *
 * What a command says is Lua, lua/pigeon/desk/COMMAND.lua. */
#ifndef PIGEON_DESK_H
#define PIGEON_DESK_H

#include <stdbool.h>

/* Whether there is a command of this name. */
bool desk_has(const char *command);

/* Runs it; arguments[0] is its name. Returns the exit status: 0, 2 for misuse, 1 where
 * it could not be done. */
int desk_run(int count, char *const *arguments);

#endif
