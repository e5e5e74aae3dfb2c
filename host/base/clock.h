/* clock.h -- the clocks of deadlines and durations. The time of day in a log line or a
 * message is read there. */
#ifndef PIGEON_BASE_CLOCK_H
#define PIGEON_BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds of CLOCK_BOOTTIME, which goes on while the sandbox is frozen. For every
 * deadline and pause. */
int64_t clock_ms(void);

/* Microseconds of CLOCK_MONOTONIC, to measure how long something took. */
int64_t clock_us(void);

/* Milliseconds since 1970 (CLOCK_REALTIME), as Lambda-Runtime-Deadline-Ms counts. */
int64_t clock_unix_ms(void);

#endif
