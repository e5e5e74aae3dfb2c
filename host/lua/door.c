/* door.c -- protected visits, and what every visit needs of Lua's API.
 *
 * Comments at the end of a line show the Lua stack after it, top on the right. */
#include "lua/door.h"

#include <lauxlib.h>

bool door_open(struct door *door, long memory_mb, struct err *err)
{
    memory_open(&door->memory, memory_mb);
    door->L = lua_newstate(memory_alloc, &door->memory);
    return door->L || err_set(err, CAUSE_MEMORY, "out of memory");
}

static int add_traceback(lua_State *L)
{
    luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
    return 1;
}

bool door_visit(struct door *door, lua_CFunction body, void *argument, size_t growth,
                struct err *err)
{
    lua_State *L = door->L;
    int top = lua_gettop(L);
    bool ok;

    memory_allow(&door->memory, growth);
    /* luaL_Buffer does not collect before it gives up, as everything else does */
    if (growth == MEMORY_ALL && memory_strained(&door->memory))
        lua_gc(L, LUA_GCCOLLECT);
    lua_pushcfunction(L, add_traceback); /* handler */
    lua_pushcfunction(L, body);          /* handler body */
    lua_pushlightuserdata(L, argument);  /* handler body argument */
    ok = lua_pcall(L, 1, 0, door->bare ? 0 : top + 1) == LUA_OK;
    if (!ok)
        err_set(err, CAUSE_OTHER, "%s",
                lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1)
                                               : "Lua failed without a message");
    lua_settop(L, top);
    return ok;
}

void door_close(struct door *door)
{
    if (door->L)
        lua_close(door->L);
}

void door_set_string(lua_State *L, const char *name, const char *value)
{
    lua_pushstring(L, value);  /* ... table value; nil for NULL */
    lua_setfield(L, -2, name); /* ... table */
}

void door_set_integer(lua_State *L, const char *name, int64_t value)
{
    lua_pushinteger(L, value); /* ... table value */
    lua_setfield(L, -2, name); /* ... table */
}

void door_set_boolean(lua_State *L, const char *name, bool value)
{
    lua_pushboolean(L, value); /* ... table value */
    lua_setfield(L, -2, name); /* ... table */
}

struct bytes door_get_string(lua_State *L, int table, const char *name)
{
    struct bytes bytes;

    if (lua_getfield(L, table, name) != LUA_TSTRING) /* ... value */
        luaL_error(L, "%s: a string expected, got %s", name, luaL_typename(L, -1));
    bytes.data = lua_tolstring(L, -1, &bytes.len);
    return bytes;
}

void door_push_verb(lua_State *L, const char *verb)
{
    lua_getfield(L, LUA_REGISTRYINDEX, "pigeon"); /* ... pigeon */
    lua_getfield(L, -1, verb);                    /* ... pigeon verb */
    lua_remove(L, -2);                            /* ... verb */
}
