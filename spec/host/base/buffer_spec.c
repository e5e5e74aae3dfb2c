/* The spec of host/base/buffer.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/wipe.h"

/* Memory that runs out is tried here, so it must not end the program. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void grows_and_keeps_every_byte(void **state)
{
    struct buffer buffer = {.max = 100000};
    size_t i;

    (void)state;
    for (i = 0; i < 100000; i++)
        assert_true(buffer_append(&buffer, &(char){(char)(i % 251)}, 1));
    assert_int_equal(buffer.len, 100000);
    for (i = 0; i < 100000; i++)
        assert_int_equal(buffer.data[i], (char)(i % 251));
    assert_int_equal(buffer.data[buffer.len], 0);
    buffer_free(&buffer);
}

static void refuses_what_exceeds_the_maximum(void **state)
{
    struct buffer buffer = {.max = 5};

    (void)state;
    assert_false(buffer_append(&buffer, "123456", 6));
    assert_null(buffer.data);
    assert_true(buffer_append(&buffer, "123", 3));
    assert_false(buffer_append(&buffer, "456", 3));
    assert_int_equal(buffer.len, 3);
    assert_string_equal(buffer.data, "123");
    assert_true(buffer_append(&buffer, "45", 2));
    assert_string_equal(buffer.data, "12345");
    assert_false(buffer_append(&buffer, "6", 1));
    assert_false(buffer_append(&buffer, "6", SIZE_MAX));
    assert_string_equal(buffer.data, "12345");
    buffer_free(&buffer);
}

static void holds_nothing_at_all(void **state)
{
    struct buffer buffer = {0};

    (void)state;
    assert_true(buffer_append(&buffer, NULL, 0));
    assert_false(buffer_append(&buffer, "x", 1));
    assert_null(buffer.data);
    buffer_clear(&buffer);
    buffer_free(&buffer);
}

static void says_so_when_memory_runs_out(void **state)
{
    struct buffer buffer = {.max = SIZE_MAX};

    (void)state;
    assert_true(buffer_append(&buffer, "ab", 2));
    assert_false(buffer_append(&buffer, "x", SIZE_MAX / 2 + 1));
    assert_false(buffer_append(&buffer, "x", SIZE_MAX - 2));
    assert_string_equal(buffer.data, "ab");
    buffer_free(&buffer);
}

static void clear_keeps_the_memory_and_free_the_maximum(void **state)
{
    struct buffer buffer = {.max = 10};
    char *data;

    (void)state;
    buffer_append(&buffer, "abc", 3);
    data = buffer.data;
    buffer_clear(&buffer);
    assert_int_equal(buffer.len, 0);
    assert_ptr_equal(buffer.data, data);
    assert_string_equal(buffer.data, "");
    buffer_free(&buffer);
    assert_null(buffer.data);
    assert_int_equal(buffer.len, 0);
    assert_int_equal(buffer.capacity, 0);
    assert_int_equal(buffer.max, 10);
}

#define BAD "\xef\xbf\xbd"

static void writes_json_strings(void **state)
{
    static const struct {
        const char *text;
        size_t len;
        const char *json;
    } cases[] = {
        {"", 0, "\"\""},
        {"plain", 5, "\"plain\""},
        {"a\"b\\c/", 6, "\"a\\\"b\\\\c/\""},
        {"\n\t\x01\x1f\x7f", 5, "\"\\u000a\\u0009\\u0001\\u001f\\u007f\""},
        {"a\0b", 3, "\"a\\u0000b\""},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x95\x8a", 9,
         "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x95\x8a\""},
        {"\xff\xfe", 2, "\"" BAD BAD "\""},
        {"\x80"
         "a",
         2, "\"" BAD "a\""},
        {"\xc3", 1, "\"" BAD "\""}, /* ends too soon */
        {"\xe2\x82"
         "a",
         3, "\"" BAD BAD "a\""},                            /* another one begins */
        {"\xc0\xaf", 2, "\"" BAD BAD "\""},                 /* longer than needed */
        {"\xe0\x80\x80", 3, "\"" BAD BAD BAD "\""},         /* the same */
        {"\xed\xa0\x80", 3, "\"" BAD BAD BAD "\""},         /* a surrogate */
        {"\xf4\x90\x80\x80", 4, "\"" BAD BAD BAD BAD "\""}, /* over U+10FFFF */
        {"\xf0\x8f\xbf\xbf", 4, "\"" BAD BAD BAD BAD "\""},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buffer buffer = {.max = 1000};

        assert_true(buffer_append_json_string(&buffer, cases[i].text, cases[i].len));
        assert_string_equal(buffer.data, cases[i].json);
        buffer_free(&buffer);
    }
}

static void a_json_string_is_there_whole_or_not_at_all(void **state)
{
    struct buffer buffer = {.max = 10};

    (void)state;
    assert_true(buffer_append(&buffer, "{", 1));
    assert_false(buffer_append_json_string(&buffer, "123\n56", 6));
    assert_int_equal(buffer.len, 1);
    assert_string_equal(buffer.data, "{");
    assert_false(buffer_append_json_string(&buffer, "12345678", 8));
    assert_string_equal(buffer.data, "{");
    assert_true(buffer_append_json_string(&buffer, "1234567", 7));
    assert_string_equal(buffer.data, "{\"1234567\"");
    buffer_free(&buffer);
}

static void reads_a_whole_file(void **state)
{
    struct buffer buffer = {.max = 40001};
    struct err err = {0};
    char path[] = "/tmp/buffer_spec.XXXXXX";
    FILE *file = fdopen(mkstemp(path), "wb");
    int i;

    (void)state;
    for (i = 0; i < 40000; i++)
        fputc(i % 251, file);
    fclose(file);
    buffer_append(&buffer, ">", 1);
    assert_true(buffer_read_file(&buffer, path, &err));
    assert_int_equal(buffer.len, 40001);
    for (i = 0; i < 40000; i++)
        assert_int_equal((unsigned char)buffer.data[i + 1], i % 251);
    buffer_clear(&buffer);
    buffer_append(&buffer, "two", 3);
    assert_false(buffer_read_file(&buffer, path, &err));
    assert_non_null(strstr(err.text, path));
    assert_non_null(strstr(err.text, "longer than 40001 bytes"));
    unlink(path);
    assert_false(buffer_read_file(&buffer, path, &err));
    assert_non_null(strstr(err.text, "No such file"));
    assert_false(buffer_read_file(&buffer, "/", &err));
    assert_non_null(strstr(err.text, "/: Is a directory"));
    buffer_free(&buffer);
}

/* Linked instead of wipe.c's: what they are given must be wiped already. */
static int wiped;

void wipe_free(void *memory)
{
    wiped += memory != NULL;
    free(memory);
}

void *wipe_realloc(void *memory, size_t size)
{
    wiped += memory != NULL;
    return realloc(memory, size);
}

static void a_secret_leaves_nothing_behind(void **state)
{
    struct buffer buffer = {.max = 1000, .secret = true};
    size_t i;

    (void)state;
    assert_true(buffer_append_text(&buffer, "sesame"));
    buffer_clear(&buffer);
    for (i = 0; i < sizeof("sesame"); i++)
        assert_int_equal(buffer.data[i], 0);
    wiped = 0;
    for (i = 0; i < 1000; i++) /* grows, and so moves, two times */
        assert_true(buffer_append(&buffer, "s", 1));
    assert_int_equal(wiped, 2);
    buffer_free(&buffer);
    assert_int_equal(wiped, 3);
    assert_true(buffer.secret);
    buffer = (struct buffer){.max = 1000};
    assert_true(buffer_append_text(&buffer, "open"));
    buffer_free(&buffer);
    assert_int_equal(wiped, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_and_keeps_every_byte),
        cmocka_unit_test(refuses_what_exceeds_the_maximum),
        cmocka_unit_test(holds_nothing_at_all),
        cmocka_unit_test(says_so_when_memory_runs_out),
        cmocka_unit_test(clear_keeps_the_memory_and_free_the_maximum),
        cmocka_unit_test(writes_json_strings),
        cmocka_unit_test(a_json_string_is_there_whole_or_not_at_all),
        cmocka_unit_test(reads_a_whole_file),
        cmocka_unit_test(a_secret_leaves_nothing_behind),
    };

    return cmocka_run_group_tests_name("buffer", tests, NULL, NULL);
}
