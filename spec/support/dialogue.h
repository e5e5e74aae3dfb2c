/* For the specs of host/amqp/broker.c: a broker, and the peer (peer.h) that it talks to.
 *
 * Include it after cmocka.h. begin() and end() are a test's setup and teardown: in
 * between there is a broker without a connection, and the peer is what start_peer() was
 * given. end() fails where a file descriptor is left.
 */
#ifndef PIGEON_DIALOGUE_H
#define PIGEON_DIALOGUE_H

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "amqp/broker.h"
#include "peer.h"

#define MINUTE_MS 60000
#define HANG_MS 30000 /* each test ends long before that */
#define SHORT_MS 200  /* the deadline where the peer is silent */
#define CAS "/etc/ssl/certs/ca-certificates.crt"

#define OVERLOADED \
    "; next: is the broker overloaded, frozen or cut off from its cluster? see its log"

/* A test between the file's own set_up(), which calls begin(), and end(). */
#define CASE(function) cmocka_unit_test_setup_teardown(function, set_up, end)

static struct peer *peer;
static struct broker *broker;
static struct outbox outbox;
static struct failure failure;
static int socket_fd; /* the broker's */
static size_t fds;

static inline size_t count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t count = 0;

    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

static inline int begin(void **state)
{
    const struct login settings = {.virtual_host = "crashes",
                                   .user = "pigeon",
                                   .password = "coo",
                                   .connection_name = "pigeon stack log",
                                   .version = "1.2.3",
                                   .tls.bundle = CAS};

    (void)state;
    memset(&failure, 0, sizeof(failure));
    fds = count_fds();
    broker = broker_open(&settings);
    assert_non_null(broker);
    return 0;
}

static inline int end(void **state)
{
    (void)state;
    broker_close(broker);
    peer_free(peer);
    outbox_clear(&outbox);
    broker = NULL;
    peer = NULL;
    return count_fds() == fds ? 0 : -1;
}

static inline void start_peer(void (*script)(struct session *session))
{
    peer = peer_start(script);
    assert_non_null(peer);
}

static inline struct bytes bytes_of(const char *text)
{
    return (struct bytes){.data = text, .len = strlen(text)};
}

/* Messages "1", "2" ... for a queue, with bodies of this size. */
static inline void fill(size_t count, size_t body_len)
{
    char id[8];
    char *body = malloc(body_len + 1);

    memset(body, 'b', body_len);
    outbox_clear(&outbox);
    for (size_t i = 1; i <= count; i++) {
        snprintf(id, sizeof(id), "%zu", i);
        assert_true(outbox_add(&outbox, bytes_of(""), bytes_of("queue"), bytes_of(id),
                               (struct bytes){body, body_len}));
    }
    free(body);
}

/* buffer: for what was not sent yet, in bytes; 0: the system's choice. */
static inline int dial_peer(int buffer)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)peer->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct pollfd ready = {.events = POLLOUT};
    const int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* as connector.c does */
    if (buffer > 0)
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
    connect(fd, (struct sockaddr *)&address, sizeof(address));
    ready.fd = fd;
    assert_int_equal(poll(&ready, 1, HANG_MS), 1);
    return fd;
}

static inline bool log_in(int64_t deadline_ms)
{
    struct deadline deadline = deadline_in(deadline_ms);

    socket_fd = dial_peer(0);
    return broker_connect(broker, socket_fd, NULL, &deadline, &failure);
}

static inline bool publish(int64_t deadline_ms)
{
    struct deadline deadline = deadline_in(deadline_ms);

    return broker_publish(broker, &outbox, &deadline, &failure);
}

/* The fates, a letter each, - for none. */
static inline const char *fates(void)
{
    static char letters[64];
    size_t i;

    for (i = 0; i < outbox.count && i < sizeof(letters) - 1; i++) {
        enum fate fate = outbox.messages[i].fate;

        letters[i] = fate == FATE_NONE ? '-' : fate_name(fate)[0];
    }
    letters[i] = '\0';
    return letters;
}

static inline void assert_failure(const char *stage, int code, const char *text)
{
    assert_string_equal(failure.text, text);
    assert_string_equal(failure.stage, stage);
    assert_int_equal(failure.code, code);
}

/* ------------------------------------------------------------- scripts */

/* Lets it log in, and hears so many publishes. */
static inline void ready(struct session *s, size_t publishes)
{
    peer_log_in(s, STEP_READY);
    peer_hear_publishes(s, publishes);
}

static inline void acks_each(struct session *s)
{
    ready(s, 3);
    for (uint64_t tag = 1; tag <= 3; tag++)
        peer_say_ack(s, tag, false);
    peer_silence(s);
}

static inline void acks_all(struct session *s)
{
    ready(s, 3);
    peer_say_ack(s, 3, true);
    peer_silence(s);
}

#endif
