/* api.h -- a scripted Runtime API for specs: another process, on 127.0.0.1, that answers
 * as it is told and notes what it was sent.
 *
 * The steps and the memory for what it sees stay the caller's. */
#ifndef PIGEON_API_H
#define PIGEON_API_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define MANY 64

/* One request's answer: `head` as it stands; with a body of `fill` bytes after it. The
 * last step is one without a head and a signal. */
struct step {
    const char *head;
    size_t fill;
    bool close; /* the connection, afterwards */
    bool hasty; /* answers before it reads the body, and waits for the end */
    int signal; /* sent to the spec before answering; no head: never answers */
    long pause_ms;
};

struct request {
    char head[1024];
    char body[1024]; /* the first bytes */
    size_t body_len;
};

/* What it saw. */
struct seen {
    int connections;
    int requests;
    struct request request[MANY];
};

/* Byte `i` of a body of `fill` bytes. */
static inline char filling(size_t i)
{
    return (char)('a' + i % 23);
}

/* A socket that listens; `address` becomes its HOST:PORT. -1: the system refused. */
int api_listen(char *address, size_t size);

/* Starts the process, which plays the steps, one a request, and ends with its parent.
 * `seen` is memory that both share. -1: the system refused. */
pid_t api_start(int listener, const struct step *steps, struct seen *seen);

void api_stop(pid_t api);

#endif
