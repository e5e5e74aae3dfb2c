/* deadline.c -- deadlines are two numbers; who interrupts a wait at their end is alarm.c.
 */
#include "base/deadline.h"

#define LONGEST_TIMEOUT_MS (15 * 60 * 1000) /* of a Lambda function */
#define MARGIN_MIN_MS 300                   /* kept for the answer */

struct deadline deadline_in(int64_t ms)
{
    int64_t now = clock_ms();

    return (struct deadline){.start_ms = now, .end_ms = now + ms};
}

struct deadline deadline_of_invocation(int64_t unix_ms)
{
    int64_t left = unix_ms > 0 ? unix_ms - clock_unix_ms() : LONGEST_TIMEOUT_MS;
    int64_t margin = left / 10;
    if (margin < MARGIN_MIN_MS)
        margin = MARGIN_MIN_MS;
    if (margin > DEADLINE_MARGIN_MAX_MS)
        margin = DEADLINE_MARGIN_MAX_MS;
    return deadline_in(left > margin ? left - margin : 0);
}

int64_t deadline_left_ms(const struct deadline *deadline)
{
    int64_t left = deadline->end_ms - clock_ms();

    return left > 0 ? left : 0;
}

struct deadline deadline_within(const struct deadline *deadline, int64_t ms)
{
    struct deadline soon = deadline_in(ms);

    return soon.end_ms < deadline->end_ms ? soon : *deadline;
}

bool deadline_half_spent(const struct deadline *deadline)
{
    int64_t now = clock_ms();

    return now >= deadline->end_ms || now - deadline->start_ms > deadline->end_ms - now;
}

bool deadline_third_left(const struct deadline *deadline)
{
    return deadline_left_ms(deadline) > (deadline->end_ms - deadline->start_ms) / 3;
}
