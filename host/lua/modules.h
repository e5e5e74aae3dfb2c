/* modules.h -- what bin/build/embed writes at build time: the Lua of lua/pigeon,
 * compiled, and what bin/build/sbom wrote of the Debian packages that the program was
 * linked with. */
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

/* A line for each: package, version and, where it is known, the date of its changelog. */
extern const unsigned char built_with[];

/* The files sbom.cdx.json and LICENSES of the zip. */
extern const unsigned char sbom[], licenses[];

#endif
