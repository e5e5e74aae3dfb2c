/* The spec of host/lua/script.c: opening, deciding and the desk, with the embedded Lua
 * and rules of its own. What becomes of the fates is in script_answer_spec.c, memory and
 * time are in script_limits_spec.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fake/clock.h"
#include "fake/cpu_clock.h"
#include "script_case.h"

static void assert_message(size_t i, const char *exchange, const char *routing_key,
                           const char *id)
{
    assert_true(i < outbox.count);
    assert_true(is(outbox.messages[i].exchange, exchange));
    assert_true(is(outbox.messages[i].routing_key, routing_key));
    assert_true(is(outbox.messages[i].message_id, id));
    assert_true(is(outbox.messages[i].body, id));
    assert_int_equal(outbox.messages[i].fate, FATE_NONE);
}

/* ---------------------------------------------------------------------- opening */

static void knows_the_queues_and_the_hash(void **state)
{
    (void)state;
    script_close(script);
    script = open_with("return function() return ignore(\"all\") end\n",
                       " normal, 15:submitter ", 0, &err);
    assert_non_null(script);
    assert_string_equal(script_queues(script), "normal,submitter");
    assert_string_equal(script_hash(script), "3b31020cb6f0");
    assert_false(script_exhausted(script));
}

static void what_is_wrong_is_told_when_opening(void **state)
{
    static const struct {
        const char *rules;
        const char *queue;
        const char *type;
        const char *words;
    } cases[] = {
        {RULES_BY_LAST, "normal,,b", "ValueError", "PIGEON_QUEUE: entry 2"},
        {RULES_BY_LAST, "101:q", "ValueError", "PIGEON_QUEUE: entry 1, \"101:q\""},
        {"syntax error", "101:q", "ValueError", "PIGEON_QUEUE"},
        {"\nreturn function( end", "q", "Runtime.RulesInvalid", "rules.lua:2:"},
        {"\n\nlocal x = nil .. 'a'", "q", "Runtime.RulesInvalid", "rules.lua:3:"},
        {"error('PIGEON_QUEUE: no')", "q", "Runtime.RulesInvalid", "rules.lua:1: PIG"},
        {"io.write('x')", "q", "Runtime.RulesInvalid", "rules.lua:1:"},
        {"return 7", "q", "Runtime.RulesInvalid", "rules.lua:"},
        {"", "q", "Runtime.RulesInvalid", "rules.lua:"},
        {"\033Lua", "q", "Runtime.RulesInvalid", "compiled Lua"},
        {"\nwhile true do end", "q", "Runtime.RulesInvalid",
         "rules.lua:2: spent its budget"},
        {"\nlocal s = 'x' for i = 1, 30 do s = s .. s end", "q", "Runtime.RulesInvalid",
         "rules.lua:2: used the 64 MB that loading may have: does a string or table grow "
         "in"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        err = (struct err){0};
        assert_null(open_with(cases[i].rules, cases[i].queue, 0, &err));
        assert_string_equal(err_type(&err), cases[i].type);
        if (!strstr(err.text, cases[i].words))
            fail_msg("\"%s\" is not in %s", cases[i].words, err.text);
        assert_null(strstr(err.text, "traceback"));
    }
}

static void a_bad_environment_is_a_bad_value(void **state)
{
    struct script_settings settings = {
        .command = "lambda", .path = rules_path, .queue = "q", .env = "stage 2"};
    struct deadline deadline = deadline_in(600000);

    (void)state;
    assert_null(script_open(&settings, &deadline, &err));
    assert_string_equal(err_type(&err), "ValueError");
    assert_non_null(strstr(err.text, "PIGEON_ENV"));
}

static void a_bad_list_of_sqs_queues_is_a_bad_value(void **state)
{
    struct script_settings settings = {
        .command = "lambda", .path = rules_path, .queue = "q", .batch_failures = "a,,b"};
    struct deadline deadline = deadline_in(600000);

    (void)state;
    assert_null(script_open(&settings, &deadline, &err));
    assert_string_equal(err_type(&err), "ValueError");
    assert_non_null(strstr(err.text, "PIGEON_BATCH_FAILURES: entry 2"));
}

static void rules_that_are_not_there_are_invalid(void **state)
{
    struct script_settings settings = {.command = "lambda", .path = folder, .queue = "q"};
    struct deadline deadline = deadline_in(600000);

    (void)state;
    assert_null(script_open(&settings, &deadline, &err));
    assert_string_equal(err_type(&err), "Runtime.RulesInvalid");
    assert_non_null(strstr(err.text, folder));
}

static void closing_nothing_is_allowed(void **state)
{
    (void)state;
    script_close(NULL);
}

/* --------------------------------------------------------------------- deciding */

static void what_is_accepted_is_in_the_outbox_byte_for_byte(void **state)
{
    (void)state;
    add_object(&event, "d0");
    add_object(&event, "a1");
    add_object(&event, "other");
    add_object(&event, "t3");
    add_object(&event, "b2");
    assert_true(decide());
    assert_int_equal(outbox.count, 3);
    assert_message(0, "", "normal", "id of a1");
    assert_message(1, "", "a b", "b2");
    assert_message(2, "x", "r.k", "b2");
    assert_string_equal(outbox.rules_version, script_hash(script));
    facts.confirmed = confirm(&outbox);
    assert_true(conclude());
    assert_success();
    tell();
    assert_non_null(strstr(logged(), "INFO  published {\"crash_id\":\"id of a1\""));
    assert_non_null(strstr(logged(), "INFO  published {\"crash_id\":\"b2\""));
    assert_non_null(strstr(logged(), "DEBUG deferred: d0"));
    assert_non_null(strstr(logged(), "DEBUG ignored: other"));
    assert_non_null(strstr(logged(), "INFO  throttled {\"crash_id\":\"t3\""));
}

static void an_event_without_objects_succeeds(void **state)
{
    (void)state;
    event.max = 100;
    append(&event, "{\"Records\":[]}");
    run();
    assert_int_equal(outbox.count, 0);
    assert_success();
}

static void what_is_wrong_with_an_event_is_told_when_concluding(void **state)
{
    static const char *const events[] = {"", "not JSON", "[]", "{}", "{\"Records\":7}"};

    (void)state;
    event.max = 100;
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        buffer_clear(&event);
        append(&event, events[i]);
        run();
        assert_int_equal(outbox.count, 0);
        assert_error("Function.EventInvalid", "the event");
    }
}

static void a_record_that_cannot_be_read_fails_alone(void **state)
{
    (void)state;
    add_object(&event, "a1");
    add_object(&event, "");
    add_object(&event, "b1");
    run();
    assert_int_equal(outbox.count, 2);
    assert_error("Function.EventInvalid", "Records[1].s3.object.key");
}

static void hostile_keys_do_no_harm(void **state)
{
    (void)state;
    add_object(&event, "a%0Ab%00c\n\x1b[31m");
    add_object(&event, "\xff\xfe%ff%zz%");
    add_object(&event, "%00!");
    add_object(&event, "a+%C3%A41");
    run();
    assert_int_equal(outbox.count, 0);
    assert_error("Function.RulesFailed", "rules.lua:");
    assert_null(strchr(answer.body.data, '\n'));
    assert_null(strchr(logged(), '\x1b'));
}

static void one_of_2000_objects_fails_alone(void **state)
{
    char text[32];

    (void)state;
    for (int i = 0; i < 2000; i++) {
        snprintf(text, sizeof(text), i == 1000 ? "%d!" : "%d/1", i);
        add_object(&event, text);
    }
    assert_true(decide());
    assert_int_equal(outbox.count, 1999);
    for (size_t i = 0; i < outbox.count; i++) {
        snprintf(text, sizeof(text), "id of %zu/1", i < 1000 ? i : i + 1);
        assert_message(i, "", "normal", text);
    }
    facts.confirmed = confirm(&outbox);
    assert_true(conclude());
    assert_error("Function.RulesFailed", "1 of 2000 objects failed");
    assert_error("Function.RulesFailed", "1000!");
    assert_error("Function.RulesFailed", "rules.lua:3: a bad key");
}

static void events_follow_each_other(void **state)
{
    (void)state;
    add_object(&event, "bad!");
    run();
    assert_error("Function.RulesFailed", "rules.lua:3: a bad key");
    buffer_clear(&event);
    add_object(&event, "a1");
    run();
    assert_success();
}

/* A message of SQS whose body cannot be read. */
#define SQS_EVENT                                                      \
    "{\"Records\":[{\"messageId\":\"m1\",\"eventSource\":\"aws:sqs\"," \
    "\"eventSourceARN\":\"arn:aws:sqs:us-west-2:1:crashes\",\"body\":\"x\"}]}"

static void a_listed_queue_is_told_which_message_failed(void **state)
{
    struct script_settings settings = {.command = "lambda",
                                       .path = rules_path,
                                       .queue = "q",
                                       .batch_failures = "crashes"};
    struct deadline deadline = deadline_in(600000);

    (void)state;
    event.max = 1000;
    append(&event, SQS_EVENT);
    run();
    assert_error("Function.EventInvalid", "message m1: Records[0].body is not JSON");
    script_close(script);
    script = script_open(&settings, &deadline, &err);
    assert_non_null(script);
    run();
    assert_string_equal(answer.error_type, "");
    assert_string_equal(answer.body.data,
                        "{\"batchItemFailures\":[{\"itemIdentifier\":\"m1\"}]}");
}

/* --------------------------------------------------------------------------- the desk */

/* A command that needs no rules. */
static struct script *open_command(const char *command, int count, char *const *arguments)
{
    struct script_settings settings = {
        .command = command, .queue = "q", .count = count, .arguments = arguments};
    struct deadline deadline = deadline_in(600000);

    return script_open(&settings, &deadline, &err);
}

static void a_command_without_rules_says_all_at_its_end(void **state)
{
    char *const arguments[] = {"sqs", "--key", "a\xc3\xa4"};
    struct buffer text = {.max = SIZE_MAX};
    struct err problem = {0};
    int status = 7;
    struct script *event_command = open_command("event", 3, arguments);

    (void)state;
    assert_non_null(event_command);
    assert_string_equal(script_queues(event_command), "");
    assert_true(script_finish(event_command, &text, NULL, &status, &problem, &err));
    assert_int_equal(status, 0);
    assert_memory_equal(text.data, "{\"Records\":[{", 13);
    assert_non_null(strstr(text.data, "a%C3%A4"));
    script_close(event_command);
    buffer_clear(&text);
    event_command = open_command("event", 0, NULL);
    assert_true(script_finish(event_command, &text, NULL, &status, &problem, &err));
    assert_int_equal(status, 2);
    assert_memory_equal(text.data, "pigeon event: KIND is missing", 29);
    script_close(event_command);
    buffer_free(&text);
}

static void what_the_desk_cannot_do_is_an_error(void **state)
{
    char *const many[] = {"s3", "--key", "k", "--count", "10000"};
    struct buffer text = {.max = 1000};
    struct err problem = {0};
    int status = 7;
    struct script *event_command = open_command("event", 5, many);

    (void)state;
    assert_false(script_finish(event_command, &text, NULL, &status, &problem, &err));
    assert_non_null(strstr(err.text, "out of memory"));
    assert_int_equal(text.len, 0);
    script_close(event_command);
    assert_null(open_command("nonsense", 0, NULL));
    assert_non_null(strstr(err.text, "no embedded module 'pigeon.desk.nonsense'"));
    buffer_free(&text);
}

static void keys_are_explained(void **state)
{
    struct script_settings settings = {
        .command = "explain", .path = rules_path, .queue = "normal", .trace = true};
    struct deadline deadline = deadline_in(600000);
    struct invocation invocation = {.kind = "keys", .input = "k1\0k!", .input_len = 6};
    struct buffer text = {.max = SIZE_MAX};
    struct err problem = {0};
    int status = 7;

    (void)state;
    invocation.deadline = deadline;
    script_close(script);
    script = script_open(&settings, &deadline, &err);
    assert_true(script_decide(script, &invocation, &outbox, &err));
    assert_int_equal(outbox.count, 1);
    facts.confirmed = confirm(&outbox);
    assert_true(conclude());
    assert_string_equal(answer.error_type, "");
    assert_string_equal(logged(), "");
    assert_non_null(strstr(answer.body.data, "k1\n  accept id of k1  (rules.lua:5)\n"));
    assert_non_null(strstr(answer.body.data, "  >>   5    if last == '1'"));
    assert_non_null(strstr(answer.body.data, "k!\n  fail: a bad key  (rules.lua:3)\n"));
    assert_true(script_finish(script, &text, NULL, &status, &problem, &err));
    assert_int_equal(status, 1);
    assert_int_equal(text.len, 0);
    buffer_free(&text);
}

/* ------------------------------------------------------------------ half of the time */

static void when_half_of_the_time_is_spent_the_rest_fails(void **state)
{
    char key[32];
    size_t decided;

    (void)state;
    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof(key), "%d/1", i);
        add_object(&event, key);
    }
    fake_clock.step_ms = 60000; /* of 600 s */
    assert_true(decide());
    fake_clock.step_ms = 0;
    decided = outbox.count;
    assert_in_range(decided, 1, 6);
    facts.confirmed = confirm(&outbox);
    assert_true(conclude());
    assert_error("Function.OutOfTime", "objects failed");
    tell();
    assert_non_null(strstr(logged(), "INFO  published {\"crash_id\":\"id of 0/1\""));
    fake_clock.ahead_ms = 0;

    run();
    assert_int_equal(outbox.count, 100);
    assert_success();
}

#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, script_case_setup_by_last, script_case_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(knows_the_queues_and_the_hash),
        CASE(what_is_wrong_is_told_when_opening),
        CASE(a_bad_environment_is_a_bad_value),
        CASE(a_bad_list_of_sqs_queues_is_a_bad_value),
        CASE(rules_that_are_not_there_are_invalid),
        cmocka_unit_test(closing_nothing_is_allowed),
        CASE(what_is_accepted_is_in_the_outbox_byte_for_byte),
        CASE(an_event_without_objects_succeeds),
        CASE(what_is_wrong_with_an_event_is_told_when_concluding),
        CASE(a_record_that_cannot_be_read_fails_alone),
        CASE(hostile_keys_do_no_harm),
        CASE(one_of_2000_objects_fails_alone),
        CASE(events_follow_each_other),
        CASE(a_listed_queue_is_told_which_message_failed),
        CASE(a_command_without_rules_says_all_at_its_end),
        CASE(keys_are_explained),
        CASE(what_the_desk_cannot_do_is_an_error),
        CASE(when_half_of_the_time_is_spent_the_rest_fails),
    };

    return cmocka_run_group_tests_name("script", tests, NULL, NULL);
}
