/* names.h -- look-ups work, fail, or do not end. */
#ifndef SIMULATION_NAMES_H
#define SIMULATION_NAMES_H

enum names_mode { NAMES_WORK, NAMES_FAIL, NAMES_HANG };

extern enum names_mode names_mode;

/* What was asked by a process that ended is forgotten. */
void names_process_ends(void);

#endif
