/* wipe.h -- memory that held a secret, given back without it. Includes nothing of ours.
 */
#ifndef PIGEON_BASE_WIPE_H
#define PIGEON_BASE_WIPE_H

#include <stddef.h>

/* free() and realloc() for malloc()ed memory, leaving nothing of it behind. */
void wipe_free(void *memory);
void *wipe_realloc(void *memory, size_t size);

#endif
