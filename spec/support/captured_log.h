/* captured_log.h -- what is written to stdout, kept for the spec that runs. */
#ifndef PIGEON_SPEC_CAPTURED_LOG_H
#define PIGEON_SPEC_CAPTURED_LOG_H

#include <stdbool.h>

#define LONGEST_WRITE (300 * 1024)

/* From here on stdout is a file in memory. False: the system refused it. */
bool captured_log_start(void);

/* The same, and next_write() reads it instead of logged(). */
bool captured_log_start_writes(void);

/* Gives stdout back. */
void captured_log_stop(void);

/* All that was written, cut where it is long. Valid until the next call. */
const char *logged(void);

void assert_logged(const char *words);

/* The bytes of the next write(2); "" where there was none. Valid until the next call. */
const char *next_write(void);

#endif
