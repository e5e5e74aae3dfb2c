/* trace.c -- lines with the moment in front; the hash is of FNV's kind, eight bytes at a
 * time. */
#include "trace.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "schedule.h"

#define SHOWN 200 /* of a log line */

struct trace tracing = {.hash = 0xcbf29ce484222325ULL};

void trace_bytes(const void *data, size_t len)
{
    const unsigned char *bytes = data;
    uint64_t hash = tracing.hash;

    for (; len >= sizeof(uint64_t); len -= sizeof(uint64_t)) {
        uint64_t word;

        memcpy(&word, bytes, sizeof(word));
        hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
        hash ^= hash >> 29;
        bytes += sizeof(word);
    }
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3ULL;
    tracing.hash = hash;
}

static void put(const char *who, int number, const char *words)
{
    char name[32];

    trace_bytes(&now, sizeof(now));
    trace_bytes(&number, sizeof(number));
    trace_bytes(words, strlen(words));
    if (!tracing.aloud)
        return;
    snprintf(name, sizeof(name), number > 0 ? "%s %d" : "%s", who, number);
    printf("%12.6f s  %-14s %s\n", (double)now / 1e9, name, words);
}

void trace(const char *who, int number, const char *format, ...)
{
    char words[500];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(words, sizeof(words), format, arguments);
    va_end(arguments);
    put(who, number, words);
}

void trace_log_line(const char *line, size_t len)
{
    trace_bytes(line, len);
    while (tracing.aloud && len > 0) {
        const char *end = memchr(line, '\n', len);
        size_t one = end ? (size_t)(end - line) + 1 : len;

        printf("%16s%-14s %.*s\n", "", "log", (int)(one > SHOWN ? SHOWN : one - 1), line);
        line += one;
        len -= one;
    }
}

void violation(const char *format, ...)
{
    char words[500];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(words, sizeof(words), format, arguments);
    va_end(arguments);
    put("VIOLATION", 0, words);
    if (tracing.violations++ == 0)
        snprintf(tracing.first, sizeof(tracing.first), "at %.6f s: %s", (double)now / 1e9,
                 words);
}
