/* alarm.c -- one POSIX timer, made at the first use.
 *
 * The signal goes to the thread that made the timer: the handler never runs beside the
 * code whose state it reads, only between two of its instructions. Volatile and compiler
 * fences are enough. */
#include "base/alarm.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid /* glibc does not define this name */
#endif

static struct {
    bool made;
    timer_t timer;
    void (*volatile action)(void); /* NULL: none */
    volatile int64_t end_ms;       /* when the action is due, clock_ms() */
} alarms;

/* Too early is a signal of the end before, which arrives while the timer is set anew. */
static void on_alarm(int signal)
{
    void (*action)(void) = alarms.action;
    int saved = errno;

    (void)signal;
    if (action && clock_ms() >= alarms.end_ms) {
        alarms.action = NULL;
        action();
    }
    errno = saved;
}

/* 0 disarms it. */
static void set_timer(int64_t at_ms)
{
    struct itimerspec when = {
        .it_value = {.tv_sec = at_ms / 1000, .tv_nsec = at_ms % 1000 * 1000000}};

    timer_settime(alarms.timer, TIMER_ABSTIME, &when, NULL);
}

bool alarm_make_timer(clockid_t clock, int signal, void (*handler)(int), timer_t *timer,
                      struct err *err)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = signal};

    event.sigev_notify_thread_id = gettid();
    sigemptyset(&action.sa_mask);
    if (sigaction(signal, &action, NULL) != 0)
        return err_set(err, CAUSE_OTHER, "alarm: sigaction: %s", strerror(errno));
    if (timer_create(clock, &event, timer) != 0)
        return err_set(err, CAUSE_OTHER, "alarm: timer_create: %s", strerror(errno));
    return true;
}

bool alarm_set(const struct deadline *deadline, void (*action)(void), struct err *err)
{
    if (!alarms.made)
        alarms.made =
            alarm_make_timer(CLOCK_BOOTTIME, SIGALRM, on_alarm, &alarms.timer, err);
    if (!alarms.made)
        return false;
    alarms.end_ms = deadline->end_ms > 0 ? deadline->end_ms : 1;
    atomic_signal_fence(memory_order_seq_cst);
    alarms.action = action; /* before the timer is set: it may fire at once */
    atomic_signal_fence(memory_order_seq_cst);
    set_timer(alarms.end_ms);
    return true;
}

void alarm_forked(void)
{
    alarms.made = false;
}

void alarm_clear(void)
{
    alarms.action = NULL;
    atomic_signal_fence(memory_order_seq_cst);
    if (alarms.made)
        set_timer(0);
}
