/* sockets.c -- stands in for the calls on sockets: socket(2) to signalfd(2).
 *
 * As Linux answers: SO_ERROR is read once, data comes before the error, POLLOUT means
 * that a third of the buffer is free (in some lives: a byte). */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "chance.h"
#include "clocks.h"
#include "oracle.h"
#include "plan.h"
#include "schedule.h"
#include "sock.h"
#include "trace.h"
#include "wrap.h"

#define FIRST_FD 10000
#define MOST_FDS 512
#define TLS_PORT 5671
#define ESTABLISHED 1 /* linux/tcp.h has no names for the states of TCP_INFO */
#define CLOSE_WAIT 8

static struct sock *sockets[MOST_FDS];
static int numbers;
static bool stop_asked;

/* ------------------------------------------------------------- descriptors */

struct sock *sock_of(int fd)
{
    return fd >= FIRST_FD && fd < FIRST_FD + MOST_FDS ? sockets[fd - FIRST_FD] : NULL;
}

static int descriptor_for(struct sock *sock)
{
    for (int i = 0; i < MOST_FDS; i++)
        if (!sockets[i]) {
            sockets[i] = sock;
            sock->descriptors++;
            return FIRST_FD + i;
        }
    abort();
}

static struct sock *new_sock(void)
{
    struct sock *sock = calloc(1, sizeof(*sock));

    if (!sock)
        abort();
    sock->cut_up = sock->cut_down = -1;
    return sock;
}

/* NULL, and what the kernel would say of it. */
static struct sock *known(int fd, const char *call)
{
    struct sock *sock = sock_of(fd);

    if (!sock) {
        violation("%s of descriptor %d, which is closed", call, fd);
        errno = EBADF;
    }
    return sock;
}

int network_descriptors(void)
{
    int count = 0;

    for (int i = 0; i < MOST_FDS; i++)
        count += sockets[i] && !sockets[i]->is_signals;
    return count;
}

static void let_go(struct sock *sock, bool vanish)
{
    if (--sock->descriptors > 0)
        return;
    trace("network", sock->number, vanish ? "vanishes" : "closed by the program");
    if (!vanish && !stop_asked)
        sock_let_go(sock);
    if (!vanish)
        sock_send_end(sock, sock->in.len > sock->in_taken);
}

void network_process_ends(bool vanish)
{
    for (int i = 0; i < MOST_FDS; i++)
        if (sockets[i]) {
            let_go(sockets[i], vanish && sockets[i]->host != API_HOST);
            sockets[i] = NULL;
        }
    stop_asked = false;
}

void network_stop_asked(bool asked)
{
    stop_asked = asked;
}

/* ------------------------------------------------------------- making and ending */

WRAP(int, socket, int domain, int type, int protocol)
{
    struct sock *sock = new_sock();

    (void)domain, (void)protocol;
    clocks_call();
    sock->number = ++numbers;
    sock->flags = type & SOCK_NONBLOCK ? O_NONBLOCK : 0;
    if (!(type & SOCK_NONBLOCK) || !(type & SOCK_CLOEXEC))
        violation("a socket that blocks, or that a child would have");
    return descriptor_for(sock);
}

WRAP(int, connect, int fd, const struct sockaddr *address, socklen_t len)
{
    struct sock *sock = known(fd, "connect");
    struct sockaddr_in in;
    uint32_t ip;

    if (!sock || len < sizeof(in))
        return -1;
    memcpy(&in, address, sizeof(in));
    ip = ntohl(in.sin_addr.s_addr);
    clocks_call();
    sock->host = ip == INADDR_LOOPBACK ? API_HOST : (int)(ip & 255) - 1;
    sock->tls = ntohs(in.sin_port) == TLS_PORT;
    sock_connect(sock);
    if (sock->state == SOCK_OPEN)
        return 0;
    errno = EINPROGRESS;
    return -1;
}

int __real_close(int fd);
WRAP(int, close, int fd)
{
    struct sock *sock;

    if (fd < FIRST_FD)
        return __real_close(fd);
    sock = known(fd, "close");
    if (!sock)
        return -1;
    clocks_call();
    sockets[fd - FIRST_FD] = NULL;
    let_go(sock, false);
    return 0;
}

WRAP(int, shutdown, int fd, int how)
{
    struct sock *sock = known(fd, "shutdown");

    if (!sock)
        return -1;
    trace("network", sock->number, "shutdown");
    sock->shut_read |= how != SHUT_WR;
    sock->shut_write |= how != SHUT_RD;
    sock_send_end(sock, false);
    return 0;
}

int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...)
{
    struct sock *sock = sock_of(fd);
    va_list arguments;
    long argument;

    va_start(arguments, command);
    argument = va_arg(arguments, long);
    va_end(arguments);
    if (!sock)
        return __real_fcntl(fd, command, argument);
    if (command == F_DUPFD_CLOEXEC)
        return descriptor_for(sock);
    if (command == F_GETFL)
        return sock->flags;
    if (command == F_SETFL)
        sock->flags = (int)argument;
    return 0;
}

WRAP(int, signalfd, int fd, const sigset_t *set, int flags)
{
    struct sock *sock = new_sock();

    (void)fd, (void)set, (void)flags;
    sock->is_signals = true;
    return descriptor_for(sock);
}

/* ------------------------------------------------------------- waiting */

static bool takes_more(const struct sock *sock)
{
    size_t room = sock_room(sock);
    size_t least = plan.lies && sock->host != API_HOST ? 1 : plan.send_buffer / 3;

    return room >= least || room >= 16384;
}

static short events_of(const struct sock *sock, short wanted)
{
    bool dead = sock->state == SOCK_DEAD;
    int events = 0;

    if (sock->is_signals)
        return stop_asked ? wanted & POLLIN : 0;
    if (sock->state == SOCK_NEW)
        return (short)(POLLHUP | (wanted & POLLOUT));
    if (sock->state == SOCK_CONNECTING)
        return 0;
    if (sock->in.len > sock->in_taken || sock->fin_came || sock->shut_read || dead)
        events |= POLLIN;
    if (dead || sock->shut_write || takes_more(sock))
        events |= POLLOUT;
    if (sock->error != 0)
        events |= POLLERR;
    if (dead || (sock->shut_read && sock->shut_write))
        events |= POLLHUP;
    return (short)(events & (wanted | POLLERR | POLLHUP));
}

struct polling {
    struct pollfd *list;
    nfds_t count;
};

static int poll_ready(void *what)
{
    struct polling *polling = what;
    int ready = 0;

    for (nfds_t i = 0; i < polling->count; i++) {
        struct pollfd *one = &polling->list[i];
        struct sock *sock = sock_of(one->fd);

        one->revents = sock ? events_of(sock, one->events) : 0;
        if (one->fd >= 0 && !sock)
            one->revents = POLLNVAL;
        ready += one->revents != 0;
    }
    return ready;
}

static int poll_sockets(struct pollfd *list, nfds_t count, int timeout)
{
    struct polling polling = {list, count};
    const struct sock *first = count > 0 ? sock_of(list[0].fd) : NULL;
    int64_t end;

    clocks_call();
    end = timeout < 0 ? INT64_MAX : now + timeout * MS;
    if (first && first->host != API_HOST)
        clocks_wait_for_broker();
    return clocks_wait(end, poll_ready, &polling);
}

WRAP(int, poll, struct pollfd *list, nfds_t count, int timeout)
{
    return poll_sockets(list, count, timeout);
}

WRAP(int, __poll_chk, struct pollfd *list, nfds_t count, int timeout, size_t size)
{
    (void)size;
    return poll_sockets(list, count, timeout);
}

/* ------------------------------------------------------------- reading and writing */

static ssize_t told_error(struct sock *sock)
{
    errno = sock->error;
    sock->error = 0;
    return -1;
}

static ssize_t receive(int fd, void *data, size_t len)
{
    struct sock *sock = known(fd, "recv");
    size_t have;

    clocks_call();
    if (!sock)
        return -1;
    have = sock->in.len - sock->in_taken;
    if (have > 0) {
        size_t n = have < len ? have : len;

        if (n > 1 && happens(&network_chance, plan.drip))
            n = 1 + below(&network_chance, n);
        memcpy(data, sock->in.data + sock->in_taken, n);
        trace_bytes(data, n);
        sock->in_taken += n;
        if (sock->in_taken == sock->in.len)
            sock->in_taken = sock->in.len = 0;
        sock_has_read(sock, n);
        return (ssize_t)n;
    }
    if (sock->error != 0)
        return told_error(sock);
    if (sock->fin_came || sock->shut_read || sock->state == SOCK_DEAD)
        return 0;
    errno = EAGAIN;
    return -1;
}

WRAP(ssize_t, recv, int fd, void *data, size_t len, int flags)
{
    (void)flags;
    return receive(fd, data, len);
}

WRAP(ssize_t, __recv_chk, int fd, void *data, size_t len, size_t size, int flags)
{
    (void)flags, (void)size;
    return receive(fd, data, len);
}

static ssize_t send_bytes(int fd, const void *data, size_t len, int flags)
{
    struct sock *sock = known(fd, "send");

    clocks_call();
    if (!sock)
        return -1;
    if (!(flags & MSG_NOSIGNAL))
        violation("a send that may raise SIGPIPE");
    if (sock->error != 0)
        return told_error(sock);
    if (sock->state != SOCK_OPEN || sock->shut_write) {
        errno = EPIPE;
        return -1;
    }
    if (sock_room(sock) == 0) {
        errno = EAGAIN;
        return -1;
    }
    oracle_sends(sock->host == API_HOST, data, len);
    return sock_send(sock, data, len);
}

WRAP(ssize_t, send, int fd, const void *data, size_t len, int flags)
{
    return send_bytes(fd, data, len, flags);
}

WRAP(ssize_t, sendmsg, int fd, const struct msghdr *message, int flags)
{
    struct pile all = {0};
    ssize_t sent;

    for (size_t i = 0; i < message->msg_iovlen; i++)
        pile_add(&all, message->msg_iov[i].iov_base, message->msg_iov[i].iov_len);
    sent = send_bytes(fd, all.data, all.len, flags);
    pile_free(&all);
    return sent;
}

/* ------------------------------------------------------------- options */

WRAP(int, setsockopt, int fd, int level, int name, const void *value, socklen_t len)
{
    struct sock *sock = known(fd, "setsockopt");

    if (!sock)
        return -1;
    if (level == IPPROTO_TCP && name == TCP_USER_TIMEOUT &&
        len == sizeof(sock->user_timeout_ms)) {
        memcpy(&sock->user_timeout_ms, value, len);
        sock_notice_silence(sock);
    }
    return 0;
}

WRAP(int, getsockopt, int fd, int level, int name, void *value, socklen_t *len)
{
    struct sock *sock = known(fd, "getsockopt");

    clocks_call();
    if (!sock)
        return -1;
    if (level == SOL_SOCKET && name == SO_ERROR) {
        memcpy(value, &sock->error, sizeof(sock->error));
        sock->error = 0;
        *len = sizeof(sock->error);
        return 0;
    }
    if (level == IPPROTO_TCP && name == TCP_INFO) {
        struct tcp_info info = {.tcpi_state = sock->fin_came ? CLOSE_WAIT : ESTABLISHED,
                                .tcpi_bytes_received = sock->received};

        memcpy(value, &info, *len < sizeof(info) ? *len : sizeof(info));
        return 0;
    }
    violation("getsockopt %d %d is not known here", level, name);
    errno = ENOPROTOOPT;
    return -1;
}
