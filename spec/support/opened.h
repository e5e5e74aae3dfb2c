/* For the specs of host/lua/script.c: rules that are open, and one event on its way.
 *
 * Include it after cmocka.h. open_script() and close_script() are a test's setup and
 * teardown. */
#ifndef PIGEON_SUPPORT_OPENED_H
#define PIGEON_SUPPORT_OPENED_H

#include "rules.h"

/* The last character of the key says what becomes of it. */
#define RULES                                                                         \
    "return function(object)\n"                                                       \
    "  local last = object.key:sub(-1)\n"                                             \
    "  if last == '!' then error('a bad key') end\n"                                  \
    "  if last == '0' then return defer('deferred') end\n"                            \
    "  if last == '1' then return accept('id of ' .. object.key, {'normal'}) end\n"   \
    "  if last == '2' then return accept(object.key, {'a b', exchange('x', 'r.k')}) " \
    "end\n"                                                                           \
    "  if last == '3' then return accept(object.key, {}) end\n"                       \
    "  return ignore('junk')\n"                                                       \
    "end\n"

static struct script *script;
static struct outbox outbox;
static struct facts facts;
static struct answer answer;
static struct buffer event;
static struct err err;

static inline int open_script(void **state)
{
    err = (struct err){0};
    facts = (struct facts){0};
    if (begin(state) != 0)
        return -1;
    script = open_rules(RULES);
    return 0;
}

static inline int close_script(void **state)
{
    outbox_clear(&outbox);
    buffer_free(&answer.body);
    buffer_free(&event);
    script_close(script);
    script = NULL;
    return end(state);
}

static inline bool decide(void)
{
    struct invocation invocation = invocation_of(&event);

    outbox_clear(&outbox);
    return script_decide(script, &invocation, &outbox, &err);
}

static inline bool conclude(void)
{
    return script_conclude(script, &outbox, &facts, &answer, &err);
}

static inline void tell(void)
{
    assert_true(script_tell(script, &err));
}

/* The whole way, with each message that has no other fate confirmed. */
static inline void run(void)
{
    assert_true(decide());
    facts.confirmed = confirm(&outbox);
    assert_true(conclude());
    tell();
}

static inline void assert_error(const char *type, const char *words)
{
    assert_string_equal(answer.error_type, type);
    assert_string_equal(member(&answer.body, "errorType"), type);
    if (!strstr(member(&answer.body, "errorMessage"), words))
        fail_msg("\"%s\" is not in %s", words, answer.body.data);
}

static inline void assert_success(void)
{
    assert_string_equal(answer.body.data, "null");
    assert_string_equal(answer.error_type, "");
}

#define OPENED(name) cmocka_unit_test_setup_teardown(name, open_script, close_script)

#endif
