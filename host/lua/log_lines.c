/* log_lines.c -- from Lua's tables to lines, without making a Lua string for text that is
 * the same in every line or has to be escaped.
 *
 * Runs inside a protected visit (script.c): it may raise, and owns nothing. Comments at
 * the end of a line show the Lua stack after it, top on the right. */
#include "lua/log_lines.h"

#include <lauxlib.h>

#include "base/log.h"
#include "base/text_line.h"
#include "lua/door.h"

#define FACT_MAX 1024 /* bytes of a text that a line shows */
#define JOINED_MAX \
    ((size_t)64 * 1024) /* of facts with metrics: log.h drops longer ones */

static char line_bytes[256 * 1024]; /* the longest line of log.h */

/* A string or a number at the top of the stack, as it is. */
static void put_piece(lua_State *L, struct text_line *line)
{
    size_t len;
    const char *text = luaL_checklstring(L, -1, &len);

    if (len > text_line_left(line))
        luaL_error(L, "a line of more than %I bytes", (lua_Integer)line->max);
    text_line_put(line, text, len);
}

/* How much of a text that is too long is shown; never a character in part. */
static size_t shown_len(const char *text)
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t start = FACT_MAX - 1; /* of the last character */

    while (start > 0 && (bytes[start] & 0xc0) == 0x80)
        start--;
    return bytes[start] >= 0xc2 && bytes[start] <= 0xf4 ? start : FACT_MAX;
}

/* The same as JSON, cut where it is long. */
static void put_value(lua_State *L, struct text_line *line)
{
    size_t len;
    const char *text;

    if (lua_type(L, -1) == LUA_TNUMBER) {
        put_piece(L, line);
        return;
    }
    text = luaL_checklstring(L, -1, &len);
    text_line_put_string(line, "\"");
    text_line_put_text(line, text, len > FACT_MAX ? shown_len(text) : len, true);
    text_line_put_string(line, len > FACT_MAX ? "...\"" : "\"");
}

static void put_list(lua_State *L, struct text_line *line)
{
    text_line_put_string(line, "[");
    for (lua_Integer i = 1, n = luaL_len(L, -1); i <= n; i++) {
        if (i > 1)
            text_line_put_string(line, ",");
        lua_rawgeti(L, -1, i); /* ... list value */
        put_value(L, line);
        lua_pop(L, 1); /* ... list */
    }
    text_line_put_string(line, "]");
}

/* Names and values by turns as a JSON object; false: no such member. */
static void put_facts(lua_State *L, int facts, struct text_line *line)
{
    for (lua_Integer i = 2, n = luaL_len(L, facts); i <= n; i += 2) {
        lua_rawgeti(L, facts, i); /* ... value */
        if (lua_toboolean(L, -1)) {
            lua_rawgeti(L, facts, i - 1); /* ... value name */
            text_line_put_string(line, line->len == 0 ? "{\"" : ",\"");
            put_piece(L, line);
            text_line_put_string(line, "\":");
            lua_pop(L, 1); /* ... value */
            (lua_istable(L, -1) ? put_list : put_value)(L, line);
        }
        lua_pop(L, 1); /* ... */
    }
    text_line_put_string(line, "}");
}

/* The JSON object at this place of the stack as more members of the facts; false where it
 * is none, or the line would be too long. */
static bool put_metrics(lua_State *L, int metrics, struct text_line *facts)
{
    size_t len;
    const char *text = lua_tolstring(L, metrics, &len);

    if (!text || text[0] != '{' || facts->len + len > JOINED_MAX)
        return false;
    facts->data[facts->len - 1] = ','; /* the brace */
    text_line_put(facts, text + 1, len - 1);
    return true;
}

/* The line at the top of the stack; whether it was written with the metrics, a string at
 * that place (0: it shall not have them). */
static bool write_line(lua_State *L, int metrics)
{
    int line = lua_gettop(L);
    struct text_line facts = {.data = line_bytes, .max = sizeof(line_bytes)};
    struct bytes level = door_get_string(L, line, "level");     /* ... level */
    struct bytes message = door_get_string(L, line, "message"); /* ... level message */
    enum log_level of_line = log_level_named(level.data);
    bool joined;

    lua_getfield(L, line, "facts"); /* ... level message facts */
    put_facts(L, line + 3, &facts);
    joined = metrics != 0 && log_writes_json(of_line) && put_metrics(L, metrics, &facts);
    log_line(of_line, message.data, message.len, facts.data, facts.len);
    lua_settop(L, line); /* ... */
    return joined;
}

void log_lines_write(lua_State *L, int lines, int metrics)
{
    lua_Integer count = luaL_len(L, lines), done = 0;
    int first = lua_gettop(L) + 1;
    size_t len;
    const char *text;

    lua_rawgeti(L, metrics, 1); /* ... first */
    for (lua_Integer i = 1; i <= count; i++) {
        lua_rawgeti(L, lines, i); /* ... first line */
        done += write_line(L, count == 1 ? first : 0);
        lua_pop(L, 1); /* ... first */
    }
    lua_pop(L, 1); /* ... */
    for (lua_Integer i = done + 1; i <= luaL_len(L, metrics); i++) {
        lua_rawgeti(L, metrics, i); /* ... text */
        text = luaL_checklstring(L, -1, &len);
        log_metrics(text, len);
        lua_pop(L, 1); /* ... */
    }
}
