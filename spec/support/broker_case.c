/* broker_case.c -- one connection on loopback, dialled here since the broker is given a
 * socket. */
#include "broker_case.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "asserts.h"

#define CAS "/etc/ssl/certs/ca-certificates.crt"

struct fake_broker *fake;
struct broker *broker;
struct err failure;
int socket_fd;

static size_t fds; /* that were open before the case */

static size_t count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t count = 0;

    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

int broker_case_setup(void **state)
{
    const struct login settings = {.virtual_host = "crashes",
                                   .user = "pigeon",
                                   .password = "coo",
                                   .connection_name = "pigeon stack log",
                                   .tls.bundle = CAS};

    (void)state;
    memset(&failure, 0, sizeof(failure));
    fds = count_fds();
    broker = broker_open(&settings);
    assert_non_null(broker);
    return 0;
}

int broker_case_teardown(void **state)
{
    (void)state;
    broker_close(broker);
    fake_broker_free(fake);
    outbox_clear(&outbox);
    broker = NULL;
    fake = NULL;
    return count_fds() == fds ? 0 : -1;
}

void play_broker(void (*script)(struct session *session))
{
    fake = fake_broker_start(script);
    assert_non_null(fake);
}

void fill(size_t count, size_t body_len)
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

int dial(int buffer)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)fake->port),
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

bool log_in(int64_t deadline_ms)
{
    struct deadline deadline = deadline_in(deadline_ms);

    socket_fd = dial(0);
    return broker_connect(broker, socket_fd, NULL, &deadline, &failure);
}

bool publish(int64_t deadline_ms)
{
    struct deadline deadline = deadline_in(deadline_ms);

    return broker_publish(broker, &outbox, &deadline, &deadline, &failure);
}

void assert_failure(const char *stage, int code, const char *text)
{
    struct err shown = failure;

    err_advise(&shown);
    assert_string_equal(shown.text, text);
    assert_string_equal(failure.stage, stage);
    assert_int_equal(failure.code, code);
}

/* ------------------------------------------------------------- scripts */

void ready(struct session *s, size_t publishes)
{
    session_log_in(s, STEP_READY);
    session_read_publishes(s, publishes);
}

void acks_each(struct session *s)
{
    ready(s, 3);
    for (uint64_t tag = 1; tag <= 3; tag++)
        session_send_ack(s, tag, false);
    session_be_silent(s);
}

void acks_all(struct session *s)
{
    ready(s, 3);
    session_send_ack(s, 3, true);
    session_be_silent(s);
}
