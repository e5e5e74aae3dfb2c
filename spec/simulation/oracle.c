/* oracle.c -- the rules on events and their answers; calm.c has the others. */
#include "oracle.h"

#include <stdio.h>
#include <string.h>

#include "broker.h"
#include "calm.h"
#include "plan.h"
#include "process.h"
#include "results.h"
#include "schedule.h"
#include "trace.h"

#define INIT_NS (10 * SECOND) /* Lambda's own limit */
#define MOST_DESCRIPTORS 3    /* the Runtime API, the Extensions API, the broker */

struct counts counted;

static struct item {
    int stored, published;
    bool acked;
    int ack_read_in; /* the event; 0: none */
    int returned_in;
    int open_on; /* the connection where its last publish is not settled; 0: none */
} items[MOST_OBJECTS * DESTINATIONS];

static struct event current;
static bool busy, may_fail, event_published;
static int no_exchange_in; /* the event */

/* ------------------------------------------------------------- the broker */

static bool was_delivered(int item)
{
    int object = item / DESTINATIONS;

    for (int i = 0; i < messages_count; i++) {
        const struct message *message = &messages[i];

        if (object >= message->first && object < message->first + message->count)
            return message->delivered;
    }
    return false;
}

/* Rules 4 and 7. Held bytes may arrive in a later event. */
void oracle_published(int number, int connection)
{
    struct item *item = &items[number];

    counted.publishes++;
    event_published = true;
    calm_publishes();
    if (item->published == 0 && !was_delivered(number))
        violation("object %d is published, and no event had it", number / DESTINATIONS);
    if (busy && item->ack_read_in == current.number)
        violation("object %d is published again, and its ack was read",
                  number / DESTINATIONS);
    if (item->open_on == connection)
        violation("object %d is published again on one connection, before it was settled",
                  number / DESTINATIONS);
    item->published++;
    item->open_on = connection;
}

/* Rule 9. */
void oracle_publishes_on(int64_t ended, int64_t read_at)
{
    if (busy && ended > 0 && ended < current.begun)
        violation("a publish on a connection that had ended before event %d",
                  current.number);
    if (now - read_at > plan_heartbeat() + SECOND)
        violation("a publish on a connection that was idle for %.1f s",
                  (double)(now - read_at) / 1e9);
}

/* Rule 9. */
void oracle_closes_good(int host)
{
    if (busy && calm_is_quiet(host))
        violation("event %d closes a connection that was good", current.number);
}

void oracle_returned(int number)
{
    items[number].returned_in = busy ? current.number : 0;
}

void oracle_no_exchange(void)
{
    no_exchange_in = busy ? current.number : 0;
}

void oracle_stored(int number)
{
    counted.stored++;
    if (items[number].stored++ > 0)
        counted.duplicates++;
}

void oracle_lost(int number)
{
    items[number].stored--;
}

void oracle_acked(int number)
{
    items[number].acked = true;
}

void oracle_settled(int number)
{
    items[number].open_on = 0;
}

void oracle_ack_read(int number)
{
    if (busy)
        items[number].ack_read_in = current.number;
}

/* ------------------------------------------------------------- an event */

void oracle_count_event(void)
{
    counted.events++;
}

void oracle_event(const struct event *event)
{
    current = *event;
    busy = true;
    event_published = false;
    counted.tries++;
    for (int i = 0; i < event->size; i++)
        messages[event->messages[i]].delivered = true;
    calm_event_begins();
}

/* Rule 2. */
void oracle_deadline(int number)
{
    violation("event %d has no answer at its deadline", number);
}

/* Rule 2: no wait leads past the deadline. */
void oracle_waits(int64_t until)
{
    if (busy && until > current.deadline)
        violation("the program waits past the deadline of event %d", current.number);
}

static bool is_stored(const struct item *item)
{
    return item->stored > 0;
}

static bool is_acked(const struct item *item)
{
    return item->acked;
}

static bool is_read(const struct item *item)
{
    return item->ack_read_in == current.number;
}

/* How many items of the message are not so. */
static int count_not(const struct message *message, bool (*so)(const struct item *))
{
    int count = 0;

    for (int i = 0; i < message->count; i++)
        for (int to = 0; to < DESTINATIONS; to++)
            if (object_goes_to(message->first + i, (enum destination)to))
                count += !so(&items[item_of(message->first + i, (enum destination)to)]);
    return count;
}

/* Rule 1. */
static void check_done(int number)
{
    struct message *message = &messages[number];
    int lost = count_not(message, is_stored);
    int unacked = count_not(message, is_acked);
    int unread = count_not(message, is_read);

    message->done = true;
    counted.done++;
    if (lost > 0)
        violation("LOST: message %d counts as done, and %d of it are not stored", number,
                  lost);
    else if (unacked > 0)
        violation("message %d counts as done, and %d of it were not acked", number,
                  unacked);
    else if (unread > 0)
        violation("message %d counts as done, and %d acks of it were not read", number,
                  unread);
}

/* Rule 3. */
static void check_failed(int number, bool error)
{
    counted.failed++;
    if (!error && calm_has_to_work(&messages[number]))
        violation("message %d counts as failed, and only another one could", number);
    if (!error && count_not(&messages[number], is_read) == 0)
        violation("message %d counts as failed, and all its acks were read", number);
}

/* Rule 10: S3 tries a task again where that can help, and only there. */
static void check_retry(int number, bool again)
{
    int first = messages[number].first;
    bool lost = no_exchange_in == current.number && object_goes_to(first, TO_EXCHANGE);

    for (int to = 0; to < DESTINATIONS; to++)
        lost |= items[item_of(first, (enum destination)to)].returned_in == current.number;
    if (!again && !lost)
        violation("task %d is given up, and its queues and exchange are there", number);
    if (again && calm_but_for_destinations())
        violation("task %d comes again, and its queue or exchange is gone", number);
}

/* Rule 3, for an answer that names no message. */
static void check_error(void)
{
    int unread = 0;

    for (int i = 0; i < current.size; i++) {
        const struct message *message = &messages[current.messages[i]];

        unread += count_not(message, is_read);
        if (plan.partial && calm_has_to_work(message))
            violation("event %d is an error, and only another message than %d could fail",
                      current.number, current.messages[i]);
    }
    if (unread == 0)
        violation("event %d is an error, and all its acks were read", current.number);
}

static void check_shape(bool error, const char *body, bool failed)
{
    bool list = strstr(body, "batchItemFailures") != NULL;

    if (strstr(body, PASSWORD_MARK))
        violation("a password is in the answer");
    if (plan.tasks) {
        if (error)
            violation("an error, and each task could have a result");
        else
            results_check(body, current.size);
        return;
    }
    if (error && list)
        violation("an error that has a list");
    if (!error && plan.partial != list)
        violation(list ? "a list that nobody asked for" : "there is no list");
    if (!error && !plan.partial && strcmp(body, "null") != 0)
        violation("the answer is not null");
    if (list && !failed && strcmp(body, "{\"batchItemFailures\":[]}") != 0)
        violation("a list that names others: %.200s", body);
}

static enum result outcome_of(bool error, const char *body, int number)
{
    char id[60];

    if (error)
        return RESULT_TEMPORARY;
    if (plan.tasks)
        return result_of(body, number);
    snprintf(id, sizeof(id), "{\"itemIdentifier\":\"m-%d\"}", number);
    return strstr(body, id) ? RESULT_TEMPORARY : RESULT_SUCCEEDED;
}

int oracle_answered(bool error, const char *body, int failed[MOST_IN_BATCH])
{
    int count = 0;
    bool any = false;

    trace("lambda", 0, "event %d %s after %.1f ms: %.200s", current.number,
          error ? "fails" : "is answered", (double)(now - current.begun) / 1e6, body);
    if (now > current.deadline)
        violation("the answer to event %d is late", current.number);
    for (int i = 0; i < current.size; i++) {
        int number = current.messages[i];
        enum result result = outcome_of(error, body, number);

        if (result == RESULT_SUCCEEDED) {
            check_done(number);
            continue;
        }
        any = true;
        check_failed(number, error);
        if (plan.tasks)
            check_retry(number, result == RESULT_TEMPORARY);
        if (result == RESULT_TEMPORARY)
            failed[count++] = number;
    }
    if (error)
        check_error();
    check_shape(error, body, any);
    calm_event_ends(&current, any, body);
    busy = false;
    return count;
}

/* ------------------------------------------------------------- the process */

void oracle_process_begins(void)
{
    counted.processes++;
    calm_process_begins();
    may_fail = false;
}

void oracle_process_may_fail(void)
{
    may_fail = true;
}

/* Rules 2 and 8. */
void oracle_asks_next(int64_t since_start, int descriptors)
{
    static int last_process;

    if (last_process != counted.processes && since_start > INIT_NS)
        violation("init took %.1f s", (double)since_start / 1e9);
    last_process = counted.processes;
    if (descriptors > MOST_DESCRIPTORS)
        violation("%d descriptors between events", descriptors);
    calm_waits();
}

void oracle_process_returned(int status, int descriptors)
{
    if (descriptors > 0)
        violation("%d descriptors are open at the end", descriptors);
    if (status != 0 && !may_fail)
        violation("the program ended with %d", status);
}

void oracle_process_ended(int status, bool asked)
{
    if (status == PROCESS_STUCK)
        return;
    if (busy && (!asked || event_published)) /* else it had not read the event */
        violation("the program ended with %d inside event %d", status, current.number);
    if (!asked && !may_fail && status != PROCESS_KILLED)
        violation("the program ended with %d, and nobody asked it to", status);
    busy = false;
}

/* Rule 8: neither log nor API ever has a password. */
static bool has_password(const void *data, size_t len)
{
    return memmem(data, len, PASSWORD_MARK, sizeof(PASSWORD_MARK) - 1) != NULL;
}

void oracle_sends(bool to_api, const void *data, size_t len)
{
    if (to_api && has_password(data, len))
        violation("a password is sent to the Runtime API");
}

void oracle_writes(const char *line, size_t len)
{
    if (has_password(line, len))
        violation("a password in the log: %.*s", (int)len, line);
}

/* Rule 1, once more: a crash may come behind the answer. */
void oracle_life_ended(void)
{
    for (int i = 0; i < messages_count; i++)
        if (messages[i].done && count_not(&messages[i], is_stored) > 0)
            violation("LOST: message %d was done, and is not stored at the end", i);
    counted.faults = faults_count();
}
