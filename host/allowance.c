/* allowance.c -- counts bytes; knows nothing of what they hold. */
#include "allowance.h"

#include <stdlib.h>

#define MEGABYTE ((size_t)1 << 20)
#define ROOM (128 * MEGABYTE)

static size_t ceiling(const struct allowance *allowance)
{
    return allowance->base + allowance->room + allowance->input;
}

void allowance_open(struct allowance *allowance, long memory_mb)
{
    size_t most = memory_mb > 0 ? (size_t)memory_mb * MEGABYTE / 4 * 3 : ROOM;

    *allowance = (struct allowance){.room = most < ROOM ? most : ROOM};
    allowance->limit = allowance->room;
}

void allow(struct allowance *allowance, size_t growth)
{
    size_t top = ceiling(allowance);

    if (growth != ALLOW_ALL)
        top -= allowance->room / 8;
    allowance->refused = false;
    allowance->limit = top;
    if (allowance->bytes < top && growth < top - allowance->bytes)
        allowance->limit = allowance->bytes + growth;
}

bool allowance_strained(const struct allowance *allowance)
{
    return allowance->bytes > ceiling(allowance) / 2;
}

void *allowance_alloc(void *ud, void *ptr, size_t old, size_t new)
{
    struct allowance *allowance = ud;
    void *grown;

    if (!ptr)
        old = 0; /* for a new block, Lua passes its kind here */
    if (new == 0) {
        free(ptr);
        allowance->bytes -= old;
        return NULL;
    }
    if (new > old && allowance->bytes + (new - old) > allowance->limit) {
        allowance->refused = true;
        return NULL;
    }
    grown = realloc(ptr, new);
    if (grown)
        allowance->bytes += new - old;
    else
        allowance->refused = true;
    return grown;
}
