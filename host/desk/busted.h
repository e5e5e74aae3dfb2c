/* busted.h -- runs specs of rules: busted, under Lua 5.4, with Pigeon's own modules. */
#ifndef PIGEON_DESK_BUSTED_H
#define PIGEON_DESK_BUSTED_H

#include "base/err.h"

/* Becomes busted with these words as its arguments. Returns only where that failed, and
 * err says why. */
bool busted_exec(int count, char *const *words, struct err *err);

#endif
