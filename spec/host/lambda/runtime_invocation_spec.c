/* The spec of Lambda-Runtime-Invocation-Id in host/lambda/runtime.c: the id of one try of
 * an invocation, which goes back with what is its answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "asserts.h"
#include "runtime_case.h"

#define INVOCATION "Lambda-Runtime-Invocation-Id: "
#define EVENT_OF(id)                                                         \
    {                                                                        \
        .head = OK(ID "lambda-runtime-invocation-id: " id "\r\n", "2", "{}") \
    }

static void take(struct runtime *runtime)
{
    struct runtime_event event = {0};
    struct err err = {0};

    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
}

static void it_goes_back_with_an_answer_and_with_an_error(void **state)
{
    static const struct step steps[] = {
        EVENT_OF("try-1"), ACCEPTED, EVENT_OF("try-2"), ACCEPTED, EVENT, ACCEPTED, {0}};
    struct runtime *runtime = play_api(steps);
    struct err err = {0};

    (void)state;
    take(runtime);
    assert_true(respond(runtime, "null", 4, &err));
    assert_has(seen->request[1].head, "\r\n" INVOCATION "try-1\r\n");
    take(runtime);
    assert_true(respond_failed(runtime, "Function.Down", "{}", 2, &err));
    assert_has(seen->request[3].head, "/error HTTP/1.1\r\n");
    assert_has(seen->request[3].head,
               "\r\nLambda-Runtime-Function-Error-Type: Function.Down\r\n" INVOCATION
               "try-2\r\n");
    take(runtime);
    assert_true(respond(runtime, "null", 4, &err)); /* it came with none */
    assert_null(strstr(seen->request[5].head, INVOCATION));
    assert_string_equal(logged(), "");
    runtime_close(runtime);
}

static void it_goes_back_when_an_answer_is_sent_again(void **state)
{
    static const struct step steps[] = {EVENT_OF("try-1"), BREAK, ACCEPTED, {0}};
    struct runtime *runtime = play_api(steps);
    struct err err = {0};

    (void)state;
    take(runtime);
    assert_true(respond(runtime, "null", 4, &err));
    assert_has(seen->request[1].head, "\r\n" INVOCATION "try-1\r\n");
    assert_has(seen->request[2].head, "\r\n" INVOCATION "try-1\r\n");
    runtime_close(runtime);
}

static void it_may_be_long(void **state)
{
    static char event[1200] = "HTTP/1.1 200 OK\r\n" ID "Content-Length: 0\r\n" INVOCATION;
    const struct step steps[] = {{.head = event}, ACCEPTED, {0}};
    struct runtime *runtime;
    struct err err = {0};
    char id[701] = "";

    (void)state;
    memset(id, 'i', 700);
    strcat(strcat(event, id), "\r\n\r\n");
    runtime = play_api(steps);
    take(runtime);
    assert_true(respond(runtime, "null", 4, &err));
    assert_has(seen->request[1].head, id);
    runtime_close(runtime);
}

static void
an_answer_to_a_try_that_is_over_is_logged_and_the_next_event_comes(void **state)
{
    static const struct step steps[] = {
        EVENT_OF("try-1"),
        {.head = "HTTP/1.1 410 Gone\r\nContent-Length: 29\r\n\r\n"
                 "{\"errorType\":\"InvokeTimeout\"}"},
        EVENT_OF("try-2"),
        {0},
    };
    struct runtime *runtime = play_api(steps);
    struct err err = {0};

    (void)state;
    take(runtime);
    assert_true(respond(runtime, "null", 4, &err));
    assert_has(logged(), "the answer came too late, or twice");
    take(runtime);
    runtime_close(runtime);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(it_goes_back_with_an_answer_and_with_an_error),
        CASE(it_goes_back_when_an_answer_is_sent_again),
        CASE(it_may_be_long),
        CASE(an_answer_to_a_try_that_is_over_is_logged_and_the_next_event_comes),
    };

    return cmocka_run_group_tests_name("runtime invocation", tests, NULL, NULL);
}
