/* The spec of host/net/guard.c: what it ends, and what it leaves alone. The work is done
 * in children, whose exit status is checked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "child.h"
#include "net/guard.h"

static void start_guard(int fd, struct deadline deadline)
{
    struct err err = {0};

    if (!guard_start(fd, &deadline, &err))
        _exit(9);
}

/* The guard's early end does not count for the watchdog. */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_guard_that_was_stopped_ends_no_watch),
        cmocka_unit_test(the_guard_ends_a_write_that_blocks),
        cmocka_unit_test(the_guard_ends_a_read_that_blocks),
        cmocka_unit_test(a_guard_whose_deadline_has_passed_fires_at_once),
        cmocka_unit_test(a_stopped_guard_leaves_the_socket_alone),
        cmocka_unit_test(the_guard_does_not_interrupt_other_calls),
    };

    return cmocka_run_group_tests_name("deadline guard", tests, NULL, NULL);
}
