/* The spec of host/amqp/delivery.c, broker.c and connector.c in one piece, against
 * scripted brokers (spec/support/peer.h): what one event's messages become while
 * connections end.
 */
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

#include "amqp/delivery.h"
#include "peer.h"

#define MINUTE_MS 60000
#define HANG_MS 30000
#define LOG "; next: see the broker's log; AWS retries the event"
#define GONE "the broker's end closed the connection" LOG

/* ------------------------------------------------------------- a case */

static struct peer *peer;
static struct peer *other;
static struct delivery delivery;
static struct outbox outbox;
static struct facts facts;
static int64_t start_ms;

static int set_up(void **state)
{
    (void)state;
    memset(&delivery, 0, sizeof(delivery));
    start_ms = clock_ms();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    broker_close(delivery.broker);
    connector_close(delivery.connector);
    peer_free(peer);
    peer_free(other);
    peer = other = NULL;
    outbox_clear(&outbox);
    return 0;
}

static struct peer *start_peer(void (*script)(struct session *session))
{
    struct peer *started = peer_start(script);

    assert_non_null(started);
    return started;
}

static void open_delivery(const char *hosts)
{
    static const struct login settings = {.virtual_host = "/",
                                          .user = "pigeon",
                                          .password = "coo",
                                          .connection_name = "pigeon",
                                          .version = "1"};
    struct err err;

    delivery.connector = connector_open(hosts, 5672, NULL, &err);
    assert_non_null(delivery.connector);
    delivery.broker = broker_open(&settings);
    assert_non_null(delivery.broker);
}

/* One host, which plays this script. */
static void open_with(void (*script)(struct session *session))
{
    char host[32];

    peer = start_peer(script);
    snprintf(host, sizeof(host), "127.0.0.1:%d", peer->port);
    open_delivery(host);
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
    delivery_publish(&delivery, &outbox, &deadline, &facts);
    assert_true(clock_ms() - start_ms < HANG_MS);
}

static const char *fates(void)
{
    static char letters[4];

    for (size_t i = 0; i < outbox.count; i++)
        letters[i] = fate_name(outbox.messages[i].fate)[0];
    return letters;
}

static void assert_words(size_t i, const char *stage, int code, const char *text)
{
    const struct message *message = &outbox.messages[i];

    assert_string_equal(message->stage, stage);
    assert_int_equal(message->code, code);
    assert_string_equal(message->text, text);
}

/* The message ids in the order heard, with a bar where a new connection begins. */
static void assert_heard(const char *expected)
{
    char heard[64] = "";

    peer_stop(peer);
    for (size_t i = 0; i < peer->count; i++) {
        if (i > 0 && peer->heard[i].session != peer->heard[i - 1].session)
            strcat(heard, "|");
        strcat(heard, peer->heard[i].message_id);
        assert_memory_equal(peer->heard[i].body, "body", 5);
    }
    assert_string_equal(heard, expected);
}

/* ------------------------------------------------------------- scripts */

static void ready(struct session *s, size_t publishes)
{
    peer_log_in(s, STEP_READY);
    peer_hear_publishes(s, publishes);
}

static void acks_every_batch(struct session *s)
{
    peer_log_in(s, STEP_READY);
    for (uint64_t tag = 3; peer_hear_publishes(s, 3); tag += 3)
        peer_say_ack(s, tag, true);
}

static void ends_once(struct session *s)
{
    ready(s, s->number == 0 ? 3 : 2);
    peer_say_ack(s, s->number == 0 ? 1 : 2, true);
    if (s->number > 0)
        peer_silence(s);
}

static void always_ends(struct session *s)
{
    ready(s, 3);
}

static void ends_between_batches(struct session *s)
{
    ready(s, 3);
    peer_say_ack(s, 3, true);
    peer_say_close(s, 320, "CONNECTION_FORCED - Node was put into maintenance mode");
    peer_hear(s, 10, 51);
}

static void nacks_twice(struct session *s)
{
    ready(s, 3);
    peer_say_ack(s, 1, false);
    peer_say_nack(s, 3, true);
    peer_hear_publishes(s, 2);
    peer_say_nack(s, 4, false);
    peer_say_ack(s, 5, false);
    peer_hear_publishes(s, 1);
    peer_say_ack(s, 6, false);
    peer_silence(s);
}

static void returns_the_first(struct session *s)
{
    ready(s, 3);
    peer_say_return(s, 1, 312, "NO_ROUTE");
    peer_say_ack(s, 3, true);
    peer_silence(s);
}

static void returns_the_first_and_ends_once(struct session *s)
{
    if (s->number > 0) {
        ready(s, 2);
        peer_say_ack(s, 2, true);
        peer_silence(s);
        return;
    }
    ready(s, 3);
    peer_say_return(s, 1, 312, "NO_ROUTE");
}

static void misses_x(struct session *s)
{
    if (s->number > 0) {
        ready(s, 2);
        peer_say_ack(s, 2, true);
        peer_silence(s);
        return;
    }
    ready(s, 3);
    peer_say_channel_close(s, 404, "NOT_FOUND - no exchange 'x' in vhost '/'");
    peer_hear(s, 20, 41);
}

static void is_blocked(struct session *s)
{
    ready(s, 1);
    peer_say_blocked(s, "low on memory & low on disk");
    peer_silence(s);
}

static void hangs_up(struct session *s)
{
    peer_log_in(s, STEP_HEADER);
}

static void says_nothing(struct session *s)
{
    peer_silence(s);
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
    peer_stop(peer);
    assert_int_equal(peer->connects, 1);
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
    peer_stop(peer);
    assert_in_range(peer->connects, 1, 1 + (clock_ms() - start_ms) / 250);
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
    peer = start_peer(acks_every_batch);
    other = start_peer(says_nothing);
    snprintf(hosts, sizeof(hosts), "127.0.0.1:%d,127.0.0.1:%d,127.0.0.1:%d", port,
             other->port, peer->port);
    open_delivery(hosts);
    deliver(4000);
    assert_string_equal(fates(), "ccc");
    assert_int_equal(delivery.host, 2);
    deliver(MINUTE_MS);
    assert_string_equal(fates(), "ccc");
    peer_stop(other);
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
    other = start_peer(says_nothing);
    snprintf(hosts, sizeof(hosts), "127.0.0.1:%d,127.0.0.1:%d", port, other->port);
    open_delivery(hosts);
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

#define CASE(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

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
