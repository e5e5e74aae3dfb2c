/* The spec of host/amqp/advice.c and failure.c: the texts of RabbitMQ and of the
 * system, and the advice for an operator. The .c file is included, so that the spec can
 * find a row that no text matches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "amqp/advice.c"
#include "amqp/failure.h"

struct situation {
    const char *stage;
    int code;
    const char *cause;
    const char *advice; /* the beginning of it */
};

/* The order is that of a connection's life. The brokers' texts are those of RabbitMQ
 * 3.10, and 3.13 where that answers differently. */
static const struct situation situations[] = {
    {"secrets", 0,
     "PIGEON_PASSWORD: kms Decrypt: AccessDeniedException: User: arn:aws:sts::1:x is not "
     "authorized to perform: kms:Decrypt",
     "allow the function's role to read it"},
    {"secrets", 0, "PIGEON_USER: ssm GetParameter: ThrottlingException: Rate exceeded",
     "check the variable's value, the role"},
    {"resolve", 0, "Name or service not known", "check PIGEON_HOST, and the name"},
    {"resolve", 0, "the name look-up took too long", "check PIGEON_HOST, and the name"},
    {"connect", 0, "127.0.0.1: Connection refused", "is RabbitMQ running"},
    {"connect", 0, "no time left before the deadline to connect",
     "give the function more time"},
    {"connect", 0, "::1: No route to host", "check PIGEON_HOST, security groups"},
    {"connect", 0, "10.0.0.1: no answer to the connect",
     "check PIGEON_HOST, security groups"},

    /* A TLS port, another protocol, a listener at its limit (3.10), bad SASL. */
    {"login", 0, "no answer in time", "is PIGEON_PORT an AMQP port"},
    {"login", 0, "the broker's end closed the connection", "is PIGEON_PORT an AMQP port"},
    {"login", 0, "invalid AMQP data", "is PIGEON_PORT an AMQP port"},
    {"login", 0, "unsupported sasl method requested", "allow the mechanism PLAIN"},
    {"login", 403,
     "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For "
     "details see the broker logfile.",
     "check PIGEON_USER and PIGEON_PASSWORD"},
    {"login", 530, "NOT_ALLOWED - vhost crashes not found", "check PIGEON_VIRTUAL_HOST"},
    {"login", 530, "NOT_ALLOWED - access to vhost 'crashes' refused for user 'pigeon'",
     "give the user permissions there"},
    {"login", 530, "NOT_ALLOWED - access to vhost 'no limit' refused for user 'pigeon'",
     "give the user permissions there"},
    {"login", 530,
     "NOT_ALLOWED - access to vhost 'crashes' refused for user 'pigeon': connection "
     "limit (10) is reached",
     "raise the limit on the broker"},
    {"login", 530,
     "NOT_ALLOWED - connection refused for user 'pigeon': user connection limit (10) is "
     "reached",
     "raise the limit on the broker"},
    {"login", 530,
     "NOT_ALLOWED - connection refused: node connection limit (10) is reached",
     "raise the limit on the broker"},
    {"login", 530,
     "NOT_ALLOWED - negotiated frame_max = 1024 is lower than the minimum allowed value "
     "(4096)",
     "see the broker's log"},
    {"login", 541,
     "INTERNAL_ERROR - access to vhost 'crashes' refused for user 'pigeon': vhost "
     "'crashes' is down",
     "start the vhost"},

    {"tls", 0, "the certificate of \"CN=broker\" expired on 2024-05-06 07:08:09 UTC",
     "renew the broker's certificate"},
    {"tls", 0, "the certificate of \"CN=broker\" is not yet valid, before 2044-05-06 ...",
     "is the broker's clock right"},
    {"tls", 0, "unknown issuer: \"CN=CA\" is not among the CAs of /ca.pem",
     "put the issuer's certificate into a file"},
    {"tls", 0, "the certificate is not for \"a\", but for \"CN=broker\", b, ::1",
     "set PIGEON_HOST to a name in the certificate"},
    {"tls", 0, "the broker's port does not speak TLS",
     "is PIGEON_PORT a port without TLS?"},
    {"tls", 0, "the broker's port expects TLS", "set PIGEON_TLS=on"},
    {"tls", 0, "the broker asks for a client certificate (handshake failure)",
     "set PIGEON_TLS_CERT_FILE"},
    {"tls", 0, "the broker refuses the client certificate (unknown ca)",
     "check PIGEON_TLS_CERT_FILE"},
    {"tls", 0, "no TLS version or cipher in common (unsupported protocol)",
     "allow TLS 1.2 or 1.3"},
    {"tls", 0, "PIGEON_TLS_KEY_FILE: /key.pem: No such file or directory",
     "correct the file, or the variable"},
    {"tls", 0, "/ca.pem: no certificate in it (PEM)", "correct the file of CAs"},
    {"tls", 0, "no answer in time", "is PIGEON_PORT a port with TLS"},
    {"tls", 0, "the broker's end closed the connection",
     "see the broker's log; is PIGEON"},

    {"channel", 0, "no answer in time", "is the broker overloaded, frozen"},
    {"publish", 0, "no answer in time", "is the broker overloaded, frozen"},
    {"confirm", 0, "no answer in time", "is the broker overloaded, frozen"},
    {"confirm", 0, "connection lost: Connection timed out", "is the broker overloaded"},
    {"publish", 312, "NO_ROUTE", "declare the queue"},
    {"publish", 403,
     "ACCESS_REFUSED - access to exchange 'amq.default' in vhost '/' refused for user "
     "'pigeon'",
     "give the user write permission on the exchange"},
    {"publish", 404, "NOT_FOUND - no exchange 'crashes' in vhost '/'",
     "declare the exchange"},
    {"ask", 404, "NOT_FOUND - no queue 'normal' in vhost '/'", "declare the queue"},
    {"publish", 406,
     "PRECONDITION_FAILED - message size 17825792 is larger than configured max size "
     "16777216",
     "see the broker's log"},
    {"confirm", 0, "basic.nack: refused by the queue", "is the queue full"},
    {"confirm", 0, "the broker takes no messages (connection.blocked): low on memory",
     "free memory or disk space on the broker"},
    {"confirm", 320,
     "CONNECTION_FORCED - broker forced connection closure with reason "
     "'shutdown'",
     "an operator closed the connection or stopped the node"},
    {"login", 320, "CONNECTION_FORCED - Node was put into maintenance mode",
     "an operator closed the connection or stopped the node"},
    {"confirm", 505, "UNEXPECTED_FRAME - expected content header for class 60",
     "see the broker's log"},
    {"confirm", 0, "connection lost: Connection reset by peer", "see the broker's log"},
    {"confirm", 0, "heartbeat timeout, connection closed",
     "is the broker overloaded, frozen"},
};

#define SITUATIONS (sizeof(situations) / sizeof(situations[0]))
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static void each_situation_has_its_advice(void **state)
{
    (void)state;
    for (size_t i = 0; i < SITUATIONS; i++) {
        const struct situation *s = &situations[i];
        char begins[sizeof(((struct failure *)0)->text)] = "";

        strncat(begins, advice_for(s->stage, s->code, s->cause), strlen(s->advice));
        if (strcmp(begins, s->advice) != 0)
            print_error("%s %d %s\n", s->stage, s->code, s->cause);
        assert_string_equal(begins, s->advice);
    }
}

static bool reached(const struct row *row)
{
    for (size_t i = 0; i < SITUATIONS; i++)
        if (advice_for(situations[i].stage, situations[i].code, situations[i].cause) ==
            row->advice)
            return true;
    return false;
}

static void each_row_is_reached(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        if (!reached(&rows[i]))
            print_error("no situation reaches: %s\n", rows[i].advice);
        assert_true(reached(&rows[i]));
    }
}

static void a_failure_is_the_cause_and_the_next_step(void **state)
{
    struct failure failure = {.final = true};

    (void)state;
    assert_false(failure_set(&failure, "login", 530, "NOT_ALLOWED - vhost %s not found",
                             "crashes"));
    assert_string_equal(failure.stage, "login");
    assert_int_equal(failure.code, 530);
    assert_false(failure.final);
    assert_string_equal(failure.text,
                        "NOT_ALLOWED - vhost crashes not found; next: check "
                        "PIGEON_VIRTUAL_HOST");
}

static void a_long_cause_leaves_room_for_the_next_step(void **state)
{
    struct failure failure;
    char cause[2000];
    const char *advice = "; next: check PIGEON_VIRTUAL_HOST";

    (void)state;
    memset(cause, 'x', sizeof(cause));
    memcpy(cause, "not found", 9);
    cause[sizeof(cause) - 1] = '\0';
    failure_set(&failure, "login", 530, "%s", cause);
    assert_string_equal(failure.text + strlen(failure.text) - strlen(advice), advice);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_situation_has_its_advice),
        cmocka_unit_test(each_row_is_reached),
        cmocka_unit_test(a_failure_is_the_cause_and_the_next_step),
        cmocka_unit_test(a_long_cause_leaves_room_for_the_next_step),
    };

    return cmocka_run_group_tests_name("failure", tests, NULL, NULL);
}
