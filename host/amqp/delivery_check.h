/* delivery_check.h -- examines a delivery for `pigeon check`, and puts nothing into a
 * queue.
 *
 * In the order in which they are called: the settings, the secrets, each queue, whether
 * the broker takes messages, and each host. */
#ifndef PIGEON_AMQP_DELIVERY_CHECK_H
#define PIGEON_AMQP_DELIVERY_CHECK_H

#include "amqp/delivery.h"

/* Examines PIGEON_HOST, the TLS files and the references to AWS, after config_check().
 * Makes no connection. False: err names the variable. */
bool delivery_check(const struct config *config, struct err *err);

/* Resolves the secrets. False: err has the answer of AWS. */
bool delivery_check_secrets(struct delivery *delivery, const struct deadline *deadline,
                            struct err *err);

/* Connects where there is no connection, and asks for the queue. False: err has the
 * broker's answer, without the secrets. */
bool delivery_check_queue(struct delivery *delivery, const char *queue,
                          const struct deadline *deadline, struct err *err);

/* Connects where there is no connection, and publishes a message that the broker has to
 * return, since no queue has its routing key: only then does the broker say that it
 * takes no messages, or none of this user. False: it did not come back, or err has the
 * broker's answer, without the secrets. */
bool delivery_check_publish(struct delivery *delivery, const struct deadline *deadline,
                            struct err *err);

/* How many hosts PIGEON_HOST has, and "host:port" of number i, from 0. */
size_t delivery_check_hosts(const struct delivery *delivery);
const char *delivery_check_label(const struct delivery *delivery, size_t i);

/* Logs in at host number i, over a new connection, after a connect to any of them. False:
 * err has the host and what it answers, without the secrets. */
bool delivery_check_host(struct delivery *delivery, size_t i,
                         const struct deadline *deadline, struct err *err);

/* A value of the login that may be shown; NULL: it is a reference to AWS. */
const char *delivery_check_name(const struct delivery *delivery, enum secret which);

#endif
