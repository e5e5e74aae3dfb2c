/* The spec of host/lambda/loop.c, with a fake runtime and a fake handler. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "captured_log.h"
#include "lambda/loop.h"
#include "s3_event.h"

/* What the fakes do, and their calls in order. */
static struct {
    int events;            /* how many come */
    enum runtime_next end; /* what follows them */
    const char *error_type;
    bool unhandled, unposted, untold, exhausted;

    int taken;
    char steps[256];
    char body[256]; /* of the last answer */
} made_up;

static void step(const char *name)
{
    strcat(made_up.steps, name);
    strcat(made_up.steps, " ");
}

enum runtime_next runtime_next(struct runtime *runtime, struct runtime_event *event,
                               struct err *err)
{
    static char id[16];

    (void)runtime;
    step("next");
    if (made_up.taken == made_up.events) {
        if (made_up.end == RUNTIME_GONE)
            err_set(err, CAUSE_OTHER, "the Runtime API is gone");
        return made_up.end;
    }
    snprintf(id, sizeof(id), "id-%d", ++made_up.taken);
    *event = (struct runtime_event){.request_id = id, .payload = ""};
    return RUNTIME_EVENT;
}

void runtime_answer(struct runtime *runtime, const char *type, const char *body,
                    size_t len)
{
    (void)runtime;
    if (type)
        step(type);
    step(type ? "fail" : "respond");
    snprintf(made_up.body, sizeof(made_up.body), "%.*s", (int)len, body);
}

bool runtime_await(struct runtime *runtime, struct err *err)
{
    (void)runtime;
    step("await");
    return !made_up.unposted || err_set(err, CAUSE_OTHER, "the answer was not taken");
}

bool handler_event(struct handler *handler, const struct invocation *invocation,
                   struct answer *answer, struct err *err)
{
    (void)handler;
    (void)invocation;
    step("handle");
    if (made_up.unhandled)
        return err_set(err, CAUSE_OTHER, "Lua \"broke\"");
    answer->body.max = 100;
    buffer_clear(&answer->body);
    append(&answer->body, "the answer");
    strcpy(answer->error_type, made_up.error_type);
    return true;
}

bool script_tell(struct script *script, struct err *err)
{
    (void)script;
    step("tell");
    log_message(LOG_LEVEL_INFO, "event %d", made_up.taken);
    return !made_up.untold || err_set(err, CAUSE_OTHER, "it is not told");
}

bool script_exhausted(const struct script *script)
{
    (void)script;
    return made_up.exhausted;
}

static int setup(void **state)
{
    (void)state;
    memset(&made_up, 0, sizeof(made_up));
    made_up.events = 1;
    made_up.end = RUNTIME_STOP;
    made_up.error_type = "";
    log_set_level(LOG_LEVEL_DEBUG);
    log_set_format(LOG_TEXT);
    return captured_log_start() ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    captured_log_stop();
    return 0;
}

static bool run(void)
{
    struct handler handler = {0};

    return loop_run(NULL, &handler);
}

/* ------------------------------------------------------------------------ order */

static void each_event_is_answered_and_then_told(void **state)
{
    (void)state;
    made_up.events = 2;
    assert_true(run());
    assert_string_equal(made_up.steps, "next handle respond tell await "
                                       "next handle respond tell await next ");
    assert_string_equal(made_up.body, "the answer");
}

static void so_is_one_that_failed(void **state)
{
    (void)state;
    made_up.error_type = "Function.X";
    assert_true(run());
    assert_string_equal(made_up.steps, "next handle Function.X fail tell await next ");
    assert_string_equal(made_up.body, "the answer");
}

static void what_is_told_has_its_events_request_id(void **state)
{
    (void)state;
    made_up.events = 2;
    made_up.end = RUNTIME_GONE;
    assert_false(run());
    assert_logged(" INFO  id-1 event 1\n");
    assert_logged(" INFO  id-2 event 2\n");
    assert_logged(" ERROR the Runtime API is gone\n");
}

/* ------------------------------------------------------------------------ the end */

static void an_answer_that_is_not_taken_is_told_all_the_same(void **state)
{
    (void)state;
    made_up.unposted = true;
    assert_false(run());
    assert_string_equal(made_up.steps, "next handle respond tell await ");
    assert_logged(" ERROR id-1 the answer was not taken\n");
}

static void the_answer_stands_where_the_telling_breaks(void **state)
{
    (void)state;
    made_up.untold = true;
    assert_false(run());
    assert_string_equal(made_up.steps, "next handle respond tell await ");
    assert_logged(" ERROR id-1 it is not told\n");
}

static void both_are_logged(void **state)
{
    (void)state;
    made_up.unposted = made_up.untold = true;
    assert_false(run());
    assert_logged(" ERROR id-1 the answer was not taken\n");
    assert_logged(" ERROR id-1 it is not told\n");
}

static void what_broke_is_an_error_and_not_told(void **state)
{
    (void)state;
    made_up.unhandled = true;
    assert_false(run());
    assert_string_equal(made_up.steps, "next handle Function.ScriptBroken fail await ");
    assert_string_equal(made_up.body,
                        "{\"errorType\":\"Function.ScriptBroken\","
                        "\"errorMessage\":\"Lua \\\"broke\\\"\",\"stackTrace\":[]}");
    assert_logged(" ERROR id-1 Lua \"broke\"\n");
}

static void rules_that_hold_too_much_memory_end_it_after_the_event(void **state)
{
    (void)state;
    made_up.exhausted = true;
    assert_false(run());
    assert_string_equal(made_up.steps, "next handle respond tell await ");
    assert_logged(" ERROR id-1 the rules hold too much memory");
}

static void a_signal_between_events_ends_it_well(void **state)
{
    (void)state;
    made_up.events = 0;
    assert_true(run());
    assert_string_equal(made_up.steps, "next ");
    assert_string_equal(logged(), "");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(each_event_is_answered_and_then_told),
        CASE(so_is_one_that_failed),
        CASE(what_is_told_has_its_events_request_id),
        CASE(an_answer_that_is_not_taken_is_told_all_the_same),
        CASE(the_answer_stands_where_the_telling_breaks),
        CASE(both_are_logged),
        CASE(what_broke_is_an_error_and_not_told),
        CASE(rules_that_hold_too_much_memory_end_it_after_the_event),
        CASE(a_signal_between_events_ends_it_well),
    };

    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
