/* fake_runtime_api.c -- just enough HTTP/1.1 for the server's end: one connection after
 * the other. */
#include "fake_runtime_api.h"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static bool send_all(int fd, const char *bytes, size_t len)
{
    ssize_t n;

    while (len > 0) {
        n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

/* One request; its body only where it is not `hasty`. False: the client closed the
 * connection. */
static bool receive(int fd, struct request *request, bool hasty)
{
    char *end = NULL;
    char *length;
    size_t have = 0, body = 0;
    char block[65536];
    char byte;
    ssize_t n, i;

    while (!end) {
        if (recv(fd, &byte, 1, 0) <= 0 || have == sizeof(request->head) - 1)
            return false;
        request->head[have++] = byte;
        end = strstr(request->head, "\r\n\r\n");
    }
    length = strcasestr(request->head, "\r\nContent-Length:");
    if (length && !hasty)
        body = strtoul(length + 17, NULL, 10);
    while (request->body_len < body) {
        n = recv(fd, block, sizeof(block), 0);
        if (n <= 0)
            return false;
        for (i = 0; i < n && request->body_len + (size_t)i < sizeof(request->body) - 1;
             i++)
            request->body[request->body_len + (size_t)i] = block[i];
        request->body_len += (size_t)n;
    }
    return true;
}

static void send_filling(int fd, size_t len)
{
    char *bytes = malloc(len);
    size_t i;

    for (i = 0; i < len; i++)
        bytes[i] = filling(i);
    send_all(fd, bytes, len);
    free(bytes);
}

/* One connection; the number of the next step is returned. `staying` is the one that
 * stays. */
static int serve(int fd, int staying, const struct step *steps, struct seen *seen,
                 int step)
{
    struct request *request = &seen->request[step];
    struct timespec pause = {0};
    const struct timespec soon = {.tv_nsec = 50000000};
    struct pollfd gone = {.fd = fd, .events = POLLRDHUP};
    char byte;

    while (step < REQUESTS_MAX && receive(fd, request, steps[step].hasty)) {
        seen->requests = step + 1;
        pause.tv_sec = steps[step].pause_ms / 1000;
        pause.tv_nsec = steps[step].pause_ms % 1000 * 1000000;
        nanosleep(&pause, NULL);
        if (steps[step].signal)
            kill(getppid(), steps[step].signal);
        if (steps[step].late)
            send_all(staying, steps[step].late, strlen(steps[step].late));
        if (steps[step].rest) {
            nanosleep(&soon, NULL);
            send_all(staying, steps[step].rest, strlen(steps[step].rest));
        }
        if (steps[step].late)
            receive(staying, &seen->request[step + 1], false);
        if (!steps[step].head && !steps[step].close && !steps[step].stays)
            recv(fd, &byte, 1, 0); /* until the client gives up */
        if (steps[step].head)
            send_all(fd, steps[step].head, strlen(steps[step].head));
        if (steps[step].fill)
            send_filling(fd, steps[step].fill);
        if (steps[step].hasty)
            poll(&gone, 1, 60000);
        if (!steps[step].head || steps[step].close || steps[step].hasty ||
            steps[step].stays)
            return step + 1;
        request = &seen->request[++step];
    }
    return step;
}

static void run(int listener, const struct step *steps, struct seen *seen)
{
    int step = 0, staying = -1;
    int fd;

    for (;;) {
        fd = accept(listener, NULL, NULL);
        seen->connections++;
        step = serve(fd, staying, steps, seen, step);
        if (step > 0 && steps[step - 1].stays)
            staying = fd;
        else
            close(fd);
    }
}

int fake_runtime_api_listen(char *address, size_t size)
{
    struct sockaddr_in bound = {.sin_family = AF_INET,
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(bound);
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    if (bind(listener, (struct sockaddr *)&bound, len) != 0 ||
        listen(listener, 16) != 0 ||
        getsockname(listener, (struct sockaddr *)&bound, &len) != 0) {
        close(listener);
        return -1;
    }
    snprintf(address, size, "127.0.0.1:%d", ntohs(bound.sin_port));
    return listener;
}

pid_t fake_runtime_api_start(int listener, const struct step *steps, struct seen *seen)
{
    pid_t api = fork();

    if (api == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        run(listener, steps, seen);
    }
    return api;
}

void fake_runtime_api_stop(pid_t api)
{
    kill(api, SIGKILL);
    waitpid(api, NULL, 0);
}
