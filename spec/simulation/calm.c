/* calm.c -- rules 5 and 6: in calm no event fails and none is slow; connects have a
 * bound.
 *
 * Calm: no fault for 12 s. One host of several may be down, and nacks may come for 300
 * ms: those are no trouble. */
#include "calm.h"

#include "oracle.h"
#include "plan.h"
#include "schedule.h"
#include "trace.h"

#define GRACE (12 * SECOND)
#define SECRET_GRACE (60 * SECOND + GRACE) /* AWS is asked once a minute */
#define SLOW (5 * SECOND)
#define IDLE (60 * SECOND)     /* after so long a wait */
#define IDLE_SLOW (3 * SECOND) /* not even what TCP_USER_TIMEOUT would cost */
#define TOLD_SLOW (4 * SECOND) /* beyond SLOW: the longest back-off */
#define CONNECTS_KEPT 128

static int active[FAULTS];
/* The last fault of which the broker does not tell. */
static int64_t quiet_since, begun;
static int64_t calm_since, grace = GRACE, fixed_at = -1, waits_since, idle;
static bool exact_then;

/* Connects since a login worked, and in this event. */
static int64_t asked_aws;
static bool has_secret;
static int64_t tried_at[CONNECTS_KEPT];
static unsigned tried, in_event, closes;

/* ------------------------------------------------------------- faults */

static bool is_trouble(enum fault fault)
{
    bool one_host =
        active[HOST_REFUSED] + active[HOST_IS_SILENT] + active[HOST_FROZEN] == 1;

    if (fault == NACKS_BRIEFLY)
        return false;
    if (fault == HOST_REFUSED || fault == HOST_IS_SILENT || fault == HOST_FROZEN)
        return plan.hosts == 1 || !one_host;
    return true;
}

static bool troubled(void)
{
    for (int fault = 0; fault < FAULTS; fault++)
        if (active[fault] > 0 && is_trouble((enum fault)fault))
            return true;
    return false;
}

/* The broker answers at once that it cannot, and why. */
static bool is_told(enum fault fault)
{
    return fault == QUEUE_GONE || fault == EXCHANGE_GONE || fault == NO_PERMISSION ||
           fault == MEMORY_ALARM || fault == VHOST_DOWN || fault == NACKS_BRIEFLY;
}

void oracle_trouble(void)
{
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

void oracle_fault(enum fault fault, bool begins)
{
    active[fault] += begins ? 1 : -1;
    if (fault != NACKS_BRIEFLY)
        calm_since = now;
    if (!is_told(fault))
        quiet_since = now;
    if (fault == PASSWORD_CHANGED && begins)
        grace = SECRET_GRACE;
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
    return fixed_at >= 0 && now >= fixed_at + grace;
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
    if (has_secret && now - asked_aws < 59 * SECOND)
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
    asked_aws = -60 * SECOND;
}

/* ------------------------------------------------------------- events */

/* Whether queue and exchange are the only trouble, long enough. */
static bool only_destinations_gone(void)
{
    for (int fault = 0; fault < FAULTS; fault++)
        if (active[fault] > 0 && fault != QUEUE_GONE && fault != EXCHANGE_GONE)
            return false;
    return now > quiet_since + grace && now > calm_since;
}

void calm_waits(void)
{
    waits_since = now;
}

void calm_event_begins(void)
{
    begun = now;
    in_event = closes = 0;
    idle = now - waits_since;
    exact_then = only_destinations_gone();
}

bool calm_has_to_work(const struct message *message)
{
    bool all = exact_then && only_destinations_gone() && begun > calm_since;

    for (int i = 0; all && i < message->count; i++) {
        int object = message->first + i;

        if ((active[EXCHANGE_GONE] > 0 && object_goes_to(object, TO_EXCHANGE)) ||
            (active[QUEUE_GONE] > 0 &&
             object_goes_to(object, plan.two_queues ? TO_OTHER : TO_NORMAL)))
            all = false;
    }
    return all;
}

/* A host that says nothing costs its share of the time, and so does one that refuses at
 * one of its addresses while the other one is dead. */
static bool has_time_bound(void)
{
    return active[HOST_IS_SILENT] == 0 && active[HOST_FROZEN] == 0 &&
           !(plan.dead_address && active[HOST_REFUSED] > 0);
}

static int64_t slow_for(const struct event *event)
{
    int64_t objects = 0;

    for (int i = 0; i < event->size; i++)
        objects += messages[event->messages[i]].count;
    return (idle > IDLE ? IDLE_SLOW : SLOW) + objects * plan.object_work;
}

/* Rules 5 and 6. */
void calm_event_ends(const struct event *event, bool failed, const char *body)
{
    int64_t took = now - event->begun;
    bool calm = !troubled() && event->begun > calm_since + grace;
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
    if (all_told() && event->begun > quiet_since + grace && !plan.dead_address &&
        took > TOLD_SLOW + slow_for(event))
        violation("event %d takes %.1f s, and the broker tells why it takes nothing",
                  event->number, (double)took / 1e9);
    if (calm && has_time_bound() && took > slow_for(event))
        violation("event %d takes %.1f s in calm, after %.0f s of waiting", event->number,
                  (double)took / 1e9, (double)idle / 1e9);
}
