/* The publish path against the real broker while packets vanish, peers freeze and hosts
 * are black holes.
 *
 * Most of that is waiting, so each scenario is a child of its own, all of them run at
 * once, and each test waits for one. A deadline that is meant to be reached is short;
 * one that is meant to be enough is an invocation's 20 s. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
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

#define EVENT_MS 20000 /* what an invocation has */
#define SLACK_MS 5000  /* for a machine with other things to do */
#define HANG_MS 120000 /* a scenario that takes longer will not end any more */
#define EVENTS_MAX 3
#define MESSAGES_MAX 2000
#define PROXIES_MAX 2

/* What became of one event. */
struct event {
    bool confirmed[MESSAGES_MAX];
    bool seen[MESSAGES_MAX]; /* it was in the queue */
    size_t count;
    struct facts facts;
    bool none; /* a message was left without a fate */
    int64_t took_ms;
    int64_t left_ms;
};

struct scenario {
    pid_t pid;
    char wrong[4096]; /* "": nothing */
    size_t events;
    struct event event[EVENTS_MAX];
};

static struct {
    unsigned run; /* makes the ids of this run unique */
    char queue[40];
    struct login broker;
    int port;
    struct proxy *proxies[PROXIES_MAX]; /* a scenario's own */
    struct publisher publisher;
    struct scenario *scenario; /* the one that this child is */
} spec;

/* ------------------------------------------------------------ in a scenario */

/* The first thing that is wrong ends the scenario. */
#define expect(condition, ...)                \
    do {                                      \
        if (!(condition))                     \
            give_up(#condition, __VA_ARGS__); \
    } while (0)

static void give_up(const char *condition, const struct event *event)
{
    snprintf(
        spec.scenario->wrong, sizeof(spec.scenario->wrong),
        "not true: %s (confirmed %zu of %zu in %d ms, %d ms left, %u reconnects: %s)",
        condition, event ? event->facts.confirmed : 0, event ? event->count : 0,
        event ? (int)event->took_ms : 0, event ? (int)event->left_ms : 0,
        event ? event->facts.reconnects : 0, event ? event->facts.broker_wide : "");
    _exit(1);
}

/* Proxies before the broker, and a session with them as its hosts. */
static void begin(size_t proxies)
{
    char hosts[100] = "";

    for (size_t i = 0; i < proxies; i++) {
        size_t used = strlen(hosts);

        spec.proxies[i] = proxy_open(spec.port);
        expect(spec.proxies[i] != NULL, NULL);
        snprintf(hosts + used, sizeof(hosts) - used, "%s127.0.0.1:%d", used ? "," : "",
                 proxy_port(spec.proxies[i]));
    }
    expect(publisher_open(&spec.publisher, &spec.broker, hosts, 1), NULL);
}

static void tell(size_t proxy, const char *command)
{
    expect(proxy_tell(spec.proxies[proxy], "%s", command), NULL);
}

static void add_message(struct outbox *outbox, size_t size)
{
    static char body[10000];
    struct scenario *s = spec.scenario;
    int len = snprintf(body, sizeof(body), "%08x-%d-%zu-%zu", spec.run, (int)s->pid,
                       s->events, outbox->count);

    memset(body + len, ' ', sizeof(body) - (size_t)len);
    outbox_add(outbox, (struct bytes){"", 0},
               (struct bytes){spec.queue, strlen(spec.queue)},
               (struct bytes){body, (size_t)len},
               (struct bytes){body, size > (size_t)len ? size : (size_t)len});
}

/* Publishes an event of `count` messages of at least `size` bytes. */
static const struct event *publish(size_t count, size_t size, int64_t budget_ms)
{
    struct event *event = &spec.scenario->event[spec.scenario->events];
    struct outbox outbox = {0};
    struct deadline deadline;

    while (outbox.count < count)
        add_message(&outbox, size);
    spec.scenario->events++;
    event->count = count;
    deadline = deadline_in(budget_ms);
    delivery_publish(&spec.publisher.delivery, &outbox, &deadline, &event->facts);
    event->took_ms = clock_ms() - deadline.start_ms;
    event->left_ms = deadline_left_ms(&deadline);
    for (size_t i = 0; i < count; i++) {
        event->confirmed[i] = outbox.messages[i].fate == FATE_CONFIRMED;
        event->none = event->none || outbox.messages[i].fate == FATE_NONE;
    }
    outbox_clear(&outbox);
    return event;
}

static void expect_delivered(const struct event *event)
{
    expect(!event->none, event);
    expect(event->facts.confirmed == event->count, event);
    expect(event->left_ms > 0, event);
}

/* It failed in time, and `words` are part of the cause. */
static void expect_failed(const struct event *event, int64_t budget_ms, const char *words)
{
    expect(!event->none, event);
    expect(event->facts.confirmed < event->count, event);
    expect(event->took_ms < budget_ms + SLACK_MS, event);
    expect(strstr(event->facts.broker_wide, words) != NULL, event);
    expect(strstr(event->facts.broker_wide, "; next: ") != NULL, event);
}

/* A connection that has just carried an event. */
static void begin_warm(void)
{
    begin(1);
    expect_delivered(publish(1, 0, EVENT_MS));
    expect(proxy_status(spec.proxies[0]).connections == 1, NULL);
}

/* ------------------------------------------------------------ silence */

static void warm_flow_falls_silent(void)
{
    const struct event *event;

    begin_warm();
    tell(0, "now both silence");
    event = publish(3, 0, EVENT_MS);
    expect_delivered(event);
    expect(event->facts.reconnects == 1, event);
    expect(event->left_ms > EVENT_MS / 4, event);
}

static void flow_falls_silent_in_the_middle_of_a_batch(void)
{
    const struct event *event;

    begin_warm();
    tell(0, "now up silence 50000");
    tell(0, "now down silence 2000");
    event = publish(1500, 0, EVENT_MS);
    expect_delivered(event);
    expect(event->facts.reconnects == 1, event);
    expect(event->left_ms > EVENT_MS / 4, event);
}

/* The kernel of this end sees all its bytes acknowledged: only the deadline helps. */
static void only_the_answers_vanish(void)
{
    begin_warm();
    tell(0, "now down silence");
    expect_failed(publish(3, 0, 2000), 2000, "in time");
    expect_delivered(publish(3, 0, EVENT_MS));
}

static void login_falls_silent(void)
{
    begin(1);
    tell(0, "next both silence 100");
    expect_failed(publish(3, 0, 2000), 2000, "login: ");
    expect_delivered(publish(3, 0, EVENT_MS));
}

static void everything_is_silent(void)
{
    begin_warm();
    tell(0, "now both silence");
    tell(0, "all both silence");
    expect_failed(publish(3, 0, 4000), 4000, "login: ");
    tell(0, "all both none");
    expect_delivered(publish(3, 0, EVENT_MS));
}

/* ------------------------------------------------------------ black holes */

static void first_host_is_a_black_hole(void)
{
    const struct event *event;

    begin(2);
    tell(0, "blackhole");
    event = publish(3, 0, EVENT_MS);
    expect_delivered(event);
    expect(proxy_status(spec.proxies[1]).connections == 1, event);
    tell(1, "drop");
    event = publish(3, 0, EVENT_MS);
    expect_delivered(event);
    expect(event->facts.reconnects == 1, event);
    expect(proxy_status(spec.proxies[1]).connections == 2, event);
    /* It went to the host that had worked, and did not ask the other one first. */
    expect(spec.publisher.delivery.host == 1, event);
}

static void only_host_is_a_black_hole(void)
{
    begin(1);
    tell(0, "blackhole");
    expect_failed(publish(3, 0, 2000), 2000, "no answer to the connect");
    tell(0, "listen");
    expect_delivered(publish(3, 0, EVENT_MS));
}

/* ------------------------------------------------------------ frozen peers */

/* 16 MB are more than the kernels keep, so that publishing itself has to wait. */
static void peer_freezes_before_a_big_batch(void)
{
    const struct event *event;

    begin(1);
    tell(0, "window 4096");
    expect_delivered(publish(1, 0, EVENT_MS));
    tell(0, "now up stall");
    event = publish(2000, 8000, EVENT_MS);
    expect_delivered(event);
    expect(event->facts.reconnects == 1, event);
}

static void every_peer_freezes_before_a_big_batch(void)
{
    begin(1);
    tell(0, "window 4096");
    expect_delivered(publish(1, 0, EVENT_MS));
    tell(0, "now up stall");
    tell(0, "all up stall 1000"); /* after the login */
    expect_failed(publish(2000, 8000, 4000), 4000, "");
    tell(0, "all both none");
    tell(0, "drop");
    expect_delivered(publish(3, 0, EVENT_MS));
}

static void peer_freezes_before_a_small_batch(void)
{
    begin_warm();
    tell(0, "now up stall");
    expect_failed(publish(3, 0, 2000), 2000, "in time");
    expect_delivered(publish(3, 0, EVENT_MS));
}

/* ------------------------------------------------------------ all of them */

#define SCENARIO(name) \
    {                  \
#name, name    \
    }

static const struct {
    const char *name;
    void (*run)(void);
} scenarios[] = {
    SCENARIO(warm_flow_falls_silent),
    SCENARIO(flow_falls_silent_in_the_middle_of_a_batch),
    SCENARIO(only_the_answers_vanish),
    SCENARIO(login_falls_silent),
    SCENARIO(everything_is_silent),
    SCENARIO(first_host_is_a_black_hole),
    SCENARIO(only_host_is_a_black_hole),
    SCENARIO(peer_freezes_before_a_big_batch),
    SCENARIO(every_peer_freezes_before_a_big_batch),
    SCENARIO(peer_freezes_before_a_small_batch),
};
#define SCENARIOS (sizeof(scenarios) / sizeof(scenarios[0]))

static struct scenario *shared; /* with the children */

static void run_child(size_t number)
{
    spec.scenario = &shared[number];
    spec.scenario->pid = getpid();
    scenarios[number].run();
    for (size_t i = 0; i < PROXIES_MAX && spec.proxies[i]; i++)
        proxy_tell(spec.proxies[i], "drop"); /* what is frozen would not close in peace */
    publisher_close(&spec.publisher);
    for (size_t i = 0; i < PROXIES_MAX; i++)
        proxy_close(spec.proxies[i]);
    _exit(0);
}

static int setup(void **state)
{
    struct err err;

    (void)state;
    shared = mmap(NULL, SCENARIOS * sizeof(*shared), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED ||
        getrandom(&spec.run, sizeof(spec.run), 0) != sizeof(spec.run))
        return -1;
    snprintf(spec.queue, sizeof(spec.queue), "silence-%08x", spec.run);
    if (!queue_broker(&spec.broker, &spec.port, &err) ||
        !queue_declare(spec.queue, &err)) {
        print_error("%s\n", err.text);
        return -1;
    }
    for (size_t i = 0; i < SCENARIOS; i++) {
        pid_t pid = fork();

        if (pid == 0)
            run_child(i);
        shared[i].pid = pid;
    }
    return 0;
}

/* A test: waits for the scenario that *state numbers. */
static void comes_back_in_time(void **state)
{
    const struct timespec pause = {.tv_nsec = 20000000};
    const struct deadline deadline = deadline_in(HANG_MS);
    struct scenario *scenario = &shared[(size_t)*state];
    int status = -1;

    while (waitpid(scenario->pid, &status, WNOHANG) == 0) {
        if (deadline_left_ms(&deadline) == 0) {
            kill(scenario->pid, SIGKILL);
            waitpid(scenario->pid, &status, 0);
            fail_msg("it never came back");
        }
        nanosleep(&pause, NULL);
    }
    if (scenario->wrong[0])
        fail_msg("%s", scenario->wrong);
    assert_int_equal(status, 0);
    assert_true(scenario->events > 0);
}

static void see(void *context, const char *body, size_t len)
{
    size_t *unexpected = context;
    unsigned run;
    int pid;
    size_t event, i;
    char id[60];

    snprintf(id, sizeof(id), "%.*s", (int)(len < 59 ? len : 59), body);
    if (sscanf(id, "%x-%d-%zu-%zu", &run, &pid, &event, &i) == 4 && run == spec.run)
        for (size_t s = 0; s < SCENARIOS; s++)
            if (shared[s].pid == pid && event < shared[s].events &&
                i < shared[s].event[event].count) {
                shared[s].event[event].seen[i] = true;
                return;
            }
    (*unexpected)++;
}

static void what_was_confirmed_is_in_the_queue(void **state)
{
    size_t confirmed = 0, lost = 0, unexpected = 0;
    struct err err;

    (void)state;
    if (!queue_take(spec.queue, see, &unexpected, &err))
        fail_msg("%s", err.text);
    for (size_t s = 0; s < SCENARIOS; s++)
        for (size_t e = 0; e < shared[s].events; e++)
            for (size_t i = 0; i < shared[s].event[e].count; i++) {
                confirmed += shared[s].event[e].confirmed[i];
                lost += shared[s].event[e].confirmed[i] && !shared[s].event[e].seen[i];
            }
    print_message("# confirmed %zu, lost %zu, unexpected %zu\n", confirmed, lost,
                  unexpected);
    assert_int_equal(lost, 0);
    assert_int_equal(unexpected, 0);
    assert_true(confirmed > 0);
}

static int teardown(void **state)
{
    struct err err;

    (void)state;
    return queue_delete(spec.queue, &err) ? 0 : -1;
}

int main(void)
{
    struct CMUnitTest tests[SCENARIOS + 1];

    for (size_t i = 0; i < SCENARIOS; i++)
        tests[i] = (struct CMUnitTest){scenarios[i].name, comes_back_in_time, NULL, NULL,
                                       (void *)i};
    tests[SCENARIOS] =
        (struct CMUnitTest)cmocka_unit_test(what_was_confirmed_is_in_the_queue);
    return cmocka_run_group_tests(tests, setup, teardown);
}
