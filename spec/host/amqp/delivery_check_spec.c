/* The spec of host/amqp/delivery_check.c: what a publish that ends well proves, against a
 * scripted broker (spec/support/fake_broker.h); spec/system/connect_spec.lua has the
 * rest, with RabbitMQ. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "amqp/delivery_check.h"
#include "broker_case.h"

static bool check(void (*script)(struct session *session))
{
    struct deadline deadline = deadline_in(MINUTE_MS);
    struct delivery delivery = {.broker = broker};
    char host[32];
    bool ok;

    play_broker(script);
    snprintf(host, sizeof(host), "127.0.0.1:%d", fake->port);
    delivery.connector = connector_open(host, 5672, "off", &failure);
    assert_non_null(delivery.connector);
    ok = delivery_check_publish(&delivery, &deadline, &failure);
    connector_close(delivery.connector);
    return ok;
}

static void returns(struct session *s)
{
    ready(s, 1);
    session_send_return(s, 1, 312, "NO_ROUTE");
    session_send_ack(s, 1, false);
    session_be_silent(s);
}

static void acks(struct session *s)
{
    ready(s, 1);
    session_send_ack(s, 1, false);
    session_be_silent(s);
}

static void nacks(struct session *s)
{
    ready(s, 1);
    session_send_nack(s, 1, false);
    session_be_silent(s);
}

static void a_message_that_comes_back_is_proof(void **state)
{
    (void)state;
    assert_true(check(returns));
}

#define NO_PROOF                                                                      \
    "no queue has the name `pigeon check --connect: no queue has this name`, but a "  \
    "mandatory message for it did not come back, so no confirm proves that a queue "  \
    "has a message; next: is a proxy or another program in the way that answers for " \
    "RabbitMQ? connect to RabbitMQ itself"

static void a_confirm_alone_is_none(void **state)
{
    (void)state;
    assert_false(check(acks));
    assert_failure("confirm", 0, NO_PROOF);
}

static void nor_is_a_nack(void **state)
{
    (void)state;
    assert_false(check(nacks));
    assert_failure("confirm", 0, NO_PROOF);
}

#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, broker_case_setup, broker_case_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_message_that_comes_back_is_proof),
        CASE(a_confirm_alone_is_none),
        CASE(nor_is_a_nack),
    };

    return cmocka_run_group_tests_name("delivery check", tests, NULL, NULL);
}
