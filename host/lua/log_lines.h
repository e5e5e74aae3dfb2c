/* log_lines.h -- writes what tell() returned to the log. For script.c alone.
 *
 * Raises in Lua where a value is not as init.lua describes it, or a line is longer than
 * log.h allows. */
#ifndef PIGEON_LUA_LOG_LINES_H
#define PIGEON_LUA_LOG_LINES_H

#include <lua.h>

/* The lists at these places of the stack: of {level, message, facts}, and of lines of
 * metrics, strings. Where an event has one line, as a lone object has, and it is written
 * as JSON, its metrics are in the same line: 12 % fewer bytes, which are billed. */
void log_lines_write(lua_State *L, int lines, int metrics);

#endif
