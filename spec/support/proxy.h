/* proxy.h -- a TCP proxy on loopback that breaks connections as it is told.
 *
 * A process of its own, which ends with its parent, so that neither can hold up the
 * other. It obeys one-line commands, the same from C as from build/tools/proxy:
 *
 *   WHO DIRECTION FAULT   WHO:       next (the next connection), all (every one from now
 *                                    on), now (those that exist)
 *                         DIRECTION: up (to the target), down (from it), both
 *                         FAULT:     what happens once N bytes more have passed (0 where
 *                                    N is left out):
 *                           cut N       both ends are closed
 *                           reset N     both ends get a RST
 *                           half N      the receiver sees the end of the stream, the
 *                                       other direction goes on
 *                           stall N     nothing is read any more, all stays open
 *                           silence N   packets are dropped unacknowledged, as after a
 *                                       firewall forgot the flow
 *                         or how they pass, beside such a fault:
 *                           delay MS    each byte so much later
 *                           drip        one byte a write
 *                         or none: no fault
 *   refuse                connects are refused from now on
 *   blackhole             connects get no answer from now on
 *   listen                connects are accepted again
 *   window BYTES          new connections have a receive buffer so small, so that a
 *                         stall is felt sooner
 *   drop                  closes every connection
 *   fresh                 all as at the beginning: drop, no faults, counters at zero
 *   status                ok connections=N open=N struck=N up=BYTES down=BYTES
 *
 * Each answer is a line, "ok" or "error WHY"; what was asked is done by then. */
#ifndef PIGEON_PROXY_H
#define PIGEON_PROXY_H

#include <stdbool.h>
#include <stdint.h>

struct proxy;

struct proxy_status {
    unsigned long connections; /* accepted since the beginning, or since "fresh" */
    unsigned long open;
    unsigned long struck; /* faults that happened, each direction by itself */
    unsigned long up;     /* bytes passed on, of all connections */
    unsigned long down;
};

/* Starts one before 127.0.0.1:target_port. NULL: it could not be started. */
struct proxy *proxy_open(int target_port);

int proxy_port(const struct proxy *proxy);

/* Gives a command. False: it was not obeyed, and the answer on stderr says why. */
bool proxy_tell(struct proxy *proxy, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

struct proxy_status proxy_status(struct proxy *proxy);

/* Closes every connection and ends the process. */
void proxy_close(struct proxy *proxy);

#endif
