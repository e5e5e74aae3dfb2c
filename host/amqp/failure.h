/* failure.h -- why a message has no proof, in words that end with the next step.
 *
 * Plain data, owns nothing. */
#ifndef PIGEON_AMQP_FAILURE_H
#define PIGEON_AMQP_FAILURE_H

#include <stdbool.h>

struct failure {
    const char *stage; /* "secrets", "resolve", "connect", "tls", "login", "channel",
                          "publish", "confirm" */
    int code;          /* AMQP's reply code, 0: none */
    bool final;        /* to connect again would not help */
    bool silent;       /* the broker sent nothing, and was given up */
    char text[1024];   /* the cause, "; next: ", what an operator should do */
};

/* Puts a cause into words and adds the advice for it; `final` and `silent` become
 * false. Always
 * false, so that a failing path reads `return failure_set(failure, ...)`. */
bool failure_set(struct failure *failure, const char *stage, int code, const char *fmt,
                 ...) __attribute__((format(printf, 4, 5)));

#endif
