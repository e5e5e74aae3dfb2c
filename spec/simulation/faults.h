/* faults.h -- what goes wrong, when, and for how long. */
#ifndef SIMULATION_FAULTS_H
#define SIMULATION_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

struct end;

enum fault {
    CONNECTIONS_RESET,
    CONNECTIONS_CLOSED, /* 320 CONNECTION_FORCED */
    BLACK_HOLE,
    NETWORK_HOLDS,
    HOST_REFUSED,
    HOST_IS_SILENT,
    NO_ACKS,
    NACKS,
    NACKS_BRIEFLY,
    CHANNEL_NACKS, /* for as long as it lives */
    QUEUE_GONE,
    EXCHANGE_GONE,
    NO_PERMISSION,
    MEMORY_ALARM,
    PASSWORD_CHANGED,
    LOOKUPS_FAIL,
    LOOKUPS_HANG,
    BROKER_FROZEN,
    HOST_FROZEN, /* the first one alone; its kernel goes on */
    BROKER_CRASHES,
    VHOST_DOWN,
    AWS_LATER_ON,
    BROKER_DOES_NOT_READ,
    PUBLISH_RESETS,
    TLS_REFUSED,
    TLS_STALLS,
    CONNECTION_LIMIT,
    FAULTS
};

const char *fault_name(enum fault fault);

/* How many of this kind are there now. */
int fault_active(enum fault fault);

/* Whether no fault will come any more. */
bool faults_over(void);

/* Plans what comes at any time, and the end of all faults. */
void faults_begin(void);

/* Perhaps a fault or two in this event. */
void faults_at_event(int number, int64_t timeout);

/* Perhaps this new connection will be cut. */
void faults_at_connection(struct end *end);

/* Once in the calm at the end of some lives: after this publish the connection breaks, or
 * the broker takes no more for a second. */
void faults_at_publish(struct end *end);

/* Whether this broker does not read now. */
bool faults_stall(const struct end *end);

/* Counts one that is not of the kinds above, and says whether it is left out. */
bool faults_leave_out(void);
int faults_count(void);

#endif
