/* check_broker.h -- what `pigeon check` examines beside the rules: variables and broker.
 */
#ifndef PIGEON_DESK_CHECK_BROKER_H
#define PIGEON_DESK_CHECK_BROKER_H

#include <stdbool.h>

#include "amqp/delivery.h"
#include "base/buffer.h"
#include "config.h"

/* Checks the broker's variables. None set is right, too, unless `connect`. False: err
 * names what is wrong. */
bool check_broker_settings(struct config *config, bool connect, struct err *err);

/* Connects, and asks for each of these queues, names with commas between them; publishes
 * nothing. Appends to `found` for each queue a word, "ok" or "fault", its name, and the
 * broker's answer, a zero byte behind each. A queue that the user may not ask for counts
 * as ok. */
bool check_broker_queues(struct delivery *delivery, const char *queues,
                         struct buffer *found, struct err *err);

#endif
