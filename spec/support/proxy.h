/* proxy.h -- a TCP proxy on loopback that breaks connections as it is told.
 *
 * A process of its own, which ends with its parent, so that neither can hold up the
 * other. The commands are those of build/tools/proxy: host/tools/proxy/serve.h. */
#ifndef PIGEON_SPEC_PROXY_H
#define PIGEON_SPEC_PROXY_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/proxy/serve.h"

struct proxy;

/* Starts one before 127.0.0.1:target_port. NULL: it could not be started. */
struct proxy *proxy_open(int target_port);

int proxy_port(const struct proxy *proxy);

/* Gives a command. False: it was not obeyed, and the answer on stderr says why. */
bool proxy_tell(struct proxy *proxy, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

struct proxy_status proxy_status(struct proxy *proxy);

/* Closes every connection and ends the process. */
void proxy_close(struct proxy *proxy);

#endif
