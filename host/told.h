/* told.h -- what the verb tell returned, written to the log. For script.c alone.
 *
 * Both raise in Lua where a list is not as init.lua describes it, or a line is longer
 * than log.h allows. */
#ifndef PIGEON_TOLD_H
#define PIGEON_TOLD_H

#include <lua.h>

/* The list at this place of the stack, of {level, message, facts}. */
void told_lines(lua_State *L, int lines);

/* The list of lines of metrics, each a list of pieces. */
void told_metrics(lua_State *L, int lines);

#endif
