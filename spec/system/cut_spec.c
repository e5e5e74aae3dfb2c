/* The publish path against the real broker, cut off or stalled at every byte of a
 * session, in both directions: connect, login, channel, three messages of which one is
 * returned, confirms.
 *
 * What was confirmed must be in the queue, and nothing may take longer than its deadline.
 * Workers, each a process with a proxy of its own, share the cases; the outcomes are in
 * shared memory, and each test then checks one aspect of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proxy.h"
#include "publisher.h"
#include "queue.h"

#define WORKERS 40
#define BYTES_MAX 4000 /* of a session, in one direction */
#define TRIES 4        /* of one case, where the deadline came before the fault */
#define AMPLE_MS 20000 /* a deadline that is not expected to matter */
#define SLACK_MS 5000  /* for a machine with other things to do */
#define ALL_MS 900000  /* a minute is usual; no more cases are begun then */
#define HANG_MS 30000  /* after the deadline: it will not end any more */
#define MEASURED 30
#define OTHERS 50000 /* ids from here on belong to no case */
#define LEAST_MS 400 /* the first deadline of a stall; four times more for each try */

enum { UP, DOWN };
enum { FIRST, MISSING, LAST, MESSAGES }; /* the second has no queue */

static const char *const direction_names[] = {"up", "down"};

static const struct plan {
    const char *name;
    const char *fault;
    const char *who;
    bool waits; /* the fault is noticed by nothing but the deadline */
    bool once;  /* the next connection works */
} plans[] = {
    {"cut, the first connection", "cut", "next", false, true},
    {"stall, the first connection", "stall", "next", true, true},
    {"cut, every connection", "cut", "all", false, false},
    {"stall, every connection", "stall", "all", true, false},
};
#define PLANS (sizeof(plans) / sizeof(plans[0]))

/* One publish of the three messages. */
struct attempt {
    uint8_t fates[MESSAGES];
    uint8_t seen[MESSAGES]; /* how often each was in the queue */
    bool made;
    bool struck; /* the fault has happened */
    unsigned connections;
    int budget_ms;
    int took_ms;
    char cause[200];
};

struct outcome {
    struct attempt tries[TRIES];
    struct attempt second; /* the event comes again, and nothing is broken any more */
};

/* How many bytes of a session pass in each direction, and how many for the login. */
struct measure {
    unsigned total[2];
    unsigned login[2];
};

struct worker {
    pid_t pid;
    _Atomic long task; /* -1: none */
    _Atomic int64_t end_ms;
};

static struct shared {
    _Atomic long next;
    struct measure measure;
    struct worker workers[WORKERS];
    struct outcome outcomes[PLANS][2][BYTES_MAX];
} * shared;

static struct {
    unsigned run; /* makes the ids of this run unique */
    char queue[40];
    char missing[40];
    struct login broker;
    int port;
    struct measure measure;
    size_t confirmed;  /* outside of the cases */
    size_t found;      /* of those */
    size_t unexpected; /* nobody published that */
} spec;

/* ------------------------------------------------------------ a session */

static struct bytes bytes_of(const char *text)
{
    return (struct bytes){text, strlen(text)};
}

/* `which` is the attempt: a try, or TRIES for the second event. */
static void add_messages(struct outbox *outbox, long task, int which)
{
    char id[40];

    for (int m = FIRST; m < MESSAGES; m++) {
        snprintf(id, sizeof(id), "%08x-%05ld-%d-%d", spec.run, task, which, m);
        outbox_add(outbox, bytes_of(""),
                   bytes_of(m == MISSING ? spec.missing : spec.queue), bytes_of(id),
                   bytes_of(id));
    }
}

static void publish(struct publisher *publisher, long task, int which, int budget_ms,
                    struct attempt *attempt)
{
    struct deadline deadline = deadline_in(budget_ms);
    struct outbox outbox = {0};
    struct facts facts = {0};

    add_messages(&outbox, task, which);
    delivery_publish(&publisher->delivery, &outbox, &deadline, &facts);
    attempt->took_ms = (int)(clock_ms() - deadline.start_ms);
    attempt->budget_ms = budget_ms;
    attempt->made = true;
    for (int m = FIRST; m < MESSAGES; m++)
        attempt->fates[m] = (uint8_t)outbox.messages[m].fate;
    snprintf(attempt->cause, sizeof(attempt->cause), "%.199s", facts.broker_wide);
    outbox_clear(&outbox);
}

static bool delivered(const struct attempt *attempt)
{
    return attempt->fates[FIRST] == FATE_CONFIRMED &&
           attempt->fates[MISSING] == FATE_RETURNED &&
           attempt->fates[LAST] == FATE_CONFIRMED;
}

/* ------------------------------------------------------------ the cases */

/* Every case is a number: plan, direction, byte. Neighbours belong to different plans,
 * so that some sleep while others work. */
static const struct plan *plan_of(long task)
{
    return &plans[task % (long)PLANS];
}

static int direction_of(long task)
{
    return (int)(task / (long)PLANS % 2);
}

static unsigned byte_of(long task)
{
    return (unsigned)(task / (long)PLANS / 2);
}

static long task_count(void)
{
    unsigned most = spec.measure.total[UP] > spec.measure.total[DOWN]
                        ? spec.measure.total[UP]
                        : spec.measure.total[DOWN];

    return (long)PLANS * 2 * (most + 1);
}

static bool exists(long task)
{
    return byte_of(task) <= spec.measure.total[direction_of(task)];
}

static struct outcome *outcome_of(long task)
{
    return &shared->outcomes[plan_of(task) - plans][direction_of(task)][byte_of(task)];
}

static void expect_end(struct worker *worker, int budget_ms)
{
    worker->end_ms = clock_ms() + budget_ms + HANG_MS;
}

static void run_case(struct worker *worker, struct proxy *proxy, long task)
{
    const struct plan *plan = plan_of(task);
    struct outcome *outcome = outcome_of(task);
    int budget_ms = plan->waits ? LEAST_MS : AMPLE_MS;
    struct attempt *attempt;
    struct publisher publisher;

    for (int try = 0; try < TRIES; try++, budget_ms *= 4) {
        struct proxy_status status;
        bool ended;

        attempt = &outcome->tries[try];
        expect_end(worker, budget_ms);
        proxy_tell(proxy, "fresh");
        proxy_tell(proxy, "%s %s %s %u", plan->who, direction_names[direction_of(task)],
                   plan->fault, byte_of(task));
        publisher_open(&publisher, &spec.broker, "127.0.0.1", proxy_port(proxy));
        publish(&publisher, task, try, budget_ms, attempt);
        status = proxy_status(proxy);
        attempt->struck = status.struck > 0;
        attempt->connections = (unsigned)status.connections;
        ended = attempt->struck || delivered(attempt);
        if (ended && plan->once && !delivered(attempt)) {
            expect_end(worker, AMPLE_MS);
            publish(&publisher, task, TRIES, AMPLE_MS, &outcome->second);
        }
        proxy_tell(proxy, "drop"); /* a stalled end would not let it close in peace */
        publisher_close(&publisher);
        if (ended)
            return;
    }
}

static void work(struct worker *worker)
{
    const struct deadline all = deadline_in(ALL_MS);
    struct proxy *proxy = proxy_open(spec.port);

    if (!proxy)
        _exit(1);
    for (;;) {
        long task = shared->next++;

        if (task >= task_count() || deadline_left_ms(&all) == 0)
            break;
        if (!exists(task))
            continue;
        worker->task = task;
        run_case(worker, proxy, task);
        worker->task = -1;
    }
    proxy_close(proxy);
    _exit(0);
}

static void start_worker(struct worker *worker)
{
    pid_t pid;

    worker->task = -1;
    pid = fork();
    if (pid == 0)
        work(worker);
    worker->pid = pid;
}

/* Ends a worker that does not come back. */
static void watch(struct worker *worker)
{
    if (worker->task >= 0 && clock_ms() > worker->end_ms) {
        print_message("# %s, %s %u: never came back\n", plan_of(worker->task)->name,
                      direction_names[direction_of(worker->task)], byte_of(worker->task));
        kill(worker->pid, SIGKILL);
        worker->task = -1;
    }
}

/* Waits for all workers; how many ended badly. */
static unsigned wait_for_workers(void)
{
    const struct timespec pause = {.tv_nsec = 50000000};
    unsigned running = WORKERS, bad = 0;
    int status = 0;

    while (running > 0) {
        for (size_t w = 0; w < WORKERS; w++) {
            struct worker *worker = &shared->workers[w];

            if (worker->pid > 0 && waitpid(worker->pid, &status, WNOHANG) != 0) {
                worker->pid = 0;
                running--;
                bad += status != 0;
            } else if (worker->pid > 0) {
                watch(worker);
            }
        }
        nanosleep(&pause, NULL);
    }
    return bad;
}

/* ------------------------------------------------------------ what a session is */

/* Measures a session without a fault. How the broker puts acks together differs a little
 * from time to time: the longest counts. False: it was not delivered. */
static bool measure(struct proxy *proxy, long task, struct measure *measure)
{
    const struct deadline deadline = deadline_in(AMPLE_MS);
    struct proxy_status login, total;
    struct attempt attempt = {0};
    struct publisher publisher;
    struct err failure;

    proxy_tell(proxy, "fresh");
    publisher_open(&publisher, &spec.broker, "127.0.0.1", proxy_port(proxy));
    if (!delivery_connect(&publisher.delivery, &deadline, &failure)) {
        print_error("%s: %s\n", failure.stage, failure.text);
        return false;
    }
    login = proxy_status(proxy);
    publish(&publisher, task, 0, AMPLE_MS, &attempt);
    total = proxy_status(proxy);
    publisher_close(&publisher);
    measure->login[UP] = (unsigned)login.up;
    measure->login[DOWN] = (unsigned)login.down;
    measure->total[UP] = (unsigned)total.up;
    if (total.down > measure->total[DOWN])
        measure->total[DOWN] = (unsigned)total.down;
    return delivered(&attempt);
}

static int measure_some(void)
{
    struct proxy *proxy = proxy_open(spec.port);
    bool ok = proxy != NULL;

    for (int i = 0; ok && i < MEASURED; i++)
        ok = measure(proxy, OTHERS + i, &shared->measure);
    proxy_close(proxy);
    return ok ? 0 : 1;
}

/* In a child: the guard's timer is not inherited by the workers, so no session may have
 * been in this process when they are started. */
static void a_session_without_a_fault_is_delivered(void **state)
{
    int status;
    pid_t pid = fork();

    (void)state;
    if (pid == 0)
        _exit(measure_some());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    spec.measure = shared->measure;
    spec.confirmed += 2 * MEASURED;
    print_message("# a session: %u bytes up, %u of them to log in; %u down, %u\n",
                  spec.measure.total[UP], spec.measure.login[UP],
                  spec.measure.total[DOWN], spec.measure.login[DOWN]);
    assert_true(spec.measure.total[UP] < BYTES_MAX);
    assert_true(spec.measure.total[DOWN] < BYTES_MAX);
}

/* ------------------------------------------------------------ what became of them */

static void every_case_comes_back(void **state)
{
    unsigned bad;

    (void)state;
    assert_true(spec.measure.total[UP] > 0);
    for (size_t w = 0; w < WORKERS; w++)
        start_worker(&shared->workers[w]);
    bad = wait_for_workers();
    assert_int_equal(bad, 0);
}

static const struct attempt *last_try(const struct outcome *outcome)
{
    const struct attempt *attempt = &outcome->tries[0];

    for (int try = 1; try < TRIES; try++)
        if (outcome->tries[try].made)
            attempt = &outcome->tries[try];
    return attempt;
}

/* What is wrong with any attempt, whatever was broken. NULL: nothing. */
static const char *judge_attempt(const struct attempt *attempt)
{
    bool unknown = false;

    if (attempt->took_ms > attempt->budget_ms + SLACK_MS)
        return "it took longer than its deadline";
    for (int m = FIRST; m < MESSAGES; m++) {
        if (attempt->fates[m] == FATE_NONE)
            return "a message has no fate";
        unknown = unknown || attempt->fates[m] == FATE_UNKNOWN;
    }
    if (attempt->fates[MISSING] == FATE_CONFIRMED)
        return "a message that no queue took counts as confirmed";
    if (unknown && !attempt->cause[0])
        return "it failed without a cause";
    return NULL;
}

/* The connection was whole until after the login. */
static bool logged_in(long task)
{
    int d = direction_of(task);

    return byte_of(task) >= spec.measure.login[d] + (d == UP);
}

static const char *judge_case(long task)
{
    const struct plan *plan = plan_of(task);
    const struct outcome *outcome = outcome_of(task);
    const struct attempt *last = last_try(outcome);
    const char *wrong = NULL;

    for (int try = 0; !wrong && try < TRIES && outcome->tries[try].made; try++)
        wrong = judge_attempt(&outcome->tries[try]);
    if (wrong)
        return wrong;
    if (!last->made)
        return "it was not run";
    /* The broker may need less for its last acks than when it was measured. */
    if (!last->struck && !(delivered(last) && direction_of(task) == DOWN &&
                           byte_of(task) + 2 * 21 >= spec.measure.total[DOWN]))
        return "the fault did not happen";
    if (last->connections > 2)
        return "it connected more than twice";
    if (plan->once && !plan->waits && logged_in(task) && !delivered(last))
        return "a second connection would have delivered it";
    if (plan->once && !delivered(last) &&
        (!outcome->second.made || !delivered(&outcome->second)))
        return "the event came again and was not delivered";
    return outcome->second.made ? judge_attempt(&outcome->second) : NULL;
}

static void judge_plan(const struct plan *plan)
{
    size_t bad = 0;

    for (long task = plan - plans; task < task_count(); task += (long)PLANS) {
        const char *wrong = exists(task) ? judge_case(task) : NULL;

        if (wrong && ++bad <= 10)
            print_message("# %s, %s %u: %s (%s)\n", plan->name,
                          direction_names[direction_of(task)], byte_of(task), wrong,
                          last_try(outcome_of(task))->cause);
    }
    assert_int_equal(bad, 0);
}

static void a_connection_cut_anywhere_is_made_anew(void **state)
{
    (void)state;
    judge_plan(&plans[0]);
}

static void
a_connection_stalled_anywhere_ends_in_time_and_the_next_event_works(void **state)
{
    (void)state;
    judge_plan(&plans[1]);
}

static void connections_all_cut_anywhere_end_in_a_failure_with_a_cause(void **state)
{
    (void)state;
    judge_plan(&plans[2]);
}

static void connections_all_stalled_anywhere_end_in_time_with_a_cause(void **state)
{
    (void)state;
    judge_plan(&plans[3]);
}

/* ------------------------------------------------------------ batches */

/* `count` messages through a proxy that does what `command` says. */
static void deliver_batch(const char *command, long first, size_t count)
{
    const struct deadline deadline = deadline_in(60000);
    struct proxy *proxy = proxy_open(spec.port);
    struct outbox outbox = {0};
    struct facts facts = {0};
    struct publisher publisher;
    size_t returned = 0;

    assert_non_null(proxy);
    assert_true(proxy_tell(proxy, "%s", command));
    publisher_open(&publisher, &spec.broker, "127.0.0.1", proxy_port(proxy));
    for (long task = first; outbox.count < count; task++)
        add_messages(&outbox, task, 0);
    delivery_publish(&publisher.delivery, &outbox, &deadline, &facts);
    assert_string_equal(facts.broker_wide, "");
    for (size_t i = 0; i < outbox.count; i++)
        returned += i % MESSAGES == MISSING && outbox.messages[i].fate == FATE_RETURNED;
    assert_int_equal(returned, outbox.count / MESSAGES);
    assert_int_equal(facts.confirmed, outbox.count - returned);
    assert_int_equal(proxy_status(proxy).connections, 1);
    spec.confirmed += facts.confirmed;
    outbox_clear(&outbox);
    publisher_close(&publisher);
    proxy_close(proxy);
}

static void single_bytes_are_as_good_as_whole_frames(void **state)
{
    (void)state;
    deliver_batch("all both drip", OTHERS + 100, 300);
}

/* More than the window, over a slow line: the broker settles many with one ack. */
static void a_slow_line_only_takes_longer(void **state)
{
    (void)state;
    deliver_batch("all both delay 20", OTHERS + 1000, 3000);
}

/* ------------------------------------------------------------ the promise */

static void see(void *context, const char *body, size_t len)
{
    unsigned run;
    long task;
    int which, m;
    char id[40];

    (void)context;
    snprintf(id, sizeof(id), "%.*s", (int)len, body);
    if (sscanf(id, "%x-%ld-%d-%d", &run, &task, &which, &m) != 4 || run != spec.run ||
        m < FIRST || m >= MESSAGES || which > TRIES) {
        spec.unexpected++;
    } else if (task >= OTHERS) {
        spec.found++;
    } else {
        struct outcome *outcome = outcome_of(task);

        (which == TRIES ? &outcome->second : &outcome->tries[which])->seen[m]++;
    }
}

struct table {
    size_t attempted, confirmed, found, lost, unexpected, duplicated;
};

static void count(struct table *table, const struct attempt *attempt)
{
    if (!attempt->made)
        return;
    for (int m = FIRST; m < MESSAGES; m++) {
        bool confirmed = attempt->fates[m] == FATE_CONFIRMED;

        table->attempted++;
        table->confirmed += confirmed;
        table->found += attempt->seen[m] > 0;
        table->lost += confirmed && attempt->seen[m] == 0;
        table->unexpected += m == MISSING && attempt->seen[m] > 0;
        table->duplicated += attempt->seen[m] > 1;
    }
}

static void what_was_confirmed_is_in_the_queue(void **state)
{
    struct table all = {0};
    long cases = 0;
    struct err err;

    (void)state;
    if (!queue_take(spec.queue, see, NULL, &err))
        fail_msg("%s", err.text);
    for (long task = 0; task < task_count(); task++) {
        const struct outcome *outcome = outcome_of(task);

        if (!exists(task))
            continue;
        for (int try = 0; try < TRIES; try++)
            count(&all, &outcome->tries[try]);
        count(&all, &outcome->second);
        cases++;
    }
    print_message("# %ld cases: attempted %zu, confirmed %zu, found %zu, lost %zu, "
                  "unexpected %zu, duplicated %zu\n",
                  cases, all.attempted, all.confirmed, all.found, all.lost,
                  all.unexpected + spec.unexpected, all.duplicated);
    assert_int_equal(all.lost, 0);
    assert_int_equal(all.unexpected + spec.unexpected, 0);
    assert_true(all.confirmed > 0);
    assert_int_equal(spec.found, spec.confirmed);
}

/* ------------------------------------------------------------ the group */

static int setup(void **state)
{
    struct err err;

    (void)state;
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED ||
        getrandom(&spec.run, sizeof(spec.run), 0) != sizeof(spec.run))
        return -1;
    snprintf(spec.queue, sizeof(spec.queue), "cut-%08x", spec.run);
    snprintf(spec.missing, sizeof(spec.missing), "cut-%08x-missing", spec.run);
    if (queue_broker(&spec.broker, &spec.port, &err) && queue_declare(spec.queue, &err))
        return 0;
    print_error("%s\n", err.text);
    return -1;
}

static int teardown(void **state)
{
    struct err err;

    (void)state;
    return queue_delete(spec.queue, &err) ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_without_a_fault_is_delivered),
        cmocka_unit_test(every_case_comes_back),
        cmocka_unit_test(a_connection_cut_anywhere_is_made_anew),
        cmocka_unit_test(
            a_connection_stalled_anywhere_ends_in_time_and_the_next_event_works),
        cmocka_unit_test(connections_all_cut_anywhere_end_in_a_failure_with_a_cause),
        cmocka_unit_test(connections_all_stalled_anywhere_end_in_time_with_a_cause),
        cmocka_unit_test(single_bytes_are_as_good_as_whole_frames),
        cmocka_unit_test(a_slow_line_only_takes_longer),
        cmocka_unit_test(what_was_confirmed_is_in_the_queue),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
