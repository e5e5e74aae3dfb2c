/* attempts.h -- connects to one of several addresses of a host (RFC 8305).
 *
 * The address that worked last goes first. The next one is tried beside it after 250 ms,
 * or at once where none is under way any more; the first that connects wins. */
#ifndef PIGEON_NET_ATTEMPTS_H
#define PIGEON_NET_ATTEMPTS_H

#include <netdb.h>
#include <sys/socket.h>

#include "base/deadline.h"
#include "base/err.h"

#define ATTEMPTS_MAX 16 /* addresses; more are left out */

struct address {
    struct sockaddr_storage bytes;
    socklen_t len; /* 0: none */
};

/* A connected socket, non-blocking and close-on-exec, or -1: err has the cause for each
 * address. `worked` is tried first where it is in the list, and becomes the address that
 * connected. */
int attempts_run(const struct addrinfo *addresses, struct address *worked,
                 const struct deadline *deadline, struct err *err);

#endif
