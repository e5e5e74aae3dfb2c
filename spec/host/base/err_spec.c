/* The spec of host/base/err.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/err.h"

static void sets_words_and_returns_false(void **state)
{
    struct err err = {0};

    (void)state;
    assert_false(err_set(&err, "port %d is %s", 5672, "closed"));
    assert_string_equal(err.text, "port 5672 is closed");
}

static void leaves_the_type_to_the_caller(void **state)
{
    struct err err = {.type = "KeyError"};

    (void)state;
    err_set(&err, "missing");
    err_wrap(&err, "init");
    assert_string_equal(err.type, "KeyError");
}

static void wraps_with_the_new_words_first(void **state)
{
    struct err err = {0};

    (void)state;
    err_set(&err, "refused");
    assert_false(err_wrap(&err, "connect to %s", "b:5672"));
    assert_false(err_wrap(&err, "init"));
    assert_string_equal(err.text, "init: connect to b:5672: refused");
}

static void adds_words_at_the_end(void **state)
{
    struct err err = {0};

    (void)state;
    err_set(&err, "refused");
    err_add(&err, "; start %s", "it");
    assert_string_equal(err.text, "refused; start it");
}

static void cuts_what_is_too_long(void **state)
{
    struct err err = {0};
    char many[4000];

    (void)state;
    memset(many, 'x', sizeof(many) - 1);
    many[sizeof(many) - 1] = '\0';
    err_set(&err, "%s", many);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    err_wrap(&err, "first");
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    assert_memory_equal(err.text, "first: xxx", 10);
    err_wrap(&err, "%s", many);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    err_add(&err, "%s", many);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_words_and_returns_false),
        cmocka_unit_test(leaves_the_type_to_the_caller),
        cmocka_unit_test(wraps_with_the_new_words_first),
        cmocka_unit_test(adds_words_at_the_end),
        cmocka_unit_test(cuts_what_is_too_long),
    };

    return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
