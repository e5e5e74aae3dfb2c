/* utf8.h -- where a character of UTF-8 ends. Pure: signal handlers may ask too. */
#ifndef PIGEON_BASE_UTF8_H
#define PIGEON_BASE_UTF8_H

#include <stddef.h>

/* How many bytes the well-formed character at `at` has, of `len` that are there (1 or
 * more); 0: it is none. */
size_t utf8_size(const unsigned char *at, size_t len);

#endif
