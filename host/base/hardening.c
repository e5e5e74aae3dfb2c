/* hardening.c -- a name for the level of FORTIFY at which this archive was compiled.
 *
 * glibc has the level that is in force: 0 without optimization, whatever was asked for.
 * What it checks has the same names at each level, so bin/build/check-binary looks for
 * this one. Nothing refers to it, so it is not in the program. */
#include <features.h>

#define JOINED(name, level) name##level
#define OF_LEVEL(level) JOINED(fortify_level_, level)

extern const char OF_LEVEL(__USE_FORTIFY_LEVEL);
const char OF_LEVEL(__USE_FORTIFY_LEVEL) = 0;
