/* check_broker.h -- what `pigeon check` examines beside the rules: variables and broker.
 */
#ifndef PIGEON_DESK_CHECK_BROKER_H
#define PIGEON_DESK_CHECK_BROKER_H

#include <stdbool.h>

#include "amqp/delivery.h"
#include "config.h"
#include "lua/script.h"

/* Checks the broker's variables. None set is right, too, unless `connect`, but for those
 * of TLS, which are always checked. False: err names what is wrong. */
bool check_broker_settings(struct config *config, bool connect, struct err *err);

/* Plain data, valid when zeroed. Owns the strings of its rows. */
struct queue_answers {
    struct queue_answer *rows;
    size_t count;
    const char *virtual_host; /* the delivery's; NULL: not to be shown */
    const char *user;
};

/* Connects, and asks for each of these queues, names with commas between them, and then
 * whether the broker takes messages; puts nothing into a queue. Where there are several
 * hosts, logs in at each. Fills in a row for each queue, one without a queue where the
 * broker takes no message, and one without a queue for each of several hosts. False: out
 * of memory; the answers are to be freed all the same. */
bool check_broker_queues(struct delivery *delivery, const char *queues,
                         struct queue_answers *answers, struct err *err);

void queue_answers_free(struct queue_answers *answers);

#endif
