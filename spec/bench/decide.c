/* decide.c -- the time of deciding alone: no broker, no Runtime API, no JSON.
 *
 *   decide COUNT ROUNDS     prints the nanoseconds of CPU an object, the median of ROUNDS
 *
 * COUNT keys are received and decided; received alone, with a deadline that leaves no
 * time to decide; the difference is deciding. Under callgrind decide_body() is counted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lua/script.h"

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "decide: %s\n", what);
    exit(1);
}

static int64_t cpu_ns(void)
{
    struct timespec now = {0};

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void make_keys(struct buffer *keys, size_t count)
{
    char line[128];

    for (size_t i = 0; i < count; i++) {
        snprintf(line, sizeof(line),
                 "v2/raw_crash/000/20180313/%08zx-2d1c-4865-af09-80bc01180313", i);
        must(buffer_append(keys, line, strlen(line) + 1), "out of memory");
    }
}

/* Nanoseconds of CPU; each object gives `messages`. */
static int64_t measure(struct script *script, const struct buffer *keys,
                       struct deadline deadline, size_t messages)
{
    struct invocation invocation = {.kind = "keys",
                                    .input = keys->data,
                                    .input_len = keys->len,
                                    .deadline = deadline};
    struct outbox outbox = {0};
    struct err err = {0};
    int64_t start = cpu_ns(), took;

    must(script_decide(script, &invocation, &outbox, &err), err.text);
    took = cpu_ns() - start;
    must(outbox.count == messages, "another number of messages than expected");
    outbox_clear(&outbox);
    return took;
}

static int by_value(const void *a, const void *b)
{
    const int64_t *left = a, *right = b;

    return (*left > *right) - (*left < *right);
}

int main(int argc, char **argv)
{
    const struct script_settings settings = {
        .command = "lambda", .path = "rules/rules.lua", .queue = "normal,0:submitter"};
    size_t count = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
    size_t rounds = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
    struct buffer keys = {.max = SIZE_MAX};
    struct deadline deadline = deadline_in(60000), spent = deadline;
    struct err err = {0};
    struct script *script;
    int64_t *took;

    must(count > 0 && rounds > 0, "usage: decide COUNT ROUNDS");
    took = calloc(rounds, sizeof(*took));
    script = script_open(&settings, &deadline, &err);
    must(took && script, err.text);
    spent.start_ms -= 120000;
    make_keys(&keys, count);
    for (size_t i = 0; i < rounds; i++) {
        took[i] = -measure(script, &keys, spent, 0);
        took[i] += measure(script, &keys, deadline, count);
    }
    qsort(took, rounds, sizeof(*took), by_value);
    printf("%lld\n", (long long)(took[rounds / 2] / (int64_t)count));
    script_close(script);
    buffer_free(&keys);
    free(took);
    return 0;
}
