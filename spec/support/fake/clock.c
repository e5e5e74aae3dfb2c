/* fake/clock.c -- a clock that stands still, or runs ahead. */
#include "fake/clock.h"

#include <errno.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct fake_clock fake_clock;

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int64_t ms;

    if (fake_clock.stopped_us) {
        *now = (struct timespec){.tv_sec = fake_clock.stopped_us / 1000000,
                                 .tv_nsec = fake_clock.stopped_us % 1000000 * 1000};
        return 0;
    }
    if (syscall(SYS_clock_gettime, clock, now) != 0)
        return -1;
    if (clock == CLOCK_BOOTTIME) {
        fake_clock.ahead_ms += fake_clock.step_ms;
        ms = now->tv_nsec / 1000000 + fake_clock.ahead_ms;
        now->tv_sec += ms / 1000;
        now->tv_nsec = ms % 1000 * 1000000 + now->tv_nsec % 1000000;
    }
    return 0;
}

int nanosleep(const struct timespec *time, struct timespec *left)
{
    int64_t us = time->tv_sec * 1000000 + time->tv_nsec / 1000;

    if (!fake_clock.stopped_us)
        return (int)syscall(SYS_nanosleep, time, left);
    if (fake_clock.interrupt_sleep) {
        fake_clock.interrupt_sleep = false;
        fake_clock.stopped_us += us / 2;
        if (left)
            *left = (struct timespec){.tv_sec = (us - us / 2) / 1000000,
                                      .tv_nsec = (us - us / 2) % 1000000 * 1000};
        errno = EINTR;
        return -1;
    }
    if (fake_clock.slept)
        fake_clock.slept(us);
    fake_clock.stopped_us += us;
    return 0;
}
