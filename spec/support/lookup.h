/* For the specs of host/net/connector.c: a connector, fakes that look its names up, and a
 * clock that they put forward.
 *
 * Include it after cmocka.h, once in a program: the fakes take the place of libc's
 * functions. set_up() and tear_down() are a test's setup and teardown. */
#ifndef PIGEON_LOOKUP_H
#define PIGEON_LOOKUP_H

#include <arpa/inet.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "net/connector.h"

#define MINUTE_MS 60000

/* ------------------------------------------------------------- the clock */

static int64_t ahead_ms;

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int64_t ms;

    if (syscall(SYS_clock_gettime, clock, now) != 0)
        return -1;
    ms = now->tv_nsec / 1000000 + ahead_ms;
    now->tv_sec += ms / 1000;
    now->tv_nsec = ms % 1000 * 1000000 + now->tv_nsec % 1000000;
    return 0;
}

/* ------------------------------------------------------------- the look-ups */

static struct {
    const char *addresses[3]; /* what every name is, or */
    int status;               /* why it is not found */
    bool hangs;
    int refused; /* by getaddrinfo_a() itself */
    int count;   /* how many began */
    int flags;   /* of the last */
    struct gaicb *last;
} lookup;

static inline struct addrinfo *address_list(const struct gaicb *of)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *first = NULL;
    struct addrinfo **end = &first;

    for (int i = 0; i < 3 && lookup.addresses[i]; i++) {
        assert_int_equal(getaddrinfo(lookup.addresses[i], of->ar_service, &hints, end),
                         0);
        end = &(*end)->ai_next;
    }
    return first;
}

int getaddrinfo_a(int mode, struct gaicb *list[], int count, struct sigevent *event)
{
    (void)event;
    assert_int_equal(mode, GAI_NOWAIT);
    assert_int_equal(count, 1);
    lookup.count++;
    lookup.last = list[0];
    lookup.flags = list[0]->ar_request->ai_flags;
    return lookup.refused;
}

int gai_error(struct gaicb *request)
{
    assert_ptr_equal(request, lookup.last);
    /* libc's thread reads them as long as it looks */
    assert_int_equal(request->ar_request->ai_flags, lookup.flags);
    if (lookup.hangs)
        return EAI_INPROGRESS;
    if (lookup.status == 0 && !request->ar_result)
        request->ar_result = address_list(request);
    return lookup.status;
}

int gai_suspend(const struct gaicb *const list[], int count, const struct timespec *most)
{
    (void)list;
    assert_int_equal(count, 1);
    assert_true(lookup.hangs);
    ahead_ms += most->tv_sec * 1000 + most->tv_nsec / 1000000;
    return EAI_AGAIN;
}

/* ------------------------------------------------------------- a connector */

static int listener = -1;
static struct connector *connector;
static struct sockaddr_in address;

static inline int open_socket(int flags)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

    assert_true(fd >= 0);
    return fd;
}

/* A port of 127.0.0.1 at which somebody listens, or (backlog -1) nobody. */
static inline void bind_port(int backlog)
{
    socklen_t len = sizeof(address);

    listener = open_socket(0);
    address = (struct sockaddr_in){.sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(bind(listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    if (backlog >= 0)
        assert_int_equal(listen(listener, backlog), 0);
}

static inline void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static inline int set_up(void **state)
{
    (void)state;
    memset(&lookup, 0, sizeof(lookup));
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    close_fd(&listener);
    connector_close(connector);
    connector = NULL;
    return 0;
}

static inline void open_dial(const char *hosts)
{
    struct err err;

    connector = connector_open(hosts, ntohs(address.sin_port), NULL, &err);
    assert_non_null(connector);
}

/* Connects to the first host, within a minute. The stage is asserted. */
static inline int dial_first(const char *stage, struct err *err)
{
    struct deadline deadline = deadline_in(MINUTE_MS);
    const char *where = "";
    int fd;

    memset(err, 0, sizeof(*err));
    fd = connector_connect(connector, 0, &deadline, &where, err);
    assert_string_equal(where, stage);
    return fd;
}

#endif
