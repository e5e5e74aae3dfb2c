/* fake/clock.h -- replaces clock_gettime() and nanosleep() of libc.
 *
 * While fake_clock is all zeros, both do what libc's do. */
#ifndef PIGEON_SPEC_FAKE_CLOCK_H
#define PIGEON_SPEC_FAKE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

extern struct fake_clock {
    int64_t stopped_us; /* what every clock shows; 0: the clocks run */
    int64_t ahead_ms;   /* how far CLOCK_BOOTTIME is ahead while the clocks run */
    int64_t step_ms;    /* each reading of CLOCK_BOOTTIME adds this to ahead_ms */

    /* A sleep puts a stopped clock forward at once, and calls this, where it is set. */
    void (*slept)(int64_t us);
    bool interrupt_sleep; /* by a signal, in the middle of the next sleep */
} fake_clock;

#endif
