/* memory.c -- counts bytes; knows nothing of what they hold. */
#include "lua/memory.h"

#include <stdlib.h>

#define MEGABYTE ((size_t)1 << 20)
#define ROOM (128 * MEGABYTE)

static size_t ceiling(const struct memory *memory)
{
    return memory->base + memory->room + memory->input;
}

/* Of the rules. */
static size_t reach(const struct memory *memory)
{
    return ceiling(memory) - memory->room / 8;
}

void memory_open(struct memory *memory, long memory_mb)
{
    size_t most = memory_mb > 0 ? (size_t)memory_mb * MEGABYTE / 4 * 3 : ROOM;

    *memory = (struct memory){.room = most < ROOM ? most : ROOM};
    memory->limit = memory->room;
}

void memory_allow(struct memory *memory, size_t growth)
{
    size_t top = growth == MEMORY_ALL ? ceiling(memory) : reach(memory);

    memory->refused = false;
    memory->start = memory->bytes;
    memory->limit = top;
    if (memory->bytes < top && growth < top - memory->bytes)
        memory->limit = memory->bytes + growth;
}

void memory_settle(struct memory *memory)
{
    memory->base = memory->bytes;
}

bool memory_strained(const struct memory *memory)
{
    return memory->bytes > ceiling(memory) / 2;
}

bool memory_overdrawn(const struct memory *memory)
{
    return memory->bytes > reach(memory);
}

size_t memory_allowed(const struct memory *memory)
{
    return memory->limit > memory->start ? memory->limit - memory->start : 0;
}

static void *refuse(struct memory *memory, bool grows)
{
    memory->refused = true;
    if (memory->on_refusal)
        memory->on_refusal(memory->argument, grows);
    return NULL;
}

void *memory_alloc(void *ud, void *ptr, size_t old, size_t new)
{
    struct memory *memory = ud;
    void *grown;

    if (!ptr)
        old = 0; /* for a new block, Lua passes its kind here */
    if (new == 0) {
        free(ptr);
        memory->bytes -= old;
        return NULL;
    }
    if (new > old && memory->bytes + (new - old) > memory->limit)
        return refuse(memory, ptr != NULL);
    grown = realloc(ptr, new);
    if (!grown)
        return refuse(memory, ptr != NULL);
    memory->bytes += new - old;
    return grown;
}
