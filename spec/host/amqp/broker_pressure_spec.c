/* The spec of host/amqp/broker.c under pressure, against a scripted broker
 * (spec/support/fake_broker.h): more messages than the window holds, more frames than
 * may be kept, and servers that stop reading or never begin a handshake. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "amqp/confirms.h"
#include "broker_case.h"

/* ------------------------------------------------------------- a seam */

static bool no_user_timeout;
static char corks[16]; /* "10": on, then off */
static pthread_t client;
static size_t written, most_written; /* since the socket had room, by the client */

int poll(struct pollfd *fds, nfds_t count, int timeout)
{
    struct timespec time = {timeout / 1000, timeout % 1000 * 1000000L};
    int n = (int)syscall(SYS_ppoll, fds, count, timeout < 0 ? NULL : &time, NULL, 0);

    if (n > 0 && (fds[0].revents & POLLOUT) && pthread_equal(pthread_self(), client))
        written = 0;
    return n;
}

ssize_t send(int fd, const void *bytes, size_t len, int flags)
{
    ssize_t sent = syscall(SYS_sendto, fd, bytes, len, flags, NULL, 0);

    if (sent > 0 && pthread_equal(pthread_self(), client)) {
        written += (size_t)sent;
        most_written = written > most_written ? written : most_written;
    }
    return sent;
}

/* Without the short user timeouts, the other ways to end a connection can be tested. */
int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    if (no_user_timeout && level == IPPROTO_TCP && name == TCP_USER_TIMEOUT)
        return 0;
    if (level == IPPROTO_TCP && name == TCP_CORK && strlen(corks) < sizeof(corks) - 1)
        strcat(corks, *(const int *)value ? "1" : "0");
    return (int)syscall(SYS_setsockopt, fd, level, name, value, len);
}

static int setup(void **state)
{
    no_user_timeout = false;
    memset(corks, 0, sizeof(corks));
    client = pthread_self();
    return broker_case_setup(state);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, broker_case_teardown)

/* ------------------------------------------------------------- the window */

static bool window_kept;

/* Whether what was gathered is sent: not held back until a confirm comes. */
static bool is_let_go(void)
{
    for (int tries = 0; tries < MINUTE_MS / 10 && strcmp(corks, "10") != 0; tries++)
        usleep(10000);
    return strcmp(corks, "10") == 0;
}

static void acks_by_the_window(struct session *s)
{
    uint64_t tag = CONFIRMS_WINDOW;

    ready(s, CONFIRMS_WINDOW);
    window_kept = session_is_quiet(s, 100) && is_let_go();
    session_send_ack(s, 1, false);
    window_kept = window_kept && session_read_publishes(s, 1) && session_is_quiet(s, 100);
    session_send_ack(s, tag, true);
    for (tag += 2; tag <= 2500 && session_read_publishes(s, 1); tag++)
        if (tag % 500 == 0)
            session_send_ack(s, tag, true);
    session_be_silent(s);
}

static void no_more_than_the_window_waits_for_a_confirm(void **state)
{
    (void)state;
    window_kept = false;
    no_user_timeout = true; /* the fake may be slow */
    play_broker(acks_by_the_window);
    fill(2500, 36);
    assert_true(log_in(MINUTE_MS));
    assert_true(publish(MINUTE_MS));
    for (size_t i = 0; i < outbox.count; i++)
        assert_int_equal(outbox.messages[i].fate, FATE_CONFIRMED);
    fake_broker_stop(fake);
    assert_int_equal(fake->count, 2500);
    assert_true(window_kept);
}

static void acks_one_then_two(struct session *s)
{
    ready(s, 1);
    session_send_ack(s, 1, false);
    session_read_publishes(s, 2);
    session_send_ack(s, 3, true);
    session_be_silent(s);
}

/* In full packets, but no message waits for others while Pigeon waits. */
static void messages_are_gathered_behind_the_first(void **state)
{
    (void)state;
    play_broker(acks_one_then_two);
    assert_true(log_in(MINUTE_MS));
    fill(1, 36);
    assert_true(publish(MINUTE_MS));
    assert_string_equal(corks, "");
    fill(2, 36);
    assert_true(publish(MINUTE_MS));
    assert_string_equal(corks, "10");
    fake_broker_stop(fake);
}

static void acks_each_batch(struct session *s)
{
    ready(s, 100);
    for (uint64_t tag = 100; tag <= 400; tag += 100) {
        session_send_ack(s, tag, true);
        session_read_publishes(s, 100);
    }
    session_be_silent(s);
}

/* What surely fits where a socket has room; else a write could wait for the broker. In
 * each batch another text is long. */
static void no_more_is_written_than_the_socket_has_room_for(void **state)
{
    char text[250];

    (void)state;
    memset(text, 't', sizeof(text));
    play_broker(acks_each_batch);
    assert_true(log_in(MINUTE_MS));
    for (int batch = 0; batch < 4; batch++) {
        struct bytes texts[4] = {bytes_of(""), bytes_of("q"), bytes_of("i"),
                                 bytes_of("b")};

        texts[batch] = (struct bytes){text, sizeof(text)};
        outbox_clear(&outbox);
        for (size_t i = 0; i < 100; i++)
            assert_true(outbox_add(&outbox, texts[0], texts[1], texts[2], texts[3]));
        most_written = 0;
        assert_true(publish(MINUTE_MS));
        assert_in_range(most_written, 2000, 4096);
    }
    fake_broker_stop(fake);
}

static void says_trifles_before_the_ack(struct session *s)
{
    ready(s, 3);
    for (int i = 0; i < 100000; i++) {
        session_send_method(s, 0, 10, 61, "");
        if (i % 1000 == 0)
            session_flush(s);
    }
    session_send_ack(s, 3, true);
    session_be_silent(s);
}

/* Each kept frame would be at least 40 bytes. (The sanitizer's malloc counts nothing.) */
static void frames_are_not_kept(void **state)
{
    size_t before;

    (void)state;
    play_broker(says_trifles_before_the_ack);
    fill(3, 36);
    assert_true(log_in(MINUTE_MS));
    before = mallinfo2().uordblks;
    assert_true(publish(MINUTE_MS));
    assert_true(mallinfo2().uordblks < before + 1000000);
}

/* ------------------------------------------------------------- readers that stall */

static void stalls(struct session *s)
{
    session_log_in(s, STEP_READY);
    session_stall(s);
}

/* Login with small buffers on this side, then 5,000 messages of this size. */
static bool publish_much(size_t body_len, int64_t deadline_ms)
{
    struct deadline deadline = deadline_in(MINUTE_MS);

    fill(5000, body_len);
    socket_fd = dial(4096);
    assert_true(broker_connect(broker, socket_fd, NULL, &deadline, &failure));
    return publish(deadline_ms);
}

static void assert_no_fate(void)
{
    for (size_t i = 0; i < outbox.count; i++)
        assert_int_equal(outbox.messages[i].fate, FATE_NONE);
}

static void a_reader_that_stalls_is_left_by_the_deadline(void **state)
{
    int64_t start = clock_ms();

    (void)state;
    play_broker(stalls);
    no_user_timeout = true;
    assert_false(publish_much(8192, SHORT_MS));
    assert_true(clock_ms() - start < HANG_MS);
    assert_no_fate();
    assert_int_equal(failure.code, 0);
    assert_int_equal(failure.cause, CAUSE_BROKER_SILENCE);
    assert_string_equal(failure.text, "no answer in time");
    assert_false(failure.final);
    assert_false(broker_connected(broker));
}

/* There must be time left for a reconnect. */
static void a_reader_that_stalls_is_left_before_the_deadline(void **state)
{
    int64_t start = clock_ms();

    (void)state;
    play_broker(stalls);
    assert_false(publish_much(8192, MINUTE_MS));
    assert_true(clock_ms() - start < HANG_MS);
    assert_no_fate();
    assert_int_equal(failure.cause, CAUSE_BROKER_SILENCE); /* a publish or a confirm */
    assert_string_equal(failure.text, "connection lost: Connection timed out");
    assert_false(broker_connected(broker));
}

/* Each message alone is more than the buffers hold: amqp_basic_publish() itself blocks.
 */
static void a_publish_that_blocks_is_ended_by_the_deadline(void **state)
{
    int64_t start = clock_ms();

    (void)state;
    play_broker(stalls);
    fill(1, 32 << 20);
    assert_true(log_in(MINUTE_MS));
    no_user_timeout = true;
    assert_false(publish(SHORT_MS));
    assert_true(clock_ms() - start < HANG_MS);
    assert_no_fate();
    assert_failure("publish", 0, "no answer in time" OVERLOADED);
    assert_false(broker_connected(broker));
}

static void is_blocked_and_stalls(struct session *s)
{
    ready(s, 1);
    session_send_blocked(s, "low on disk");
    session_stall(s);
}

static void assert_blocked(void)
{
    assert_failure(
        "confirm", 0,
        "the broker takes no messages (connection.blocked): low on disk; "
        "next: free memory or disk space on the broker; AWS retries the event");
    assert_true(failure.final);
    assert_no_fate();
}

static void blocked_is_told_while_the_reader_stalls(void **state)
{
    int64_t start = clock_ms();

    (void)state;
    play_broker(is_blocked_and_stalls);
    no_user_timeout = true;
    assert_false(publish_much(8192, MINUTE_MS));
    assert_true(clock_ms() - start < HANG_MS);
    assert_blocked();
}

static void is_blocked_behind_the_ack(struct session *s)
{
    ready(s, 1);
    session_send_ack(s, 1, false);
    session_send_blocked(s, "low on disk");
    session_stall(s);
}

/* Another node may take messages, so the next event connects anew. */
static void a_connection_that_stays_blocked_is_not_used_again(void **state)
{
    int64_t end;

    (void)state;
    play_broker(is_blocked_behind_the_ack);
    fill(1, 36);
    assert_true(log_in(MINUTE_MS));
    assert_true(publish(MINUTE_MS));
    end = clock_ms() + HANG_MS;
    while (clock_ms() < end && broker_connected(broker))
        poll(NULL, 0, 1); /* until connection.blocked has come */
    assert_false(broker_connected(broker));
}

static void is_blocked_in_the_second_publish(struct session *s)
{
    ready(s, 1);
    session_is_quiet(s, HANG_MS); /* until it begins */
    session_send_blocked(s, "low on disk");
    session_stall(s);
}

/* The frame comes while amqp_basic_publish() does not read. */
static void blocked_is_told_when_a_publish_blocks(void **state)
{
    char *body = calloc(1, 32 << 20);

    (void)state;
    play_broker(is_blocked_in_the_second_publish);
    fill(1, 36);
    assert_true(outbox_add(&outbox, bytes_of(""), bytes_of("queue"), bytes_of("2"),
                           (struct bytes){body, 32 << 20}));
    free(body);
    assert_true(log_in(MINUTE_MS));
    no_user_timeout = true;
    assert_false(publish(SHORT_MS));
    assert_blocked();
}

/* ------------------------------------------------------------- silence */

/* Only what is sent can be missed by TCP_USER_TIMEOUT. */
static void confirms_after_two_heartbeats(struct session *s)
{
    ready(s, 1);
    if (session_read_heartbeat(s) && session_read_heartbeat(s))
        session_send_ack(s, 1, false);
    session_be_silent(s);
}

static void a_heartbeat_is_sent_while_no_confirm_comes(void **state)
{
    (void)state;
    play_broker(confirms_after_two_heartbeats);
    fill(1, 36);
    assert_true(log_in(MINUTE_MS));
    assert_true(publish(MINUTE_MS));
    assert_int_equal(outbox.messages[0].fate, FATE_CONFIRMED);
}

static void never_confirms(struct session *s)
{
    ready(s, 1);
    session_be_silent(s);
}

static void a_silent_broker_is_given_up_when_the_patience_is_over(void **state)
{
    struct deadline patience = deadline_in(SHORT_MS), deadline = deadline_in(MINUTE_MS);
    int64_t start = clock_ms();

    (void)state;
    play_broker(never_confirms);
    fill(1, 36);
    assert_true(log_in(MINUTE_MS));
    assert_false(broker_publish(broker, &outbox, &patience, &deadline, &failure));
    assert_true(failure.silent);
    assert_string_equal(failure.stage, "confirm");
    assert_true(clock_ms() - start < HANG_MS);
}

/* ------------------------------------------------------------- a handshake */

static void is_no_tls_server(struct session *s)
{
    if (s->number == 0)
        session_send_bytes(s, "AMQP\0\0\011\001", 8);
    session_stall(s);
}

/* Real TLS servers are in spec/system. That the guard ended the connection before must
 * not show as the cause here. */
static void a_handshake_with_no_tls_server_ends(void **state)
{
    static const struct {
        int64_t deadline_ms;
        const char *text;
    } cases[] = {
        {MINUTE_MS, "the broker's port does not speak TLS; next: is PIGEON_PORT a port "
                    "without TLS? Set PIGEON_TLS=off, or use the TLS port"},
        {SHORT_MS,
         "no answer in time; next: is PIGEON_PORT a port with TLS, and the broker "
         "alive?"},
    };

    (void)state;
    play_broker(stalls);
    no_user_timeout = true;
    assert_false(publish_much(8192, SHORT_MS)); /* the guard has fired */
    fake_broker_free(fake);
    play_broker(is_no_tls_server);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct deadline deadline = deadline_in(cases[i].deadline_ms);

        assert_false(broker_connect(broker, dial(0), "localhost", &deadline, &failure));
        assert_failure("tls", 0, cases[i].text);
        assert_null(broker_tls(broker));
    }
}

/* ------------------------------------------------------------- main */

int main(void)
{
    static const struct CMUnitTest tests[] = {
        CASE(no_more_than_the_window_waits_for_a_confirm),
        CASE(messages_are_gathered_behind_the_first),
        CASE(no_more_is_written_than_the_socket_has_room_for),
        CASE(frames_are_not_kept),
        CASE(a_reader_that_stalls_is_left_by_the_deadline),
        CASE(a_reader_that_stalls_is_left_before_the_deadline),
        CASE(a_publish_that_blocks_is_ended_by_the_deadline),
        CASE(blocked_is_told_while_the_reader_stalls),
        CASE(blocked_is_told_when_a_publish_blocks),
        CASE(a_connection_that_stays_blocked_is_not_used_again),
        CASE(a_heartbeat_is_sent_while_no_confirm_comes),
        CASE(a_silent_broker_is_given_up_when_the_patience_is_over),
        CASE(a_handshake_with_no_tls_server_ends),
    };

    return cmocka_run_group_tests_name("broker pressure", tests, NULL, NULL);
}
