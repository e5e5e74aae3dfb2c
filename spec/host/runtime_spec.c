/* The spec of host/runtime.c, against a server of its own: another process that plays a
 * script of answers, one a request, and notes what it was sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "buffer.h"
#include "log.h"
#include "runtime.h"

#define MANY 64

/* ------------------------------------------------------------------- the server */

/* One request's answer: `head` as it stands; with a body of `fill` bytes after it. */
struct step {
    const char *head;
    size_t fill;
    bool close; /* the connection, afterwards */
    bool hasty; /* answers before it reads the body, and waits for the end */
    int signal; /* sent to the spec before answering; no head: never answers */
    long pause_ms;
};

struct request {
    int connection;
    char head[1024];
    char body[1024]; /* the first bytes */
    size_t body_len;
};

/* What the server saw; memory that both processes share. */
struct seen {
    int connections;
    int requests;
    struct request request[MANY];
};

static struct seen *seen;
static const struct step *script; /* the last step is one without a head and a signal */
static char api[32];
static pid_t server;
static int logged; /* a file in memory: what was written to stdout */
static int real_stdout;

static bool respond(struct runtime *runtime, const char *body, size_t len,
                    struct err *err)
{
    runtime_respond(runtime, body, len);
    return runtime_await(runtime, err);
}

static bool respond_failed(struct runtime *runtime, const char *type, const char *body,
                           size_t len, struct err *err)
{
    runtime_fail(runtime, type, body, len);
    return runtime_await(runtime, err);
}

static char filling(size_t i)
{
    return (char)('a' + i % 23);
}

static bool send_all(int fd, const char *bytes, size_t len)
{
    ssize_t n;

    while (len > 0) {
        n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

/* One request; its body only where it is not `hasty`. False: the client closed the
 * connection. */
static bool receive(int fd, struct request *request, bool hasty)
{
    char *end = NULL;
    char *length;
    size_t have = 0, body = 0;
    char block[65536];
    char byte;
    ssize_t n, i;

    while (!end) {
        if (recv(fd, &byte, 1, 0) <= 0 || have == sizeof(request->head) - 1)
            return false;
        request->head[have++] = byte;
        end = strstr(request->head, "\r\n\r\n");
    }
    length = strcasestr(request->head, "\r\nContent-Length:");
    if (length && !hasty)
        body = strtoul(length + 17, NULL, 10);
    while (request->body_len < body) {
        n = recv(fd, block, sizeof(block), 0);
        if (n <= 0)
            return false;
        for (i = 0; i < n && request->body_len + (size_t)i < sizeof(request->body) - 1;
             i++)
            request->body[request->body_len + (size_t)i] = block[i];
        request->body_len += (size_t)n;
    }
    return true;
}

static void send_filling(int fd, size_t len)
{
    char *bytes = malloc(len);
    size_t i;

    for (i = 0; i < len; i++)
        bytes[i] = filling(i);
    send_all(fd, bytes, len);
    free(bytes);
}

/* One connection; the number of the next step is returned. */
static int serve(int fd, int step)
{
    struct request *request = &seen->request[step];
    struct timespec pause = {0};
    struct pollfd gone = {.fd = fd, .events = POLLRDHUP};
    char byte;

    while (step < MANY && receive(fd, request, script[step].hasty)) {
        request->connection = seen->connections;
        seen->requests = step + 1;
        pause.tv_sec = script[step].pause_ms / 1000;
        pause.tv_nsec = script[step].pause_ms % 1000 * 1000000;
        nanosleep(&pause, NULL);
        if (script[step].signal)
            kill(getppid(), script[step].signal);
        if (!script[step].head && !script[step].close)
            recv(fd, &byte, 1, 0); /* until the client gives up */
        if (script[step].head)
            send_all(fd, script[step].head, strlen(script[step].head));
        if (script[step].fill)
            send_filling(fd, script[step].fill);
        if (script[step].hasty)
            poll(&gone, 1, 60000);
        if (!script[step].head || script[step].close || script[step].hasty)
            return step + 1;
        request = &seen->request[++step];
    }
    return step;
}

static void run_server(int listener)
{
    int step = 0;
    int fd;

    for (;;) {
        fd = accept(listener, NULL, NULL);
        seen->connections++;
        step = serve(fd, step);
        close(fd);
    }
}

static int listen_somewhere(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(listener, 16), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    snprintf(api, sizeof(api), "127.0.0.1:%d", ntohs(address.sin_port));
    return listener;
}

static void stop_server(void)
{
    if (server > 0) {
        kill(server, SIGKILL);
        waitpid(server, NULL, 0);
    }
    server = 0;
}

/* A runtime whose server plays `steps`. */
static struct runtime *play(const struct step *steps)
{
    struct err err = {0};
    struct runtime *runtime;
    int listener = listen_somewhere();

    stop_server();
    script = steps;
    memset(seen, 0, sizeof(*seen));
    server = fork();
    if (server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        run_server(listener);
    }
    close(listener);
    runtime = runtime_open(api, "pigeon/9.8.7", &err);
    assert_non_null(runtime);
    return runtime;
}

/* ---------------------------------------------------------------- around each test */

/* The log goes to a file; a test that hangs ends the program. */
static int begin(void **state)
{
    (void)state;
    alarm(120);
    fflush(stdout);
    real_stdout = dup(STDOUT_FILENO);
    logged = memfd_create("log", 0);
    dup2(logged, STDOUT_FILENO);
    return 0;
}

static int end(void **state)
{
    struct timespec none = {0};
    sigset_t stops;

    (void)state;
    fflush(stdout);
    dup2(real_stdout, STDOUT_FILENO);
    close(real_stdout);
    close(logged);
    stop_server();
    sigemptyset(&stops);
    sigaddset(&stops, SIGTERM);
    sigaddset(&stops, SIGINT);
    while (sigtimedwait(&stops, NULL, &none) > 0)
        ; /* signals that a test left for no one */
    alarm(0);
    return 0;
}

static const char *log_text(void)
{
    static char text[65536];
    ssize_t n = pread(logged, text, sizeof(text) - 1, 0);

    text[n > 0 ? n : 0] = '\0';
    return text;
}

static void assert_has(const char *text, const char *words)
{
    if (!strstr(text, words))
        fail_msg("\"%s\" is not in: %s", words, text);
}

static void assert_has_not(const char *text, const char *words)
{
    if (strstr(text, words))
        fail_msg("\"%s\" is in: %s", words, text);
}

#define OK(headers, length, body) \
    "HTTP/1.1 200 OK\r\n" headers "Content-Length: " length "\r\n\r\n" body
#define ID "Lambda-Runtime-Aws-Request-Id: 1f3c-22\r\n"
#define EVENT                     \
    {                             \
        .head = OK(ID, "2", "{}") \
    }
#define ACCEPTED                                                                         \
    {                                                                                    \
        .head = "HTTP/1.1 202 Accepted\r\nContent-Length: 15\r\n\r\n{\"status\":\"OK\"}" \
    }
#define BREAK         \
    {                 \
        .close = true \
    }

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
    struct runtime *runtime = play(steps);
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
    assert_has(seen->request[0].head, "\r\nUser-Agent: pigeon/9.8.7\r\n");
    assert_string_equal(log_text(), "");
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
    struct runtime *runtime = play(steps);
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
    struct runtime *runtime = play(steps);
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

/* 6 MiB and 100 bytes: the most that Lambda gives. */
static void the_biggest_payload_is_taken(void **state)
{
    static const struct step steps[] = {
        {.head = OK(ID, "6291556", ""), .fill = 6291556},
        {.head = "HTTP/1.1 200 OK\r\n" ID "Transfer-Encoding: chunked\r\n\r\n"
                 "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"},
        {0},
    };
    struct runtime *runtime = play(steps);
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
    struct runtime *runtime = play(steps);
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
        runtime = play(steps);
        assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
        assert_int_equal(event.payload_len, 2);
        assert_string_equal(event.payload, "{}");
        assert_int_equal(seen->requests, 2);
        runtime_close(runtime);
    }
    assert_has(log_text(), "try 1 of 3");
    assert_has_not(log_text(), "try 2 of 3");
}

/* The server does not hang up. */
static void an_answer_without_a_length_is_not_waited_for(void **state)
{
    static const struct step steps[] = {
        {.head = "HTTP/1.1 200 OK\r\n" ID "\r\n{}"}, EVENT, {0}};
    struct runtime *runtime = play(steps);
    struct runtime_event event = {0};
    struct err err = {0};

    (void)state;
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    assert_int_equal(seen->requests, 2);
    assert_has(log_text(), "an answer that does not say its length");
    runtime_close(runtime);
}

static void an_answer_to_come_is_waited_for(void **state)
{
    static const struct step steps[] = {
        {.head = "HTTP/1.1 100 Continue\r\nX: 1\r\n\r\n" OK(ID, "2", "{}")},
        {0},
    };
    struct runtime *runtime = play(steps);
    struct runtime_event event = {0};
    struct err err = {0};

    (void)state;
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    assert_string_equal(event.payload, "{}");
    assert_int_equal(seen->requests, 1);
    runtime_close(runtime);
}

static void a_lost_next_is_tried_three_times(void **state)
{
    static const struct step lost_twice[] = {BREAK, BREAK, EVENT, {0}};
    static const struct step lost[] = {BREAK, BREAK, BREAK, EVENT, {0}};
    struct runtime *runtime = play(lost_twice);
    struct runtime_event event = {0};
    struct err err = {0};

    (void)state;
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    runtime_close(runtime);

    runtime = play(lost);
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_GONE);
    assert_int_equal(seen->requests, 3);
    assert_has(err.text, api);
    assert_has(err.text, "/2018-06-01/runtime/invocation/next: ");
    assert_has(err.text, "the connection ended without an answer");
    assert_has(log_text(), "try 3 of 3");
    runtime_close(runtime);
}

static void nobody_there_is_the_end(void **state)
{
    struct runtime_event event = {0};
    struct runtime *runtime;
    struct err err = {0};

    (void)state;
    close(listen_somewhere());
    runtime = runtime_open(api, "pigeon/9.8.7", &err);
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_GONE);
    assert_has(err.text, ": connect: 127.0.0.1: Connection refused");
    assert_has(err.text, api);
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
        runtime = play(steps);
        assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_GONE);
        assert_int_equal(seen->requests, 1);
        assert_has(err.text, "/2018-06-01/runtime/invocation/next: ");
        assert_has(err.text, cases[i].words);
        runtime_close(runtime);
    }
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
    struct runtime *runtime = play(steps);
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
    runtime = play(steps);
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    assert_true(respond(runtime, "{}", 2, &err));
    assert_int_equal(seen->requests, 2);
    runtime_close(runtime);
    for (i = 0; i < 4; i++)
        unsetenv(names[i]);
    unsetenv("no_proxy");
}

/* ------------------------------------------------------------------------- answers */

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
    struct runtime *runtime = play(steps);
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
    assert_has(seen->request[1].head, "\r\nUser-Agent: pigeon/9.8.7\r\n");
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
    assert_string_equal(log_text(), "");
    runtime_close(runtime);
}

static void answers_may_be_empty_or_big(void **state)
{
    static const struct step steps[] = {EVENT, ACCEPTED, EVENT, ACCEPTED, {0}};
    static char big[1500000];
    struct runtime *runtime = play(steps);
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
        runtime = play(steps);
        assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
        assert_int_equal(respond(runtime, "{}", 2, &err), cases[i].goes_on);
        assert_has(cases[i].goes_on ? log_text() : err.text, cases[i].words);
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
    struct runtime *runtime = play(late);
    struct runtime_event event = {0};
    struct err err = {0};

    (void)state;
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    assert_true(respond_failed(runtime, "Function.X", "{}", 2, &err));
    assert_has(log_text(), "too big");
    runtime_close(runtime);
    runtime = play(broken);
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    assert_false(respond_failed(runtime, "Function.X", "{}", 2, &err));
    assert_has(err.text, "/invocation/1f3c-22/error: status 500");
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
    struct runtime *runtime = play(steps);
    struct runtime_event event = {0};
    struct err err = {0};

    (void)state;
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    assert_true(respond(runtime, "{}", 2, &err));
    assert_has(log_text(), "status 400: abcdefghijklmnopqrstuvwabc");
    assert_true(strlen(log_text()) < 600);
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    assert_int_equal(seen->connections, 1);
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
    struct runtime *runtime = play(lost);
    struct runtime_event event = {0};
    struct err err = {0};

    (void)state;
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    assert_true(respond(runtime, "{}", 2, &err));
    assert_int_equal(seen->requests, 3);
    assert_string_equal(seen->request[2].body, "{}");
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    runtime_close(runtime);

    runtime = play(arrived);
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    assert_true(respond(runtime, "{}", 2, &err));
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    runtime_close(runtime);

    runtime = play(moved_on);
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    assert_true(respond(runtime, "{}", 2, &err));
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    runtime_close(runtime);

    runtime = play(gone);
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    assert_false(respond(runtime, "{}", 2, &err));
    assert_int_equal(seen->requests, 3);
    assert_has(err.text, "/invocation/1f3c-22/response: ");
    assert_has(err.text, "the connection ended without an answer");
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
    struct runtime *runtime = play(steps);
    struct runtime_event event = {0};
    struct err err = {0};

    (void)state;
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    assert_true(respond(runtime, "{}", 2, &err));
    assert_int_equal(seen->connections, 2);
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
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
    struct runtime *runtime = play(steps);
    struct runtime_event event = {0};
    size_t len = 64 * 1024 * 1024;
    char *body = calloc(1, len);
    struct err err = {0};

    (void)state;
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_EVENT);
    assert_true(respond(runtime, body, len, &err));
    assert_has(log_text(), "too big: http://127.0.0.1:");
    assert_has(log_text(), "/response: status 413: big");
    free(body);
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
    struct runtime *runtime = play(steps);
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

/* ---------------------------------------------------------------------- init error */

static void an_init_error_is_json(void **state)
{
    static const struct step steps[] = {ACCEPTED, {0}};
    struct runtime *runtime = play(steps);
    struct err err = {0};

    (void)state;
    assert_true(runtime_init_error(runtime, "Runtime.ConfigInvalid", "KeyError",
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
    struct runtime *runtime = play(steps);
    struct err err = {0};

    (void)state;
    assert_false(runtime_init_error(runtime, "Runtime.X", NULL, "m", &err));
    assert_string_equal(seen->request[0].body, "{\"errorMessage\":\"m\",\"errorType\":"
                                               "\"Runtime.X\",\"stackTrace\":[]}");
    assert_has(err.text, "/runtime/init/error: status 403: state");
    runtime_close(runtime);
}

/* ------------------------------------------------------------------------- signals */

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
        runtime = play(steps);
        assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_STOP);
        assert_int_equal(seen->requests, 1);
        assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_STOP);
        assert_int_equal(seen->requests, 1);
        runtime_close(runtime);
        end(state);
        begin(state);
    }
}

static void an_event_that_has_begun_is_finished_first(void **state)
{
    static const struct step steps[] = {EVENT, ACCEPTED, EVENT, {0}};
    struct runtime *runtime = play(steps);
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
    struct runtime *runtime = play(steps);
    struct runtime_event event = {0};
    struct err err = {0};

    (void)state;
    kill(getpid(), SIGTERM);
    assert_int_equal(runtime_next(runtime, &event, &err), RUNTIME_STOP);
    assert_int_equal(seen->requests, 0);
    runtime_close(runtime);
}

static void an_address_that_is_none_is_said(void **state)
{
    struct err err = {0};

    (void)state;
    assert_null(runtime_open("127.0.0.1:http", "pigeon/9.8.7", &err));
    assert_string_equal(err.text,
                        "AWS_LAMBDA_RUNTIME_API is `127.0.0.1:http`, and should "
                        "be HOST:PORT");
}

static void nothing_to_close_is_closed(void **state)
{
    (void)state;
    runtime_close(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_event_is_taken_with_its_headers),
        TEST(what_is_optional_may_be_missing),
        TEST(an_event_without_a_request_id_is_the_end),
        TEST(the_biggest_payload_is_taken),
        TEST(a_payload_without_end_is_the_end),
        TEST(half_an_answer_is_no_event),
        TEST(an_answer_without_a_length_is_not_waited_for),
        TEST(an_answer_to_come_is_waited_for),
        TEST(a_lost_next_is_tried_three_times),
        TEST(nobody_there_is_the_end),
        TEST(any_other_status_of_next_is_the_end),
        TEST(next_waits_as_long_as_it_takes),
        TEST(a_proxy_in_the_environment_is_not_asked),
        TEST(one_connection_serves_every_call),
        TEST(answers_may_be_empty_or_big),
        TEST(the_status_of_an_answer_decides),
        TEST(the_status_of_an_error_decides_too),
        TEST(a_long_reply_is_cut_and_the_connection_kept),
        TEST(an_answer_that_may_be_lost_is_sent_again),
        TEST(a_second_answer_that_comes_too_late_counts),
        TEST(an_answer_may_be_refused_before_it_was_read),
        TEST(a_connection_that_broke_meanwhile_is_made_anew),
        TEST(an_init_error_is_json),
        TEST(an_init_error_may_be_refused),
        TEST(a_signal_ends_a_next_that_waits),
        TEST(an_event_that_has_begun_is_finished_first),
        TEST(a_signal_before_the_first_event_is_noticed),
        TEST(an_address_that_is_none_is_said),
        TEST(nothing_to_close_is_closed),
    };

    seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                -1, 0);
    if (seen == MAP_FAILED)
        return 1;
    return cmocka_run_group_tests_name("runtime", tests, NULL, NULL);
}
