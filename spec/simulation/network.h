/* network.h -- a TCP between the program and those it talks to.
 *
 * Segments with a latency and an order, a window in each direction, FIN, RST, and
 * silence. As Linux has it: tcp(7), socket(7). */
#ifndef SIMULATION_NETWORK_H
#define SIMULATION_NETWORK_H

#include <stdbool.h>
#include <stdint.h>

#include "pile.h"

#define API_HOST (-1)
#define MOST_HOSTS 3

struct sock; /* the program's end: sockets.c */

/* The server's end of one connection. */
struct end {
    struct sock *sock;
    int host; /* API_HOST: the Runtime API */
    int number;
    int64_t begun; /* when the program called connect() */
    bool tls;      /* the port is one for TLS */
    bool gone;     /* nothing comes or goes any more */
    bool stalled;  /* the server does not read */
    bool full;     /* nor can it write: the program reads too little */
    struct pile in;
    size_t held;   /* bytes in `in` that its kernel had no room for */
    uint64_t sent; /* bytes, ever */
    void *session; /* the broker's */
};

enum host_mode { HOST_TAKES, HOST_REFUSES, HOST_SILENT };
enum cut { CUT_BY_FIN, CUT_BY_RST, CUT_BY_SILENCE };

extern enum host_mode host_modes[MOST_HOSTS];

void network_send(struct end *end, const void *data, size_t len);
void network_close(struct end *end);
void network_reset(struct end *end);

/* Nothing arrives any more, in both directions. */
void network_silence(struct end *end);

/* The server reads again. */
void network_unstall(struct end *end);

/* The connection is cut after so many bytes more, up or down; -1: not. */
void network_cut_after(struct end *end, int64_t up, int64_t down, enum cut how);

/* Nothing arrives at a broker or from one before that. */
void network_hold(int64_t until);

/* Calls `act` for every connection to a broker that lives. */
void network_each(void (*act)(struct end *end, int fault), int fault);

/* The program's descriptors, and their end when the process ends. `vanish`: the machine
 * goes too, so that no FIN is sent. */
int network_descriptors(void);
void network_process_ends(bool vanish);

/* SIGTERM waits at the signalfd from now on; or no longer. */
void network_stop_asked(bool asked);

#endif
