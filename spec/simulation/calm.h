/* calm.h -- the oracle's rules that depend on faults: what calm is, and what is due in
 * it. */
#ifndef SIMULATION_CALM_H
#define SIMULATION_CALM_H

#include <stdbool.h>

#include "events.h"

void calm_event_begins(void);
/* Whether a queue or an exchange that is gone is all that keeps messages from being
 * done. */
bool calm_but_for_destinations(void);
/* Whether no fault keeps this message of the event from being done. */
bool calm_has_to_work(const struct message *message);
/* Whether nothing speaks against a connection to this host. */
bool calm_is_quiet(int host);
void calm_event_ends(const struct event *event, bool failed, const char *body);
void calm_publishes(void);
void calm_waits(void);
void calm_process_begins(void);

#endif
