/* sandbox.h -- the life of one sandbox: init, one event after the other, timeouts, the
 * end.
 *
 * Plain data; sandbox_run() needs the options, the API and the signals open. */
#ifndef PIGEON_TOOLS_LAMBDA_SANDBOX_H
#define PIGEON_TOOLS_LAMBDA_SANDBOX_H

#include <stdbool.h>

#include "tools/lambda/api.h"
#include "tools/lambda/events.h"
#include "tools/lambda/function.h"

struct lambda {
    char **command;
    long deadline_ms, init_ms, repeat, pause_ms, grace_ms;

    struct api api;
    struct events events;
    struct function function;
    bool reading;       /* stdin is read for an event */
    bool ended_in_init; /* the first event gets the error */

    int signal_fd;
    int signal; /* ends the local Lambda, 0: none */
    bool over;  /* nothing more is handed over */
    int status;
};

/* Starts the function and hands it the events on stdin. */
void sandbox_run(struct lambda *lambda);

/* As Lambda does: with an extension by SIGTERM, and SIGKILL after a while; without by
 * SIGKILL. */
void sandbox_stop(struct lambda *lambda);

/* A line on stderr that begins with "lambda: ". */
void sandbox_log(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
