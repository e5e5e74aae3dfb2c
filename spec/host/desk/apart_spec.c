/* The spec of host/desk/apart.c: what ends a child, and what the parent makes of it. The
 * children do here what a walk does; what Lua would note is kept in `noted`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "child.h"
#include "desk/apart.h"
#include "desk/walk.h"

static struct command command;
static struct err err;

static struct {
    int count; /* of stops */
    char why[4096];
    int64_t number;
    bool shadow;
    bool fails; /* Lua breaks */
} noted;

bool walk_stopped(struct command *stopped, const char *why, int64_t number, bool shadow,
                  struct err *failure)
{
    assert_ptr_equal(stopped, &command);
    noted.count++;
    snprintf(noted.why, sizeof(noted.why), "%s", why);
    noted.number = number;
    noted.shadow = shadow;
    return !noted.fails || err_set(failure, CAUSE_OTHER, "Lua broke");
}

void script_watch_place(struct script *script, struct script_place *place)
{
    (void)script;
    assert_non_null(place);
}

static int setup(void **state)
{
    (void)state;
    command = (struct command){.status = -1};
    err = (struct err){0};
    memset(&noted, 0, sizeof(noted));
    return 0;
}

static bool is_child(pid_t parent)
{
    return getpid() != parent;
}

static void be_at(int64_t first, size_t object, bool shadow)
{
    command.place->first = first;
    command.place->object = object;
    command.place->shadow = shadow;
}

static void a_child_that_ends_by_itself_ends_the_command(void **state)
{
    pid_t parent = getpid();
    bool ok = apart_run(&command, &err);

    (void)state;
    if (is_child(parent))
        _exit(ok && !command.ended ? 7 : 8);
    assert_true(ok);
    assert_true(command.ended);
    assert_int_equal(command.status, 7);
    assert_int_equal(noted.count, 0);
}

/* Only the first child, which has nothing noted, is killed. */
static void a_killed_child_is_noted_and_another_one_goes_on(void **state)
{
    pid_t parent = getpid();
    bool ok = apart_run(&command, &err);

    (void)state;
    if (is_child(parent)) {
        if (noted.count > 0)
            _exit(1);
        be_at(101, 3, true);
        raise(SIGKILL);
    }
    assert_true(ok);
    assert_true(command.ended);
    assert_int_equal(command.status, 1);
    assert_int_equal(noted.count, 1);
    assert_string_equal(noted.why, "ended the process by signal 9 (Killed)");
    assert_int_equal(noted.number, 103);
    assert_true(noted.shadow);
}

/* The timers of the parent are made, and a child has none of them. */
static void the_watchdog_ends_a_child_and_its_words_are_noted(void **state)
{
    pid_t parent = getpid();
    bool ok;

    (void)state;
    start_watching(far(), "k", 1);
    watchdog_stop();
    ok = apart_run(&command, &err);
    if (is_child(parent)) {
        if (noted.count > 0)
            _exit(0);
        be_at(1, 1, false);
        start_watching(far(), "k", 1);
        for (int64_t end_ms = clock_ms() + 60000; clock_ms() < end_ms;)
            ;
        _exit(9);
    }
    assert_true(ok);
    assert_int_equal(command.status, 0);
    assert_string_equal(noted.why,
                        "rules.lua\nkept the processor for 1 s: a pattern with "
                        "several `.-` or `.*`? anchor it; a text that grows "
                        "in a loop? use table.concat\n");
    assert_int_equal(noted.number, 1);
    assert_false(noted.shadow);
}

static void a_child_ends_with_its_parent(void **state)
{
    pid_t parent = getpid();
    bool ok = apart_run(&command, &err);

    (void)state;
    if (is_child(parent)) {
        int signal = 0;

        _exit(prctl(PR_GET_PDEATHSIG, &signal) == 0 && signal == SIGKILL ? 0 : 1);
    }
    assert_true(ok);
    assert_int_equal(command.status, 0);
}

static void between_two_objects_there_is_nothing_to_note(void **state)
{
    pid_t parent = getpid();
    bool ok = apart_run(&command, &err);

    (void)state;
    if (is_child(parent))
        raise(SIGKILL);
    assert_false(ok);
    assert_false(command.ended);
    assert_string_equal(err.text, "stopped between two objects: ended the process by "
                                  "signal 9 (Killed)");
}

static void it_comes_to_an_end(void **state)
{
    pid_t parent = getpid();
    bool ok = apart_run(&command, &err);

    (void)state;
    if (is_child(parent)) {
        be_at(1, 1, false);
        raise(SIGKILL);
    }
    assert_false(ok);
    assert_string_equal(err.text, "stopped 40 times");
    assert_int_equal(noted.count, 40);
}

static void what_cannot_be_noted_is_an_error(void **state)
{
    pid_t parent = getpid();
    bool ok;

    (void)state;
    noted.fails = true;
    ok = apart_run(&command, &err);
    if (is_child(parent)) {
        be_at(1, 1, false);
        raise(SIGKILL);
    }
    assert_false(ok);
    assert_string_equal(err.text, "Lua broke");
    assert_int_equal(noted.count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_child_that_ends_by_itself_ends_the_command, setup),
        cmocka_unit_test_setup(a_killed_child_is_noted_and_another_one_goes_on, setup),
        cmocka_unit_test_setup(the_watchdog_ends_a_child_and_its_words_are_noted, setup),
        cmocka_unit_test_setup(a_child_ends_with_its_parent, setup),
        cmocka_unit_test_setup(between_two_objects_there_is_nothing_to_note, setup),
        cmocka_unit_test_setup(it_comes_to_an_end, setup),
        cmocka_unit_test_setup(what_cannot_be_noted_is_an_error, setup),
    };

    return cmocka_run_group_tests_name("apart", tests, NULL, NULL);
}
