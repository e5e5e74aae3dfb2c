/* runtime_case.c -- starts and stops the fake Runtime API. */
#include "runtime_case.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "asserts.h"

struct seen *seen;
char api[32];

static pid_t server;

int listen_somewhere(void)
{
    int listener = fake_runtime_api_listen(api, sizeof(api));

    assert_true(listener >= 0);
    return listener;
}

static void stop_server(void)
{
    if (server > 0)
        fake_runtime_api_stop(server);
    server = 0;
}

struct runtime *play_api(const struct step *steps)
{
    struct err err = {0};
    struct runtime *runtime;
    int listener = listen_somewhere();

    stop_server();
    memset(seen, 0, sizeof(*seen));
    server = fake_runtime_api_start(listener, steps, seen);
    close(listener);
    assert_true(server > 0);
    runtime = runtime_open(api, &err);
    assert_non_null(runtime);
    return runtime;
}

bool respond(struct runtime *runtime, const char *body, size_t len, struct err *err)
{
    runtime_answer(runtime, NULL, body, len);
    return runtime_await(runtime, err);
}

bool respond_failed(struct runtime *runtime, const char *type, const char *body,
                    size_t len, struct err *err)
{
    runtime_answer(runtime, type, body, len);
    return runtime_await(runtime, err);
}

int runtime_case_setup(void **state)
{
    (void)state;
    seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                -1, 0);
    if (seen == MAP_FAILED)
        return -1;
    alarm(120);
    return captured_log_start() ? 0 : -1;
}

int runtime_case_teardown(void **state)
{
    struct timespec none = {0};
    sigset_t stops;

    (void)state;
    captured_log_stop();
    stop_server();
    munmap(seen, sizeof(*seen));
    sigemptyset(&stops);
    sigaddset(&stops, SIGTERM);
    sigaddset(&stops, SIGINT);
    while (sigtimedwait(&stops, NULL, &none) > 0)
        ; /* signals that the case left pending */
    alarm(0);
    return 0;
}
