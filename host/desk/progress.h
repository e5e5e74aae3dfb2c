/* progress.h -- how far a long run of the desk is, on stderr where that is a terminal.
 *
 * One line that is redrawn at most ten times a second. Plain data; nothing is
 * owned. */
#ifndef PIGEON_DESK_PROGRESS_H
#define PIGEON_DESK_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool shown;
    int64_t total;    /* bytes of the input, 0: not known */
    int64_t start_us; /* clock_us() */
    int64_t drawn_us;
};

void progress_open(struct progress *progress, int64_t total);

/* How many bytes were read, and how many objects are done. */
void progress_show(struct progress *progress, int64_t bytes, int64_t objects);

/* Wipes the line. */
void progress_close(struct progress *progress);

#endif
