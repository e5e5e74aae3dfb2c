/* exceptions.h -- behaviour of host/ that is known to break a rule of the oracle, by name
 * and with its reason. Take one out when host/ no longer needs it. */
#ifndef SIMULATION_EXCEPTIONS_H
#define SIMULATION_EXCEPTIONS_H

#include <stdbool.h>

enum exception {
    /* After a 403 a silent host takes the time in which AWS should be asked, and a
     * refresh that had no time to ask starts its minute all the same (secrets_refresh).
     * So events may
     * fail for 90 s after a changed password, not for 12 s, and while a host is silent.
     */
    REFRESH_COMES_LATE,
    /* The address that worked is not remembered, so a dead one in front of it costs its
     * share of the time at each connect (connector_connect). So there is no bound on time
     * in calm. */
    ADDRESS_FORGOTTEN,
    /* A broker that stands still while its kernel goes on is noticed at the deadline
     * alone (broker_publish). So an event may fail although another host works. */
    STILL_BROKER_UNNOTICED,
    /* What has arrived behind connection.blocked is thrown away (read_frame). So messages
     * that were acked may be reported as failed. */
    ACKS_BEHIND_BLOCKED,
    /* Every host gets the refused password, and each later round for nacks may connect
     * anew (connect_any, delivery_publish). So an event may have 8 connects for each
     * address, twice that with secrets in AWS, in place of 4. */
    MANY_CONNECTS,
    EXCEPTIONS
};

/* Whether the rule still makes this exception. */
bool excepted(enum exception exception);

/* "all" or a name: it is taken out for this run. False: there is no such name. */
bool exception_take_out(const char *name);

#endif
