/* fake_runtime_api.h -- a scripted Runtime API of Lambda: a process on 127.0.0.1 that
 * answers by steps and keeps the requests that it got.
 *
 * The steps and the memory for the requests stay the caller's. */
#ifndef PIGEON_SPEC_FAKE_RUNTIME_API_H
#define PIGEON_SPEC_FAKE_RUNTIME_API_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define REQUESTS_MAX 64

/* The answer to one request: `head` as it is, and a body of `fill` bytes after it. The
 * last step has neither head nor signal. */
struct step {
    const char *head;
    size_t fill;
    bool close; /* the connection, afterwards */
    bool stays; /* the next step is on another connection, and this one stays open */
    const char *late; /* sent first, on the one that stays, */
    const char *rest; /* and 50 ms later this; NULL: nothing */
    bool hasty;       /* answers before it reads the body, and waits for the end */
    int signal;       /* sent to the spec before answering; no head: never answers */
    long pause_ms;
};

struct request {
    char head[1024];
    char body[1024]; /* the first bytes */
    size_t body_len;
};

/* What it got. */
struct seen {
    int connections;
    int requests;
    struct request request[REQUESTS_MAX];
};

/* Byte `i` of a body of `fill` bytes. */
static inline char filling(size_t i)
{
    return (char)('a' + i % 23);
}

/* A socket that listens; `address` becomes its HOST:PORT. -1: the system refused. */
int fake_runtime_api_listen(char *address, size_t size);

/* Starts the process, which plays the steps, one a request, and ends with its parent.
 * `seen` is memory that both share. -1: the system refused. */
pid_t fake_runtime_api_start(int listener, const struct step *steps, struct seen *seen);

void fake_runtime_api_stop(pid_t api);

#endif
