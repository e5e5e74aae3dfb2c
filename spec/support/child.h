/* child.h -- work in a child process, and how the child ended: for the specs of what ends
 * its process or interrupts its calls. */
#ifndef PIGEON_SPEC_CHILD_H
#define PIGEON_SPEC_CHILD_H

#include <stddef.h>

#include "base/deadline.h"
#include "lua/watchdog.h"

struct end {
    int status;      /* the exit status */
    char said[4096]; /* what the child wrote to stdout */
};

/* Does the work in a child, which ends with 0 when the work is done. A child that hangs
 * is killed after a minute. */
struct end run_child(void (*work)(void));

/* Starts this program again with these two arguments, as a child. EMULATOR is the program
 * that runs it where it is for another processor (bin/test). */
struct end run_again(const char *first, const char *second);

/* ------------------------------------------------------------- in the child */

struct deadline soon(void);
struct deadline far(void);

/* The watchdog watches the rules at this key; NULL: no label. Where it cannot be started
 * the child ends with 9. */
void start_watching(struct deadline deadline, const char *key, size_t len);

void sleep_ms(long ms);

#endif
