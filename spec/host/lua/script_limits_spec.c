/* The spec of host/lua/script.c's limits: rules that take too much memory or time.
 *
 * The watchdog ends a program of its own: this one, started again with the work and the
 * rules' path as arguments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/log.h"
#include "child.h"
#include "fake/cpu_clock.h"
#include "script_case.h"

static bool confirm_and_conclude(void)
{
    facts.confirmed = confirm(&outbox);
    return conclude();
}

static void assert_told(const char *type, const char *words)
{
    assert_string_equal(answer.error_type, type);
    if (!strstr(member(&answer.body, "errorMessage"), words))
        fail_msg("\"%s\" is not in %s", words, answer.body.data);
}

/* ----------------------------------------------------------------------- memory */

/* The id says how often the rules decided since they were loaded. */
#define COUNTING                                                \
    "local count = 0\n"                                         \
    "return function(object)\n"                                 \
    "  count = count + 1\n"                                     \
    "  if object.key == '3' then\n"                             \
    "    %s\n"                                                  \
    "  end\n"                                                   \
    "  return accept(object.key .. '/' .. count, {'normal'})\n" \
    "end\n"

static void run_five(const char *third)
{
    char rules[1024];

    snprintf(rules, sizeof(rules), COUNTING, third);
    script = open_rules(rules);
    add_objects(&event, 1, 5);
    assert_true(decide());
    assert_true(confirm_and_conclude());
}

/* 16 MB, and 80 MB more at once. */
static void a_decision_that_takes_96_megabytes_fails_alone(void **state)
{
    (void)state;
    run_five("local s = 'x' for i = 1, 24 do s = s .. s end\n"
             "s = s .. s .. s .. s .. s");
    assert_int_equal(outbox.count, 4);
    assert_id(0, "1/1");
    assert_id(1, "2/2");
    assert_id(2, "4/1"); /* loaded anew */
    assert_id(3, "5/2");
    assert_told("Function.RulesFailed", "1 of 5 objects failed");
    assert_told(
        "Function.RulesFailed",
        "rules.lua:6: out of memory: used the 64 MB that an object may have: does a "
        "string or table grow in a loop?");
    assert_false(script_exhausted(script));
}

static void a_decision_that_takes_48_megabytes_is_one_of_many(void **state)
{
    (void)state;
    run_five("local s = 'x' for i = 1, 24 do s = s .. s end\n"
             "s = s .. s");
    assert_int_equal(outbox.count, 5);
    assert_id(4, "5/5");
    assert_string_equal(answer.body.data, "null");
}

/* 48 MB are loaded, and 32 MB more decide, where work has 63 MB. */
static void what_was_loaded_leaves_room_to_decide(void **state)
{
    (void)state;
    open_small("local s = 'x' for i = 1, 24 do s = s .. s end\n"
               "local kept = { s .. 1, s .. 2 }\n"
               "return function(object)\n"
               "  local more = { s .. 3, s .. 4, #kept }\n"
               "  return accept(object.key, {'normal'})\n"
               "end\n",
               96);
    add_objects(&event, 1, 5);
    assert_true(decide());
    assert_int_equal(outbox.count, 5);
    assert_true(confirm_and_conclude());
    assert_string_equal(answer.body.data, "null");
}

static void a_table_without_end_fails_alone(void **state)
{
    (void)state;
    run_five("local s, t = object.key, {} for i = 1, 10 do s = s .. s end\n"
             "for i = 1, 100000 do t[i] = s .. i end");
    assert_int_equal(outbox.count, 4);
    assert_id(2, "4/1");
    assert_told("Function.RulesFailed", "rules.lua:6: out of memory: used the 64 MB");
}

/* To the last byte: what handles the error finds no memory at first, either. */
static void small_tables_without_end_have_their_line(void **state)
{
    (void)state;
    run_five("local s, t = object.key, {} for i = 1, 10 do s = s .. s end\n"
             "for i = 1, 58000 do t = { s .. i, t } end\n"
             "while true do t = { t } end");
    assert_told("Function.RulesFailed", "rules.lua:7: out of memory: used the 64 MB");
}

static void a_message_can_be_forged_a_refusal_cannot(void **state)
{
    (void)state;
    run_five("error('not enough memory')");
    assert_int_equal(outbox.count, 4);
    assert_id(2, "4/4"); /* not loaded anew */
    assert_told("Function.RulesFailed", "rules.lua: not enough memory");
}

static void a_spent_budget_is_not_out_of_memory(void **state)
{
    (void)state;
    run_five("while true do end");
    assert_int_equal(outbox.count, 4);
    assert_id(2, "4/4");
    assert_told("Function.RulesFailed", "rules.lua:5: spent its budget");
}

/* 150 MB, of which Lua needs 100 KB at a time. */
static void garbage_is_collected_before_anything_fails(void **state)
{
    (void)state;
    run_five("local s = object.key for i = 1, 17 do s = s .. s end\n"
             "for i = 1, 1200 do local t = s .. i end");
    assert_int_equal(outbox.count, 5);
    assert_string_equal(answer.body.data, "null");
}

/* Lua's collector rests while there is room. 11 GB are allocated, 16 MB of them in use at
 * a time, by a function that does not collect before it gives up. */
static void garbage_of_a_big_event_is_collected_where_it_gets_tight(void **state)
{
    (void)state;
    script = open_rules("local s = 'x' for i = 1, 21 do s = s .. s end\n"
                        "local long = s .. s .. s .. s\n"
                        "return function(object)\n"
                        "  for i = 1, 4 do local t = s .. i end\n"
                        "  long:upper()\n"
                        "  return accept(object.key, {'normal'})\n"
                        "end\n");
    add_objects(&event, 1001, 1700);
    assert_true(event.len > 65536);
    assert_true(decide());
    assert_int_equal(outbox.count, 700);
    assert_true(confirm_and_conclude());
    assert_string_equal(answer.body.data, "null");
}

/* How much more is in use after a big event was told than was before it. */
static size_t left_of_a_big_event(void)
{
    size_t before = mallinfo2().uordblks;

    assert_true(decide());
    assert_true(confirm_and_conclude());
    assert_true(script_tell(script, &err));
    outbox_clear(&outbox);
    return mallinfo2().uordblks - before;
}

static void nothing_is_left_of_a_big_event_that_was_told(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    script = open_rules("return function(object)\n"
                        "  return accept(object.key, {'normal'})\n"
                        "end\n");
    add_objects(&event, 1001, 3000);
    left_of_a_big_event(); /* buffers have grown */
    assert_in_range(left_of_a_big_event() + 500000, 0, 1000000);
}

/* 1 MB an object, of 112 that there are. */
static void what_is_hoarded_over_many_objects_is_freed(void **state)
{
    size_t failed;

    (void)state;
    script = open_rules("local kept = {}\n"
                        "return function(object)\n"
                        "  local s = object.key .. '/'\n"
                        "  while #s < 1000000 do s = s .. s end\n"
                        "  kept[#kept + 1] = s\n"
                        "  return accept(object.key, {'normal'})\n"
                        "end\n");
    add_objects(&event, 1001, 1400);
    assert_true(decide());
    failed = 400 - outbox.count;
    assert_in_range(failed, 2, 6);
    assert_id(0, "1001");
    assert_id(outbox.count - 1, "1400");
    assert_true(confirm_and_conclude());
    assert_told("Function.RulesFailed",
                "rules.lua:4: out of memory: the script itself keeps ");
    assert_told("Function.RulesFailed", " MB above its function, from object to object");
    assert_false(script_exhausted(script));
}

/* The hoard grows by little and meets the ceiling anywhere; only the rules may suffer. */
static void what_is_hoarded_does_not_keep_events_from_being_concluded(void **state)
{
    size_t failed = 0;

    (void)state;
    open_small("local kept = {}\n"
               "return function(object)\n"
               "  kept[#kept + 1] = { object.key .. ('/'):byte() .. #kept }\n"
               "  return accept(object.key, {'normal'})\n"
               "end\n",
               4);
    log_set_level(LOG_LEVEL_ERROR);
    add_objects(&event, 1001, 1100);
    for (int i = 0; i < 500; i++) {
        if (!decide() || !confirm_and_conclude())
            fail_msg("event %d: %s", i, err.text);
        failed += 100 - outbox.count;
    }
    assert_in_range(failed, 2, 50);
    assert_false(script_exhausted(script));
}

/* Rules that keep 7 MB at a key, where work has 6 and the event 7 more; it is told. */
static void keep_at_key(const char *key)
{
    open_small("local s, kept = 'x', {} for i = 1, 20 do s = s .. s end\n"
               "return function(object)\n"
               "  if object.key == 'keep' then\n"
               "    for i = 1, 7 do kept[i] = s .. i end\n"
               "  end\n"
               "  return accept(object.key, {'normal'})\n"
               "end\n",
               8);
    log_set_level(LOG_LEVEL_ERROR);
    add_objects(&event, 10001, 14999);
    add_object(&event, key);
    assert_true(decide());
    assert_int_equal(outbox.count, 5000);
    assert_true(confirm_and_conclude());
    assert_string_equal(answer.body.data, "null");
    assert_false(script_exhausted(script));
    assert_true(script_tell(script, &err));
}

/* The room of a big event is gone with it: no other event could be received. */
static void what_only_a_big_event_has_room_for_exhausts_the_process(void **state)
{
    (void)state;
    keep_at_key("other");
    assert_false(script_exhausted(script));
    script_close(script);
    buffer_clear(&event);
    outbox_clear(&outbox);
    keep_at_key("keep");
    assert_true(script_exhausted(script));
}

/* Records that are lists in lists: their tables need more than 16 times their bytes. */
static void add_deep_lists(int records)
{
    append(&event, "{\"Records\":[0");
    for (int i = 0; i < records; i++) {
        append(&event, ",");
        for (int level = 0; level < 60; level++)
            append(&event, "[");
        for (int level = 0; level < 60; level++)
            append(&event, "]");
    }
    append(&event, "]}");
}

static void an_event_that_does_not_fit_is_told_and_the_next_one_decided(void **state)
{
    (void)state;
    open_small("return function(object) return accept(object.key, {'normal'}) end", 8);
    event.max = SIZE_MAX;
    add_deep_lists(10000);
    assert_false(decide());
    assert_non_null(strstr(err.text, "receiving 1210015 bytes: not enough memory"));
    assert_int_equal(outbox.count, 0);

    buffer_clear(&event);
    add_objects(&event, 1, 2);
    assert_true(decide());
    assert_int_equal(outbox.count, 2);
    assert_true(confirm_and_conclude());
    assert_string_equal(answer.body.data, "null");
}

/* The event's own decisions fill what there is, so that to load anew does not help. */
static void where_loading_anew_does_not_help_the_process_is_exhausted(void **state)
{
    (void)state;
    event.max = SIZE_MAX;
    for (int objects = 500; !script || !script_exhausted(script); objects += 500) {
        script_close(script);
        open_small(
            "return function(object)\n"
            "  local destinations = {}\n"
            "  for i = 1, 32 do destinations[i] = exchange(object.key, 'k' .. i) end\n"
            "  return accept(object.key, destinations)\n"
            "end\n",
            8);
        buffer_clear(&event);
        add_objects(&event, 1, objects);
        if (!decide() || objects > 20000)
            fail_msg("%d objects: %s", objects, err.text);
    }
    assert_true(script_exhausted(script));
}

static void an_event_of_6_megabytes_is_decided(void **state)
{
    char key[32];
    size_t objects = 0;

    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    open_small("return function(object)\n"
               "  return accept(object.key, {'normal'})\n"
               "end\n",
               64);
    while (event.len < 6000000) {
        objects++;
        snprintf(key, sizeof(key), "%zu", objects);
        add_object(&event, key);
    }
    for (int i = 0; i < 2; i++) {
        assert_true(decide());
        assert_int_equal(outbox.count, objects);
        assert_id(0, "1");
        assert_id(objects - 1, key);
        assert_true(confirm_and_conclude());
        assert_string_equal(answer.body.data, "null");
        assert_false(script_exhausted(script));
    }
}

static char *long_key(size_t len)
{
    char *key = malloc(len + 1);

    memset(key, '+', len);
    key[len] = '\0';
    return key;
}

static void a_key_of_6_megabytes_is_decided(void **state)
{
    char *key = long_key(6000000);

    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    script = open_rules("return function(object)\n"
                        "  return accept('of ' .. #object.key, {'normal'})\n"
                        "end\n");
    add_object(&event, key);
    free(key);
    assert_true(decide());
    assert_int_equal(outbox.count, 1);
    assert_id(0, "of 6000000");
    assert_true(confirm_and_conclude());
    assert_string_equal(answer.body.data, "null");
}

/* The rules keep so much that Lua sees no reason to collect before memory is refused, and
 * the events, each of another length, need more than the rules left of it. */
static void garbage_does_not_keep_events_from_being_received(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    open_small("local s = 'x' for i = 1, 20 do s = s .. s end\n"
               "local kept = { s .. 1, s .. 2, s .. 3 }\n"
               "return function(object)\n"
               "  if #kept == 3 then\n"
               "    for i = 4, 8 do kept[i] = s .. i end\n"
               "  end\n"
               "  return accept('of ' .. #object.key, {'normal'})\n"
               "end\n",
               8);
    for (size_t i = 0; i < 60; i++) {
        char *key = long_key(350000 + 1500 * i);

        buffer_clear(&event);
        add_object(&event, key);
        free(key);
        if (!decide() || !confirm_and_conclude())
            fail_msg("event %zu: %s", i, err.text);
        assert_int_equal(outbox.count, 1);
    }
}

/* ------------------------------------------------------------------------- time */

#define BACKTRACKING                             \
    "local text = ('x'):format()\n"              \
    "for i = 1, 12 do text = text .. text end\n" \
    "local function stall() text:find('.-.-.-.-.-.-.-.-y') end\n"

/* The work of a child. It returns only where the watchdog fails. */
static int work(const char *what, const char *path)
{
    struct script_settings settings = {.command = "lambda", .path = path, .queue = "q"};
    struct deadline far = deadline_in(600000);
    struct rlimit cpu = {.rlim_cur = 2, .rlim_max = 60};
    struct invocation invocation;

    setrlimit(RLIMIT_CPU, &cpu); /* longer is too long: SIGXCPU */
    script = script_open(&settings, &far, &err);
    if (!script)
        return 9;
    add_objects(&event, 1, 3);
    invocation = invocation_of(&event);
    if (strcmp(what, "deadline") == 0)
        invocation.deadline.end_ms = clock_ms() + 700;
    invocation.deadline.start_ms = clock_ms() + 100000; /* never half spent */
    return script_decide(script, &invocation, &outbox, &err) ? 8 : 7;
}

/* Status 1 and one line, which is this after time and level. */
static void assert_stopped(const char *what, const char *rules, const char *line)
{
    struct end end;

    write_script(rules_path, rules);
    end = run_again(what, rules_path);
    assert_int_equal(end.status, 1);
    assert_true(strlen(end.said) > 31);
    assert_memory_equal(end.said + 23, "Z ERROR ", 8);
    assert_string_equal(end.said + 31, line);
}

static void a_pattern_without_end_is_stopped(void **state)
{
    (void)state;
    assert_stopped("decide",
                   BACKTRACKING "return function(object)\n"
                                "  if object.key == '2' then stall() end\n"
                                "  return accept(object.key, {'normal'})\n"
                                "end\n",
                   "rules.lua:3 kept the processor for 1 s at key \"2\": a pattern with "
                   "several `.-` or `.*`? anchor it; a text that grows "
                   "in a loop? use table.concat\n");
}

/* The pattern is called by return, in a helper that is called by return. */
static void a_pattern_that_is_called_by_return_has_its_line_too(void **state)
{
    (void)state;
    assert_stopped("decide",
                   "local text = ('x'):format()\n"
                   "for i = 1, 12 do text = text .. text end\n"
                   "local function search()\n"
                   "  return text:find('.-.-.-.-.-.-.-.-y')\n"
                   "end\n"
                   "return function(object)\n"
                   "  if object.key == '2' then return search() end\n"
                   "  return accept(object.key, {'normal'})\n"
                   "end\n",
                   "rules.lua:4 kept the processor for 1 s at key \"2\": a pattern with "
                   "several `.-` or `.*`? anchor it; a text that grows "
                   "in a loop? use table.concat\n");
}

/* The clock that the hook looks at stands still here: Lua runs on between the calls. */
static void many_calls_that_are_long_together_have_a_line(void **state)
{
    (void)state;
    assert_stopped("decide",
                   "local text = ('x'):format()\n"
                   "for i = 1, 22 do text = text .. text end\n"
                   "return function(object)\n"
                   "  for i = 1, 300000 do text:upper() end\n"
                   "end\n",
                   "rules.lua:4 kept the processor for 1 s at key \"1\": a pattern with "
                   "several `.-` or `.*`? anchor it; a text that grows "
                   "in a loop? use table.concat\n");
}

/* Without its line where that took less than some 200 ms of CPU. */
static void at_the_deadline_it_is_stopped_sooner(void **state)
{
    struct end end;

    (void)state;
    write_script(rules_path, BACKTRACKING "return function(object)\n"
                                          "  if object.key == '2' then stall() end\n"
                                          "  return accept(object.key, {'normal'})\n"
                                          "end\n");
    end = run_again("deadline", rules_path);
    assert_int_equal(end.status, 1);
    assert_non_null(strstr(end.said, " ERROR rules.lua"));
    assert_non_null(strstr(end.said,
                           " was stopped, because the invocation's time is over, "
                           "at key \"2\"\n"));
}

static void rules_that_stall_while_they_load_are_stopped(void **state)
{
    (void)state;
    assert_stopped(
        "load", BACKTRACKING "stall()",
        "rules.lua:3 kept the processor for 1 s at key \"(loading)\": a pattern "
        "with several `.-` or `.*`? anchor it; a text that grows "
        "in a loop? use table.concat\n");
}

#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, script_case_setup, script_case_teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        CASE(a_decision_that_takes_96_megabytes_fails_alone),
        CASE(a_decision_that_takes_48_megabytes_is_one_of_many),
        CASE(what_was_loaded_leaves_room_to_decide),
        CASE(a_table_without_end_fails_alone),
        CASE(small_tables_without_end_have_their_line),
        CASE(a_message_can_be_forged_a_refusal_cannot),
        CASE(a_spent_budget_is_not_out_of_memory),
        CASE(garbage_is_collected_before_anything_fails),
        CASE(garbage_of_a_big_event_is_collected_where_it_gets_tight),
        CASE(nothing_is_left_of_a_big_event_that_was_told),
        CASE(what_is_hoarded_over_many_objects_is_freed),
        CASE(what_is_hoarded_does_not_keep_events_from_being_concluded),
        CASE(what_only_a_big_event_has_room_for_exhausts_the_process),
        CASE(an_event_that_does_not_fit_is_told_and_the_next_one_decided),
        CASE(where_loading_anew_does_not_help_the_process_is_exhausted),
        CASE(an_event_of_6_megabytes_is_decided),
        CASE(a_key_of_6_megabytes_is_decided),
        CASE(garbage_does_not_keep_events_from_being_received),
        CASE(a_pattern_without_end_is_stopped),
        CASE(a_pattern_that_is_called_by_return_has_its_line_too),
        CASE(many_calls_that_are_long_together_have_a_line),
        CASE(at_the_deadline_it_is_stopped_sooner),
        CASE(rules_that_stall_while_they_load_are_stopped),
    };

    if (argc == 3)
        return work(argv[1], argv[2]);
    return cmocka_run_group_tests_name("script limits", tests, NULL, NULL);
}
