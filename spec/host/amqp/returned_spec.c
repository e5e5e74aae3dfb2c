/* The spec of host/amqp/returned.c: the order of the frames, and what is kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "amqp/returned.h"

static struct bytes bytes_of(const char *text)
{
    return (struct bytes){.data = text, .len = strlen(text)};
}

static bool method(struct returned *returned)
{
    return returned_method(returned, 312, bytes_of("NO_ROUTE"), bytes_of("x"),
                           bytes_of("q"));
}

static void is_whole_after_its_body(void **state)
{
    struct returned returned = {0};

    (void)state;
    assert_false(returned_open(&returned));
    assert_true(method(&returned));
    assert_true(returned_open(&returned));
    assert_true(returned_header(&returned, bytes_of("id"), 36));
    assert_true(returned_open(&returned));
    assert_true(returned_body(&returned, 35));
    assert_true(returned_body(&returned, 0));
    assert_true(returned_open(&returned));
    assert_true(returned_body(&returned, 1));
    assert_false(returned_open(&returned));
    assert_int_equal(returned.state, RETURNED_WHOLE);
    assert_int_equal(returned.code, 312);
    assert_string_equal(returned.text.data, "NO_ROUTE");
    assert_string_equal(returned.exchange.data, "x");
    assert_string_equal(returned.routing_key.data, "q");
    assert_string_equal(returned.message_id.data, "id");
    assert_int_equal(returned.message_id.len, 2);
}

static void an_empty_body_has_no_frame(void **state)
{
    struct returned returned = {0};

    (void)state;
    assert_true(method(&returned));
    assert_true(returned_header(&returned, (struct bytes){0}, 0));
    assert_int_equal(returned.state, RETURNED_WHOLE);
    assert_int_equal(returned.message_id.len, 0);
    assert_false(returned_body(&returned, 0));
}

static void a_body_of_one_byte_has_a_frame(void **state)
{
    struct returned returned = {0};

    (void)state;
    assert_true(method(&returned));
    assert_true(returned_header(&returned, bytes_of("id"), 1));
    assert_true(returned_open(&returned));
    assert_true(returned_body(&returned, 1));
    assert_int_equal(returned.state, RETURNED_WHOLE);
}

static void the_next_one_begins_anew(void **state)
{
    struct returned returned = {0};

    (void)state;
    assert_true(method(&returned));
    assert_true(returned_header(&returned, bytes_of("id"), 0));
    assert_true(returned_method(&returned, 313, bytes_of("NO_CONSUMERS"), bytes_of(""),
                                bytes_of("p")));
    assert_int_equal(returned.state, RETURNED_METHOD);
    assert_int_equal(returned.code, 313);
    assert_int_equal(returned.exchange.len, 0);
    assert_int_equal(returned.message_id.len, 0);
    assert_true(returned_header(&returned, bytes_of("i"), 0));
    assert_true(
        returned_method(&returned, 312, bytes_of("NO"), bytes_of("x"), bytes_of("q")));
    assert_string_equal(returned.text.data, "NO");
    assert_string_equal(returned.message_id.data, "");
}

static void frames_out_of_order_are_refused(void **state)
{
    struct returned returned = {0};

    (void)state;
    assert_false(returned_header(&returned, bytes_of("id"), 1));
    assert_false(returned_body(&returned, 1));
    assert_true(method(&returned));
    assert_false(method(&returned));
    assert_false(returned_body(&returned, 1));
    assert_true(returned_header(&returned, bytes_of("id"), 2));
    assert_false(returned_header(&returned, bytes_of("id"), 2));
    assert_false(method(&returned));
    assert_false(returned_body(&returned, 3));
    assert_true(returned_body(&returned, 2));
    assert_false(returned_body(&returned, 1));
}

static void names_have_255_bytes_at_most(void **state)
{
    struct returned returned = {0};
    char long_name[257];
    struct bytes fits = {long_name, 255};
    struct bytes too_long = {long_name, 256};

    (void)state;
    memset(long_name, 'n', sizeof(long_name));
    assert_true(returned_method(&returned, 312, fits, fits, fits));
    assert_true(returned_header(&returned, fits, 0));
    assert_int_equal(returned.message_id.len, 255);
    assert_int_equal(strlen(returned.message_id.data), 255);
    assert_false(returned_method(&returned, 312, too_long, fits, fits));
    returned = (struct returned){0};
    assert_false(returned_method(&returned, 312, fits, too_long, fits));
    returned = (struct returned){0};
    assert_false(returned_method(&returned, 312, fits, fits, too_long));
    returned = (struct returned){0};
    assert_true(method(&returned));
    assert_false(returned_header(&returned, too_long, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_whole_after_its_body),
        cmocka_unit_test(an_empty_body_has_no_frame),
        cmocka_unit_test(a_body_of_one_byte_has_a_frame),
        cmocka_unit_test(the_next_one_begins_anew),
        cmocka_unit_test(frames_out_of_order_are_refused),
        cmocka_unit_test(names_have_255_bytes_at_most),
    };

    return cmocka_run_group_tests_name("returned", tests, NULL, NULL);
}
