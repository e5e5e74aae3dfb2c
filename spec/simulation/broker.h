/* broker.h -- RabbitMQ, as a publisher meets it.
 *
 * broker.c has the connection, publishes.c what a publish leads to, confirming.c acks and
 * nacks. Sources are RabbitMQ's own files in deps/rabbit/src, as of 3.10.8. */
#ifndef SIMULATION_BROKER_H
#define SIMULATION_BROKER_H

#include <stdbool.h>
#include <stdint.h>

#include "pile.h"

struct end;

#define PASSWORD_MARK "s3cret"
#define FIRST_PASSWORD PASSWORD_MARK "1"
#define PASSWORD_BYTES 24

extern char broker_password[PASSWORD_BYTES];

enum session_state {
    AWAITS_HELLO, /* of TLS */
    AWAITS_HEADER,
    AWAITS_START_OK,
    AWAITS_TUNE_OK,
    AWAITS_OPEN,
    IS_OPEN
};

enum outcome { OUTCOME_ACK, OUTCOME_NACK, OUTCOME_RETURN };

struct pending {
    uint64_t tag;
    int item;
    enum outcome outcome;
    bool settled, stored;
    int64_t ready; /* when it may be settled */
};

/* A publish whose frames are coming. */
struct publish {
    bool open, mandatory;
    uint64_t size;
    char exchange[256], routing_key[256];
    struct pile header, body;
};

struct session {
    struct end *end;
    enum session_state state;
    bool confirms, channel_open, closing, blocked, published, nacks_all, settling;
    bool ignored; /* beyond the limit of connections */
    int64_t heard_at;
    uint64_t tags;
    struct publish publish;
    struct pending *pending;
    size_t pending_count, pending_capacity, pending_first;
    /* acks that were written: of which item, and where in the stream they end */
    struct written {
        uint64_t end;
        int item;
    } * acks;
    size_t acks_count, acks_capacity, acks_read;
};

/* broker.c: the network's side */
void broker_accepts(struct end *end);
void broker_hears(struct end *end);
void broker_loses_client(struct end *end);
void broker_was_read(struct end *end, uint64_t bytes);

/* broker.c: what faults do */
void broker_forces_close(struct end *end);
void broker_blocks(struct end *end);
void broker_goes_on(struct end *end);
bool broker_stands_still(const struct end *end);
bool broker_is_blocked(const struct end *end);
void broker_crashes(void);

/* broker.c, for the other two */
void broker_close_channel(struct session *session, unsigned code, const char *text);
void broker_close_connection(struct session *session, unsigned code, const char *text);

/* publishes.c: one whole publish came. */
void publish_arrived(struct session *session);

/* confirming.c */
/* Acks what waits, now. */
void confirming_hurry(struct session *session);
void confirming_add(struct session *session, struct pending pending);
void confirming_store(struct pending *pending);
void confirming_lose(struct session *session);

#endif
