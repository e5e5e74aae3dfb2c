/* connector.h -- from a host to a connected TCP socket, every step within a deadline.
 *
 * The connector owns the list of hosts. Each address of a name gets a share of the time.
 * A look-up that takes too long goes on in libc's thread; the next connect waits for it.
 */
#ifndef PIGEON_NET_CONNECTOR_H
#define PIGEON_NET_CONNECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/deadline.h"
#include "base/err.h"
#include "net/hosts.h"

struct connector;

/* `hosts`, `port` and `tls` as in hosts_parse(). No connection is made yet. NULL: err
 * names the entry of PIGEON_HOST that is wrong. */
struct connector *connector_open(const char *hosts, int port, const char *tls,
                                 struct err *err);

size_t connector_count(const struct connector *connector);

/* "host:port" of host number i, from 0. */
const char *connector_label(const struct connector *connector, size_t i);

/* The name or address of host number i where it speaks TLS; NULL: it does not. */
const char *connector_tls_name(const struct connector *connector, size_t i);

/* Whether any of the hosts speaks TLS. */
bool connector_any_tls(const struct connector *connector);

/* A non-blocking, close-on-exec socket connected to host number i, or -1. err then has
 * the cause for each address; its stage is "resolve" or "connect". */
int connector_connect(struct connector *connector, size_t i,
                      const struct deadline *deadline, struct err *err);

/* How many bytes the other end has sent so far, read or not; 0 where the kernel does not
 * say. */
uint64_t connector_heard(int fd);

/* From now on sent bytes that the peer's kernel does not acknowledge within 3 s, or a
 * third of what is left where that is less, end the connection (TCP_USER_TIMEOUT): a
 * flow that died in silence, noticed so early that time remains to connect again.
 * *now_ms is the value that was set before; 0: none. */
void connector_notice_silence(int fd, const struct deadline *deadline, unsigned *now_ms);

/* On: what is sent waits until it fills a packet (TCP_CORK), 200 ms at most. Off: what
 * waits is sent, and from now on each send at once. */
void connector_gather(int fd, bool on);

void connector_close(struct connector *connector);

#endif
