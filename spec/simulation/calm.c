/* calm.c -- rules 5 and 6: in calm no event fails and none is slow; connects have a
 * bound.
 *
 * Calm: no fault for 12 s. One host of several may be down, and nacks may come for 300
 * ms: those are not trouble. */
#include "calm.h"

#include "aws.h"
#include "oracle.h"
#include "plan.h"
#include "schedule.h"
#include "trace.h"

#define GRACE (12 * SECOND)
#define ASK_AGAIN (60 * SECOND) /* AWS is asked once a minute */
#define SLOW (5 * SECOND)
#define IDLE (60 * SECOND)     /* after so long a wait */
#define IDLE_SLOW (3 * SECOND) /* not even what TCP_USER_TIMEOUT would cost */
#define TOLD_SLOW (4 * SECOND) /* beyond SLOW: the longest back-off */
#define SHARE (5 * SECOND)     /* of the 10 s for all hosts, where there are two */
#define SILENCE (3 * SECOND)   /* TCP_USER_TIMEOUT at most, connector.c */
#define QUIET (2 * SECOND)     /* without a frame, then a heartbeat is sent, broker.c */
#define BACK_OFF (6 * SECOND)  /* the longest one, and some more */
#define HEALS (10 * SECOND)    /* with so much time left a lone fault does no harm */
#define HOST_HEALS (20 * SECOND)
#define CONNECTS_KEPT 128
#define RETURN_BYTES 300 /* a basic.return, with its header and body */

static int active[FAULTS];
/* The last fault of which the broker does not tell. */
static int64_t quiet_since, begun;
static int64_t calm_since, fixed_at = -1, waits_since, idle;
static bool exact_then, password_changed;

/* A fault that came in calm; FAULTS: none, or others since. */
static enum fault lone = FAULTS;
static int64_t lone_at, nacked_at = -1, failed_at = -BACK_OFF;
static bool published; /* in this event */

/* Connects since a login worked, and in this event. */
static int64_t asked_aws, asked_aws_before; /* before this event */
static bool has_secret;
static int64_t tried_at[CONNECTS_KEPT];
static unsigned tried, in_event, closes;

/* ------------------------------------------------------------- faults */

/* 1: the first one; more: all of them. */
static int hosts_down(void)
{
    return active[HOST_REFUSED] + active[HOST_IS_SILENT] + active[HOST_FROZEN];
}

static bool is_trouble(enum fault fault)
{
    if (fault == NACKS_BRIEFLY)
        return false;
    if (fault == HOST_REFUSED || fault == HOST_IS_SILENT || fault == HOST_FROZEN)
        return plan.hosts == 1 || hosts_down() != 1;
    return true;
}

static bool troubled(void)
{
    for (int fault = 0; fault < FAULTS; fault++)
        if (active[fault] > 0 && is_trouble((enum fault)fault))
            return true;
    return !aws_is_right();
}

/* The broker answers at once that it cannot, and why. */
static bool is_told(enum fault fault)
{
    return fault == QUEUE_GONE || fault == EXCHANGE_GONE || fault == NO_PERMISSION ||
           fault == MEMORY_ALARM || fault == VHOST_DOWN || fault == NACKS_BRIEFLY;
}

/* Whether the program may have an old password and not ask for the new one yet. */
static bool waits_for_aws(int64_t when)
{
    return password_changed && has_secret && when < asked_aws_before + ASK_AGAIN;
}

/* And may still be pausing because of that. */
static bool suffers_from_aws(int64_t when)
{
    return waits_for_aws(when) ||
           (password_changed && has_secret && when < failed_at + BACK_OFF);
}

static bool is_calm(int64_t begin)
{
    return !troubled() && begin > calm_since + GRACE && !suffers_from_aws(begin);
}

void oracle_trouble(void)
{
    lone = FAULTS;
    calm_since = now;
    quiet_since = now;
}

/* Of the faults that are there, the broker tells. */
static bool all_told(void)
{
    for (int fault = 0; fault < FAULTS; fault++)
        if (active[fault] > 0 && !is_told((enum fault)fault))
            return false;
    return true;
}

/* What begins now is alone where all was well so far, and the event has its reconnect
 * still. */
static void note_lone(enum fault fault)
{
    bool alone = published && in_event == 0 && !troubled() && hosts_down() == 0 &&
                 now > calm_since + BACK_OFF && !suffers_from_aws(now);

    lone = alone ? fault : FAULTS;
    lone_at = now;
}

void oracle_cut(enum fault fault)
{
    note_lone(fault);
    calm_since = now;
    quiet_since = now;
}

void oracle_fault(enum fault fault, bool begins)
{
    if (begins)
        note_lone(fault);
    else if (fault != lone)
        lone = FAULTS;
    active[fault] += begins ? 1 : -1;
    if (fault == NACKS_BRIEFLY)
        nacked_at = now;
    if (fault != NACKS_BRIEFLY)
        calm_since = now;
    if (!is_told(fault))
        quiet_since = now;
    password_changed |= fault == PASSWORD_CHANGED;
}

void oracle_all_fixed(void)
{
    for (int fault = 0; fault < FAULTS; fault++)
        active[fault] = 0;
    fixed_at = now;
    oracle_trouble();
}

bool oracle_is_well(void)
{
    return fixed_at >= 0 && now >= fixed_at + GRACE && !waits_for_aws(now);
}

/* ------------------------------------------------------------- connects */

static unsigned per_address(void)
{
    return (unsigned)plan.hosts * (plan.dead_address ? 2 : 1) * (plan.secrets ? 2 : 1);
}

/* Rule 6: the back-off. */
void oracle_connects(void)
{
    unsigned most = 6 * per_address();

    counted.connects++;
    in_event++;
    tried_at[tried++ % CONNECTS_KEPT] = now;
    if (most < CONNECTS_KEPT && tried > most &&
        now - tried_at[(tried - 1 - most) % CONNECTS_KEPT] < 5 * SECOND)
        violation("more than %u connects in 5 s, and none worked", most);
}

void oracle_logged_in(void)
{
    tried = 0;
}

/* Because of an exchange: what names it fails, and the rest gets a new connection. */
void oracle_channel_closes(void)
{
    closes++;
}

/* Rule 6: AWS is asked once a minute, when the secret is there. */
void oracle_asks_aws(void)
{
    if (has_secret && now - asked_aws < ASK_AGAIN - SECOND)
        violation("AWS is asked again after %.1f s", (double)(now - asked_aws) / 1e9);
    if (has_secret)
        asked_aws = now;
}

void oracle_has_secret(void)
{
    has_secret = true;
}

/* A new process knows nothing of the failures before. */
void calm_process_begins(void)
{
    tried = 0;
    has_secret = false;
    asked_aws = asked_aws_before = -ASK_AGAIN;
}

/* ------------------------------------------------------------- events */

/* Whether queue and exchange are the only trouble, long enough. */
static bool only_destinations_gone(void)
{
    for (int fault = 0; fault < FAULTS; fault++)
        if (active[fault] > 0 && fault != QUEUE_GONE && fault != EXCHANGE_GONE)
            return false;
    return now > quiet_since + GRACE && now > calm_since && !suffers_from_aws(now);
}

/* What follows is not a login any more, which is not tried again. */
void calm_publishes(void)
{
    published = true;
}

void calm_waits(void)
{
    waits_since = now;
}

bool calm_is_quiet(int host)
{
    return is_calm(now) && !(hosts_down() > 0 && host == 0) &&
           active[NACKS_BRIEFLY] == 0 && nacked_at < begun;
}

void calm_event_begins(void)
{
    begun = now;
    in_event = closes = 0;
    published = false;
    asked_aws_before = asked_aws;
    idle = now - waits_since;
    exact_then = only_destinations_gone();
}

/* Where no connect may be tried yet, an event is an error as a whole; tasks of S3 Batch
 * Operations are not, and each fails. */
bool calm_but_for_destinations(void)
{
    return exact_then && only_destinations_gone() &&
           begun > calm_since + (plan.tasks ? BACK_OFF : 0);
}

bool calm_has_to_work(const struct message *message)
{
    bool all = calm_but_for_destinations();

    for (int i = 0; all && i < message->count; i++) {
        int object = message->first + i;

        if ((active[EXCHANGE_GONE] > 0 && object_goes_to(object, TO_EXCHANGE)) ||
            (active[QUEUE_GONE] > 0 &&
             object_goes_to(object, plan.two_queues ? TO_OTHER : TO_NORMAL)))
            all = false;
    }
    return all;
}

/* What a host may cost that says nothing: TCP_USER_TIMEOUT and its share of the connect,
 * and where its kernel lives half of the time. So does one that refuses at one of its
 * addresses while the other one is dead. */
static int64_t silence_costs(int64_t time)
{
    if (active[HOST_FROZEN] > 0)
        return time / 2 > SHARE ? time / 2 : SHARE;
    if (active[HOST_IS_SILENT] > 0)
        return SILENCE + SHARE;
    return plan.dead_address && active[HOST_REFUSED] > 0 ? SHARE : 0;
}

/* What comes back for each message, through the program's window. */
static int64_t transfer(int64_t objects)
{
    int64_t turns = objects * DESTINATIONS * RETURN_BYTES / (int64_t)plan.window;

    return turns * 2 * (plan.latency + plan.jitter);
}

static int64_t slow_for(const struct event *event)
{
    int64_t objects = 0;

    for (int i = 0; i < event->size; i++)
        objects += messages[event->messages[i]].count;
    bool silent = silence_costs(0) > 0; /* that is in the bound already */

    return (idle > IDLE || silent ? IDLE_SLOW : SLOW) + objects * plan.object_work +
           transfer(objects);
}

/* A reconnect in the same event heals it. */
static bool heals(enum fault fault)
{
    if (fault == HOST_IS_SILENT || fault == HOST_FROZEN)
        return plan.hosts > 1;
    return fault == CONNECTIONS_RESET || fault == CONNECTIONS_CLOSED ||
           fault == BLACK_HOLE;
}

static int64_t needs(enum fault fault)
{
    return fault == HOST_IS_SILENT || fault == HOST_FROZEN ? HOST_HEALS : HEALS;
}

/* Rule 5, where the only fault came within the event. */
static void check_lone(const struct event *event, bool failed, const char *body)
{
    int64_t left = event->deadline - lone_at, took = now - lone_at;

    if (lone == FAULTS || !heals(lone) || lone_at < event->begun || left < needs(lone) ||
        nacked_at >= event->begun)
        return;
    if (failed)
        violation("event %d fails after one fault: %.300s", event->number, body);
    if (took > QUIET + SILENCE + silence_costs(left) + slow_for(event))
        violation("event %d takes %.1f s more after one fault", event->number,
                  (double)took / 1e9);
}

/* Rules 5 and 6. */
void calm_event_ends(const struct event *event, bool failed, const char *body)
{
    int64_t took = now - event->begun;
    int64_t most_time = slow_for(event) + silence_costs(event->deadline - event->begun);
    bool calm = is_calm(event->begun);
    /* host/amqp/delivery.h: the first, the reconnect, three for nacks, and one for each
     * exchange; a rule names two here, "" and events */
    unsigned most = (5 + (closes < 2 ? closes : 2)) * per_address();

    if ((int)in_event > counted.most_connects)
        counted.most_connects = (int)in_event;
    if (in_event > most)
        violation("%u connects in one event", in_event);
    if (calm && failed)
        violation("event %d fails %.1f s after the last fault: %.300s", event->number,
                  (double)(event->begun - calm_since) / 1e9, body);
    if (all_told() && event->begun > quiet_since + GRACE &&
        !suffers_from_aws(event->begun) && !plan.dead_address &&
        took > TOLD_SLOW + slow_for(event))
        violation("event %d takes %.1f s, and the broker tells why it takes nothing",
                  event->number, (double)took / 1e9);
    if (calm && took > most_time)
        violation("event %d takes %.1f s in calm, after %.0f s of waiting", event->number,
                  (double)took / 1e9, (double)idle / 1e9);
    check_lone(event, failed, body);
    if (failed)
        failed_at = now;
}
