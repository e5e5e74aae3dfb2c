/* guard.h -- shuts a socket down at the deadline, because a library may block on it for
 * ever (amqp_basic_publish(): https://github.com/alanxz/rabbitmq-c/issues/519).
 *
 * One socket at a time, in a process that has one alarm (base/alarm.h). */
#ifndef PIGEON_NET_GUARD_H
#define PIGEON_NET_GUARD_H

#include <stdbool.h>

#include "base/deadline.h"
#include "base/err.h"

/* Shuts `fd` down, both ways, when the deadline has passed; guard_stop() takes that back.
 * False: the timer could not be made, and nothing guards the socket. */
bool guard_start(int fd, const struct deadline *deadline, struct err *err);
void guard_stop(void);

/* Whether the socket was shut down since the last guard_start(). */
bool guard_fired(void);

#endif
