/* trace.h -- what happens in a life: its hash, its story, and what was wrong in it. */
#ifndef SIMULATION_TRACE_H
#define SIMULATION_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct trace {
    uint64_t hash;
    bool aloud; /* the story is printed to stdout as it happens */
    int violations;
    char first[600]; /* moment and words of the first violation */
};

extern struct trace tracing;

/* "   1.234567 s  broker 3     takes publish 1 ..." */
void trace(const char *who, int number, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Bytes that count for the hash and are not shown. */
void trace_bytes(const void *data, size_t len);

/* A line that the program wrote. */
void trace_log_line(const char *line, size_t len);
void violation(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
