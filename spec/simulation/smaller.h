/* smaller.h -- makes a seed that fails smaller. */
#ifndef SIMULATION_SMALLER_H
#define SIMULATION_SMALLER_H

#include <stdbool.h>
#include <stdint.h>

/* Leaves out what the failure does not need, and prints what is left and how to see it.
 * False: the seed does not fail. */
bool smaller_make(uint64_t seed, const char *program);

#endif
