/* lambda.c -- the Runtime API
 * (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html), and what comes to it.
 *
 * SQS delivers a failed message again up to 5 times, an asynchronous event up to 2 times
 * (https://docs.aws.amazon.com/lambda/latest/dg/invocation-retries.html). While the
 * program waits in /next it is mostly frozen. */
#include "lambda.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chance.h"
#include "clocks.h"
#include "events.h"
#include "extension.h"
#include "faults.h"
#include "network.h"
#include "oracle.h"
#include "plan.h"
#include "process.h"
#include "schedule.h"
#include "trace.h"

#define MOST_QUEUED 400
#define API_TROUBLE 30  /* per mille of waits */
#define MOST_HANG_UPS 3 /* after so many the program may end: runtime.c, TRIES */
#define LAST_EVENT (1 << 20)
#define INVOCATION_ID "Lambda-Runtime-Invocation-Id: try-"

static struct event queued[MOST_QUEUED], current;
static int queued_count, made, tries, waits, answers, fresh, processes, restarts;
static int hung_up; /* one after the other */
static bool alive, busy, last_event_made, stopping, over, taken_twice;
static int64_t process_began;
static struct end *waiting;

/* ------------------------------------------------------------- events to come */

static void deliver_next(void *what, int64_t unused);

static void queue_event(struct event event)
{
    if (queued_count == MOST_QUEUED)
        return;
    queued[queued_count++] = event;
    fresh += event.fresh;
    schedule_at(event.due, deliver_next, NULL, 0);
}

static void plan_more(void);
static void plan_later(void *what, int64_t process)
{
    (void)what;
    if (process == processes && waiting)
        plan_more();
}

/* The next new event; left out, it takes its number and its time, and nothing else. */
static bool make_event(int64_t due, int number)
{
    struct event event = {.due = due};
    bool made_it = event_make(&event, number) && !plan_is_out(EVENT, number);

    if (made_it) {
        oracle_count_event();
        queue_event(event);
    } else {
        schedule_at(due, plan_later, NULL, processes);
    }
    return made_it;
}

static int64_t gap_after(int number)
{
    struct chance chance = chance_for(FOR_GAP, number);

    if (plan.bursts || happens(&chance, 300))
        return 0;
    if (happens(&chance, 500))
        return short_or_long(&chance, 1 * MS, 3 * SECOND);
    if (happens(&chance, 700))
        return short_or_long(&chance, SECOND, 40 * SECOND);
    return short_or_long(&chance, 30 * SECOND, 900 * SECOND);
}

static void stop(void *what, int64_t process)
{
    (void)what;
    if (process != processes || !alive)
        return;
    trace("lambda", 0, "SIGTERM");
    stopping = true;
    clocks_thaw();
    network_stop_asked(true);
}

/* Keeps events coming: the plan's, then some until all was fixed long enough, then one
 * that has to work. */
static void plan_more(void)
{
    struct chance chance = chance_for(FOR_GAP, -made - 1);

    if (fresh > 0 || (queued_count > 0 && (made >= plan.events || last_event_made)))
        return;
    if (made < plan.events) {
        int64_t gap = gap_after(made);

        make_event(now + gap, ++made);
    } else if (!oracle_is_well()) {
        make_event(now + between(&chance, SECOND, 20 * SECOND), ++made);
    } else if (!last_event_made) {
        last_event_made = true;
        make_event(now + between(&chance, 0, SECOND), LAST_EVENT);
    } else {
        over = true;
        stop(NULL, processes);
    }
}

/* ------------------------------------------------------------- delivery */

static int next_due(void)
{
    int best = -1;

    for (int i = 0; i < queued_count; i++)
        if (queued[i].due <= now && (best < 0 || queued[i].due < queued[best].due))
            best = i;
    return best;
}

static void check_deadline(void *what, int64_t number)
{
    (void)what;
    if (busy && current.number == number)
        oracle_deadline((int)number);
}

/* A copy of the event in flight waits at the API where its answer to /next was lost. */
static void send_event(void)
{
    struct pile body = {0};
    char head[400];

    event_write(&body, &current);
    snprintf(head, sizeof(head),
             "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: r%d\r\n" INVOCATION_ID
             "%d\r\n"
             "Lambda-Runtime-Deadline-Ms: %lld\r\nContent-Type: application/json\r\n"
             "Content-Length: %zu\r\n\r\n",
             current.number, current.number,
             (long long)(clocks_unix_ms() + (current.deadline - now) / MS), body.len);
    network_send(waiting, head, strlen(head));
    network_send(waiting, body.data, body.len);
    pile_free(&body);
    waiting = NULL;
}

static void maybe_stop_inside(struct chance *chance, int64_t timeout)
{
    if (restarts < plan.restarts && !faults_over() && happens(chance, 100) &&
        !faults_leave_out()) {
        trace("fault", faults_count(), "SIGTERM will come inside the event");
        restarts++;
        schedule_at(now + short_or_long(chance, 1000, timeout / 2), stop, NULL,
                    processes);
    }
}

static void deliver_next(void *what, int64_t unused)
{
    struct chance chance;
    int64_t timeout;
    int next = next_due();

    (void)what, (void)unused;
    if (!waiting || waiting->gone || next < 0 || stopping || extension_holds_up())
        return;
    current = queued[next];
    queued[next] = queued[--queued_count];
    fresh -= current.fresh;
    current.number = ++tries;
    chance = chance_for(FOR_DELIVERY, tries);
    timeout = (plan.sqs ? between(&chance, 4, 30) : between(&chance, 3, 15)) * SECOND;
    current.deadline = now + timeout;
    current.begun = now;
    busy = true;
    hung_up = 0;
    clocks_thaw();
    trace("lambda", 0, "event %d, %d messages, %s; %d s", current.number, current.size,
          current.fresh ? "new" : "again", (int)(timeout / SECOND));
    oracle_event(&current);
    send_event();
    schedule_at(current.deadline, check_deadline, NULL, current.number);
    faults_at_event(current.number, timeout);
    maybe_stop_inside(&chance, timeout);
}

static void try_again(const int *failed, int count, int so_far)
{
    struct event event = {.size = count, .tries = so_far + 1};
    struct chance chance = chance_for(FOR_ANSWER, current.number);

    if (count == 0 || event.tries >= (plan.sqs ? 6 : 3))
        return;
    memcpy(event.messages, failed, (size_t)count * sizeof(*failed));
    event.due =
        now + (plan.sqs ? between(&chance, 1, 30) : between(&chance, 5, 120)) * SECOND;
    queue_event(event);
}

/* ------------------------------------------------------------- GET /next */

static void hang_up(void *what, int64_t number)
{
    struct end *end = what;

    if (waiting != end || waits != number)
        return;
    trace("lambda", 0, "the Runtime API hangs up");
    if (++hung_up >= MOST_HANG_UPS)
        oracle_process_may_fail();
    clocks_thaw();
    waiting = NULL;
    if (number % 2 == 0)
        network_close(end);
    else
        network_reset(end);
}

static void deploy(void *what, int64_t process)
{
    (void)what;
    if (process != processes || busy || !waiting)
        return;
    trace("lambda", 0, "ends the sandbox");
    waiting = NULL; /* no event for it any more */
    clocks_thaw();
    clocks_kill();
}

static bool restart_now(struct chance *chance, const char *how)
{
    if (restarts >= plan.restarts || !happens(chance, 60) || faults_leave_out())
        return false;
    restarts++;
    trace("fault", faults_count(), "%s", how);
    return true;
}

static void trouble_while_waiting(struct end *end, struct chance *chance)
{
    if (faults_over() || tries == 0)
        return;
    if (happens(chance, API_TROUBLE) && !faults_leave_out())
        schedule_at(now + short_or_long(chance, 1000, SECOND), hang_up, end, waits);
    else if (restart_now(chance, "a deploy"))
        schedule_at(now + short_or_long(chance, 1000, 10 * SECOND), deploy, NULL,
                    processes);
}

static void refuse(struct end *end)
{
    static const char broken[] = "HTTP/1.1 500 Internal Server Error\r\n"
                                 "Content-Length: 2\r\n\r\n{}";

    network_send(end, broken, sizeof(broken) - 1);
    oracle_process_may_fail();
}

static void hear_next(struct end *end)
{
    struct chance chance = chance_for(FOR_WAIT, ++waits);

    if (busy) {
        violation("asks for the next event before the answer to the last one");
        return;
    }
    oracle_asks_next(now - process_began, network_descriptors());
    if (!faults_over() && tries > 0 && restart_now(&chance, "the Runtime API breaks")) {
        refuse(end);
        return;
    }
    waiting = end;
    if (happens(&chance, 800) && !extension_holds_up())
        clocks_freeze();
    trace("lambda", 0, "the program waits");
    trouble_while_waiting(end, &chance);
    plan_more();
    schedule_at(now, deliver_next, NULL, 0);
}

void lambda_extension_asks(void)
{
    schedule_at(now, deliver_next, NULL, 0);
}

/* ------------------------------------------------------------- POST */

static const char taken[] = "HTTP/1.1 202 Accepted\r\nContent-Length: 16\r\n\r\n"
                            "{\"status\":\"OK\"}\n";
static const char not_now[] = "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n{}";

static void take_answer(struct end *end, bool error, const char *body)
{
    struct chance chance = chance_for(FOR_ANSWER, -++answers);
    int failed[MOST_IN_BATCH];
    int count = oracle_answered(error, body, failed);

    busy = false;
    for (int i = 0; i < current.size; i++)
        messages[current.messages[i]].tries++;
    try_again(failed, count, current.tries);
    if (!faults_over() && happens(&chance, API_TROUBLE) && !faults_leave_out()) {
        trace("fault", faults_count(), "the Runtime API loses its reply");
        taken_twice = true;
        network_reset(end);
    } else {
        network_send(end, taken, sizeof(taken) - 1);
    }
}

static void hear_post(struct end *end, const char *head, const char *body)
{
    char path[64], echo[64];

    snprintf(echo, sizeof(echo), "\r\n" INVOCATION_ID "%d\r\n", current.number);
    snprintf(path, sizeof(path), "/runtime/invocation/r%d/", current.number);
    if (strstr(head, "/runtime/init/error")) {
        violation("init failed: %.300s", body);
        network_send(end, taken, sizeof(taken) - 1);
    } else if (!strstr(head, path) || (!busy && !taken_twice)) {
        violation("an answer to no event: %.100s", head);
    } else if (!strstr(head, echo)) {
        violation("an answer without the invocation id: %.300s", head);
    } else if (!busy) { /* it came before: InvalidStateTransition */
        taken_twice = false;
        network_send(end, not_now, sizeof(not_now) - 1);
    } else {
        take_answer(end, strstr(head, "/error HTTP/") != NULL, body);
    }
}

/* The length of one whole request in `in`; 0: more has to come. */
static size_t request_length(const struct pile *in, char *head, size_t size,
                             size_t *head_len)
{
    const unsigned char *stop =
        in->len > 0 ? memmem(in->data, in->len, "\r\n\r\n", 4) : NULL;
    const char *length;
    size_t len;

    if (!stop)
        return 0;
    *head_len = (size_t)(stop - in->data) + 4;
    snprintf(head, size, "%.*s", (int)*head_len, (const char *)in->data);
    length = strcasestr(head, "content-length:");
    len = *head_len + (length ? strtoul(length + 15, NULL, 10) : 0);
    return in->len >= len ? len : 0;
}

void lambda_hears(struct end *end)
{
    char head[1000];
    size_t head_len;
    size_t len = request_length(&end->in, head, sizeof(head), &head_len);

    while (len > 0) {
        char *body = strndup((char *)end->in.data + head_len, len - head_len);

        pile_drop(&end->in, len);
        if (extension_hears(end, head, body))
            trace("lambda", 0, "the extension is heard");
        else if (strncmp(head, "GET ", 4) == 0)
            hear_next(end);
        else
            hear_post(end, head, body);
        free(body);
        len = end->gone ? 0 : request_length(&end->in, head, sizeof(head), &head_len);
    }
}

void lambda_lost(struct end *end)
{
    extension_lost(end);
    if (waiting == end)
        waiting = NULL;
}

/* ------------------------------------------------------------- processes */

void lambda_process_begins(void)
{
    processes++;
    process_began = now;
    alive = true;
    hung_up = 0;
    stopping = false;
    taken_twice = false;
    waiting = NULL;
    extension_process_begins();
    oracle_process_begins();
}

bool lambda_process_ended(int status)
{
    struct chance chance = chance_for(FOR_PROCESS, processes);

    alive = false;
    oracle_process_ended(status, stopping);
    waiting = NULL;
    if (busy) { /* Runtime.ExitError: the event failed */
        int failed[MOST_IN_BATCH];

        memcpy(failed, current.messages, sizeof(failed));
        busy = false;
        try_again(failed, current.size, current.tries);
    }
    if (over || status == PROCESS_STUCK || tracing.violations > 0)
        return false;
    schedule_run(now + short_or_long(&chance, 50 * MS, 5 * SECOND));
    return true;
}
