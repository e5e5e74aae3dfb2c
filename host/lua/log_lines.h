/* log_lines.h -- writes what tell() returned to the log. For script.c alone.
 *
 * Both raise in Lua where a value is not as init.lua describes it, or a line is longer
 * than log.h allows. */
#ifndef PIGEON_LUA_LOG_LINES_H
#define PIGEON_LUA_LOG_LINES_H

#include <lua.h>

/* The list at this place of the stack, of {level, message, facts}. */
void log_lines_write(lua_State *L, int lines);

/* The list of lines of metrics, each a list of pieces. */
void log_lines_metrics(lua_State *L, int lines);

#endif
