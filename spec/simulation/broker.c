/* broker.c -- a connection to RabbitMQ: login, channel, heartbeats, alarms, closes.
 *
 * rabbit_reader.erl has the connection, rabbit_channel.erl the channel,
 * rabbit_heartbeat.erl the heartbeats. */
#include "broker.h"

#include <stdlib.h>
#include <string.h>

#include "aws.h"
#include "chance.h"
#include "faults.h"
#include "frames.h"
#include "network.h"
#include "oracle.h"
#include "plan.h"
#include "schedule.h"
#include "tls.h"
#include "trace.h"

#define LEAST_FRAME_4 8192 /* frame_max that RabbitMQ 4.1 takes */
#define LEAST_FRAME_3 4096 /* and 3.10: AMQP's frame-min-size */

char broker_password[PASSWORD_BYTES] = FIRST_PASSWORD;

bool broker_stands_still(const struct end *end)
{
    return fault_active(BROKER_FROZEN) > 0 ||
           (fault_active(HOST_FROZEN) > 0 && end->host == 0);
}

/* ------------------------------------------------------------- closes */

void broker_close_connection(struct session *session, unsigned code, const char *text)
{
    trace("broker", session->end->number, "closes the connection: %u %s", code, text);
    session->closing = true;
    frame_method(0, CONNECTION_CLOSE);
    frame_16(code);
    frame_short(text);
    frame_32(0);
    frame_send(session->end);
}

/* After it confirms are suppressed (rabbit_channel:send/2, state closing). */
void broker_close_channel(struct session *session, unsigned code, const char *text)
{
    trace("broker", session->end->number, "closes the channel: %u %s", code, text);
    session->channel_open = false;
    oracle_channel_closes();
    frame_method(1, CHANNEL_CLOSE);
    frame_16(code);
    frame_short(text);
    frame_32(BASIC_PUBLISH);
    frame_send(session->end);
}

void broker_forces_close(struct end *end)
{
    struct session *session = end->session;

    if (session->state == IS_OPEN && !session->closing && !broker_stands_still(end))
        broker_close_connection(session, 320,
                                "CONNECTION_FORCED - broker forced connection closure "
                                "with reason 'shutdown'");
}

/* ------------------------------------------------------------- alarms */

/* Said after the first publish that meets the alarm; then nothing is read any more
 * (rabbit_reader:handle_other, conserve_resources; control_throttle/1). */
static void block(struct session *session)
{
    trace("broker", session->end->number, "connection.blocked");
    session->blocked = true;
    frame_method(0, CONNECTION_BLOCKED);
    frame_short("low on memory");
    frame_send(session->end);
    session->end->stalled = true;
    if (happens(&broker_chance, 500)) /* confirms go on (rabbit_writer) */
        confirming_hurry(session);
}

void broker_blocks(struct end *end)
{
    struct session *session = end->session;

    if (session->published && !session->blocked)
        block(session);
}

bool broker_is_blocked(const struct end *end)
{
    const struct session *session = end->session;

    return session->blocked;
}

void broker_goes_on(struct end *end)
{
    struct session *session = end->session;

    if (session->blocked) {
        session->blocked = false;
        frame_method(0, CONNECTION_UNBLOCKED);
        frame_send(end);
    }
    if (!end->full)
        network_unstall(end);
}

static void lose(struct end *end, int unused)
{
    (void)unused;
    confirming_lose(end->session);
}

void broker_crashes(void)
{
    network_each(lose, 0);
}

/* ------------------------------------------------------------- login */

static void send_start(struct session *session)
{
    session->state = AWAITS_START_OK;
    frame_method(0, CONNECTION_START);
    frame_8(0);
    frame_8(9);
    frame_32(0);
    frame_long("AMQPLAIN PLAIN");
    frame_long("en_US");
    frame_send(session->end);
}

/* PLAIN: NUL user NUL password (RFC 4616). */
static bool has_password(const unsigned char *response, uint32_t len,
                         const char *password)
{
    static const char user[] = "\0pigeon";
    size_t want = sizeof(user) + strlen(password);

    return len == want && memcmp(response, user, sizeof(user)) == 0 &&
           memcmp(response + sizeof(user), password, want - sizeof(user)) == 0;
}

static void hear_start_ok(struct session *session, const unsigned char *at)
{
    const char *given = plan.secrets ? aws_given(session->end->begun) : NULL;

    at += 4 + read_32(at); /* the client's properties */
    at += 1 + *at;         /* the mechanism */
    if (given && !has_password(at + 4, read_32(at), given))
        violation("a login with another password than AWS gave");
    if (!has_password(at + 4, read_32(at), broker_password)) {
        broker_close_connection(session, 403,
                                "ACCESS_REFUSED - Login was refused using authentication "
                                "mechanism PLAIN. For details see the broker logfile.");
        return;
    }
    session->state = AWAITS_TUNE_OK;
    frame_method(0, CONNECTION_TUNE);
    frame_16(2047);
    frame_32(131072);
    frame_16((unsigned)plan.heartbeat_s);
    frame_send(session->end);
}

static void hear_tune_ok(struct session *session, const unsigned char *at)
{
    uint32_t frame_max = read_32(at + 2);

    session->state = AWAITS_OPEN;
    if (frame_max < (plan.version_4 ? LEAST_FRAME_4 : LEAST_FRAME_3))
        violation("frame_max %u is less than RabbitMQ takes", frame_max);
}

/* 3.10 takes the connection beyond a limit and says nothing (broker_accepts); since 3.13
 * the answer is 530 (rabbit_reader:is_over_node_connection_limit). */
static void hear_open(struct session *session)
{
    if (fault_active(CONNECTION_LIMIT) > 0) {
        broker_close_connection(session, 530,
                                "NOT_ALLOWED - connection refused: node connection limit "
                                "(100) is reached");
    } else if (fault_active(VHOST_DOWN) > 0) {
        broker_close_connection(session, 541,
                                "INTERNAL_ERROR - access to vhost '/' refused for user "
                                "'pigeon': vhost '/' is down");
    } else {
        session->state = IS_OPEN;
        frame_method(0, CONNECTION_OPEN_OK);
        frame_short("");
        frame_send(session->end);
    }
}

static void hear_channel_open(struct session *session)
{
    session->channel_open = true;
    session->nacks_all = fault_active(CHANNEL_NACKS) > 0;
    frame_method(1, CHANNEL_OPEN_OK);
    frame_long("");
    frame_send(session->end);
}

static void hear_confirm_select(struct session *session)
{
    session->confirms = true;
    oracle_logged_in();
    frame_method(1, CONFIRM_SELECT_OK);
    frame_send(session->end);
}

/* ------------------------------------------------------------- methods */

static void hear_publish(struct session *session, const unsigned char *at)
{
    struct publish *publish = &session->publish;

    if (!session->confirms)
        violation("a publish without confirms");
    at = read_short(at + 2, publish->exchange);
    at = read_short(at, publish->routing_key);
    publish->mandatory = *at & 1;
    publish->open = true;
    publish->header.len = publish->body.len = 0;
    publish->size = 0;
}

static void hear_close(struct session *session)
{
    frame_method(0, CONNECTION_CLOSE_OK);
    frame_send(session->end);
    network_close(session->end);
}

static void hear_login(struct session *session, unsigned method, const unsigned char *at)
{
    if (method == CONNECTION_START_OK && session->state == AWAITS_START_OK)
        hear_start_ok(session, at);
    else if (method == CONNECTION_TUNE_OK && session->state == AWAITS_TUNE_OK)
        hear_tune_ok(session, at);
    else if (method == CONNECTION_OPEN && session->state == AWAITS_OPEN)
        hear_open(session);
    else
        violation("RabbitMQ does not expect method %u.%u in a login", method >> 16,
                  method & 65535);
}

static void hear_method(struct session *session, const unsigned char *at)
{
    unsigned method = read_32(at);

    if (method == CONNECTION_CLOSE_OK)
        network_close(session->end);
    else if (session->closing)
        return;
    else if (method == CONNECTION_CLOSE)
        hear_close(session);
    else if (session->state != IS_OPEN)
        hear_login(session, method, at + 4);
    else if (method == CHANNEL_OPEN)
        hear_channel_open(session);
    else if (method == CHANNEL_CLOSE_OK)
        session->confirms = false;
    else if (method != CONFIRM_SELECT && method != BASIC_PUBLISH)
        violation("RabbitMQ does not expect method %u.%u", method >> 16, method & 65535);
    else if (!session->channel_open)
        return;
    else if (method == CONFIRM_SELECT)
        hear_confirm_select(session);
    else
        hear_publish(session, at + 4);
}

static void hear_content(struct session *session, int type, const unsigned char *payload,
                         uint32_t size)
{
    struct publish *publish = &session->publish;

    if (!session->channel_open || session->closing || !publish->open)
        return;
    if (type == FRAME_HEADER) {
        publish->size = read_64(payload + 4);
        pile_add(&publish->header, payload, size);
    } else {
        pile_add(&publish->body, payload, size);
    }
    if (publish->body.len >= publish->size) {
        publish->open = false;
        session->published = true;
        publish_arrived(session);
    }
}

/* ------------------------------------------------------------- bytes */

/* A server of TLS, up to its hello. */
static bool hear_hello(struct session *session)
{
    static const unsigned char alert[TLS_ALERT_BYTES] = {TLS_ALERT, 3, 3, 0, 2, 2, 40};
    static const unsigned char hello[TLS_SERVER_HELLO] = TLS_FIRST_BYTES;
    struct end *end = session->end;

    if (end->in.len < TLS_CLIENT_HELLO || fault_active(TLS_STALLS) > 0)
        return false;
    if (memcmp(end->in.data, TLS_FIRST_BYTES, 3) != 0)
        violation("no TLS, on the port for it");
    pile_drop(&end->in, TLS_CLIENT_HELLO);
    if (fault_active(TLS_REFUSED) > 0) {
        network_send(end, alert, sizeof(alert));
        network_close(end);
        return false;
    }
    session->state = AWAITS_HEADER;
    network_send(end, hello, sizeof(hello));
    return true;
}

static bool hear_header(struct session *session)
{
    struct end *end = session->end;

    if (end->in.len < 8)
        return false;
    if (memcmp(end->in.data, "AMQP\0\0\11\1", 8) != 0)
        violation("this is not the header of AMQP 0-9-1");
    pile_drop(&end->in, 8);
    if (fault_active(CONNECTION_LIMIT) > 0 && !plan.version_4) {
        session->ignored = true; /* ranch does not hand it over */
        return false;
    }
    send_start(session);
    return true;
}

static bool hear_frame(struct session *session)
{
    struct end *end = session->end;
    const unsigned char *at = end->in.data;
    uint32_t size;

    if (end->in.len < FRAME_HEAD)
        return false;
    size = read_32(at + 3);
    if (size > 8192 - 8) {
        violation("a frame of %u bytes, and 8192 were agreed on", size + 8);
        return false;
    }
    if (end->in.len < size + 8)
        return false;
    if (at[FRAME_HEAD + size] != FRAME_END)
        violation("a frame without its end");
    if (fault_active(MEMORY_ALARM) > 0 && at[0] == FRAME_METHOD &&
        read_32(at + FRAME_HEAD) == BASIC_PUBLISH && !session->blocked) {
        block(session); /* and the publish is read when the alarm is over */
        return false;
    }
    if (at[0] == FRAME_METHOD)
        hear_method(session, at + FRAME_HEAD);
    else if (at[0] == FRAME_HEADER || at[0] == FRAME_BODY)
        hear_content(session, at[0], at + FRAME_HEAD, size);
    pile_drop(&end->in, size + 8);
    return true;
}

void broker_hears(struct end *end)
{
    struct session *session = end->session;
    bool more = true;

    session->heard_at = now;
    while (more && !end->gone && !end->stalled && !session->ignored)
        more = session->state == AWAITS_HELLO    ? hear_hello(session)
               : session->state == AWAITS_HEADER ? hear_header(session)
                                                 : hear_frame(session);
}

/* It closes a connection without a word: was there a reason? */
void broker_loses_client(struct end *end)
{
    const struct session *session = end->session;

    if (session->state == IS_OPEN && session->confirms && session->channel_open &&
        !session->closing && !session->blocked && !session->nacks_all)
        oracle_closes_good(end->host);
}

void broker_was_read(struct end *end, uint64_t bytes)
{
    struct session *session = end->session;

    while (session->acks_read < session->acks_count &&
           session->acks[session->acks_read].end <= bytes)
        oracle_ack_read(session->acks[session->acks_read++].item);
}

/* ------------------------------------------------------------- a connection */

/* The server closes after 2 to 3 heartbeats. */
static int64_t no_beats(void)
{
    return plan_heartbeat() / 2 * 5;
}

static void beat(void *what, int64_t unused)
{
    struct session *session = what;
    struct end *end = session->end;

    (void)unused;
    if (end->gone || session->ignored)
        return;
    if (!broker_stands_still(end) && !session->blocked &&
        now - session->heard_at > no_beats()) {
        trace("broker", end->number, "missed heartbeats from the client");
        network_close(end);
        return;
    }
    if (!broker_stands_still(end) && session->state == IS_OPEN) {
        frame_begin(FRAME_HEARTBEAT, 0);
        frame_send(end);
    }
    schedule_at(now + plan_heartbeat() / 2, beat, session, 0);
}

void broker_accepts(struct end *end)
{
    struct session *session = calloc(1, sizeof(*session));

    if (!session)
        abort();
    session->end = end;
    session->state = end->tls ? AWAITS_HELLO : AWAITS_HEADER;
    session->heard_at = now;
    end->session = session;
    end->stalled = broker_stands_still(end);
    faults_at_connection(end);
    schedule_at(now + plan_heartbeat() / 2, beat, session, 0);
}
