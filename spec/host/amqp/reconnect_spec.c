/* The spec of host/amqp/delivery.c, broker.c and connector.c together, against
 * scripted brokers (spec/support/fake_broker.h): the fates of one event's messages while
 * connections end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "case_outbox.h"
#include "fake_broker.h"
#include "publisher.h"

#define MINUTE_MS 60000
#define HANG_MS 30000
#define LOG "; next: see the broker's log; AWS retries the event"
#define GONE "the broker's end closed the connection" LOG

/* ------------------------------------------------------------- a case */

static struct fake_broker *fake;
static struct fake_broker *other;
static struct publisher publisher;
static int64_t start_ms;

static int setup(void **state)
{
    (void)state;
    publisher = (struct publisher){0};
    start_ms = clock_ms();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    publisher_close(&publisher);
    fake_broker_free(fake);
    fake_broker_free(other);
    fake = other = NULL;
    outbox_clear(&outbox);
    return 0;
}

static struct fake_broker *start_broker(void (*script)(struct session *session))
{
    struct fake_broker *started = fake_broker_start(script);

    assert_non_null(started);
    return started;
}

static void open_publisher(const char *hosts)
{
    static const struct login settings = {.virtual_host = "/",
                                          .user = "pigeon",
                                          .password = "coo",
                                          .connection_name = "pigeon"};

    assert_true(publisher_open(&publisher, &settings, hosts, 5672));
}

/* One host, which plays this script. */
static void open_with(void (*script)(struct session *session))
{
    char host[32];

    fake = start_broker(script);
    snprintf(host, sizeof(host), "127.0.0.1:%d", fake->port);
    open_publisher(host);
}

/* An event with messages "1", "2" and "3", the second for exchange "x". */
static void deliver(int64_t deadline_ms)
{
    struct deadline deadline = deadline_in(deadline_ms);

    outbox_clear(&outbox);
    memset(&facts, 0, sizeof(facts));
    for (int i = 0; i < 3; i++)
        assert_true(outbox_add(&outbox, (struct bytes){"x", i == 1},
                               (struct bytes){"q", 1}, (struct bytes){&"123"[i], 1},
                               (struct bytes){"body", 4}));
    delivery_publish(&publisher.delivery, &outbox, &deadline, &facts);
    assert_true(clock_ms() - start_ms < HANG_MS);
}

/* The message ids in the order of their arrival, with a bar where a new connection
 * begins. */
static void assert_heard(const char *expected)
{
    char heard[64] = "";

    fake_broker_stop(fake);
    for (size_t i = 0; i < fake->count; i++) {
        if (i > 0 && fake->published[i].session != fake->published[i - 1].session)
            strcat(heard, "|");
        strcat(heard, fake->published[i].message_id);
        assert_memory_equal(fake->published[i].body, "body", 5);
    }
    assert_string_equal(heard, expected);
}

/* ------------------------------------------------------------- scripts */

static void ready(struct session *s, size_t publishes)
{
    session_log_in(s, STEP_READY);
    session_read_publishes(s, publishes);
}

static void acks_every_batch(struct session *s)
{
    session_log_in(s, STEP_READY);
    for (uint64_t tag = 3; session_read_publishes(s, 3); tag += 3)
        session_send_ack(s, tag, true);
}

static void ends_once(struct session *s)
{
    ready(s, s->number == 0 ? 3 : 2);
    session_send_ack(s, s->number == 0 ? 1 : 2, true);
    if (s->number > 0)
        session_be_silent(s);
}

static void always_ends(struct session *s)
{
    ready(s, 3);
}

static void ends_between_batches(struct session *s)
{
    ready(s, 3);
    session_send_ack(s, 3, true);
    session_send_close(s, 320, "CONNECTION_FORCED - Node was put into maintenance mode");
    session_read(s, 10, 51);
}

static void nacks_twice(struct session *s)
{
    ready(s, 3);
    session_send_ack(s, 1, false);
    session_send_nack(s, 3, true);
    session_read_publishes(s, 2);
    session_send_nack(s, 4, false);
    session_send_ack(s, 5, false);
    session_read_publishes(s, 1);
    session_send_ack(s, 6, false);
    session_be_silent(s);
}

static void returns_the_first(struct session *s)
{
    ready(s, 3);
    session_send_return(s, 1, 312, "NO_ROUTE");
    session_send_ack(s, 3, true);
    session_be_silent(s);
}

static void returns_the_first_and_ends_once(struct session *s)
{
    if (s->number > 0) {
        ready(s, 2);
        session_send_ack(s, 2, true);
        session_be_silent(s);
        return;
    }
    ready(s, 3);
    session_send_return(s, 1, 312, "NO_ROUTE");
}

static void misses_x(struct session *s)
{
    if (s->number > 0) {
        ready(s, 2);
        session_send_ack(s, 2, true);
        session_be_silent(s);
        return;
    }
    ready(s, 3);
    session_send_channel_close(s, 404, "NOT_FOUND - no exchange 'x' in vhost '/'");
    session_read(s, 20, 41);
}

static void is_blocked(struct session *s)
{
    ready(s, 1);
    session_send_blocked(s, "low on memory & low on disk");
    session_be_silent(s);
}

static void hangs_up(struct session *s)
{
    session_log_in(s, STEP_HEADER);
}

static void says_nothing(struct session *s)
{
    session_be_silent(s);
}

/* ------------------------------------------------------------- cases */

static void what_has_no_fate_is_published_again_with_the_same_id(void **state)
{
    (void)state;
    open_with(ends_once);
    deliver(MINUTE_MS);
    assert_string_equal(fates(), "ccc");
    assert_int_equal(facts.reconnects, 1);
    assert_string_equal(facts.broker_wide, "");
    assert_heard("123|23");
}

static void not_a_third_time(void **state)
{
    (void)state;
    open_with(always_ends);
    deliver(MINUTE_MS);
    assert_string_equal(fates(), "uuu");
    assert_words(0, "confirm", 0, GONE);
    assert_string_equal(facts.broker_wide, "confirm: " GONE);
    assert_heard("123|123");
}

static void a_close_between_events_costs_a_connection_and_no_message(void **state)
{
    (void)state;
    open_with(ends_between_batches);
    for (int i = 0; i < 3; i++) {
        deliver(MINUTE_MS);
        assert_string_equal(fates(), "ccc");
    }
    assert_int_equal(facts.reconnects, 1);
    assert_heard("123|123|123");
}

static void nacks_are_published_again_on_the_same_connection(void **state)
{
    (void)state;
    open_with(nacks_twice);
    deliver(MINUTE_MS);
    assert_string_equal(fates(), "ccc");
    assert_int_equal(facts.reconnects, 0);
    assert_heard("123232");
}

static void a_return_is_final(void **state)
{
    (void)state;
    open_with(returns_the_first);
    deliver(MINUTE_MS);
    assert_string_equal(fates(), "rcc");
    assert_words(
        0, "publish", 312,
        "NO_ROUTE; next: declare the queue, or correct its name in PIGEON_QUEUE or "
        "the rules");
    assert_heard("123");
}

static void a_return_stays_one_when_the_connection_ends(void **state)
{
    (void)state;
    open_with(returns_the_first_and_ends_once);
    deliver(MINUTE_MS);
    assert_string_equal(fates(), "rcc");
    assert_heard("123|23");
}

static void a_missing_exchange_harms_only_its_messages(void **state)
{
    (void)state;
    open_with(misses_x);
    deliver(MINUTE_MS);
    assert_string_equal(fates(), "cuc");
    assert_words(1, "publish", 404,
                 "NOT_FOUND - no exchange 'x' in vhost '/'; next: declare the exchange, "
                 "or correct its name in the rules");
    assert_string_equal(facts.broker_wide, "");
    assert_heard("123|13");
}

static void a_blocked_broker_is_not_asked_again_at_once(void **state)
{
    static const char words[] =
        "the broker takes no messages (connection.blocked): low on memory & low on disk; "
        "next: free memory or disk space on the broker; AWS retries the event";

    (void)state;
    open_with(is_blocked);
    deliver(MINUTE_MS);
    assert_string_equal(fates(), "uuu");
    assert_words(0, "confirm", 0, words);
    deliver(100);
    assert_words(2, "confirm", 0, words);
    fake_broker_stop(fake);
    assert_int_equal(fake->connects, 1);
}

static void a_broker_that_hangs_up_is_asked_rarely(void **state)
{
    (void)state;
    open_with(hangs_up);
    for (int i = 0; i < 1000; i++) {
        deliver(101);
        assert_string_equal(fates(), "uuu");
        assert_words(0, "login", 0, outbox.messages[1].text);
        assert_non_null(strstr(outbox.messages[0].text, "closed the connection"));
    }
    fake_broker_stop(fake);
    assert_in_range(fake->connects, 1, 1 + (clock_ms() - start_ms) / 250);
}

/* A port of 127.0.0.1 at which nobody listens. */
static int bind_port(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static void refusing_and_silent_hosts_leave_time_for_the_one_that_works(void **state)
{
    char hosts[100];
    int port;
    int refusing = bind_port(&port);

    (void)state;
    fake = start_broker(acks_every_batch);
    other = start_broker(says_nothing);
    snprintf(hosts, sizeof(hosts), "127.0.0.1:%d,127.0.0.1:%d,127.0.0.1:%d", port,
             other->port, fake->port);
    open_publisher(hosts);
    deliver(4000);
    assert_string_equal(fates(), "ccc");
    assert_int_equal(publisher.delivery.host, 2);
    deliver(MINUTE_MS);
    assert_string_equal(fates(), "ccc");
    fake_broker_stop(other);
    assert_int_equal(other->connects, 1);
    assert_int_equal(facts.reconnects, 0);
    close(refusing);
}

static void every_host_has_its_words(void **state)
{
    char expected[500];
    char hosts[100];
    int port;
    int refusing = bind_port(&port);

    (void)state;
    other = start_broker(says_nothing);
    snprintf(hosts, sizeof(hosts), "127.0.0.1:%d,127.0.0.1:%d", port, other->port);
    open_publisher(hosts);
    deliver(500);
    snprintf(
        expected, sizeof(expected),
        "127.0.0.1:%d: 127.0.0.1: Connection refused; next: is RabbitMQ running, and "
        "is PIGEON_PORT its port? | 127.0.0.1:%d: no answer in time; next: is "
        "PIGEON_PORT an AMQP port, and is the broker below its "
        "connection limit?",
        port, other->port);
    assert_words(0, "login", 0, expected);
    close(refusing);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_has_no_fate_is_published_again_with_the_same_id),
        CASE(not_a_third_time),
        CASE(a_close_between_events_costs_a_connection_and_no_message),
        CASE(nacks_are_published_again_on_the_same_connection),
        CASE(a_return_is_final),
        CASE(a_return_stays_one_when_the_connection_ends),
        CASE(a_missing_exchange_harms_only_its_messages),
        CASE(a_blocked_broker_is_not_asked_again_at_once),
        CASE(a_broker_that_hangs_up_is_asked_rarely),
        CASE(refusing_and_silent_hosts_leave_time_for_the_one_that_works),
        CASE(every_host_has_its_words),
    };

    return cmocka_run_group_tests_name("reconnect", tests, NULL, NULL);
}
