/* bytes.h -- some bytes that somebody else owns, with their number. */
#ifndef PIGEON_BASE_BYTES_H
#define PIGEON_BASE_BYTES_H

#include <stddef.h>

struct bytes {
    const char *data;
    size_t len;
};

#endif
