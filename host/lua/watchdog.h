/* watchdog.h -- ends the process when Lua cannot be bounded otherwise (a pattern that
 * backtracks, a huge sort, an event that is made to be slow).
 *
 * Ten ticks of 100 ms of CPU on one object, or the end of the deadline by the clock,
 * write one line that names script, line and key, and _exit(1). The event comes again.
 * One per process, as the alarm (base/alarm.h) is. */
#ifndef PIGEON_LUA_WATCHDOG_H
#define PIGEON_LUA_WATCHDOG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/deadline.h"
#include "base/err.h"

/* Watches from now on until watchdog_stop(). False: the timers could not be made. */
bool watchdog_start(const struct deadline *deadline, struct err *err);

/* The next piece of work: an object's key, or "(loading)". Nothing is copied: both must
 * stay until the next call or watchdog_stop(). */
void watchdog_watch(const char *script, const char *label, size_t label_len);
void watchdog_stop(void);

/* This piece of work may take so many seconds of CPU, in place of one. */
void watchdog_allow(int seconds);

/* One more log line to write when the watchdog ends the process; NULL: none. Not copied.
 */
void watchdog_add(const char *line);

/* In the child of a fork, before anything else here: timers are not inherited, so the
 * next watchdog_start() makes new ones. */
void watchdog_forked(void);

/* Writes `form` (256 bytes at most) to `fd` in place of a log line; with `json` what its
 * letters stand for is the inside of JSON strings. NULL: a log line again. Not copied.
 *
 *   %s  the script            %w  what happened: "kept the processor for 1 s"
 *   %l  ":4", its line        %h  ": ...", what may help
 *   %n  ",\"line\":4"          %k  the key
 *   %c  a comma, where a sentence goes on after %w
 *
 * Lines that are not known leave nothing. */
void watchdog_say(const char *form, int fd, bool json);

#endif
