/* For the specs of host/lambda/runtime.c: a runtime, its server (api.h), and the log.
 *
 * Include it after cmocka.h. begin() and end() are a test's setup and teardown: in
 * between, what is logged is kept for log_text(), and a test that hangs ends the
 * program. */
#ifndef PIGEON_SUPPORT_PLAY_H
#define PIGEON_SUPPORT_PLAY_H

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "api.h"
#include "lambda/runtime.h"

static struct seen *seen;
static char api[32];
static pid_t server;
static int logged; /* a file in memory: what was written to stdout */
static int real_stdout;

static inline int listen_somewhere(void)
{
    int listener = api_listen(api, sizeof(api));

    assert_true(listener >= 0);
    return listener;
}

static inline void stop_server(void)
{
    if (server > 0)
        api_stop(server);
    server = 0;
}

/* A runtime whose server plays `steps`. */
static inline struct runtime *play(const struct step *steps)
{
    struct err err = {0};
    struct runtime *runtime;
    int listener = listen_somewhere();

    stop_server();
    memset(seen, 0, sizeof(*seen));
    server = api_start(listener, steps, seen);
    close(listener);
    assert_true(server > 0);
    runtime = runtime_open(api, "pigeon/9.8.7", &err);
    assert_non_null(runtime);
    return runtime;
}

static inline bool respond(struct runtime *runtime, const char *body, size_t len,
                           struct err *err)
{
    runtime_respond(runtime, body, len);
    return runtime_await(runtime, err);
}

static inline bool respond_failed(struct runtime *runtime, const char *type,
                                  const char *body, size_t len, struct err *err)
{
    runtime_fail(runtime, type, body, len);
    return runtime_await(runtime, err);
}

/* ---------------------------------------------------------------- around each test */

static inline int begin(void **state)
{
    (void)state;
    seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                -1, 0);
    if (seen == MAP_FAILED)
        return -1;
    alarm(120);
    fflush(stdout);
    real_stdout = dup(STDOUT_FILENO);
    logged = memfd_create("log", 0);
    dup2(logged, STDOUT_FILENO);
    return 0;
}

static inline int end(void **state)
{
    struct timespec none = {0};
    sigset_t stops;

    (void)state;
    fflush(stdout);
    dup2(real_stdout, STDOUT_FILENO);
    close(real_stdout);
    close(logged);
    stop_server();
    munmap(seen, sizeof(*seen));
    sigemptyset(&stops);
    sigaddset(&stops, SIGTERM);
    sigaddset(&stops, SIGINT);
    while (sigtimedwait(&stops, NULL, &none) > 0)
        ; /* signals that a test left for no one */
    alarm(0);
    return 0;
}

static inline const char *log_text(void)
{
    static char text[65536];
    ssize_t n = pread(logged, text, sizeof(text) - 1, 0);

    text[n > 0 ? n : 0] = '\0';
    return text;
}

static inline void assert_has(const char *text, const char *words)
{
    if (!strstr(text, words))
        fail_msg("\"%s\" is not in: %s", words, text);
}

static inline void assert_has_not(const char *text, const char *words)
{
    if (strstr(text, words))
        fail_msg("\"%s\" is in: %s", words, text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

/* ------------------------------------------------------------------------ answers */

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

#endif
