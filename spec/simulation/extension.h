/* extension.h -- the Extensions API
 * (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html), and what
 * goes wrong on its socket. */
#ifndef SIMULATION_EXTENSION_H
#define SIMULATION_EXTENSION_H

#include <stdbool.h>

struct end;

void extension_process_begins(void);

/* Whether this connect to the API is the extension's, and refused. */
bool extension_refuses_connect(void);

/* A whole request; false: it is not one to this API. */
bool extension_hears(struct end *end, const char *head, const char *body);

/* Whether Lambda waits for it: it has registered, and not asked for its event. */
bool extension_holds_up(void);

void extension_lost(struct end *end);

#endif
