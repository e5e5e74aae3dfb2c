/* decode.c -- from yajl's callbacks to Lua's tables.
 *
 * Runs inside a protected visit (script.c): any call of Lua's may raise, past yajl, whose
 * handle is freed by the next call then. Comments at the end of a line show the Lua stack
 * after it, top on the right. */
#include "decode.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#define DEPTH_MAX 64
#define NAME_MAX_LEN 31

struct name {
    const char *text; /* Lua's, which the closure holds */
    size_t len;
};

struct level {
    bool object;
    bool dropped;     /* a member was */
    lua_Integer kept; /* members or elements */
};

/* A full userdata, the first upvalue of decode(); the second one is the list of names. */
struct decoder {
    lua_State *L;
    yajl_handle yajl; /* NULL: none */
    bool drop;        /* the value that comes next */
    int dropping;     /* levels below one that is dropped */
    int depth;
    bool too_deep;
    struct level levels[DEPTH_MAX + 1];
    int first[NAME_MAX_LEN + 2]; /* of the names that have so many bytes, or more */
    struct name names[];         /* the shortest first */
};

/* ------------------------------------------------------------- values */

/* Whether a value is one that nobody reads. */
static bool is_dropped(struct decoder *decoder)
{
    bool dropped = decoder->drop || decoder->dropping > 0;

    decoder->drop = false;
    return dropped;
}

/* The value on top goes into the table below it. */
static int put(struct decoder *decoder)
{
    struct level *level = &decoder->levels[decoder->depth];

    if (decoder->depth == 0)
        return 1;
    level->kept++;
    if (level->object)
        lua_rawset(decoder->L, -3); /* ... table */
    else
        lua_rawseti(decoder->L, -2, level->kept); /* ... table */
    return 1;
}

static int take_null(void *context)
{
    struct decoder *decoder = context;

    if (is_dropped(decoder))
        return 1;
    lua_pushlightuserdata(decoder->L, NULL);
    return put(decoder);
}

static int take_boolean(void *context, int value)
{
    struct decoder *decoder = context;

    if (is_dropped(decoder))
        return 1;
    lua_pushboolean(decoder->L, value);
    return put(decoder);
}

static int take_number(void *context, const char *text, size_t len)
{
    struct decoder *decoder = context;
    lua_Number number;

    if (is_dropped(decoder))
        return 1;
    lua_pushlstring(decoder->L, text, len); /* ... text */
    number = lua_tonumber(decoder->L, -1);
    lua_pop(decoder->L, 1);
    lua_pushnumber(decoder->L, number);
    return put(decoder);
}

static int take_string(void *context, const unsigned char *text, size_t len)
{
    struct decoder *decoder = context;

    if (is_dropped(decoder))
        return 1;
    lua_pushlstring(decoder->L, (const char *)text, len);
    return put(decoder);
}

/* ------------------------------------------------------------- tables */

static int begin(struct decoder *decoder, bool object)
{
    decoder->too_deep = decoder->depth + decoder->dropping == DEPTH_MAX;
    if (decoder->too_deep)
        return 0;
    if (is_dropped(decoder)) {
        decoder->dropping++;
        return 1;
    }
    lua_createtable(decoder->L, 0, object ? 4 : 0);
    decoder->levels[++decoder->depth] = (struct level){.object = object};
    return 1;
}

static int begin_object(void *context)
{
    return begin(context, true);
}

static int begin_list(void *context)
{
    return begin(context, false);
}

/* Among the names, from 1; 0: it is none of them. */
static int number_of(const struct decoder *decoder, const unsigned char *text, size_t len)
{
    if (len > NAME_MAX_LEN)
        return 0;
    for (int i = decoder->first[len]; i < decoder->first[len + 1]; i++)
        if (memcmp(decoder->names[i].text, text, len) == 0)
            return i + 1;
    return 0;
}

static int take_name(void *context, const unsigned char *text, size_t len)
{
    struct decoder *decoder = context;
    int number;

    if (decoder->dropping > 0)
        return 1;
    number = number_of(decoder, text, len);
    if (number > 0) {
        lua_rawgeti(decoder->L, lua_upvalueindex(2), number); /* ... table name */
        return 1;
    }
    decoder->drop = true;
    decoder->levels[decoder->depth].dropped = true;
    return 1;
}

static int end(void *context)
{
    struct decoder *decoder = context;
    const struct level *level = &decoder->levels[decoder->depth];

    if (decoder->dropping > 0) {
        decoder->dropping--;
        return 1;
    }
    if (level->dropped && level->kept == 0) {
        lua_pushboolean(decoder->L, 1);   /* ... table true */
        lua_setfield(decoder->L, -2, ""); /* ... table */
    }
    decoder->depth--;
    return put(decoder);
}

static const yajl_callbacks on_parts = {
    .yajl_null = take_null,
    .yajl_boolean = take_boolean,
    .yajl_number = take_number,
    .yajl_string = take_string,
    .yajl_start_map = begin_object,
    .yajl_map_key = take_name,
    .yajl_end_map = end,
    .yajl_start_array = begin_list,
    .yajl_end_array = end,
};

/* ------------------------------------------------------------- the module */

static void forget(struct decoder *decoder)
{
    if (decoder->yajl)
        yajl_free(decoder->yajl);
    decoder->yajl = NULL;
}

static int collect(lua_State *L)
{
    forget(lua_touserdata(L, 1));
    return 0;
}

/* In yajl's words, without the point at their end. */
static void push_problem(struct decoder *decoder, size_t at)
{
    unsigned char *words = yajl_get_error(decoder->yajl, 0, NULL, 0);
    char line[100];

    if (decoder->too_deep)
        snprintf(line, sizeof(line), "more than %d levels", DEPTH_MAX);
    else
        snprintf(line, sizeof(line), "%s", words ? (const char *)words : "no JSON");
    yajl_free_error(decoder->yajl, words);
    line[strcspn(line, ".\n")] = '\0';
    lua_pushfstring(decoder->L, "%s at byte %I", line, (lua_Integer)at);
}

static int decode(lua_State *L)
{
    struct decoder *decoder = lua_touserdata(L, lua_upvalueindex(1));
    size_t len;
    const char *bytes = luaL_checklstring(L, 1, &len);
    yajl_status status;

    luaL_checkstack(L, 2 * DEPTH_MAX + 8, NULL);
    forget(decoder);
    decoder->L = L;
    decoder->drop = decoder->too_deep = false;
    decoder->dropping = decoder->depth = 0;
    decoder->yajl = yajl_alloc(&on_parts, NULL, decoder);
    if (!decoder->yajl)
        return luaL_error(L, "not enough memory");
    yajl_config(decoder->yajl, yajl_dont_validate_strings, 1);
    status = yajl_parse(decoder->yajl, (const unsigned char *)bytes, len);
    if (status != yajl_status_ok)
        len = yajl_get_bytes_consumed(decoder->yajl);
    else
        status = yajl_complete_parse(decoder->yajl);
    if (status != yajl_status_ok) {
        lua_pushnil(L);
        push_problem(decoder, len); /* ... nil problem */
    }
    forget(decoder);
    return status == yajl_status_ok ? 1 : 2;
}

/* A list of names -> decode. */
static int open_decoder(lua_State *L)
{
    lua_Integer count = luaL_len(L, 1);
    size_t size = sizeof(struct decoder) + (size_t)count * sizeof(struct name);
    struct decoder *decoder = lua_newuserdatauv(L, size, 0); /* names decoder */
    struct name name;
    int known = 0;

    memset(decoder, 0, size);
    lua_createtable(L, 0, 1);          /* names decoder meta */
    lua_pushcfunction(L, collect);     /* names decoder meta collect */
    lua_setfield(L, -2, "__gc");       /* names decoder meta */
    lua_setmetatable(L, -2);           /* names decoder */
    lua_createtable(L, (int)count, 0); /* names decoder sorted */
    for (size_t len = 0; len <= NAME_MAX_LEN; len++) {
        decoder->first[len] = known;
        for (lua_Integer i = 1; i <= count; i++) {
            lua_rawgeti(L, 1, i); /* names decoder sorted name */
            name.text = luaL_checklstring(L, -1, &name.len);
            if (name.len == len) {
                decoder->names[known++] = name;
                lua_pushvalue(L, -1);
                lua_rawseti(L, 3, known);
            }
            lua_pop(L, 1); /* names decoder sorted */
        }
    }
    decoder->first[NAME_MAX_LEN + 1] = known;
    luaL_argcheck(L, known == count, 1, "a name is too long");
    lua_pushcclosure(L, decode, 2); /* names decode */
    return 1;
}

int luaopen_pigeon_decode(lua_State *L)
{
    lua_pushcfunction(L, open_decoder);
    return 1;
}
