/* shown.h -- a value from outside, for an error: printable ASCII as it is, other bytes as
 * \xNN, the first 40 bytes. Never for a secret. */
#ifndef PIGEON_BASE_SHOWN_H
#define PIGEON_BASE_SHOWN_H

struct shown {
    char text[40 * 4 + 4];
};

struct shown show(const char *value);

#endif
