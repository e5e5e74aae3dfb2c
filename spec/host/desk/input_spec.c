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

#define MEGABYTE ((size_t)1 << 20)

static struct input input;
static struct err err;

static void give(const char *text, size_t len)
{
    char path[] = "/tmp/lines_spec.XXXXXX";
    int fd = mkstemp(path);

    assert_int_equal(write(fd, text, len), len);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_int_equal(dup2(fd, STDIN_FILENO), STDIN_FILENO);
    close(fd);
    unlink(path);
    input_free(&input);
    input = (struct input){0};
    err = (struct err){0};
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

/* The whole input in one batch. */
static void assert_text(const char *given, int64_t count, const char *text)
{
    give(given, strlen(given));
    assert_batch(1000, 1, count, text);
}

static void numbers_its_batches(void **state)
{
    (void)state;
    give("a\nb\n\nd", 6);
    assert_int_equal(input_size(), 6);
    assert_batch(2, 1, 2, "a\nb\n");
    assert_batch(5, 3, 2, "\nd\n");
    assert_int_equal(input.bytes, 6);
    assert_batch(5, 5, 0, "");
    give("", 0);
    assert_batch(5, 1, 0, "");
}

static void takes_the_line_ends_of_every_system(void **state)
{
    (void)state;
    assert_text("a\r\nb\r\n", 2, "a\nb\n");
    assert_text("a\rb\rc", 3, "a\nb\nc\n");
    assert_text("a\r\r\nb\n", 3, "a\n\nb\n");
    assert_text("\xef\xbb\xbf"
                "a\r\n",
                1,
                "\xef\xbb\xbf"
                "a\n");
}

static void sees_a_line_end_that_two_blocks_share(void **state)
{
    char text[INPUT_BLOCK + 8];

    (void)state;
    memset(text, 'x', sizeof(text));
    text[INPUT_BLOCK - 1] = '\r';
    text[INPUT_BLOCK] = '\n';
    give(text, sizeof(text));
    assert_true(input_read(&input, 1000, &err));
    assert_int_equal(input.count, 2);
    assert_int_equal(input.text.len, sizeof(text));
    assert_int_equal(input.text.data[INPUT_BLOCK - 1], '\n');
    assert_int_equal(input.text.data[INPUT_BLOCK], 'x');
}

static void joins_a_document_to_one_line(void **state)
{
    (void)state;
    assert_text("{\n \"a\": [\n  1\n ]\n}\nb\n", 6, "{\r \"a\": [\r  1\r ]\r}\nb\n");
    assert_text("\xef\xbb\xbf[\r\n1]\r\nb", 3, "\xef\xbb\xbf[\r1]\nb\n");
    assert_text("  {\n}\n{\n}\n", 4, "  {\r}\n{\r}\n");
    /* brackets in strings do not count */
    assert_text("[\n\"]\\\"]\",\n\"{\"]\nb\n", 4, "[\r\"]\\\"]\",\r\"{\"]\nb\n");
    assert_text("[1, \n2]\nb\n", 3, "[1, \r2]\nb\n");
}

static void leaves_a_line_that_was_cut_alone(void **state)
{
    (void)state;
    assert_text("{\"a\": \"x\n{\"b\":1}\n", 2, "{\"a\": \"x\n{\"b\":1}\n");
    assert_text("{\"a\": 1\n{\"b\":1}\n", 2, "{\"a\": 1\n{\"b\":1}\n");
    assert_text("{\"a\": \"x,\n{\"b\":1}\n", 2, "{\"a\": \"x,\n{\"b\":1}\n");
    assert_text("{\"a\":1}\nb\n", 2, "{\"a\":1}\nb\n");
    assert_text("]{\n}\n", 2, "]{\n}\n");
    assert_text("[\n1,\n", 2, "[\r1,\n"); /* the input ends in it */
}

static void a_document_is_in_one_batch(void **state)
{
    (void)state;
    give("a\n[\n1\n]\nb\n", 10);
    assert_batch(2, 1, 4, "a\n[\r1\r]\n");
    assert_batch(2, 5, 1, "b\n");
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

/* `len` bytes: a first line, and lines of 64 bytes. */
static void give_long(const char *first, size_t len)
{
    char *text = malloc(len);

    assert_non_null(text);
    memset(text, '1', len);
    for (size_t i = 63; i < len; i += 64)
        text[i] = '\n';
    memcpy(text, first, strlen(first));
    give(text, len);
    free(text);
}

static void takes_documents_of_64_megabytes(void **state)
{
    (void)state;
    give_long("[\n", 63 * MEGABYTE);
    assert_true(input_read(&input, 1000, &err));
    assert_int_equal(input.text.len, 63 * MEGABYTE);
    assert_true(input_read(&input, 1000, &err));
    assert_int_equal(input.count, 0);
}

static void refuses_a_bigger_document_with_the_line_for_jq(void **state)
{
    (void)state;
    give_long("a\n[\n", 65 * MEGABYTE);
    assert_false(input_read(&input, 1000, &err));
    assert_string_equal(
        err.text, "line 2 begins a JSON document of more than 64 MB; make lines of it: "
                  "jq -cr '(.Contents? // .)[] | .Key? // .' FILE");
    give_long("[1,\n", 65 * MEGABYTE);
    assert_false(input_read(&input, 1000, &err));
    assert_non_null(strstr(err.text, "jq -cr"));
}

static void refuses_an_endless_line(void **state)
{
    char *text = malloc(65 * MEGABYTE);

    (void)state;
    assert_non_null(text);
    memset(text, 'x', 65 * MEGABYTE);
    memcpy(text, "a\n", 2);
    give(text, 65 * MEGABYTE);
    free(text);
    assert_false(input_read(&input, 1000, &err));
    assert_string_equal(err.text,
                        "line 2 is longer than 64 MB; a list has an object a line");
}

static void says_what_cannot_be_read(void **state)
{
    (void)state;
    give("", 0);
    close(STDIN_FILENO);
    assert_false(input_read(&input, 1000, &err));
    assert_string_equal(err.text, "stdin: Bad file descriptor");
    give("a", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_its_batches),
        cmocka_unit_test(takes_the_line_ends_of_every_system),
        cmocka_unit_test(sees_a_line_end_that_two_blocks_share),
        cmocka_unit_test(joins_a_document_to_one_line),
        cmocka_unit_test(leaves_a_line_that_was_cut_alone),
        cmocka_unit_test(a_document_is_in_one_batch),
        cmocka_unit_test(keeps_a_batch_small),
        cmocka_unit_test(takes_documents_of_64_megabytes),
        cmocka_unit_test(refuses_a_bigger_document_with_the_line_for_jq),
        cmocka_unit_test(refuses_an_endless_line),
        cmocka_unit_test(says_what_cannot_be_read),
    };
    int failed = cmocka_run_group_tests_name("lines", tests, NULL, NULL);

    input_free(&input);
    return failed;
}
