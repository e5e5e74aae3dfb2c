/* serve.c -- one thread, one poll(), two flows a connection.
 *
 * From the bottom: the connections, the listener, the commands, the loop. */
#include "tools/proxy/serve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools/proxy/link.h"

#define LINE_LEN 200

struct server {
    struct sockaddr_in address, target;
    int holder; /* bound and never listening: keeps the port while connects are refused */
    int listener; /* -1: they are */
    int window;   /* 0: the kernel's */
    struct link **links;
    size_t count;
    struct fault all[2];
    struct fault next[2];
    bool next_set;
    struct proxy_status status;
};

/* ------------------------------------------------------------- connections */

/* Closes connection number i; the last one takes its place. */
static void end_link(struct server *server, size_t i, bool reset)
{
    link_close(server->links[i], reset);
    server->links[i] = server->links[--server->count];
}

static void end_links(struct server *server)
{
    while (server->count > 0)
        end_link(server, 0, false);
}

static void move_link(struct server *server, size_t i)
{
    enum link_state state = link_move(server->links[i], &server->status);

    if (state != LINK_GOES)
        end_link(server, i, state == LINK_RESET);
}

/* From the last, since one that ends gives its place to the last. */
static void move_links(struct server *server)
{
    for (size_t i = server->count; i-- > 0;)
        move_link(server, i);
}

static void add_link(struct server *server, int client)
{
    struct link **links = realloc(server->links, (server->count + 1) * sizeof(*links));
    struct link *link =
        link_open(client, &server->target, server->next_set ? server->next : server->all);

    if (!link || !links)
        abort();
    server->next_set = false;
    server->links = links;
    server->links[server->count++] = link;
    server->status.connections++;
    move_link(server, server->count - 1); /* a fault after no byte at all strikes now */
}

/* ------------------------------------------------------------- the listener */

static int bound_socket(struct sockaddr_in *address)
{
    socklen_t len = sizeof(*address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    socket_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (bind(fd, (struct sockaddr *)address, len) < 0 ||
        getsockname(fd, (struct sockaddr *)address, &len) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void stop_listening(struct server *server)
{
    if (server->listener >= 0)
        close(server->listener);
    server->listener = -1;
}

static bool start_listening(struct server *server)
{
    stop_listening(server);
    server->listener = bound_socket(&server->address);
    if (server->listener >= 0 && server->window)
        socket_option(server->listener, SOL_SOCKET, SO_RCVBUF, server->window);
    return server->listener >= 0 && listen(server->listener, 1024) == 0;
}

static void accept_links(struct server *server)
{
    int client;

    while (server->listener >= 0 && (client = accept4(server->listener, NULL, NULL,
                                                      SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
        add_link(server, client);
}

/* ------------------------------------------------------------- commands */

static const struct {
    const char *name;
    enum fault_kind kind;
} kinds[] = {
    {"none", FAULT_NONE}, {"cut", FAULT_CUT},     {"reset", FAULT_RESET},
    {"half", FAULT_HALF}, {"stall", FAULT_STALL}, {"silence", FAULT_SILENCE},
};

/* Where `passed` bytes have passed already. False: there is no such fault. */
static bool change_fault(struct fault *fault, const char *name, unsigned long number,
                         uint64_t passed)
{
    if (strcmp(name, "delay") == 0) {
        fault->delay_ms = (int)number;
        return true;
    }
    if (strcmp(name, "drip") == 0) {
        fault->drip = true;
        return true;
    }
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(name, kinds[i].name) == 0) {
            if (kinds[i].kind == FAULT_NONE)
                *fault = (struct fault){0};
            fault->kind = kinds[i].kind;
            fault->after = passed + number;
            return true;
        }
    return false;
}

static void change_flow(struct flow *flow, const char *name, unsigned long number)
{
    change_fault(&flow->fault, name, number, flow->taken);
    flow->struck = false;
    if (flow->fault.kind == FAULT_NONE)
        socket_option(flow->from, SOL_SOCKET, SO_DETACH_FILTER, 0);
}

static bool set_fault(struct server *server, const char *who, int direction,
                      const char *name, unsigned long number)
{
    struct fault *faults = strcmp(who, "next") == 0 ? server->next : server->all;
    struct fault probe = {0};

    if (!change_fault(&probe, name, number, 0))
        return false;
    if (strcmp(who, "now") == 0) {
        for (size_t i = 0; i < server->count; i++)
            change_flow(&server->links[i]->flows[direction], name, number);
        return true;
    }
    if (faults == server->next && !server->next_set) {
        memcpy(server->next, server->all, sizeof(server->next));
        server->next_set = true;
    }
    return change_fault(&faults[direction], name, number, 0);
}

/* "next up cut 57". NULL, or what is wrong. */
static const char *obey_fault(struct server *server, char **words, int count)
{
    char *end = NULL;
    unsigned long number = count > 3 ? strtoul(words[3], &end, 10) : 0;
    bool both = count > 1 && strcmp(words[1], "both") == 0;
    bool good = true;

    if (count < 3 || count > 4 || (end && (*end || end == words[3])))
        return "not WHO DIRECTION FAULT [NUMBER]";
    if (!both && strcmp(words[1], "up") != 0 && strcmp(words[1], "down") != 0)
        return "the direction is not up, down or both";
    for (int d = UP; d <= DOWN; d++)
        if (both || (strcmp(words[1], "down") == 0) == (d == DOWN))
            good = good && set_fault(server, words[0], d, words[2], number);
    return good ? NULL : "there is no such fault";
}

static const char *obey_word(struct server *server, const char *word)
{
    if (strcmp(word, "refuse") == 0) {
        stop_listening(server);
    } else if (strcmp(word, "blackhole") == 0) {
        if (!start_listening(server))
            return strerror(errno);
        socket_silence(server->listener);
    } else if (strcmp(word, "listen") == 0) {
        if (!start_listening(server))
            return strerror(errno);
    } else if (strcmp(word, "drop") == 0) {
        end_links(server);
    } else if (strcmp(word, "fresh") == 0) {
        end_links(server);
        memset(server->all, 0, sizeof(server->all));
        server->next_set = false;
        memset(&server->status, 0, sizeof(server->status));
        server->window = 0;
        if (!start_listening(server))
            return strerror(errno);
    } else if (strcmp(word, "status") != 0) {
        return "there is no such command";
    }
    return NULL;
}

static const char *obey_words(struct server *server, char **words, int count)
{
    if (count == 0)
        return "an empty line";
    if (count == 2 && strcmp(words[0], "window") == 0) {
        server->window = atoi(words[1]);
        return start_listening(server) ? NULL : strerror(errno);
    }
    if (strcmp(words[0], "next") == 0 || strcmp(words[0], "all") == 0 ||
        strcmp(words[0], "now") == 0)
        return obey_fault(server, words, count);
    return count == 1 ? obey_word(server, words[0]) : "there is no such command";
}

static void obey(struct server *server, char *line, int out)
{
    const struct proxy_status *status = &server->status;
    char *words[5];
    const char *wrong;
    int count = 0;

    for (char *word; count < 5 && (word = strsep(&line, " ")) != NULL;)
        if (*word)
            words[count++] = word;
    accept_links(server); /* connections that came before the command are not meant */
    wrong = obey_words(server, words, count);
    move_links(server);
    if (wrong)
        dprintf(out, "error %s\n", wrong);
    else if (strcmp(words[0], "status") == 0)
        dprintf(out, "ok connections=%lu open=%zu struck=%lu up=%lu down=%lu\n",
                status->connections, server->count, status->struck, status->up,
                status->down);
    else
        dprintf(out, "ok\n");
}

/* ------------------------------------------------------------- the loop */

struct text_line {
    char bytes[LINE_LEN];
    size_t len;
};

/* False: no more commands will come. */
static bool read_commands(struct server *server, struct text_line *line, int in, int out)
{
    ssize_t n = read(in, line->bytes + line->len, sizeof(line->bytes) - line->len);
    char *end;

    if (n <= 0)
        return n < 0 && errno == EINTR;
    line->len += (size_t)n;
    while ((end = memchr(line->bytes, '\n', line->len)) != NULL) {
        size_t used = (size_t)(end + 1 - line->bytes);

        *end = '\0';
        obey(server, line->bytes, out);
        line->len -= used;
        memmove(line->bytes, line->bytes + used, line->len);
    }
    return line->len < sizeof(line->bytes);
}

static int sooner(int a, int b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

static struct pollfd waits_for(int fd, bool read, bool write)
{
    /* Without events to wait for, an error of the peer is not noticed either. */
    return (struct pollfd){.fd = read || write ? fd : -1,
                           .events =
                               (short)((read ? POLLIN : 0) | (write ? POLLOUT : 0))};
}

/* Waits until there is something to do. False: no more commands will come. */
static bool turn(struct server *server, struct text_line *line, int in, int out)
{
    struct pollfd fds[2 + 2 * server->count];
    int wait = -1;

    fds[0] = waits_for(in, true, false);
    fds[1] = waits_for(server->listener, server->listener >= 0, false);
    for (size_t i = 0; i < server->count; i++) {
        const struct link *link = server->links[i];
        const struct flow *up = &link->flows[UP], *down = &link->flows[DOWN];

        fds[2 + 2 * i] = waits_for(link->client, flow_reads(up), flow_writes(down));
        fds[3 + 2 * i] = waits_for(link->server, flow_reads(down), flow_writes(up));
        wait = sooner(wait, sooner(flow_wait_ms(up), flow_wait_ms(down)));
    }
    if (poll(fds, 2 + 2 * server->count, wait) < 0)
        return errno == EINTR;
    move_links(server);
    if (fds[1].revents)
        accept_links(server);
    return !fds[0].revents || read_commands(server, line, in, out);
}

static void raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int proxy_serve(int target_port, int in, int out)
{
    const struct in_addr loopback = {.s_addr = htonl(INADDR_LOOPBACK)};
    struct server server = {
        .address = {.sin_family = AF_INET, .sin_addr = loopback},
        .target = {AF_INET, htons((uint16_t)target_port), .sin_addr = loopback},
        .listener = -1};
    struct text_line line = {.len = 0};

    raise_file_limit();
    server.holder = bound_socket(&server.address);
    if (server.holder < 0 || !start_listening(&server)) {
        perror("proxy");
        return 1;
    }
    dprintf(out, "%d\n", ntohs(server.address.sin_port));
    while (turn(&server, &line, in, out))
        ;
    end_links(&server);
    free(server.links);
    stop_listening(&server);
    close(server.holder);
    return 0;
}
