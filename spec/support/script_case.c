/* script_case.c -- calls the script's verbs in their order. */
#include "script_case.h"

#include <string.h>

#include "asserts.h"

struct script *script;
struct answer answer;
struct buffer event;
struct err err;

int script_case_setup(void **state)
{
    err = (struct err){0};
    facts = (struct facts){0};
    return rules_folder_setup(state);
}

int script_case_setup_by_last(void **state)
{
    if (script_case_setup(state) != 0)
        return -1;
    script = open_rules(RULES_BY_LAST);
    return 0;
}

int script_case_teardown(void **state)
{
    outbox_clear(&outbox);
    buffer_free(&answer.body);
    buffer_free(&event);
    script_close(script);
    script = NULL;
    return rules_folder_teardown(state);
}

void open_small(const char *rules, long memory_mb)
{
    script = open_with(rules, "normal", memory_mb, &err);
    assert_string_equal(err.text, "");
    assert_non_null(script);
}

bool decide(void)
{
    struct invocation invocation = invocation_of(&event);

    outbox_clear(&outbox);
    return script_decide(script, &invocation, &outbox, &err);
}

bool conclude(void)
{
    return script_conclude(script, &outbox, &facts, &answer, &err);
}

void tell(void)
{
    assert_true(script_tell(script, &err));
}

void run(void)
{
    assert_true(decide());
    facts.confirmed = confirm(&outbox);
    assert_true(conclude());
    tell();
}

bool is(struct bytes bytes, const char *text)
{
    return bytes.len == strlen(text) && memcmp(bytes.data, text, bytes.len) == 0;
}

void assert_id(size_t i, const char *id)
{
    assert_true(i < outbox.count);
    if (!is(outbox.messages[i].body, id))
        fail_msg("message %zu is %s, not %s", i, outbox.messages[i].body.data, id);
}

void assert_error(const char *type, const char *words)
{
    assert_string_equal(answer.error_type, type);
    assert_string_equal(member(&answer.body, "errorType"), type);
    assert_has(member(&answer.body, "errorMessage"), words);
}

void assert_success(void)
{
    assert_string_equal(answer.body.data, "null");
    assert_string_equal(answer.error_type, "");
}
