/* script.c -- the protected door.
 *
 * Lua reports errors by longjmp, and almost any API call may raise one (even pushing a
 * string can run out of memory). So every visit to Lua is a C function run by
 * call_protected(): inside it the full API may be used, outside it only calls that
 * cannot raise. Because a longjmp skips cleanup code, such a function owns nothing; what
 * it hands back goes into a struct that its caller owns (`struct visit`).
 *
 * Comments at the end of a line show the Lua stack after it, top on the right. */
#include "lua/script.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "lua/decode.h"
#include "lua/log_lines.h"
#include "lua/memory.h"
#include "lua/modules.h"
#include "lua/rules_file.h"
#include "lua/watchdog.h"

#define GROWTH ((size_t)64 << 20) /* what a decision or a load may use */
#define INPUT_FACTOR 16           /* what a decoded input may become, times its bytes */
#define ANSWER_MAX 6291556        /* what Lambda takes */
#define BIG_INPUT 65536           /* bytes */

struct script {
    lua_State *L;
    struct rules_file source; /* kept for its name and hash; Lua has the text */
    struct rules_file shadow; /* the same of the shadow script */
    char stalled[300];        /* what the watchdog calls that */
    bool shadowed;            /* there is one, and it loads */
    bool desk;
    char *queues;
    struct memory memory;
    bool exhausted;
    size_t objects; /* how many the batch has */
    bool resting;   /* the collector, until a big event is told or memory gets short */
};

/* What one visit is given and what it brings back. */
struct visit {
    struct script *script;
    const struct script_settings *settings;
    const char *shadow_path; /* NULL: there is nothing to load */
    bool opening;            /* what is raised are sentences for people */
    const struct invocation *invocation;
    size_t object; /* from 1, as Lua counts */
    struct outbox *outbox;
    bool decided;
    const struct facts *facts;
    struct answer *answer;
    struct buffer *text;
    int *status;
    bool shadow; /* the shadow script is asked */
};

static const char loading[] = "(loading)"; /* the watchdog's label where it is no key */
int luaopen_cjson(lua_State *L);

/* ------------------------------------------------------------- protected visits */

static int add_traceback(lua_State *L)
{
    luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
    return 1;
}

/* Runs `body` with up to `growth` bytes more than Lua uses now, below the ceiling. */
static bool call_protected(struct visit *visit, lua_CFunction body, size_t growth,
                           struct err *err)
{
    struct script *script = visit->script;
    lua_State *L = script->L;
    int top = lua_gettop(L);
    bool ok;

    memory_allow(&script->memory, growth);
    /* luaL_Buffer does not collect before it gives up, as all else does */
    if (growth == MEMORY_ALL && memory_strained(&script->memory))
        lua_gc(L, LUA_GCCOLLECT);
    lua_pushcfunction(L, add_traceback); /* handler */
    lua_pushcfunction(L, body);          /* handler body */
    lua_pushlightuserdata(L, visit);     /* handler body visit */
    /* what is raised otherwise is a bug, and has a traceback */
    ok = lua_pcall(L, 1, 0, visit->opening ? 0 : top + 1) == LUA_OK;
    if (!ok)
        err_set(err, "%s",
                lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1)
                                               : "Lua failed without a message");
    lua_settop(L, top);
    return ok;
}

static void set_string(lua_State *L, const char *name, const char *value)
{
    lua_pushstring(L, value);  /* ... table value; nil for NULL */
    lua_setfield(L, -2, name); /* ... table */
}

static void set_integer(lua_State *L, const char *name, int64_t value)
{
    lua_pushinteger(L, value); /* ... table value */
    lua_setfield(L, -2, name); /* ... table */
}

static void set_boolean(lua_State *L, const char *name, bool value)
{
    lua_pushboolean(L, value); /* ... table value */
    lua_setfield(L, -2, name); /* ... table */
}

/* The function of a verb, on top of the stack. */
static void push_verb(lua_State *L, const char *verb)
{
    lua_getfield(L, LUA_REGISTRYINDEX, "pigeon"); /* ... pigeon */
    lua_getfield(L, -1, verb);                    /* ... pigeon verb */
    lua_remove(L, -2);                            /* ... verb */
}

/* ------------------------------------------------------------- open */

/* A package searcher: what require() asks. */
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

static void open_libraries(lua_State *L)
{
    lua_pushboolean(L, 1);                           /* true */
    lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV"); /* LUA_PATH is not for us */
    luaL_openlibs(L);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE); /* preload */
    lua_pushcfunction(L, luaopen_cjson);                       /* preload open */
    lua_setfield(L, -2, "cjson");                              /* preload */
    lua_pushcfunction(L, luaopen_pigeon_decode);               /* preload open */
    lua_setfield(L, -2, "pigeon.decode");                      /* preload */
    lua_getglobal(L, "package");                               /* preload package */
    set_string(L, "path", "");
    set_string(L, "cpath", "");
    lua_getfield(L, -1, "searchers");  /* preload package searchers */
    lua_pushcfunction(L, find_module); /* preload package searchers find */
    lua_rawseti(L, -2, 2);             /* preload package searchers */
    lua_pop(L, 3);
}

/* A table of a script, or nil where there is none. */
static void push_source(lua_State *L, const struct rules_file *source, const char *path)
{
    if (!path) {
        lua_pushnil(L); /* ... nil */
        return;
    }
    lua_createtable(L, 0, 4); /* ... rules */
    set_string(L, "name", source->name);
    set_string(L, "path", path);
    set_string(L, "hash", source->hash);
    lua_pushlstring(L, source->text.data, source->text.len);
    lua_setfield(L, -2, "source"); /* ... rules */
}

/* What the desk's command was given. */
static void set_desk(lua_State *L, const struct script_settings *settings)
{
    set_boolean(L, "help", settings->help);
    set_boolean(L, "json", settings->json);
    set_boolean(L, "trace", settings->trace);
    set_boolean(L, "dry_run", settings->dry_run);
    set_integer(L, "width", settings->width);
    lua_createtable(L, settings->count, 0); /* ... table arguments */
    for (int i = 0; i < settings->count; i++) {
        lua_pushstring(L, settings->arguments[i]); /* ... table arguments argument */
        lua_rawseti(L, -2, i + 1);                 /* ... table arguments */
    }
    lua_setfield(L, -2, "arguments"); /* ... table */
}

static int open_body(lua_State *L)
{
    struct visit *visit = lua_touserdata(L, 1);
    struct script *script = visit->script;

    lua_gc(L, LUA_GCSTOP); /* nothing of what is ours is garbage */
    open_libraries(L);
    lua_getglobal(L, "require");                  /* visit require */
    lua_pushliteral(L, "pigeon");                 /* visit require name */
    lua_call(L, 1, 1);                            /* visit pigeon */
    lua_setfield(L, LUA_REGISTRYINDEX, "pigeon"); /* visit */
    lua_gc(L, LUA_GCRESTART);
    push_verb(L, "open");      /* visit open */
    lua_createtable(L, 0, 15); /* visit open settings */
    set_string(L, "command", visit->settings->command);
    set_string(L, "PIGEON_QUEUE", visit->settings->queue);
    set_string(L, "PIGEON_ENV", visit->settings->env);
    set_string(L, "PIGEON_BATCH_FAILURES", visit->settings->batch_failures);
    set_string(L, "PIGEON_METRICS", visit->settings->metrics);
    set_string(L, "AWS_LAMBDA_FUNCTION_NAME", visit->settings->function_name);
    set_string(L, "AWS_LAMBDA_FUNCTION_VERSION", visit->settings->function_version);
    set_string(L, "AWS_LAMBDA_LOG_LEVEL", log_level());
    push_source(L, &script->source, visit->settings->path); /* ... settings rules */
    lua_setfield(L, -2, "rules");                           /* visit open settings */
    set_desk(L, visit->settings);
    lua_call(L, 1, 2); /* visit queues names */
    script->queues = strdup(lua_tostring(L, -1));
    if (!script->queues)
        return luaL_error(L, "out of memory");
    lua_gc(L, LUA_GCCOLLECT);
    return 0;
}

static bool load(struct script *script, const struct script_settings *settings,
                 const struct deadline *deadline, struct err *err)
{
    struct visit visit = {.script = script, .settings = settings, .opening = true};
    bool ok;

    script->L = lua_newstate(memory_alloc, &script->memory);
    if (!script->L)
        return err_set(err, "out of memory");
    if (!watchdog_start(deadline, err))
        return false;
    watchdog_watch(script->source.name, loading, strlen(loading));
    ok = call_protected(&visit, open_body, GROWTH, err);
    watchdog_stop();
    script->memory.base = script->memory.bytes;
    return ok;
}

struct script *script_open(const struct script_settings *settings,
                           const struct deadline *deadline, struct err *err)
{
    struct script *script = calloc(1, sizeof(*script));
    bool ok;

    err->type = "Runtime.RulesInvalid";
    if (!script) {
        err_set(err, "out of memory");
        return NULL;
    }
    memory_open(&script->memory, settings->memory_mb);
    script->desk = strcmp(settings->command, "lambda") != 0;
    ok = (!settings->path ||
          rules_file_read_handler(&script->source, settings->path, err)) &&
         load(script, settings, deadline, err);
    rules_file_free(&script->source);
    if (ok)
        return script;
    if (strncmp(err->text, "PIGEON_", 7) == 0)
        err->type = "ValueError"; /* a setting's fault, not the rules' */
    script_close(script);
    return NULL;
}

/* ------------------------------------------------------------- the collector */

static void wake_collector(struct script *script)
{
    if (script->resting)
        lua_gc(script->L, LUA_GCRESTART);
    script->resting = false;
}

/* A big event is garbage when it is told; until then a collection would only go through
 * all of it, again and again. The desk tells nothing. */
static void rest_collector(struct script *script, size_t input_len)
{
    wake_collector(script);
    if (script->desk || input_len < BIG_INPUT)
        return;
    script->resting = true;
    lua_gc(script->L, LUA_GCSTOP);
}

/* ------------------------------------------------------------- decide */

static int receive_body(lua_State *L)
{
    struct visit *visit = lua_touserdata(L, 1);
    const struct invocation *invocation = visit->invocation;

    push_verb(L, "receive");                                      /* visit receive */
    lua_pushlstring(L, invocation->input, invocation->input_len); /* ... input */
    lua_createtable(L, 0, 2);                                     /* ... input facts */
    set_string(L, "kind", invocation->kind);
    set_integer(L, "line", invocation->line);
    lua_call(L, 2, 1); /* visit labels */
    luaL_checktype(L, 2, LUA_TTABLE);
    visit->script->objects = (size_t)luaL_len(L, 2);
    lua_setfield(L, LUA_REGISTRYINDEX, "labels"); /* visit: kept for the watchdog */
    return 0;
}

/* How the watchdog calls the script that is asked. */
static const char *script_name(const struct script *script, bool shadow)
{
    return shadow ? script->stalled : script->source.name;
}

static void watch(lua_State *L, const struct visit *visit)
{
    struct bytes label;

    lua_getfield(L, LUA_REGISTRYINDEX, "labels");   /* ... labels */
    lua_rawgeti(L, -1, (lua_Integer)visit->object); /* ... labels label */
    label.data = lua_tolstring(L, -1, &label.len);
    watchdog_watch(script_name(visit->script, visit->shadow), label.data, label.len);
    lua_pop(L, 2); /* the labels hold it */
}

static int decide_body(lua_State *L)
{
    struct visit *visit = lua_touserdata(L, 1);
    struct bytes id;

    watch(L, visit);
    push_verb(L, "decide");                         /* visit decide */
    lua_pushinteger(L, (lua_Integer)visit->object); /* visit decide i */
    lua_pushboolean(L, visit->shadow);              /* visit decide i shadow */
    lua_call(L, 2, 2);                              /* visit destinations id */
    if (lua_isnil(L, 2))
        return 0;
    luaL_checktype(L, 2, LUA_TTABLE);
    for (lua_Integer i = 1, n = luaL_len(L, 2); i <= n; i++) {
        id.data = luaL_checklstring(L, 3, &id.len);
        lua_rawgeti(L, 2, i); /* visit destinations id destination */
        if (!outbox_add(visit->outbox, log_lines_string(L, 4, "exchange"),
                        log_lines_string(L, 4, "routing_key"), id, id)) {
            visit->script->memory.refused = true;
            return luaL_error(L, "out of memory");
        }
        lua_settop(L, 3); /* visit destinations id */
    }
    visit->decided = true;
    return 0;
}

static int reload_body(lua_State *L)
{
    struct visit *visit = lua_touserdata(L, 1);

    push_verb(L, "reload");                         /* visit reload */
    lua_pushinteger(L, (lua_Integer)visit->object); /* visit reload i */
    lua_pushboolean(L, visit->shadow);              /* visit reload i shadow */
    lua_call(L, 2, 0);                              /* visit */
    lua_gc(L, LUA_GCCOLLECT);
    return 0;
}

/* A decision that failed while memory was refused is followed by a reload, which frees
 * what that script hoarded. False only when Lua itself broke. */
static bool decide_one(struct script *script, size_t object, bool shadow,
                       struct outbox *outbox, struct err *err)
{
    struct visit visit = {
        .script = script, .object = object, .shadow = shadow, .outbox = outbox};
    size_t before = outbox->count;
    bool ok;

    if (memory_strained(&script->memory))
        wake_collector(script);
    ok = call_protected(&visit, decide_body, GROWTH, err);
    if (ok && (visit.decided || !script->memory.refused))
        return true;
    outbox_truncate(outbox, before);
    if (!script->memory.refused)
        return false;
    watchdog_watch(script_name(script, shadow), loading, strlen(loading));
    ok = call_protected(&visit, reload_body, MEMORY_ALL, err);
    if (!shadow && memory_strained(&script->memory))
        script->exhausted = true;
    return ok;
}

bool script_decide(struct script *script, const struct invocation *invocation,
                   struct outbox *outbox, struct err *err)
{
    struct visit visit = {.script = script, .invocation = invocation};
    size_t i = 0;
    bool ok;

    outbox->rules_version = script->source.hash;
    script->memory.input = INPUT_FACTOR * invocation->input_len;
    rest_collector(script, invocation->input_len);
    if (!call_protected(&visit, receive_body, MEMORY_ALL, err))
        return err_wrap(err, "receiving %zu bytes", invocation->input_len);
    ok = watchdog_start(&invocation->deadline, err);
    while (ok && i < script->objects && !script->exhausted &&
           !deadline_half_spent(&invocation->deadline)) {
        ok = decide_one(script, ++i, false, outbox, err);
    }
    watchdog_stop();
    return ok;
}

/* ------------------------------------------------------------- the shadow */

static const char stalled_hint[] =
    "the messages of this event were published before, and it comes again: unset "
    "PIGEON_SHADOW_RULES, or each time ends so";

static int open_shadow_body(lua_State *L)
{
    struct visit *visit = lua_touserdata(L, 1);

    push_verb(L, "open_shadow");                                /* visit open_shadow */
    push_source(L, &visit->script->shadow, visit->shadow_path); /* ... rules */
    lua_call(L, 1, 0);                                          /* visit */
    return 0;
}

bool script_open_shadow(struct script *script, const char *path,
                        const struct deadline *deadline, struct err *err)
{
    struct visit visit = {.script = script, .opening = true};
    struct err ignored;
    bool read = rules_file_read(&script->shadow, path, err);

    visit.shadow_path = read ? path : NULL;
    snprintf(script->stalled, sizeof(script->stalled), "the shadow script %s",
             script->shadow.name);
    if (watchdog_start(deadline, read ? err : &ignored)) {
        watchdog_watch(script->stalled, loading, strlen(loading));
        script->shadowed =
            call_protected(&visit, open_shadow_body, GROWTH, read ? err : &ignored) &&
            read;
        watchdog_stop();
    }
    rules_file_free(&script->shadow);
    lua_gc(script->L, LUA_GCCOLLECT);
    script->memory.base = script->memory.bytes;
    return script->shadowed;
}

static int rest_shadow_body(lua_State *L)
{
    push_verb(L, "rest_shadow"); /* visit rest_shadow */
    lua_call(L, 0, 0);           /* visit */
    return 0;
}

static bool ask_shadow(struct script *script, const struct deadline *deadline,
                       struct err *err)
{
    struct visit visit = {.script = script};
    struct outbox none = {0};
    size_t i = 0;
    bool ok = watchdog_start(deadline, err);

    while (ok && i < script->objects && deadline_third_left(deadline))
        ok = decide_one(script, ++i, true, &none, err);
    watchdog_stop();
    return ok && call_protected(&visit, rest_shadow_body, MEMORY_ALL, err);
}

void script_shadow(struct script *script, const struct deadline *deadline)
{
    struct visit lost = {.script = script};
    struct err err, ignored;

    if (!script->shadowed)
        return;
    if (!script->desk)
        watchdog_add(stalled_hint);
    script->shadowed = ask_shadow(script, deadline, &err);
    if (!script->shadowed) {
        log_message(LOG_LEVEL_ERROR, "the shadow script %s is asked no more: %s",
                    script->shadow.name, err.text);
        call_protected(&lost, open_shadow_body, MEMORY_ALL, &ignored);
    }
    if (!script->desk)
        watchdog_add(NULL);
}

/* ------------------------------------------------------------- conclude */

static void push_fates(lua_State *L, const struct outbox *outbox)
{
    lua_newtable(L); /* ... fates */
    for (size_t i = 0; i < outbox->count; i++) {
        const struct message *message = &outbox->messages[i];

        if (message->fate == FATE_CONFIRMED)
            continue;
        lua_createtable(L, 0, 4); /* ... fates fate */
        set_string(L, "fate", fate_name(message->fate));
        set_string(L, "stage", message->stage);
        set_integer(L, "code", message->code);
        set_string(L, "text", message->text);
        lua_rawseti(L, -2, (lua_Integer)i + 1); /* ... fates */
    }
}

static void push_facts(lua_State *L, const struct facts *facts)
{
    lua_createtable(L, 0, 8); /* ... facts */
    set_integer(L, "now_ms", clock_unix_ms());
    set_integer(L, "confirmed", (int64_t)facts->confirmed);
    set_string(L, "broker_wide", facts->broker_wide[0] ? facts->broker_wide : NULL);
    set_integer(L, "reconnects", facts->reconnects);
    set_boolean(L, "cold", facts->cold);
    set_integer(L, "decide_us", facts->decide_us);
    set_integer(L, "publish_us", facts->publish_us);
    set_integer(L, "connect_us", facts->connect_us);
}

static int conclude_body(lua_State *L)
{
    struct visit *visit = lua_touserdata(L, 1);
    const char *body, *type;
    size_t len;

    push_verb(L, "conclude");                     /* visit conclude */
    push_fates(L, visit->outbox);                 /* visit conclude fates */
    push_facts(L, visit->facts);                  /* visit conclude fates facts */
    lua_call(L, 2, 2);                            /* visit body type */
    lua_pushnil(L);                               /* visit body type nil */
    lua_setfield(L, LUA_REGISTRYINDEX, "labels"); /* visit body type */
    body = luaL_checklstring(L, 2, &len);
    type = luaL_optstring(L, 3, "");
    if (!buffer_append(&visit->answer->body, body, len))
        return luaL_error(L, "an answer of %I bytes is more than Lambda takes",
                          (lua_Integer)len);
    snprintf(visit->answer->error_type, sizeof(visit->answer->error_type), "%s", type);
    return 0;
}

bool script_conclude(struct script *script, struct outbox *outbox,
                     const struct facts *facts, struct answer *answer, struct err *err)
{
    struct visit visit = {
        .script = script, .outbox = outbox, .facts = facts, .answer = answer};

    buffer_clear(&answer->body);
    answer->body.max = script->desk ? SIZE_MAX : ANSWER_MAX;
    answer->error_type[0] = '\0';
    return call_protected(&visit, conclude_body, MEMORY_ALL, err);
}

/* ------------------------------------------------------------- tell */

static int tell_body(lua_State *L)
{
    push_verb(L, "tell"); /* visit tell */
    lua_call(L, 0, 2);    /* visit lines metrics */
    log_lines_write(L, 2);
    log_lines_metrics(L, 3);
    return 0;
}

bool script_tell(struct script *script, struct err *err)
{
    struct visit visit = {.script = script};
    bool ok;

    log_hold();
    ok = call_protected(&visit, tell_body, MEMORY_ALL, err);
    log_flush();
    if (script->resting) {
        wake_collector(script);
        lua_gc(script->L, LUA_GCCOLLECT);
    }
    script->memory.input = 0;
    return ok || err_wrap(err, "the event is answered, but not all is told of it");
}

/* ------------------------------------------------------------- finish */

static int finish_body(lua_State *L)
{
    struct visit *visit = lua_touserdata(L, 1);
    const char *text;
    size_t len;

    push_verb(L, "finish"); /* visit finish */
    lua_call(L, 0, 2);      /* visit text status */
    text = luaL_checklstring(L, 2, &len);
    *visit->status = (int)luaL_checkinteger(L, 3);
    if (!buffer_append(visit->text, text, len))
        return luaL_error(L, "out of memory");
    return 0;
}

bool script_finish(struct script *script, struct buffer *text, int *status,
                   struct err *err)
{
    struct visit visit = {.script = script, .text = text, .status = status};

    return call_protected(&visit, finish_body, MEMORY_ALL, err);
}

/* ------------------------------------------------------------- the rest */

const char *script_queues(const struct script *script)
{
    return script->queues;
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
    if (script->L)
        lua_close(script->L);
    free(script->queues);
    free(script);
}
