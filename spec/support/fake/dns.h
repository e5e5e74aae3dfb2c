/* fake/dns.h -- replaces getaddrinfo_a(), gai_error() and gai_suspend() of libc: looks
 * names up without a network.
 *
 * A wait for a look-up puts fake/clock.h forward instead of taking time. */
#ifndef PIGEON_SPEC_FAKE_DNS_H
#define PIGEON_SPEC_FAKE_DNS_H

#include <stdbool.h>

struct gaicb;

extern struct fake_dns {
    const char *addresses[3]; /* the answer for every name, or */
    int status;               /* why there is none */
    bool hangs;               /* no answer yet */
    bool recovers;            /* the next look-up that begins has no status */
    int refused;              /* what getaddrinfo_a() itself returns */

    int count; /* how many look-ups began */
    int flags; /* of the last */
    struct gaicb *last;
} fake_dns;

#endif
