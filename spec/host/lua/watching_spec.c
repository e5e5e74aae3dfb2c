/* The spec of what runs under the watchdog: each verb of an event, with which words, how
 * long, and until when. The watchdog here is a list of what it was told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "asserts.h"
#include "fake/clock.h"
#include "lua/watchdog.h"
#include "script_case.h"

static char told[4096];
static struct deadline started;

static void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void note(const char *fmt, ...)
{
    size_t used = strlen(told);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(told + used, sizeof(told) - used, fmt, ap);
    va_end(ap);
}

/* ------------------------------------------------- linked instead of the host's */

bool watchdog_start(const struct deadline *deadline, struct err *ignored)
{
    (void)ignored;
    started = *deadline;
    note("start %s; ", deadline_left_ms(deadline) > 1500 ? "far"
                       : deadline_left_ms(deadline) > 0  ? "soon"
                                                         : "over");
    return true;
}

void watchdog_watch(const char *script_name, const char *label, size_t label_len)
{
    note("%s%s%.*s; ", script_name ? script_name : "-", label ? " " : "", (int)label_len,
         label ? label : "");
}

void watchdog_allow(int seconds)
{
    note("allow %d; ", seconds);
}

void watchdog_stop(void)
{
    note("stop; ");
}

void watchdog_add(const char *line)
{
    (void)line;
}

void watchdog_say(const char *form, int fd, bool json)
{
    (void)form, (void)fd, (void)json;
}

/* ------------------------------------------------------------- the cases */

static void every_verb_that_an_event_can_make_long_is_watched(void **state)
{
    (void)state;
    add_object(&event, "k1");
    add_object(&event, "k2");
    told[0] = '\0';
    assert_true(decide());
    assert_string_equal(told, "start far; receiving the event; allow 1; stop; "
                              "start far; rules.lua k1; rules.lua k2; stop; ");
    told[0] = '\0';
    facts.confirmed = confirm(&outbox);
    assert_true(conclude());
    assert_string_equal(told, "start far; making the answer; allow 1; stop; ");
    tell();
    assert_success();
}

static void a_big_event_may_take_a_second_more_for_each_megabyte(void **state)
{
    (void)state;
    add_object(&event, "k1");
    while (event.len < 2500000)
        assert_true(buffer_append_text(&event, "          "));
    told[0] = '\0';
    assert_true(decide());
    assert_has(told, "receiving the event; allow 3; ");
    told[0] = '\0';
    facts.confirmed = confirm(&outbox);
    assert_true(conclude());
    assert_has(told, "making the answer; allow 3; ");
    tell();
}

/* Nothing is decided; what has to be done for the answer gets a second. */
static void an_event_with_no_time_left_is_answered(void **state)
{
    struct invocation invocation;

    (void)state;
    add_object(&event, "k1");
    add_object(&event, "k2");
    invocation = invocation_of(&event);
    invocation.deadline = deadline_in(-100000);
    told[0] = '\0';
    assert_true(script_decide(script, &invocation, &outbox, &err));
    assert_string_equal(told, "start soon; receiving the event; allow 1; stop; ");
    assert_int_equal(outbox.count, 0);
    told[0] = '\0';
    assert_true(conclude());
    assert_string_equal(told, "start soon; making the answer; allow 1; stop; ");
    assert_error("Function.OutOfTime",
                 "2 of 2 objects failed: k1, k2: not decided: out of time");
    tell();
}

/* What was published before the deadline has to be answered after it. */
static void the_answer_is_made_after_the_deadline_too(void **state)
{
    struct invocation invocation;

    (void)state;
    add_object(&event, "k1");
    invocation = invocation_of(&event);
    assert_true(script_decide(script, &invocation, &outbox, &err));
    fake_clock.ahead_ms += 10000000;
    told[0] = '\0';
    facts.confirmed = confirm(&outbox);
    assert_true(conclude());
    assert_has(told, "start soon; ");
    fake_clock.ahead_ms = 0;
    assert_success();
    tell();
}

static int setup(void **state)
{
    if (script_case_setup(state) != 0)
        return -1;
    script =
        open_rules("return function(object) return accept(object.key, {'normal'}) end");
    return 0;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, script_case_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(every_verb_that_an_event_can_make_long_is_watched),
        CASE(a_big_event_may_take_a_second_more_for_each_megabyte),
        CASE(an_event_with_no_time_left_is_answered),
        CASE(the_answer_is_made_after_the_deadline_too),
    };

    return cmocka_run_group_tests_name("watching", tests, NULL, NULL);
}
