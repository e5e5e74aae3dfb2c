/* lambda.h -- the Runtime API, the sources of events with their retries, freezes,
 * SIGTERM, deploys. */
#ifndef SIMULATION_LAMBDA_H
#define SIMULATION_LAMBDA_H

#include <stdbool.h>

struct end;

void lambda_hears(struct end *end);
void lambda_lost(struct end *end);
void lambda_process_begins(void);

/* Now events may come. */
void lambda_extension_asks(void);

/* Whether Lambda starts another process, after some time. */
bool lambda_process_ended(int status);

#endif
