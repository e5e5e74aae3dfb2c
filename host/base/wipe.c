/* wipe.c -- the whole block is wiped, as malloc() sees it: libraries do not tell sizes.
 *
 * explicit_bzero() is glibc's OPENSSL_cleanse(): the compiler may not leave it out. */
#include "base/wipe.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

void wipe_free(void *memory)
{
    if (memory)
        explicit_bzero(memory, malloc_usable_size(memory));
    free(memory);
}

void *wipe_realloc(void *memory, size_t size)
{
    size_t old = memory ? malloc_usable_size(memory) : 0;
    void *grown = malloc(size);

    if (!grown)
        return NULL;
    if (memory)
        memcpy(grown, memory, old < size ? old : size);
    wipe_free(memory);
    return grown;
}
