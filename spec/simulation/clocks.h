/* clocks.h -- the program's clocks, timers, signals and waits, in virtual time. */
#ifndef SIMULATION_CLOCKS_H
#define SIMULATION_CLOCKS_H

#include <stdbool.h>
#include <stdint.h>

/* A call costs a little time; a signal that is pending is delivered at its end. */
void clocks_call(void);

/* The program works for so long, and a signal may come behind it. */
void clocks_work(int64_t takes);

/* Waits until `ready` gives something else than 0 (that), a signal comes (-1, EINTR), or
 * it is `end` (0). */
int clocks_wait(int64_t end, int (*ready)(void *), void *what);

/* Milliseconds since 1970. */
int64_t clocks_unix_ms(void);

/* The sandbox is frozen: no signal comes, and CLOCK_MONOTONIC may stand still. */
void clocks_freeze(void);
void clocks_thaw(void);
bool clocks_frozen(void);

/* The wait that comes next is for a broker: it has to end by itself or by the alarm. */
void clocks_wait_for_broker(void);

/* The program is ended at its next call: Lambda kills it. */
void clocks_kill(void);
void clocks_process_begins(void);

#endif
