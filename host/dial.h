/* dial.h -- from PIGEON_HOST to a connected TCP socket, every step within a deadline.
 *
 * The dial owns the list of hosts. A name that resolves to several addresses gives each
 * a share of the time; a look-up that takes too long goes on in libc's thread and is
 * asked again next time. */
#ifndef PIGEON_DIAL_H
#define PIGEON_DIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "deadline.h"
#include "err.h"

struct dial;

/* `hosts` is a comma list of HOST, HOST:PORT, IPv6 addresses bare or as [ADDRESS]:PORT;
 * `port` is for those that name none. `tls` is "on", "off", or NULL: on where the host's
 * port is 5671. NULL: err says which entry is wrong. */
struct dial *dial_open(const char *hosts, int port, const char *tls, struct err *err);

size_t dial_count(const struct dial *dial);

/* "host:port" of host number i, from 0. */
const char *dial_name(const struct dial *dial, size_t i);

/* The name or address of host number i where it speaks TLS; NULL: it does not. */
const char *dial_tls(const struct dial *dial, size_t i);

/* Whether any of the hosts speaks TLS. */
bool dial_any_tls(const struct dial *dial);

/* A head start for the next dial_connect() to this host, which waits for nothing: begins
 * the look-up, or, where none is needed, the connect. The socket, where it is connected
 * at once, to say something over it; it stays the dial's. -1: not yet, or not at all. */
int dial_begin(struct dial *dial, size_t i);

/* A non-blocking, close-on-exec socket connected to host number i, or -1. err then has
 * the cause for each address; *stage is "resolve" or "connect". */
int dial_connect(struct dial *dial, size_t i, const struct deadline *deadline,
                 const char **stage, struct err *err);

/* How many bytes the other end has sent so far, read or not. */
uint64_t dial_heard(int fd);

/* From now on sent bytes that the peer's kernel does not acknowledge within 3 s, or a
 * third of what is left where that is less, end the connection (TCP_USER_TIMEOUT): a
 * flow that died in silence, noticed so early that time remains to connect again.
 * *now_ms is what the socket was told before; 0: nothing yet. */
void dial_notice_silence(int fd, const struct deadline *deadline, unsigned *now_ms);

void dial_close(struct dial *dial);

#endif
