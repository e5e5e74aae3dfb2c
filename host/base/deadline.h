/* deadline.h -- how much time is left of this invocation: pure arithmetic.
 *
 * One deadline is handed down to every wait, and nothing in Pigeon waits past it. Times
 * are milliseconds of clock_ms(). Plain data. */
#ifndef PIGEON_BASE_DEADLINE_H
#define PIGEON_BASE_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

/* The most that a deadline keeps back for the answer. */
#define DEADLINE_MARGIN_MAX_MS 5000

struct deadline {
    int64_t start_ms; /* when the invocation began, clock_ms() */
    int64_t end_ms;   /* when the last wait has to be over */
};

/* A deadline `ms` milliseconds from now, without a margin. */
struct deadline deadline_in(int64_t ms);

/* The deadline of an invocation that Lambda ends at unix_ms: less a margin of a tenth
 * of what is left, 300 ms at least and 5 s at most, kept for the answer. 0 (the header is
 * missing) means "in 15 minutes", Lambda's longest timeout. */
struct deadline deadline_of_invocation(int64_t unix_ms);

/* Milliseconds left, 0 when it has passed. */
int64_t deadline_left_ms(const struct deadline *deadline);

/* The earlier of the two: `ms` milliseconds from now, or `deadline`. */
struct deadline deadline_within(const struct deadline *deadline, int64_t ms);

/* Whether more than half of the time has been spent. */
bool deadline_half_spent(const struct deadline *deadline);

/* Whether more than a third of the time is left. */
bool deadline_third_left(const struct deadline *deadline);

#endif
