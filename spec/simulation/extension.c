/* extension.c -- one extension in each process. Where it has registered, no event is
 * handed out before it asked for its own, which never comes; so a program that does not
 * ask is stuck, and that is a violation. A request that is refused, cut, answered with
 * garbage or not at all has registered nothing. */
#include "extension.h"

#include <stdio.h>
#include <string.h>

#include "chance.h"
#include "faults.h"
#include "lambda.h"
#include "network.h"
#include "oracle.h"
#include "plan.h"
#include "schedule.h"
#include "trace.h"

#define TROUBLE 300             /* per mille of processes */
#define MOST_HELD (10 * SECOND) /* Lambda's limit for init */

enum trouble { NO_CONNECT, REFUSED, GARBAGE, HALF, CUT, RESET, SILENT, LATE, FINE };

static const char *const names[] = {
    [NO_CONNECT] = "refuses its connection",
    [REFUSED] = "refuses it",
    [GARBAGE] = "answers with garbage",
    [HALF] = "answers with the half",
    [CUT] = "hangs up",
    [RESET] = "resets",
    [SILENT] = "never answers",
    [LATE] = "answers late",
};

static int processes;
static enum trouble trouble;
static bool connected, registered, asked;
static struct end *waiting;
static size_t cut; /* a late answer comes in two pieces */

void extension_process_begins(void)
{
    struct chance chance = chance_for(FOR_EXTENSION, ++processes);

    connected = registered = asked = false;
    waiting = NULL;
    trouble = FINE;
    if (!plan.extension || faults_over() || !happens(&chance, TROUBLE) ||
        faults_leave_out())
        return;
    trouble = (enum trouble)below(&chance, FINE);
    trace("fault", faults_count(), "registering: the Extensions API %s", names[trouble]);
}

bool extension_refuses_connect(void)
{
    bool first = plan.extension && !connected;

    connected = true;
    return first && trouble == NO_CONNECT;
}

bool extension_holds_up(void)
{
    return registered && !asked;
}

void extension_lost(struct end *end)
{
    if (waiting == end)
        waiting = NULL;
}

static void check_held(void *what, int64_t process)
{
    (void)what;
    if (process == processes && extension_holds_up())
        violation("the extension has not asked for its event in %d s of init: no event "
                  "is handed out",
                  (int)(MOST_HELD / SECOND));
}

static const char welcome[] = "HTTP/1.1 200 OK\r\nLambda-Extension-Identifier: x-1\r\n"
                              "Content-Length: 2\r\n\r\n{}";

static void welcome_late(void *what, int64_t process)
{
    if (process == processes && waiting == what)
        network_send(what, welcome, cut);
}

static void end_welcome(void *what, int64_t process)
{
    if (process == processes && waiting == what)
        network_send(what, welcome + cut, sizeof(welcome) - 1 - cut);
}

static void be_registered(struct end *end)
{
    struct chance chance = chance_for(FOR_EXTENSION, -processes);
    int64_t late;

    registered = true;
    schedule_at(now + MOST_HELD, check_held, NULL, processes);
    if (trouble != LATE) {
        network_send(end, welcome, sizeof(welcome) - 1);
        return;
    }
    waiting = end;
    late = between(&chance, 300 * MS, 3 * SECOND);
    cut = (size_t)between(&chance, 1, sizeof(welcome) - 2);
    schedule_at(now + late, welcome_late, end, processes);
    schedule_at(now + late + between(&chance, MS, 900 * MS), end_welcome, end, processes);
}

static void hear_register(struct end *end, const char *head, const char *body)
{
    static const char no[] = "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n{}";
    static const char garbage[] = "\x16\x03\x01\x02 not HTTP\r\n\r\n";
    static const char half[] = "HTTP/1.1 200 OK\r\nLambda-Extension-Iden";

    if (!strstr(head, "\r\nLambda-Extension-Name: ") ||
        strcmp(body, "{\"events\":[]}") != 0)
        violation("an extension that wants events: %.100s", body);
    switch (trouble) {
    case REFUSED:
        network_send(end, no, sizeof(no) - 1);
        break;
    case GARBAGE:
        network_send(end, garbage, sizeof(garbage) - 1);
        break;
    case HALF:
        network_send(end, half, sizeof(half) - 1);
        network_close(end);
        break;
    case CUT:
        network_close(end);
        break;
    case RESET:
        network_reset(end);
        break;
    case SILENT:
        break;
    default:
        be_registered(end);
    }
}

bool extension_hears(struct end *end, const char *head, const char *body)
{
    if (!strstr(head, " /2020-01-01/extension/"))
        return false;
    if (!plan.extension)
        violation("an extension, with PIGEON_EXTENSION=off");
    if (strstr(head, "/extension/register HTTP/")) {
        hear_register(end, head, body);
    } else if (!registered || !strstr(head, "\r\nLambda-Extension-Identifier: x-1\r\n")) {
        violation("an extension asks that has not registered: %.100s", head);
    } else {
        trace("lambda", 0, "the extension waits");
        asked = true;
        lambda_extension_asks();
    }
    return true;
}
