/* The spec of host/lua/script.c's second script: it is asked, and harms nothing.
 *
 * What the watchdog ends is a program of its own: this one, started again with the paths
 * of both scripts as arguments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "../support/rules.h"

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

static struct script *script;
static struct outbox outbox;
static struct answer answer;
static struct buffer event;
static struct err err;
static char shadow_path[64];

static int start(void **state)
{
    err = (struct err){0};
    if (begin(state) != 0)
        return -1;
    snprintf(shadow_path, sizeof(shadow_path), "%s/candidate.lua", folder);
    return 0;
}

static int stop(void **state)
{
    outbox_clear(&outbox);
    buffer_free(&answer.body);
    buffer_free(&event);
    script_close(script);
    script = NULL;
    unlink(shadow_path);
    return end(state);
}

static void write_shadow(const char *text)
{
    FILE *file = fopen(shadow_path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static bool open_shadow(const char *text)
{
    struct deadline deadline = deadline_in(600000);

    write_shadow(text);
    return script_open_shadow(script, shadow_path, &deadline, &err);
}

/* The rules with so much memory, and the candidate. */
static void open_both(const char *rules, const char *candidate, long memory_mb)
{
    script = open_with(rules, "normal", memory_mb, &err);
    assert_string_equal(err.text, "");
    assert_non_null(script);
    if (!open_shadow(candidate))
        fail_msg("%s", err.text);
}

/* Objects whose keys are these numbers. */
static void add_objects(int first, int last)
{
    char key[32];

    for (int i = first; i <= last; i++) {
        snprintf(key, sizeof(key), "%d", i);
        add_object(&event, key);
    }
}

/* The whole way of an event, all of it published: a success, whatever the shadow does. */
static void run(void)
{
    struct invocation invocation = invocation_of(&event);
    struct facts facts = {0};

    outbox_clear(&outbox);
    if (!script_decide(script, &invocation, &outbox, &err))
        fail_msg("%s", err.text);
    facts.confirmed = confirm(&outbox);
    script_shadow(script, &invocation.deadline);
    if (!script_conclude(script, &outbox, &facts, &answer, &err) ||
        !script_tell(script, &err))
        fail_msg("%s", err.text);
    assert_string_equal(answer.body.data, "null");
    assert_string_equal(answer.error_type, "");
    assert_false(script_exhausted(script));
}

static void assert_id(size_t i, const char *id)
{
    assert_true(i < outbox.count);
    if (!is(outbox.messages[i].body, id))
        fail_msg("message %zu is %s, not %s", i, outbox.messages[i].body.data, id);
}

/* What the candidate does at key 3 is told, as these words, and nothing else is. */
static void run_five(const char *third, const char *words)
{
    char candidate[1024];

    snprintf(candidate, sizeof(candidate), CANDIDATE, third);
    open_both(RULES, candidate, 0);
    add_objects(1, 5);
    run();
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
    add_objects(1, 50);
    run();
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
    add_objects(1, 5);
    run();
    assert_null(strstr(logged(), "shadow"));
}

/* --------------------------------------------------------------------------- time */

static int64_t jump_ms; /* how far each look at CLOCK_BOOTTIME moves it */
static int64_t jumped_ms;

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = (int)syscall(SYS_clock_gettime, clock, now);

    if (clock == CLOCK_BOOTTIME) {
        jumped_ms += jump_ms;
        now->tv_sec += jumped_ms / 1000;
    }
    return result;
}

/* 600 s, and each look takes 30. */
static void when_two_thirds_are_spent_the_rest_is_skipped(void **state)
{
    struct invocation invocation;
    struct facts facts = {0};
    char words[64];
    int asked = 0;

    (void)state;
    open_both(RULES, "return function() return ignore('all') end", 0);
    add_objects(1, 100);
    invocation = invocation_of(&event);
    assert_true(script_decide(script, &invocation, &outbox, &err));
    facts.confirmed = confirm(&outbox);
    jump_ms = 30000;
    script_shadow(script, &invocation.deadline);
    jump_ms = 0;
    jumped_ms = 0;
    assert_true(script_conclude(script, &outbox, &facts, &answer, &err));
    assert_string_equal(answer.body.data, "null");
    assert_true(script_tell(script, &err));
    for (const char *line = logged(); (line = strstr(line, "-> ignore: all")); line++)
        asked++;
    assert_in_range(asked, 8, 13);
    snprintf(words, sizeof(words), "shadow: %d not asked about: the time was short",
             100 - asked);
    assert_logged(words);
}

/* The watchdog would end the process, were it started now. */
static void with_no_time_left_none_is_asked(void **state)
{
    struct deadline over = deadline_in(0);
    struct invocation invocation;
    struct facts facts = {0};

    (void)state;
    open_both(RULES, "return function() return ignore('all') end", 0);
    add_objects(1, 3);
    invocation = invocation_of(&event);
    assert_true(script_decide(script, &invocation, &outbox, &err));
    facts.confirmed = confirm(&outbox);
    script_shadow(script, &over);
    assert_true(script_conclude(script, &outbox, &facts, &answer, &err));
    assert_true(script_tell(script, &err));
    assert_logged("shadow: 3 not asked about: the time was short");
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
             "-> fail: candidate.lua: not enough memory");
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
    add_objects(1, 400);
    run();
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
    log_open(LOG_LEVEL_ERROR);
    add_objects(1, 60);
    for (int i = 0; i < 3; i++) {
        run();
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
    log_open(LOG_LEVEL_INFO);
    add_objects(1, 4000);
    run();
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
        {"local s = 'x' for i = 1, 30 do s = s .. s end", "not enough memory"},
        {"while true do end", "candidate.lua:1: spent its budget"},
        {"\177ELF", "candidate.lua is a program, not a Lua script"},
    };

    (void)state;
    script = open_rules(RULES);
    add_objects(1, 2);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_false(open_shadow(cases[i].text));
        if (!strstr(err.text, cases[i].words) || strstr(err.text, "traceback"))
            fail_msg("%s", err.text);
        assert_null(script_shadow_hash(script));
        run();
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
    add_objects(1, 2);
    run();
    assert_int_equal(outbox.count, 2);
}

/* ------------------------------------------------------------------- the watchdog */

#define STALLING                                 \
    "local text = 'x'\n"                         \
    "for i = 1, 12 do text = text .. text end\n" \
    "local function stall() text:find('.-.-.-.-.-.-.-.-y') end\n"

/* What a child does. It ends only where nothing stops it. */
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
    char said[4096];

    write_rules(RULES);
    write_shadow(candidate);
    assert_int_equal(run_again(rules_path, shadow_path, said, sizeof(said)), 1);
    for (size_t i = 0; i < 3 && words[i]; i++)
        if (!strstr(said, words[i]))
            fail_msg("\"%s\" is not in %s", words[i], said);
}

static void a_pattern_without_end_is_stopped_and_the_way_out_named(void **state)
{
    static const char *const words[3] = {
        "the shadow script candidate.lua was stopped after 1 s of CPU at key ", "stalls",
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
        "the shadow script candidate.lua was stopped after 1 s of CPU at key ",
        "(loading)"};

    (void)state;
    assert_stopped(STALLING "stall()", words);
}

#define SHADOWED(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        SHADOWED(a_difference_is_told_and_publishes_nothing),
        SHADOWED(its_hash_is_known),
        SHADOWED(an_error_is_a_difference),
        SHADOWED(twenty_differences_are_told_and_the_rest_is_counted),
        SHADOWED(without_one_nothing_is_said),
        SHADOWED(when_two_thirds_are_spent_the_rest_is_skipped),
        SHADOWED(with_no_time_left_none_is_asked),
        SHADOWED(a_loop_without_end_is_a_difference),
        SHADOWED(a_decision_that_takes_96_megabytes_is_a_difference),
        SHADOWED(what_it_hoards_is_freed_and_the_rules_go_on),
        SHADOWED(what_it_hoards_is_not_there_while_the_rules_decide),
        SHADOWED(what_it_makes_up_is_not_kept),
        SHADOWED(what_does_not_load_is_named_and_the_rules_go_on),
        SHADOWED(one_that_is_not_there_is_named),
        SHADOWED(a_pattern_without_end_is_stopped_and_the_way_out_named),
        SHADOWED(a_shadow_that_stalls_while_it_loads_is_stopped),
    };

    if (argc == 3)
        return work(argv[1], argv[2]);
    return cmocka_run_group_tests_name("script shadow", tests, NULL, NULL);
}
