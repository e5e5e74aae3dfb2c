/* The spec of host/amqp/login.c: by which mechanism it logs in, and what the broker's
 * START has to do with it. The broker is scripted (spec/support/fake_broker.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
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

/* ------------------------------------------------------------- main */

#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, broker_case_setup, broker_case_teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        CASE(a_certificate_sends_its_mechanism_and_nothing_else),
        CASE(a_token_may_come_without_a_user),
        CASE(what_the_broker_does_not_offer_is_not_tried),
    };

    return cmocka_run_group_tests_name("mechanism", tests, NULL, NULL);
}
