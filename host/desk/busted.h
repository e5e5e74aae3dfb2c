/* busted.h -- runs specs of rules: busted, under Lua 5.4, with Pigeon's own modules. */
#ifndef PIGEON_DESK_BUSTED_H
#define PIGEON_DESK_BUSTED_H

#include "base/err.h"

/* Replaces the process by busted with these arguments. Returns only where that failed,
 * with the cause in err. */
bool busted_exec(int count, char *const *words, struct err *err);

#endif
