/* deadline.h -- what is left of this invocation, and who ends what cannot be bounded.
 *
 * One deadline is handed down to every wait. Time is CLOCK_BOOTTIME in milliseconds,
 * which a frozen sandbox cannot stop. The watchdog ends the process when one object
 * keeps the processor for a second, or when the deadline passes inside Lua; the guard
 * shuts a socket down at the deadline, because amqp_basic_publish() can block for ever.
 * Watchdog and guard are one of each per process, as timers and signals are. */
#ifndef PIGEON_BASE_DEADLINE_H
#define PIGEON_BASE_DEADLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct deadline {
    int64_t start_ms; /* when the invocation began, clock_ms() */
    int64_t end_ms;   /* when the last wait has to be over */
};

/* Milliseconds of CLOCK_BOOTTIME. */
int64_t clock_ms(void);

/* Microseconds of a clock that only moves forward, to measure how long something took. */
int64_t clock_us(void);

/* Milliseconds since 1970 (CLOCK_REALTIME), as Lambda-Runtime-Deadline-Ms counts. */
int64_t clock_unix_ms(void);

/* A deadline `ms` from now, without a margin. */
struct deadline deadline_in(int64_t ms);

/* The deadline of an invocation that Lambda ends at unix_ms: less a margin of a tenth
 * of what is left, 300 ms at least and 5 s at most, kept for the answer. 0, a missing
 * header, is "in 15 minutes", Lambda's longest timeout. */
struct deadline deadline_of_invocation(int64_t unix_ms);

/* Milliseconds left, 0 when it has passed. */
int64_t deadline_left_ms(const struct deadline *deadline);

/* The earlier of the two: `ms` from now, or `deadline`. */
struct deadline deadline_within(const struct deadline *deadline, int64_t ms);

/* Whether more than half of the time has been spent. */
bool deadline_half_spent(const struct deadline *deadline);

/* Whether more than a third of the time is left. */
bool deadline_third_left(const struct deadline *deadline);

/* Starts to watch Lua: from now until watchdog_stop() each 100 ms of CPU is a tick, and
 * ten ticks on one object, or the end of `deadline` by the clock, write one line that
 * names script and key to stdout and _exit(1). False: the timers could not be made. */
bool watchdog_start(const struct deadline *deadline, struct err *err);

/* The next piece of work: an object's key, or a load ("loading"). Nothing is copied:
 * both must stay until the next call or watchdog_stop(). */
void watchdog_watch(const char *script, const char *label, size_t label_len);
void watchdog_stop(void);

/* One log line more for it to say at the end of the process, while it does not watch;
 * NULL: none. It is not copied. */
void watchdog_add(const char *line);

/* Says it otherwise than in a log line: `form`, of 256 bytes at most, to `fd`, with
 * script, reason and key for its three "%s"; as parts of JSON strings, where it is JSON.
 * NULL: a log line again. It is not copied. */
void watchdog_say(const char *form, int fd, bool json);

/* Shuts `fd` down, both ways, when the deadline has passed; guard_stop() takes it back.
 * guard_fired() tells whether it did since the last guard_start(). */
bool guard_start(int fd, const struct deadline *deadline, struct err *err);
void guard_stop(void);
bool guard_fired(void);

#endif
