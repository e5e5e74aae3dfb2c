/* trace.c -- lines with the moment in front; the hash is FNV-1a of all of them. */
#include "trace.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "schedule.h"

struct trace tracing = {.hash = 0xcbf29ce484222325ULL};

void trace_bytes(const void *data, size_t len)
{
    const unsigned char *bytes = data;
    uint64_t hash = tracing.hash;

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
    if (tracing.aloud)
        printf("%17s%-14s %.*s", "", "log", (int)len, line);
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
