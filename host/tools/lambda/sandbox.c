/* sandbox.c -- one thread: each wait on the way of an event is wait_until(), which serves
 * the Runtime API (api.c), reads stdin (events.c) and notices the end of the process
 * (function.c). */
#include "tools/lambda/sandbox.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/deadline.h"

#define RESET_MS 500  /* from SIGTERM to SIGKILL, before a fresh start */
#define LONG_MS 60000 /* one turn of a wait that has no limit */

void sandbox_log(const char *fmt, ...)
{
    char line[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    fprintf(stderr, "lambda: %s\n", line);
}

/* Waits for the next thing to happen, wait_ms at most; reads signals and stdin. */
static void wait_once(struct lambda *lambda, int64_t wait_ms)
{
    struct signalfd_siginfo signal;
    struct timeval wait;
    fd_set in, out, bad;
    int max = lambda->signal_fd;

    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_ZERO(&bad);
    FD_SET(lambda->signal_fd, &in);
    if (lambda->reading)
        FD_SET(0, &in);
    api_watch(&lambda->api, &in, &out, &bad, &max, &wait_ms);
    wait = (struct timeval){wait_ms / 1000, wait_ms % 1000 * 1000};
    if (select(max + 1, &in, &out, &bad, &wait) <= 0)
        return;
    if (FD_ISSET(lambda->signal_fd, &in) &&
        read(lambda->signal_fd, &signal, sizeof(signal)) > 0 &&
        signal.ssi_signo != SIGCHLD)
        lambda->signal = (int)signal.ssi_signo;
    if (FD_ISSET(0, &in)) {
        events_read(&lambda->events);
        lambda->reading = false;
    }
}

/* Waits until `done` is true. False: the deadline has passed, or a signal came first. */
static bool wait_until(struct lambda *lambda, bool (*done)(const struct lambda *),
                       struct deadline deadline)
{
    int64_t left_ms;

    for (;;) {
        api_run(&lambda->api);
        if (function_ended(&lambda->function))
            api_reset(&lambda->api);
        if (lambda->signal)
            return false;
        if (done(lambda))
            return true;
        left_ms = deadline_left_ms(&deadline);
        if (left_ms == 0)
            return false;
        wait_once(lambda, left_ms < LONG_MS ? left_ms : LONG_MS);
    }
}

static bool is_gone(const struct lambda *lambda)
{
    return !lambda->function.pid;
}

static bool is_initialized(const struct lambda *lambda)
{
    return is_gone(lambda) || lambda->api.state == API_INIT_ERROR ||
           api_initialized(&lambda->api);
}

static bool is_answered(const struct lambda *lambda)
{
    return is_gone(lambda) || lambda->api.answered;
}

static bool is_ready(const struct lambda *lambda)
{
    return is_gone(lambda) || lambda->api.state == API_READY;
}

static bool has_read(const struct lambda *lambda)
{
    return !lambda->reading;
}

static bool never(const struct lambda *lambda)
{
    (void)lambda;
    return false;
}

static void start_function(struct lambda *lambda)
{
    api_reset(&lambda->api);
    if (function_start(&lambda->function, lambda->command))
        return;
    sandbox_log("fork: %s", strerror(errno));
    lambda->over = true;
    lambda->status = 1;
}

/* As Lambda ends a process: where an extension has registered, by SIGTERM, and after a
 * while by SIGKILL; otherwise by SIGKILL at once
 * (https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html). False:
 * it did not end in time. */
static bool end_function(struct lambda *lambda, long grace_ms)
{
    int signal = lambda->signal;
    bool heard = true;

    lambda->signal = 0; /* another one cuts the wait short */
    if (lambda->api.extensions.count > 0) {
        kill(-lambda->function.pid, SIGTERM);
        heard = wait_until(lambda, is_gone, deadline_in(grace_ms));
    }
    if (lambda->function.pid)
        function_kill(&lambda->function);
    api_reset(&lambda->api);
    lambda->signal = signal ? signal : lambda->signal;
    return heard;
}

/* In the middle of its work; how it ended does not matter. */
static void kill_function(struct lambda *lambda)
{
    end_function(lambda, RESET_MS);
    lambda->function.unasked = false;
}

/* An end without an answer to an event. */
static void report_end(struct lambda *lambda, const char *when)
{
    if (!lambda->function.unasked)
        return;
    sandbox_log("%s: %s", when, function_ending(&lambda->function));
    lambda->function.unasked = false;
    lambda->status = 1;
}

static void print_answer(struct lambda *lambda)
{
    if (lambda->api.error_type[0]) {
        sandbox_log("%s", lambda->api.error_type);
        lambda->status = 1;
    }
    if (lambda->api.answer.len > 0)
        fwrite(lambda->api.answer.data, 1, lambda->api.answer.len, stdout);
    if (putchar('\n') == EOF || fflush(stdout) == EOF) {
        sandbox_log("stdout: %s", strerror(errno));
        lambda->over = true;
        lambda->status = 1;
    }
}

static void print_own_answer(struct lambda *lambda, const char *type, const char *cause)
{
    char message[256];

    snprintf(message, sizeof(message), "RequestId: %s Error: %s", lambda->api.event.id,
             cause);
    api_answer_instead(&lambda->api, type, message);
    print_answer(lambda);
}

static void print_exit(struct lambda *lambda)
{
    lambda->ended_in_init = false;
    lambda->function.unasked = false;
    print_own_answer(lambda, "Runtime.ExitError", function_ending(&lambda->function));
}

/* After /init/error the function must end by itself. */
static void conclude_init_error(struct lambda *lambda)
{
    print_answer(lambda);
    lambda->over = true;
    wait_until(lambda, is_gone, deadline_in(lambda->grace_ms));
    if (lambda->function.pid)
        sandbox_log("the function did not exit after its init error");
    report_end(lambda, "after its init error");
}

static void initialize(struct lambda *lambda)
{
    bool in_time;

    request_new_id(lambda->api.event.id);
    start_function(lambda);
    in_time = wait_until(lambda, is_initialized, deadline_in(lambda->init_ms));
    if (lambda->signal)
        return;
    if (lambda->api.answered) {
        conclude_init_error(lambda);
    } else if (lambda->function.unasked) {
        lambda->ended_in_init = true;
    } else if (!in_time) {
        sandbox_log("init took longer than %ld ms; it starts again with the first event",
                    lambda->init_ms);
        kill_function(lambda);
    }
}

/* The invocation ends when the function asks for the next event. So once the answer is
 * printed, the log is complete. */
static void conclude_invocation(struct lambda *lambda, struct deadline deadline)
{
    bool ready = wait_until(lambda, is_ready, deadline);

    print_answer(lambda);
    if (!ready && !lambda->signal) {
        sandbox_log("the function did not ask for the next event in time and was killed");
        kill_function(lambda);
        lambda->status = 1;
    }
    report_end(lambda, "after its answer");
}

static void conclude_timeout(struct lambda *lambda)
{
    char cause[64];

    kill_function(lambda);
    snprintf(cause, sizeof(cause), "Task timed out after %.2f seconds",
             (double)lambda->deadline_ms / 1000);
    print_own_answer(lambda, "Sandbox.Timedout", cause);
}

static void invoke(struct lambda *lambda)
{
    struct api_event event = {.data = lambda->events.data,
                              .len = lambda->events.len,
                              .ends_unix_ms = clock_unix_ms() + lambda->deadline_ms};
    struct deadline deadline = deadline_in(lambda->deadline_ms);

    if (lambda->ended_in_init) {
        print_exit(lambda);
        return;
    }
    report_end(lambda, "between events");
    request_new_id(event.id);
    request_new_id(event.invocation_id);
    if (!lambda->function.pid)
        start_function(lambda);
    api_offer(&lambda->api, &event);
    wait_until(lambda, is_answered, deadline);
    lambda->api.offered = false;
    if (lambda->signal)
        return;
    if (lambda->api.answered && lambda->api.state == API_INIT_ERROR)
        conclude_init_error(lambda);
    else if (lambda->api.answered)
        conclude_invocation(lambda, deadline);
    else if (lambda->function.pid)
        conclude_timeout(lambda);
    else if (!lambda->over)
        print_exit(lambda);
}

static bool is_done(const struct lambda *lambda)
{
    return lambda->over || lambda->signal;
}

/* False: there are no more. */
static bool next_event(struct lambda *lambda)
{
    while (!is_done(lambda) && !events_take(&lambda->events)) {
        if (lambda->events.ended)
            return false;
        lambda->reading = true;
        while (!wait_until(lambda, has_read, deadline_in(LONG_MS)) && !lambda->signal)
            continue;
        lambda->reading = false;
    }
    return !is_done(lambda);
}

void sandbox_run(struct lambda *lambda)
{
    bool first = true;
    long i;

    initialize(lambda);
    while (next_event(lambda))
        for (i = 0; i < lambda->repeat && !is_done(lambda); i++) {
            if (!first)
                wait_until(lambda, never, deadline_in(lambda->pause_ms));
            first = false;
            if (!lambda->signal)
                invoke(lambda);
        }
    if (lambda->ended_in_init && !lambda->signal) /* and no event has got the error */
        print_exit(lambda);
}

static bool ended_well(int ending)
{
    return WIFEXITED(ending) ? WEXITSTATUS(ending) == 0 : WTERMSIG(ending) == SIGTERM;
}

void sandbox_stop(struct lambda *lambda)
{
    report_end(lambda, "between events");
    if (!lambda->function.pid)
        return;
    if (!end_function(lambda, lambda->grace_ms)) {
        sandbox_log("the function did not end after SIGTERM and was killed");
        lambda->status = 1;
    } else if (lambda->function.unasked && !ended_well(lambda->function.ending)) {
        report_end(lambda, "after SIGTERM");
    }
}
