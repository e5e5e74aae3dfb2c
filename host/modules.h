/* modules.h -- what bin/embed writes at build time: the Lua of lua/pigeon, and which
 * Debian packages the program was linked with. */
#ifndef PIGEON_MODULES_H
#define PIGEON_MODULES_H

#include <stddef.h>

struct module {
    const char *name;           /* what require() calls it: "pigeon.queues" */
    const unsigned char *bytes; /* the file as it is */
    size_t len;
};

/* Ended by a module whose name is NULL. */
extern const struct module modules[];

/* A line for each: package and version. */
extern const char built_with[];

#endif
