/* The spec of host/amqp/login.c: by which mechanism it logs in, and what the broker's
 * START has to do with it. The broker is scripted (spec/support/fake_broker.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "asserts.h"
#include "broker_case.h"

static const char *offered; /* the mechanisms */

/* The broker of a case, with another login. */
static void open_as(bool external, const char *user, const char *password)
{
    const struct login login = {.virtual_host = "crashes",
                                .user = user,
                                .password = password,
                                .external = external,
                                .connection_name = "pigeon"};

    broker_close(broker);
    broker = broker_open(&login);
    assert_non_null(broker);
}

/* ------------------------------------------------------------- mechanisms */

static void offers(struct session *s)
{
    session_log_in(s, STEP_HEADER);
    session_send_method(s, 0, 10, 10, "ooTTT", 0, 9, "", offered, "en_US");
    if (session_read(s, 10, 11))
        session_send_close(s, 403, "ACCESS_REFUSED - Login was refused");
    session_read(s, 10, 51);
}

/* Behind the table of properties: the mechanism, the response, the locale. */
static void assert_response(const char *wanted, size_t len)
{
    assert_true(fake->start_ok_len > len);
    assert_memory_equal(fake->start_ok + fake->start_ok_len - len, wanted, len);
}

static void a_certificate_sends_its_mechanism_and_nothing_else(void **state)
{
    static const char sent[] = "\x08"
                               "EXTERNAL"
                               "\0\0\0\0"
                               "\x05"
                               "en_US";

    (void)state;
    open_as(true, NULL, NULL);
    offered = "PLAIN EXTERNAL";
    play_broker(offers);
    assert_false(log_in(HANG_MS));
    assert_int_equal(failure.cause, CAUSE_CERTIFICATE_REFUSED);
    assert_string_equal(failure.text, "ACCESS_REFUSED - Login was refused");
    fake_broker_stop(fake);
    assert_response(sent, sizeof(sent) - 1);
}

static void a_token_may_come_without_a_user(void **state)
{
    static const char sent[] = "\x05"
                               "PLAIN"
                               "\0\0\0\x0a"
                               "\0\0eyJa.b.c"
                               "\x05"
                               "en_US";

    (void)state;
    open_as(false, "", "eyJa.b.c");
    offered = "EXTERNAL PLAIN";
    play_broker(offers);
    assert_false(log_in(HANG_MS));
    assert_int_equal(failure.cause, CAUSE_TOKEN_REFUSED);
    fake_broker_stop(fake);
    assert_response(sent, sizeof(sent) - 1);
}

static void what_the_broker_does_not_offer_is_not_tried(void **state)
{
    static const struct {
        bool external;
        const char *offered;
        const char *words;
        enum cause cause;
    } cases[] = {
        {true, "PLAIN AMQPLAIN",
         "the broker does not offer the mechanism EXTERNAL (and this is not TLS); it "
         "offers \"PLAIN AMQPLAIN\"",
         CAUSE_NO_EXTERNAL},
        {true, "EXTERNALS XEXTERNAL",
         "the broker does not offer the mechanism EXTERNAL (and this is not TLS); it "
         "offers \"EXTERNALS XEXTERNAL\"",
         CAUSE_NO_EXTERNAL},
        {true, "",
         "the broker does not offer the mechanism EXTERNAL (and this is not TLS); it "
         "offers \"\"",
         CAUSE_NO_EXTERNAL},
        {false, "EXTERNAL\x1b[2J",
         "the broker does not offer the mechanism PLAIN; it offers \"EXTERNAL?[2J\"",
         CAUSE_NO_PLAIN},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        open_as(cases[i].external, "u", "p");
        offered = cases[i].offered;
        play_broker(offers);
        assert_false(log_in(HANG_MS));
        assert_string_equal(failure.stage, "login");
        assert_string_equal(failure.text, cases[i].words);
        assert_int_equal(failure.cause, cases[i].cause);
        fake_broker_stop(fake);
        assert_int_equal(fake->start_ok_len, 0);
        fake_broker_free(fake);
        fake = NULL;
    }
}

/* ------------------------------------------------------------- long passwords */

#define FRAME 200 /* a START-OK has fewer bytes beside the password */

static const char *product, *version; /* of the broker; NULL: it has no properties */
static enum { REFUSES, HANGS_UP, RESETS } then;

static size_t add_text(char *table, size_t len, const char *key, const char *value)
{
    size_t text = strlen(value);

    table[len++] = (char)strlen(key);
    len += (size_t)sprintf(table + len, "%s", key);
    table[len++] = 'S';
    memcpy(table + len, (const char[]){0, 0, 0, (char)text}, 4);
    memcpy(table + len + 4, value, text);
    return len + 4 + text;
}

/* A START with properties; then reads what comes, and does as `then` says. */
static void starts(struct session *s)
{
    static const char rest[] = "\0\0\0\x05"
                               "PLAIN"
                               "\0\0\0\x05"
                               "en_US";
    char payload[300] = {0, 10, 0, 10, 0, 9};
    size_t len = 10, table;

    session_log_in(s, STEP_HEADER);
    if (product) {
        len = add_text(payload, len, "product", product);
        len = add_text(payload, len, "version", version);
    }
    table = len - 10;
    payload[8] = (char)(table >> 8);
    payload[9] = (char)table;
    memcpy(payload + len, rest, sizeof(rest) - 1);
    session_send_frame(s, 1, 0, payload, len + sizeof(rest) - 1);
    if (session_read(s, 10, 11) && then == REFUSES) {
        session_send_close(s, 403, "ACCESS_REFUSED");
        session_read(s, 10, 51);
    }
    if (then == RESETS)
        session_reset(s);
}

/* How long the password is, and what is said of it; NULL: nothing. */
static void a_password_that_no_first_frame_takes_is_named(void **state)
{
    static const struct {
        const char *product, *version;
        size_t password;
        int then;
        const char *words;
        bool sent;
    } cases[] = {
        {"RabbitMQ", "3.10.8", 4096 - FRAME, REFUSES, NULL, true},
        {"RabbitMQ", "3.10.8", 4096, RESETS, "at most 4096 can be sent to", false},
        {"RabbitMQ", "3.13.7", 9000, RESETS, "at most 4096 can be sent to", false},
        {"RabbitMQ", "4.0.5", 4096, RESETS, "at most 4096 can be sent to", false},
        {"RabbitMQ", "4.1.0", 8192 - FRAME, HANGS_UP, NULL, true},
        {"RabbitMQ", "4.1.0", 8192, HANGS_UP, "it takes 8192, unless its", true},
        {"RabbitMQ", "4.3.6", 8192, RESETS, "it takes 8192, unless its", true},
        {"RabbitMQ", "4.3.6", 8192, REFUSES, NULL, true},
        {"RabbitMQ", "4.3.6", 60000, REFUSES, NULL, true},
        {"RabbitMQ", "4.3.6", 65528, REFUSES, "at most 65528 can be sent to", false},
        {"RabbitMQ", "10.0.0", 5000, RESETS, NULL, true},
        {"RabbitMQ", "next", 5000, RESETS, "it takes 4096, unless its", true},
        {"Another", "1.0.0", 5000, RESETS, "it takes 4096, unless its", true},
        {"Another", "1.0.0", 5000, REFUSES, NULL, true},
        {NULL, NULL, 5000, HANGS_UP, "it takes 4096, unless its", true},
        {NULL, NULL, 100, RESETS, NULL, true},
    };
    static char password[70000];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(password, 'p', sizeof(password));
        password[cases[i].password] = '\0';
        open_as(false, "u", password);
        product = cases[i].product;
        version = cases[i].version;
        then = cases[i].then;
        play_broker(starts);
        assert_false(log_in(HANG_MS));
        assert_string_equal(failure.stage, "login");
        assert_int_equal(failure.cause == CAUSE_PASSWORD_TOO_LONG,
                         cases[i].words != NULL);
        if (cases[i].words && !strstr(failure.text, cases[i].words))
            fail_msg("case %zu: \"%s\" is not in: %s", i, cases[i].words, failure.text);
        assert_null(strstr(failure.text, "ppp"));
        fake_broker_stop(fake);
        assert_int_equal(fake->start_ok_len > 0, cases[i].sent);
        fake_broker_free(fake);
        fake = NULL;
    }
}

/* ------------------------------------------------------------- main */

#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, broker_case_setup, broker_case_teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        CASE(a_certificate_sends_its_mechanism_and_nothing_else),
        CASE(a_token_may_come_without_a_user),
        CASE(what_the_broker_does_not_offer_is_not_tried),
        CASE(a_password_that_no_first_frame_takes_is_named),
    };

    return cmocka_run_group_tests_name("mechanism", tests, NULL, NULL);
}
