/* link.h -- a proxied connection: two sockets, two flows, and how a fault strikes them.
 *
 * The link owns both sockets. */
#ifndef PIGEON_TOOLS_PROXY_LINK_H
#define PIGEON_TOOLS_PROXY_LINK_H

#include <netinet/in.h>

#include "tools/proxy/flow.h"
#include "tools/proxy/serve.h"

enum { UP, DOWN }; /* to the target, from it */

struct link {
    int client, server;
    struct flow flows[2];
};

/* Connects to the target, without waiting, for the client that came. NULL: memory ran
 * out. */
struct link *link_open(int client, const struct sockaddr_in *target,
                       const struct fault faults[2]);

/* Moves what can be moved, and lets faults strike that are due; counts both. */
enum link_state {
    LINK_GOES,
    LINK_ENDS, /* it is to be closed */
    LINK_RESET /* the same, with RST */
} link_move(struct link *link, struct proxy_status *status);

void link_close(struct link *link, bool reset);

void socket_option(int fd, int level, int name, int value);

/* From now on the kernel drops what arrives at the socket, before it acknowledges it. */
void socket_silence(int fd);

#endif
