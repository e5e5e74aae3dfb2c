/* The spec of what becomes of a batch in host/amqp/broker.c, against a scripted broker
 * (spec/support/fake_broker.h): how it is settled, how RabbitMQ and the network fail
 * meanwhile, and what no broker should send.
 *
 * Most cases are rows of a table. Each must end long before HANG_MS: where the fake is
 * silent the deadline ends it; all other cases end by themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>

#include "broker_rows.h"
#include "fake/recv.h"

#define BLOCKED                                                                     \
    "the broker takes no messages (connection.blocked): low on memory; next: free " \
    "memory or disk space on the broker; AWS retries the event"

/* ------------------------------------------------------------- scripts */

static void stops_after_publish(struct session *s)
{
    ready(s, 3);
    session_be_silent(s);
}

static void beats_after_publish(struct session *s)
{
    ready(s, 3);
    session_flood(s);
}

static void says_trifles_after_publish(struct session *s)
{
    ready(s, 3);
    do
        session_send_method(s, 0, 10, 61, "");
    while (session_flush(s));
}

static void acks_at_once_each(struct session *s)
{
    session_log_in(s, STEP_READY);
    for (uint64_t tag = 1; tag <= 3 && session_read_publishes(s, 1); tag++)
        session_send_ack(s, tag, false);
    session_be_silent(s);
}

static void acks_backwards_and_twice(struct session *s)
{
    ready(s, 3);
    session_send_ack(s, 3, false);
    session_send_ack(s, 3, false);
    session_send_nack(s, 2, true);
    session_send_ack(s, 2, true);
    session_be_silent(s);
}

static void nacks_all(struct session *s)
{
    ready(s, 3);
    session_send_nack(s, 3, true);
    session_be_silent(s);
}

static void acks_and_nacks(struct session *s)
{
    ready(s, 3);
    session_send_nack(s, 2, false);
    session_send_ack(s, 3, true);
    session_be_silent(s);
}

static void acks_tag_0(struct session *s)
{
    ready(s, 3);
    session_send_ack(s, 1, false);
    session_send_ack(s, 0, true);
    session_be_silent(s);
}

static void acks_tag_4(struct session *s)
{
    ready(s, 3);
    session_send_ack(s, 4, true);
    session_be_silent(s);
}

static void returns_the_second(struct session *s)
{
    ready(s, 3);
    session_send_ack(s, 1, false);
    session_send_return(s, 2, 312, "NO_ROUTE");
    session_send_ack(s, 3, false);
    session_send_ack(s, 2, false);
    session_be_silent(s);
}

static void returns_all_and_acks_once(struct session *s)
{
    ready(s, 3);
    for (uint64_t tag = 1; tag <= 3; tag++)
        session_send_return(s, tag, 312, "NO_ROUTE");
    session_send_ack(s, 3, true);
    session_be_silent(s);
}

static void returns_in_small_pieces(struct session *s)
{
    s->slice = 1;
    returns_the_second(s);
}

static void returns_without_an_ack(struct session *s)
{
    ready(s, 3);
    session_send_ack(s, 1, false);
    session_send_return(s, 2, 312, "NO_ROUTE");
    session_send_ack(s, 3, false);
    session_be_silent(s);
}

static void say_return_method(struct session *s)
{
    session_send_method(s, 1, 60, 50, "sSSS", 312, "NO_ROUTE", "", "queue");
}

/* A header frame with this class, body length and message id. */
static void say_header(struct session *s, int class_id, uint32_t body_len, const char *id)
{
    unsigned char payload[64] = {0};
    size_t len = strlen(id);

    payload[1] = (unsigned char)class_id;
    body_len = htonl(body_len);
    memcpy(payload + 8, &body_len, sizeof(body_len));
    payload[13] = 1 << 7; /* the flag of the message id */
    payload[14] = (unsigned char)len;
    memcpy(payload + 15, id, len);
    session_send_frame(s, 2, 1, payload, 15 + len);
}

static void returns_what_was_never_sent(struct session *s)
{
    ready(s, 3);
    say_return_method(s);
    say_header(s, 60, 0, "nobody");
    session_be_silent(s);
}

static void breaks_off_a_return(struct session *s)
{
    ready(s, 3);
    say_return_method(s);
    session_send_ack(s, 3, true);
    session_be_silent(s);
}

static void sends_a_body_of_nothing(struct session *s)
{
    ready(s, 3);
    session_send_frame(s, 3, 1, "body", 4);
    session_be_silent(s);
}

/* rabbitmq-c decodes the second header to a smaller struct. The memory after the struct
 * holds the first message's body, zeros, which could be read as a message's properties.
 */
static void returns_a_header_of_another_class(struct session *s)
{
    static const char zeros[8000];

    ready(s, 3);
    say_return_method(s);
    say_header(s, 60, sizeof(zeros), "1");
    session_send_frame(s, 3, 1, zeros, sizeof(zeros));
    say_return_method(s);
    say_header(s, 10, 0, "2");
    session_be_silent(s);
}

static void ends_after_an_ack(struct session *s)
{
    ready(s, 3);
    session_send_ack(s, 1, false);
}

static void resets_after_an_ack(struct session *s)
{
    ready(s, 3);
    session_send_ack(s, 1, false);
    session_reset(s);
}

static void forces_the_connection_shut(struct session *s)
{
    ready(s, 3);
    session_send_ack(s, 2, false);
    session_send_close(s, 320, "CONNECTION_FORCED - Closed via management plugin");
    session_read(s, 10, 51);
}

static void misses_an_exchange(struct session *s)
{
    ready(s, 3);
    session_send_ack(s, 1, false);
    session_send_channel_close(s, 404, "NOT_FOUND - no exchange 'x' in vhost 'crashes'");
    session_read(s, 20, 41);
}

static void refuses_an_exchange(struct session *s)
{
    ready(s, 3);
    session_send_channel_close(
        s, 403,
        "ACCESS_REFUSED - access to exchange 'amq.default' in vhost "
        "'crashes' refused for user 'pigeon'");
    session_read(s, 20, 41);
}

static void finds_it_too_big(struct session *s)
{
    ready(s, 1);
    session_send_channel_close(
        s, 406,
        "PRECONDITION_FAILED - message size 17825792 is larger than "
        "configured max size 16777216");
    session_read(s, 20, 41);
}

static void is_blocked(struct session *s)
{
    ready(s, 1);
    session_send_blocked(s, "low on memory");
    session_stall(s);
}

static void is_blocked_with_acks_behind(struct session *s)
{
    ready(s, 3);
    session_send_blocked(s, "low on memory");
    session_send_ack(s, 3, true);
    session_send_method(s, 0, 10, 61, ""); /* connection.unblocked */
    session_be_silent(s);
}

static void is_blocked_and_has_all(struct session *s)
{
    ready(s, 3);
    session_send_blocked(s, "low on memory");
    session_send_ack(s, 3, true);
    session_be_silent(s);
}

static void is_blocked_with_an_ack_behind(struct session *s)
{
    ready(s, 3);
    session_send_blocked(s, "low on memory");
    session_send_ack(s, 2, false);
    session_stall(s);
}

static void is_blocked_for_a_moment(struct session *s)
{
    ready(s, 3);
    session_send_blocked(s, "low on memory");
    session_send_method(s, 0, 10, 61, ""); /* connection.unblocked */
    session_send_ack(s, 2, true);
    session_send_ack(s, 3, false);
    session_be_silent(s);
}

static void says_other_things_too(struct session *s)
{
    ready(s, 3);
    session_send_heartbeat(s);
    session_send_method(s, 1, 20, 20, "o", 1);         /* channel.flow */
    session_send_method(s, 1, 60, 30, "So", "tag", 1); /* basic.cancel */
    session_send_method(s, 0, 10, 61, "");             /* connection.unblocked */
    session_send_ack(s, 3, true);
    session_be_silent(s);
}

static void sends_a_huge_frame(struct session *s)
{
    static const char head[] = "\3\0\1\x7f\xff\xff\xff";

    ready(s, 3);
    session_send_bytes(s, head, sizeof(head) - 1);
    session_be_silent(s);
}

static void sends_a_frame_over_frame_max(struct session *s)
{
    static char payload[131072];

    ready(s, 3);
    session_send_frame(s, 3, 1, payload, sizeof(payload));
    session_be_silent(s);
}

static void sends_a_frame_without_its_end(struct session *s)
{
    ready(s, 3);
    session_send_bytes(s, "\1\0\1\0\0\0\4\0\0\0\0\0", 12);
    session_be_silent(s);
}

static void sends_half_a_frame(struct session *s)
{
    ready(s, 3);
    session_send_bytes(s, "\1\0\1\0\0\0", 6);
    session_be_silent(s);
}

static void sends_an_empty_method(struct session *s)
{
    ready(s, 3);
    session_send_frame(s, 1, 1, NULL, 0);
    session_be_silent(s);
}

static void sends_an_empty_header(struct session *s)
{
    ready(s, 3);
    say_return_method(s);
    session_send_frame(s, 2, 1, "\0", 2);
    session_be_silent(s);
}

static void sends_an_unknown_method(struct session *s)
{
    ready(s, 3);
    session_send_method(s, 1, 99, 99, "");
    session_be_silent(s);
}

static void sends_an_ack_that_is_cut_short(struct session *s)
{
    ready(s, 3);
    session_send_method(s, 1, 60, 80, "s", 1);
    session_be_silent(s);
}

static void sends_garbage(struct session *s)
{
    char garbage[4096];

    ready(s, 3);
    memset(garbage, 0xA5, sizeof(garbage));
    session_send_bytes(s, garbage, sizeof(garbage));
    session_be_silent(s);
}

static void says_everything_in_bytes(struct session *s)
{
    s->slice = 1;
    acks_each(s);
}

/* ------------------------------------------------------------- the table */

static const struct row rows[] = {
    {"is silent after publish", stops_after_publish, SHORT_MS, "---", "confirm", 0,
     "no answer in time" OVERLOADED, false},
    {"only beats after publish", beats_after_publish, SHORT_MS, "---", "confirm", 0,
     "no answer in time" OVERLOADED, false},
    {"only says trifles after publish", says_trifles_after_publish, SHORT_MS, "---",
     "confirm", 0, "no answer in time" OVERLOADED, false},
    {"acks each", acks_each, MINUTE_MS, "ccc", NULL, 0, NULL, false},
    {"acks each at once", acks_at_once_each, MINUTE_MS, "ccc", NULL, 0, NULL, false},
    {"acks all in one", acks_all, MINUTE_MS, "ccc", NULL, 0, NULL, false},
    {"settles backwards and twice", acks_backwards_and_twice, MINUTE_MS, "nnc", NULL, 0,
     NULL, false},
    {"nacks all in one", nacks_all, MINUTE_MS, "nnn", NULL, 0, NULL, false},
    {"acks and nacks", acks_and_nacks, MINUTE_MS, "cnc", NULL, 0, NULL, false},
    {"acks tag 0", acks_tag_0, MINUTE_MS, "c--", "confirm", 0,
     "the broker settled delivery tag 0, but the last publish was 3" LOG, false},
    {"acks an unknown tag", acks_tag_4, MINUTE_MS, "---", "confirm", 0,
     "the broker settled delivery tag 4, but the last publish was 3" LOG, false},
    {"returns the one in the middle", returns_the_second, MINUTE_MS, "crc", NULL, 0, NULL,
     false},
    {"returns all and acks once", returns_all_and_acks_once, MINUTE_MS, "rrr", NULL, 0,
     NULL, false},
    {"returns in one-byte writes", returns_in_small_pieces, MINUTE_MS, "crc", NULL, 0,
     NULL, false},
    {"returns and does not ack", returns_without_an_ack, SHORT_MS, "crc", "confirm", 0,
     "no answer in time" OVERLOADED, false},
    {"returns what was never sent", returns_what_was_never_sent, MINUTE_MS, "---",
     "confirm", 0, "the broker returned a message that is not waiting: nobody" LOG,
     false},
    {"breaks off a return", breaks_off_a_return, MINUTE_MS, "---", "confirm", 0,
     "the broker sent only a part of a returned message" LOG, false},
    {"sends a body of nothing", sends_a_body_of_nothing, MINUTE_MS, "---", "confirm", 0,
     "the broker sent a content frame without a publish or return" LOG, false},
    {"returns a header of another class", returns_a_header_of_another_class, MINUTE_MS,
     "r--", "confirm", 0,
     "the broker sent a content frame without a publish or return" LOG, false},
    {"closes after an ack", ends_after_an_ack, MINUTE_MS, "c--", "confirm", 0,
     "the broker's end closed the connection" LOG, false},
    {"resets after an ack", resets_after_an_ack, MINUTE_MS, "c--", "confirm", 0,
     "connection lost: Connection reset by peer" LOG, false},
    {"forces the connection shut", forces_the_connection_shut, MINUTE_MS, "-c-",
     "confirm", 320, "CONNECTION_FORCED - Closed via management plugin" CLOSED, false},
    {"misses an exchange", misses_an_exchange, MINUTE_MS, "c--", "publish", 404,
     "NOT_FOUND - no exchange 'x' in vhost 'crashes'; next: declare the exchange, or "
     "correct its name in the rules",
     false},
    {"refuses an exchange", refuses_an_exchange, MINUTE_MS, "---", "publish", 403,
     "ACCESS_REFUSED - access to exchange 'amq.default' in vhost 'crashes' refused for "
     "user 'pigeon'; next: give the user write permission on the exchange (amq.default "
     "for queues)",
     false},
    {"finds a message too big", finds_it_too_big, MINUTE_MS, "---", "publish", 406,
     "PRECONDITION_FAILED - message size 17825792 is larger than configured max size "
     "16777216" LOG,
     false},
    {"is blocked after the first publish", is_blocked, MINUTE_MS, "---", "confirm", 0,
     BLOCKED, true},
    {"is blocked, with all acks behind it", is_blocked_with_acks_behind, MINUTE_MS, "ccc",
     NULL, 0, NULL, false},
    {"is blocked, with one ack behind it", is_blocked_with_an_ack_behind, MINUTE_MS,
     "-c-", "confirm", 0, BLOCKED, true},
    {"is blocked for a moment", is_blocked_for_a_moment, MINUTE_MS, "ccc", NULL, 0, NULL,
     false},
    {"says other things, too", says_other_things_too, MINUTE_MS, "ccc", NULL, 0, NULL,
     false},
    {"sends a huge frame", sends_a_huge_frame, MINUTE_MS, "---", "confirm", 0,
     "invalid AMQP data" LOG, false},
    {"sends a frame over frame_max", sends_a_frame_over_frame_max, MINUTE_MS, "---",
     "confirm", 0, "invalid AMQP data" LOG, false},
    {"sends a frame without its end", sends_a_frame_without_its_end, MINUTE_MS, "---",
     "confirm", 0, "invalid AMQP data" LOG, false},
    {"sends half a frame", sends_half_a_frame, SHORT_MS, "---", "confirm", 0,
     "no answer in time" OVERLOADED, false},
    {"sends an empty method", sends_an_empty_method, MINUTE_MS, "---", "confirm", 0,
     "invalid AMQP data" LOG, false},
    {"sends an empty header", sends_an_empty_header, MINUTE_MS, "---", "confirm", 0,
     "invalid AMQP data" LOG, false},
    {"sends an unknown method", sends_an_unknown_method, MINUTE_MS, "---", "confirm", 0,
     "unknown AMQP method id" LOG, false},
    {"sends an ack that is cut short", sends_an_ack_that_is_cut_short, MINUTE_MS, "---",
     "confirm", 0, "invalid AMQP data" LOG, false},
    {"sends garbage", sends_garbage, MINUTE_MS, "---", "confirm", 0,
     "invalid AMQP data" LOG, false},
    {"says everything in one-byte writes", says_everything_in_bytes, MINUTE_MS, "ccc",
     NULL, 0, NULL, false},
};

/* ------------------------------------------------------------- two connections */

static void breaks_off_a_return_once(struct session *s)
{
    if (s->number == 0)
        breaks_off_a_return(s);
    else
        returns_the_second(s);
}

static void half_a_return_does_not_reach_into_the_next_connection(void **state)
{
    (void)state;
    play_broker(breaks_off_a_return_once);
    fill(3, 36);
    assert_true(log_in(MINUTE_MS));
    assert_false(publish(MINUTE_MS));
    assert_true(log_in(MINUTE_MS));
    assert_true(publish(MINUTE_MS));
    assert_string_equal(fates(), "crc");
}

/* The next event connects again: another node may take messages. */
static void a_broker_that_stays_blocked_may_have_acked_all(void **state)
{
    (void)state;
    play_broker(is_blocked_and_has_all);
    fill(3, 36);
    assert_true(log_in(MINUTE_MS));
    assert_true(publish(MINUTE_MS));
    assert_string_equal(fates(), "ccc");
    assert_false(broker_connected(broker));
}

/* ------------------------------------------------------------- main */

#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, broker_rows_setup, broker_case_teardown)

static const struct CMUnitTest single_cases[] = {
    CASE(half_a_return_does_not_reach_into_the_next_connection),
    CASE(a_broker_that_stays_blocked_may_have_acked_all),
};

int main(void)
{
    static struct CMUnitTest tests[2 * ROWS + SINGLE_CASES];
    static char names[ROWS][100];

    broker_rows_add(rows, ROWS, tests, names);
    memcpy(tests + 2 * ROWS, single_cases, sizeof(single_cases));
    return cmocka_run_group_tests_name("broker batch", tests, NULL, NULL);
}
