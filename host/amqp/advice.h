/* advice.h -- what an operator should do about a failure; pure.
 *
 * The situations, and RabbitMQ's own words for them:
 * https://www.rabbitmq.com/docs/access-control, /docs/alarms, /docs/connections. */
#ifndef PIGEON_AMQP_ADVICE_H
#define PIGEON_AMQP_ADVICE_H

/* The next step after a failure of this stage, AMQP reply code (0: none) and cause: a
 * constant, one clause without a full stop. */
const char *advice_for(const char *stage, int code, const char *cause);

#endif
