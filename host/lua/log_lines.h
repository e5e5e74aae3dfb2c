/* log_lines.h -- what Lua's verbs returned: a member of a table, and what tell has for
 * the log. For script.c alone.
 *
 * All raise in Lua where something is not as init.lua describes it, or a line is longer
 * than log.h allows. */
#ifndef PIGEON_LUA_LOG_LINES_H
#define PIGEON_LUA_LOG_LINES_H

#include <lua.h>

#include "outbox.h"

/* The string of this name in the table at this place of the stack, left on top: it is
 * valid as long as it stays there or in the table. */
struct bytes log_lines_string(lua_State *L, int table, const char *name);

/* The list at this place of the stack, of {level, message, facts}. */
void log_lines_write(lua_State *L, int lines);

/* The list of lines of metrics, each a list of pieces. */
void log_lines_metrics(lua_State *L, int lines);

#endif
