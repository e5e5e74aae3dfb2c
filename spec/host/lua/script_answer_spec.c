/* The spec of host/lua/script.c's answer: what is concluded from the messages' fates,
 * what is told in the log, and that nothing is left of an event that is over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "script_case.h"

/* ------------------------------------------------------------------- concluding */

static void each_fate_reaches_the_answer(void **state)
{
    static const struct {
        enum fate fate;
        const char *stage;
        int code;
        const char *text;
        const char *type;
        const char *words;
    } cases[] = {
        {FATE_RETURNED, "publish", 312, "NO_ROUTE", "Function.MessageUnroutable",
         "returned at publish: 312 NO_ROUTE"},
        {FATE_NACKED, "confirm", 0, "a nack", "Function.MessageRefused", "a nack"},
        {FATE_UNKNOWN, "connect", 0, "it's \"gone\"\n\xff", "Function.BrokerUnavailable",
         "it's \"gone\" \xef\xbf\xbd"},
        {FATE_UNKNOWN, NULL, 0, NULL, "Function.BrokerUnavailable", "unknown"},
    };

    (void)state;
    add_object(&event, "a1");
    add_object(&event, "b2");
    add_object(&event, "c1");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_true(decide());
        assert_int_equal(outbox.count, 4);
        outbox_settle(&outbox.messages[2], cases[i].fate, cases[i].stage, cases[i].code,
                      cases[i].text);
        facts.confirmed = confirm(&outbox);
        assert_true(conclude());
        assert_error(cases[i].type, cases[i].words);
        assert_error(cases[i].type, "1 of 3 objects failed");
        assert_error(cases[i].type, "b2 to x/r.k");
        assert_null(strstr(answer.body.data, "id of"));
    }
    run();
    assert_success();
}

static void a_cause_for_all_is_named(void **state)
{
    (void)state;
    add_object(&event, "a1");
    assert_true(decide());
    outbox_settle(&outbox.messages[0], FATE_UNKNOWN, "connect", 0, NULL);
    snprintf(facts.broker_wide, sizeof(facts.broker_wide), "connect: refused");
    assert_true(conclude());
    assert_error("Function.BrokerUnavailable", "connect: refused");
}

static void assert_broken(const char *words)
{
    static const char file[] = "lua/pigeon/init.lua:";
    const char *place;

    answer.error_type[0] = 'x';
    assert_false(conclude());
    if (!strstr(err.text, words))
        fail_msg("\"%s\" is not in %s", words, err.text);
    assert_non_null(strstr(err.text, "stack traceback:"));
    place = strstr(err.text, file);
    assert_non_null(place);
    assert_in_range(place[strlen(file)], '1', '9');
    assert_int_equal(answer.body.len, 0);
    assert_string_equal(answer.error_type, "");
}

static void nothing_is_told_before_the_answer(void **state)
{
    (void)state;
    add_object(&event, "a1");
    assert_true(decide());
    facts.confirmed = confirm(&outbox);
    assert_true(conclude());
    assert_string_equal(logged(), "");
    tell();
    assert_non_null(strstr(logged(), "INFO  published {\"crash_id\":\"id of a1\""));
    assert_success();
}

static void a_lines_facts_are_json(void **state)
{
    (void)state;
    add_object(&event, "72");
    add_object(&event, "a1");
    add_object(&event, "%22%5C%00%0A%C2%85%FF%E2%82%AC+2");
    add_object(&event, "a0");
    run();
    assert_logged("published {\"crash_id\":\"72\",\"verdict\":\"accept\","
                  "\"queue\":[\"a b\",\"x/r.k\"],\"source\":\"aws:s3\","
                  "\"bucket\":\"crashes\",\"prefix\":\"\"}\n");
    assert_logged(",\"queue\":[\"normal\"],\"source\":\"aws:s3\",\"bucket\":\"crashes\","
                  "\"key\":\"a1\"}\n");
    assert_logged("\"reason\":\"rule error\",");
    assert_logged(
        ",\"rule\":\"rules.lua:6\",\"source\":\"aws:s3\",\"bucket\":\"crashes\","
        "\"key\":\"\\\"\\\\   \xef\xbf\xbd\xe2\x82\xac 2\"}\n");
    assert_logged(
        "deferred: a0 (deferred) {\"verdict\":\"defer\",\"reason\":\"deferred\","
        "\"source\":\"aws:s3\",\"bucket\":\"crashes\",\"key\":\"a0\"}\n");
}

static void a_long_fact_is_cut_between_two_characters(void **state)
{
    static const struct {
        int length; /* of what is plain */
        const char *tail, *shown;
    } cases[] = {
        {1023, "0", "0\"}\n"},
        {1023, "k0", "k...\"}\n"},
        {1022, "\xe2\x82\xac-0", "...\"}\n"},
        {1023, "%FF-0", "\xef\xbf\xbd...\"}\n"},
    };
    char key[1100], wanted[1100];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(key, sizeof(key), "%01022d%.*s%s", 0, cases[i].length - 1022, "k",
                 cases[i].tail);
        snprintf(wanted, sizeof(wanted), "\"key\":\"%.*s%s", cases[i].length, key,
                 cases[i].shown);
        buffer_clear(&event);
        add_object(&event, key);
        run();
        assert_logged(wanted);
    }
}

static void what_breaks_the_telling_is_named(void **state)
{
    (void)state;
    add_object(&event, "a1");
    run();
    assert_false(script_tell(script, &err)); /* there is nothing any more */
    assert_non_null(
        strstr(err.text, "the event is answered, but its log is not complete: "));
    assert_non_null(strstr(err.text, "stack traceback:"));
    assert_success();
    run();
    assert_success();
}

static void fates_that_do_not_add_up_break_it(void **state)
{
    (void)state;
    add_object(&event, "a1");
    add_object(&event, "b1");

    assert_true(decide());
    confirm(&outbox);
    facts.confirmed = 1;
    assert_broken("1 confirmed and 0 other fates, but 2 messages");

    assert_true(decide());
    confirm(&outbox);
    facts.confirmed = 3;
    assert_broken("3 confirmed");

    assert_true(decide());
    confirm(&outbox);
    outbox_settle(&outbox.messages[1], FATE_NACKED, NULL, 0, NULL);
    facts.confirmed = 2;
    assert_broken("2 confirmed and 1 other fates");

    run();
    assert_success();
}

static void a_message_without_a_fate_is_no_success(void **state)
{
    (void)state;
    add_object(&event, "a1");
    add_object(&event, "b1");
    assert_true(decide());
    outbox_settle(&outbox.messages[0], FATE_CONFIRMED, NULL, 0, NULL);
    facts.confirmed = 1;
    assert_true(!conclude() || answer.error_type[0]);
}

static void to_conclude_without_an_event_breaks_it(void **state)
{
    (void)state;
    assert_broken("");
    add_object(&event, "a1");
    run();
    assert_success();
    outbox_clear(&outbox);
    facts.confirmed = 0;
    assert_broken("");
}

/* ------------------------------------------------------------------- what is left */

/* The least that was in use after each of some events: collections come in between. */
static size_t least_in_use(int events)
{
    size_t least = SIZE_MAX;

    for (int i = 0; i < events; i++) {
        struct mallinfo2 info;

        run();
        info = mallinfo2();
        if (info.uordblks < least)
            least = info.uordblks;
    }
    return least;
}

/* With a sanitizer's malloc, mallinfo2() is all zero; the sanitizer looks for leaks
 * itself. */
static void thousands_of_events_leave_nothing_behind(void **state)
{
    size_t before;

    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    add_object(&event, "a1");
    add_object(&event, "b2");
    add_object(&event, "junk");
    add_object(&event, "d0");
    for (int i = 0; i < 24; i++)
        least_in_use(1000); /* the first collections find Lua still growing */
    before = least_in_use(1000);
    for (int i = 0; i < 3; i++)
        least_in_use(1000);
    assert_in_range(least_in_use(1000), 0, before + 16000);
}

/* Each leaves some 3 MB, until a collection. */
static void nor_do_big_batches(void **state)
{
    size_t before;

    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    for (int i = 0; i < 1000; i++)
        add_object(&event, "a1");
    before = least_in_use(5);
    assert_in_range(least_in_use(5), 0, before + 4000000);
}

#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, script_case_setup_by_last, script_case_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(each_fate_reaches_the_answer),
        CASE(a_cause_for_all_is_named),
        CASE(nothing_is_told_before_the_answer),
        CASE(a_lines_facts_are_json),
        CASE(a_long_fact_is_cut_between_two_characters),
        CASE(what_breaks_the_telling_is_named),
        CASE(fates_that_do_not_add_up_break_it),
        CASE(a_message_without_a_fate_is_no_success),
        CASE(to_conclude_without_an_event_breaks_it),
        CASE(thousands_of_events_leave_nothing_behind),
        CASE(nor_do_big_batches),
    };

    return cmocka_run_group_tests_name("script answer", tests, NULL, NULL);
}
