/* The spec of host/outbox.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "outbox.h"

static struct bytes bytes_of(const char *text)
{
    return (struct bytes){.data = text, .len = strlen(text)};
}

static void keeps_copies(void **state)
{
    struct outbox outbox = {0};
    char key[] = "normal";
    char body[] = "a\0b";
    struct message *message;

    (void)state;
    assert_true(outbox_add(&outbox, (struct bytes){0}, bytes_of(key), bytes_of("id"),
                           (struct bytes){.data = body, .len = 3}));
    memset(key, 'x', sizeof(key) - 1);
    memset(body, 'x', sizeof(body) - 1);
    assert_int_equal(outbox.count, 1);
    message = &outbox.messages[0];
    assert_int_equal(message->exchange.len, 0);
    assert_string_equal(message->exchange.data, "");
    assert_int_equal(message->routing_key.len, 6);
    assert_string_equal(message->routing_key.data, "normal");
    assert_string_equal(message->message_id.data, "id");
    assert_int_equal(message->body.len, 3);
    assert_memory_equal(message->body.data, "a\0b", 4);
    assert_int_equal(message->fate, FATE_NONE);
    assert_int_equal(message->code, 0);
    assert_null(message->stage);
    assert_null(message->text);
    outbox_clear(&outbox);
}

static void grows_in_order(void **state)
{
    struct outbox outbox = {0};
    uint32_t i;

    (void)state;
    for (i = 0; i < 1000; i++)
        assert_true(outbox_add(&outbox, bytes_of("x"), bytes_of("q"), bytes_of("id"),
                               (struct bytes){.data = (char *)&i, .len = sizeof(i)}));
    assert_int_equal(outbox.count, 1000);
    for (i = 0; i < 1000; i++)
        assert_memory_equal(outbox.messages[i].body.data, &i, sizeof(i));
    outbox_clear(&outbox);
}

static bool out_of_memory;

/* libc's, which the outbox grows by. */
void *reallocarray(void *block, size_t count, size_t size)
{
    return out_of_memory ? NULL : realloc(block, count * size);
}

static void what_has_no_memory_is_not_added(void **state)
{
    struct outbox outbox = {0};
    struct bytes huge = {.data = "", .len = SIZE_MAX / 2}, id = bytes_of("id");

    (void)state;
    assert_false(outbox_add(&outbox, bytes_of(""), bytes_of("q"), id, huge));
    for (int i = 0; i < 4; i++)
        assert_true(outbox_add(&outbox, bytes_of(""), bytes_of("q"), id, id));
    out_of_memory = true;
    assert_false(outbox_add(&outbox, bytes_of(""), bytes_of("q"), id, id));
    out_of_memory = false;
    assert_int_equal(outbox.count, 4);
    outbox_clear(&outbox);
}

static void a_fate_brings_its_words(void **state)
{
    struct outbox outbox = {0};
    struct message *message;
    char text[] = "NO_ROUTE";

    (void)state;
    outbox_add(&outbox, bytes_of(""), bytes_of("q"), bytes_of("id"), bytes_of("id"));
    message = &outbox.messages[0];
    outbox_settle(message, FATE_RETURNED, "return", 312, text);
    text[0] = 'x';
    assert_int_equal(message->fate, FATE_RETURNED);
    assert_string_equal(message->stage, "return");
    assert_int_equal(message->code, 312);
    assert_string_equal(message->text, "NO_ROUTE");
    message->lasting = true;
    outbox_settle(message, FATE_UNKNOWN, "confirm", 0, message->text);
    assert_string_equal(message->text, "NO_ROUTE");
    assert_false(message->lasting);
    outbox_settle(message, FATE_CONFIRMED, NULL, 0, NULL);
    assert_int_equal(message->fate, FATE_CONFIRMED);
    assert_null(message->stage);
    assert_null(message->text);
    outbox_clear(&outbox);
}

static void fates_have_names(void **state)
{
    (void)state;
    assert_string_equal(fate_name(FATE_NONE), "none");
    assert_string_equal(fate_name(FATE_CONFIRMED), "confirmed");
    assert_string_equal(fate_name(FATE_RETURNED), "returned");
    assert_string_equal(fate_name(FATE_NACKED), "nacked");
    assert_string_equal(fate_name(FATE_UNKNOWN), "unknown");
}

/* The leak sanitizer reports what a truncation forgets. */
static void truncates_and_clears(void **state)
{
    struct outbox outbox = {0};
    int i;

    (void)state;
    for (i = 0; i < 5; i++)
        outbox_add(&outbox, bytes_of(""), bytes_of("q"), bytes_of("id"),
                   bytes_of(i < 2 ? "kept" : "dropped"));
    outbox_settle(&outbox.messages[4], FATE_NACKED, "confirm", 0, "no");
    outbox_truncate(&outbox, 9);
    assert_int_equal(outbox.count, 5);
    outbox_truncate(&outbox, 2);
    assert_int_equal(outbox.count, 2);
    assert_string_equal(outbox.messages[1].body.data, "kept");
    outbox_add(&outbox, bytes_of(""), bytes_of("q"), bytes_of("id"), bytes_of("new"));
    assert_string_equal(outbox.messages[2].body.data, "new");
    assert_int_equal(outbox.messages[2].fate, FATE_NONE);
    outbox_clear(&outbox);
    assert_int_equal(outbox.count, 0);
    assert_null(outbox.messages);
    outbox_clear(&outbox);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_copies),
        cmocka_unit_test(grows_in_order),
        cmocka_unit_test(what_has_no_memory_is_not_added),
        cmocka_unit_test(a_fate_brings_its_words),
        cmocka_unit_test(fates_have_names),
        cmocka_unit_test(truncates_and_clears),
    };

    return cmocka_run_group_tests_name("outbox", tests, NULL, NULL);
}
