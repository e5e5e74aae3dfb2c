/* The spec of host/lua/rules_file.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lua/rules_file.h"

#define LONGEST (1024 * 1024)

static char folder[32];
static char path[320];

static int setup(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/source_spec.XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void write_file(const char *name, const char *bytes, size_t len)
{
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static void reads_bytes_name_and_hash(void **state)
{
    static const char bytes[] = "a\0b\xff\r\n";
    struct rules_file source;
    struct err err = {0};

    (void)state;
    write_file("rules.lua", bytes, sizeof(bytes) - 1);
    assert_true(rules_file_read(&source, path, &err));
    assert_int_equal(source.text.len, sizeof(bytes) - 1);
    assert_memory_equal(source.text.data, bytes, sizeof(bytes) - 1);
    assert_string_equal(source.name, "rules.lua");
    assert_string_equal(err.text, "");
    rules_file_free(&source);
    assert_null(source.text.data);
    assert_string_equal(source.name, "rules.lua");
}

/* What sha256sum says. */
static void the_hash_is_the_first_digits_of_sha256(void **state)
{
    static const struct {
        const char *text;
        const char *hash;
    } cases[] = {
        {"", "e3b0c44298fc"},
        {"abc", "ba7816bf8f01"},
        {"return function() return ignore(\"all\") end\n", "3b31020cb6f0"},
    };
    struct rules_file source;
    struct err err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        write_file("rules.lua", cases[i].text, strlen(cases[i].text));
        assert_true(rules_file_read(&source, path, &err));
        assert_string_equal(source.hash, cases[i].hash);
        rules_file_free(&source);
    }
}

static void an_empty_file_is_an_empty_text(void **state)
{
    struct rules_file source;
    struct err err = {0};

    (void)state;
    write_file("empty.lua", "", 0);
    assert_true(rules_file_read(&source, path, &err));
    assert_int_equal(source.text.len, 0);
    assert_string_equal(source.name, "empty.lua");
    rules_file_free(&source);
}

static void a_file_of_one_mebibyte_is_the_longest(void **state)
{
    char *bytes = calloc(1, LONGEST + 1);
    struct rules_file source;
    struct err err = {0};

    (void)state;
    write_file("rules.lua", bytes, LONGEST);
    assert_true(rules_file_read(&source, path, &err));
    assert_int_equal(source.text.len, LONGEST);
    rules_file_free(&source);

    write_file("rules.lua", bytes, LONGEST + 1);
    assert_false(rules_file_read(&source, path, &err));
    assert_non_null(strstr(err.text, path));
    assert_non_null(strstr(err.text, "longer than 1048576 bytes"));
    rules_file_free(&source);
    free(bytes);
}

static void a_missing_file_is_named_and_so_is_the_setting(void **state)
{
    struct rules_file source;
    struct err err = {0};

    (void)state;
    snprintf(path, sizeof(path), "%s/none.lua", folder);
    assert_false(rules_file_read_handler(&source, path, &err));
    assert_non_null(strstr(err.text, "handler is `none.lua`; set it to"));
    assert_non_null(strstr(err.text, path));
    assert_non_null(strstr(err.text, "No such file"));
    rules_file_free(&source);
    assert_false(rules_file_read(&source, path, &err));
    assert_null(strstr(err.text, "handler"));
    assert_non_null(strstr(err.text, path));
    rules_file_free(&source);
}

static void a_folder_is_no_script(void **state)
{
    struct rules_file source;
    struct err err = {0};

    (void)state;
    path[0] = '\0';
    assert_false(rules_file_read(&source, folder, &err));
    assert_non_null(strstr(err.text, "Is a directory"));
    rules_file_free(&source);
}

/* Custom runtimes are often set up with the handler "bootstrap". */
static void a_program_is_no_script(void **state)
{
    static const size_t lengths[] = {4, 1000, 5 * LONGEST};
    char *bytes = calloc(1, 5 * LONGEST);
    struct rules_file source;
    struct err err = {0};

    (void)state;
    memcpy(bytes, "\177ELF", 4);
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        write_file("bootstrap", bytes, lengths[i]);
        assert_false(rules_file_read_handler(&source, path, &err));
        assert_string_equal(err.text, "handler is `bootstrap`; set it to rules.lua");
        rules_file_free(&source);
        assert_false(rules_file_read(&source, path, &err));
        assert_memory_equal(err.text, path, strlen(path));
        assert_string_equal(err.text + strlen(path), " is a program, not a Lua script");
        rules_file_free(&source);
    }
    write_file("bootstrap", bytes, 3);
    assert_true(rules_file_read_handler(&source, path, &err));
    rules_file_free(&source);
    free(bytes);
}

static void a_path_without_folders_is_a_name(void **state)
{
    struct rules_file source;
    struct err err = {0};

    (void)state;
    write_file("rules.lua", "", 0);
    assert_int_equal(chdir(folder), 0);
    assert_true(rules_file_read(&source, "rules.lua", &err));
    assert_string_equal(source.name, "rules.lua");
    rules_file_free(&source);
}

static void the_longest_name_is_kept(void **state)
{
    char name[256] = {0};
    struct rules_file source;
    struct err err = {0};

    (void)state;
    memset(name, 'n', 255);
    write_file(name, "", 0);
    assert_true(rules_file_read(&source, path, &err));
    assert_string_equal(source.name, name);
    rules_file_free(&source);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(reads_bytes_name_and_hash),
        CASE(the_hash_is_the_first_digits_of_sha256),
        CASE(an_empty_file_is_an_empty_text),
        CASE(a_file_of_one_mebibyte_is_the_longest),
        CASE(a_missing_file_is_named_and_so_is_the_setting),
        CASE(a_folder_is_no_script),
        CASE(a_program_is_no_script),
        CASE(a_path_without_folders_is_a_name),
        CASE(the_longest_name_is_kept),
    };

    return cmocka_run_group_tests_name("source", tests, NULL, NULL);
}
