/* schedule.h -- virtual time, and what is due when. */
#ifndef SIMULATION_SCHEDULE_H
#define SIMULATION_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#define MS 1000000LL
#define SECOND 1000000000LL

extern int64_t now; /* nanoseconds since the life began */

void schedule_at(int64_t when, void (*act)(void *, int64_t), void *what, int64_t number);

/* Runs the next thing that is due by `limit`. False: there is none, and it is `limit`. */
bool schedule_step(int64_t limit);
void schedule_run(int64_t until);
bool schedule_empty(void);

#endif
