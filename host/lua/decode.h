/* decode.h -- JSON for Lua, without the members that nobody reads: the only place that
 * knows yajl. The module "pigeon.decode". */
#ifndef PIGEON_LUA_DECODE_H
#define PIGEON_LUA_DECODE_H

#include <lua.h>

/* Leaves a function on the stack: a list of names -> decode(bytes).
 *
 * decode(bytes) -> the value, with no members but those of these names, anywhere; or nil
 * and what is wrong with the bytes. All of them are checked, and an escape that is half
 * of a surrogate pair is refused. null is a light userdata of NULL, as cjson's; numbers
 * are floats; of members with the same name the last counts; strings are taken as they
 * are. An object of which nothing is left has the member "", true, so that it is not an
 * empty list. More than 64 levels are refused. Raises a lack of memory. */
int luaopen_pigeon_decode(lua_State *L);

#endif
