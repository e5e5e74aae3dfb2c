/* alarm.h -- one timer: at the end of a deadline it calls a function that it was given.
 *
 * For what cannot be bounded otherwise: Lua (lua/watchdog.h), and a library that blocks
 * (net/guard.h). The process has one alarm, as it has one SIGALRM; its two users never
 * work at the same time. */
#ifndef PIGEON_BASE_ALARM_H
#define PIGEON_BASE_ALARM_H

#include <signal.h>
#include <stdbool.h>
#include <time.h>

#include "base/deadline.h"
#include "base/err.h"

/* From now on `action` is called once when the deadline has passed; at once where it has
 * passed already. It runs in a signal handler, on the thread that first called this: only
 * async-signal-safe calls. False: the timer could not be made. */
bool alarm_set(const struct deadline *deadline, void (*action)(void), struct err *err);

/* Nothing is called any more, until the next alarm_set(). */
void alarm_clear(void);

/* In the child of a fork, which has no timer of its parent's. */
void alarm_forked(void);

/* Makes a POSIX timer on `clock` whose `signal` goes to `handler` on this thread. False:
 * err says which call failed. */
bool alarm_make_timer(clockid_t clock, int signal, void (*handler)(int), timer_t *timer,
                      struct err *err);

#endif
