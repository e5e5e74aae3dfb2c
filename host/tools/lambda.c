/* lambda.c -- a local AWS Lambda: starts a function and hands it events, one at a time.
 *
 * Here are its options and signals; lambda/sandbox.c has the life of the function. It
 * knows nothing of Pigeon except where the rules are. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/output.h"
#include "tools/lambda/sandbox.h"

static const char usage[] =
    "Usage: lambda [OPTION...] -- COMMAND [ARG...]\n"
    "Starts COMMAND as Lambda starts a bootstrap, and hands it the events on stdin.\n"
    "\n"
    "  --deadline MS   how long an event may take (30000)\n"
    "  --init MS       how long it may start, before an event starts it again (10000)\n"
    "  --repeat N      hand each event over N times (1)\n"
    "  --pause MS      wait between events (0)\n"
    "  --grace MS      wait after SIGTERM before SIGKILL, at the end (500); SIGTERM is\n"
    "                  for functions that have registered an extension, as in Lambda\n"
    "  --raw           all of stdin is one event, JSON or not\n"
    "\n"
    "Where the first line that is not blank is a whole JSON object or array, each line\n"
    "is an event, handed over as soon as it arrives, and blank lines are skipped;\n"
    "otherwise all of stdin is one event. Without events the function is started and\n"
    "stopped.\n"
    "\n"
    "stdout has a line for each answer, its body, when the function asks for the next\n"
    "event. stderr has the function's own lines, and lines that begin with \"lambda:\",\n"
    "for example error types. After a crash or a timeout the next event gets a fresh\n"
    "process; after an init error no further event is handed over.\n"
    "\n"
    "Status: 0 all is well; 1 an answer was an error, or the function timed out, ended\n"
    "by itself, or did not end well after SIGTERM; 2 misuse.\n";

static bool open_signals(struct lambda *lambda)
{
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    lambda->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return lambda->signal_fd >= 0;
}

static bool read_number(const char *text, long least, long *number)
{
    char *end;

    errno = 0;
    *number = strtol(text, &end, 10);
    return end != text && *end == '\0' && errno == 0 && *number >= least &&
           *number <= 1000000000;
}

static bool read_options(struct lambda *lambda, int argc, char **argv)
{
    static const struct option options[] = {{"deadline", required_argument, NULL, 'd'},
                                            {"init", required_argument, NULL, 'i'},
                                            {"repeat", required_argument, NULL, 'n'},
                                            {"pause", required_argument, NULL, 'p'},
                                            {"grace", required_argument, NULL, 'g'},
                                            {"raw", no_argument, NULL, 'r'},
                                            {NULL, 0, NULL, 0}};
    bool ok = true;
    int option;

    while (ok && (option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
        if (option == 'd')
            ok = read_number(optarg, 1, &lambda->deadline_ms);
        else if (option == 'i')
            ok = read_number(optarg, 1, &lambda->init_ms);
        else if (option == 'n')
            ok = read_number(optarg, 1, &lambda->repeat);
        else if (option == 'p')
            ok = read_number(optarg, 0, &lambda->pause_ms);
        else if (option == 'g')
            ok = read_number(optarg, 0, &lambda->grace_ms);
        else if (option == 'r')
            lambda->events.raw = true;
        else
            ok = false;
    }
    lambda->command = argv + optind;
    return ok && optind < argc;
}

int main(int argc, char **argv)
{
    struct lambda lambda = {.deadline_ms = 30000,
                            .init_ms = 10000,
                            .repeat = 1,
                            .grace_ms = 500,
                            .events.input.max = SIZE_MAX};

    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return output_print("lambda", usage);
    if (!read_options(&lambda, argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }
    function_environment(lambda.command[0]);
    if (!open_signals(&lambda) || !api_open(&lambda.api)) {
        sandbox_log("cannot serve the Runtime API: %s", strerror(errno));
        return 1;
    }
    sandbox_run(&lambda);
    sandbox_stop(&lambda);
    api_close(&lambda.api);
    close(lambda.signal_fd);
    buffer_free(&lambda.events.input);
    return lambda.signal ? 128 + lambda.signal : lambda.status;
}
