/* child.c -- fork, a pipe for stdout, and the wait for the end. */
#include "child.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "asserts.h"

/* SIGKILL, since it cannot be caught, blocked or outlived. */
static void give_up_after(time_t seconds)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
    struct itimerspec when = {.it_value.tv_sec = seconds};
    timer_t timer;

    if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0 ||
        timer_settime(timer, 0, &when, NULL) != 0)
        abort();
}

/* As fork(); the child's stdout is *out. */
static pid_t fork_with_pipe(int *out)
{
    int ends[2];
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        return 0;
    }
    close(ends[1]);
    *out = ends[0];
    return child;
}

static struct end wait_for(pid_t child, int out)
{
    struct end end = {0};
    size_t have = 0;
    ssize_t n = 1;

    while (n > 0 && have < sizeof(end.said) - 1) {
        n = read(out, end.said + have, sizeof(end.said) - 1 - have);
        have += n > 0 ? (size_t)n : 0;
    }
    close(out);
    assert_int_equal(waitpid(child, &end.status, 0), child);
    assert_true(WIFEXITED(end.status));
    end.status = WEXITSTATUS(end.status);
    return end;
}

struct end run_child(void (*work)(void))
{
    int out;
    pid_t child = fork_with_pipe(&out);

    if (child == 0) {
        give_up_after(60);
        work();
        _exit(0);
    }
    return wait_for(child, out);
}

struct end run_again(const char *first, const char *second)
{
    char self[4096] = {0};
    pid_t child;
    int out;

    assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
    child = fork_with_pipe(&out);
    if (child == 0) {
        execl("/bin/sh", "sh", "-c", "exec $EMULATOR \"$@\"", "sh", self, first, second,
              (char *)NULL);
        _exit(127);
    }
    return wait_for(child, out);
}

/* ------------------------------------------------------------- in the child */

struct deadline soon(void)
{
    return deadline_in(50);
}

struct deadline far(void)
{
    return deadline_in(600000);
}

void start_watching(struct deadline deadline, const char *key, size_t len)
{
    struct err err = {0};

    if (!watchdog_start(&deadline, &err))
        _exit(9);
    if (key)
        watchdog_watch("rules.lua", key, len);
}

void sleep_ms(long ms)
{
    struct timespec rest = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    while (nanosleep(&rest, &rest) != 0)
        ;
}
