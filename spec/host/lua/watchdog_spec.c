/* The spec of host/lua/watchdog.c: what it ends, when, and the line that it writes then.
 * The work is done in children, whose exit status and output are checked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "child.h"

/* ---------------------------------------------------------------------- the line */

#define HINT                                                                          \
    ": a pattern with several `.-` or `.*`? anchor it; a text that grows in a loop? " \
    "use "                                                                            \
    "table.concat"

/* What the line says, after time and level. */
static void assert_said(const struct end *end, const char *words)
{
    assert_int_equal(end->status, 1);
    assert_true(strlen(end->said) > 31);
    assert_memory_equal(end->said + 23, "Z ERROR ", 8);
    assert_string_equal(end->said + 31, words);
}

static void loop_for_ever(void)
{
    start_watching(far(), "v2/raw_crash/x", 14);
    for (;;)
        ;
}

static void an_object_that_keeps_the_processor_ends_the_process(void **state)
{
    struct end end = run_child(loop_for_ever);

    (void)state;
    assert_said(
        &end, "rules.lua kept the processor for 1 s at key \"v2/raw_crash/x\"" HINT "\n");
}

static void loop_within_a_request(void)
{
    log_set_level(LOG_LEVEL_ERROR);
    log_context("1f3c-22");
    start_watching(far(), "k", 1);
    for (;;)
        ;
}

static void the_line_has_the_request_id(void **state)
{
    struct end end = run_child(loop_within_a_request);

    (void)state;
    assert_said(&end,
                "1f3c-22 rules.lua kept the processor for 1 s at key \"k\"" HINT "\n");
}

static void loop_without_a_label(void)
{
    start_watching(far(), NULL, 0);
    for (;;)
        ;
}

static void what_has_no_label_is_stopped_too(void **state)
{
    struct end end = run_child(loop_without_a_label);

    (void)state;
    assert_said(&end, "Lua kept the processor for 1 s\n");
}

static void loop_with_last_words(void)
{
    watchdog_add("line 7 was confirmed last");
    loop_without_a_label();
}

static void last_words_have_a_line_of_their_own(void **state)
{
    struct end end = run_child(loop_with_last_words);
    char *second = strchr(end.said, '\n');

    (void)state;
    assert_int_equal(end.status, 1);
    assert_non_null(strstr(end.said, "Lua kept the processor for 1 s\n"));
    assert_non_null(second);
    assert_string_equal(second + 1 + 31, "line 7 was confirmed last\n");
}

static void loop_with_a_form(void)
{
    watchdog_say("%s%l: %w%c%h (key <%k>), 100 %\n", STDOUT_FILENO, false);
    start_watching(far(), "a\n\"\\", 4);
    for (;;)
        ;
}

static void its_line_may_have_another_form(void **state)
{
    struct end end = run_child(loop_with_a_form);

    (void)state;
    assert_int_equal(end.status, 1);
    assert_string_equal(end.said, "rules.lua: kept the processor for 1 s" HINT
                                  " (key <a?\"\\>), 100 %\n");
}

static void loop_with_a_form_of_json(void)
{
    watchdog_say("[\"%s\"%n,\"%w\",\"%k\"]", STDOUT_FILENO, true);
    start_watching(far(), "a\n\"\\", 4);
    for (;;)
        ;
}

static void a_key_stays_within_its_json(void **state)
{
    struct end end = run_child(loop_with_a_form_of_json);

    (void)state;
    assert_int_equal(end.status, 1);
    assert_string_equal(end.said, "[\"rules.lua\",\"kept the processor for 1 s\","
                                  "\"a?\\\"\\\\\"]");
}

static void loop_at_a_hostile_key(void)
{
    start_watching(far(), "a\nb\0c\x1b[31m\xff\xc3\xa9%n", 14);
    for (;;)
        ;
}

static void a_hostile_key_stays_on_its_line(void **state)
{
    struct end end = run_child(loop_at_a_hostile_key);

    (void)state;
    assert_said(
        &end, "rules.lua kept the processor for 1 s at key \"a?b?c?[31m???%\"" HINT "\n");
}

static void loop_at_a_long_key(void)
{
    static char key[1000000];

    memset(key, 'k', sizeof(key));
    start_watching(far(), key, sizeof(key));
    for (;;)
        ;
}

static void a_long_key_is_cut(void **state)
{
    struct end end = run_child(loop_at_a_long_key);
    char words[2048] = "rules.lua kept the processor for 1 s at key \"";

    (void)state;
    memset(words + strlen(words), 'k', 1024);
    strcat(words, "\"" HINT "\n");
    assert_said(&end, words);
}

/* ----------------------------------------------------------------- the processor */

static int64_t cpu_ms(void)
{
    return (int64_t)clock() / (CLOCKS_PER_SEC / 1000);
}

static void burn(int64_t ms)
{
    int64_t start = cpu_ms();

    while (cpu_ms() < start + ms)
        ;
}

static void burn_what_is_allowed(void)
{
    start_watching(far(), "a", 1);
    watchdog_allow(3);
    burn(1500);
    watchdog_watch("rules.lua", "b", 1); /* 1 s again */
    for (;;)
        ;
}

static void a_piece_of_work_may_be_allowed_more(void **state)
{
    struct end end = run_child(burn_what_is_allowed);

    (void)state;
    assert_said(&end, "rules.lua kept the processor for 1 s at key \"b\"" HINT "\n");
}

static void burn_more_than_is_allowed(void)
{
    start_watching(far(), NULL, 0);
    watchdog_allow(2);
    for (;;)
        ;
}

static void the_line_has_how_much_that_was(void **state)
{
    struct end end = run_child(burn_more_than_is_allowed);

    (void)state;
    assert_said(&end, "Lua kept the processor for 2 s\n");
}

static void burn_on_many_objects(void)
{
    int i;

    start_watching(far(), "a", 1);
    for (i = 0; i < 30; i++) {
        burn(50);
        watchdog_watch("rules.lua", "b", 1);
    }
}

static void many_objects_may_use_more_than_a_second(void **state)
{
    struct end end = run_child(burn_on_many_objects);

    (void)state;
    assert_int_equal(end.status, 0);
    assert_string_equal(end.said, "");
}

static void burn_after_the_watch(void)
{
    start_watching(far(), "a", 1);
    burn(500);
    watchdog_stop();
    burn(1200);
    start_watching(far(), "b", 1);
    burn(500);
    watchdog_stop();
    watchdog_stop();
}

static void what_is_not_watched_may_use_more_than_a_second(void **state)
{
    struct end end = run_child(burn_after_the_watch);

    (void)state;
    assert_int_equal(end.status, 0);
    assert_string_equal(end.said, "");
}

static void sleep_while_watched(void)
{
    start_watching(far(), "a", 1);
    sleep_ms(1500);
}

static void ticks_are_of_cpu_time(void **state)
{
    struct end end = run_child(sleep_while_watched);

    (void)state;
    assert_int_equal(end.status, 0);
}

/* ------------------------------------------------------------------ the deadline */

static void sleep_past_the_deadline(void)
{
    start_watching(soon(), "k", 1);
    for (;;)
        sleep_ms(1000);
}

static void the_deadline_ends_what_is_watched(void **state)
{
    struct end end = run_child(sleep_past_the_deadline);

    (void)state;
    assert_said(&end, "rules.lua was stopped, because the invocation's time is over, "
                      "at key \"k\"\n");
}

static void start_too_late(void)
{
    start_watching(deadline_in(-100000), "k", 1);
    for (;;)
        ;
}

static void sleep_past_the_deadline_without_a_label(void)
{
    start_watching(soon(), NULL, 0);
    for (;;)
        sleep_ms(1000);
}

static void without_a_label_the_line_is_a_sentence_too(void **state)
{
    struct end end = run_child(sleep_past_the_deadline_without_a_label);

    (void)state;
    assert_said(&end, "Lua was stopped, because the invocation's time is over\n");
}

static void a_deadline_that_has_passed_ends_it_at_once(void **state)
{
    struct end end = run_child(start_too_late);

    (void)state;
    assert_int_equal(end.status, 1);
    assert_non_null(strstr(end.said, "the invocation's time is over"));
}

static void finish_before_the_deadline(void)
{
    start_watching(soon(), "k", 1);
    watchdog_stop();
    sleep_ms(300);
    start_watching(far(), "k", 1);
    sleep_ms(300);
}

static void what_stopped_in_time_goes_on(void **state)
{
    struct end end = run_child(finish_before_the_deadline);

    (void)state;
    assert_int_equal(end.status, 0);
    assert_string_equal(end.said, "");
}

/* The timer has been spent while nothing was watched. */
static void start_again_too_late(void)
{
    struct deadline deadline = soon();

    start_watching(deadline, "k", 1);
    watchdog_stop();
    while (deadline_left_ms(&deadline) > 0)
        sleep_ms(10);
    sleep_ms(50);
    start_watching(deadline, "k", 1);
    sleep_ms(60000);
}

static void a_deadline_ends_what_starts_again_after_it(void **state)
{
    struct end end = run_child(start_again_too_late);

    (void)state;
    assert_int_equal(end.status, 1);
    assert_non_null(strstr(end.said, "the invocation's time is over"));
}

static void start_again_in_time(void)
{
    struct deadline deadline = soon();

    start_watching(deadline, "k", 1);
    watchdog_stop();
    start_watching(deadline, "k", 1);
    sleep_ms(60000);
}

static void a_deadline_ends_what_starts_again_before_it(void **state)
{
    struct end end = run_child(start_again_in_time);

    (void)state;
    assert_int_equal(end.status, 1);
    assert_non_null(strstr(end.said, "the invocation's time is over"));
}

static void put_the_end_off(void)
{
    start_watching(soon(), "k", 1);
    watchdog_stop();
    start_watching(deadline_in(500), "k", 1);
    sleep_ms(60000);
}

static void an_end_that_was_put_off_comes(void **state)
{
    struct end end = run_child(put_the_end_off);

    (void)state;
    assert_int_equal(end.status, 1);
    assert_non_null(strstr(end.said, "the invocation's time is over"));
}

static void bring_the_end_forward(void)
{
    start_watching(far(), "k", 1);
    watchdog_stop();
    start_watching(soon(), "k", 1);
    sleep_ms(60000);
}

static void an_end_that_was_brought_forward_comes(void **state)
{
    struct end end = run_child(bring_the_end_forward);

    (void)state;
    assert_int_equal(end.status, 1);
    assert_non_null(strstr(end.said, "the invocation's time is over"));
}

/* As one for an end that was put off. */
static void signal_too_early(void)
{
    start_watching(far(), "k", 1);
    raise(SIGALRM);
    watchdog_stop();
}

static void a_signal_that_comes_too_early_ends_nothing(void **state)
{
    (void)state;
    assert_int_equal(run_child(signal_too_early).status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_object_that_keeps_the_processor_ends_the_process),
        cmocka_unit_test(the_line_has_the_request_id),
        cmocka_unit_test(what_has_no_label_is_stopped_too),
        cmocka_unit_test(last_words_have_a_line_of_their_own),
        cmocka_unit_test(its_line_may_have_another_form),
        cmocka_unit_test(a_key_stays_within_its_json),
        cmocka_unit_test(a_hostile_key_stays_on_its_line),
        cmocka_unit_test(a_long_key_is_cut),
        cmocka_unit_test(a_piece_of_work_may_be_allowed_more),
        cmocka_unit_test(the_line_has_how_much_that_was),
        cmocka_unit_test(many_objects_may_use_more_than_a_second),
        cmocka_unit_test(what_is_not_watched_may_use_more_than_a_second),
        cmocka_unit_test(ticks_are_of_cpu_time),
        cmocka_unit_test(the_deadline_ends_what_is_watched),
        cmocka_unit_test(without_a_label_the_line_is_a_sentence_too),
        cmocka_unit_test(a_deadline_that_has_passed_ends_it_at_once),
        cmocka_unit_test(what_stopped_in_time_goes_on),
        cmocka_unit_test(a_deadline_ends_what_starts_again_after_it),
        cmocka_unit_test(a_deadline_ends_what_starts_again_before_it),
        cmocka_unit_test(an_end_that_was_put_off_comes),
        cmocka_unit_test(an_end_that_was_brought_forward_comes),
        cmocka_unit_test(a_signal_that_comes_too_early_ends_nothing),
    };

    return cmocka_run_group_tests_name("deadline watchdog", tests, NULL, NULL);
}
