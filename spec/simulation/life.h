/* life.h -- one seed from the first start of the program to its last end, in a process of
 * its own. */
#ifndef SIMULATION_LIFE_H
#define SIMULATION_LIFE_H

#include <stdint.h>

#include "oracle.h"
#include "trace.h"

struct life {
    bool ended; /* else the process died */
    struct trace trace;
    struct counts counts;
    int64_t ms; /* of virtual time */
};

/* Lives it, and prints the story where `aloud`. What was seen stays until the next one.
 */
const struct life *life_live(uint64_t seed, bool aloud);

#endif
