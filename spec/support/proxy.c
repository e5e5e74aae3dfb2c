/* proxy.c -- the handle by which a spec drives the proxy: a child at the other end of a
 * socket pair. */
#include "proxy.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/proxy/serve.h"

#define LINE_LEN 200

struct proxy {
    pid_t pid;
    int port;
    FILE *commands;
    FILE *answers;
    char answer[LINE_LEN];
};

static pid_t start_process(int target_port, const int pair[2])
{
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* Another proxy's end of the line, kept open here, would keep that one alive. */
    dup2(pair[1], 0);
    close_range(3, ~0U, 0);
    _exit(proxy_serve(target_port, 0, 0));
}

static bool read_answer(struct proxy *proxy)
{
    return fgets(proxy->answer, sizeof(proxy->answer), proxy->answers) != NULL;
}

struct proxy *proxy_open(int target_port)
{
    struct proxy *proxy = calloc(1, sizeof(*proxy));
    int pair[2];

    if (!proxy || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        free(proxy);
        return NULL;
    }
    fflush(NULL); /* or the child would say it again */
    proxy->pid = start_process(target_port, pair);
    close(pair[1]);
    proxy->answers = fdopen(pair[0], "r");
    proxy->commands = fdopen(dup(pair[0]), "w");
    if (proxy->pid < 0 || !read_answer(proxy)) {
        proxy_close(proxy);
        return NULL;
    }
    proxy->port = atoi(proxy->answer);
    return proxy;
}

int proxy_port(const struct proxy *proxy)
{
    return proxy->port;
}

bool proxy_tell(struct proxy *proxy, const char *fmt, ...)
{
    char command[LINE_LEN];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(command, sizeof(command), fmt, ap);
    va_end(ap);
    fprintf(proxy->commands, "%s\n", command);
    if (fflush(proxy->commands) == 0 && read_answer(proxy) &&
        strncmp(proxy->answer, "ok", 2) == 0)
        return true;
    fprintf(stderr, "proxy: \"%s\": %s", command, proxy->answer);
    return false;
}

struct proxy_status proxy_status(struct proxy *proxy)
{
    struct proxy_status s = {0};

    if (proxy_tell(proxy, "status"))
        sscanf(proxy->answer, "ok connections=%lu open=%lu struck=%lu up=%lu down=%lu",
               &s.connections, &s.open, &s.struck, &s.up, &s.down);
    return s;
}

void proxy_close(struct proxy *proxy)
{
    if (!proxy)
        return;
    fclose(proxy->commands);
    fclose(proxy->answers);
    if (proxy->pid > 0)
        waitpid(proxy->pid, NULL, 0);
    free(proxy);
}
