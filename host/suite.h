/* suite.h -- runs specs of rules: busted, under Lua 5.4, with Pigeon's own modules. */
#ifndef PIGEON_SUITE_H
#define PIGEON_SUITE_H

#include "err.h"

/* Becomes busted with these words as its arguments. Returns only where that failed, and
 * err says why. */
bool suite_exec(int count, char *const *words, struct err *err);

#endif
