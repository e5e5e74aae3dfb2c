/* tls.c -- TLS as a stage that one cannot look into: a hello each way, which can fail,
 * stall and be cut as any bytes can; behind it the bytes are those of plain AMQP.
 *
 * OpenSSL draws its own numbers, so it stays outside: spec/system/tls_spec.lua has the
 * real one. Stands in for tls_open, tls_start, and rabbitmq-c's calls between them. */
#include "tls.h"

#include <amqp.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "clocks.h"
#include "net/tls.h"
#include "schedule.h"
#include "wrap.h"

int __wrap_amqp_open_socket_inner(const char *host, int port, uint64_t deadline);
static struct tls *latest;

WRAP(bool, tls_open, struct tls_settings *settings, const struct config *config,
     struct err *err)
{
    (void)config, (void)err;
    *settings = (struct tls_settings){.bundle = "none"};
    return true;
}

WRAP(bool, tls_start, struct tls *tls, const struct tls_settings *settings,
     const char *name, struct ssl_ctx_st *context, struct err *err)
{
    (void)context, (void)err;
    *tls = (struct tls){.settings = settings, .name = name};
    latest = tls;
    return true;
}

WRAP(amqp_socket_t *, amqp_ssl_socket_new, amqp_connection_state_t state)
{
    return amqp_tcp_socket_new(state);
}

WRAP(void *, amqp_ssl_socket_get_context, amqp_socket_t *socket)
{
    (void)socket;
    return NULL;
}

WRAP(void, amqp_ssl_socket_set_verify_hostname, amqp_socket_t *socket, amqp_boolean_t on)
{
    (void)socket, (void)on;
}

/* AMQP_STATUS_OK when the socket is ready. */
static int wait_ready(int fd, short events, int64_t end)
{
    struct pollfd ready = {.fd = fd, .events = events};
    int n = 0;

    while (n == 0 || (n < 0 && errno == EINTR)) {
        if (now >= end)
            return AMQP_STATUS_TIMEOUT;
        n = poll(&ready, 1, (int)((end - now + MS - 1) / MS));
    }
    return AMQP_STATUS_OK;
}

/* Once more, after the socket is ready; or what ends the handshake. */
static int go_on(int fd, ssize_t moved, short events, int64_t end)
{
    if (moved > 0)
        return AMQP_STATUS_OK;
    if (moved < 0 && errno == EAGAIN)
        return wait_ready(fd, events, end);
    return AMQP_STATUS_SSL_ERROR;
}

static int shake_hands(int fd, int64_t end)
{
    char hello[TLS_CLIENT_HELLO] = TLS_FIRST_BYTES, answer[TLS_SERVER_HELLO] = "";
    size_t sent = 0, have = 0;
    int status = AMQP_STATUS_OK;

    while (status == AMQP_STATUS_OK && sent < sizeof(hello)) {
        ssize_t n = send(fd, hello + sent, sizeof(hello) - sent, MSG_NOSIGNAL);

        sent += n > 0 ? (size_t)n : 0;
        status = go_on(fd, n, POLLOUT, end);
    }
    while (status == AMQP_STATUS_OK && have < sizeof(answer)) {
        ssize_t n = recv(fd, answer + have, sizeof(answer) - have, 0);

        have += n > 0 ? (size_t)n : 0;
        status = go_on(fd, n, POLLIN, end);
        if (have > 0 && answer[0] == TLS_ALERT) {
            err_set(&latest->refusal, CAUSE_OTHER, "the alert of a server");
            return AMQP_STATUS_SSL_ERROR;
        }
    }
    if (status == AMQP_STATUS_OK)
        snprintf(latest->version, sizeof(latest->version), "1.3");
    return status;
}

WRAP(int, amqp_socket_open_noblock, amqp_socket_t *socket, const char *host, int port,
     const struct timeval *timeout)
{
    int fd = __wrap_amqp_open_socket_inner(host, port, 0);

    amqp_tcp_socket_set_sockfd(socket, fd);
    return shake_hands(fd, now + timeout->tv_sec * SECOND + timeout->tv_usec * 1000);
}
