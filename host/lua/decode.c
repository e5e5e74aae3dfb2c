/* decode.c -- from yajl's callbacks to Lua's tables.
 *
 * Runs inside a protected visit (script.c): any call of Lua's may raise, past yajl, whose
 * handle is freed by the next call then. Comments at the end of a line show the Lua stack
 * after it, top on the right. */
#include "lua/decode.h"

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
    size_t end; /* of the value as a whole; the bytes' where it does not say its own */
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

    if (decoder->depth == 0) {
        decoder->end = yajl_get_bytes_consumed(decoder->yajl);
        return 1;
    }
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

/* ------------------------------------------------------------- what yajl lets pass */

static unsigned code_unit(const char *digits)
{
    unsigned unit = 0;

    for (int i = 0; i < 4; i++) {
        unsigned digit = (unsigned char)digits[i];

        unit = unit << 4 | (digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10);
    }
    return unit;
}

/* Where half a surrogate pair is escaped, which stands for no character; else `len`. The
 * bytes are JSON. */
static size_t find_half_pair(const char *bytes, size_t len)
{
    const char *end = bytes + len, *at = memchr(bytes, '\\', len);
    unsigned unit;

    while (at) {
        unit = at[1] == 'u' ? code_unit(at + 2) & 0xfc00 : 0;
        if (unit == 0xdc00)
            break;
        if (unit == 0xd800) {
            if (end - at < 12 || at[6] != '\\' || at[7] != 'u' ||
                (code_unit(at + 8) & 0xfc00) != 0xdc00)
                break;
            at += 6;
        }
        at = memchr(at + 2, '\\', (size_t)(end - at - 2));
    }
    return at ? (size_t)(at - bytes) : len;
}

/* An unfinished string behind the value. */
static size_t find_more(const char *bytes, size_t at, size_t len)
{
    while (at < len && memchr(" \t\r\n", bytes[at], 4))
        at++;
    return at;
}

/* ------------------------------------------------------------- the bytes */

/* In yajl's words, without the point at their end. */
static const char *reason(struct decoder *decoder, char *line, size_t size)
{
    unsigned char *words = yajl_get_error(decoder->yajl, 0, NULL, 0);

    snprintf(line, size, "%s", words ? (const char *)words : "no JSON");
    yajl_free_error(decoder->yajl, words);
    line[strcspn(line, ".\n")] = '\0';
    return line;
}

/* The value on top, and NULL; or what is wrong, and where. */
static const char *parse(struct decoder *decoder, const char *bytes, size_t len,
                         char *line, size_t size, size_t *at)
{
    yajl_status status = yajl_parse(decoder->yajl, (const unsigned char *)bytes, len);

    *at = yajl_get_bytes_consumed(decoder->yajl);
    if (decoder->too_deep)
        return "more than 64 levels";
    if (status != yajl_status_ok)
        return reason(decoder, line, size);
    *at = find_more(bytes, decoder->end, len);
    if (*at < len)
        return "trailing garbage";
    if (yajl_complete_parse(decoder->yajl) != yajl_status_ok)
        return reason(decoder, line, size);
    *at = find_half_pair(bytes, len);
    return *at < len ? "half a surrogate pair" : NULL;
}

static int decode(lua_State *L)
{
    struct decoder *decoder = lua_touserdata(L, lua_upvalueindex(1));
    size_t len, at;
    const char *bytes = luaL_checklstring(L, 1, &len);
    const char *problem;
    char line[100];

    luaL_checkstack(L, 2 * DEPTH_MAX + 8, NULL);
    forget(decoder);
    decoder->L = L;
    decoder->drop = decoder->too_deep = false;
    decoder->dropping = decoder->depth = 0;
    decoder->end = len;
    decoder->yajl = yajl_alloc(&on_parts, NULL, decoder);
    if (!decoder->yajl)
        return luaL_error(L, "not enough memory");
    yajl_config(decoder->yajl, yajl_dont_validate_strings, 1);
    problem = parse(decoder, bytes, len, line, sizeof(line), &at);
    forget(decoder);
    if (!problem)
        return 1;
    lua_pushnil(L);                                                /* ... nil */
    lua_pushfstring(L, "%s at byte %I", problem, (lua_Integer)at); /* ... nil problem */
    return 2;
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
