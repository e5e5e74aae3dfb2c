/* fuzz.h -- what every target of spec/fuzz has: one function that takes any bytes.
 *
 * It is linked with main.c, which replays files, or with libFuzzer, which searches. What
 * is found is a report of a sanitizer, a promise that does not hold, or a slow input. */
#ifndef PIGEON_FUZZ_H
#define PIGEON_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the process where a promise of the code under test does not hold. */
static inline void promise(bool holds, const char *words)
{
    if (holds)
        return;
    fprintf(stderr, "BROKEN PROMISE: %s\n", words);
    abort();
}

#endif
