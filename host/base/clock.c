/* clock.c -- clock_gettime() in the units that Pigeon calculates with. */
#include "base/clock.h"

#include <time.h>

static int64_t milliseconds_of(clockid_t clock)
{
    struct timespec now = {0};

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_ms(void)
{
    return milliseconds_of(CLOCK_BOOTTIME);
}

int64_t clock_us(void)
{
    struct timespec now = {0};

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_unix_ms(void)
{
    return milliseconds_of(CLOCK_REALTIME);
}
