/* modules.h -- what bin/build/embed writes at build time: the Lua of lua/pigeon,
 * compiled, and which Debian packages the program was linked with. */
#ifndef PIGEON_LUA_MODULES_H
#define PIGEON_LUA_MODULES_H

#include <stddef.h>

struct module {
    const char *name;           /* for require(): "pigeon.settings.queues" */
    const unsigned char *bytes; /* string.dump() of the file, with its lines */
    size_t len;
};

/* Ended by a module whose name is NULL. */
extern const struct module modules[];

/* A line for each: package and version. */
extern const char built_with[];

#endif
