/* place.h -- the line at which a script is, where Lua itself cannot be asked: in its
 * allocator, and in a signal handler that ends the process. For host/lua alone.
 *
 * One script at a time is followed. Nothing here needs memory. */
#ifndef PIGEON_LUA_PLACE_H
#define PIGEON_LUA_PLACE_H

#include <lua.h>

/* From now on it is about the script of this name that runs in L; NULL: about none. The
 * name is not copied. */
void place_follow(lua_State *L, const char *script);

/* The line at which it is, 0: not known. For an allocator: Lua waits for the caller. */
int place_line(void);

/* The same for signal handlers. A handler that comes again and again calls
 * place_prepare(), from the second time on in the same piece of work; a handler that ends
 * the process asks for the line. 0: not known, also where nothing was prepared. */
void place_prepare(void);
int place_at_the_end(void);

#endif
