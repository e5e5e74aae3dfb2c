/* peer.h -- a scripted AMQP broker for specs: a thread on 127.0.0.1, one connection at a
 * time.
 *
 * A script is called for each connection, and hears and says frames in the order that its
 * case needs. What it says goes out in one write, before it hears or waits, and at its
 * end; then the connection is closed. Once the client has gone, or the peer is being
 * stopped, every verb returns false at once, so a script need not look. What was heard
 * may be read after peer_stop(). */
#ifndef PIGEON_PEER_H
#define PIGEON_PEER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct session;

struct published {
    unsigned session; /* the number of the connection, from 0 */
    char exchange[256];
    char routing_key[256];
    char content_type[256];
    char message_id[256];
    char app_id[256];
    unsigned char headers[256]; /* the table as it was sent, with its length */
    size_t headers_len;
    bool mandatory;
    int delivery_mode;
    uint64_t timestamp;
    unsigned char header[1024]; /* the payload of its header frame, for a return */
    size_t header_len;
    char *body;
    size_t body_len;
};

struct peer {
    int port;
    unsigned connects;
    struct published *heard; /* on all connections, in order */
    size_t count;
    unsigned char start_ok[2048]; /* the arguments of the last one */
    size_t start_ok_len;
    unsigned char tune_ok[8];
    uint32_t last_method; /* class << 16 | method */

    /* private */
    size_t capacity; /* of heard */
    void (*script)(struct session *session);
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    int listener;
    int fd; /* the connection, -1: none */
    bool stopping;
};

/* NULL: the system refused a socket or a thread. */
struct peer *peer_start(void (*script)(struct session *session));
void peer_stop(struct peer *peer);
void peer_free(struct peer *peer); /* stops it, too */

/* ---------------------------------------------------------- verbs of a script */

struct session {
    struct peer *peer;
    unsigned number; /* 0: the peer's first connection */
    size_t slice;    /* 0, or how many bytes a write may have */
    size_t before;   /* publishes heard on earlier connections */
    bool gone;
    unsigned char *out; /* what was said and not yet written */
    size_t out_len;
    size_t out_capacity;
};

/* What a client says until it may publish. Each step is heard after everything before it
 * was answered. */
enum step {
    STEP_HEADER,
    STEP_START_OK,
    STEP_OPEN,
    STEP_CHANNEL_OPEN,
    STEP_CONFIRM_SELECT,
    STEP_READY, /* all of it, and the answer to confirm.select */
};

/* Answers the steps of a login before `last`, and hears `last`. */
bool peer_log_in(struct session *session, enum step last);

/* Hears frames until this method; heartbeats and publishes are heard on the way. A
 * connection.close is answered, and then the client has gone. */
bool peer_hear(struct session *session, int class_id, int method_id);

/* Hears `count` publishes more. */
bool peer_hear_publishes(struct session *session, size_t count);

/* The publish that got this delivery tag; NULL: it was not heard. Valid until the next is
 * heard. */
const struct published *peer_published(struct session *session, uint64_t tag);

/* Whether nothing comes for `ms`. */
bool peer_hears_nothing(struct session *session, int ms);

/* Hears, and says nothing, until the client goes. */
void peer_silence(struct session *session);

/* Reads nothing more, until the client goes, the peer is stopped, or a minute is over. */
void peer_stall(struct session *session);

/* Says heartbeats as fast as it can, as long. */
void peer_flood(struct session *session);

void peer_say_bytes(struct session *session, const void *bytes, size_t len);
void peer_say_frame(struct session *session, int type, int channel, const void *payload,
                    size_t len);

/* The arguments by letters: o octet, s short, l long, L long long (uint64_t), S short
 * string, T long string or table. */
void peer_say_method(struct session *session, int channel, int class_id, int method_id,
                     const char *arguments, ...);

void peer_say_ack(struct session *session, uint64_t tag, bool multiple);
void peer_say_nack(struct session *session, uint64_t tag, bool multiple);
void peer_say_return(struct session *session, uint64_t tag, int code, const char *text);
void peer_say_close(struct session *session, int code, const char *text);
void peer_say_channel_close(struct session *session, int code, const char *text);
void peer_say_blocked(struct session *session, const char *reason);
void peer_say_heartbeat(struct session *session);

/* Writes what was said. */
bool peer_flush(struct session *session);

/* Ends the connection by a RST instead of a FIN, with what was said before it. */
void peer_reset(struct session *session);

#endif
