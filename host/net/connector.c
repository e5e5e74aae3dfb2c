/* connector.c -- resolve and connect.
 *
 * rabbitmq-c could do both, but its look-up has no bound, its first silent address eats
 * all of the time, and it drops the errno that tells refused from unreachable. */
#include "net/connector.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h> /* its tcp_info has more than libc's */
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SILENCE_MS 3000
#define CLOSE_WAIT \
    8 /* TCP's state after the other end's FIN (libc's header is not ours) */

/* What is under way to one of the hosts. */
struct target {
    bool looking; /* the look-up may still run in libc's thread */
    struct addrinfo hints;
    struct gaicb lookup;
    int begun;      /* the socket of connector_begin(); -1: none */
    bool connected; /* that socket is connected */
};

struct connector {
    struct hosts hosts;
    struct target targets[HOSTS_MAX]; /* in the order of the hosts */
};

/* ------------------------------------------------------------- open */

struct connector *connector_open(const char *hosts, int port, const char *tls,
                                 struct err *err)
{
    struct connector *connector = calloc(1, sizeof(*connector));

    if (!connector) {
        err_set(err, "out of memory");
        return NULL;
    }
    for (size_t i = 0; i < HOSTS_MAX; i++)
        connector->targets[i].begun = -1;
    if (hosts_parse(&connector->hosts, hosts, port, tls, err))
        return connector;
    connector_close(connector);
    return NULL;
}

/* ------------------------------------------------------------- resolve */

static struct timespec timespec_of(int64_t ms)
{
    return (struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
}

/* The addresses of a host, to be freed by freeaddrinfo(); NULL: err. */
static struct addrinfo *resolve(const struct host *host, struct target *target,
                                const struct deadline *deadline, struct err *err)
{
    const struct gaicb *lookups[] = {&target->lookup};
    struct gaicb *started[] = {&target->lookup};
    struct addrinfo *found = NULL;
    int status;

    if (!target->looking) { /* else libc's thread reads hints and lookup */
        target->hints = (struct addrinfo){.ai_socktype = SOCK_STREAM,
                                          .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
        if (getaddrinfo(host->name, host->port, &target->hints, &found) == 0)
            return found; /* an address needs no thread */
        target->hints.ai_flags = AI_NUMERICSERV;
        target->lookup = (struct gaicb){.ar_name = host->name,
                                        .ar_service = host->port,
                                        .ar_request = &target->hints};
        status = getaddrinfo_a(GAI_NOWAIT, started, 1, NULL);
        if (status != 0) {
            err_set(err, "%s", gai_strerror(status));
            return NULL;
        }
        target->looking = true;
    }
    status = gai_error(&target->lookup);
    while (status == EAI_INPROGRESS && deadline_left_ms(deadline) > 0) {
        struct timespec left = timespec_of(deadline_left_ms(deadline));

        gai_suspend(lookups, 1, &left);
        status = gai_error(&target->lookup);
    }
    if (status == EAI_INPROGRESS) {
        err_set(err, "the name look-up took too long");
        return NULL;
    }
    target->looking = false;
    if (status != 0) {
        err_set(err, "%s", gai_strerror(status));
        return NULL;
    }
    return target->lookup.ar_result;
}

/* ------------------------------------------------------------- connect */

static void set_options(int fd)
{
    const int on = 1;
    const int idle_s = 15;
    const int probes = 3;

    /* An option that is refused costs speed, not correctness. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &idle_s, sizeof(idle_s));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
}

/* 0 or an errno. */
static int wait_connected(int fd, const struct deadline *deadline)
{
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    socklen_t len = sizeof(int);
    int error = 0;
    int n;

    do
        n = poll(&ready, 1, (int)deadline_left_ms(deadline));
    while (n < 0 && errno == EINTR);
    if (n == 0)
        return ETIMEDOUT;
    if (n < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        return errno;
    return error;
}

/* -1, with this errno. */
static int give_up(int fd, int error)
{
    if (fd >= 0)
        close(fd);
    errno = error;
    return -1;
}

/* A socket whose connect has begun, or -1 with errno. */
static int begin_connect(const struct addrinfo *address)
{
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    set_options(fd);
    if (connect(fd, address->ai_addr, address->ai_addrlen) == 0 || errno == EINPROGRESS)
        return fd;
    return give_up(fd, errno);
}

/* `fd`, connected, or -1 with errno. */
static int end_connect(int fd, const struct deadline *deadline)
{
    int error = fd >= 0 ? wait_connected(fd, deadline) : errno;

    return error == 0 ? fd : give_up(fd, error);
}

int connector_begin(struct connector *connector, size_t i)
{
    const struct host *host = &connector->hosts.list[i];
    struct target *target = &connector->targets[i];
    struct deadline now = deadline_in(0);
    struct err ignored;
    struct addrinfo *addresses = resolve(host, target, &now, &ignored);
    int fd = addresses ? begin_connect(addresses) : -1;
    int error = fd >= 0 ? wait_connected(fd, &now) : errno;

    if (addresses)
        freeaddrinfo(addresses);
    if (error != 0 && error != ETIMEDOUT)
        fd = give_up(
            fd, error); /* connector_connect() meets the error again, and reports it */
    target->begun = fd;
    target->connected = fd >= 0 && error == 0;
    return target->connected ? fd : -1;
}

int connector_connect(struct connector *connector, size_t i,
                      const struct deadline *deadline, const char **stage,
                      struct err *err)
{
    const struct host *host = &connector->hosts.list[i];
    struct target *target = &connector->targets[i];
    struct addrinfo *addresses;
    int left = 0;
    int fd = target->begun; /* to the first address */

    target->begun = -1;
    if (fd >= 0 && target->connected)
        return fd;
    *stage = "resolve";
    addresses = resolve(host, target, deadline, err);
    if (!addresses)
        return give_up(fd, 0);
    *stage = "connect";
    err->text[0] = '\0';
    for (struct addrinfo *a = addresses; a; a = a->ai_next)
        left++;
    for (struct addrinfo *a = addresses; a; a = a->ai_next, left--) {
        struct deadline share =
            deadline_within(deadline, deadline_left_ms(deadline) / left);
        char address[64] = "?";

        fd = end_connect(fd >= 0 ? fd : begin_connect(a), &share);
        if (fd >= 0)
            break;
        int error = errno;
        getnameinfo(a->ai_addr, a->ai_addrlen, address, sizeof(address), NULL, 0,
                    NI_NUMERICHOST);
        err_add(err, "%s%s: %s", err->text[0] ? "; " : "", address,
                error == ETIMEDOUT ? "no answer to the connect" : strerror(error));
    }
    freeaddrinfo(addresses);
    return fd;
}

uint64_t connector_heard(int fd)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof(info);

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
        return 0;
    return info.tcpi_bytes_received -
           (info.tcpi_state == CLOSE_WAIT); /* its FIN is one */
}

void connector_notice_silence(int fd, const struct deadline *deadline, unsigned *now_ms)
{
    int64_t third = deadline_left_ms(deadline) / 3;
    unsigned ms = (unsigned)(third < SILENCE_MS ? third : SILENCE_MS);

    if (ms != *now_ms)
        setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
    *now_ms = ms;
}

size_t connector_count(const struct connector *connector)
{
    return connector->hosts.count;
}

const char *connector_label(const struct connector *connector, size_t i)
{
    return connector->hosts.list[i].label;
}

const char *connector_tls_name(const struct connector *connector, size_t i)
{
    return connector->hosts.list[i].tls ? connector->hosts.list[i].name : NULL;
}

bool connector_any_tls(const struct connector *connector)
{
    return hosts_any_tls(&connector->hosts);
}

void connector_close(struct connector *connector)
{
    if (!connector)
        return;
    for (size_t i = 0; i < connector->hosts.count; i++) {
        struct target *target = &connector->targets[i];

        if (target->begun >= 0)
            close(target->begun);
        if (target->looking && gai_error(&target->lookup) == EAI_INPROGRESS)
            return; /* libc's thread still writes into it: it stays until the process ends
                     */
        if (target->looking && gai_error(&target->lookup) == 0)
            freeaddrinfo(target->lookup.ar_result);
    }
    free(connector);
}
