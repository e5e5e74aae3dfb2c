/* The spec of host/amqp/broker.c's login, against a scripted broker
 * (spec/support/fake_broker.h): how it introduces itself, how RabbitMQ refuses it, and
 * other servers than RabbitMQ.
 *
 * Most cases are rows of a table. Each must end long before HANG_MS: where the fake is
 * silent the deadline ends it; all other cases end by themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "broker_rows.h"
#include "fake/recv.h"

/* Of a server that speaks TLS, where it sends no alert. */
#define UNANSWERED                                                              \
    "; next: is PIGEON_PORT a port for TLS? Then set PIGEON_TLS=on; or is the " \
    "broker at its connection limit?"
#define PORT                                                            \
    "; next: is PIGEON_PORT an AMQP port, and is the broker below its " \
    "connection limit?"

/* ------------------------------------------------------------- scripts */

static void says_nothing(struct session *s)
{
    session_be_silent(s);
}

static void stops_after_header(struct session *s)
{
    session_log_in(s, STEP_HEADER);
    session_be_silent(s);
}

static void stops_after_start_ok(struct session *s)
{
    session_log_in(s, STEP_START_OK);
    session_be_silent(s);
}

static void stops_after_open(struct session *s)
{
    session_log_in(s, STEP_OPEN);
    session_be_silent(s);
}

static void stops_after_channel_open(struct session *s)
{
    session_log_in(s, STEP_CHANNEL_OPEN);
    session_be_silent(s);
}

static void stops_after_confirm_select(struct session *s)
{
    session_log_in(s, STEP_CONFIRM_SELECT);
    session_be_silent(s);
}

static void beats_after_start_ok(struct session *s)
{
    session_log_in(s, STEP_START_OK);
    session_flood(s);
}

static void ends_after_header(struct session *s)
{
    session_log_in(s, STEP_HEADER);
}

static void resets_after_header(struct session *s)
{
    session_log_in(s, STEP_HEADER);
    session_reset(s);
}

static void ends_after_start_ok(struct session *s)
{
    session_log_in(s, STEP_START_OK);
}

static void ends_after_channel_open(struct session *s)
{
    session_log_in(s, STEP_CHANNEL_OPEN);
    session_read(s, 85, 10); /* or the close would be a reset */
}

static void speaks_http(struct session *s)
{
    static const char words[] = "HTTP/1.1 400 Bad Request\r\n\r\n";

    session_log_in(s, STEP_HEADER);
    session_send_bytes(s, words, sizeof(words) - 1);
    session_be_silent(s);
}

/* What a TLS port answers to bytes that are not a handshake. */
static void speaks_tls(struct session *s)
{
    static const char alert[] = "\x15\x03\x01\x00\x02\x02\x46";

    session_log_in(s, STEP_HEADER);
    session_send_bytes(s, alert, sizeof(alert) - 1);
}

static void speaks_another_amqp(struct session *s)
{
    session_log_in(s, STEP_HEADER);
    session_send_bytes(s, "AMQP\0\1\0\0", 8);
}

static void speaks_another_amqp_and_stays(struct session *s)
{
    speaks_another_amqp(s);
    session_be_silent(s);
}

static void offers_no_plain(struct session *s)
{
    session_log_in(s, STEP_HEADER);
    session_send_method(s, 0, 10, 10, "ooTTT", 0, 9, "", "EXTERNAL AMQPLAIN", "en_US");
    session_be_silent(s);
}

static void starts_with_a_frame_that_never_ends(struct session *s)
{
    session_log_in(s, STEP_HEADER);
    session_send_bytes(s, "\1\0\0\0\0\1\0half", 11);
    session_be_silent(s);
}

static void tunes_to_tiny_frames(struct session *s)
{
    session_log_in(s, STEP_START_OK);
    session_send_method(s, 0, 10, 30, "sls", 2047, (uint32_t)8, 60);
    session_be_silent(s);
}

static void closes_login(struct session *s, enum step step, int code, const char *text)
{
    session_log_in(s, step);
    session_send_close(s, code, text);
    session_read(s, 10, 51);
}

static void refuses_the_password(struct session *s)
{
    closes_login(s, STEP_START_OK, 403,
                 "ACCESS_REFUSED - Login was refused using authentication mechanism "
                 "PLAIN. For details see the broker logfile.");
}

static void knows_no_vhost(struct session *s)
{
    closes_login(s, STEP_OPEN, 530, "NOT_ALLOWED - vhost crashes not found");
}

static void refuses_the_vhost(struct session *s)
{
    closes_login(s, STEP_OPEN, 530,
                 "NOT_ALLOWED - access to vhost 'crashes' refused for user 'pigeon'");
}

static void is_at_the_users_limit(struct session *s)
{
    closes_login(s, STEP_OPEN, 530,
                 "NOT_ALLOWED - connection refused for user 'pigeon': user connection "
                 "limit (1) is reached");
}

static void is_at_the_vhosts_limit(struct session *s)
{
    closes_login(s, STEP_OPEN, 530,
                 "NOT_ALLOWED - access to vhost 'crashes' refused for user 'pigeon': "
                 "connection limit (0) is reached");
}

static void has_the_vhost_down(struct session *s)
{
    closes_login(s, STEP_OPEN, 541,
                 "INTERNAL_ERROR - access to vhost 'crashes' refused for user 'pigeon': "
                 "vhost 'crashes' is down");
}

static void shuts_down_at_channel_open(struct session *s)
{
    closes_login(s, STEP_CHANNEL_OPEN, 320,
                 "CONNECTION_FORCED - broker forced connection closure with reason "
                 "'shutdown'");
}

static void blocks_at_channel_open(struct session *s)
{
    session_log_in(s, STEP_CHANNEL_OPEN);
    session_send_blocked(s, "low on memory");
    session_be_silent(s);
}

static void closes_the_channel_at_once(struct session *s)
{
    session_log_in(s, STEP_CONFIRM_SELECT);
    session_send_channel_close(s, 540, "NOT_IMPLEMENTED");
    session_be_silent(s);
}

static void answers_open_with_tune(struct session *s)
{
    session_log_in(s, STEP_OPEN);
    session_send_method(s, 0, 10, 30, "sls", 2047, (uint32_t)131072, 60);
    session_be_silent(s);
}

/* ------------------------------------------------------------- the table */

static const struct row rows[] = {
    {"accepts and says nothing", says_nothing, SHORT_MS, NULL, "login", 0,
     "no answer in time" PORT, false},
    {"is silent after the header", stops_after_header, SHORT_MS, NULL, "login", 0,
     "no answer in time" PORT, false},
    {"is silent after start-ok", stops_after_start_ok, SHORT_MS, NULL, "login", 0,
     "no answer in time" PORT, false},
    {"is silent after open", stops_after_open, SHORT_MS, NULL, "login", 0,
     "no answer in time" PORT, false},
    {"is silent after channel.open", stops_after_channel_open, SHORT_MS, NULL, "channel",
     0, "no answer in time" OVERLOADED, false},
    {"is silent after confirm.select", stops_after_confirm_select, SHORT_MS, NULL,
     "channel", 0, "no answer in time" OVERLOADED, false},
    {"only beats after start-ok", beats_after_start_ok, SHORT_MS, NULL, "login", 0,
     "no answer in time" PORT, false},
    {"closes after the header", ends_after_header, MINUTE_MS, NULL, "login", 0,
     "the broker's end closed the connection" UNANSWERED, false},
    {"resets after the header", resets_after_header, MINUTE_MS, NULL, "login", 0,
     "connection lost: Connection reset by peer" UNANSWERED, false},
    {"closes after start-ok", ends_after_start_ok, MINUTE_MS, NULL, "login", 0,
     "the broker's end closed the connection" PORT, false},
    {"closes after channel.open", ends_after_channel_open, MINUTE_MS, NULL, "channel", 0,
     "the broker's end closed the connection" LOG, false},
    {"blocks at channel.open", blocks_at_channel_open, MINUTE_MS, NULL, "confirm", 0,
     "the broker takes no messages (connection.blocked): low on memory; next: free "
     "memory or disk space on the broker; AWS retries the event",
     true},
    {"closes the channel at once", closes_the_channel_at_once, MINUTE_MS, NULL, "channel",
     540, "NOT_IMPLEMENTED" LOG, false},
    {"answers open with tune", answers_open_with_tune, MINUTE_MS, NULL, "login", 0,
     "unexpected method received" PORT, false},
    {"speaks HTTP", speaks_http, MINUTE_MS, NULL, "login", 0, "invalid AMQP data" PORT,
     false},
    {"speaks TLS", speaks_tls, MINUTE_MS, NULL, "tls", 0,
     "the broker's port expects TLS; next: set PIGEON_TLS=on", false},
    {"speaks AMQP 1.0", speaks_another_amqp, MINUTE_MS, NULL, "login", 0,
     "unexpected method received" PORT, false},
    {"speaks AMQP 1.0 and stays", speaks_another_amqp_and_stays, MINUTE_MS, NULL, "login",
     0, "unexpected method received" PORT, false},
    {"offers no PLAIN", offers_no_plain, MINUTE_MS, NULL, "login", 0,
     "the broker does not offer the mechanism PLAIN; it offers \"EXTERNAL "
     "AMQPLAIN\"; next: allow the mechanism PLAIN on the broker "
     "(auth_mechanisms)",
     false},
    {"starts with half a frame", starts_with_a_frame_that_never_ends, SHORT_MS, NULL,
     "login", 0, "no answer in time" PORT, false},
    {"wants frames of 8 bytes", tunes_to_tiny_frames, SHORT_MS, NULL, "login", 0,
     "no answer in time" PORT, false},
    {"refuses the password", refuses_the_password, MINUTE_MS, NULL, "login", 403,
     "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For "
     "details see the broker logfile.; next: check PIGEON_USER and PIGEON_PASSWORD "
     "(guest may log in only from the broker's own machine)",
     false},
    {"knows no such vhost", knows_no_vhost, MINUTE_MS, NULL, "login", 530,
     "NOT_ALLOWED - vhost crashes not found; next: check PIGEON_VIRTUAL_HOST", false},
    {"refuses the vhost", refuses_the_vhost, MINUTE_MS, NULL, "login", 530,
     "NOT_ALLOWED - access to vhost 'crashes' refused for user 'pigeon'; next: give the "
     "user permissions there: rabbitmqctl set_permissions -p VHOST USER '^$' "
     "'^(amq\\.default|QUEUE)$' '^$', with the names of PIGEON_QUEUE",
     false},
    {"is at the user's limit", is_at_the_users_limit, MINUTE_MS, NULL, "login", 530,
     "NOT_ALLOWED - connection refused for user 'pigeon': user connection limit (1) is "
     "reached; next: raise the limit on the broker, or lower the function's concurrency",
     false},
    {"is at the vhost's limit", is_at_the_vhosts_limit, MINUTE_MS, NULL, "login", 530,
     "NOT_ALLOWED - access to vhost 'crashes' refused for user 'pigeon': connection "
     "limit "
     "(0) is reached; next: raise the limit on the broker, or lower the function's "
     "concurrency",
     false},
    {"has the vhost down", has_the_vhost_down, MINUTE_MS, NULL, "login", 541,
     "INTERNAL_ERROR - access to vhost 'crashes' refused for user 'pigeon': vhost "
     "'crashes' is down; next: start the vhost: rabbitmqctl restart_vhost -p VHOST",
     false},
    {"shuts down at channel.open", shuts_down_at_channel_open, MINUTE_MS, NULL, "channel",
     320,
     "CONNECTION_FORCED - broker forced connection closure with reason "
     "'shutdown'" CLOSED,
     false},
};

/* AMQP's short string has no room for more; rabbitmq-c says "invalid AMQP data". */
static void a_virtual_host_that_is_too_long_is_named_by_its_setting(void **state)
{
    char name[257] = "";

    (void)state;
    memset(name, 'v', 255);
    play_broker(acks_each);
    broker_log_in_as(broker, name, "pigeon", "coo");
    assert_true(log_in(MINUTE_MS));
    broker_drop(broker);
    name[255] = 'v';
    assert_false(log_in(MINUTE_MS));
    assert_failure("login", 0,
                   "PIGEON_VIRTUAL_HOST has 256 bytes, and a virtual host's name at most "
                   "255; next: check PIGEON_VIRTUAL_HOST");
}

/* ------------------------------------------------------------- what it sends */

static void assert_start_ok_has(const char *text)
{
    assert_non_null(memmem(fake->start_ok, fake->start_ok_len, text, strlen(text)));
}

static void it_says_who_it_is_and_what_it_understands(void **state)
{
    static const unsigned char tune_ok[8] = {0, 1, 0, 0, 32, 0, 0, 30};

    (void)state;
    play_broker(acks_each);
    fill(3, 36);
    assert_true(log_in(MINUTE_MS));
    assert_true(publish(MINUTE_MS));
    broker_close(broker);
    broker = NULL;
    fake_broker_stop(fake);
    assert_start_ok_has("productS");
    assert_start_ok_has("Pigeon");
    assert_start_ok_has(PIGEON_VERSION);
    assert_start_ok_has("\x0f"
                        "connection_nameS");
    assert_start_ok_has("pigeon stack log");
    assert_start_ok_has("\x12"
                        "connection.blockedt\x01");
    assert_start_ok_has("PLAIN");
    assert_memory_equal(fake->tune_ok, tune_ok, sizeof(tune_ok));
}

/* Replies to open, channel.open and confirm.select only when all three have come. */
static void hears_before_it_answers(struct session *s)
{
    session_log_in(s, STEP_OPEN);
    session_read(s, 20, 10);
    session_read(s, 85, 10);
    session_send_method(s, 0, 10, 41, "S", "");
    session_send_method(s, 1, 20, 11, "T", "");
    session_send_method(s, 1, 85, 11, "");
    session_be_silent(s);
}

static void a_login_waits_for_no_answer_that_it_does_not_need(void **state)
{
    (void)state;
    play_broker(hears_before_it_answers);
    assert_true(log_in(HANG_MS));
}

/* ------------------------------------------------------------- main */

#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, broker_rows_setup, broker_case_teardown)

static const struct CMUnitTest single_cases[] = {
    CASE(a_virtual_host_that_is_too_long_is_named_by_its_setting),
    CASE(it_says_who_it_is_and_what_it_understands),
    CASE(a_login_waits_for_no_answer_that_it_does_not_need),
};

int main(void)
{
    static struct CMUnitTest tests[2 * ROWS + SINGLE_CASES];
    static char names[ROWS][100];

    broker_rows_add(rows, ROWS, tests, names);
    memcpy(tests + 2 * ROWS, single_cases, sizeof(single_cases));
    if (getenv("EMULATOR") && getenv("EMULATOR")[0]) /* qemu: no tcpi_bytes_received */
        cmocka_set_skip_filter("speaks TLS*");
    return cmocka_run_group_tests_name("broker login", tests, NULL, NULL);
}
