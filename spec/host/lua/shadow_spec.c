/* The spec of host/lua/script.c's second script: it is asked, and harms nothing.
 *
 * The watchdog ends a program of its own: this one, started again with the paths of both
 * scripts as arguments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "asserts.h"
#include "base/log.h"
#include "child.h"
#include "fake/clock.h"
#include "fake/cpu_clock.h"
#include "script_case.h"

/* The id says how often the rules decided since they were loaded. */
#define RULES                                                   \
    "local count = 0\n"                                         \
    "return function(object)\n"                                 \
    "  count = count + 1\n"                                     \
    "  return accept(object.key .. '/' .. count, {'normal'})\n" \
    "end\n"

/* A second script that decides as the rules do, but for what it does at key 3. */
#define CANDIDATE                                               \
    "local count = 0\n"                                         \
    "return function(object)\n"                                 \
    "  count = count + 1\n"                                     \
    "  if object.key == '3' then\n"                             \
    "    %s\n"                                                  \
    "  end\n"                                                   \
    "  return accept(object.key .. '/' .. count, {'normal'})\n" \
    "end\n"

static char shadow_path[64];

static int setup(void **state)
{
    if (script_case_setup(state) != 0)
        return -1;
    snprintf(shadow_path, sizeof(shadow_path), "%s/candidate.lua", folder);
    return 0;
}

static int teardown(void **state)
{
    unlink(shadow_path);
    return script_case_teardown(state);
}

static bool open_shadow(const char *text)
{
    struct deadline deadline = deadline_in(600000);

    write_script(shadow_path, text);
    return script_open_shadow(script, shadow_path, &deadline, &err);
}

/* The rules with so much memory, and the candidate. */
static void open_both(const char *rules, const char *candidate, long memory_mb)
{
    open_small(rules, memory_mb);
    if (!open_shadow(candidate))
        fail_msg("%s", err.text);
}

/* The whole way of an event, all of it published: a success, whatever the shadow does. */
static void run_both(void)
{
    struct invocation invocation = invocation_of(&event);

    if (!decide())
        fail_msg("%s", err.text);
    facts = (struct facts){0};
    facts.confirmed = confirm(&outbox);
    script_shadow(script, &invocation.deadline);
    if (!conclude() || !script_tell(script, &err))
        fail_msg("%s", err.text);
    assert_success();
    assert_false(script_exhausted(script));
}

/* What the candidate does at key 3 is told, as these words, and nothing else is. */
static void run_five(const char *third, const char *words)
{
    char candidate[1024];

    snprintf(candidate, sizeof(candidate), CANDIDATE, third);
    open_both(RULES, candidate, 0);
    add_objects(&event, 1, 5);
    run_both();
    assert_int_equal(outbox.count, 5);
    assert_id(4, "5/5"); /* not loaded anew */
    assert_logged(words);
    assert_non_null(strstr(logged(), "shadow: 3: accept: normal -> "));
}

/* ---------------------------------------------------------------------- deciding */

static void a_difference_is_told_and_publishes_nothing(void **state)
{
    (void)state;
    run_five("return defer('later')", "shadow: 3: accept: normal -> defer: later");
    assert_null(strstr(logged(), "shadow: 2"));
    assert_null(strstr(logged(), "shadow: 4"));
}

/* Its line is not written, so the metrics cannot be in it. */
static void where_only_warnings_are_logged_the_metrics_stay(void **state)
{
    struct script_settings settings = {
        .command = "lambda", .path = rules_path, .queue = "normal", .metrics = "emf"};
    struct deadline deadline = deadline_in(600000);

    (void)state;
    log_set_level(LOG_LEVEL_WARN);
    log_set_format(LOG_JSON);
    write_script(rules_path, RULES);
    script = script_open(&settings, &deadline, &err);
    assert_true(script && open_shadow("return function() return ignore('all') end"));
    add_objects(&event, 1, 1);
    run_both();
    assert_null(strstr(logged(), "shadow:"));
    assert_logged("\"ShadowDifferences\":1");
}

static void its_hash_is_known(void **state)
{
    (void)state;
    script = open_rules(RULES);
    assert_null(script_shadow_hash(script));
    assert_true(open_shadow("return function() return ignore(\"all\") end\n"));
    assert_string_equal(script_shadow_hash(script), "3b31020cb6f0");
    assert_string_not_equal(script_hash(script), "3b31020cb6f0");
}

static void an_error_is_a_difference(void **state)
{
    (void)state;
    run_five("error('boom')", "shadow: 3: accept: normal -> fail: candidate.lua:5: boom");
}

static void twenty_differences_are_told_and_the_rest_is_counted(void **state)
{
    const char *line;
    int lines = 0;

    (void)state;
    open_both(RULES, "return function() return ignore('all') end", 0);
    add_objects(&event, 1, 50);
    run_both();
    assert_int_equal(outbox.count, 50);
    for (line = logged(); (line = strstr(line, "-> ignore: all")); line++)
        lines++;
    assert_int_equal(lines, 20);
    assert_logged(
        "shadow: 30 more differences {\"differences\":50,\"shadow_version\":\"");
}

static void without_one_nothing_is_said(void **state)
{
    (void)state;
    script = open_rules(RULES);
    add_objects(&event, 1, 5);
    run_both();
    assert_null(strstr(logged(), "shadow"));
}

/* --------------------------------------------------------------------------- time */

/* 600 s, and each look takes 30. */
static void when_two_thirds_are_spent_the_rest_is_skipped(void **state)
{
    struct invocation invocation;
    char words[64];
    int asked = 0;

    (void)state;
    open_both(RULES, "return function() return ignore('all') end", 0);
    add_objects(&event, 1, 100);
    invocation = invocation_of(&event);
    assert_true(script_decide(script, &invocation, &outbox, &err));
    facts.confirmed = confirm(&outbox);
    fake_clock.step_ms = 30000;
    script_shadow(script, &invocation.deadline);
    fake_clock.step_ms = 0;
    fake_clock.ahead_ms = 0;
    assert_true(script_conclude(script, &outbox, &facts, &answer, &err));
    assert_string_equal(answer.body.data, "null");
    assert_true(script_tell(script, &err));
    for (const char *line = logged(); (line = strstr(line, "-> ignore: all")); line++)
        asked++;
    assert_in_range(asked, 8, 13);
    snprintf(words, sizeof(words), "shadow: %d not decided: out of time", 100 - asked);
    assert_logged(words);
}

/* The watchdog would end the process, were it started now. */
static void with_no_time_left_no_object_is_decided(void **state)
{
    struct deadline over = deadline_in(0);
    struct invocation invocation;

    (void)state;
    open_both(RULES, "return function() return ignore('all') end", 0);
    add_objects(&event, 1, 3);
    invocation = invocation_of(&event);
    assert_true(script_decide(script, &invocation, &outbox, &err));
    facts.confirmed = confirm(&outbox);
    script_shadow(script, &over);
    assert_true(script_conclude(script, &outbox, &facts, &answer, &err));
    assert_true(script_tell(script, &err));
    assert_logged("shadow: 3 not decided: out of time");
}

static void a_loop_without_end_is_a_difference(void **state)
{
    (void)state;
    run_five("while true do end", "-> fail: candidate.lua:5: spent its budget");
}

/* ------------------------------------------------------------------------- memory */

/* 16 MB, and 80 MB more at once. */
static void a_decision_that_takes_96_megabytes_is_a_difference(void **state)
{
    (void)state;
    run_five("local s = 'x' for i = 1, 24 do s = s .. s end\n"
             "s = s .. s .. s .. s .. s",
             "-> fail: candidate.lua:6: out of memory: used the 64 MB");
    assert_logged("shadow: 4: accept: normal -> accept: normal as 4/1"); /* loaded anew */
}

#define HOARDING                               \
    "local kept = {}\n"                        \
    "return function(object)\n"                \
    "  local s = object.key .. '/'\n"          \
    "  while #s < 1000000 do s = s .. s end\n" \
    "  kept[#kept + 1] = s\n"                  \
    "  return ignore('all')\n"                 \
    "end\n"

/* 1 MB an object, of 112 that there are. */
static void what_it_hoards_is_freed_and_the_rules_go_on(void **state)
{
    (void)state;
    open_both(RULES, HOARDING, 0);
    add_objects(&event, 1, 400);
    run_both();
    assert_int_equal(outbox.count, 400);
    assert_id(399, "400/400");
    assert_logged("shadow: 380 more differences");
}

/* The rules need 48 MB for a moment, and of 112 it would hold 90. */
static void what_it_hoards_is_not_there_while_the_rules_decide(void **state)
{
    (void)state;
    open_both("local count = 0\n"
              "return function(object)\n"
              "  local s = 'x' for i = 1, 24 do s = s .. s end\n"
              "  s = s .. s\n"
              "  count = count + 1\n"
              "  return accept(object.key .. '/' .. count, {'normal'})\n"
              "end\n",
              HOARDING, 0);
    log_set_level(LOG_LEVEL_ERROR);
    add_objects(&event, 1, 60);
    for (int i = 0; i < 3; i++) {
        run_both();
        assert_int_equal(outbox.count, 60);
    }
    assert_id(59, "60/180");
    assert_string_equal(logged(), "");
}

/* 32 names of 250 bytes for each of 4000 objects: 32 MB, where 12 are left. */
static void what_it_makes_up_is_not_kept(void **state)
{
    (void)state;
    open_both("return function() return ignore('all') end",
              "return function(object)\n"
              "  local list = {}\n"
              "  for i = 1, 32 do\n"
              "    list[i] = string.format('%5s%2s', object.key, i)\n"
              "    while #list[i] < 200 do list[i] = list[i] .. '/' .. list[i] end\n"
              "    list[i] = list[i]:sub(1, 250)\n"
              "  end\n"
              "  return accept(object.key, list)\n"
              "end\n",
              16);
    log_set_level(LOG_LEVEL_INFO);
    add_objects(&event, 1, 4000);
    run_both();
    assert_logged("shadow: 3980 more differences");
}

/* ------------------------------------------------------------------------ loading */

static void what_does_not_load_is_named_and_the_rules_go_on(void **state)
{
    static const struct {
        const char *text;
        const char *words;
    } cases[] = {
        {"\nreturn funktion() end", "candidate.lua:2: "},
        {"\n\nerror('boom')", "candidate.lua:3: boom"},
        {"return 7", "candidate.lua:1: the script returns a number"},
        {"\nlocal s = 'x' for i = 1, 30 do s = s .. s end",
         "candidate.lua:2: used the 64 MB that loading may have"},
        {"while true do end", "candidate.lua:1: spent its budget"},
        {"\177ELF", "candidate.lua is a program, not a Lua script"},
    };

    (void)state;
    script = open_rules(RULES);
    add_objects(&event, 1, 2);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_false(open_shadow(cases[i].text));
        if (!strstr(err.text, cases[i].words) || strstr(err.text, "traceback"))
            fail_msg("%s", err.text);
        assert_null(script_shadow_hash(script));
        run_both();
        assert_int_equal(outbox.count, 2);
    }
    assert_id(1, "2/12");
    assert_null(strstr(logged(), "shadow"));
}

static void one_that_is_not_there_is_named(void **state)
{
    struct deadline deadline = deadline_in(600000);

    (void)state;
    script = open_rules(RULES);
    assert_false(script_open_shadow(script, shadow_path, &deadline, &err));
    assert_non_null(strstr(err.text, "candidate.lua"));
    assert_non_null(strstr(err.text, "No such file"));
    assert_null(strstr(err.text, "handler"));
    add_objects(&event, 1, 2);
    run_both();
    assert_int_equal(outbox.count, 2);
}

/* ------------------------------------------------------------------- the watchdog */

#define STALLING                                 \
    "local text = 'x'\n"                         \
    "for i = 1, 12 do text = text .. text end\n" \
    "local function stall() text:find('.-.-.-.-.-.-.-.-y') end\n"

/* The work of a child. It returns only where the watchdog fails. */
static int work(const char *path, const char *shadow)
{
    struct script_settings settings = {.command = "lambda", .path = path, .queue = "q"};
    struct deadline far = deadline_in(600000);
    struct rlimit cpu = {.rlim_cur = 60, .rlim_max = 60};
    struct invocation invocation;

    setrlimit(RLIMIT_CPU, &cpu); /* whatever happens */
    script = script_open(&settings, &far, &err);
    if (!script || !script_open_shadow(script, shadow, &far, &err))
        return 9;
    add_object(&event, "stalls");
    invocation = invocation_of(&event);
    if (!script_decide(script, &invocation, &outbox, &err))
        return 7;
    script_shadow(script, &invocation.deadline);
    return 8;
}

/* Starts this program with both scripts; it has to end with status 1, and these words. */
static void assert_stopped(const char *candidate, const char *const words[3])
{
    struct end end;

    write_script(rules_path, RULES);
    write_script(shadow_path, candidate);
    end = run_again(rules_path, shadow_path);
    assert_int_equal(end.status, 1);
    for (size_t i = 0; i < 3 && words[i]; i++)
        assert_has(end.said, words[i]);
}

static void a_pattern_without_end_is_stopped_and_the_way_out_named(void **state)
{
    static const char *const words[3] = {
        "the shadow script candidate.lua:3 kept the processor for 1 s at key ", "stalls",
        "unset PIGEON_SHADOW_RULES"};

    (void)state;
    assert_stopped(STALLING "return function(object)\n"
                            "  if object.key == 'stalls' then stall() end\n"
                            "  return ignore('all')\n"
                            "end\n",
                   words);
}

static void a_shadow_that_stalls_while_it_loads_is_stopped(void **state)
{
    static const char *const words[3] = {
        "the shadow script candidate.lua:3 kept the processor for 1 s at key ",
        "(loading)"};

    (void)state;
    assert_stopped(STALLING "stall()", words);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        CASE(a_difference_is_told_and_publishes_nothing),
        CASE(where_only_warnings_are_logged_the_metrics_stay),
        CASE(its_hash_is_known),
        CASE(an_error_is_a_difference),
        CASE(twenty_differences_are_told_and_the_rest_is_counted),
        CASE(without_one_nothing_is_said),
        CASE(when_two_thirds_are_spent_the_rest_is_skipped),
        CASE(with_no_time_left_no_object_is_decided),
        CASE(a_loop_without_end_is_a_difference),
        CASE(a_decision_that_takes_96_megabytes_is_a_difference),
        CASE(what_it_hoards_is_freed_and_the_rules_go_on),
        CASE(what_it_hoards_is_not_there_while_the_rules_decide),
        CASE(what_it_makes_up_is_not_kept),
        CASE(what_does_not_load_is_named_and_the_rules_go_on),
        CASE(one_that_is_not_there_is_named),
        CASE(a_pattern_without_end_is_stopped_and_the_way_out_named),
        CASE(a_shadow_that_stalls_while_it_loads_is_stopped),
    };

    if (argc == 3)
        return work(argv[1], argv[2]);
    return cmocka_run_group_tests_name("script shadow", tests, NULL, NULL);
}
