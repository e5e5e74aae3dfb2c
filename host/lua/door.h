/* door.h -- the one protected door to Lua. For host/lua alone.
 *
 * Lua reports errors by longjmp, and almost any API call may raise one (even pushing a
 * string can run out of memory). So every visit to Lua is a C function that door_visit()
 * runs: inside it the full API may be used, outside it only calls that cannot raise.
 * Because a longjmp skips cleanup code, such a function owns nothing; what it returns
 * goes into its argument, which its caller owns. */
#ifndef PIGEON_LUA_DOOR_H
#define PIGEON_LUA_DOOR_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "lua/memory.h"

/* A Lua state and its memory. The state keeps a pointer to `memory`: never copied. */
struct door {
    lua_State *L;
    struct memory memory;
    bool bare; /* what is raised are sentences for people: no traceback */
};

/* Makes an empty Lua state; memory_mb is the function's, 0: not known. False: out of
 * memory. */
bool door_open(struct door *door, long memory_mb, struct err *err);

/* Runs `body` with `argument` as its only value, a light userdata, and up to `growth`
 * bytes more than Lua uses now (MEMORY_ALL: up to the ceiling). False: it raised; err has
 * the message, with a traceback unless the door is bare. */
bool door_visit(struct door *door, lua_CFunction body, void *argument, size_t growth,
                struct err *err);

void door_close(struct door *door);

/* ------------------------------------------------------------- inside a visit */

/* Each sets a member of the table at the top of the stack; NULL is nil. */
void door_set_string(lua_State *L, const char *name, const char *value);
void door_set_integer(lua_State *L, const char *name, int64_t value);
void door_set_boolean(lua_State *L, const char *name, bool value);

/* A member of a table that has to be a string; Lua owns its bytes. Leaves it on the
 * stack. */
struct bytes door_get_string(lua_State *L, int table, const char *name);

/* Puts the function of a verb of lua/pigeon/init.lua on the stack. */
void door_push_verb(lua_State *L, const char *verb);

#endif
