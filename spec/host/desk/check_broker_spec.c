/* The spec of host/desk/check_broker.c. Broker and delivery are fakes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "desk/check_broker.h"

static bool connects;
static size_t asked;

bool delivery_connect(struct delivery *delivery, const struct deadline *deadline,
                      struct err *failure)
{
    (void)delivery;
    assert_true(deadline_left_ms(deadline) > 0);
    return connects ||
           err_set_at(failure, CAUSE_CONNECT_REFUSED, "connect", 0, "Connection refused");
}

/* The queue's name selects the broker's answer. */
bool broker_ask(struct broker *broker, const char *queue, const struct deadline *deadline,
                struct err *failure)
{
    (void)broker;
    (void)deadline;
    asked++;
    if (strcmp(queue, "missing") == 0)
        return err_set_at(failure, CAUSE_NO_QUEUE, "ask", 404, "NOT_FOUND");
    if (strcmp(queue, "secret") == 0)
        return err_set_at(failure, CAUSE_NO_WRITE, "ask", 403, "ACCESS_REFUSED");
    return true;
}

static struct buffer found;
static struct err err;

static int setup(void **state)
{
    (void)state;
    found = (struct buffer){.max = 65536};
    err = (struct err){0};
    connects = true;
    asked = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buffer_free(&found);
    return 0;
}

/* The next word of what was found. */
static const char *next(const char **at)
{
    const char *word = *at;

    assert_true(word < found.data + found.len);
    *at += strlen(word) + 1;
    return word;
}

static void assert_next(const char **at, const char *word, const char *queue,
                        const char *start_of_what)
{
    assert_string_equal(next(at), word);
    assert_string_equal(next(at), queue);
    assert_ptr_equal(strstr(*at, start_of_what), *at);
    next(at);
}

static void says_of_each_queue_what_the_broker_said(void **state)
{
    struct delivery delivery = {0};
    const char *at;

    (void)state;
    assert_true(
        check_broker_queues(&delivery, "there,missing,secret,there", &found, &err));
    assert_int_equal(asked, 4);
    at = found.data;
    assert_next(&at, "ok", "there", "there");
    assert_next(&at, "fault", "missing", "ask: 404 NOT_FOUND; next: declare the queue");
    assert_next(&at, "ok", "secret", "may not ask");
    assert_next(&at, "ok", "there", "there");
    assert_ptr_equal(at, found.data + found.len);
}

static void what_cannot_be_connected_is_not_asked(void **state)
{
    struct delivery delivery = {0};
    const char *at;

    (void)state;
    connects = false;
    assert_true(check_broker_queues(&delivery, "there", &found, &err));
    assert_int_equal(asked, 0);
    at = found.data;
    assert_next(&at, "fault", "there", "connect: Connection refused; next: ");
}

static void no_memory_is_an_error(void **state)
{
    struct delivery delivery = {0};

    (void)state;
    found.max = 10;
    assert_false(check_broker_queues(&delivery, "there", &found, &err));
    assert_string_equal(err.text, "out of memory");
}

static struct config whole(void)
{
    return (struct config){.host = "h",
                           .port_text = "5672",
                           .virtual_host = "/",
                           .user = "u",
                           .password = "p",
                           .queue = "q",
                           .aws_region = "r"};
}

static void variables_are_right_all_or_none(void **state)
{
    struct config config = {.queue = "q"};

    (void)state;
    assert_true(check_broker_settings(&config, false, &err));
    assert_false(check_broker_settings(&config, true, &err));
    assert_non_null(strstr(err.text, "PIGEON_HOST"));
    config.aws_region = "r";
    assert_false(check_broker_settings(&config, false, &err));
    config = whole();
    assert_true(check_broker_settings(&config, true, &err));
    config.host = "h:x";
    assert_false(check_broker_settings(&config, false, &err));
    assert_memory_equal(err.text, "PIGEON_HOST", 11);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(says_of_each_queue_what_the_broker_said),
        CASE(what_cannot_be_connected_is_not_asked),
        CASE(no_memory_is_an_error),
        CASE(variables_are_right_all_or_none),
    };

    return cmocka_run_group_tests_name("setup", tests, NULL, NULL);
}
