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

#define HOSTS_MAX 16
#define SILENCE_MS 3000
#define CLOSE_WAIT \
    8 /* TCP's state after the other end's FIN (libc's header is not ours) */
#define TLS_PORT 5671 /* amqps */
#define SPACE " \t\r\n"

struct host {
    char name[256];
    char port[8];
    char label[280]; /* name:port */
    bool tls;
    bool looking; /* the look-up may still run in libc's thread */
    struct addrinfo hints;
    struct gaicb lookup;
    int begun;      /* the socket of connector_begin(); -1: none */
    bool connected; /* it is */
};

struct connector {
    size_t count;
    struct host hosts[HOSTS_MAX];
};

/* ------------------------------------------------------------- PIGEON_HOST */

static bool valid_port(const char *text)
{
    char *end;
    long port = strtol(text, &end, 10);

    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && end - text <= 5 &&
           port >= 1 && port <= 65535;
}

/* With colons in it, it has to be an IPv6 address. */
static bool valid_name(const char *name)
{
    const struct addrinfo address = {.ai_family = AF_INET6, .ai_flags = AI_NUMERICHOST};
    struct addrinfo *found;

    if (strpbrk(name, SPACE "/[]"))
        return false;
    if (!strchr(name, ':'))
        return true;
    if (getaddrinfo(name, NULL, &address, &found) != 0)
        return false;
    freeaddrinfo(found);
    return true;
}

/* "[::1]:5673" -> name and port; a bare IPv6 address has two colons or more. */
static bool split_entry(char *entry, char **name, char **port)
{
    char *colon = strrchr(entry, ':');
    char *bracket = strchr(entry, ']');

    *name = entry;
    *port = NULL;
    if (entry[0] == '[') {
        if (!bracket || (bracket[1] != '\0' && bracket[1] != ':'))
            return false;
        *name = entry + 1;
        *port = bracket[1] == ':' ? bracket + 2 : NULL;
        *bracket = '\0';
    } else if (colon && colon == strchr(entry, ':')) {
        *colon = '\0';
        *port = colon + 1;
    }
    return **name != '\0';
}

static bool add_entry(struct connector *connector, const char *entry, size_t len,
                      const char *default_port, const char *tls, const char *setting,
                      struct err *err)
{
    size_t position = connector->count + 1;
    struct host *host = &connector->hosts[connector->count];
    char copy[256];
    char *name;
    char *port;

    err->type = "ValueError";
    while (len > 0 && strchr(SPACE, entry[0])) {
        entry++;
        len--;
    }
    while (len > 0 && strchr(SPACE, entry[len - 1]))
        len--;
    if (len == 0)
        return err_set(err, "PIGEON_HOST: entry %zu of \"%s\" is empty", position,
                       setting);
    if (len >= sizeof(copy) || connector->count == HOSTS_MAX)
        return err_set(err, "PIGEON_HOST: entry %zu is %s", position,
                       len >= sizeof(copy) ? "longer than 255 bytes"
                                           : "one too many, 16 hosts at most");
    memcpy(copy, entry, len);
    copy[len] = '\0';
    if (!split_entry(copy, &name, &port) || !valid_name(name) ||
        (port && !valid_port(port)))
        return err_set(err,
                       "PIGEON_HOST: entry %zu, \"%.*s\", is not HOST, HOST:PORT or "
                       "[ADDRESS]:PORT",
                       position, (int)len, entry);
    snprintf(host->name, sizeof(host->name), "%s", name);
    snprintf(host->port, sizeof(host->port), "%s", port ? port : default_port);
    snprintf(host->label, sizeof(host->label), strchr(name, ':') ? "[%s]:%s" : "%s:%s",
             host->name, host->port);
    host->begun = -1;
    host->tls = tls ? strcmp(tls, "on") == 0 : strtol(host->port, NULL, 10) == TLS_PORT;
    connector->count++;
    return true;
}

struct connector *connector_open(const char *hosts, int port, const char *tls,
                                 struct err *err)
{
    struct connector *connector;
    char default_port[8];
    const char *comma;

    if (strchr(hosts, '@')) { /* a URL, whose password must not be shown */
        err->type = "ValueError";
        err_set(err, "PIGEON_HOST holds an \"@\"; user and password belong into "
                     "PIGEON_USER and PIGEON_PASSWORD");
        return NULL;
    }
    connector = calloc(1, sizeof(*connector));
    if (!connector) {
        err_set(err, "out of memory");
        return NULL;
    }
    snprintf(default_port, sizeof(default_port), "%u", (unsigned)port & 0xFFFFu);
    for (const char *at = hosts; at; at = comma ? comma + 1 : NULL) {
        comma = strchr(at, ',');
        if (!add_entry(connector, at, comma ? (size_t)(comma - at) : strlen(at),
                       default_port, tls, hosts, err)) {
            connector_close(connector);
            return NULL;
        }
    }
    return connector;
}

/* ------------------------------------------------------------- resolve */

static struct timespec timespec_of(int64_t ms)
{
    return (struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
}

/* The addresses of a host, to be given back by freeaddrinfo(); NULL: err. */
static struct addrinfo *resolve(struct host *host, const struct deadline *deadline,
                                struct err *err)
{
    const struct gaicb *lookups[] = {&host->lookup};
    struct gaicb *started[] = {&host->lookup};
    struct addrinfo *found = NULL;
    int status;

    if (!host->looking) { /* else libc's thread reads hints and lookup */
        host->hints = (struct addrinfo){.ai_socktype = SOCK_STREAM,
                                        .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
        if (getaddrinfo(host->name, host->port, &host->hints, &found) == 0)
            return found; /* an address needs no thread */
        host->hints.ai_flags = AI_NUMERICSERV;
        host->lookup = (struct gaicb){
            .ar_name = host->name, .ar_service = host->port, .ar_request = &host->hints};
        status = getaddrinfo_a(GAI_NOWAIT, started, 1, NULL);
        if (status != 0) {
            err_set(err, "%s", gai_strerror(status));
            return NULL;
        }
        host->looking = true;
    }
    status = gai_error(&host->lookup);
    while (status == EAI_INPROGRESS && deadline_left_ms(deadline) > 0) {
        struct timespec left = timespec_of(deadline_left_ms(deadline));

        gai_suspend(lookups, 1, &left);
        status = gai_error(&host->lookup);
    }
    if (status == EAI_INPROGRESS) {
        err_set(err, "the name look-up has not ended");
        return NULL;
    }
    host->looking = false;
    if (status != 0) {
        err_set(err, "%s", gai_strerror(status));
        return NULL;
    }
    return host->lookup.ar_result;
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
    struct host *host = &connector->hosts[i];
    struct deadline now = deadline_in(0);
    struct err ignored;
    struct addrinfo *addresses = resolve(host, &now, &ignored);
    int fd = addresses ? begin_connect(addresses) : -1;
    int error = fd >= 0 ? wait_connected(fd, &now) : errno;

    if (addresses)
        freeaddrinfo(addresses);
    if (error != 0 && error != ETIMEDOUT)
        fd = give_up(fd, error); /* connector_connect() finds it out again, and tells */
    host->begun = fd;
    host->connected = fd >= 0 && error == 0;
    return host->connected ? fd : -1;
}

int connector_connect(struct connector *connector, size_t i,
                      const struct deadline *deadline, const char **stage,
                      struct err *err)
{
    struct host *host = &connector->hosts[i];
    struct addrinfo *addresses;
    int left = 0;
    int fd = host->begun; /* to the first address */

    host->begun = -1;
    if (fd >= 0 && host->connected)
        return fd;
    *stage = "resolve";
    addresses = resolve(host, deadline, err);
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
    return connector->count;
}

const char *connector_label(const struct connector *connector, size_t i)
{
    return connector->hosts[i].label;
}

const char *connector_tls_name(const struct connector *connector, size_t i)
{
    return connector->hosts[i].tls ? connector->hosts[i].name : NULL;
}

bool connector_any_tls(const struct connector *connector)
{
    for (size_t i = 0; i < connector->count; i++)
        if (connector->hosts[i].tls)
            return true;
    return false;
}

void connector_close(struct connector *connector)
{
    if (!connector)
        return;
    for (size_t i = 0; i < connector->count; i++) {
        struct host *host = &connector->hosts[i];

        if (host->begun >= 0)
            close(host->begun);
        if (host->looking && gai_error(&host->lookup) == EAI_INPROGRESS)
            return; /* libc's thread still writes into it: left to the process's end */
        if (host->looking && gai_error(&host->lookup) == 0)
            freeaddrinfo(host->lookup.ar_result);
    }
    free(connector);
}
