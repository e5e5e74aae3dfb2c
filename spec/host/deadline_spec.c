/* The spec of host/deadline.c: the arithmetic by a clock of its own, watchdog and guard
 * in children, whose exit status and output are looked at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "deadline.h"
#include "log.h"

/* ------------------------------------------------------------ deadlines, exactly */

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

static int stop_the_clocks(void **state)
{
    (void)state;
    boot_ms = 50007;
    unix_ms = 1795521600123;
    return 0;
}

static int start_the_clocks(void **state)
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

/* --------------------------------------------------------------------- children */

/* A process that hangs has failed: this cannot be caught, blocked or outlived. */
static void give_up_after(time_t seconds)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
    struct itimerspec when = {.it_value.tv_sec = seconds};
    timer_t timer;

    if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0 ||
        timer_settime(timer, 0, &when, NULL) != 0)
        abort();
}

struct end {
    int status;
    char said[4096];
};

static struct end run_child(void (*work)(void))
{
    struct end end = {0};
    int out[2];
    size_t have = 0;
    ssize_t n = 1;
    pid_t child;

    assert_int_equal(pipe(out), 0);
    child = fork();
    if (child == 0) {
        dup2(out[1], STDOUT_FILENO);
        close(out[0]);
        close(out[1]);
        give_up_after(60);
        work();
        _exit(0);
    }
    close(out[1]);
    while (n > 0 && have < sizeof(end.said) - 1) {
        n = read(out[0], end.said + have, sizeof(end.said) - 1 - have);
        have += n > 0 ? (size_t)n : 0;
    }
    close(out[0]);
    assert_int_equal(waitpid(child, &end.status, 0), child);
    assert_true(WIFEXITED(end.status));
    end.status = WEXITSTATUS(end.status);
    return end;
}

/* What the line says, after time and level. */
static void assert_said(const struct end *end, const char *words)
{
    assert_int_equal(end->status, 1);
    assert_true(strlen(end->said) > 31);
    assert_memory_equal(end->said + 23, "Z ERROR ", 8);
    assert_string_equal(end->said + 31, words);
}

static struct deadline soon(void)
{
    return deadline_in(50);
}

static struct deadline far(void)
{
    return deadline_in(600000);
}

static void start_watching(struct deadline deadline, const char *key, size_t len)
{
    struct err err = {0};

    if (!watchdog_start(&deadline, &err))
        _exit(9);
    if (key)
        watchdog_watch("rules.lua", key, len);
}

static int64_t cpu_ms(void)
{
    return (int64_t)clock() / (CLOCKS_PER_SEC / 1000);
}

static void burn(int64_t ms)
{
    int64_t start = cpu_ms();

    while (cpu_ms() < start + ms)
        ;
}

static void sleep_ms(long ms)
{
    struct timespec rest = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    while (nanosleep(&rest, &rest) != 0)
        ;
}

/* ------------------------------------------------------------------ the watchdog */

static void loop_for_ever(void)
{
    start_watching(far(), "v2/raw_crash/x", 14);
    for (;;)
        ;
}

static void an_object_that_keeps_the_processor_ends_the_process(void **state)
{
    struct end end = run_child(loop_for_ever);

    (void)state;
    assert_said(&end,
                "rules.lua was stopped after 1 s of CPU at key \"v2/raw_crash/x\"\n");
}

static void loop_within_a_request(void)
{
    log_open(LOG_LEVEL_ERROR);
    log_context("1f3c-22");
    start_watching(far(), "k", 1);
    for (;;)
        ;
}

static void the_line_has_the_request_id(void **state)
{
    struct end end = run_child(loop_within_a_request);

    (void)state;
    assert_said(&end, "1f3c-22 rules.lua was stopped after 1 s of CPU at key \"k\"\n");
}

static void loop_without_a_label(void)
{
    start_watching(far(), NULL, 0);
    for (;;)
        ;
}

static void what_has_no_label_is_stopped_too(void **state)
{
    struct end end = run_child(loop_without_a_label);

    (void)state;
    assert_said(&end, "Lua was stopped after 1 s of CPU\n");
}

static void loop_with_last_words(void)
{
    watchdog_add("line 7 was confirmed last");
    loop_without_a_label();
}

static void last_words_have_a_line_of_their_own(void **state)
{
    struct end end = run_child(loop_with_last_words);
    char *second = strchr(end.said, '\n');

    (void)state;
    assert_int_equal(end.status, 1);
    assert_non_null(strstr(end.said, "Lua was stopped after 1 s of CPU\n"));
    assert_non_null(second);
    assert_string_equal(second + 1 + 31, "line 7 was confirmed last\n");
}

static void loop_with_a_form(void)
{
    watchdog_say("%s: %s (key <%s>), 100 %\n", STDOUT_FILENO, false);
    start_watching(far(), "a\n\"\\", 4);
    for (;;)
        ;
}

static void its_line_may_have_another_form(void **state)
{
    struct end end = run_child(loop_with_a_form);

    (void)state;
    assert_int_equal(end.status, 1);
    assert_string_equal(end.said, "rules.lua: was stopped after 1 s of CPU "
                                  "(key <a?\"\\>), 100 %\n");
}

static void loop_with_a_form_of_json(void)
{
    watchdog_say("[\"%s\",\"%s\",\"%s\"]", STDOUT_FILENO, true);
    start_watching(far(), "a\n\"\\", 4);
    for (;;)
        ;
}

static void a_key_stays_within_its_json(void **state)
{
    struct end end = run_child(loop_with_a_form_of_json);

    (void)state;
    assert_int_equal(end.status, 1);
    assert_string_equal(end.said, "[\"rules.lua\",\"was stopped after 1 s of CPU\","
                                  "\"a?\\\"\\\\\"]");
}

static void loop_at_a_hostile_key(void)
{
    start_watching(far(), "a\nb\0c\x1b[31m\xff\xc3\xa9%n", 14);
    for (;;)
        ;
}

static void a_hostile_key_stays_on_its_line(void **state)
{
    struct end end = run_child(loop_at_a_hostile_key);

    (void)state;
    assert_said(&end,
                "rules.lua was stopped after 1 s of CPU at key \"a?b?c?[31m???%\"\n");
}

static void loop_at_a_long_key(void)
{
    static char key[1000000];

    memset(key, 'k', sizeof(key));
    start_watching(far(), key, sizeof(key));
    for (;;)
        ;
}

static void a_long_key_is_cut(void **state)
{
    struct end end = run_child(loop_at_a_long_key);
    char words[2048] = "rules.lua was stopped after 1 s of CPU at key \"";

    (void)state;
    memset(words + strlen(words), 'k', 1024);
    strcat(words, "\"\n");
    assert_said(&end, words);
}

static void burn_on_many_objects(void)
{
    int i;

    start_watching(far(), "a", 1);
    for (i = 0; i < 30; i++) {
        burn(50);
        watchdog_watch("rules.lua", "b", 1);
    }
}

static void many_objects_may_use_more_than_a_second(void **state)
{
    struct end end = run_child(burn_on_many_objects);

    (void)state;
    assert_int_equal(end.status, 0);
    assert_string_equal(end.said, "");
}

static void burn_after_the_watch(void)
{
    start_watching(far(), "a", 1);
    burn(500);
    watchdog_stop();
    burn(1200);
    start_watching(far(), "b", 1);
    burn(500);
    watchdog_stop();
    watchdog_stop();
}

static void what_is_not_watched_may_use_more_than_a_second(void **state)
{
    struct end end = run_child(burn_after_the_watch);

    (void)state;
    assert_int_equal(end.status, 0);
    assert_string_equal(end.said, "");
}

static void sleep_while_watched(void)
{
    start_watching(far(), "a", 1);
    sleep_ms(1500);
}

static void ticks_are_of_cpu_time(void **state)
{
    struct end end = run_child(sleep_while_watched);

    (void)state;
    assert_int_equal(end.status, 0);
}

static void sleep_past_the_deadline(void)
{
    start_watching(soon(), "k", 1);
    for (;;)
        sleep_ms(1000);
}

static void the_deadline_ends_what_is_watched(void **state)
{
    struct end end = run_child(sleep_past_the_deadline);

    (void)state;
    assert_said(&end, "rules.lua was stopped, because the invocation's time is over, "
                      "at key \"k\"\n");
}

static void start_too_late(void)
{
    start_watching(deadline_in(-100000), "k", 1);
    for (;;)
        ;
}

static void a_deadline_that_has_passed_ends_it_at_once(void **state)
{
    struct end end = run_child(start_too_late);

    (void)state;
    assert_int_equal(end.status, 1);
    assert_non_null(strstr(end.said, "the invocation's time is over"));
}

static void finish_before_the_deadline(void)
{
    start_watching(soon(), "k", 1);
    watchdog_stop();
    sleep_ms(300);
    start_watching(far(), "k", 1);
    sleep_ms(300);
}

static void what_stopped_in_time_goes_on(void **state)
{
    struct end end = run_child(finish_before_the_deadline);

    (void)state;
    assert_int_equal(end.status, 0);
    assert_string_equal(end.said, "");
}

/* The timer has been spent while nothing was watched. */
static void start_again_too_late(void)
{
    struct deadline deadline = soon();

    start_watching(deadline, "k", 1);
    watchdog_stop();
    while (deadline_left_ms(&deadline) > 0)
        sleep_ms(10);
    sleep_ms(50);
    start_watching(deadline, "k", 1);
    sleep_ms(60000);
}

static void a_deadline_ends_what_starts_again_after_it(void **state)
{
    struct end end = run_child(start_again_too_late);

    (void)state;
    assert_int_equal(end.status, 1);
    assert_non_null(strstr(end.said, "the invocation's time is over"));
}

static void start_again_in_time(void)
{
    struct deadline deadline = soon();

    start_watching(deadline, "k", 1);
    watchdog_stop();
    start_watching(deadline, "k", 1);
    sleep_ms(60000);
}

static void a_deadline_ends_what_starts_again_before_it(void **state)
{
    struct end end = run_child(start_again_in_time);

    (void)state;
    assert_int_equal(end.status, 1);
    assert_non_null(strstr(end.said, "the invocation's time is over"));
}

static void put_the_end_off(void)
{
    start_watching(soon(), "k", 1);
    watchdog_stop();
    start_watching(deadline_in(500), "k", 1);
    sleep_ms(60000);
}

static void an_end_that_was_put_off_comes(void **state)
{
    struct end end = run_child(put_the_end_off);

    (void)state;
    assert_int_equal(end.status, 1);
    assert_non_null(strstr(end.said, "the invocation's time is over"));
}

static void bring_the_end_forward(void)
{
    start_watching(far(), "k", 1);
    watchdog_stop();
    start_watching(soon(), "k", 1);
    sleep_ms(60000);
}

static void an_end_that_was_brought_forward_comes(void **state)
{
    struct end end = run_child(bring_the_end_forward);

    (void)state;
    assert_int_equal(end.status, 1);
    assert_non_null(strstr(end.said, "the invocation's time is over"));
}

/* As one for an end that was put off. */
static void signal_too_early(void)
{
    start_watching(far(), "k", 1);
    raise(SIGALRM);
    watchdog_stop();
}

static void a_signal_that_comes_too_early_ends_nothing(void **state)
{
    (void)state;
    assert_int_equal(run_child(signal_too_early).status, 0);
}

/* --------------------------------------------------------------------- the guard */

static void start_guard(int fd, struct deadline deadline)
{
    struct err err = {0};

    if (!guard_start(fd, &deadline, &err))
        _exit(9);
}

/* The one's early end is not the other's. */
static void watch_after_a_guard(void)
{
    start_guard(STDIN_FILENO, soon());
    guard_stop();
    start_watching(far(), "k", 1);
    sleep_ms(300);
    watchdog_stop();
}

static void a_guard_that_was_stopped_ends_no_watch(void **state)
{
    struct end end = run_child(watch_after_a_guard);

    (void)state;
    assert_int_equal(end.status, 0);
    assert_string_equal(end.said, "");
}

static void check(bool holds, int line)
{
    if (!holds)
        _exit(line % 200 + 20);
}

#define CHECK(condition) check(condition, __LINE__)

/* Until the peer, which does not read, has no room left and send() blocks. */
static void write_for_ever(int fd)
{
    static const char bytes[65536];

    while (send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL) > 0)
        ;
}

static void write_to_a_stalled_reader(void)
{
    int ends[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    start_guard(ends[0], soon());
    write_for_ever(ends[0]);
    CHECK(errno == EPIPE);
    CHECK(guard_fired());
    guard_stop();
    CHECK(guard_fired());
    start_guard(ends[1], far());
    CHECK(!guard_fired());
}

static void the_guard_ends_a_write_that_blocks(void **state)
{
    (void)state;
    assert_int_equal(run_child(write_to_a_stalled_reader).status, 0);
}

static void read_from_a_silent_writer(void)
{
    int ends[2];
    char byte;

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    start_guard(ends[0], soon());
    CHECK(read(ends[0], &byte, 1) == 0);
    CHECK(guard_fired());
}

static void the_guard_ends_a_read_that_blocks(void **state)
{
    (void)state;
    assert_int_equal(run_child(read_from_a_silent_writer).status, 0);
}

static void guard_too_late(void)
{
    int ends[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    start_guard(ends[0], (struct deadline){0}); /* as early as can be */
    write_for_ever(ends[0]);
    CHECK(guard_fired());
}

static void a_guard_whose_deadline_has_passed_fires_at_once(void **state)
{
    (void)state;
    assert_int_equal(run_child(guard_too_late).status, 0);
}

static void stop_the_guard(void)
{
    int ends[2];
    char byte = 'x';

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    guard_stop();
    start_guard(ends[0], soon());
    guard_stop();
    sleep_ms(300);
    CHECK(!guard_fired());
    CHECK(write(ends[0], &byte, 1) == 1);
    CHECK(read(ends[1], &byte, 1) == 1);
}

static void a_stopped_guard_leaves_the_socket_alone(void **state)
{
    (void)state;
    assert_int_equal(run_child(stop_the_guard).status, 0);
}

/* Another process writes into the pipe when it has seen the guard fire. */
static void read_while_the_guard_fires(void)
{
    int ends[2], other[2];
    char byte;

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    CHECK(pipe(other) == 0);
    if (fork() == 0) {
        close(ends[0]);
        CHECK(read(ends[1], &byte, 1) == 0);
        sleep_ms(50);
        _exit(write(other[1], "x", 1) == 1 ? 0 : 1);
    }
    close(ends[1]);
    start_guard(ends[0], soon());
    CHECK(read(other[0], &byte, 1) == 1);
    CHECK(guard_fired());
}

static void the_guard_does_not_interrupt_other_calls(void **state)
{
    (void)state;
    assert_int_equal(run_child(read_while_the_guard_fires).status, 0);
}

#define EXACTLY(name) \
    cmocka_unit_test_setup_teardown(name, stop_the_clocks, start_the_clocks)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EXACTLY(clocks_count_milliseconds),
        EXACTLY(an_invocation_keeps_a_margin_for_its_answer),
        EXACTLY(a_missing_deadline_is_fifteen_minutes),
        EXACTLY(what_is_left_is_never_negative),
        EXACTLY(within_takes_the_earlier),
        EXACTLY(half_is_spent_when_less_than_half_is_left),
        EXACTLY(a_third_is_left_until_two_are_spent),
        cmocka_unit_test(microseconds_move_forward),
        cmocka_unit_test(an_object_that_keeps_the_processor_ends_the_process),
        cmocka_unit_test(the_line_has_the_request_id),
        cmocka_unit_test(what_has_no_label_is_stopped_too),
        cmocka_unit_test(last_words_have_a_line_of_their_own),
        cmocka_unit_test(its_line_may_have_another_form),
        cmocka_unit_test(a_key_stays_within_its_json),
        cmocka_unit_test(a_hostile_key_stays_on_its_line),
        cmocka_unit_test(a_long_key_is_cut),
        cmocka_unit_test(many_objects_may_use_more_than_a_second),
        cmocka_unit_test(what_is_not_watched_may_use_more_than_a_second),
        cmocka_unit_test(ticks_are_of_cpu_time),
        cmocka_unit_test(the_deadline_ends_what_is_watched),
        cmocka_unit_test(a_deadline_that_has_passed_ends_it_at_once),
        cmocka_unit_test(what_stopped_in_time_goes_on),
        cmocka_unit_test(a_deadline_ends_what_starts_again_after_it),
        cmocka_unit_test(a_deadline_ends_what_starts_again_before_it),
        cmocka_unit_test(an_end_that_was_put_off_comes),
        cmocka_unit_test(an_end_that_was_brought_forward_comes),
        cmocka_unit_test(a_signal_that_comes_too_early_ends_nothing),
        cmocka_unit_test(a_guard_that_was_stopped_ends_no_watch),
        cmocka_unit_test(the_guard_ends_a_write_that_blocks),
        cmocka_unit_test(the_guard_ends_a_read_that_blocks),
        cmocka_unit_test(a_guard_whose_deadline_has_passed_fires_at_once),
        cmocka_unit_test(a_stopped_guard_leaves_the_socket_alone),
        cmocka_unit_test(the_guard_does_not_interrupt_other_calls),
    };

    return cmocka_run_group_tests_name("deadline", tests, NULL, NULL);
}
