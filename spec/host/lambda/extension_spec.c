/* The spec of host/lambda/extension.c, by way of the runtime that it belongs to: what is
 * sent, and that no failure costs more than a second and an error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "asserts.h"
#include "base/clock.h"
#include "runtime_case.h"

#define REGISTERED OK("Lambda-Extension-Identifier: 4f9c-77\r\n", "2", "{}")

/* The runtime's own calls still work. */
static void assert_takes_an_event(struct runtime *runtime)
{
    struct runtime_event event = {0};
    struct err err = {0};

    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    assert_string_equal(event.request_id, "1f3c-22");
}

static void it_registers_for_no_event_and_asks_for_the_next(void **state)
{
    static const struct step steps[] = {
        {.head = REGISTERED}, {.stays = true}, EVENT, {0}};
    struct runtime *runtime = play_api(steps);
    struct err err = {0};

    (void)state;
    runtime_extend(runtime);
    assert_true(runtime_extended(runtime, &err));
    assert_takes_an_event(runtime);
    assert_has(seen->request[0].head, "POST /2020-01-01/extension/register HTTP/1.1\r\n");
    assert_has(seen->request[0].head, "\r\nLambda-Extension-Name: pigeon-good-end\r\n");
    assert_string_equal(seen->request[0].body, "{\"events\":[]}");
    assert_has(seen->request[1].head,
               "GET /2020-01-01/extension/event/next HTTP/1.1\r\n");
    assert_has(seen->request[1].head, "\r\nLambda-Extension-Identifier: 4f9c-77\r\n");
    assert_has(seen->request[2].head, "GET /2018-06-01/runtime/invocation/next");
    assert_int_equal(seen->connections, 2);
    assert_string_equal(logged(), "");
    runtime_close(runtime);
}

#define REFUSED                                            \
    "HTTP/1.1 403 Forbidden\r\nContent-Length: 47\r\n\r\n" \
    "{\"errorType\":\"Extension.InvalidExtensionState\"}"

static void a_failure_is_an_error_and_nothing_else(void **state)
{
    static char long_id[400] =
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nLambda-Extension-Identifier: ";
    static const struct {
        const char *head; /* NULL: the connection ends without an answer */
        const char *words;
    } cases[] = {
        {REFUSED, "/2020-01-01/extension/register: status 403: {\"errorType\":"},
        {"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", "status 500: (no body)"},
        {"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", "status 202"},
        {OK("", "2", "{}"), "Lambda-Extension-Identifier is missing"},
        {long_id, "Lambda-Extension-Identifier is longer than 200 bytes"},
        {"SSH-2.0-OpenSSH_9.2p1\r\n\r\n", "/2020-01-01/extension/register: "},
        {"HTTP/1.1 200 OK\r\nContent-Le", "the connection ended in the answer"},
        {NULL, "the connection ended without an answer"},
    };
    struct err err = {0};

    (void)state;
    memset(long_id + strlen(long_id), 'x', 300);
    memcpy(long_id + strlen(long_id), "\r\n\r\n", 5);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct step steps[] = {{.head = cases[i].head, .close = true}, EVENT, {0}};
        struct runtime *runtime = play_api(steps);

        runtime_extend(runtime);
        assert_false(runtime_extended(runtime, &err));
        assert_has(err.text, cases[i].words);
        assert_takes_an_event(runtime);
        assert_int_equal(seen->requests, 2);
        runtime_close(runtime);
    }
    assert_string_equal(logged(), "");
}

static void where_nobody_listens_it_fails_at_once(void **state)
{
    struct err err = {0};
    struct runtime *runtime;

    (void)state;
    close(listen_somewhere());
    runtime = runtime_open(api, &err);
    runtime_extend(runtime);
    assert_false(runtime_extended(runtime, &err));
    assert_has(err.text, "connect");
    runtime_close(runtime);
}

static void it_waits_no_longer_than_its_second(void **state)
{
    static const struct step steps[] = {{.stays = true}, EVENT, {0}};
    struct runtime *runtime = play_api(steps);
    int64_t start_ms = clock_ms();
    struct err err = {0};

    (void)state;
    runtime_extend(runtime);
    assert_false(runtime_extended(runtime, &err));
    assert_has(err.text, "no answer in time");
    assert_true(clock_ms() - start_ms >= 900);
    assert_takes_an_event(runtime);
    runtime_close(runtime);
}

static void an_answer_that_comes_after_that_counts_too(void **state)
{
    /* The event is not handed out before the extension has asked. */
    static const struct step steps[] = {
        {.stays = true},
        {.late = REGISTERED, .head = OK(ID, "2", "{}")},
        {0},
    };
    struct runtime *runtime = play_api(steps);
    struct err err = {0};

    (void)state;
    runtime_extend(runtime);
    assert_false(runtime_extended(runtime, &err));
    assert_takes_an_event(runtime);
    assert_has(seen->request[2].head,
               "GET /2020-01-01/extension/event/next HTTP/1.1\r\n");
    assert_has(logged(), "registered as an internal extension after all");
    runtime_close(runtime);
}

/* Otherwise no event would ever come: Lambda waits for the extension to ask. */
static void such_an_answer_may_come_in_pieces(void **state)
{
    static const struct {
        const char *early; /* within the second */
        const char *late;
        const char *rest;
    } cases[] = {
        {NULL, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n",
         "Lambda-Extension-Identifier: 4f9c-77\r\n\r\n{}"},
        {NULL,
         "HTTP/1.1 200 OK\r\nLambda-Extension-Identifier: 4f9c-77\r\n"
         "Content-Length: 2\r\n\r\n",
         "{}"},
        {"HTTP/1.1 200 OK\r\nLambda-Extension-Iden",
         "tifier: 4f9c-77\r\nContent-Length: 2\r\n\r\n{", "}"},
    };
    struct err err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct step steps[] = {
            {.head = cases[i].early, .stays = true},
            {.late = cases[i].late, .rest = cases[i].rest, .head = OK(ID, "2", "{}")},
            {0},
        };
        struct runtime *runtime = play_api(steps);

        runtime_extend(runtime);
        assert_false(runtime_extended(runtime, &err));
        assert_has(err.text, "no answer in time");
        assert_takes_an_event(runtime);
        assert_has(seen->request[2].head, "\r\nLambda-Extension-Identifier: 4f9c-77\r\n");
        runtime_close(runtime);
    }
}

static void sigterm_ends_the_wait_for_a_late_answer(void **state)
{
    static const struct step steps[] = {{.stays = true}, {.signal = SIGTERM}, {0}};
    struct runtime *runtime = play_api(steps);
    struct runtime_event event = {0};
    struct err err = {0};

    (void)state;
    runtime_extend(runtime);
    assert_false(runtime_extended(runtime, &err));
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_STOP);
    runtime_close(runtime);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(it_registers_for_no_event_and_asks_for_the_next),
        CASE(a_failure_is_an_error_and_nothing_else),
        CASE(where_nobody_listens_it_fails_at_once),
        CASE(it_waits_no_longer_than_its_second),
        CASE(an_answer_that_comes_after_that_counts_too),
        CASE(such_an_answer_may_come_in_pieces),
        CASE(sigterm_ends_the_wait_for_a_late_answer),
    };

    return cmocka_run_group_tests_name("extension", tests, NULL, NULL);
}
