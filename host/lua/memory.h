/* memory.h -- how much memory Lua may use: Lua's allocator.
 *
 * Two limits: a visit may use a number of bytes above what was in use when it began, and
 * nothing may pass the ceiling: what was in use after the last load, and room for the
 * input and for work. An eighth of that room is out of the rules' reach, so that a script
 * that hoards cannot keep trusted code from concluding. Plain data; Lua owns the blocks.
 */
#ifndef PIGEON_LUA_MEMORY_H
#define PIGEON_LUA_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEMORY_ALL SIZE_MAX /* for trusted code: up to the ceiling */

struct memory {
    size_t bytes; /* in use */
    size_t limit; /* how far they may grow now */
    size_t start; /* in use at memory_allow() */
    size_t base;  /* in use after the last load */
    size_t room;  /* for work, beside base and input */
    size_t input; /* for what the input becomes */
    /* Memory was refused since memory_allow(): with a failure the proof of out of memory.
     * A refusal alone is not, since Lua collects and tries again; a message can be
     * forged. */
    bool refused;
    /* Called then, while Lua waits for a new block, or for one that should grow; NULL:
     * nobody. It needs no memory, and does not raise. */
    void (*on_refusal)(void *argument, bool grows);
    void *argument;
};

/* Room of 128 MB, or three quarters of the function's memory (0: not known) where that
 * is less. */
void memory_open(struct memory *memory, long memory_mb);

/* A new visit: up to `growth` bytes more than now, below the ceiling; or MEMORY_ALL. */
void memory_allow(struct memory *memory, size_t growth);

/* After a load: what is in use now is the base of the ceiling. */
void memory_settle(struct memory *memory);

/* More than half of the ceiling is in use. */
bool memory_strained(const struct memory *memory);

/* More is in use than the rules may reach now: the input that made room for it is gone.
 */
bool memory_overdrawn(const struct memory *memory);

/* The bytes that the visit might use. */
size_t memory_allowed(const struct memory *memory);

/* A lua_Alloc; ud is the struct memory. */
void *memory_alloc(void *ud, void *ptr, size_t old, size_t new);

#endif
