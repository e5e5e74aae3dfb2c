/* shadow.c -- a second script that decides the same objects, and of whose verdicts
 * nothing is published.
 *
 * Comments at the end of a line show the Lua stack after it, top on the right. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "lua/script.h"
#include "lua/script_private.h"
#include "lua/watchdog.h"

static const char stalled_hint[] =
    "the messages of this event were published before, and the event comes again: unset "
    "PIGEON_SHADOW_RULES, or every retry ends this way";

struct opening {
    const struct rules_file *source;
    const char *path; /* NULL: it could not be read */
};

static int open_body(lua_State *L)
{
    const struct opening *opening = lua_touserdata(L, 1);

    door_push_verb(L, "open_shadow");                      /* opening open_shadow */
    script_push_source(L, opening->source, opening->path); /* ... rules */
    lua_call(L, 1, 0);                                     /* opening */
    return 0;
}

bool script_open_shadow(struct script *script, const char *path,
                        const struct deadline *deadline, struct err *err)
{
    struct door *door = &script->door;
    struct err ignored;
    bool read = rules_file_read(&script->shadow, path, err);
    struct opening opening = {.source = &script->shadow, .path = read ? path : NULL};
    struct err *first = read ? err : &ignored;

    snprintf(script->shadow_title, sizeof(script->shadow_title), "the shadow script %s",
             script->shadow.name);
    if (watchdog_start(deadline, first)) {
        script_watch(script, true, LOADING, strlen(LOADING));
        door->bare = true;
        script->shadowed = door_visit(door, open_body, &opening, GROWTH, first) && read;
        if (!script->shadowed && read)
            script_blame_load(script, true, first);
        door->bare = false;
        watchdog_stop();
    }
    rules_file_free(&script->shadow);
    lua_gc(door->L, LUA_GCCOLLECT);
    memory_settle(&door->memory);
    return script->shadowed;
}

static int rest_body(lua_State *L)
{
    door_push_verb(L, "rest_shadow"); /* nothing rest_shadow */
    lua_call(L, 0, 0);                /* nothing */
    return 0;
}

static bool decide_all(struct script *script, const struct deadline *deadline,
                       struct err *err)
{
    struct outbox none = {0};
    size_t i = 0;
    bool ok = true;

    if (deadline_third_left(deadline)) /* at its end the watchdog would end the process */
        ok = watchdog_start(deadline, err);
    while (ok && i < script->objects && deadline_third_left(deadline))
        ok = script_decide_one(script, ++i, true, &none, err);
    watchdog_stop();
    return ok && door_visit(&script->door, rest_body, NULL, MEMORY_ALL, err);
}

void script_shadow(struct script *script, const struct deadline *deadline)
{
    struct opening none = {.path = NULL};
    struct err err, ignored;

    if (!script->shadowed)
        return;
    if (!script->desk)
        watchdog_add(stalled_hint);
    script->shadowed = decide_all(script, deadline, &err);
    if (!script->shadowed) {
        log_message(LOG_LEVEL_ERROR,
                    "the shadow script %s is switched off until the next start: %s",
                    script->shadow.name, err.text);
        door_visit(&script->door, open_body, &none, MEMORY_ALL, &ignored);
    }
    if (!script->desk)
        watchdog_add(NULL);
}
