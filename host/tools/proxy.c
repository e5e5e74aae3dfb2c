/* proxy.c -- the fault proxy as a program, for suites in Lua and for people. */
#include "base/output.h"
#include "tools/proxy/serve.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "Usage: proxy TARGET_PORT\n"
    "A TCP proxy before 127.0.0.1:TARGET_PORT that breaks connections by command.\n"
    "Prints its port, then obeys commands, a line each, until stdin ends:\n"
    "\n"
    "  next|all|now up|down|both cut|reset|half|stall|silence [BYTES]\n"
    "  next|all|now up|down|both delay MS\n"
    "  next|all|now up|down|both drip|none\n"
    "  refuse  blackhole  listen  window BYTES  drop  fresh  status\n"
    "\n"
    "host/tools/proxy/serve.h explains them. Each answer is \"ok ...\" or\n"
    "\"error WHY\".\n";

int main(int argc, char **argv)
{
    char *end = NULL;
    long port = argc == 2 ? strtol(argv[1], &end, 10) : 0;

    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return output_print("proxy", usage);
    if (port < 1 || port > 65535 || *end) {
        fputs(usage, stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    return proxy_serve((int)port, 0, 1);
}
