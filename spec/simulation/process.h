/* process.h -- the program, as Lambda starts and ends it; several times in one life. */
#ifndef SIMULATION_PROCESS_H
#define SIMULATION_PROCESS_H

/* Beside exit statuses. */
#define PROCESS_KILLED 1000 /* by Lambda, between two events: a deploy */
#define PROCESS_STUCK 1001  /* by the simulation */

/* Runs the program from main() on, until it ends. */
int process_run(void);

/* Ends the program here. */
void process_end(int status) __attribute__((noreturn));

#endif
