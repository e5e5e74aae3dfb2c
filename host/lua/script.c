/* script.c -- opens Lua with the rules, and the verbs that end an event.
 *
 * decide.c has those that begin one, shadow.c the second script. Each visit (door.h) has
 * an argument of its own. Comments at the end of a line show the Lua stack after it, top
 * on the right. */
#include "lua/script.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "lua/libraries.h"
#include "lua/log_lines.h"
#include "lua/modules.h"
#include "lua/place.h"
#include "lua/script_private.h"
#include "lua/watchdog.h"

#define ANSWER_MAX 6291556 /* bytes that Lambda takes */

/* ------------------------------------------------------------- open */

void script_push_source(lua_State *L, const struct rules_file *source, const char *path)
{
    if (!path) {
        lua_pushnil(L); /* ... nil */
        return;
    }
    lua_createtable(L, 0, 4); /* ... rules */
    door_set_string(L, "name", source->name);
    door_set_string(L, "path", path);
    door_set_string(L, "hash", source->hash);
    lua_pushlstring(L, source->text.data, source->text.len);
    lua_setfield(L, -2, "source"); /* ... rules */
}

static void set_manifest(lua_State *L, const struct script_settings *settings)
{
    const struct buffer *text = settings->manifest_text;

    lua_createtable(L, 0, 2); /* ... table manifest */
    door_set_string(L, "name", settings->manifest);
    lua_pushlstring(L, text->len ? text->data : "", text->len);
    lua_setfield(L, -2, "text");
    lua_setfield(L, -2, "manifest"); /* ... table */
}

/* {argument = true} for those that name a file. */
static void set_files(lua_State *L, const struct script_settings *settings)
{
    lua_newtable(L); /* ... table files */
    for (int i = 0; settings->are_files && i < settings->count; i++)
        if (settings->are_files[i])
            door_set_boolean(L, settings->arguments[i], true);
    lua_setfield(L, -2, "files"); /* ... table */
}

/* What the desk's command was given. */
static void set_desk(lua_State *L, const struct script_settings *settings)
{
    door_set_boolean(L, "help", settings->help);
    door_set_boolean(L, "json", settings->json);
    door_set_boolean(L, "html", settings->html);
    door_set_boolean(L, "trace", settings->trace);
    door_set_boolean(L, "dry_run", settings->dry_run);
    door_set_boolean(L, "strict", settings->strict);
    door_set_boolean(L, "assumed_queue", settings->assumed_queue);
    door_set_integer(L, "width", settings->width);
    if (settings->examples > 0)
        door_set_integer(L, "examples", settings->examples);
    door_set_boolean(L, "literal", settings->literal);
    door_set_string(L, "ids", settings->ids);
    door_set_string(L, "now", settings->now);
    door_set_string(L, "parts", (const char *)built_with);
    door_set_string(L, "known", settings->known);
    door_set_string(L, "set", settings->set);
    if (settings->from > 0)
        door_set_integer(L, "from", settings->from);
    if (settings->manifest)
        set_manifest(L, settings);
    set_files(L, settings);
    lua_createtable(L, settings->count, 0); /* ... table arguments */
    for (int i = 0; i < settings->count; i++) {
        lua_pushstring(L, settings->arguments[i]); /* ... table arguments argument */
        lua_rawseti(L, -2, i + 1);                 /* ... table arguments */
    }
    lua_setfield(L, -2, "arguments"); /* ... table */
}

struct opening {
    struct script *script;
    const struct script_settings *settings;
    bool refused; /* a setting is wrong: err */
    struct err *err;
};

static int open_body(lua_State *L)
{
    struct opening *opening = lua_touserdata(L, 1);
    const struct script_settings *settings = opening->settings;
    struct script *script = opening->script;

    libraries_open(L);
    lua_getglobal(L, "require");                  /* opening require */
    lua_pushliteral(L, "pigeon");                 /* opening require name */
    lua_call(L, 1, 1);                            /* opening pigeon */
    lua_setfield(L, LUA_REGISTRYINDEX, "pigeon"); /* opening */
    door_push_verb(L, "open");                    /* opening open */
    lua_createtable(L, 0, 15);                    /* opening open settings */
    door_set_string(L, "command", settings->command);
    door_set_string(L, "PIGEON_QUEUE", settings->queue);
    door_set_string(L, "PIGEON_ENV", settings->env);
    door_set_string(L, "PIGEON_BATCH_FAILURES", settings->batch_failures);
    door_set_string(L, "PIGEON_METRICS", settings->metrics);
    door_set_string(L, "AWS_LAMBDA_FUNCTION_NAME", settings->function_name);
    door_set_string(L, "AWS_LAMBDA_FUNCTION_VERSION", settings->function_version);
    door_set_string(L, "AWS_LAMBDA_LOG_LEVEL", log_level());
    script_push_source(L, &script->source, settings->path); /* ... settings rules */
    lua_setfield(L, -2, "rules");                           /* opening open settings */
    set_desk(L, settings);
    lua_call(L, 1, 2); /* opening queues problem */
    if (lua_isnil(L, -2)) {
        opening->refused = true;
        err_set(opening->err, CAUSE_BAD_SETTING, "%s", lua_tostring(L, -1));
        return 0;
    }
    script->queues = strdup(lua_tostring(L, -2));
    if (!script->queues)
        return luaL_error(L, "out of memory");
    lua_gc(L, LUA_GCCOLLECT);
    return 0;
}

void script_blame_load(const struct script *script, bool shadow, struct err *err)
{
    const struct memory *memory = &script->door.memory;

    if (memory->refused && script->greedy_line > 0)
        err_set(
            err, err->cause,
            "%s:%d: used the %zu MB that loading may have: does a string or table grow "
            "in a loop?",
            shadow ? script->shadow.name : script->source.name, script->greedy_line,
            memory_allowed(memory) >> 20);
}

static bool load(struct script *script, const struct script_settings *settings,
                 const struct deadline *deadline, struct err *err)
{
    struct opening opening = {.script = script, .settings = settings, .err = err};
    struct door *door = &script->door;
    bool ok;

    if (!door_open(door, settings->memory_mb, err) || !watchdog_start(deadline, err))
        return false;
    door->memory.on_refusal = script_note_greed;
    door->memory.argument = script;
    script_watch(script, false, LOADING, strlen(LOADING));
    door->bare = true;
    ok = door_visit(door, open_body, &opening, GROWTH, err);
    if (!ok) {
        script_blame_load(script, false, err);
        err->cause = CAUSE_RULES;
    }
    door->bare = false;
    watchdog_stop();
    memory_settle(&door->memory);
    return ok && !opening.refused;
}

/* Lambda names the script by the function's handler, the desk by a path. */
static bool read_source(struct script *script, const char *path, struct err *err)
{
    if (!path)
        return true;
    return script->desk ? rules_file_read(&script->source, path, err)
                        : rules_file_read_handler(&script->source, path, err);
}

struct script *script_open(const struct script_settings *settings,
                           const struct deadline *deadline, struct err *err)
{
    struct script *script = calloc(1, sizeof(*script));
    bool ok;

    if (!script) {
        err_set(err, CAUSE_MEMORY, "out of memory");
        return NULL;
    }
    script->desk = strcmp(settings->command, "lambda") != 0;
    ok =
        read_source(script, settings->path, err) && load(script, settings, deadline, err);
    rules_file_free(&script->source);
    if (ok)
        return script;
    script_close(script);
    return NULL;
}

/* ------------------------------------------------------------- conclude */

static void push_fates(lua_State *L, const struct outbox *outbox)
{
    lua_newtable(L); /* ... fates */
    for (size_t i = 0; i < outbox->count; i++) {
        const struct message *message = &outbox->messages[i];

        if (message->fate == FATE_CONFIRMED)
            continue;
        lua_createtable(L, 0, 5); /* ... fates fate */
        door_set_string(L, "fate", fate_name(message->fate));
        door_set_string(L, "stage", message->stage);
        door_set_integer(L, "code", message->code);
        door_set_string(L, "text", message->text);
        door_set_boolean(L, "lasting", message->lasting);
        lua_rawseti(L, -2, (lua_Integer)i + 1); /* ... fates */
    }
}

static void push_facts(lua_State *L, const struct facts *facts)
{
    lua_createtable(L, 0, 8); /* ... facts */
    door_set_integer(L, "now_ms", clock_unix_ms());
    door_set_integer(L, "confirmed", (int64_t)facts->confirmed);
    door_set_string(L, "broker_wide", facts->broker_wide[0] ? facts->broker_wide : NULL);
    door_set_integer(L, "reconnects", facts->reconnects);
    door_set_boolean(L, "cold", facts->cold);
    door_set_integer(L, "decide_us", facts->decide_us);
    door_set_integer(L, "publish_us", facts->publish_us);
    door_set_integer(L, "connect_us", facts->connect_us);
}

struct conclusion {
    const struct outbox *outbox;
    const struct facts *facts;
    struct answer *answer;
};

static int conclude_body(lua_State *L)
{
    const struct conclusion *conclusion = lua_touserdata(L, 1);
    const char *body, *type;
    size_t len;

    door_push_verb(L, "conclude");                /* conclusion conclude */
    push_fates(L, conclusion->outbox);            /* conclusion conclude fates */
    push_facts(L, conclusion->facts);             /* conclusion conclude fates facts */
    lua_call(L, 2, 2);                            /* conclusion body type */
    lua_pushnil(L);                               /* conclusion body type nil */
    lua_setfield(L, LUA_REGISTRYINDEX, "labels"); /* conclusion body type */
    body = luaL_checklstring(L, 2, &len);
    type = luaL_optstring(L, 3, "");
    if (!buffer_append(&conclusion->answer->body, body, len))
        return luaL_error(L, "an answer of %I bytes is more than Lambda takes",
                          (lua_Integer)len);
    snprintf(conclusion->answer->error_type, sizeof(conclusion->answer->error_type), "%s",
             type);
    return 0;
}

bool script_conclude(struct script *script, struct outbox *outbox,
                     const struct facts *facts, struct answer *answer, struct err *err)
{
    struct conclusion conclusion = {.outbox = outbox, .facts = facts, .answer = answer};
    bool ok;

    buffer_clear(&answer->body);
    answer->body.max = script->desk ? SIZE_MAX : ANSWER_MAX;
    answer->error_type[0] = '\0';
    ok = script_watch_batch(script, "making the answer", err) &&
         door_visit(&script->door, conclude_body, &conclusion, MEMORY_ALL, err);
    watchdog_stop();
    return ok;
}

/* ------------------------------------------------------------- tell */

static int tell_body(lua_State *L)
{
    door_push_verb(L, "tell"); /* nothing tell */
    lua_call(L, 0, 2);         /* nothing lines metrics */
    log_lines_write(L, 2, 3);
    return 0;
}

/* The room that a big event had is gone with it: where the rules filled it, no other
 * event can be received. */
static void forget_input(struct script *script)
{
    script->door.memory.input = 0;
    if (!memory_overdrawn(&script->door.memory))
        return;
    lua_gc(script->door.L, LUA_GCCOLLECT);
    script->exhausted |= memory_overdrawn(&script->door.memory);
}

bool script_tell(struct script *script, struct err *err)
{
    bool ok;

    log_hold();
    ok = door_visit(&script->door, tell_body, NULL, MEMORY_ALL, err);
    log_flush();
    if (script->resting) {
        script_wake_collector(script);
        lua_gc(script->door.L, LUA_GCCOLLECT);
    }
    forget_input(script);
    return ok || err_wrap(err, "the event is answered, but its log is not complete");
}

/* ------------------------------------------------------------- finish */

struct finishing {
    struct buffer *text;
    struct buffer *page;
    int *status;
    struct err *problem;
};

static int finish_body(lua_State *L)
{
    const struct finishing *finishing = lua_touserdata(L, 1);
    const char *text, *page;
    size_t len, page_len;

    door_push_verb(L, "finish"); /* finishing finish */
    lua_call(L, 0, 4);           /* finishing text status problem page */
    text = luaL_checklstring(L, 2, &len);
    *finishing->status = (int)luaL_checkinteger(L, 3);
    page = luaL_optlstring(L, 5, "", &page_len);
    if (!buffer_append(finishing->text, text, len) ||
        (finishing->page && !buffer_append(finishing->page, page, page_len)))
        return luaL_error(L, "out of memory");
    if (!lua_isnil(L, 4))
        err_set(finishing->problem, CAUSE_OTHER, "%s", luaL_checkstring(L, 4));
    return 0;
}

bool script_finish(struct script *script, struct buffer *text, struct buffer *page,
                   int *status, struct err *problem, struct err *err)
{
    struct finishing finishing = {
        .text = text, .page = page, .status = status, .problem = problem};

    return door_visit(&script->door, finish_body, &finishing, MEMORY_ALL, err);
}

/* ------------------------------------------------------------- the rest */

const char *script_queues(const struct script *script)
{
    return script->queues;
}

size_t script_objects(const struct script *script)
{
    return script->objects;
}

void script_watch_place(struct script *script, struct script_place *place)
{
    script->place = place;
}

const char *script_hash(const struct script *script)
{
    return script->source.hash;
}

const char *script_shadow_hash(const struct script *script)
{
    return script->shadowed ? script->shadow.hash : NULL;
}

bool script_exhausted(const struct script *script)
{
    return script->exhausted;
}

void script_close(struct script *script)
{
    if (!script)
        return;
    place_follow(NULL, NULL);
    door_close(&script->door);
    free(script->queues);
    free(script);
}
