/* decide.c -- an event's bytes to objects, and one decision after the other.
 *
 * Comments at the end of a line show the Lua stack after it, top on the right. */
#include <lauxlib.h>
#include <string.h>

#include "lua/place.h"
#include "lua/script.h"
#include "lua/script_private.h"
#include "lua/watchdog.h"

#define INPUT_FACTOR 16 /* what a decoded input may become, times its bytes */
#define BIG_INPUT 65536 /* bytes */
#define LEAST_MS 1000   /* for the batch as a whole, where the deadline is nearer */
#define MEGABYTE ((size_t)1 << 20) /* of the input, for which a second of CPU is added */
#define MOST_SECONDS 60            /* also on the desk */

/* ------------------------------------------------------------- the collector */

void script_wake_collector(struct script *script)
{
    if (script->resting)
        lua_gc(script->door.L, LUA_GCRESTART);
    script->resting = false;
}

/* A big event is garbage once it is logged; until then a collection would only go through
 * all of it, again and again: a seventh of the CPU of an event of 1,000 objects, a third
 * of one of 10,000. The desk logs nothing. */
static void rest_collector(struct script *script, size_t input_len)
{
    script_wake_collector(script);
    if (script->desk || input_len < BIG_INPUT)
        return;
    script->resting = true;
    lua_gc(script->door.L, LUA_GCSTOP);
}

/* ------------------------------------------------------------- the watchdog */

/* From 5.4.5 on, Lua's stack cannot be read while that block grows. */
#define STACK_MOVES_IN_PIECES (LUA_VERSION_RELEASE_NUM > 50404)

void script_note_greed(void *argument, bool grows)
{
    struct script *script = argument;
    int line = !grows || !STACK_MOVES_IN_PIECES ? place_line() : 0;

    if (line > 0) /* not what handles the error, for which there is no memory, either */
        script->greedy_line = line;
}

void script_watch(struct script *script, bool shadow, const char *label, size_t label_len)
{
    const char *name = shadow ? script->shadow.name : script->source.name;

    script->greedy_line = 0;
    place_follow(script->door.L, name);
    watchdog_watch(shadow ? script->shadow_title : name, label, label_len);
}

bool script_watch_batch(const struct script *script, const char *work, struct err *err)
{
    struct deadline deadline = deadline_left_ms(&script->deadline) > LEAST_MS
                                   ? script->deadline
                                   : deadline_in(LEAST_MS);
    size_t seconds = 1 + script->input_len / MEGABYTE;

    if (!watchdog_start(&deadline, err))
        return false;
    place_follow(NULL, NULL);
    watchdog_watch(work, NULL, 0);
    watchdog_allow(script->desk || seconds > MOST_SECONDS ? MOST_SECONDS : (int)seconds);
    return true;
}

/* ------------------------------------------------------------- receive */

struct receipt {
    const struct invocation *invocation;
    size_t objects; /* how many it has */
};

/* A list of {queue, what, fix, missing, ok}, and the login's names, as members of the
 * table on top. */
static void set_answers(lua_State *L, const struct invocation *invocation)
{
    lua_createtable(L, (int)invocation->answer_count, 0); /* ... facts queues */
    for (size_t i = 0; i < invocation->answer_count; i++) {
        lua_createtable(L, 0, 5); /* ... facts queues answer */
        door_set_string(L, "queue", invocation->answers[i].queue);
        door_set_string(L, "what", invocation->answers[i].what);
        door_set_string(L, "fix", invocation->answers[i].fix);
        door_set_string(L, "missing", invocation->answers[i].missing);
        door_set_boolean(L, "ok", invocation->answers[i].ok);
        lua_rawseti(L, -2, (lua_Integer)i + 1); /* ... facts queues */
    }
    lua_setfield(L, -2, "queues"); /* ... facts */
    door_set_string(L, "virtual_host", invocation->virtual_host);
    door_set_string(L, "user", invocation->user);
}

static int receive_body(lua_State *L)
{
    struct receipt *receipt = lua_touserdata(L, 1);
    const struct invocation *invocation = receipt->invocation;

    door_push_verb(L, "receive");                                 /* receipt receive */
    lua_pushlstring(L, invocation->input, invocation->input_len); /* ... input */
    lua_createtable(L, 0, 2);                                     /* ... input facts */
    door_set_string(L, "kind", invocation->kind);
    door_set_integer(L, "line", invocation->line);
    if (invocation->most > 0)
        door_set_integer(L, "most", invocation->most);
    if (invocation->answer_count > 0)
        set_answers(L, invocation);
    lua_call(L, 2, 1); /* receipt labels */
    luaL_checktype(L, 2, LUA_TTABLE);
    receipt->objects = (size_t)luaL_len(L, 2);
    lua_setfield(L, LUA_REGISTRYINDEX, "labels"); /* receipt: kept for the watchdog */
    return 0;
}

/* ------------------------------------------------------------- decide */

/* One object: by the rules, or by the shadow script. */
struct decision {
    struct script *script;
    int line;         /* of the script, where it ran out of memory; 0: not known */
    size_t megabytes; /* that it had */
    size_t object;    /* from 1, as Lua counts */
    bool shadow;
    struct outbox *outbox;
    bool decided;
};

static void watch(lua_State *L, const struct decision *decision)
{
    struct bytes label;

    lua_getfield(L, LUA_REGISTRYINDEX, "labels");      /* ... labels */
    lua_rawgeti(L, -1, (lua_Integer)decision->object); /* ... labels label */
    label.data = lua_tolstring(L, -1, &label.len);
    script_watch(decision->script, decision->shadow, label.data, label.len);
    lua_pop(L, 2); /* the labels hold it */
}

static int decide_body(lua_State *L)
{
    struct decision *decision = lua_touserdata(L, 1);
    struct bytes id;

    watch(L, decision);
    door_push_verb(L, "decide");                       /* decision decide */
    lua_pushinteger(L, (lua_Integer)decision->object); /* decision decide i */
    lua_pushboolean(L, decision->shadow);              /* decision decide i shadow */
    lua_call(L, 2, 2);                                 /* decision destinations id */
    if (lua_isnil(L, 2))
        return 0;
    luaL_checktype(L, 2, LUA_TTABLE);
    for (lua_Integer i = 1, n = luaL_len(L, 2); i <= n; i++) {
        id.data = luaL_checklstring(L, 3, &id.len);
        lua_rawgeti(L, 2, i); /* decision destinations id destination */
        if (!outbox_add(decision->outbox, door_get_string(L, 4, "exchange"),
                        door_get_string(L, 4, "routing_key"), id, id)) {
            decision->script->door.memory.refused = true;
            return luaL_error(L, "out of memory");
        }
        lua_settop(L, 3); /* decision destinations id */
    }
    decision->decided = true;
    return 0;
}

static int reload_body(lua_State *L)
{
    const struct decision *decision = lua_touserdata(L, 1);

    door_push_verb(L, "reload");                       /* decision reload */
    lua_pushinteger(L, (lua_Integer)decision->object); /* decision reload i */
    lua_pushboolean(L, decision->shadow);              /* decision reload i shadow */
    if (decision->line > 0)
        lua_pushinteger(L, decision->line);
    else
        lua_pushnil(L);                                   /* ... shadow line */
    lua_pushinteger(L, (lua_Integer)decision->megabytes); /* ... shadow line megabytes */
    lua_call(L, 4, 0);                                    /* decision */
    lua_gc(L, LUA_GCCOLLECT);
    return 0;
}

static void set_place(const struct script *script, size_t object, bool shadow)
{
    if (!script->place)
        return;
    script->place->shadow = shadow;
    script->place->object = object;
}

/* A decision that failed while memory was refused is followed by a reload, which frees
 * what that script hoarded. */
static bool decide_one(struct script *script, size_t object, bool shadow,
                       struct outbox *outbox, struct err *err)
{
    struct decision decision = {
        .script = script, .object = object, .shadow = shadow, .outbox = outbox};
    struct memory *memory = &script->door.memory;
    size_t before = outbox->count;
    bool ok;

    if (memory_strained(memory))
        script_wake_collector(script);
    ok = door_visit(&script->door, decide_body, &decision, GROWTH, err);
    if (ok && (decision.decided || !memory->refused))
        return true;
    outbox_truncate(outbox, before);
    if (!memory->refused)
        return false;
    decision.line = script->greedy_line;
    decision.megabytes = memory_allowed(memory) / MEGABYTE;
    script_watch(script, shadow, LOADING, strlen(LOADING));
    ok = door_visit(&script->door, reload_body, &decision, MEMORY_ALL, err);
    if (!shadow && memory_strained(memory))
        script->exhausted = true;
    return ok;
}

bool script_decide_one(struct script *script, size_t object, bool shadow,
                       struct outbox *outbox, struct err *err)
{
    bool ok;

    set_place(script, object, shadow);
    ok = decide_one(script, object, shadow, outbox, err);
    set_place(script, 0, shadow);
    return ok;
}

static bool receive(struct script *script, const struct invocation *invocation,
                    struct err *err)
{
    struct receipt receipt = {.invocation = invocation};
    bool ok = script_watch_batch(script, "receiving the event", err) &&
              (door_visit(&script->door, receive_body, &receipt, MEMORY_ALL, err) ||
               err_wrap(err, "receiving %zu bytes", invocation->input_len));

    watchdog_stop();
    script->objects = receipt.objects;
    return ok;
}

/* Where half of the time is spent at the beginning, the deadline may be over: there the
 * watchdog would end the process at once. */
static bool decide_all(struct script *script, struct outbox *outbox, struct err *err)
{
    size_t i = 0;
    bool ok;

    if (deadline_half_spent(&script->deadline))
        return true;
    ok = watchdog_start(&script->deadline, err);
    while (ok && i < script->objects && !script->exhausted &&
           !deadline_half_spent(&script->deadline)) {
        ok = script_decide_one(script, ++i, false, outbox, err);
    }
    watchdog_stop();
    return ok;
}

bool script_decide(struct script *script, const struct invocation *invocation,
                   struct outbox *outbox, struct err *err)
{
    outbox->rules_version = script->source.hash;
    script->door.memory.input = INPUT_FACTOR * (invocation->input_len + invocation->held);
    rest_collector(script, invocation->input_len);
    script->input_len = invocation->input_len;
    script->deadline = invocation->deadline;
    return receive(script, invocation, err) && decide_all(script, outbox, err);
}
