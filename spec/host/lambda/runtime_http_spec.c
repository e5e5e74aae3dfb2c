/* The spec of what host/lambda/http.c does for host/lambda/runtime.c: the length of a
 * response, when a connection is kept, and what follows when one ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "asserts.h"
#include "runtime_case.h"

/* -------------------------------------------------------- the length of an answer */

/* 6 MiB and 100 bytes: the most that Lambda gives. */
static void the_biggest_payload_is_taken(void **state)
{
    static const struct step steps[] = {
        {.head = OK(ID, "6291556", ""), .fill = 6291556},
        {.head = "HTTP/1.1 200 OK\r\n" ID "Transfer-Encoding: chunked\r\n\r\n"
                 "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"},
        {0},
    };
    struct runtime *runtime = play_api(steps);
    struct runtime_event event = {0};
    struct err err = {0};
    size_t i;

    (void)state;
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    assert_int_equal(event.payload_len, 6291556);
    for (i = 0; i < event.payload_len; i++)
        if (event.payload[i] != filling(i))
            fail_msg("byte %zu is wrong", i);
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    assert_int_equal(event.payload_len, 6);
    assert_string_equal(event.payload, "hello!");
    runtime_close(runtime);
}

static void a_payload_without_end_is_the_end(void **state)
{
    static const struct step steps[] = {
        {.head = OK(ID, "20000000", ""), .fill = 20000000, .close = true},
        {.head = OK(ID, "20000000", ""), .fill = 20000000, .close = true},
        {.head = OK(ID, "20000000", ""), .fill = 20000000, .close = true},
        {0},
    };
    struct runtime *runtime = play_api(steps);
    struct runtime_event event = {0};
    struct err err = {0};

    (void)state;
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_GONE);
    assert_int_equal(seen->requests, 3);
    runtime_close(runtime);
}

static void half_an_answer_is_no_event(void **state)
{
    static const char *const halves[] = {
        OK(ID, "100", "{\"Records\":[]}"),
        "HTTP/1.1 200 OK\r\n" ID "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\n" ID "\r\n{\"Records\":[]}",
        "HTTP/1.1 200 OK\r\n" ID,
        "HTT",
        "220 mail.example.com ESMTP\r\n\r\n",
        OK(ID, "5", "hello") "and more",
    };
    struct step steps[] = {{.close = true}, EVENT, {0}};
    struct runtime_event event = {0};
    struct runtime *runtime;
    struct err err = {0};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(halves) / sizeof(halves[0]); i++) {
        steps[0].head = halves[i];
        runtime = play_api(steps);
        assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
        assert_int_equal(event.payload_len, 2);
        assert_string_equal(event.payload, "{}");
        assert_int_equal(seen->requests, 2);
        runtime_close(runtime);
    }
    assert_has(logged(), "try 1 of 3");
    assert_has_not(logged(), "try 2 of 3");
}

/* The server does not hang up. */
static void an_answer_without_a_length_is_not_waited_for(void **state)
{
    static const struct step steps[] = {
        {.head = "HTTP/1.1 200 OK\r\n" ID "\r\n{}"}, EVENT, {0}};
    struct runtime *runtime = play_api(steps);
    struct runtime_event event = {0};
    struct err err = {0};

    (void)state;
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    assert_int_equal(seen->requests, 2);
    assert_has(logged(), "a response without its length");
    runtime_close(runtime);
}

/* The head of a request has no room for its path. */
static void an_id_of_65_kilobytes_cannot_be_answered(void **state)
{
    static char head[66000];
    struct step steps[] = {{.head = head}, {0}};
    struct runtime_event event = {0};
    struct runtime *runtime;
    struct err err = {0};

    (void)state;
    snprintf(head, sizeof(head),
             OK("Lambda-Runtime-Aws-Request-Id: %065450d\r\n", "2", "{}"), 7);
    runtime = play_api(steps);
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    assert_int_equal(strlen(event.request_id), 65450);
    assert_false(respond(runtime, "null", 4, &err));
    assert_has(err.text, "the request is too long");
    assert_int_equal(seen->requests, 1);
    runtime_close(runtime);
}

static void an_answer_to_come_is_waited_for(void **state)
{
    static const struct step steps[] = {
        {.head = "HTTP/1.1 100 Continue\r\nX: 1\r\n\r\n" OK(ID, "2", "{}")},
        {0},
    };
    struct runtime *runtime = play_api(steps);
    struct runtime_event event = {0};
    struct err err = {0};

    (void)state;
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    assert_string_equal(event.payload, "{}");
    assert_int_equal(seen->requests, 1);
    runtime_close(runtime);
}

/* ------------------------------------------------------- what is sent and replied */

static void answers_may_be_empty_or_big(void **state)
{
    static const struct step steps[] = {EVENT, ACCEPTED, EVENT, ACCEPTED, {0}};
    static char big[1500000];
    struct runtime *runtime = play_api(steps);
    struct runtime_event event = {0};
    struct err err = {0};

    (void)state;
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    assert_true(respond(runtime, NULL, 0, &err));
    assert_has(seen->request[1].head, "\r\nContent-Length: 0\r\n");
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    memset(big, 'x', sizeof(big));
    assert_true(respond(runtime, big, sizeof(big), &err));
    assert_int_equal(seen->request[3].body_len, sizeof(big));
    assert_has_not(seen->request[3].head, "Expect:");
    assert_int_equal(seen->connections, 1);
    runtime_close(runtime);
}

static void a_long_reply_is_cut_and_the_connection_kept(void **state)
{
    static const struct step steps[] = {
        EVENT,
        {.head = "HTTP/1.1 400 Bad\r\nContent-Length: 100000\r\n\r\n", .fill = 100000},
        EVENT,
        {0},
    };
    struct runtime *runtime = play_api(steps);
    struct runtime_event event = {0};
    struct err err = {0};

    (void)state;
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    assert_true(respond(runtime, "{}", 2, &err));
    assert_has(logged(), "status 400: abcdefghijklmnopqrstuvwabc");
    assert_true(strlen(logged()) < 600);
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    assert_int_equal(seen->connections, 1);
    runtime_close(runtime);
}

/* More than the connection takes while nobody reads. */
static void an_answer_may_be_refused_before_it_was_read(void **state)
{
    static const struct step steps[] = {
        EVENT,
        {.head = "HTTP/1.1 413 Big\r\nContent-Length: 3\r\n\r\nbig", .hasty = true},
        EVENT,
        {0},
    };
    struct runtime *runtime = play_api(steps);
    struct runtime_event event = {0};
    size_t len = 64 * 1024 * 1024;
    char *body = calloc(1, len);
    struct err err = {0};

    (void)state;
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    assert_true(respond(runtime, body, len, &err));
    assert_has(logged(), "too big: http://127.0.0.1:");
    assert_has(logged(), "/response: status 413: big");
    free(body);
    runtime_close(runtime);
}

/* ----------------------------------------------------------------- the connection */

static void one_connection_serves_every_call(void **state)
{
    static const struct step steps[] = {
        {.head = OK("Lambda-Runtime-Aws-Request-Id: first\r\n", "2", "{}")},
        ACCEPTED,
        {.head = OK("Lambda-Runtime-Aws-Request-Id: second\r\n", "2", "[]")},
        ACCEPTED,
        EVENT,
        {0},
    };
    const char *error = "{\"errorType\":\"x\"}";
    struct runtime *runtime = play_api(steps);
    struct runtime_event event = {0};
    struct err err = {0};

    (void)state;
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    assert_true(respond(runtime, "{\"n\":1}", 7, &err));
    assert_string_equal(event.payload, "{}"); /* still there */
    assert_string_equal(event.request_id, "first");
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    assert_true(respond_failed(runtime, "Function.BrokerUnavailable", error,
                               strlen(error), &err));
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    assert_string_equal(event.request_id, "1f3c-22");

    assert_int_equal(seen->connections, 1);
    assert_has(seen->request[1].head,
               "POST /2018-06-01/runtime/invocation/first/response HTTP/1.1\r\n");
    assert_has(seen->request[1].head, "\r\nContent-Type: application/json\r\n");
    assert_has(seen->request[1].head, "\r\nUser-Agent: pigeon/" PIGEON_VERSION "\r\n");
    assert_has_not(seen->request[1].head, "Error-Type");
    assert_string_equal(seen->request[1].body, "{\"n\":1}");
    assert_has(seen->request[3].head,
               "POST /2018-06-01/runtime/invocation/second/error HTTP/1.1\r\n");
    assert_has(seen->request[3].head,
               "\r\nLambda-Runtime-Function-Error-Type: Function.BrokerUnavailable\r\n");
    assert_has(seen->request[3].head, "\r\nContent-Type: application/json\r\n");
    assert_string_equal(seen->request[3].body, error);
    assert_has_not(seen->request[4].head, "Error-Type");
    assert_has_not(seen->request[4].head, "Content-");
    assert_string_equal(logged(), "");
    runtime_close(runtime);
}

static void a_connection_that_broke_meanwhile_is_made_anew(void **state)
{
    static const struct step steps[] = {
        {.head = OK(ID, "2", "{}"), .close = true},
        {.head = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", .close = true},
        {.head = OK("Connection: close\r\n" ID, "2", "{}"), .close = true},
        ACCEPTED,
        {0},
    };
    struct runtime *runtime = play_api(steps);
    struct runtime_event event = {0};
    struct err err = {0};
    int i;

    (void)state;
    for (i = 0; i < 2; i++) {
        assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
        assert_true(respond(runtime, "{}", 2, &err));
    }
    assert_int_equal(seen->connections, 4);
    assert_int_equal(seen->requests, 4);
    runtime_close(runtime);
}

/* The same on a connection that was kept: http_post() itself sends it again. */
static void a_second_answer_that_comes_too_late_counts(void **state)
{
    static const struct step steps[] = {
        EVENT,
        BREAK,
        {.head = "HTTP/1.1 403 Bad\r\nContent-Length: 0\r\n\r\n"},
        EVENT,
        {0}};
    struct runtime *runtime = play_api(steps);
    struct runtime_event event = {0};
    struct err err = {0};

    (void)state;
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    assert_true(respond(runtime, "{}", 2, &err));
    assert_int_equal(seen->connections, 2);
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    runtime_close(runtime);
}

/* Longer than any timeout that a post or a connect has. */
static void next_waits_as_long_as_it_takes(void **state)
{
    static const struct step steps[] = {
        EVENT,
        ACCEPTED,
        {.head = OK(ID, "2", "{}"), .pause_ms = 6000},
        {0},
    };
    struct runtime *runtime = play_api(steps);
    struct runtime_event event = {0};
    struct err err = {0};

    (void)state;
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    assert_true(respond(runtime, "{}", 2, &err));
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    assert_int_equal(seen->requests, 3);
    assert_int_equal(seen->connections, 1);
    runtime_close(runtime);
}

/* ----------------------------------------------------------------- where it leads */

static void nobody_there_is_the_end(void **state)
{
    struct runtime_event event = {0};
    struct runtime *runtime;
    struct err err = {0};

    (void)state;
    close(listen_somewhere());
    runtime = runtime_open(api, &err);
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_GONE);
    assert_has(err.text, ": connect: 127.0.0.1: Connection refused");
    assert_has(err.text, api);
    runtime_close(runtime);
}

static void a_proxy_in_the_environment_is_not_asked(void **state)
{
    static const struct step steps[] = {EVENT, ACCEPTED, {0}};
    static const char *const names[] = {"http_proxy", "HTTP_PROXY", "all_proxy",
                                        "ALL_PROXY"};
    struct runtime_event event = {0};
    struct runtime *runtime;
    struct err err = {0};
    size_t i;

    (void)state;
    for (i = 0; i < 4; i++)
        setenv(names[i], "http://127.0.0.1:1", 1);
    setenv("no_proxy", "", 1);
    runtime = play_api(steps);
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    assert_true(respond(runtime, "{}", 2, &err));
    assert_int_equal(seen->requests, 2);
    runtime_close(runtime);
    for (i = 0; i < 4; i++)
        unsetenv(names[i]);
    unsetenv("no_proxy");
}

static void an_address_that_is_none_is_said(void **state)
{
    struct err err = {0};

    (void)state;
    assert_null(runtime_open("127.0.0.1:http", &err));
    assert_string_equal(
        err.text, "AWS_LAMBDA_RUNTIME_API is `127.0.0.1:http`, but must be HOST:PORT");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_biggest_payload_is_taken),
        CASE(a_payload_without_end_is_the_end),
        CASE(half_an_answer_is_no_event),
        CASE(an_answer_without_a_length_is_not_waited_for),
        CASE(an_id_of_65_kilobytes_cannot_be_answered),
        CASE(an_answer_to_come_is_waited_for),
        CASE(answers_may_be_empty_or_big),
        CASE(a_long_reply_is_cut_and_the_connection_kept),
        CASE(an_answer_may_be_refused_before_it_was_read),
        CASE(one_connection_serves_every_call),
        CASE(a_connection_that_broke_meanwhile_is_made_anew),
        CASE(a_second_answer_that_comes_too_late_counts),
        CASE(next_waits_as_long_as_it_takes),
        CASE(nobody_there_is_the_end),
        CASE(a_proxy_in_the_environment_is_not_asked),
        CASE(an_address_that_is_none_is_said),
    };

    return cmocka_run_group_tests_name("runtime http", tests, NULL, NULL);
}
