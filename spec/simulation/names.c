/* names.c -- stands in for the look-up of names: getaddrinfo for addresses alone, and
 * getaddrinfo_a, whose thread is the schedule (getaddrinfo_a(3)).
 *
 * A broker is mq1 to mq3, at 10.0.0.1 to 10.0.0.3; in some lives a dead address comes
 * first. */
#include "names.h"

#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>

#include "chance.h"
#include "clocks.h"
#include "plan.h"
#include "schedule.h"
#include "trace.h"
#include "wrap.h"

enum names_mode names_mode;

static struct query {
    struct gaicb *asked;
    bool done;
    int status;
} queries[64];
static int processes;

void names_process_ends(void)
{
    processes++;
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++)
        queries[i].asked = NULL;
}

int __real_getaddrinfo(const char *name, const char *service,
                       const struct addrinfo *hints, struct addrinfo **found);
WRAP(int, getaddrinfo, const char *name, const char *service,
     const struct addrinfo *hints, struct addrinfo **found)
{
    if (!(hints->ai_flags & AI_NUMERICHOST)) {
        violation("a look-up that blocks");
        return EAI_FAIL;
    }
    return __real_getaddrinfo(name, service, hints, found);
}

/* A live address; behind a dead one, where the plan has such. */
static struct addrinfo *addresses_of(const struct gaicb *asked)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *found = NULL, *dead = NULL;
    char address[32];

    snprintf(address, sizeof(address), "10.0.0.%c", asked->ar_name[2]);
    __real_getaddrinfo(address, asked->ar_service, &hints, &found);
    if (!plan.dead_address)
        return found;
    __real_getaddrinfo("10.0.0.201", asked->ar_service, &hints, &dead);
    dead->ai_next = found;
    return dead;
}

static void looked_up(void *what, int64_t process)
{
    struct query *query = what;

    if (process != processes || !query->asked)
        return;
    if (names_mode == NAMES_HANG) {
        schedule_at(now + SECOND, looked_up, query, process);
        return;
    }
    query->done = true;
    query->status = names_mode == NAMES_FAIL ? EAI_AGAIN : 0;
    if (query->status == 0)
        query->asked->ar_result = addresses_of(query->asked);
}

static struct query *query_of(const struct gaicb *asked)
{
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++)
        if (queries[i].asked == asked)
            return &queries[i];
    return NULL;
}

WRAP(int, getaddrinfo_a, int mode, struct gaicb *list[], int count,
     struct sigevent *event)
{
    struct query *query = query_of(list[0]);

    (void)mode, (void)count, (void)event;
    clocks_call();
    if (!query)
        query = query_of(NULL);
    if (!query)
        return EAI_AGAIN;
    *query = (struct query){.asked = list[0]};
    trace("process", 0, "looks up %s", list[0]->ar_name);
    schedule_at(now + short_or_long(&network_chance, 1 * MS, 40 * MS), looked_up, query,
                processes);
    return 0;
}

WRAP(int, gai_error, struct gaicb *asked)
{
    const struct query *query = query_of(asked);

    return query && query->done ? query->status : EAI_INPROGRESS;
}

static int is_done(void *what)
{
    return ((struct query *)what)->done;
}

WRAP(int, gai_suspend, const struct gaicb *const list[], int count,
     const struct timespec *timeout)
{
    int64_t end;
    int found;

    (void)count;
    clocks_call();
    end = now + timeout->tv_sec * SECOND + timeout->tv_nsec;
    clocks_wait_for_broker();
    found = clocks_wait(end, is_done, query_of(list[0]));
    if (found > 0)
        return 0;
    return found < 0 ? EAI_INTR : EAI_AGAIN;
}
