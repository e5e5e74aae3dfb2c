/* The spec of host/handler.c, with a broker of its own that makes up the fates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "fake/clock.h"
#include "handler.h"
#include "rules_folder.h"
#include "s3_event.h"

#define RULES                                                    \
    "return function(object)\n"                                  \
    "  if object.key == 'junk' then return ignore('junk') end\n" \
    "  return accept(object.key, {'normal'})\n"                  \
    "end\n"

/* What the fake broker does with each message, by number (FATE_NONE: it confirms the
 * message), and what it was given. */
static struct {
    enum fate fates[4];
    size_t confirmed_too_many;
    int64_t takes_s;

    int calls;
    struct delivery *delivery;
    char ids[256];
    struct deadline deadline;
    struct facts facts;
} broker;

/* Linked instead of the host's. */
void delivery_publish(struct delivery *delivery, struct outbox *outbox,
                      const struct deadline *deadline, struct facts *facts)
{
    broker.calls++;
    fake_clock.ahead_ms += broker.takes_s * 1000;
    broker.delivery = delivery;
    broker.deadline = *deadline;
    broker.facts = *facts;
    broker.ids[0] = '\0';
    for (size_t i = 0; i < outbox->count; i++) {
        strcat(broker.ids, outbox->messages[i].message_id.data);
        strcat(broker.ids, " ");
        if (broker.fates[i] != FATE_NONE)
            outbox_settle(&outbox->messages[i], broker.fates[i], "confirm", 0, "made up");
    }
    facts->confirmed = confirm(outbox) + broker.confirmed_too_many;
}

static struct delivery delivery;
static struct handler handler;
static struct answer answer;
static struct buffer event;
static struct err err;

static int setup(void **state)
{
    memset(&broker, 0, sizeof(broker));
    fake_clock = (struct fake_clock){0};
    err = (struct err){0};
    if (rules_folder_setup(state) != 0)
        return -1;
    handler = (struct handler){.script = open_rules(RULES), .delivery = &delivery};
    return 0;
}

static int teardown(void **state)
{
    script_close(handler.script);
    buffer_free(&answer.body);
    buffer_free(&event);
    return rules_folder_teardown(state);
}

/* The whole way; nothing is logged before there is an answer. */
static bool handle(void)
{
    struct invocation invocation = invocation_of(&event);
    size_t before = strlen(logged());
    bool ok = handler_event(&handler, &invocation, &answer, &err);

    assert_int_equal(strlen(logged()), before);

    if (broker.calls > 0)
        assert_memory_equal(&broker.deadline, &invocation.deadline,
                            sizeof(broker.deadline));
    return ok && script_tell(handler.script, &err);
}

static void an_event_is_decided_published_concluded_and_told(void **state)
{
    (void)state;
    add_object(&event, "a");
    add_object(&event, "junk");
    add_object(&event, "b");
    assert_true(handle());
    assert_int_equal(broker.calls, 1);
    assert_ptr_equal(broker.delivery, &delivery);
    assert_string_equal(broker.ids, "a b ");
    assert_string_equal(answer.body.data, "null");
    assert_string_equal(answer.error_type, "");
    assert_non_null(strstr(logged(), "published {\"crash_id\":\"b\""));
}

static void the_fates_reach_the_answer(void **state)
{
    static const struct {
        enum fate fate;
        const char *type;
    } cases[] = {
        {FATE_RETURNED, "Function.MessageUnroutable"},
        {FATE_NACKED, "Function.MessageRefused"},
        {FATE_UNKNOWN, "Function.BrokerUnavailable"},
    };

    (void)state;
    add_object(&event, "a");
    add_object(&event, "b");
    add_object(&event, "c");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        broker.fates[1] = cases[i].fate;
        assert_true(handle());
        assert_string_equal(answer.error_type, cases[i].type);
        assert_string_equal(member(&answer.body, "errorType"), cases[i].type);
        assert_non_null(strstr(member(&answer.body, "errorMessage"), "b to normal"));
        assert_non_null(strstr(member(&answer.body, "errorMessage"), "1 of 3"));
    }
    broker.fates[1] = FATE_NONE;
    assert_true(handle());
    assert_string_equal(answer.body.data, "null");
    assert_string_equal(answer.error_type, "");
}

static void assert_answered(const char *words)
{
    if (!strstr(answer.body.data, words))
        fail_msg("no %s in %s", words, answer.body.data);
}

static void a_task_has_its_own_result_and_the_event_is_no_error(void **state)
{
    static const struct {
        enum fate fate;
        const char *code;
    } cases[] = {
        {FATE_NONE, "Succeeded"},
        {FATE_RETURNED, "PermanentFailure"},
        {FATE_NACKED, "TemporaryFailure"},
        {FATE_UNKNOWN, "TemporaryFailure"},
    };
    char words[100];

    (void)state;
    append(&event, "{\"invocationSchemaVersion\":\"2.0\",\"invocationId\":\"i\","
                   "\"tasks\":[{\"taskId\":\"a\",\"s3Bucket\":\"b\",\"s3Key\":\"a\"},"
                   "{\"taskId\":\"b\",\"s3Bucket\":\"b\",\"s3Key\":\"b\"},"
                   "{\"taskId\":\"c\",\"s3Bucket\":\"b\",\"s3Key\":\"junk\"}]}");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        broker.fates[1] = cases[i].fate;
        assert_true(handle());
        assert_string_equal(answer.error_type, "");
        assert_string_equal(broker.ids, "a b ");
        assert_answered("{\"resultCode\":\"Succeeded\",\"resultString\":\"accept: "
                        "normal\",\"taskId\":\"a\"}");
        assert_answered("\"resultString\":\"ignore: junk\",\"taskId\":\"c\"}");
        snprintf(words, sizeof(words), "{\"resultCode\":\"%s\",", cases[i].code);
        assert_answered(words);
        assert_answered("\"taskId\":\"b\"}");
    }
}

static void an_event_that_decides_nothing_is_concluded_too(void **state)
{
    (void)state;
    add_object(&event, "junk");
    assert_true(handle());
    assert_string_equal(broker.ids, "");
    assert_string_equal(answer.body.data, "null");

    event.len = 0;
    append(&event, "not JSON");
    assert_true(handle());
    assert_string_equal(answer.error_type, "Function.EventInvalid");
}

/* A shadow script that defers everything. */
static void open_shadow(void)
{
    struct deadline deadline = deadline_in(600000);

    write_script(rules_path, "return function() return defer('no') end");
    assert_true(script_open_shadow(handler.script, rules_path, &deadline, &err));
}

static void the_shadow_is_asked_and_changes_nothing(void **state)
{
    (void)state;
    open_shadow();
    add_object(&event, "a");
    add_object(&event, "b");
    broker.fates[1] = FATE_RETURNED;
    assert_true(handle());
    assert_string_equal(broker.ids, "a b ");
    assert_string_equal(answer.error_type, "Function.MessageUnroutable");
    assert_non_null(strstr(logged(), "shadow: a: accept: normal -> defer: no"));
    assert_non_null(strstr(logged(), "shadow: b: accept: normal -> defer: no"));
}

/* More than two thirds of the 600 s are gone when all is published. */
static void the_shadow_is_asked_when_all_is_published(void **state)
{
    (void)state;
    open_shadow();
    add_object(&event, "a");
    add_object(&event, "b");
    broker.takes_s = 450;
    assert_true(handle());
    assert_string_equal(broker.ids, "a b ");
    assert_string_equal(answer.body.data, "null");
    assert_null(strstr(logged(), "defer: no"));
    assert_non_null(strstr(logged(), "shadow: 2 not decided: out of time"));
}

static void only_the_first_event_is_cold(void **state)
{
    (void)state;
    add_object(&event, "a");
    assert_true(handle());
    assert_true(broker.facts.cold);
    assert_true(handle());
    assert_false(broker.facts.cold);
    assert_true(handle());
    assert_false(broker.facts.cold);
}

static void it_is_told_how_long_deciding_took(void **state)
{
    int64_t start_us = clock_us();
    char key[16];

    (void)state;
    for (int i = 0; i < 500; i++) {
        snprintf(key, sizeof(key), "junk%d", i);
        add_object_named(&event, "junk", key);
    }
    assert_true(handle());
    assert_in_range(broker.facts.decide_us, 1, clock_us() - start_us);
    assert_int_equal(broker.facts.confirmed, 0);
    assert_int_equal(broker.facts.publish_us, 0);
}

static void fates_that_do_not_add_up_are_told_by_err(void **state)
{
    (void)state;
    broker.confirmed_too_many = 1;
    add_object(&event, "a");
    assert_false(handle());
    assert_non_null(strstr(err.text, "2 confirmed"));
    assert_non_null(strstr(err.text, "stack traceback:"));
}

/* The function is too small for lists in lists: their tables need more than 16 times
 * their bytes. */
static void what_cannot_be_decided_is_not_published(void **state)
{
    (void)state;
    script_close(handler.script);
    handler.script = open_with(RULES, "normal", 4, &err);
    event.max = SIZE_MAX;
    append(&event, "{\"Records\":[0");
    for (int i = 0; i < 10000; i++)
        append(&event, ",[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
                       "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]");
    append(&event, "]}");
    assert_false(handle());
    assert_non_null(strstr(err.text, "not enough memory"));
    assert_int_equal(broker.calls, 0);
    assert_true(handler.warm);
}

static void without_a_delivery_it_decides_alone(void **state)
{
    (void)state;
    add_object(&event, "a");
    add_object(&event, "b");
    handler.delivery = NULL;
    assert_true(handle());
    assert_int_equal(broker.calls, 0);
    assert_string_equal(answer.body.data, "null");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(an_event_is_decided_published_concluded_and_told),
        CASE(the_fates_reach_the_answer),
        CASE(a_task_has_its_own_result_and_the_event_is_no_error),
        CASE(an_event_that_decides_nothing_is_concluded_too),
        CASE(the_shadow_is_asked_and_changes_nothing),
        CASE(the_shadow_is_asked_when_all_is_published),
        CASE(only_the_first_event_is_cold),
        CASE(it_is_told_how_long_deciding_took),
        CASE(fates_that_do_not_add_up_are_told_by_err),
        CASE(what_cannot_be_decided_is_not_published),
        CASE(without_a_delivery_it_decides_alone),
    };

    return cmocka_run_group_tests_name("handler", tests, NULL, NULL);
}
