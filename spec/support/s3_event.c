/* s3_event.c -- writes JSON by hand, and reads it by lua-cjson. */
#include "s3_event.h"

#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <string.h>

#include "asserts.h"

int luaopen_cjson(lua_State *L);

void append(struct buffer *buffer, const char *text)
{
    assert_true(buffer_append(buffer, text, strlen(text)));
}

void add_object_named(struct buffer *event, const char *key, const char *event_name)
{
    event->max = SIZE_MAX;
    if (event->len > 0)
        event->len -= 2; /* ]} */
    append(event, event->len > 0 ? "," : "{\"Records\":[");
    append(event, "{\"eventSource\":\"aws:s3\",\"eventName\":\"");
    append(event, event_name);
    append(event, "\",\"s3\":{\"bucket\":{\"name\":\"crashes\"},\"object\":{\"key\":");
    assert_true(buffer_append_json_string(event, key, strlen(key)));
    append(event, "}}}]}");
}

void add_object(struct buffer *event, const char *key)
{
    add_object_named(event, key, "ObjectCreated:Put");
}

void add_objects(struct buffer *event, int first, int last)
{
    char key[32];

    for (int i = first; i <= last; i++) {
        snprintf(key, sizeof(key), "%d", i);
        add_object(event, key);
    }
}

struct invocation invocation_of(const struct buffer *event)
{
    return (struct invocation){.kind = "event",
                               .input = event->data,
                               .input_len = event->len,
                               .deadline = deadline_in(600000)};
}

size_t confirm(struct outbox *outbox)
{
    size_t confirmed = 0;

    for (size_t i = 0; i < outbox->count; i++) {
        if (outbox->messages[i].fate != FATE_NONE)
            continue;
        outbox_settle(&outbox->messages[i], FATE_CONFIRMED, NULL, 0, NULL);
        confirmed++;
    }
    return confirmed;
}

const char *member(const struct buffer *json, const char *name)
{
    static char value[16384];
    lua_State *L = luaL_newstate();

    assert_non_null(L);
    lua_pushcfunction(L, luaopen_cjson);
    lua_call(L, 0, 1);
    lua_getfield(L, -1, "decode");
    lua_pushlstring(L, json->data, json->len);
    if (lua_pcall(L, 1, 1, 0) != LUA_OK || !lua_istable(L, -1) ||
        lua_getfield(L, -1, name) != LUA_TSTRING)
        fail_msg("no string \"%s\" in %s", name, json->data);
    snprintf(value, sizeof(value), "%s", lua_tostring(L, -1));
    lua_close(L);
    return value;
}
