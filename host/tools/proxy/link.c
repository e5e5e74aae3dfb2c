/* link.c -- what a fault does to the sockets. */
#include "tools/proxy/link.h"

#include <linux/filter.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

void socket_option(int fd, int level, int name, int value)
{
    setsockopt(fd, level, name, &value, sizeof(value));
}

void socket_silence(int fd)
{
    struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog program = {.len = 1, .filter = &nothing};

    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
        perror("proxy: SO_ATTACH_FILTER");
}

struct link *link_open(int client, const struct sockaddr_in *target,
                       const struct fault faults[2])
{
    struct link *link = malloc(sizeof(*link));
    int server = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (!link)
        return NULL;
    socket_option(client, IPPROTO_TCP, TCP_NODELAY, 1);
    socket_option(server, IPPROTO_TCP, TCP_NODELAY, 1);
    /* Its result shows when bytes are moved. */
    connect(server, (const struct sockaddr *)target, sizeof(*target));
    *link = (struct link){client, server, {{0}}};
    link->flows[UP] = (struct flow){client, server, .fault = faults[UP]};
    link->flows[DOWN] = (struct flow){server, client, .fault = faults[DOWN]};
    return link;
}

static enum link_state strike(struct flow *flow)
{
    switch (flow->fault.kind) {
    case FAULT_CUT:
        return LINK_ENDS;
    case FAULT_RESET:
        return LINK_RESET;
    case FAULT_HALF:
        shutdown(flow->to, SHUT_WR);
        break;
    case FAULT_SILENCE:
        socket_silence(flow->from);
        break;
    case FAULT_STALL:
    case FAULT_NONE:
        break;
    }
    return LINK_GOES;
}

static bool done(const struct flow *flow)
{
    return flow->shut || (flow->struck && flow->fault.kind == FAULT_HALF);
}

enum link_state link_move(struct link *link, struct proxy_status *status)
{
    enum link_state state = LINK_GOES;

    for (int d = UP; state == LINK_GOES && d <= DOWN; d++) {
        struct flow *flow = &link->flows[d];
        uint64_t before = flow->passed;
        enum flow_state moved = flow_move(flow);

        *(d == UP ? &status->up : &status->down) += flow->passed - before;
        status->struck += moved == FLOW_STRIKES;
        if (moved == FLOW_BROKEN)
            state = LINK_RESET;
        if (moved == FLOW_STRIKES)
            state = strike(flow);
    }
    if (state == LINK_GOES && done(&link->flows[UP]) && done(&link->flows[DOWN]))
        return LINK_ENDS;
    return state;
}

/* Sends FIN, or RST. Unread bytes would turn a FIN into a RST. */
static void end_socket(int fd, bool reset)
{
    const struct linger now = {.l_onoff = 1};
    char unread[4096];

    if (reset)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    else
        shutdown(fd, SHUT_WR);
    while (!reset && recv(fd, unread, sizeof(unread), MSG_DONTWAIT) > 0)
        ;
    close(fd);
}

void link_close(struct link *link, bool reset)
{
    for (int d = UP; d <= DOWN; d++)
        flow_clear(&link->flows[d]);
    end_socket(link->client, reset);
    end_socket(link->server, reset);
    free(link);
}
