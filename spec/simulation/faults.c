/* faults.c -- most strike from 1 us to 40 ms after an event's delivery, or after some
 * bytes of a connection; the rest at any time. As often short as long.
 *
 * What RabbitMQ does in each state is in broker.c, publishes.c and confirming.c; here is
 * only when a state begins and ends. */
#include "faults.h"

#include <stddef.h>

#include "aws.h"
#include "broker.h"
#include "chance.h"
#include "names.h"
#include "network.h"
#include "oracle.h"
#include "plan.h"
#include "schedule.h"
#include "trace.h"

static const char *const fault_names[FAULTS] = {
    [CONNECTIONS_RESET] = "connections are reset",
    [CONNECTIONS_CLOSED] = "the broker closes connections (320)",
    [BLACK_HOLE] = "connections fall silent",
    [NETWORK_HOLDS] = "the network holds",
    [HOST_REFUSED] = "a host refuses",
    [HOST_IS_SILENT] = "a host is silent",
    [NO_ACKS] = "no acks",
    [NACKS] = "nacks",
    [NACKS_BRIEFLY] = "nacks, for a moment",
    [CHANNEL_NACKS] = "new channels nack as long as they live",
    [QUEUE_GONE] = "a queue is gone",
    [EXCHANGE_GONE] = "the exchange is gone",
    [NO_PERMISSION] = "no permission to write",
    [MEMORY_ALARM] = "a memory alarm",
    [PASSWORD_CHANGED] = "the password is changed",
    [LOOKUPS_FAIL] = "look-ups fail",
    [LOOKUPS_HANG] = "look-ups do not end",
    [BROKER_FROZEN] = "the brokers stand still",
    [HOST_FROZEN] = "the first broker stands still",
    [BROKER_CRASHES] = "the broker crashes",
    [VHOST_DOWN] = "the virtual host is down",
    [AWS_LATER_ON] = "AWS throttles",
    [BROKER_DOES_NOT_READ] = "the broker does not read",
    [PUBLISH_RESETS] = "each publish resets the connection",
    [TLS_REFUSED] = "TLS handshakes fail",
    [TLS_STALLS] = "TLS handshakes stall",
    [CONNECTION_LIMIT] = "the limit of connections is reached",
};

#define LATE (7 * SECOND) /* after the last fault: longer than every back-off */

static int active[FAULTS], count;
static bool over;

const char *fault_name(enum fault fault)
{
    return fault_names[fault];
}

int fault_active(enum fault fault)
{
    return active[fault];
}

bool faults_over(void)
{
    return over;
}

int faults_count(void)
{
    return count;
}

bool faults_leave_out(void)
{
    return plan_is_out(FAULT, ++count);
}

/* ------------------------------------------------------------- states */

/* The hosts that are down: the first one, or all where the fault came twice. */
static void set_hosts(void)
{
    int silent = active[HOST_IS_SILENT];
    int refused = active[HOST_REFUSED];

    for (int host = 0; host < MOST_HOSTS; host++) {
        host_modes[host] = HOST_TAKES;
        if (refused > 1 || (refused > 0 && host == 0))
            host_modes[host] = HOST_REFUSES;
        if (silent > 1 || (silent > 0 && host == 0))
            host_modes[host] = HOST_SILENT;
    }
}

bool faults_stall(const struct end *end)
{
    return (active[MEMORY_ALARM] > 0 && broker_is_blocked(end)) ||
           active[BROKER_FROZEN] > 0 || active[BROKER_DOES_NOT_READ] > 0 ||
           (active[HOST_FROZEN] > 0 && end->host == 0);
}

static void apply(void)
{
    set_hosts();
    names_mode = active[LOOKUPS_FAIL] > 0   ? NAMES_FAIL
                 : active[LOOKUPS_HANG] > 0 ? NAMES_HANG
                                            : NAMES_WORK;
}

static void unstall(struct end *end, int unused)
{
    (void)unused;
    if (end->stalled && !faults_stall(end))
        broker_goes_on(end);
}

static void begin(enum fault fault)
{
    active[fault]++;
    oracle_fault(fault, true);
    apply();
}

static void end_now(void *what, int64_t kind)
{
    enum fault fault = (enum fault)kind;

    (void)what;
    active[fault]--;
    trace("fault", 0, "%s: over", fault_names[fault]);
    oracle_fault(fault, false);
    apply();
    network_each(unstall, 0);
}

static void end_fault(void *what, int64_t kind)
{
    if (!over)
        end_now(what, kind);
}

/* What happens at once to each connection. */
static void hit(struct end *end, int kind)
{
    switch ((enum fault)kind) {
    case CONNECTIONS_RESET:
        network_reset(end);
        break;
    case BROKER_CRASHES:
        if (happens(&broker_chance, 400))
            network_reset(end);
        else
            network_close(end);
        break;
    case BLACK_HOLE:
        network_silence(end);
        break;
    case HOST_IS_SILENT:
        if (host_modes[end->host] == HOST_SILENT)
            network_silence(end);
        break;
    case CONNECTIONS_CLOSED:
        broker_forces_close(end);
        break;
    case MEMORY_ALARM:
        broker_blocks(end);
        break;
    case BROKER_FROZEN:
    case BROKER_DOES_NOT_READ:
    case HOST_FROZEN:
        end->stalled = end->stalled || faults_stall(end);
        break;
    default:
        break;
    }
}

/* ------------------------------------------------------------- striking */

/* What in a broker's life lasts for minutes. */
static bool can_stay(enum fault fault)
{
    return fault == HOST_REFUSED || fault == HOST_IS_SILENT || fault == HOST_FROZEN ||
           fault == MEMORY_ALARM || fault == QUEUE_GONE || fault == EXCHANGE_GONE ||
           fault == NO_PERMISSION || fault == VHOST_DOWN;
}

static int64_t duration_of(struct chance *chance, enum fault fault)
{
    int64_t duration = short_or_long(chance, 5 * MS, 25 * SECOND);

    if (fault == NACKS_BRIEFLY)
        return short_or_long(chance, 1 * MS, 300 * MS);
    if (can_stay(fault) && happens(chance, 400))
        return between(chance, 20 * SECOND, 150 * SECOND);
    return duration;
}

/* A kind that this life cannot have is another one. */
static enum fault possible(enum fault fault)
{
    if ((fault == PASSWORD_CHANGED && !plan.secrets) ||
        ((fault == TLS_REFUSED || fault == TLS_STALLS) && !plan.tls) ||
        (fault == EXCHANGE_GONE && !plan.exchange))
        return CONNECTIONS_RESET;
    return fault;
}

static void strike(void *what, int64_t unused)
{
    struct chance chance = chance_for(FOR_FAULT, count + 1);
    enum fault fault = possible((enum fault)below(&chance, FAULTS));
    int64_t duration = duration_of(&chance, fault);

    (void)what, (void)unused;
    if (over || faults_leave_out())
        return;
    trace("fault", count, "%s, for %.3f s", fault_names[fault], (double)duration / 1e9);
    begin(fault);
    schedule_at(now + duration, end_fault, NULL, fault);
    if (fault == NETWORK_HOLDS)
        network_hold(now + duration);
    if (fault == PASSWORD_CHANGED)
        aws_change_password(short_or_long(&chance, 0, 30 * SECOND));
    if (fault == BROKER_CRASHES) { /* and is down for a while */
        broker_crashes();
        begin(HOST_REFUSED);
        schedule_at(now + short_or_long(&chance, 1 * MS, 8 * SECOND), end_fault, NULL,
                    HOST_REFUSED);
    }
    network_each(hit, fault);
}

static void repair(struct end *end, int unused)
{
    (void)unused;
    network_cut_after(end, -1, -1, CUT_BY_FIN);
    unstall(end, 0);
}

/* But for one host of several, which may stay down, and one destination of several. */
static void fix_all(void *what, int64_t unused)
{
    static const enum fault down[] = {HOST_REFUSED, HOST_IS_SILENT, HOST_FROZEN};
    struct chance chance = chance_for(FOR_FAULT, 0);
    enum fault stays = down[below(&chance, 3)];

    (void)what, (void)unused;
    over = true;
    for (int fault = 0; fault < FAULTS; fault++)
        active[fault] = 0;
    trace("fault", 0, "all is fixed");
    oracle_all_fixed();
    if (plan.hosts > 1 && happens(&chance, 400) && !faults_leave_out()) {
        trace("fault", count, "%s, to the end", fault_names[stays]);
        begin(stays);
        network_each(hit, stays);
        if (plan.secrets && happens(&chance, 500)) {
            trace("fault", 0, "and the password is changed");
            oracle_fault(PASSWORD_CHANGED, true);
            oracle_fault(PASSWORD_CHANGED, false);
            aws_change_password(0);
            network_each(hit, CONNECTIONS_CLOSED);
        }
    }
    if ((plan.partial || plan.tasks) && (plan.exchange || plan.two_queues) &&
        happens(&chance, 100) && !faults_leave_out()) {
        stays = plan.exchange ? EXCHANGE_GONE : QUEUE_GONE;
        trace("fault", count, "%s, to the end", fault_names[stays]);
        begin(stays);
    }
    apply();
    network_hold(0);
    aws_learn();
    network_each(repair, 0);
}

/* ------------------------------------------------------------- planning */

void faults_begin(void)
{
    struct chance chance = chance_for(FOR_FAULT_TIMES, 0);
    int n = (int)below(&chance, plan.fault_rate / 60 + 1);

    schedule_at(plan.storm, fix_all, NULL, 0);
    for (int i = 0; i < n; i++)
        schedule_at(short_or_long(&chance, 1, plan.storm), strike, NULL, 0);
}

void faults_at_event(int number, int64_t timeout)
{
    struct chance chance = chance_for(FOR_FAULT_TIMES, number);
    int64_t soon = short_or_long(&chance, 1000, 40 * MS);
    int64_t any = short_or_long(&chance, 1000, timeout);

    if (!over && happens(&chance, plan.fault_rate))
        schedule_at(now + soon, strike, NULL, 0);
    if (!over && happens(&chance, plan.fault_rate))
        schedule_at(now + any, strike, NULL, 0);
}

void faults_at_publish(struct end *end)
{
    static const enum fault kinds[] = {BLACK_HOLE, CONNECTIONS_RESET, MEMORY_ALARM};
    static bool came;
    struct chance chance = chance_for(FOR_FAULT, -1);
    enum fault fault = kinds[below(&chance, 3)];

    if (!over || came || now < plan.storm + LATE || !happens(&chance, 600) ||
        faults_leave_out())
        return;
    came = true;
    trace("fault", count, "after a publish: %s", fault_names[fault]);
    if (fault == MEMORY_ALARM) {
        begin(fault);
        schedule_at(now + SECOND, end_now, NULL, fault);
        network_each(hit, fault);
        return;
    }
    oracle_cut(fault);
    if (fault == BLACK_HOLE)
        network_silence(end);
    else
        network_reset(end);
}

void faults_at_connection(struct end *end)
{
    struct chance chance = chance_for(FOR_CUT, end->number);
    enum cut how = (enum cut)below(&chance, 3);
    bool up = happens(&chance, 500);
    int64_t bytes = short_or_long(&chance, 1, up ? 40000 : 3000);

    if (over || !happens(&chance, plan.fault_rate / 3) || faults_leave_out())
        return;
    trace("fault", count, "connection %d will be cut after %d bytes %s", end->number,
          (int)bytes, up ? "up" : "down");
    network_cut_after(end, up ? bytes : -1, up ? -1 : bytes, how);
}
