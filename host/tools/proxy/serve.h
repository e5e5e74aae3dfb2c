/* serve.h -- the fault proxy itself: a TCP proxy on loopback that breaks connections by
 * command, a line each:
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
 * Each answer is a line, "ok" or "error WHY"; the command is done by then. */
#ifndef PIGEON_TOOLS_PROXY_SERVE_H
#define PIGEON_TOOLS_PROXY_SERVE_H

struct proxy_status {
    unsigned long connections; /* accepted since the beginning, or since "fresh" */
    unsigned long open;
    unsigned long struck; /* faults that happened, each direction by itself */
    unsigned long up;     /* bytes passed on, of all connections */
    unsigned long down;
};

/* Writes its port as a line to `out`, obeys the commands that come from `in`, and
 * returns an exit status when they end. */
int proxy_serve(int target_port, int in, int out);

#endif
