/* The spec of host/lambda/runtime.c: the calls of the Runtime API, what their status
 * codes mean, and signals. HTTP itself is in runtime_http_spec.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <unistd.h>

#include "asserts.h"
#include "runtime_case.h"

/* -------------------------------------------------------------------------- /next */

static void an_event_is_taken_with_its_headers(void **state)
{
    static const struct step steps[] = {
        {.head = OK("lambda-runtime-aws-request-id:  1f3c-22 \r\n"
                    "LAMBDA-RUNTIME-TRACE-ID: Root=1-5bef4de7;Sampled=1\r\n"
                    "Lambda-Runtime-Deadline-Ms: 1795521600123\r\n",
                    "9", "{\"a\":\"\\0\"")},
        {0},
    };
    struct runtime *runtime = play_api(steps);
    struct runtime_event event = {0};
    struct err err = {0};

    (void)state;
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    assert_string_equal(event.request_id, "1f3c-22");
    assert_int_equal(event.deadline_ms, 1795521600123);
    assert_int_equal(event.payload_len, 9);
    assert_memory_equal(event.payload, "{\"a\":\"\\0\"", 9);
    assert_has(seen->request[0].head,
               "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n");
    assert_has(seen->request[0].head, "\r\nUser-Agent: pigeon/" PIGEON_VERSION "\r\n");
    assert_string_equal(logged(), "");
    runtime_close(runtime);
}

static void what_is_optional_may_be_missing(void **state)
{
    static const struct step steps[] = {
        {.head = OK(ID, "0", "")},
        {.head = OK(ID "Lambda-Runtime-Deadline-Ms: soon\r\n", "0", "")},
        {.head = OK(ID "Lambda-Runtime-Deadline-Ms: -5\r\n", "0", "")},
        {0},
    };
    struct runtime *runtime = play_api(steps);
    struct runtime_event event = {0};
    struct err err = {0};
    int i;

    (void)state;
    for (i = 0; i < 3; i++) {
        assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
        assert_int_equal(event.deadline_ms, 0);
        assert_int_equal(event.payload_len, 0);
        assert_string_equal(event.payload, "");
    }
    runtime_close(runtime);
}

static void an_event_without_a_request_id_is_the_end(void **state)
{
    static const struct step steps[] = {
        {.head = OK("Lambda-Runtime-Trace-Id: x\r\n", "2", "{}")},
        {0},
    };
    struct runtime *runtime = play_api(steps);
    struct runtime_event event = {0};
    struct err err = {0};

    (void)state;
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_GONE);
    assert_has(err.text, "Lambda-Runtime-Aws-Request-Id");
    assert_int_equal(seen->requests, 1);
    assert_false(respond(runtime, "{}", 2, &err));
    assert_int_equal(seen->requests, 1);
    runtime_close(runtime);
}

static void a_lost_next_is_tried_three_times(void **state)
{
    static const struct step lost_twice[] = {BREAK, BREAK, EVENT, {0}};
    static const struct step lost[] = {BREAK, BREAK, BREAK, EVENT, {0}};
    struct runtime *runtime = play_api(lost_twice);
    struct runtime_event event = {0};
    struct err err = {0};

    (void)state;
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    runtime_close(runtime);

    runtime = play_api(lost);
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_GONE);
    assert_int_equal(seen->requests, 3);
    assert_has(err.text, api);
    assert_has(err.text, "/2018-06-01/runtime/invocation/next: ");
    assert_has(err.text, "the connection ended without an answer");
    assert_has(logged(), "try 3 of 3");
    runtime_close(runtime);
}

static void any_other_status_of_next_is_the_end(void **state)
{
    static const struct {
        const char *head;
        const char *words;
    } cases[] = {
        {"HTTP/1.1 403 Forbidden\r\nContent-Length: 38\r\n\r\n"
         "{\"errorType\":\"InvalidStateTransition\"}",
         "status 403: {\"errorType\":\"InvalidStateTransition\"}"},
        {"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", "status 500: (no body)"},
        {"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", "status 404: no"},
        {"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", "status 302"},
        {"HTTP/1.1 204 No Content\r\n" ID "Content-Length: 0\r\n\r\n", "status 204"},
    };
    struct step steps[] = {{0}, EVENT, {0}};
    struct runtime_event event = {0};
    struct runtime *runtime;
    struct err err;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        err = (struct err){0};
        steps[0].head = cases[i].head;
        runtime = play_api(steps);
        assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_GONE);
        assert_int_equal(seen->requests, 1);
        assert_has(err.text, "/2018-06-01/runtime/invocation/next: ");
        assert_has(err.text, cases[i].words);
        runtime_close(runtime);
    }
}

/* ------------------------------------------------------------------------ answers */

static void the_status_of_an_answer_decides(void **state)
{
    static const struct {
        const char *head;
        bool goes_on;
        const char *words; /* in the log where it goes on, else in err */
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true, ""},
        {"HTTP/1.1 400 Bad\r\nContent-Length: "
         "32\r\n\r\n{\"errorType\":\"InvalidRequestID\"}",
         true, "too late, or twice: "},
        {"HTTP/1.1 410 Gone\r\nContent-Length: "
         "29\r\n\r\n{\"errorType\":\"InvokeTimeout\"}",
         true, "response: status 410: {\"errorType\":\"InvokeTimeout\"}"},
        {"HTTP/1.1 413 Big\r\nContent-Length: 9\r\n\r\nExceeded.", true,
         "too big: http://"},
        {"HTTP/1.1 403 No\r\nContent-Length: 6\r\n\r\nstate.", false,
         "response: status 403: state."},
        {"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", false,
         "response: status 500: (no body)"},
        {"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", false, "status 404"},
    };
    struct step steps[] = {EVENT, {0}, EVENT, {0}};
    struct runtime_event event = {0};
    struct runtime *runtime;
    struct err err;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        err = (struct err){0};
        steps[1].head = cases[i].head;
        runtime = play_api(steps);
        assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
        assert_int_equal(respond(runtime, "{}", 2, &err), cases[i].goes_on);
        assert_has(cases[i].goes_on ? logged() : err.text, cases[i].words);
        assert_int_equal(seen->requests, 2);
        if (cases[i].goes_on)
            assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
        assert_int_equal(seen->connections, 1);
        runtime_close(runtime);
    }
}

static void the_status_of_an_error_decides_too(void **state)
{
    static const struct step late[] = {
        EVENT, {.head = "HTTP/1.1 413 Big\r\nContent-Length: 0\r\n\r\n"}, {0}};
    static const struct step broken[] = {
        EVENT, {.head = "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"}, {0}};
    struct runtime *runtime = play_api(late);
    struct runtime_event event = {0};
    struct err err = {0};

    (void)state;
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    assert_true(respond_failed(runtime, "Function.X", "{}", 2, &err));
    assert_has(logged(), "too big");
    runtime_close(runtime);
    runtime = play_api(broken);
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    assert_false(respond_failed(runtime, "Function.X", "{}", 2, &err));
    assert_has(err.text, "/invocation/1f3c-22/error: status 500");
    runtime_close(runtime);
}

/* The connection breaks after the request: whether it arrived is unknown. */
static void an_answer_that_may_be_lost_is_sent_again(void **state)
{
    static const struct step lost[] = {
        {.head = OK(ID, "2", "{}"), .close = true}, BREAK, ACCEPTED, EVENT, {0}};
    static const struct step arrived[] = {
        {.head = OK(ID, "2", "{}"), .close = true},
        BREAK,
        {.head = "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n"},
        EVENT,
        {0}};
    static const struct step moved_on[] = {
        {.head = OK(ID, "2", "{}"), .close = true},
        BREAK,
        {.head = "HTTP/1.1 403 Bad\r\nContent-Length: 0\r\n\r\n"},
        EVENT,
        {0}};
    static const struct step gone[] = {
        {.head = OK(ID, "2", "{}"), .close = true}, BREAK, BREAK, BREAK, BREAK, {0}};
    struct runtime *runtime = play_api(lost);
    struct runtime_event event = {0};
    struct err err = {0};

    (void)state;
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    assert_true(respond(runtime, "{}", 2, &err));
    assert_int_equal(seen->requests, 3);
    assert_string_equal(seen->request[2].body, "{}");
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    runtime_close(runtime);

    runtime = play_api(arrived);
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    assert_true(respond(runtime, "{}", 2, &err));
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    runtime_close(runtime);

    runtime = play_api(moved_on);
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    assert_true(respond(runtime, "{}", 2, &err));
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    runtime_close(runtime);

    runtime = play_api(gone);
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    assert_false(respond(runtime, "{}", 2, &err));
    assert_int_equal(seen->requests, 3);
    assert_has(err.text, "/invocation/1f3c-22/response: ");
    assert_has(err.text, "the connection ended without an answer");
    runtime_close(runtime);
}

/* --------------------------------------------------------------------- init error */

static void an_init_error_is_json(void **state)
{
    static const struct step steps[] = {ACCEPTED, {0}};
    struct runtime *runtime = play_api(steps);
    struct err err = {0};

    (void)state;
    assert_true(runtime_init_error(runtime, "KeyError",
                                   "missing: \"PIGEON_HOST\"\n\\ \xff\xc3\xa9", &err));
    assert_has(seen->request[0].head, "POST /2018-06-01/runtime/init/error HTTP/1.1\r\n");
    assert_has(seen->request[0].head,
               "\r\nLambda-Runtime-Function-Error-Type: Runtime.ConfigInvalid\r\n");
    assert_has(seen->request[0].head, "\r\nContent-Type: application/json\r\n");
    assert_string_equal(seen->request[0].body,
                        "{\"errorMessage\":\"missing: \\\"PIGEON_HOST\\\"\\u000a\\\\ "
                        "\xef\xbf\xbd\xc3\xa9\",\"errorType\":\"KeyError\","
                        "\"stackTrace\":[]}");
    runtime_close(runtime);
}

static void an_init_error_may_be_refused(void **state)
{
    static const struct step steps[] = {
        {.head = "HTTP/1.1 403 No\r\nContent-Length: 5\r\n\r\nstate"}, {0}};
    struct runtime *runtime = play_api(steps);
    struct err err = {0};

    (void)state;
    assert_false(runtime_init_error(runtime, "Runtime.X", "m", &err));
    assert_string_equal(seen->request[0].body, "{\"errorMessage\":\"m\",\"errorType\":"
                                               "\"Runtime.X\",\"stackTrace\":[]}");
    assert_has(err.text, "/runtime/init/error: status 403: state");
    runtime_close(runtime);
}

/* ------------------------------------------------------------------------ signals */

static void a_signal_ends_a_next_that_waits(void **state)
{
    static const int signals[] = {SIGTERM, SIGINT};
    struct step steps[] = {{0}, {0}};
    struct runtime_event event = {0};
    struct runtime *runtime;
    struct err err = {0};
    int i;

    for (i = 0; i < 2; i++) {
        steps[0].signal = signals[i];
        runtime = play_api(steps);
        assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_STOP);
        assert_int_equal(seen->requests, 1);
        assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_STOP);
        assert_int_equal(seen->requests, 1);
        runtime_close(runtime);
        runtime_case_teardown(state);
        runtime_case_setup(state);
    }
}

static void an_event_that_has_begun_is_finished_first(void **state)
{
    static const struct step steps[] = {EVENT, ACCEPTED, EVENT, {0}};
    struct runtime *runtime = play_api(steps);
    struct runtime_event event = {0};
    struct err err = {0};

    (void)state;
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    kill(getpid(), SIGTERM);
    assert_true(respond(runtime, "{}", 2, &err));
    assert_int_equal(seen->requests, 2);
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_STOP);
    assert_int_equal(seen->requests, 2);
    runtime_close(runtime);
}

static void a_signal_before_the_first_event_is_noticed(void **state)
{
    static const struct step steps[] = {EVENT, {0}};
    struct runtime *runtime = play_api(steps);
    struct runtime_event event = {0};
    struct err err = {0};

    (void)state;
    kill(getpid(), SIGTERM);
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_STOP);
    assert_int_equal(seen->requests, 0);
    runtime_close(runtime);
}

static void nothing_to_close_is_closed(void **state)
{
    (void)state;
    runtime_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(an_event_is_taken_with_its_headers),
        CASE(what_is_optional_may_be_missing),
        CASE(an_event_without_a_request_id_is_the_end),
        CASE(a_lost_next_is_tried_three_times),
        CASE(any_other_status_of_next_is_the_end),
        CASE(the_status_of_an_answer_decides),
        CASE(the_status_of_an_error_decides_too),
        CASE(an_answer_that_may_be_lost_is_sent_again),
        CASE(an_init_error_is_json),
        CASE(an_init_error_may_be_refused),
        CASE(a_signal_ends_a_next_that_waits),
        CASE(an_event_that_has_begun_is_finished_first),
        CASE(a_signal_before_the_first_event_is_noticed),
        CASE(nothing_to_close_is_closed),
    };

    return cmocka_run_group_tests_name("runtime", tests, NULL, NULL);
}
