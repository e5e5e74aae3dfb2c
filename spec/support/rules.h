/* For the specs of what calls Lua: rules in a file, events, the log, members of JSON.
 *
 * Include it after cmocka.h. begin() and end() are a test's setup and teardown: in
 * between, what Pigeon logs is kept for logged(), and rules.lua has a folder of its own.
 */
#ifndef PIGEON_SUPPORT_RULES_H
#define PIGEON_SUPPORT_RULES_H

#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "lua/script.h"

#define KEY "v2/raw_crash/000/20180313/"
#define ID "00007bd0-2d1c-4865-af09-80bc01180313"

int luaopen_cjson(lua_State *L);

static char folder[32], rules_path[64];
static int real_stdout;

static inline int begin(void **state)
{
    int log = memfd_create("log", 0);

    (void)state;
    strcpy(folder, "/tmp/script_spec.XXXXXX");
    if (!mkdtemp(folder) || log < 0)
        return -1;
    snprintf(rules_path, sizeof(rules_path), "%s/rules.lua", folder);
    log_open(LOG_LEVEL_DEBUG);
    log_as(LOG_TEXT);
    fflush(stdout);
    real_stdout = dup(STDOUT_FILENO);
    dup2(log, STDOUT_FILENO);
    close(log);
    return 0;
}

static inline int end(void **state)
{
    (void)state;
    fflush(stdout);
    dup2(real_stdout, STDOUT_FILENO);
    close(real_stdout);
    unlink(rules_path);
    return rmdir(folder);
}

/* What was logged since begin(); cut where it is long. */
static inline const char *logged(void)
{
    static char text[4 * 65536];
    ssize_t len = pread(STDOUT_FILENO, text, sizeof(text) - 1, 0);

    text[len > 0 ? len : 0] = '\0';
    return text;
}

static inline void assert_logged(const char *words)
{
    if (!strstr(logged(), words))
        fail_msg("\"%s\" is not in %s", words, logged());
}

/* Starts this program with these two words, and reads what it writes until it ends:
 * its status. EMULATOR is what runs it where it is another processor's (bin/test). */
static inline int run_again(const char *first, const char *second, char *said,
                            size_t size)
{
    char self[4096] = {0};
    size_t have = 0;
    ssize_t n = 1;
    int out[2], status;
    pid_t child;

    assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
    assert_int_equal(pipe(out), 0);
    child = fork();
    if (child == 0) {
        dup2(out[1], STDOUT_FILENO);
        close(out[0]);
        close(out[1]);
        execl("/bin/sh", "sh", "-c", "exec $EMULATOR \"$@\"", "sh", self, first, second,
              (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    while (n > 0 && have < size - 1) {
        n = read(out[0], said + have, size - 1 - have);
        have += n > 0 ? (size_t)n : 0;
    }
    said[have] = '\0';
    close(out[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* ------------------------------------------------------------------------ rules */

static inline void write_rules(const char *text)
{
    FILE *file = fopen(rules_path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static inline struct script *open_with(const char *rules, const char *queue,
                                       long memory_mb, struct err *err)
{
    struct script_settings settings = {
        .command = "lambda", .path = rules_path, .queue = queue, .memory_mb = memory_mb};
    struct deadline deadline = deadline_in(600000);

    settings.metrics = "off";
    write_rules(rules);
    return script_open(&settings, &deadline, err);
}

/* Opens the rules; they have to load. */
static inline struct script *open_rules(const char *rules)
{
    struct err err = {0};
    struct script *script = open_with(rules, "normal", 0, &err);

    assert_string_equal(err.text, "");
    assert_non_null(script);
    return script;
}

/* ----------------------------------------------------------------------- events */

static inline void append(struct buffer *buffer, const char *text)
{
    assert_true(buffer_append(buffer, text, strlen(text)));
}

/* One more record; the first makes the buffer an event, which is whole at any time. */
static inline void add_object_named(struct buffer *event, const char *key,
                                    const char *event_name)
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

static inline void add_object(struct buffer *event, const char *key)
{
    add_object_named(event, key, "ObjectCreated:Put");
}

static inline struct invocation invocation_of(const struct buffer *event)
{
    return (struct invocation){.kind = "event",
                               .input = event->data,
                               .input_len = event->len,
                               .deadline = deadline_in(600000)};
}

/* ------------------------------------------------------------------------ proof */

static inline bool is(struct bytes bytes, const char *text)
{
    return bytes.len == strlen(text) && memcmp(bytes.data, text, bytes.len) == 0;
}

/* All that is not settled is confirmed. Returns how many that were. */
static inline size_t confirm(struct outbox *outbox)
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

/* A member of a JSON object, which has to be a string; until the next call. */
static inline const char *member(const struct buffer *json, const char *name)
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

#endif
