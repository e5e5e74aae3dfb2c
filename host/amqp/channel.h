/* channel.h -- the channel in confirm mode: what the broker sends on it.
 *
 * Acks and nacks settle publishes, a basic.return takes three frames, a close ends the
 * connection, connection.blocked is noted. For broker.c alone, which writes. Plain data.
 */
#ifndef PIGEON_AMQP_CHANNEL_H
#define PIGEON_AMQP_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "amqp/confirms.h"
#include "amqp/connection.h"
#include "amqp/returned.h"
#include "base/err.h"

struct channel {
    struct connection *connection; /* the broker's */
    int64_t used_ms;               /* when a frame was last read, clock_ms() */
    struct confirms confirms;
    struct returned returned;
    bool blocked; /* by connection.blocked, until connection.unblocked comes */
    struct err blocked_by;
};

enum channel_reading { CHANNEL_READ_FRAME, CHANNEL_READ_NOTHING, CHANNEL_READ_BROKEN };

/* Waits at most `ms` milliseconds for one frame and acts on it. Where the result is
 * CHANNEL_READ_BROKEN the connection cannot be used any more, and err has the cause.
 */
enum channel_reading channel_read(struct channel *channel, int64_t ms, struct err *err);

/* Acts on every frame that has already arrived. False: as CHANNEL_READ_BROKEN. */
bool channel_drain(struct channel *channel, struct err *err);

#endif
