/* clocks.c -- stands in for clock_gettime, time, nanosleep, timer_create, timer_settime
 * and sigaction.
 *
 * Time moves in two ways only: a call costs some microseconds (in some lives now and then
 * 60 ms), and a wait goes from one due thing to the next. BOOTTIME and REALTIME go on
 * while the sandbox is frozen, MONOTONIC in half of the lives (clock_gettime(2),
 * timer_create(2)). The timer of CPU time never ticks. */
#include "clocks.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "chance.h"
#include "oracle.h"
#include "plan.h"
#include "process.h"
#include "schedule.h"
#include "trace.h"
#include "wrap.h"

#define BOOT (1000000 * SECOND)
#define REALTIME (1800000000LL * SECOND)
#define MOST_CALLS 1500000 /* of one life: more is a loop without end */

static struct {
    void (*handler)(int);
    bool pending, inside;
    int64_t rings; /* INT64_MAX: not set */
    int64_t setting;
} alarm_signal = {.rings = INT64_MAX};

static bool frozen, kill_due, for_broker;
static int64_t frozen_since, frozen_ns;
static uint64_t calls;

static bool deliver(void)
{
    int saved = errno;

    if (kill_due && !alarm_signal.inside) {
        kill_due = false;
        process_end(PROCESS_KILLED);
    }
    if (!alarm_signal.pending || alarm_signal.inside || frozen)
        return false;
    alarm_signal.pending = false;
    alarm_signal.inside = true;
    trace("process", 0, "SIGALRM");
    alarm_signal.handler(SIGALRM);
    alarm_signal.inside = false;
    errno = saved;
    return true;
}

void clocks_work(int64_t takes)
{
    if (tracing.violations > 0) /* what follows says nothing */
        process_end(PROCESS_STUCK);
    schedule_run(now + takes);
    deliver();
}

void clocks_call(void)
{
    int64_t cost = between(&network_chance, 500, 4500);

    if (++calls > MOST_CALLS) {
        violation("the program makes calls without end");
        process_end(PROCESS_STUCK);
    }
    if (plan.hiccups > 0 && below(&network_chance, 10000) < plan.hiccups)
        cost += short_or_long(&network_chance, 1 * MS, 60 * MS);
    clocks_work(cost);
}

int clocks_wait(int64_t end, int (*ready)(void *), void *what)
{
    bool unchecked = for_broker;

    for_broker = false;
    for (;;) {
        int found;

        if (deliver()) {
            errno = EINTR;
            return -1;
        }
        found = ready ? ready(what) : 0;
        if (found != 0)
            return found;
        if (now >= end)
            return 0;
        if (end == INT64_MAX && schedule_empty()) {
            violation("the program waits for ever");
            process_end(PROCESS_STUCK);
        }
        if (unchecked)
            oracle_waits(end < alarm_signal.rings ? end : alarm_signal.rings);
        unchecked = false;
        schedule_step(end);
    }
}

int64_t clocks_unix_ms(void)
{
    return (REALTIME + now) / MS;
}

void clocks_freeze(void)
{
    frozen = true;
    frozen_since = now;
}

bool clocks_frozen(void)
{
    return frozen;
}

void clocks_thaw(void)
{
    if (frozen)
        frozen_ns += now - frozen_since;
    frozen = false;
}

void clocks_wait_for_broker(void)
{
    for_broker = true;
}

void clocks_kill(void)
{
    kill_due = true;
}

void clocks_process_begins(void)
{
    alarm_signal.inside = false;
    kill_due = false;
    frozen = false;
}

/* ------------------------------------------------------------- the calls */

static void ring(void *what, int64_t setting)
{
    (void)what;
    if (setting != alarm_signal.setting)
        return;
    alarm_signal.rings = INT64_MAX;
    alarm_signal.pending = true;
}

WRAP(int, sigaction, int number, const struct sigaction *action, struct sigaction *old)
{
    if (old)
        memset(old, 0, sizeof(*old));
    if (number == SIGALRM && action)
        alarm_signal.handler = action->sa_handler;
    return 0;
}

WRAP(int, timer_create, clockid_t clock, struct sigevent *event, timer_t *timer)
{
    (void)event;
    *timer = (timer_t)(intptr_t)(clock == CLOCK_BOOTTIME ? 1 : 2);
    return 0;
}

WRAP(int, timer_settime, timer_t timer, int flags, const struct itimerspec *when,
     struct itimerspec *old)
{
    int64_t at = (int64_t)when->it_value.tv_sec * SECOND + when->it_value.tv_nsec;

    (void)old;
    if ((intptr_t)timer != 1)
        return 0;
    alarm_signal.setting++;
    alarm_signal.rings = INT64_MAX;
    if (at == 0)
        return 0;
    alarm_signal.rings = flags & TIMER_ABSTIME ? at - BOOT : now + at;
    schedule_at(alarm_signal.rings, ring, NULL, alarm_signal.setting);
    return 0;
}

static int64_t read_clock(clockid_t clock)
{
    if (clock == CLOCK_REALTIME)
        return REALTIME + now;
    if (clock == CLOCK_BOOTTIME)
        return BOOT + now;
    return BOOT / 2 + now - (plan.monotonic_stops ? frozen_ns : 0);
}

WRAP(int, clock_gettime, clockid_t clock, struct timespec *time)
{
    int64_t value;

    clocks_call();
    value = read_clock(clock);
    time->tv_sec = value / SECOND;
    time->tv_nsec = value % SECOND;
    return 0;
}

WRAP(time_t, time, time_t *where)
{
    time_t value = (REALTIME + now) / SECOND;

    if (where)
        *where = value;
    return value;
}

WRAP(int, nanosleep, const struct timespec *time, struct timespec *left)
{
    int64_t ns = time->tv_sec * SECOND + time->tv_nsec;

    int64_t end, rest;
    int result;

    clocks_call();
    trace("process", 0, "sleeps %.3f ms", (double)ns / 1e6);
    clocks_wait_for_broker();
    end = now + ns;
    result = clocks_wait(end, NULL, NULL);
    rest = end > now ? end - now : 0;
    if (left)
        *left = (struct timespec){.tv_sec = rest / SECOND, .tv_nsec = rest % SECOND};
    return result;
}
