/* The spec of host/base/deadline.c, with a clock of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/deadline.h"

static int64_t boot_ms; /* what clock_gettime() says; 0: the real clocks */
static int64_t unix_ms;

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int64_t ms = clock == CLOCK_REALTIME ? unix_ms : boot_ms;

    if (boot_ms == 0 || (clock != CLOCK_REALTIME && clock != CLOCK_BOOTTIME))
        return (int)syscall(SYS_clock_gettime, clock, now);
    *now = (struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 + 999};
    return 0;
}

static int setup(void **state)
{
    (void)state;
    boot_ms = 50007;
    unix_ms = 1795521600123;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    boot_ms = 0;
    return 0;
}

static void clocks_count_milliseconds(void **state)
{
    (void)state;
    assert_int_equal(clock_ms(), 50007);
    assert_int_equal(clock_unix_ms(), 1795521600123);
}

static void an_invocation_keeps_a_margin_for_its_answer(void **state)
{
    static const struct {
        int64_t left;
        int64_t usable;
    } cases[] = {
        {900000, 895000}, {55000, 50000}, {50000, 45000}, {49990, 44991},
        {20000, 18000},   {3010, 2709},   {3000, 2700},   {2500, 2200},
        {1000, 700},      {300, 0},       {100, 0},       {-5000, 0},
    };
    struct deadline deadline;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        deadline = deadline_of_invocation(unix_ms + cases[i].left);
        assert_int_equal(deadline.start_ms, 50007);
        assert_int_equal(deadline.end_ms, 50007 + cases[i].usable);
    }
}

static void a_missing_deadline_is_fifteen_minutes(void **state)
{
    (void)state;
    assert_int_equal(deadline_of_invocation(0).end_ms, 50007 + 895000);
    assert_int_equal(deadline_of_invocation(INT64_MIN).end_ms, 50007 + 895000);
    assert_true(deadline_of_invocation(INT64_MAX).end_ms > 50007 + 895000);
}

static void what_is_left_is_never_negative(void **state)
{
    struct deadline deadline = deadline_in(100);

    (void)state;
    assert_int_equal(deadline_left_ms(&deadline), 100);
    boot_ms += 99;
    assert_int_equal(deadline_left_ms(&deadline), 1);
    boot_ms += 1;
    assert_int_equal(deadline_left_ms(&deadline), 0);
    boot_ms += 1000;
    assert_int_equal(deadline_left_ms(&deadline), 0);
}

static void within_takes_the_earlier(void **state)
{
    struct deadline deadline = deadline_in(100);

    (void)state;
    assert_int_equal(deadline_within(&deadline, 30).end_ms, 50037);
    assert_int_equal(deadline_within(&deadline, 300).end_ms, 50107);
    boot_ms += 90;
    assert_int_equal(deadline_within(&deadline, 30).end_ms, 50107);
    assert_int_equal(deadline_within(&deadline, 5).end_ms, 50102);
}

static void half_is_spent_when_less_than_half_is_left(void **state)
{
    struct deadline deadline = deadline_in(100);
    struct deadline none = deadline_in(0);

    (void)state;
    assert_true(deadline_half_spent(&none));
    assert_false(deadline_half_spent(&deadline));
    boot_ms += 50;
    assert_false(deadline_half_spent(&deadline));
    boot_ms += 1;
    assert_true(deadline_half_spent(&deadline));
    boot_ms += 1000;
    assert_true(deadline_half_spent(&deadline));
}

static void a_third_is_left_until_two_are_spent(void **state)
{
    struct deadline deadline = deadline_in(100);
    struct deadline none = deadline_in(0);
    struct deadline far = deadline_of_invocation(INT64_MAX);

    (void)state;
    assert_false(deadline_third_left(&none));
    assert_true(deadline_third_left(&far));
    assert_true(deadline_third_left(&deadline));
    boot_ms += 66;
    assert_true(deadline_third_left(&deadline));
    boot_ms += 1;
    assert_false(deadline_third_left(&deadline));
    boot_ms += 1000;
    assert_false(deadline_third_left(&deadline));
}

static void microseconds_move_forward(void **state)
{
    int64_t before = clock_us();
    int64_t ms = clock_ms();

    (void)state;
    while (clock_ms() < ms + 20)
        ;
    assert_true(clock_us() - before >= 19000);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(clocks_count_milliseconds),
        CASE(an_invocation_keeps_a_margin_for_its_answer),
        CASE(a_missing_deadline_is_fifteen_minutes),
        CASE(what_is_left_is_never_negative),
        CASE(within_takes_the_earlier),
        CASE(half_is_spent_when_less_than_half_is_left),
        CASE(a_third_is_left_until_two_are_spent),
        cmocka_unit_test(microseconds_move_forward),
    };

    return cmocka_run_group_tests_name("deadline", tests, NULL, NULL);
}
