/* hosts.h -- the setting PIGEON_HOST: which hosts there are, and which of them speak TLS.
 *
 * Plain data, owns nothing. */
#ifndef PIGEON_NET_HOSTS_H
#define PIGEON_NET_HOSTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define HOSTS_MAX 16

struct host {
    char name[256];  /* a name, or an address without brackets */
    char port[8];    /* 1 to 65535 */
    char label[280]; /* "name:port", for messages */
    bool tls;
};

struct hosts {
    size_t count;
    struct host list[HOSTS_MAX];
};

/* `setting` is a comma list of HOST, HOST:PORT, IPv6 addresses bare or as [ADDRESS]:PORT;
 * `port` is for entries without one. `tls` is "on", "off", or NULL: on for each host
 * whose port is 5671. False: err names the entry that is wrong. */
bool hosts_parse(struct hosts *hosts, const char *setting, int port, const char *tls,
                 struct err *err);

#endif
