/* The spec of host/log.c: what arrives at file descriptor 1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "log.h"

#define MANY (300 * 1024)

static struct timespec frozen; /* the clock that log.c sees; tv_sec 0: the real one */
static int reader;             /* one datagram a write */
static int real_stdout;

int clock_gettime(clockid_t clock, struct timespec *now)
{
    if (frozen.tv_sec == 0)
        return (int)syscall(SYS_clock_gettime, clock, now);
    *now = frozen;
    return 0;
}

static int catch_writes(void **state)
{
    int ends[2];
    int size = 1024 * 1024;

    (void)state;
    frozen = (struct timespec){.tv_sec = 1795521600, .tv_nsec = 123999999};
    log_open(LOG_LEVEL_INFO);
    log_context(NULL);
    fflush(stdout);
    real_stdout = dup(STDOUT_FILENO);
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) != 0)
        return -1;
    setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    dup2(ends[1], STDOUT_FILENO);
    close(ends[1]);
    reader = ends[0];
    return 0;
}

static int give_stdout_back(void **state)
{
    (void)state;
    frozen.tv_sec = 0;
    dup2(real_stdout, STDOUT_FILENO);
    close(real_stdout);
    close(reader);
    return 0;
}

/* What the next write(2) wrote; "" where there was none. */
static const char *next_write(void)
{
    static char text[MANY];
    ssize_t len = recv(reader, text, sizeof(text) - 1, MSG_DONTWAIT);

    text[len > 0 ? len : 0] = '\0';
    return text;
}

static void a_line_has_time_level_and_message(void **state)
{
    (void)state;
    log_say(LOG_LEVEL_INFO, "ready in %d ms", 7);
    assert_string_equal(next_write(), "2026-11-24T12:00:00.123Z INFO  ready in 7 ms\n");
    assert_string_equal(next_write(), "");
}

static void a_line_has_the_request_id_while_there_is_one(void **state)
{
    char id[] = "1f3c-22";

    (void)state;
    log_context(id);
    id[0] = 'x';
    log_say(LOG_LEVEL_ERROR, "no");
    assert_string_equal(next_write(), "2026-11-24T12:00:00.123Z ERROR 1f3c-22 no\n");
    log_context("");
    log_say(LOG_LEVEL_WARN, "no");
    assert_string_equal(next_write(), "2026-11-24T12:00:00.123Z WARN  no\n");
    log_context("0123456789012345678901234567890123456789012345678901234567890123"
                "too long");
    log_say(LOG_LEVEL_WARN, "no");
    assert_string_equal(next_write(),
                        "2026-11-24T12:00:00.123Z WARN  0123456789012345678901234567890"
                        "123456789012345678901234567890123 no\n");
    log_context("a\nb");
    log_say(LOG_LEVEL_WARN, "no");
    assert_string_equal(next_write(), "2026-11-24T12:00:00.123Z WARN  a b no\n");
}

static void a_line_has_facts(void **state)
{
    const char message[] = "event done";
    const char fields[] = "{\"objects\":2}";

    (void)state;
    log_line(LOG_LEVEL_INFO, message, strlen(message), fields, strlen(fields));
    assert_string_equal(next_write(),
                        "2026-11-24T12:00:00.123Z INFO  event done {\"objects\":2}\n");
    log_line(LOG_LEVEL_INFO, message, 5, NULL, 0);
    assert_string_equal(next_write(), "2026-11-24T12:00:00.123Z INFO  event\n");
}

static void a_line_stays_a_line(void **state)
{
    (void)state;
    log_say(LOG_LEVEL_INFO, "a\nb\r\x1b[31m\x7f\xc2\x85\xc3\xa9");
    assert_string_equal(next_write(),
                        "2026-11-24T12:00:00.123Z INFO  a b  [31m   \xc3\xa9\n");
    log_line(LOG_LEVEL_INFO, "a\0b", 3, "{\n}", 3);
    assert_string_equal(next_write(), "2026-11-24T12:00:00.123Z INFO  a b { }\n");
}

static void levels_below_the_one_asked_for_are_dropped(void **state)
{
    static const char *const names[] = {"DEBUG", "INFO ", "WARN ", "ERROR"};
    int asked, level;

    (void)state;
    for (asked = LOG_LEVEL_DEBUG; asked <= LOG_LEVEL_ERROR; asked++) {
        log_open((enum log_level)asked);
        for (level = LOG_LEVEL_DEBUG; level <= LOG_LEVEL_ERROR; level++) {
            log_say((enum log_level)level, "x");
            log_line((enum log_level)level, "x", 1, NULL, 0);
        }
        for (level = asked; level <= LOG_LEVEL_ERROR; level++) {
            assert_non_null(strstr(next_write(), names[level]));
            assert_non_null(strstr(next_write(), names[level]));
        }
        assert_string_equal(next_write(), "");
    }
}

static void levels_have_names(void **state)
{
    (void)state;
    assert_int_equal(log_level_named("TRACE"), LOG_LEVEL_DEBUG);
    assert_int_equal(log_level_named("debug"), LOG_LEVEL_DEBUG);
    assert_int_equal(log_level_named("Info"), LOG_LEVEL_INFO);
    assert_int_equal(log_level_named("WARN"), LOG_LEVEL_WARN);
    assert_int_equal(log_level_named("error"), LOG_LEVEL_ERROR);
    assert_int_equal(log_level_named("FATAL"), LOG_LEVEL_ERROR);
    assert_int_equal(log_level_named(NULL), LOG_LEVEL_INFO);
    assert_int_equal(log_level_named(""), LOG_LEVEL_INFO);
    assert_int_equal(log_level_named("loud"), LOG_LEVEL_INFO);
}

/* Against the C library's own calendar. */
static void dates_are_right(void **state)
{
    char expected[64];
    struct tm tm;
    time_t day;

    (void)state;
    for (day = 1; day < 200 * 365; day++) {
        frozen = (struct timespec){.tv_sec = day * 86400 + day % 86400};
        gmtime_r(&frozen.tv_sec, &tm);
        strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S.000Z WARN  x\n", &tm);
        log_say(LOG_LEVEL_WARN, "x");
        assert_string_equal(next_write(), expected);
    }
}

static void a_long_line_is_cut_between_characters(void **state)
{
    static char text[MANY];
    size_t i, len;
    const char *line;

    (void)state;
    for (i = 0; i + 3 < sizeof(text); i += 3)
        memcpy(text + i, "\xe2\x82\xac", 3);
    for (i = 0; i < 3; i++) { /* each way the cut can fall */
        log_line(LOG_LEVEL_INFO, "ab", i, text, i + 3);
        next_write();
        log_say(LOG_LEVEL_INFO, "%.*s%s", (int)i, "ab", text);
        line = next_write();
        len = strlen(line);
        assert_true(len <= 256 * 1024 && len > 256 * 1024 - 3);
        assert_memory_equal(line + len - 4, "\xe2\x82\xac\n", 4);
    }
    log_line(LOG_LEVEL_INFO, text, sizeof(text) - 1, "{}", 2);
    line = next_write();
    len = strlen(line);
    assert_memory_equal(line + len - 4, "\xe2\x82\xac\n", 4);
}

static void a_signal_handler_may_say_a_line(void **state)
{
    char text[4000];
    const char *line;

    (void)state;
    log_context("1f3c");
    log_from_signal("stopped\n", 8);
    assert_string_equal(next_write(), "2026-11-24T12:00:00.123Z ERROR 1f3c stopped \n");
    memset(text, 'x', sizeof(text));
    log_from_signal(text, sizeof(text));
    line = next_write();
    assert_int_equal(strlen(line), 2048);
    assert_int_equal(line[2047], '\n');
}

/* ------------------------------------------------- a writer that is interrupted */

static int interruptions;

static void on_alarm(int signal)
{
    (void)signal;
    if (write(interruptions, "!", 1) < 0)
        _exit(3);
}

static void write_while_interrupted(int out, const char *text)
{
    struct sigaction action = {.sa_handler = on_alarm}; /* no SA_RESTART */
    struct itimerval often = {{0, 1000}, {0, 1000}};

    dup2(out, STDOUT_FILENO);
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    log_say(LOG_LEVEL_INFO, "%s", text);
    signal(SIGALRM, SIG_IGN);
    _exit(0);
}

/* The line is longer than a pipe holds, so its writer waits; interrupted, it has
 * written a part, and then nothing. */
static void an_interrupted_line_arrives_whole(void **state)
{
    static char text[200 * 1024];
    static char got[MANY];
    char ticks[3];
    int out[2], in[2], status;
    size_t have = 0, i;
    ssize_t n = 1;
    pid_t child;

    (void)state;
    for (i = 0; i < sizeof(text) - 1; i++)
        text[i] = (char)('a' + i % 23);
    assert_int_equal(pipe(out), 0);
    assert_int_equal(pipe(in), 0);
    interruptions = in[1];
    child = fork();
    if (child == 0)
        write_while_interrupted(out[1], text);
    close(out[1]);
    close(in[1]);
    for (i = 0; i < sizeof(ticks); i++)
        assert_int_equal(read(in[0], ticks, 1), 1);
    while (n > 0) {
        n = read(out[0], got + have, sizeof(got) - have);
        have += n > 0 ? (size_t)n : 0;
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(have > sizeof(text));
    assert_memory_equal(got + have - sizeof(text), text, sizeof(text) - 1);
    close(out[0]);
    close(in[0]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, catch_writes, give_stdout_back)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_line_has_time_level_and_message),
        TEST(a_line_has_the_request_id_while_there_is_one),
        TEST(a_line_has_facts),
        TEST(a_line_stays_a_line),
        TEST(levels_below_the_one_asked_for_are_dropped),
        TEST(levels_have_names),
        TEST(dates_are_right),
        TEST(a_long_line_is_cut_between_characters),
        TEST(a_signal_handler_may_say_a_line),
        TEST(an_interrupted_line_arrives_whole),
    };

    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
