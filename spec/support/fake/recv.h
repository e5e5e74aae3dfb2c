/* fake/recv.h -- replaces recv() of libc: reads may be short, or wait.
 *
 * While fake_recv is all zeros, it does what libc's does. */
#ifndef PIGEON_SPEC_FAKE_RECV_H
#define PIGEON_SPEC_FAKE_RECV_H

#include <stdbool.h>
#include <stddef.h>

extern struct fake_recv {
    size_t most; /* the most bytes that a call returns; 0: no limit */
    bool waits;  /* for bytes, so that a flood never has a gap */
} fake_recv;

#endif
