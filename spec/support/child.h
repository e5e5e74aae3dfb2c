/* For the specs of what ends its process or interrupts its calls: work in a child, and
 * what became of it.
 *
 * Include it after cmocka.h. */
#ifndef PIGEON_CHILD_H
#define PIGEON_CHILD_H

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/deadline.h"
#include "lua/watchdog.h"

/* A process that hangs has failed: this cannot be caught, blocked or outlived. */
static inline void give_up_after(time_t seconds)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
    struct itimerspec when = {.it_value.tv_sec = seconds};
    timer_t timer;

    if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0 ||
        timer_settime(timer, 0, &when, NULL) != 0)
        abort();
}

/* How a child ended: its exit status, and what it wrote to stdout. */
struct end {
    int status;
    char said[4096];
};

/* Does the work in a child, which has to exit: with 0 when the work is done. */
static inline struct end run_child(void (*work)(void))
{
    struct end end = {0};
    int out[2];
    size_t have = 0;
    ssize_t n = 1;
    pid_t child;

    assert_int_equal(pipe(out), 0);
    child = fork();
    if (child == 0) {
        dup2(out[1], STDOUT_FILENO);
        close(out[0]);
        close(out[1]);
        give_up_after(60);
        work();
        _exit(0);
    }
    close(out[1]);
    while (n > 0 && have < sizeof(end.said) - 1) {
        n = read(out[0], end.said + have, sizeof(end.said) - 1 - have);
        have += n > 0 ? (size_t)n : 0;
    }
    close(out[0]);
    assert_int_equal(waitpid(child, &end.status, 0), child);
    assert_true(WIFEXITED(end.status));
    end.status = WEXITSTATUS(end.status);
    return end;
}

static inline struct deadline soon(void)
{
    return deadline_in(50);
}

static inline struct deadline far(void)
{
    return deadline_in(600000);
}

/* Watches the rules at this key; NULL: what has no label. Where the watchdog cannot be
 * started the child exits with 9. */
static inline void start_watching(struct deadline deadline, const char *key, size_t len)
{
    struct err err = {0};

    if (!watchdog_start(&deadline, &err))
        _exit(9);
    if (key)
        watchdog_watch("rules.lua", key, len);
}

static inline void sleep_ms(long ms)
{
    struct timespec rest = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    while (nanosleep(&rest, &rest) != 0)
        ;
}

#endif
