/* For the specs of host/base/log.c: what each write to file descriptor 1 wrote, at a time
 * that stands still.
 *
 * Include it after cmocka.h, once in a program: the clock takes the place of libc's.
 * catch_writes() and give_stdout_back() are a test's setup and teardown. */
#ifndef PIGEON_WRITES_H
#define PIGEON_WRITES_H

#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

#define MANY (300 * 1024)

static struct timespec frozen; /* the clock that log.c sees; tv_sec 0: the real one */
static int reader;             /* one datagram a write */
static int real_stdout;

int clock_gettime(clockid_t clock, struct timespec *now)
{
    if (frozen.tv_sec == 0)
        return (int)syscall(SYS_clock_gettime, clock, now);
    *now = frozen;
    return 0;
}

static inline int catch_writes(void **state)
{
    int ends[2];
    int size = 1024 * 1024;

    (void)state;
    frozen = (struct timespec){.tv_sec = 1795521600, .tv_nsec = 123999999};
    log_open(LOG_LEVEL_INFO);
    log_as(LOG_TEXT);
    log_context(NULL);
    log_rules(NULL);
    fflush(stdout);
    real_stdout = dup(STDOUT_FILENO);
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) != 0)
        return -1;
    setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    dup2(ends[1], STDOUT_FILENO);
    close(ends[1]);
    reader = ends[0];
    return 0;
}

static inline int give_stdout_back(void **state)
{
    (void)state;
    frozen.tv_sec = 0;
    dup2(real_stdout, STDOUT_FILENO);
    close(real_stdout);
    close(reader);
    return 0;
}

/* What the next write(2) wrote; "" where there was none. */
static inline const char *next_write(void)
{
    static char text[MANY];
    ssize_t len = recv(reader, text, sizeof(text) - 1, MSG_DONTWAIT);

    text[len > 0 ? len : 0] = '\0';
    return text;
}

#endif
