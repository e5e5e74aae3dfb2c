/* fake_broker.h -- a scripted AMQP server: a thread on 127.0.0.1, one connection at a
 * time.
 *
 * The script is called for each connection, and reads and sends frames in the order that
 * its case needs. What it sends goes out in one write, before it reads or waits, and at
 * its end; then the connection is closed. Once the client has gone, or the server is
 * being stopped, every call returns false at once, so a script need not check. The fields
 * of struct fake_broker may be read after fake_broker_stop(). */
#ifndef PIGEON_SPEC_FAKE_BROKER_H
#define PIGEON_SPEC_FAKE_BROKER_H

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

struct fake_broker {
    int port;
    unsigned connects;
    struct published *published; /* on all connections, in order */
    size_t count;
    unsigned char start_ok[2048]; /* the arguments of the last one */
    size_t start_ok_len;
    unsigned char tune_ok[8];
    uint32_t last_method; /* class << 16 | method */

    /* private */
    size_t capacity; /* of published */
    void (*script)(struct session *session);
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    int listener;
    int fd; /* the connection, -1: none */
    bool stopping;
};

/* NULL: the system refused a socket or a thread. */
struct fake_broker *fake_broker_start(void (*script)(struct session *session));
void fake_broker_stop(struct fake_broker *fake);
void fake_broker_free(struct fake_broker *fake); /* stops it, too */

/* ---------------------------------------------------------- calls of a script */

struct session {
    struct fake_broker *fake;
    unsigned number; /* 0: the server's first connection */
    size_t slice;    /* 0, or how many bytes a write may have */
    int heartbeat;   /* seconds that the server wants, 60 */
    size_t before;   /* publishes read on earlier connections */
    bool gone;
    unsigned char *out; /* what was sent and is not yet written */
    size_t out_len;
    size_t out_capacity;
};

/* What a client sends until it may publish. Each step is read after everything before it
 * was answered. */
enum step {
    STEP_HEADER,
    STEP_START_OK,
    STEP_OPEN,
    STEP_CHANNEL_OPEN,
    STEP_CONFIRM_SELECT,
    STEP_READY, /* all of it, and the answer to confirm.select */
};

/* Answers the steps of a login before `last`, and reads `last`. */
bool session_log_in(struct session *session, enum step last);

/* Reads frames up to this method, heartbeats and publishes among them. A connection.close
 * is answered, and then the client has gone. */
bool session_read(struct session *session, int class_id, int method_id);

/* Reads frames up to a heartbeat. */
bool session_read_heartbeat(struct session *session);

/* Reads `count` publishes more. */
bool session_read_publishes(struct session *session, size_t count);

/* The publish that has this delivery tag; NULL: none was read. Valid until the next is
 * read. */
const struct published *session_published(struct session *session, uint64_t tag);

/* Whether nothing comes for `ms`. */
bool session_is_quiet(struct session *session, int ms);

/* Reads, and sends nothing, until the client goes. */
void session_be_silent(struct session *session);

/* Reads nothing more, until the client goes, the server is stopped, or a minute is over.
 */
void session_stall(struct session *session);

/* Sends heartbeats as fast as it can, until one of the same. */
void session_flood(struct session *session);

void session_send_bytes(struct session *session, const void *bytes, size_t len);
void session_send_frame(struct session *session, int type, int channel,
                        const void *payload, size_t len);

/* The arguments by letters: o octet, s short, l long, L long long (uint64_t), S short
 * string, T long string or table. */
void session_send_method(struct session *session, int channel, int class_id,
                         int method_id, const char *arguments, ...);

void session_send_ack(struct session *session, uint64_t tag, bool multiple);
void session_send_nack(struct session *session, uint64_t tag, bool multiple);
void session_send_return(struct session *session, uint64_t tag, int code,
                         const char *text);
void session_send_close(struct session *session, int code, const char *text);
void session_send_channel_close(struct session *session, int code, const char *text);
void session_send_blocked(struct session *session, const char *reason);
void session_send_heartbeat(struct session *session);

/* Writes what was sent. */
bool session_flush(struct session *session);

/* Ends the connection by a RST instead of a FIN, after what was sent before it. */
void session_reset(struct session *session);

#endif
