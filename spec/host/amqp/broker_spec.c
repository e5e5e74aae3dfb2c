/* The spec of host/amqp/broker.c, against a scripted broker (spec/support/fake_broker.h):
 * its messages, how a connection is kept for the next batch and closed, and broker_ask().
 *
 * The login is in broker_login_spec, what becomes of a batch in broker_batch_spec, and
 * other ends that do not keep up in broker_pressure_spec. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "broker_case.h"
#include "fake/clock.h"
#include "fake/recv.h"

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, broker_case_teardown)

static int setup(void **state)
{
    fake_clock = (struct fake_clock){0};
    fake_recv = (struct fake_recv){0};
    return broker_case_setup(state);
}

/* ------------------------------------------------------------- its messages */

static void messages_are_mandatory_persistent_and_named(void **state)
{
    time_t now = time(NULL);

    (void)state;
    play_broker(acks_each);
    fill(2, 36);
    assert_true(outbox_add(&outbox, bytes_of("exchange"), bytes_of("key"), bytes_of("id"),
                           bytes_of("")));
    assert_true(log_in(MINUTE_MS));
    assert_true(publish(MINUTE_MS));
    fake_broker_stop(fake);
    assert_int_equal(fake->count, 3);
    for (size_t i = 0; i < 3; i++) {
        const struct published *p = &fake->published[i];

        assert_true(p->mandatory);
        assert_int_equal(p->delivery_mode, 2);
        assert_string_equal(p->content_type, "text/plain");
        assert_string_equal(p->app_id, "pigeon");
        assert_int_equal(p->headers_len, 0);
        assert_in_range(p->timestamp, now, now + MINUTE_MS);
        assert_string_equal(p->exchange, i == 2 ? "exchange" : "");
        assert_string_equal(p->routing_key, i == 2 ? "key" : "queue");
        assert_string_equal(p->message_id, i == 2 ? "id" : i == 1 ? "2" : "1");
        assert_int_equal(p->body_len, i == 2 ? 0 : 36);
    }
    assert_memory_equal(fake->published[0].body, outbox.messages[0].body.data, 36);
}

static void messages_say_which_rules_sent_them(void **state)
{
    static const char table[] = "\0\0\0\x1f\x0drules_versionS\0\0\0\x0c"
                                "0123456789ab";

    (void)state;
    play_broker(acks_each);
    fill(3, 36);
    outbox.rules_version = "0123456789ab";
    assert_true(log_in(MINUTE_MS));
    assert_true(publish(MINUTE_MS));
    fake_broker_stop(fake);
    assert_int_equal(fake->count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(fake->published[i].headers_len, sizeof(table) - 1);
        assert_memory_equal(fake->published[i].headers, table, sizeof(table) - 1);
    }
}

static void a_message_with_a_fate_is_not_sent(void **state)
{
    (void)state;
    play_broker(acks_each);
    fill(5, 36);
    outbox_settle(&outbox.messages[0], FATE_CONFIRMED, NULL, 0, NULL);
    outbox_settle(&outbox.messages[3], FATE_RETURNED, "publish", 312, "NO_ROUTE");
    assert_true(log_in(MINUTE_MS));
    assert_true(publish(MINUTE_MS));
    assert_string_equal(fates(), "cccrc");
    fake_broker_stop(fake);
    assert_int_equal(fake->count, 3);
    assert_string_equal(fake->published[0].message_id, "2");
    assert_string_equal(fake->published[1].message_id, "3");
    assert_string_equal(fake->published[2].message_id, "5");
}

/* ------------------------------------------------------------- kept warm */

static void acks_batches(struct session *s)
{
    session_log_in(s, STEP_READY);
    for (uint64_t tag = 3; session_read_publishes(s, 3); tag += 3)
        session_send_ack(s, tag, true);
}

static void the_tags_go_on_with_the_next_batch(void **state)
{
    (void)state;
    play_broker(acks_batches);
    assert_true(log_in(MINUTE_MS));
    for (int i = 0; i < 3; i++) {
        fill(3, 36);
        assert_true(broker_connected(broker));
        assert_true(publish(MINUTE_MS));
        assert_string_equal(fates(), "ccc");
    }
    fake_broker_stop(fake);
    assert_int_equal(fake->connects, 1);
}

static void the_tags_begin_anew_with_a_connection(void **state)
{
    (void)state;
    play_broker(acks_each);
    for (int i = 0; i < 3; i++) {
        fill(3, 36);
        assert_true(log_in(MINUTE_MS));
        assert_true(publish(MINUTE_MS));
        assert_string_equal(fates(), "ccc");
        fake_clock.ahead_ms += 31000; /* so that the next needs a new connection */
        assert_false(broker_connected(broker));
    }
    fake_broker_stop(fake);
    assert_int_equal(fake->connects, 3);
}

static void idle_for_longer_than_the_heartbeat_means_no_connection(void **state)
{
    (void)state;
    play_broker(acks_batches);
    fill(3, 36);
    assert_false(broker_connected(broker));
    assert_true(log_in(MINUTE_MS));
    fake_clock.ahead_ms = 29000;
    assert_true(broker_connected(broker));
    assert_true(publish(MINUTE_MS));
    fake_clock.ahead_ms = 58000;
    assert_true(broker_connected(broker));
    fake_clock.ahead_ms = 61000;
    assert_false(broker_connected(broker));
}

static void wants_a_short_heartbeat(struct session *s)
{
    s->heartbeat = 2;
    acks_batches(s);
}

/* In the publish rabbitmq-c would wait for a heartbeat, until the guard ends it. */
static void the_heartbeat_may_be_the_brokers(void **state)
{
    (void)state;
    play_broker(wants_a_short_heartbeat);
    fill(3, 36);
    assert_true(log_in(MINUTE_MS));
    fake_clock.ahead_ms = 1000;
    assert_true(broker_connected(broker));
    assert_true(publish(MINUTE_MS));
    fake_clock.ahead_ms = 4000;
    assert_false(broker_connected(broker));
}

/* Sent in one write: the second frame is there when the first is read. */
static void acks_and_closes(struct session *s)
{
    ready(s, 3);
    session_send_ack(s, 3, true);
    session_send_close(s, 320, "CONNECTION_FORCED - Node was put into maintenance mode");
    session_read(s, 10, 51);
}

static void acks_and_ends(struct session *s)
{
    ready(s, 3);
    session_send_ack(s, 3, true);
}

static void acks_and_acks_again(struct session *s)
{
    ready(s, 3);
    session_send_ack(s, 3, true);
    session_send_ack(s, 2, false);
    session_send_heartbeat(s);
    session_be_silent(s);
}

static void acks_and_returns(struct session *s)
{
    ready(s, 3);
    session_send_ack(s, 3, true);
    session_send_return(s, 3, 312, "NO_ROUTE");
    session_be_silent(s);
}

static void publish_one_batch(void (*script)(struct session *session))
{
    play_broker(script);
    fill(3, 36);
    assert_true(log_in(MINUTE_MS));
    assert_true(publish(MINUTE_MS));
    assert_string_equal(fates(), "ccc");
    outbox_clear(&outbox); /* late frames must not touch it */
}

static void a_close_that_waits_is_seen_before_the_next_batch(void **state)
{
    (void)state;
    publish_one_batch(acks_and_closes);
    assert_false(broker_connected(broker));
    fake_broker_stop(fake);
    assert_int_equal(fake->last_method, 10 << 16 | 51); /* and answered */
}

static void an_end_that_waits_is_seen_before_the_next_batch(void **state)
{
    struct pollfd ended = {.events = POLLRDHUP};

    (void)state;
    publish_one_batch(acks_and_ends);
    ended.fd = socket_fd;
    assert_int_equal(poll(&ended, 1, HANG_MS), 1);
    assert_false(broker_connected(broker));
}

static void late_acks_do_no_harm(void **state)
{
    (void)state;
    publish_one_batch(acks_and_acks_again);
    assert_true(broker_connected(broker));
}

static void a_late_return_ends_the_connection(void **state)
{
    (void)state;
    publish_one_batch(acks_and_returns);
    assert_false(broker_connected(broker));
}

static void acks_and_floods(struct session *s)
{
    ready(s, 3);
    session_send_ack(s, 3, true);
    session_flood(s);
}

static void a_flood_does_not_keep_the_next_batch_waiting(void **state)
{
    int64_t start = clock_ms();
    struct pollfd begun = {.events = POLLIN};

    (void)state;
    publish_one_batch(acks_and_floods);
    begun.fd = socket_fd;
    assert_int_equal(poll(&begun, 1, HANG_MS), 1);
    fake_recv.waits = true;
    assert_false(broker_connected(broker));
    assert_true(clock_ms() - start < HANG_MS);
}

/* ------------------------------------------------------------- closing */

static void a_close_is_polite(void **state)
{
    (void)state;
    publish_one_batch(acks_all);
    broker_close(broker);
    broker = NULL;
    fake_broker_stop(fake);
    assert_int_equal(fake->last_method, 10 << 16 | 50);
}

static void acks_and_stalls(struct session *s)
{
    ready(s, 3);
    session_send_ack(s, 3, true);
    session_stall(s);
}

static void a_close_does_not_wait_for_ever(void **state)
{
    int64_t start = clock_ms();

    (void)state;
    publish_one_batch(acks_and_stalls);
    broker_close(broker);
    broker = NULL;
    assert_true(clock_ms() - start < HANG_MS);
}

static void closing_nothing_is_allowed(void **state)
{
    (void)state;
    broker_close(NULL);
}

/* ------------------------------------------------------------- asking */

#define REFUSED \
    "ACCESS_REFUSED - access to queue 'q' in vhost 'crashes' refused for user 'pigeon'"

static void refuses_to_be_asked(struct session *s)
{
    ready(s, 0);
    if (session_read(s, 50, 10))
        session_send_channel_close(s, 403, REFUSED);
    session_read(s, 20, 41);
}

/* Newer brokers need a permission for it; the text is theirs. */
static void a_queue_may_not_be_asked_for(void **state)
{
    struct deadline deadline = deadline_in(MINUTE_MS);

    (void)state;
    play_broker(refuses_to_be_asked);
    assert_true(log_in(MINUTE_MS));
    assert_false(broker_ask(broker, "q", &deadline, &failure));
    assert_string_equal(failure.stage, "ask");
    assert_int_equal(failure.code, 403);
    assert_int_equal(failure.cause, CAUSE_MAY_NOT_ASK);
    assert_memory_equal(failure.text, REFUSED, strlen(REFUSED));
    assert_false(broker_connected(broker));
}

/* ------------------------------------------------------------- main */

int main(void)
{
    static const struct CMUnitTest tests[] = {
        CASE(messages_are_mandatory_persistent_and_named),
        CASE(messages_say_which_rules_sent_them),
        CASE(a_message_with_a_fate_is_not_sent),
        CASE(the_tags_go_on_with_the_next_batch),
        CASE(the_tags_begin_anew_with_a_connection),
        CASE(idle_for_longer_than_the_heartbeat_means_no_connection),
        CASE(the_heartbeat_may_be_the_brokers),
        CASE(a_close_that_waits_is_seen_before_the_next_batch),
        CASE(an_end_that_waits_is_seen_before_the_next_batch),
        CASE(late_acks_do_no_harm),
        CASE(a_late_return_ends_the_connection),
        CASE(a_flood_does_not_keep_the_next_batch_waiting),
        CASE(a_close_is_polite),
        CASE(a_close_does_not_wait_for_ever),
        CASE(closing_nothing_is_allowed),
        CASE(a_queue_may_not_be_asked_for),
    };

    return cmocka_run_group_tests_name("broker", tests, NULL, NULL);
}
