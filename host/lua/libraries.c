/* libraries.c -- a package searcher over the embedded modules.
 *
 * A module is loaded at its first require(), so a Lambda never loads those of the desk.
 * Comments at the end of a line show the Lua stack after it, top on the right. */
#include "lua/libraries.h"

#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

#include "lua/modules.h"

int luaopen_cjson(lua_State *L);

/* A package searcher: require() calls it. */
static int find_module(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);

    for (const struct module *module = modules; module->name; module++) {
        if (strcmp(module->name, name) != 0)
            continue;
        if (luaL_loadbufferx(L, (const char *)module->bytes, module->len, name, "b"))
            return lua_error(L);
        return 1;
    }
    return luaL_error(L, "no embedded module '%s'", name);
}

void libraries_open(lua_State *L)
{
    lua_pushboolean(L, 1);                           /* true */
    lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV"); /* LUA_PATH is not for us */
    luaL_openlibs(L);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE); /* preload */
    lua_pushcfunction(L, luaopen_cjson);                       /* preload open */
    lua_setfield(L, -2, "cjson");                              /* preload */
    lua_getglobal(L, "package");                               /* preload package */
    lua_pushliteral(L, "");                                    /* preload package "" */
    lua_setfield(L, -2, "path");                               /* preload package */
    lua_pushliteral(L, "");                                    /* preload package "" */
    lua_setfield(L, -2, "cpath");                              /* preload package */
    lua_getfield(L, -1, "searchers");  /* preload package searchers */
    lua_pushcfunction(L, find_module); /* preload package searchers find */
    lua_rawseti(L, -2, 2);             /* preload package searchers */
    lua_pop(L, 3);
}
