/* fake/delivery_neighbours.h -- replaces connector and broker, as host/amqp/delivery.c
 * knows them.
 *
 * The clock stands still (fake/clock.h) and is put forward by what takes time, so that
 * hours pass at once and every wait can be asserted exactly. Each call writes a word into
 * the diary:
 *
 *   connect:1   a connect to host number 1     publish:ac   with messages a and c
 *   login       over the connected socket      as:new       the password from now on
 *   sleep:50    milliseconds                   drop         the connection
 *   hang-up     of the connection */
#ifndef PIGEON_SPEC_FAKE_DELIVERY_NEIGHBOURS_H
#define PIGEON_SPEC_FAKE_DELIVERY_NEIGHBOURS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* The next publish gives the messages that have no fate these, a letter each: confirmed,
 * nacked, returned, or - for none. */
struct turn {
    const char *fates;
    const char *words; /* why the publish fails; NULL: it succeeds */
    int code;
    enum cause cause; /* CAUSE_OTHER: the one of the code */
    bool final;
    bool silent; /* the publish takes until its patience is over */
    int64_t takes_ms;
};

extern struct world {
    size_t hosts;
    const char *words[3]; /* why a connect to host number i fails; NULL: it succeeds */
    const char *login;    /* why a login fails */
    int code;             /* of that; 0: 403 */
    enum cause cause;     /* CAUSE_OTHER: the one of the code */
    const char *tls;      /* the name that the host's certificate must have */
    int64_t takes_ms[3];  /* of a connect; -1: the host is silent, it takes all */
    int64_t share_ms[3];  /* the time that a connect was given */
    bool connected;

    const struct turn *turn; /* of the next publish */
    int connects;            /* how many there were */
} world;

extern char diary[4096];

/* One host that can be connected to, an empty diary, a stopped clock. */
void world_begin(void);

/* Adds a word to the diary. */
void world_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
