/* libraries.h -- what our own Lua may require(): Lua's libraries, lua-cjson, and the
 * modules of lua/pigeon that are embedded in the program. For host/lua alone. */
#ifndef PIGEON_LUA_LIBRARIES_H
#define PIGEON_LUA_LIBRARIES_H

#include <lua.h>

/* Inside a visit: opens the libraries. No file is ever searched for a module, and
 * LUA_PATH is not read. */
void libraries_open(lua_State *L);

#endif
