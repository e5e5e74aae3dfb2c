/* schedule.c -- a heap by time; what is due at the same time comes in the order in which
 * it was asked for. */
#include "schedule.h"

#include <stddef.h>
#include <stdlib.h>

int64_t now;

struct due {
    int64_t at;
    uint64_t order;
    void (*act)(void *, int64_t);
    void *what;
    int64_t number;
};

static struct due *heap;
static size_t count, capacity;
static uint64_t orders;

static bool before(const struct due *a, const struct due *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

void schedule_at(int64_t when, void (*act)(void *, int64_t), void *what, int64_t number)
{
    struct due due = {when < now ? now : when, orders++, act, what, number};
    size_t i;

    if (count == capacity) {
        capacity = capacity > 0 ? capacity * 2 : 256;
        heap = realloc(heap, capacity * sizeof(*heap));
        if (!heap)
            abort();
    }
    for (i = count++; i > 0 && before(&due, &heap[(i - 1) / 2]); i = (i - 1) / 2)
        heap[i] = heap[(i - 1) / 2];
    heap[i] = due;
}

static struct due take_first(void)
{
    struct due first = heap[0];
    struct due last = heap[--count];
    size_t i = 0;

    for (size_t child = 1; child < count; child = 2 * i + 1) {
        if (child + 1 < count && before(&heap[child + 1], &heap[child]))
            child++;
        if (!before(&heap[child], &last))
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = last;
    return first;
}

bool schedule_step(int64_t limit)
{
    struct due due;

    if (count == 0 || heap[0].at > limit) {
        if (limit > now)
            now = limit;
        return false;
    }
    due = take_first();
    if (due.at > now)
        now = due.at;
    due.act(due.what, due.number);
    return true;
}

void schedule_run(int64_t until)
{
    while (schedule_step(until))
        continue;
}

bool schedule_empty(void)
{
    return count == 0;
}
