/* The spec of host/desk/input.c: stdin is a file here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "desk/input.h"

static struct input input;
static struct err err;

static void give(const char *text, size_t len)
{
    FILE *file = freopen("/dev/null", "r", stdin);
    char path[] = "/tmp/lines_spec.XXXXXX";
    int fd = mkstemp(path);

    assert_non_null(file);
    assert_int_equal(write(fd, text, len), len);
    close(fd);
    assert_non_null(freopen(path, "r", stdin));
    unlink(path);
    input_free(&input);
    input = (struct input){0};
}

static void assert_batch(int64_t most, int64_t first, int64_t count, const char *text)
{
    assert_true(input_read(&input, most, &err));
    assert_int_equal(input.first, first);
    assert_int_equal(input.count, count);
    assert_int_equal(input.text.len, strlen(text));
    if (text[0])
        assert_string_equal(input.text.data, text);
}

static void numbers_its_batches(void **state)
{
    (void)state;
    give("a\nb\n\nd", 6);
    assert_int_equal(input_size(), 6);
    assert_batch(2, 1, 2, "a\nb\n");
    assert_int_equal(input.bytes, 4);
    assert_batch(5, 3, 2, "\nd");
    assert_batch(5, 5, 0, "");
    give("", 0);
    assert_batch(5, 1, 0, "");
}

static void starts_at_a_line(void **state)
{
    (void)state;
    give("a\nb\nc\nd\n", 8);
    assert_true(input_skip(&input, 3, &err));
    assert_batch(1, 3, 1, "c\n");
    assert_batch(9, 4, 1, "d\n");
    give("a\n", 2);
    assert_true(input_skip(&input, 9, &err));
    assert_batch(1, 9, 0, "");
}

static void keeps_a_batch_small(void **state)
{
    size_t len = 400000;
    char *text = calloc(1, 4 * len);

    (void)state;
    memset(text, 'x', 4 * len);
    for (size_t i = 1; i <= 4; i++)
        text[i * len - 1] = '\n';
    give(text, 4 * len);
    assert_true(input_read(&input, 1000, &err));
    assert_int_equal(input.count, 3);
    assert_true(input_read(&input, 1000, &err));
    assert_int_equal(input.first, 4);
    assert_int_equal(input.count, 1);
    free(text);
}

static void refuses_an_endless_line(void **state)
{
    size_t len = 10 << 20;
    char *text = calloc(1, len);

    (void)state;
    memset(text, 'x', len);
    give(text, len);
    assert_false(input_read(&input, 1000, &err));
    assert_string_equal(err.text, "line 1 is too long: 10485760 bytes");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_its_batches),
        cmocka_unit_test(starts_at_a_line),
        cmocka_unit_test(keeps_a_batch_small),
        cmocka_unit_test(refuses_an_endless_line),
    };
    int failed = cmocka_run_group_tests_name("lines", tests, NULL, NULL);

    input_free(&input);
    return failed;
}
