/* The spec of host/desk/options.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "desk/options.h"

static struct options options;
static struct err err;

/* Reads a command line, words separated by one space. */
static bool reads(const char *line)
{
    static char text[256], *arguments[16];
    int count = 0;

    strcpy(text, line);
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
        arguments[count++] = word;
    arguments[count] = NULL;
    err = (struct err){0};
    return options_read(&options, count, arguments, &err);
}

static void knows_its_commands(void **state)
{
    (void)state;
    assert_true(options_is_command("explain"));
    assert_true(options_is_command("event"));
    assert_true(options_is_command("table"));
    assert_true(options_is_command("diff"));
    assert_false(options_is_command("nonsense"));
    assert_false(options_is_command("--rules"));
}

static void options_and_words_come_in_any_order(void **state)
{
    (void)state;
    assert_true(reads("explain a --rules r.lua b --json --trace -- --c"));
    assert_string_equal(options.command, "explain");
    assert_string_equal(options.rules, "r.lua");
    assert_true(options.json);
    assert_true(options.trace);
    assert_false(options.help);
    assert_int_equal(options.from, 1);
    assert_int_equal(options.count, 3);
    assert_string_equal(options.words[0], "a");
    assert_string_equal(options.words[1], "b");
    assert_string_equal(options.words[2], "--c");
    assert_true(options.literal);
    assert_true(reads("simulate --ids v2/raw_crash --manifest manifest.json"));
    assert_false(options.literal);
    assert_string_equal(options.ids, "v2/raw_crash");
    assert_string_equal(options.manifest, "manifest.json");
    assert_true(reads("check --strict --json"));
    assert_true(options.strict && options.json);
    assert_false(reads("explain --strict a"));
    assert_true(reads("explain -"));
    assert_string_equal(options.words[0], "-");
}

static void help_may_stand_anywhere(void **state)
{
    static const char *const lines[] = {
        "explain --help",         "explain a --help b", "explain --nonsense --help",
        "explain --rules --help", "event --help",       "event s3 --help",
        "event --key --help",     "test a --help",      "replay --rate x --help",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        assert_true(reads(lines[i]));
        assert_true(options.help);
    }
    assert_true(reads("explain -- --help"));
    assert_false(options.help);
    assert_string_equal(options.words[0], "--help");
}

static void a_command_may_read_its_arguments_itself(void **state)
{
    (void)state;
    assert_true(reads("event s3 --key k"));
    assert_int_equal(options.count, 3);
    assert_string_equal(options.words[1], "--key");
    assert_false(options.help);
    assert_true(reads("test --filter x -o TAP a_spec.lua"));
    assert_int_equal(options.count, 5);
    assert_string_equal(options.words[0], "--filter");
}

static void examples_are_counted(void **state)
{
    (void)state;
    assert_true(reads("simulate --against f"));
    assert_int_equal(options.examples, 0);
    assert_true(reads("simulate --examples 7 --against f"));
    assert_int_equal(options.examples, 7);
}

static void diff_takes_two_scripts(void **state)
{
    (void)state;
    assert_true(reads("diff old.lua --json new.lua"));
    assert_string_equal(options.rules, "old.lua");
    assert_string_equal(options.against, "new.lua");
    assert_int_equal(options.count, 0);
    assert_true(options.json);
    assert_null(options.html);
    assert_true(reads("diff old.lua --html a/b.html new.lua"));
    assert_string_equal(options.html, "a/b.html");
    assert_true(reads("diff -- -old.lua -new.lua"));
    assert_string_equal(options.rules, "-old.lua");
    assert_true(reads("table --rules r.lua --json"));
    assert_string_equal(options.rules, "r.lua");
    assert_null(options.against);
}

static void misuse_is_named(void **state)
{
    static const char *const cases[][2] = {
        {"explain --nonsense",
         "unknown option: --nonsense; a word that begins with - comes after --"},
        {"explain -h", "unknown option: -h; a word that begins with - comes after --"},
        {"simulate keys.txt",
         "unknown argument: keys.txt; the list comes from stdin: <FILE"},
        {"replay -n", "unknown option: -n"},
        {"explain --rate 5 k", "unknown option: --rate"},
        {"explain k --rules", "--rules has no value"},
        {"simulate --examples 5", "--examples is for --against FILE"},
        {"simulate --against f --examples 0",
         "--examples is 0, but must be a whole number from 1 to 1000"},
        {"simulate --against f --examples 1001",
         "--examples is 1001, but must be a whole number from 1 to 1000"},
        {"simulate --html", "--html has no value"},
        {"simulate --html -",
         "--html is -, but must be a file's name that ends in .html"},
        {"diff a b --html new.lua",
         "--html is new.lua, but must be a file's name that ends in .html"},
        {"diff a b --html .html",
         "--html is .html, but must be a file's name that ends in .html"},
        {"check --html a.html", "unknown option: --html"},
        {"diff old.lua", "name two scripts: diff OLD.lua NEW.lua"},
        {"diff a b c", "name two scripts: diff OLD.lua NEW.lua"},
        {"diff --rules a b", "unknown option: --rules"},
        {"table r.lua s.lua", "unknown argument: s.lua; one script at a time"},
        {"check --rules r.lua s.lua", "unknown argument: s.lua; one script at a time"},
        {"replay --rate 0", "--rate is 0, but must be a whole number from 1"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_false(reads(cases[i][0]));
        assert_string_equal(err.text, cases[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_its_commands),
        cmocka_unit_test(options_and_words_come_in_any_order),
        cmocka_unit_test(help_may_stand_anywhere),
        cmocka_unit_test(a_command_may_read_its_arguments_itself),
        cmocka_unit_test(examples_are_counted),
        cmocka_unit_test(diff_takes_two_scripts),
        cmocka_unit_test(misuse_is_named),
    };

    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
