/* sock.h -- the program's end of a connection: what network.c moves and sockets.c shows.
 */
#ifndef SIMULATION_SOCK_H
#define SIMULATION_SOCK_H

#include <sys/types.h>

#include "network.h"

enum sock_state { SOCK_NEW, SOCK_CONNECTING, SOCK_OPEN, SOCK_DEAD };

struct sock {
    int number, descriptors, host, flags;
    enum sock_state state;
    int error; /* of SO_ERROR, told once */
    bool shut_read, shut_write, fin_came, silent, is_signals, tls;
    struct pile in;
    size_t in_taken;
    uint64_t received, read;
    size_t in_flight;              /* sent and not acknowledged */
    int64_t begun, ended, read_at; /* connect(); a FIN came, 0: none; bytes were read */
    int64_t silent_since, last_up, last_down;
    unsigned user_timeout_ms;
    int64_t cut_up, cut_down;
    enum cut cut_how;
    struct end *end;
};

/* What a descriptor leads to; NULL: it is not one of these. */
struct sock *sock_of(int fd);

ssize_t sock_send(struct sock *sock, const unsigned char *data, size_t len);
void sock_connect(struct sock *sock);

/* The program is about to close it. */
void sock_let_go(const struct sock *sock);

/* The program is done with writing, or with the connection. */
void sock_send_end(struct sock *sock, bool reset);

/* The program has read more: the server may go on. */
void sock_has_read(struct sock *sock, size_t len);
void sock_notice_silence(struct sock *sock);
size_t sock_room(const struct sock *sock);

#endif
