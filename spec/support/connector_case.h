/* connector_case.h -- a connector, and a port of 127.0.0.1 that it may connect to.
 *
 * A spec that includes this includes fake/dns.h and fake/clock.h, too. */
#ifndef PIGEON_SPEC_CONNECTOR_CASE_H
#define PIGEON_SPEC_CONNECTOR_CASE_H

#include <netinet/in.h>

#include "fake/clock.h"
#include "fake/dns.h"
#include "net/connector.h"

#define MINUTE_MS 60000

extern struct connector *connector;
extern int listener;
extern struct sockaddr_in address; /* of the listener */

int connector_case_setup(void **state);
int connector_case_teardown(void **state);

int open_socket(int flags);
void close_fd(int *fd);

/* A port at which somebody listens, or (backlog -1) nobody. */
void bind_port(int backlog);

/* Opens the connector; hosts without a port have that of `address`. */
void open_connector(const char *hosts);

/* Connects to the first host, within a minute. Where it fails, the stage is asserted. */
int connect_first(const char *stage, struct err *err);

#endif
