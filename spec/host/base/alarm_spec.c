/* The spec of host/base/alarm.c: when the function is called, and that it is called once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <time.h>

#include "base/alarm.h"

#define GENEROUS_MS 60000

static volatile sig_atomic_t rang, rang_other;

static void ring(void)
{
    rang++;
}

static void ring_other(void)
{
    rang_other++;
}

static void set(int64_t ms, void (*action)(void))
{
    struct deadline deadline = deadline_in(ms);
    struct err err = {0};

    assert_true(alarm_set(&deadline, action, &err));
}

/* Until it rang, or for ever so long. */
static void wait_for(volatile sig_atomic_t *bell)
{
    struct timespec nap = {.tv_nsec = 1000000};
    int64_t end_ms = clock_ms() + GENEROUS_MS;

    while (*bell == 0 && clock_ms() < end_ms)
        nanosleep(&nap, NULL);
}

static int setup(void **state)
{
    (void)state;
    alarm_clear();
    rang = rang_other = 0;
    return 0;
}

static void it_calls_the_function_at_the_end(void **state)
{
    int64_t end_ms = clock_ms() + 30;

    (void)state;
    set(30, ring);
    wait_for(&rang);
    assert_int_equal(rang, 1);
    assert_true(clock_ms() >= end_ms);
}

static void it_calls_the_function_at_once_where_the_end_has_passed(void **state)
{
    (void)state;
    set(-1000, ring);
    wait_for(&rang);
    assert_int_equal(rang, 1);
}

static void it_calls_the_function_once(void **state)
{
    (void)state;
    set(10, ring);
    wait_for(&rang);
    set(GENEROUS_MS, ring_other); /* the timer may fire for the earlier end */
    set(10, ring_other);
    wait_for(&rang_other);
    assert_int_equal(rang, 1);
    assert_int_equal(rang_other, 1);
}

static void a_cleared_alarm_calls_nothing(void **state)
{
    (void)state;
    set(10, ring);
    alarm_clear();
    set(40, ring_other); /* fires behind the first end */
    wait_for(&rang_other);
    assert_int_equal(rang, 0);
    assert_int_equal(rang_other, 1);
}

/* The timer is still set to the earlier end, and must not call the function then. */
static void an_end_that_was_put_off_is_kept(void **state)
{
    int64_t end_ms;

    (void)state;
    set(10, ring_other);
    end_ms = clock_ms() + 60;
    set(60, ring);
    wait_for(&rang);
    assert_int_equal(rang, 1);
    assert_int_equal(rang_other, 0);
    assert_true(clock_ms() >= end_ms);
}

static void an_earlier_end_is_not_late(void **state)
{
    int64_t start_ms = clock_ms();

    (void)state;
    set(2 * GENEROUS_MS, ring_other);
    set(10, ring);
    wait_for(&rang);
    assert_int_equal(rang, 1);
    assert_int_equal(rang_other, 0);
    assert_true(clock_ms() - start_ms < GENEROUS_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(it_calls_the_function_at_the_end, setup),
        cmocka_unit_test_setup(it_calls_the_function_at_once_where_the_end_has_passed,
                               setup),
        cmocka_unit_test_setup(it_calls_the_function_once, setup),
        cmocka_unit_test_setup(a_cleared_alarm_calls_nothing, setup),
        cmocka_unit_test_setup(an_end_that_was_put_off_is_kept, setup),
        cmocka_unit_test_setup(an_earlier_end_is_not_late, setup),
    };

    return cmocka_run_group_tests_name("alarm", tests, NULL, NULL);
}
