/* log_output.h -- where the log's bytes go: stdout, whose reader may be slow or gone.
 *
 * Usually a write waits for the reader as long as it takes. With a deadline it waits for
 * half of what is left at most, so that there is always time left for the work itself,
 * and once it has waited in vain it waits no more until the reader is back: what cannot
 * be written then is lost. One per process, as the log is. Async-signal-safe. */
#ifndef PIGEON_BASE_LOG_OUTPUT_H
#define PIGEON_BASE_LOG_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/deadline.h"

/* From now on; NULL: a write waits as long as it takes (until this is called). Copied. */
void log_output_deadline(const struct deadline *deadline);

/* Writes lines, by one write(2) where there is no deadline or they fit into a pipe's
 * page. False: some of them are lost. */
bool log_output(const char *lines, size_t len);

/* The same for a process that is about to end: it waits for a tenth of a second. */
void log_output_last(int fd, const char *lines, size_t len);

/* Whether a write would not have to wait. */
bool log_output_ready(void);

#endif
