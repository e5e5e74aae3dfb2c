/* The spec of host/amqp/delivery.c: the fates of the messages where the broker confirms,
 * returns or refuses them, and where the connection ends.
 *
 * Broker and clock are fakes: spec/support/fake/delivery_neighbours.h. reconnect_spec
 * tests the same with sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "delivery_case.h"
#include "fake/clock.h"
#include "fake/delivery_neighbours.h"

#define NO_TIME                                                                        \
    "no time left before the deadline to connect; next: give the function more time, " \
    "or smaller batches"
#define NACKED                                                   \
    "basic.nack: refused by the queue; next: is the queue full " \
    "(overflow=reject-publish), or its leader gone?"

/* ------------------------------------------------------------- ordinary */

static void everything_is_confirmed_over_one_connection(void **state)
{
    (void)state;
    world.takes_ms[0] = 3;
    deliver("a b c", MINUTE_MS, (const struct turn[]){{.fates = "ccc", .takes_ms = 2}});
    assert_string_equal(fates(), "ccc");
    assert_int_equal(facts.confirmed, 3);
    assert_int_equal(facts.reconnects, 0);
    assert_int_equal(facts.connect_us, 3000);
    assert_int_equal(facts.publish_us, 5000);
    assert_string_equal(facts.broker_wide, "");
    deliver("a b c", MINUTE_MS, good);
    assert_int_equal(facts.connect_us, 0);
    assert_string_equal(diary, "connect:0 login publish:abc publish:abc");
}

static void an_empty_outbox_touches_nothing(void **state)
{
    (void)state;
    deliver("", MINUTE_MS, no_turn);
    assert_string_equal(diary, "");
    assert_int_equal(facts.publish_us, 0);
}

static void a_return_is_final(void **state)
{
    (void)state;
    deliver("a b c", MINUTE_MS, (const struct turn[]){{.fates = "crc"}});
    assert_string_equal(fates(), "crc");
    assert_words(1, "publish", 312, "NO_ROUTE");
    assert_int_equal(facts.confirmed, 2);
    assert_string_equal(facts.broker_wide, "");
    assert_string_equal(diary, "connect:0 login publish:abc");
}

/* ------------------------------------------------------------- reconnecting */

static void what_has_no_fate_is_published_again_over_a_new_connection(void **state)
{
    const struct turn turns[] = {{.fates = "c-r-", .words = "gone"}, {.fates = "cc"}};

    (void)state;
    deliver("a b c d", MINUTE_MS, turns);
    assert_string_equal(fates(), "ccrc");
    assert_int_equal(facts.reconnects, 1);
    assert_string_equal(facts.broker_wide, "");
    assert_string_equal(diary, "connect:0 login publish:abcd connect:0 login publish:bd");
}

static void not_a_third_time(void **state)
{
    const struct turn turns[] = {{.fates = "c--", .words = "gone"},
                                 {.fates = "c-", .words = "gone again"},
                                 {.fates = "c"}};

    (void)state;
    deliver("a b c", MINUTE_MS, turns);
    assert_string_equal(fates(), "ccu");
    assert_words(2, "confirm", 0, "gone again" LOG);
    assert_int_equal(facts.confirmed, 2);
    assert_int_equal(facts.reconnects, 1);
    assert_string_equal(facts.broker_wide, "confirm: gone again" LOG);
    assert_string_equal(diary, "connect:0 login publish:abc connect:0 login publish:bc");
}

static void a_reconnect_that_fails_says_why(void **state)
{
    const struct turn turns[] = {{.fates = "c-", .words = "gone"}};

    (void)state;
    deliver("", MINUTE_MS, no_turn);
    world.connected = true;
    world.words[0] = "127.0.0.1: Connection refused";
    deliver("a b", MINUTE_MS, turns);
    assert_string_equal(fates(), "cu");
    assert_words(1, "connect", 0, "a:1: " REFUSED);
    assert_string_equal(diary, "publish:ab connect:0");
}

static void what_cannot_be_mended_is_not_tried_again(void **state)
{
    const struct turn turns[] = {{.fates = "c-", .words = "blocked", .final = true}};

    (void)state;
    deliver("a b", MINUTE_MS, turns);
    assert_string_equal(fates(), "cu");
    assert_words(1, "confirm", 0, "blocked" LOG);
    assert_string_equal(diary, "connect:0 login publish:ab");
}

static void too_late_to_reconnect_keeps_the_first_cause(void **state)
{
    const struct turn late[] = {{.fates = "-", .words = "gone", .takes_ms = 950}};
    const struct turn too_late[] = {{.fates = "-", .words = "gone", .takes_ms = 1000}};

    (void)state;
    deliver("a", 1000, late);
    assert_words(0, "confirm", 0, "gone" LOG);
    delivery_case_setup(NULL);
    deliver("a", 1000, too_late);
    assert_words(0, "confirm", 0, "gone" LOG);
    assert_string_equal(diary, "connect:0 login publish:a");
}

static void a_deadline_that_has_passed_touches_nothing(void **state)
{
    (void)state;
    deliver("a", 0, no_turn);
    assert_words(0, "connect", 0, NO_TIME);
    assert_string_equal(facts.broker_wide, "connect: " NO_TIME);
    world.words[0] = "127.0.0.1: Connection refused";
    deliver("a", MINUTE_MS, no_turn);
    fake_clock.stopped_us += 100000000; /* longer than any pause */
    deliver("a", -5000, no_turn);
    assert_words(0, "connect", 0, NO_TIME);
    assert_string_equal(diary, "connect:0");
}

/* ------------------------------------------------------------- nacks */

static void a_nack_is_tried_five_times_more(void **state)
{
    const struct turn turns[] = {{.fates = "cnrn"}, {.fates = "nn"}, {.fates = "cn"},
                                 {.fates = "n"},    {.fates = "n"},  {.fates = "n"}};

    (void)state;
    deliver("a b c d", MINUTE_MS, turns);
    assert_string_equal(fates(), "ccrn");
    assert_words(3, "confirm", 0, NACKED);
    assert_int_equal(facts.confirmed, 2);
    assert_string_equal(facts.broker_wide, "");
    assert_string_equal(diary,
                        "connect:0 login publish:abcd sleep:50 publish:bd sleep:100 "
                        "publish:bd drop sleep:200 connect:0 login publish:d "
                        "drop sleep:400 connect:0 login publish:d "
                        "drop sleep:800 connect:0 login publish:d");
}

static void
a_silent_broker_is_given_up_at_half_time_where_there_is_another_host(void **state)
{
    const struct turn turns[] = {
        {.fates = "-", .words = "no answer in time", .silent = true}, {.fates = "c"}};
    int64_t start_ms = clock_ms();

    (void)state;
    world.hosts = 2;
    deliver("a", MINUTE_MS, turns);
    assert_string_equal(fates(), "c");
    assert_string_equal(diary, "connect:0 login publish:a connect:1 login publish:a");
    assert_in_range(clock_ms() - start_ms, MINUTE_MS / 2 - 1, MINUTE_MS / 2 + 1);
}

static void the_only_host_has_all_of_the_time(void **state)
{
    const struct turn turns[] = {
        {.fates = "-", .words = "no answer in time", .silent = true}};
    int64_t start_ms = clock_ms();

    (void)state;
    deliver("a", MINUTE_MS, turns);
    assert_string_equal(diary, "connect:0 login publish:a");
    assert_in_range(clock_ms() - start_ms, MINUTE_MS - 1, MINUTE_MS + 1);
}

/* By the timer of guard and watchdog, which stays armed. */
static void a_pause_goes_on_after_a_signal(void **state)
{
    const struct turn turns[] = {{.fates = "n"}, {.fates = "c"}};

    (void)state;
    fake_clock.interrupt_sleep = true;
    deliver("a", MINUTE_MS, turns);
    assert_false(fake_clock.interrupt_sleep);
    assert_string_equal(diary, "connect:0 login publish:a sleep:25 publish:a");
}

/* A round for nacks that fails, too, is followed by no other reconnect. */
static void an_event_has_one_reconnect(void **state)
{
    const struct turn turns[] = {
        {.fates = "-", .words = "lost"}, {.fates = "n"}, {.fates = "-", .words = "lost"}};

    (void)state;
    deliver("a", MINUTE_MS, turns);
    assert_words(0, "confirm", 0, "lost" LOG);
    assert_string_equal(diary, "connect:0 login publish:a connect:0 login publish:a "
                               "sleep:50 publish:a");
}

static void nacks_end_after_three_seconds(void **state)
{
    const struct turn turns[] = {{.fates = "n", .takes_ms = 5000},
                                 {.fates = "n", .takes_ms = 1400},
                                 {.fates = "n", .takes_ms = 1400}};

    (void)state;
    deliver("a", MINUTE_MS, turns);
    assert_string_equal(fates(), "n");
    assert_words(0, "confirm", 0, NACKED);
    assert_string_equal(
        diary, "connect:0 login publish:a sleep:50 publish:a sleep:100 publish:a");
}

static void nacks_end_with_the_deadline(void **state)
{
    const struct turn turns[] = {{.fates = "n"}, {.fates = "n"}, {.fates = "n"}};

    (void)state;
    deliver("a", 300, turns);
    assert_words(0, "confirm", 0, NACKED);
    assert_string_equal(
        diary, "connect:0 login publish:a sleep:50 publish:a sleep:100 publish:a");
    assert_int_equal(facts.publish_us, 150000);
}

static void a_nacked_message_whose_connection_then_ends_is_unknown(void **state)
{
    const struct turn turns[] = {{.fates = "nn"},
                                 {.fates = "n-", .words = "gone"},
                                 {.fates = "-", .words = "gone"}};

    (void)state;
    deliver("a b", MINUTE_MS, turns);
    assert_string_equal(fates(), "nu");
    assert_words(0, "confirm", 0, NACKED);
    assert_words(1, "confirm", 0, "gone" LOG);
}

/* ------------------------------------------------------------- exchanges */

#define WRITE                                                                  \
    "; next: give the user write permission on the exchange (amq.default for " \
    "queues)"
#define MISSING "; next: declare the exchange, or correct its name in the rules"

static void a_missing_exchange_harms_only_those_that_name_it(void **state)
{
    static const char x[] = "NOT_FOUND - no exchange 'x' in vhost '/'";
    static const char y[] = "NOT_FOUND - no exchange 'y' in vhost '/'";
    const struct turn turns[] = {{.fates = "c-----", .words = x, .code = 404},
                                 {.fates = "c--", .words = y, .code = 404},
                                 {.fates = "c"}};

    (void)state;
    deliver("a b:x c d:y e f:x", MINUTE_MS, turns);
    assert_string_equal(fates(), "cucucu");
    assert_words(1, "confirm", 404, "NOT_FOUND - no exchange 'x' in vhost '/'" MISSING);
    assert_words(3, "confirm", 404, "NOT_FOUND - no exchange 'y' in vhost '/'" MISSING);
    assert_words(5, "confirm", 404, "NOT_FOUND - no exchange 'x' in vhost '/'" MISSING);
    assert_string_equal(facts.broker_wide, "");
    assert_int_equal(delivery.pause_ms, 0);
    assert_string_equal(diary,
                        "connect:0 login publish:abcdef connect:0 login publish:cde "
                        "connect:0 login publish:e");
}

/* RabbitMQ with topic permissions. */
static void a_refused_topic_harms_no_other_of_its_exchange(void **state)
{
    static const char words[] = "ACCESS_REFUSED - access to topic 'k' in exchange 'x' in "
                                "vhost '/' refused for user 'u'";
    const struct turn turns[] = {{.fates = "---", .words = words, .code = 403},
                                 {.fates = "cc"}};

    (void)state;
    deliver("a:x b:x/k c", MINUTE_MS, turns);
    assert_string_equal(fates(), "cuc");
    assert_string_equal(facts.broker_wide, "");
}

static void a_refused_default_exchange_harms_the_queues(void **state)
{
    static const char words[] = "ACCESS_REFUSED - access to exchange 'amq.default' in "
                                "vhost '/' refused for user 'u'";
    const struct turn turns[] = {{.fates = "---", .words = words, .code = 403},
                                 {.fates = "c"}};

    (void)state;
    deliver("a b:x c", MINUTE_MS, turns);
    assert_string_equal(fates(), "ucu");
    assert_words(0, "confirm", 403,
                 "ACCESS_REFUSED - access to exchange 'amq.default' in vhost '/' refused "
                 "for user 'u'" WRITE);
    assert_string_equal(facts.broker_wide, "");
}

static void a_user_who_may_write_nowhere_is_the_brokers_cause(void **state)
{
    static const char words[] = "ACCESS_REFUSED - access to exchange 'amq.default' in "
                                "vhost '/' refused for user 'u'";
    const struct turn turns[] = {{.fates = "--", .words = words, .code = 403}};

    (void)state;
    deliver("a b", MINUTE_MS, turns);
    assert_string_equal(fates(), "uu");
    assert_string_equal(facts.broker_wide,
                        "confirm: 403 ACCESS_REFUSED - access to exchange 'amq.default' "
                        "in vhost '/' refused for user 'u'" WRITE);
}

/* What else failed has a cause of its own. */
static void a_refused_exchange_is_not_the_cause_of_a_return(void **state)
{
    static const char words[] = "ACCESS_REFUSED - access to exchange 'amq.default' in "
                                "vhost '/' refused for user 'u'";
    const struct turn turns[] = {{.fates = "--", .words = words, .code = 403},
                                 {.fates = "r"}};

    (void)state;
    deliver("a b:x", MINUTE_MS, turns);
    assert_string_equal(fates(), "ur");
    assert_string_equal(facts.broker_wide, "");
}

/* A limit is NOT_ALLOWED too, and may be over soon; the words are somebody's names. */
static void what_no_retry_fixes_is_lasting(void **state)
{
    static const struct {
        const char *words;
        int code;
        bool lasting;
    } cases[] = {{"ACCESS_REFUSED", 403, true},
                 {"PRECONDITION_FAILED", 406, true},
                 {"NOT_ALLOWED - access to vhost 'no limit' refused", 530, true},
                 {"CONNECTION_FORCED", 320, false},
                 {"connection lost", 0, false}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct turn turns[] = {{.fates = "-",
                                      .words = cases[i].words,
                                      .code = cases[i].code,
                                      .final = true}};

        delivery_case_setup(NULL);
        deliver("a", MINUTE_MS, turns);
        assert_int_equal(outbox.messages[0].lasting, cases[i].lasting);
    }
    delivery_case_setup(NULL);
    world.login =
        "NOT_ALLOWED - connection refused: node connection limit (1) is reached";
    world.code = 530;
    world.cause = CAUSE_CONNECTION_LIMIT;
    deliver("a", MINUTE_MS, no_turn);
    assert_false(outbox.messages[0].lasting);
}

static void an_exchange_that_nothing_names_is_an_ordinary_failure(void **state)
{
    static const char words[] = "NOT_FOUND - no exchange 'xy' in vhost '/'";
    const struct turn turns[] = {{.fates = "--", .words = words, .code = 404},
                                 {.fates = "--", .words = words, .code = 404}};

    (void)state;
    deliver("a b:x", MINUTE_MS, turns);
    assert_string_equal(fates(), "uu");
    assert_string_equal(diary, "connect:0 login publish:ab connect:0 login publish:ab");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(everything_is_confirmed_over_one_connection),
        CASE(an_empty_outbox_touches_nothing),
        CASE(a_return_is_final),
        CASE(what_has_no_fate_is_published_again_over_a_new_connection),
        CASE(not_a_third_time),
        CASE(a_reconnect_that_fails_says_why),
        CASE(what_cannot_be_mended_is_not_tried_again),
        CASE(too_late_to_reconnect_keeps_the_first_cause),
        CASE(a_deadline_that_has_passed_touches_nothing),
        CASE(a_nack_is_tried_five_times_more),
        CASE(a_silent_broker_is_given_up_at_half_time_where_there_is_another_host),
        CASE(the_only_host_has_all_of_the_time),
        CASE(a_pause_goes_on_after_a_signal),
        CASE(an_event_has_one_reconnect),
        CASE(nacks_end_after_three_seconds),
        CASE(nacks_end_with_the_deadline),
        CASE(a_nacked_message_whose_connection_then_ends_is_unknown),
        CASE(a_missing_exchange_harms_only_those_that_name_it),
        CASE(a_refused_topic_harms_no_other_of_its_exchange),
        CASE(a_refused_default_exchange_harms_the_queues),
        CASE(a_user_who_may_write_nowhere_is_the_brokers_cause),
        CASE(a_refused_exchange_is_not_the_cause_of_a_return),
        CASE(what_no_retry_fixes_is_lasting),
        CASE(an_exchange_that_nothing_names_is_an_ordinary_failure),
    };

    return cmocka_run_group_tests_name("delivery", tests, NULL, NULL);
}
