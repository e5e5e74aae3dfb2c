/* attempts.c -- a few sockets, one poll(). */
#include "net/attempts.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define NEXT_MS 250 /* RFC 8305, section 5: the Connection Attempt Delay */

struct attempt {
    const struct addrinfo *address;
    int fd;    /* -1: not begun, or over */
    int error; /* an errno, once it is over */
};

/* ------------------------------------------------------------- one socket */

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

/* A socket whose connect to this address has begun; -1 with errno. */
static int begin(const struct addrinfo *address)
{
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error;

    if (fd < 0)
        return -1;
    set_options(fd);
    if (connect(fd, address->ai_addr, address->ai_addrlen) == 0 || errno == EINPROGRESS)
        return fd;
    error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* 0: the connect succeeded; else an errno. */
static int result_of(int fd)
{
    socklen_t len = sizeof(int);
    int error = 0;

    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 ? errno : error;
}

/* ------------------------------------------------------------- several */

static bool is_same(const struct addrinfo *a, const struct address *b)
{
    return a->ai_addrlen == b->len && memcmp(a->ai_addr, &b->bytes, b->len) == 0;
}

/* One for each address, the one that worked last in front. Returns how many. */
static size_t list(const struct addrinfo *addresses, const struct address *worked,
                   struct attempt *attempts)
{
    size_t count = 0;

    for (const struct addrinfo *a = addresses; a && count < ATTEMPTS_MAX;
         a = a->ai_next) {
        attempts[count] = (struct attempt){.address = a, .fd = -1};
        if (is_same(a, worked)) {
            memmove(&attempts[1], &attempts[0], count * sizeof(*attempts));
            attempts[0] = (struct attempt){.address = a, .fd = -1};
        }
        count++;
    }
    return count;
}

static void end(struct attempt *attempt, int error)
{
    if (attempt->fd >= 0)
        close(attempt->fd);
    attempt->fd = -1;
    attempt->error = error;
}

/* Waits for one of those that have begun. The one that is connected; NULL: none is yet.
 */
static struct attempt *wait_any(struct attempt *attempts, size_t begun, int64_t ms)
{
    struct pollfd ready[ATTEMPTS_MAX];
    int error;

    for (size_t i = 0; i < begun; i++) /* poll() passes over -1 */
        ready[i] = (struct pollfd){.fd = attempts[i].fd, .events = POLLOUT};
    if (poll(ready, begun, (int)ms) <= 0)
        return NULL;
    for (size_t i = 0; i < begun; i++) {
        if (attempts[i].fd < 0 || ready[i].revents == 0)
            continue;
        error = result_of(attempts[i].fd);
        if (error == 0)
            return &attempts[i];
        end(&attempts[i], error);
    }
    return NULL;
}

static bool any_open(const struct attempt *attempts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (attempts[i].fd >= 0)
            return true;
    return false;
}

/* The attempt that connected first; NULL: none did, and each has its error. */
static struct attempt *race(struct attempt *attempts, size_t count,
                            const struct deadline *deadline)
{
    struct deadline next = deadline_in(0); /* when the next one begins */
    struct attempt *winner = NULL;
    size_t begun = 0;

    do {
        if (begun < count &&
            (!any_open(attempts, begun) || deadline_left_ms(&next) == 0)) {
            struct attempt *attempt = &attempts[begun++];

            attempt->fd = begin(attempt->address);
            if (attempt->fd < 0)
                attempt->error = errno;
            next = deadline_within(deadline, NEXT_MS);
        }
        if (any_open(attempts, begun))
            winner = wait_any(attempts, begun,
                              deadline_left_ms(begun < count ? &next : deadline));
    } while (!winner && (begun < count ||
                         (any_open(attempts, begun) && deadline_left_ms(deadline) > 0)));
    return winner;
}

static void explain(const struct attempt *attempt, struct err *err)
{
    char text[64] = "?";

    getnameinfo(attempt->address->ai_addr, attempt->address->ai_addrlen, text,
                sizeof(text), NULL, 0, NI_NUMERICHOST);
    if (attempt->error == ECONNREFUSED)
        err->cause = CAUSE_CONNECT_REFUSED;
    err_add(err, "%s%s: %s", err->text[0] ? "; " : "", text,
            attempt->error == ETIMEDOUT ? "no answer to the connect"
                                        : strerror(attempt->error));
}

int attempts_run(const struct addrinfo *addresses, struct address *worked,
                 const struct deadline *deadline, struct err *err)
{
    struct attempt attempts[ATTEMPTS_MAX];
    size_t count = list(addresses, worked, attempts);
    struct attempt *winner = race(attempts, count, deadline);
    int fd = -1;

    if (winner) {
        fd = winner->fd;
        winner->fd = -1;
        worked->len = winner->address->ai_addrlen;
        memcpy(&worked->bytes, winner->address->ai_addr, worked->len);
    }
    err_set_at(err, CAUSE_CONNECT, "connect", 0, "%s", "");
    for (size_t i = 0; i < count; i++) {
        if (attempts[i].fd >= 0)
            end(&attempts[i], ETIMEDOUT);
        if (!winner)
            explain(&attempts[i], err);
    }
    return fd;
}
