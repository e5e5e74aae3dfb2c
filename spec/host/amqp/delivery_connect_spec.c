/* The spec of host/amqp/delivery.c's connects: which host, how long, and when not to try.
 *
 * Hosts and clock are fakes: spec/support/fake/delivery_neighbours.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "delivery_case.h"
#include "fake/clock.h"
#include "fake/delivery_neighbours.h"

/* ------------------------------------------------------------- pauses */

static void refuse(void)
{
    world.words[0] = "127.0.0.1: Connection refused";
}

/* A new event every 10 ms for a minute, each without time to wait. */
static void connects_become_rare_while_the_broker_refuses(void **state)
{
    int64_t end_us = fake_clock.stopped_us + 60000000;

    (void)state;
    refuse();
    while (fake_clock.stopped_us < end_us) {
        deliver("a b", 105, no_turn);
        assert_string_equal(fates(), "uu");
        assert_words(0, "connect", 0, "a:1: " REFUSED);
        assert_string_equal(facts.broker_wide, "connect: a:1: " REFUSED);
        fake_clock.stopped_us += 10000;
    }
    assert_in_range(world.connects, 14,
                    19); /* at 0, 0.25, 0.75, 1.75, 3.75, 7.75, 11.75 ... */
}

static void an_event_with_time_waits_for_the_pause(void **state)
{
    (void)state;
    refuse();
    deliver("a", MINUTE_MS, no_turn);
    fake_clock.stopped_us += 30000;
    deliver("a", 319, no_turn); /* a millisecond too little */
    deliver("a", 320, no_turn);
    world.words[0] = NULL;
    deliver("a b c", MINUTE_MS, good);
    assert_string_equal(fates(), "ccc");
    assert_string_equal(
        diary, "connect:0 sleep:220 connect:0 sleep:500 connect:0 login publish:abc");
}

static void a_pause_is_over_after_a_success(void **state)
{
    (void)state;
    refuse();
    for (int i = 0; i < 3; i++)
        deliver("a", MINUTE_MS, no_turn);
    world.words[0] = NULL;
    deliver("a b c", MINUTE_MS, good);
    assert_int_equal(delivery.pause_ms, 0);
    world.connected = false;
    deliver("a b c", MINUTE_MS, good);
    world.connected = false;
    refuse();
    deliver("a", MINUTE_MS, no_turn);
    assert_int_equal(delivery.pause_ms, 250);
    assert_string_equal(
        diary, "connect:0 sleep:250 connect:0 sleep:500 connect:0 sleep:1000 connect:0 "
               "login publish:abc connect:0 login publish:abc connect:0");
}

static void an_empty_outbox_does_not_end_a_pause(void **state)
{
    (void)state;
    refuse();
    deliver("a", MINUTE_MS, no_turn);
    deliver("", MINUTE_MS, no_turn);
    deliver("a", 200, no_turn);
    assert_string_equal(diary, "connect:0");
    assert_words(0, "connect", 0, "a:1: " REFUSED);
}

static void login_and_publish_failures_pause_too(void **state)
{
    const struct turn turns[] = {{.fates = "-", .words = "gone"},
                                 {.fates = "-", .words = "gone"}};

    (void)state;
    world.login = "ACCESS_REFUSED";
    deliver("a", MINUTE_MS, no_turn);
    assert_string_equal(
        facts.broker_wide,
        "login: 403 a:1: ACCESS_REFUSED; next: check PIGEON_USER and "
        "PIGEON_PASSWORD (guest may log in only from the broker's own machine)");
    assert_int_equal(delivery.pause_ms, 250);
    world.login = NULL;
    deliver("a", MINUTE_MS, turns);
    assert_int_equal(delivery.pause_ms, 500);
    deliver("a", 200, no_turn);
    assert_words(0, "confirm", 0, "gone" LOG);
    assert_string_equal(diary,
                        "connect:0 login sleep:250 connect:0 login publish:a connect:0 "
                        "login publish:a");
}

/* The jitter comes from the microseconds of the clock. */
static void a_pause_is_up_to_a_quarter_longer(void **state)
{
    int64_t longest = 0;

    (void)state;
    refuse();
    for (int i = 0; i < 2000; i++) {
        memset(&delivery, 0, sizeof(delivery));
        delivery.pause_ms = 4000;
        fake_clock.stopped_us += 1007;
        deliver("a", MINUTE_MS, no_turn);
        assert_in_range(delivery.next_try_ms - clock_ms(), 4000, 4999);
        if (delivery.next_try_ms - clock_ms() > longest)
            longest = delivery.next_try_ms - clock_ms();
    }
    assert_true(longest > 4900);
}

/* ------------------------------------------------------------- hosts */

static void hosts_are_tried_in_order_from_the_last_that_worked(void **state)
{
    (void)state;
    world.hosts = 3;
    world.words[0] = "no route";
    deliver("a b c", MINUTE_MS, good);
    world.connected = false;
    deliver("a b c", MINUTE_MS, good);
    world.connected = false;
    world.words[1] = world.words[2] = "no route";
    world.words[0] = NULL;
    deliver("a b c", MINUTE_MS, good);
    assert_string_equal(fates(), "ccc");
    assert_string_equal(
        diary, "connect:0 connect:1 login publish:abc connect:1 login publish:abc "
               "connect:1 connect:2 connect:0 login publish:abc");
}

static void a_silent_host_does_not_eat_the_time_of_the_others(void **state)
{
    (void)state;
    world.hosts = 3;
    world.words[0] = "no answer to the connect";
    world.takes_ms[0] = -1;
    deliver("a b c", 6000, good);
    assert_string_equal(fates(), "ccc");
    assert_int_equal(world.share_ms[0], 2000);
    assert_int_equal(world.share_ms[1], 2000);
    assert_int_equal(facts.publish_us, 2000000);
    assert_string_equal(diary, "connect:0 connect:1 login publish:abc");
}

static void a_host_that_refuses_leaves_its_share_to_the_others(void **state)
{
    (void)state;
    world.hosts = 3;
    world.words[0] = "127.0.0.1: Connection refused";
    deliver("a b c", 6000, good);
    assert_int_equal(world.share_ms[0], 2000);
    assert_int_equal(world.share_ms[1], 3000);
}

static void all_hosts_together_get_ten_seconds(void **state)
{
    (void)state;
    world.hosts = 2;
    for (int i = 0; i < 2; i++) {
        world.words[i] = "no answer to the connect";
        world.takes_ms[i] = -1;
    }
    deliver("a", MINUTE_MS, no_turn);
    assert_int_equal(facts.publish_us, 10000000);
    assert_int_equal(world.share_ms[1], 5000);
    assert_string_equal(diary, "connect:0 connect:1");
}

static void every_host_has_its_words(void **state)
{
    (void)state;
    world.hosts = 2;
    world.words[0] = "127.0.0.1: Connection refused";
    world.words[1] = "no answer to the connect";
    deliver("a", MINUTE_MS, no_turn);
    assert_words(0, "connect", 0,
                 "a:1: " REFUSED " | b:2: no answer to the connect; next: check "
                 "PIGEON_HOST, security groups and routes");
}

static void the_broker_is_told_whose_certificate_to_expect(void **state)
{
    struct deadline deadline = deadline_in(MINUTE_MS);
    struct err failure = {0};

    (void)state;
    world.tls = "a";
    assert_true(delivery_connect(&delivery, &deadline, &failure));
    assert_string_equal(diary, "connect:0 login:a");
}

/* ------------------------------------------------------------- ahead of events */

static void connecting_ahead_of_the_first_event(void **state)
{
    struct deadline deadline = deadline_in(MINUTE_MS);
    struct err failure = {0};

    (void)state;
    refuse();
    assert_false(delivery_connect(&delivery, &deadline, &failure));
    assert_int_equal(failure.cause, CAUSE_CONNECT_REFUSED);
    assert_string_equal(failure.text, "a:1: 127.0.0.1: Connection refused");
    world.words[0] = NULL;
    assert_true(delivery_connect(&delivery, &deadline, &failure));
    assert_true(delivery_connect(&delivery, &deadline, &failure));
    deliver("a b c", MINUTE_MS, good);
    assert_int_equal(facts.reconnects, 0);
    assert_string_equal(diary, "connect:0 sleep:250 connect:0 login publish:abc");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(connects_become_rare_while_the_broker_refuses),
        CASE(an_event_with_time_waits_for_the_pause),
        CASE(a_pause_is_over_after_a_success),
        CASE(an_empty_outbox_does_not_end_a_pause),
        CASE(login_and_publish_failures_pause_too),
        CASE(a_pause_is_up_to_a_quarter_longer),
        CASE(hosts_are_tried_in_order_from_the_last_that_worked),
        CASE(a_silent_host_does_not_eat_the_time_of_the_others),
        CASE(a_host_that_refuses_leaves_its_share_to_the_others),
        CASE(all_hosts_together_get_ten_seconds),
        CASE(every_host_has_its_words),
        CASE(the_broker_is_told_whose_certificate_to_expect),
        CASE(connecting_ahead_of_the_first_event),
    };

    return cmocka_run_group_tests_name("delivery connect", tests, NULL, NULL);
}
