/* cpu_clock.h -- the clock of CPU time that a rules script's hook looks at stands still:
 * for the specs of rules that use all of another limit. The watchdog's is another one. */
#ifndef PIGEON_SPEC_FAKE_CPU_CLOCK_H
#define PIGEON_SPEC_FAKE_CPU_CLOCK_H

#include <time.h>

clock_t clock(void);

#endif
