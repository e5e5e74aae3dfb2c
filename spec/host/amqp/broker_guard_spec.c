/* The spec of host/amqp/broker.c with a net/guard.h that only counts: nothing is guarded
 * any longer than a call takes, or the deadline of an event would end the connection of
 * the next one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "asserts.h"
#include "broker_case.h"
#include "net/guard.h"

static int guarded; /* this fd; -1: none */
static int starts;  /* of a guard */

bool guard_start(int fd, const struct deadline *deadline, struct err *err)
{
    (void)deadline, (void)err;
    guarded = fd;
    starts++;
    return true;
}

void guard_stop(void)
{
    guarded = -1;
}

bool guard_fired(void)
{
    return false;
}

static int setup(void **state)
{
    guarded = -1;
    starts = 0;
    return broker_case_setup(state);
}

static void assert_guarded_so_often(int times)
{
    assert_int_equal(starts, times);
    assert_int_equal(guarded, -1);
}

static void answers_the_question(struct session *s)
{
    ready(s, 0);
    if (session_read(s, 50, 10))
        session_send_method(s, 1, 50, 11, "Sll", "q", (uint32_t)0, (uint32_t)0);
    session_read(s, 10, 50);
}

static void closes_the_channel(struct session *s)
{
    ready(s, 0);
    if (session_read(s, 50, 10))
        session_send_channel_close(s, 404, "NOT_FOUND - no queue 'q' in vhost 'crashes'");
    session_read(s, 20, 41);
}

static void a_question_is_guarded(void **state)
{
    struct deadline deadline = deadline_in(MINUTE_MS);

    (void)state;
    play_broker(answers_the_question);
    assert_true(log_in(MINUTE_MS));
    starts = 0;
    assert_true(broker_ask(broker, "q", &deadline, &failure));
    assert_guarded_so_often(1);
    assert_true(broker_connected(broker));
}

static void a_question_with_a_no_is_guarded(void **state)
{
    struct deadline deadline = deadline_in(MINUTE_MS);

    (void)state;
    play_broker(closes_the_channel);
    assert_true(log_in(MINUTE_MS));
    starts = 0;
    assert_false(broker_ask(broker, "q", &deadline, &failure));
    assert_int_equal(failure.cause, CAUSE_NO_QUEUE);
    assert_guarded_so_often(1);
}

static void a_batch_is_guarded(void **state)
{
    (void)state;
    play_broker(acks_each);
    assert_true(log_in(MINUTE_MS));
    assert_int_equal(guarded, -1);
    starts = 0;
    fill(3, 36);
    assert_true(publish(MINUTE_MS));
    assert_guarded_so_often(1);
}

#define GUARD_CASE(function)                                   \
    {                                                          \
#function, function, setup, broker_case_teardown, NULL \
    }

int main(void)
{
    static const struct CMUnitTest tests[] = {
        GUARD_CASE(a_question_is_guarded),
        GUARD_CASE(a_question_with_a_no_is_guarded),
        GUARD_CASE(a_batch_is_guarded),
    };

    return cmocka_run_group_tests_name("broker, guarded", tests, NULL, NULL);
}
