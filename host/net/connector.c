/* connector.c -- resolve and connect.
 *
 * rabbitmq-c could do both, but its look-up has no bound, its first silent address eats
 * all of the time, and it drops the errno that tells refused from unreachable. */
#include "net/connector.h"

#include <linux/tcp.h> /* its tcp_info has more than libc's */
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "net/attempts.h"

#define SILENCE_MS 3000
#define CLOSE_WAIT \
    8 /* TCP's state after the other end's FIN (libc's header is not ours) */

/* What is under way to one of the hosts. */
struct target {
    bool looking; /* the look-up may still run in libc's thread */
    struct addrinfo hints;
    struct gaicb lookup;
    struct address worked; /* goes first at the next connect */
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
        err_set(err, CAUSE_MEMORY, "out of memory");
        return NULL;
    }
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

/* Begins a look-up in libc's thread, which then reads hints and lookup. */
static bool begin(const struct host *host, struct target *target, struct err *err)
{
    struct gaicb *started[] = {&target->lookup};
    int status;

    target->hints =
        (struct addrinfo){.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    target->lookup = (struct gaicb){
        .ar_name = host->name, .ar_service = host->port, .ar_request = &target->hints};
    status = getaddrinfo_a(GAI_NOWAIT, started, 1, NULL);
    if (status != 0)
        return err_set_at(err, CAUSE_LOOK_UP, "resolve", 0, "%s", gai_strerror(status));
    target->looking = true;
    return true;
}

/* gai_error() of what was begun: EAI_INPROGRESS if it still runs at the deadline. */
static int await(struct target *target, const struct deadline *deadline)
{
    const struct gaicb *lookups[] = {&target->lookup};
    int status = gai_error(&target->lookup);

    while (status == EAI_INPROGRESS && deadline_left_ms(deadline) > 0) {
        struct timespec left = timespec_of(deadline_left_ms(deadline));

        gai_suspend(lookups, 1, &left);
        status = gai_error(&target->lookup);
    }
    target->looking = status == EAI_INPROGRESS;
    return status;
}

/* The addresses of a host, to be freed by freeaddrinfo(); NULL: err. */
static struct addrinfo *resolve(const struct host *host, struct target *target,
                                const struct deadline *deadline, struct err *err)
{
    const struct addrinfo numeric = {.ai_socktype = SOCK_STREAM,
                                     .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    bool earlier = target->looking; /* for an event whose time was over */
    struct addrinfo *found = NULL;
    int status;

    if (!earlier && getaddrinfo(host->name, host->port, &numeric, &found) == 0)
        return found; /* an address needs no thread */
    if (!earlier && !begin(host, target, err))
        return NULL;
    status = await(target, deadline);
    /* its time may have run out while Lambda froze it */
    if (earlier && status != 0 && status != EAI_INPROGRESS) {
        if (!begin(host, target, err))
            return NULL;
        status = await(target, deadline);
    }
    if (status != 0) {
        err_set_at(err, CAUSE_LOOK_UP, "resolve", 0, "%s",
                   status == EAI_INPROGRESS ? "the name look-up took too long"
                                            : gai_strerror(status));
        return NULL;
    }
    return target->lookup.ar_result;
}

/* ------------------------------------------------------------- connect */

int connector_connect(struct connector *connector, size_t i,
                      const struct deadline *deadline, struct err *err)
{
    const struct host *host = &connector->hosts.list[i];
    struct target *target = &connector->targets[i];
    struct addrinfo *addresses;
    int fd;

    addresses = resolve(host, target, deadline, err);
    if (!addresses)
        return -1;
    fd = attempts_run(addresses, &target->worked, deadline, err);
    freeaddrinfo(addresses);
    return fd;
}

uint64_t connector_heard(int fd)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof(info);

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0 ||
        len < offsetof(struct tcp_info, tcpi_bytes_received) + sizeof(uint64_t))
        return 0; /* qemu's has four bytes */
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

void connector_gather(int fd, bool on)
{
    const int value = on;

    setsockopt(fd, IPPROTO_TCP, TCP_CORK, &value, sizeof(value));
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
    for (size_t i = 0; i < connector->hosts.count; i++)
        if (connector->hosts.list[i].tls)
            return true;
    return false;
}

void connector_close(struct connector *connector)
{
    if (!connector)
        return;
    for (size_t i = 0; i < connector->hosts.count; i++) {
        struct target *target = &connector->targets[i];

        if (target->looking && gai_error(&target->lookup) == EAI_INPROGRESS)
            return; /* libc's thread still writes into it: it stays until the process ends
                     */
        if (target->looking && gai_error(&target->lookup) == 0)
            freeaddrinfo(target->lookup.ar_result);
    }
    free(connector);
}
