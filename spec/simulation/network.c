/* network.c -- segments on their way, and what becomes of a connection. */
#include "network.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker.h"
#include "chance.h"
#include "clocks.h"
#include "extension.h"
#include "faults.h"
#include "frames.h"
#include "lambda.h"
#include "oracle.h"
#include "plan.h"
#include "schedule.h"
#include "sock.h"
#include "trace.h"

#define MOST_ENDS 4096
#define LOCAL_LATENCY 20000        /* to the Runtime API */
#define RETRIES_NS (924 * SECOND)  /* tcp_retries2, Documentation/networking/ip-sysctl */
#define SYN_NS (130 * SECOND)      /* tcp_syn_retries = 6 */
#define KEEPALIVE_NS (60 * SECOND) /* 15 s idle and 3 probes, connector.c */

enum host_mode host_modes[MOST_HOSTS];
static struct end *ends[MOST_ENDS];
static int ends_count;
static int64_t held_until;

/* ------------------------------------------------------------- segments */

struct segment {
    struct sock *sock;
    size_t len;
    bool fin, rst;
    unsigned char data[];
};

static struct segment *segment_of(struct sock *sock, const void *data, size_t len)
{
    struct segment *segment = calloc(1, sizeof(*segment) + len);

    if (!segment)
        abort();
    segment->sock = sock;
    segment->len = len;
    if (len > 0)
        memcpy(segment->data, data, len);
    return segment;
}

/* When what is sent now arrives; never before what was sent earlier. */
static int64_t arrival(int host, int64_t *last)
{
    int64_t when = now + LOCAL_LATENCY;

    if (host != API_HOST) {
        when = now + plan.latency + short_or_long(&network_chance, 0, plan.jitter);
        if (when < held_until)
            when = held_until;
    }
    if (when <= *last)
        when = *last + 1;
    return *last = when;
}

/* ------------------------------------------------------------- the end of one */

static void server_loses(struct end *end)
{
    if (end->gone)
        return;
    end->gone = true;
    if (end->host == API_HOST)
        lambda_lost(end);
}

static void die(struct sock *sock, int error)
{
    if (sock->state == SOCK_DEAD)
        return;
    trace("network", sock->number, "the connection dies: %s", strerror(error));
    sock->state = SOCK_DEAD;
    sock->error = error;
    if (sock->end)
        server_loses(sock->end);
}

static void check_silence(void *what, int64_t number)
{
    struct sock *sock = what;
    int64_t limit = sock->user_timeout_ms > 0 ? sock->user_timeout_ms * MS : RETRIES_NS;

    (void)number;
    if (sock->state != SOCK_OPEN || sock->in_flight == 0 || sock->descriptors == 0)
        return;
    if (now - sock->silent_since >= limit)
        die(sock, ETIMEDOUT);
    else
        schedule_at(sock->silent_since + limit, check_silence, sock, 0);
}

void sock_notice_silence(struct sock *sock)
{
    if (sock->in_flight > 0)
        check_silence(sock, 0);
}

static void check_keepalive(void *what, int64_t number)
{
    struct sock *sock = what;

    (void)number;
    if (sock->descriptors == 0 || sock->state != SOCK_OPEN || sock->in_flight > 0)
        return;
    if (clocks_frozen()) /* the kernel is frozen as well */
        schedule_at(now + KEEPALIVE_NS, check_keepalive, sock, 0);
    else
        die(sock, ETIMEDOUT);
}

static void cut(struct sock *sock)
{
    static const char *const names[] = {"a FIN", "a RST", "silence"};

    trace("network", sock->number, "the connection is cut by %s", names[sock->cut_how]);
    oracle_cut(sock->cut_how == CUT_BY_SILENCE ? BLACK_HOLE : CONNECTIONS_RESET);
    if (sock->cut_how == CUT_BY_SILENCE)
        network_silence(sock->end);
    else if (sock->cut_how == CUT_BY_FIN)
        network_close(sock->end);
    else
        network_reset(sock->end);
}

/* ------------------------------------------------------------- to the server */

static void server_hears(struct end *end)
{
    if (end->host == API_HOST)
        lambda_hears(end);
    else
        broker_hears(end);
}

static void acknowledge(struct sock *sock, size_t len)
{
    sock->in_flight -= len < sock->in_flight ? len : sock->in_flight;
    sock->silent_since = now;
}

static void arrive_up(void *what, int64_t number)
{
    struct segment *segment = what;
    struct sock *sock = segment->sock;
    struct end *end = sock->end;

    (void)number;
    if (sock->silent) {
        /* lost */
    } else if (segment->fin || segment->rst) {
        server_loses(end);
    } else if (end->gone) { /* a closed end answers with a RST */
        if (sock->state == SOCK_OPEN && sock->descriptors > 0) {
            sock->in_flight = 0;
            die(sock, ECONNRESET);
        }
    } else {
        pile_add(&end->in, segment->data, segment->len);
        if (end->stalled && end->in.len > plan.receive_buffer)
            end->held += segment->len;
        else
            acknowledge(sock, segment->len);
        if (!end->stalled)
            server_hears(end);
    }
    free(segment);
}

void network_unstall(struct end *end)
{
    end->stalled = false;
    acknowledge(end->sock, end->held);
    end->held = 0;
    if (!end->gone && !end->sock->silent)
        server_hears(end);
}

size_t sock_room(const struct sock *sock)
{
    return plan.send_buffer > sock->in_flight ? plan.send_buffer - sock->in_flight : 0;
}

/* How much of it is taken: a small write into an empty buffer is never partial. */
static size_t taken(const struct sock *sock, size_t len)
{
    size_t room = sock_room(sock);

    if (len > room)
        len = room;
    if (len > 1 && (len > 512 || sock->in_flight > 0) &&
        happens(&network_chance, plan.drip))
        len = 1 + below(&network_chance, len);
    return len;
}

ssize_t sock_send(struct sock *sock, const unsigned char *data, size_t len)
{
    bool last;
    size_t arrives;

    if (sock->host != API_HOST && frame_is_publish(data, len))
        oracle_publishes_on(sock->ended, sock->read_at);
    len = taken(sock, len);
    if (sock->in_flight == 0)
        sock->silent_since = now;
    sock->in_flight += len;
    trace_bytes(data, len);
    if (sock->user_timeout_ms > 0 || sock->silent)
        schedule_at(
            now + (sock->user_timeout_ms > 0 ? sock->user_timeout_ms * MS : RETRIES_NS),
            check_silence, sock, 0);
    last = sock->cut_up >= 0 && (int64_t)len >= sock->cut_up;
    arrives = last ? (size_t)sock->cut_up : len;
    schedule_at(arrival(sock->host, &sock->last_up), arrive_up,
                segment_of(sock, data, arrives), 0);
    if (sock->cut_up >= 0)
        sock->cut_up = last ? -1 : sock->cut_up - (int64_t)len;
    if (last)
        cut(sock);
    return (ssize_t)len;
}

void sock_let_go(const struct sock *sock)
{
    if (sock->host != API_HOST && sock->end && sock->state == SOCK_OPEN &&
        !sock->fin_came && !sock->silent && now - sock->read_at < plan_heartbeat())
        broker_loses_client(sock->end);
}

void sock_send_end(struct sock *sock, bool reset)
{
    struct segment *segment;

    if (sock->state != SOCK_OPEN)
        return;
    segment = segment_of(sock, NULL, 0);
    segment->rst = reset;
    segment->fin = !reset;
    schedule_at(arrival(sock->host, &sock->last_up), arrive_up, segment, 0);
}

/* ------------------------------------------------------------- to the program */

static void arrive_down(void *what, int64_t number)
{
    struct segment *segment = what;
    struct sock *sock = segment->sock;

    (void)number;
    if (!sock->silent && sock->state == SOCK_OPEN) {
        if (segment->rst) {
            die(sock, ECONNRESET);
        } else if (segment->fin) {
            sock->fin_came = true;
            sock->ended = now;
            sock->received++;
        } else if (!sock->shut_read) {
            pile_add(&sock->in, segment->data, segment->len);
            sock->received += segment->len;
        }
    }
    free(segment);
}

void network_send(struct end *end, const void *data, size_t len)
{
    struct sock *sock = end->sock;
    const unsigned char *bytes = data;

    if (end->gone)
        return;
    end->sent += len;
    if (end->host != API_HOST && end->sent - sock->read > plan.window)
        end->stalled = end->full = true;
    while (len > 0) {
        size_t n =
            happens(&network_chance, plan.drip) ? 1 + below(&network_chance, len) : len;
        bool last = sock->cut_down >= 0 && (int64_t)n >= sock->cut_down;

        if (last)
            n = (size_t)sock->cut_down;
        if (n > 0)
            schedule_at(arrival(sock->host, &sock->last_down), arrive_down,
                        segment_of(sock, bytes, n), 0);
        if (sock->cut_down >= 0)
            sock->cut_down = last ? -1 : sock->cut_down - (int64_t)n;
        if (last) {
            cut(sock);
            return;
        }
        bytes += n;
        len -= n;
    }
}

static void part(struct end *end, bool reset)
{
    struct segment *segment;

    if (end->gone)
        return;
    server_loses(end);
    segment = segment_of(end->sock, NULL, 0);
    segment->fin = !reset;
    segment->rst = reset;
    schedule_at(arrival(end->host, &end->sock->last_down), arrive_down, segment, 0);
}

void network_close(struct end *end)
{
    part(end, false);
}

void network_reset(struct end *end)
{
    part(end, true);
}

void network_silence(struct end *end)
{
    end->sock->silent = true;
    schedule_at(now + KEEPALIVE_NS, check_keepalive, end->sock, 0);
    if (end->sock->user_timeout_ms > 0 || end->sock->in_flight > 0)
        check_silence(end->sock, 0);
}

void network_cut_after(struct end *end, int64_t up, int64_t down, enum cut how)
{
    end->sock->cut_up = up;
    end->sock->cut_down = down;
    end->sock->cut_how = how;
}

void network_hold(int64_t until)
{
    held_until = until;
}

static void has_room(void *what, int64_t number)
{
    struct end *end = what;

    (void)number;
    if (end->stalled && !end->full && !end->gone && !faults_stall(end))
        network_unstall(end);
}

void sock_has_read(struct sock *sock, size_t len)
{
    struct end *end = sock->end;

    sock->read += len;
    sock->read_at = now;
    if (!end)
        return;
    if (end->host != API_HOST)
        broker_was_read(end, sock->read);
    if (end->full && end->sent - sock->read < plan.window / 2) {
        end->full = false;
        schedule_at(now + plan.latency, has_room, end, 0);
    }
}

/* ------------------------------------------------------------- connecting */

static void accept_connection(void *what, int64_t number)
{
    struct sock *sock = what;
    struct end *end;

    (void)number;
    if (sock->state != SOCK_CONNECTING || sock->descriptors == 0)
        return;
    if (sock->host >= 0 && host_modes[sock->host] == HOST_SILENT)
        return; /* it became silent meanwhile */
    if (sock->host >= 0 && host_modes[sock->host] == HOST_REFUSES) {
        die(sock, ECONNREFUSED);
        return;
    }
    end = calloc(1, sizeof(*end));
    if (!end || ends_count == MOST_ENDS)
        abort();
    *end = (struct end){.sock = sock,
                        .host = sock->host,
                        .number = sock->number,
                        .begun = sock->begun,
                        .tls = sock->tls};
    ends[ends_count++] = end;
    sock->end = end;
    sock->state = SOCK_OPEN;
    trace("network", sock->number, "connected");
    if (end->host != API_HOST)
        broker_accepts(end);
}

static void give_up(void *what, int64_t number)
{
    struct sock *sock = what;

    (void)number;
    if (sock->state == SOCK_CONNECTING && sock->descriptors > 0)
        die(sock, ETIMEDOUT);
}

static void refuse(void *what, int64_t number)
{
    struct sock *sock = what;

    (void)number;
    if (sock->state == SOCK_CONNECTING && sock->descriptors > 0)
        die(sock, ECONNREFUSED);
}

void sock_connect(struct sock *sock)
{
    bool api = sock->host == API_HOST;
    bool nowhere = sock->host >= MOST_HOSTS;

    sock->state = SOCK_CONNECTING;
    sock->begun = now;
    if (!api)
        oracle_connects();
    trace("network", sock->number, "connect to host %d%s", sock->host + 1,
          api       ? ", the Runtime API"
          : nowhere ? ", a dead address"
                    : "");
    schedule_at(now + SYN_NS, give_up, sock, 0);
    if (nowhere && plan.dead_refuses)
        schedule_at(now + 2 * plan.latency, refuse, sock, 0);
    if (api && extension_refuses_connect()) {
        schedule_at(now + LOCAL_LATENCY, refuse, sock, 0);
        return;
    }
    if (nowhere || (!api && host_modes[sock->host] == HOST_SILENT))
        return;
    if (!api && plan.latency < 100000 && happens(&network_chance, 300))
        accept_connection(sock, 0);
    else
        schedule_at(now + (api ? LOCAL_LATENCY
                               : 2 * plan.latency +
                                     short_or_long(&network_chance, 0, plan.jitter)),
                    accept_connection, sock, 0);
}

void network_each(void (*act)(struct end *end, int fault), int fault)
{
    for (int i = 0; i < ends_count; i++)
        if (ends[i]->host != API_HOST && !ends[i]->gone)
            act(ends[i], fault);
}
