/* The spec of host/base/output.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/output.h"

static struct err err;

static void all_of_it_is_there_at_once(void **state)
{
    char text[16] = "";
    FILE *file = tmpfile();

    (void)state;
    assert_true(output_write("a\0b", 3, file, &err));
    assert_int_equal(pread(fileno(file), text, sizeof(text), 0), 3);
    assert_memory_equal(text, "a\0b", 3);
    assert_true(output_write(NULL, 0, file, &err));
    fclose(file);
}

static void a_full_disk_is_an_error(void **state)
{
    FILE *file = fopen("/dev/full", "w");
    static char much[100000];

    (void)state;
    assert_false(output_write("a", 1, file, &err));
    assert_string_equal(
        err.text, "the output could not be written completely: No space left on device");
    assert_false(output_write(much, sizeof(much), file, &err));
    assert_non_null(strstr(err.text, "No space left on device"));
    fclose(file);
}

static void a_pipe_that_nobody_reads_is_not_worth_a_word(void **state)
{
    int ends[2];
    FILE *file;

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    file = fdopen(ends[1], "w");
    assert_false(output_write("a", 1, file, &err));
    assert_string_equal(err.text, "");
    fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_it_is_there_at_once),
        cmocka_unit_test(a_full_disk_is_an_error),
        cmocka_unit_test(a_pipe_that_nobody_reads_is_not_worth_a_word),
    };

    return cmocka_run_group_tests_name("output", tests, NULL, NULL);
}
