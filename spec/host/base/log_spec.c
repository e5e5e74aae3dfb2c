/* The spec of text lines in host/base/log.c: what arrives at file descriptor 1. JSON
 * lines are in log_json_spec.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fake/clock.h"
#include "log_case.h"

static void a_line_has_time_level_and_message(void **state)
{
    (void)state;
    log_message(LOG_LEVEL_INFO, "ready in %d ms", 7);
    assert_string_equal(next_write(), "2026-11-24T12:00:00.123Z INFO  ready in 7 ms\n");
    assert_string_equal(next_write(), "");
}

static void a_line_has_the_request_id_while_there_is_one(void **state)
{
    char id[] = "1f3c-22";

    (void)state;
    log_context(id);
    id[0] = 'x';
    log_message(LOG_LEVEL_ERROR, "no");
    assert_string_equal(next_write(), "2026-11-24T12:00:00.123Z ERROR 1f3c-22 no\n");
    log_context("");
    log_message(LOG_LEVEL_WARN, "no");
    assert_string_equal(next_write(), "2026-11-24T12:00:00.123Z WARN  no\n");
    log_context("0123456789012345678901234567890123456789012345678901234567890123"
                "too long");
    log_message(LOG_LEVEL_WARN, "no");
    assert_string_equal(next_write(),
                        "2026-11-24T12:00:00.123Z WARN  0123456789012345678901234567890"
                        "123456789012345678901234567890123 no\n");
    log_context("a\nb");
    log_message(LOG_LEVEL_WARN, "no");
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
    log_message(LOG_LEVEL_INFO, "a\nb\r\x1b[31m\x7f\xc2\x85\xc3\xa9\xff\xc2");
    assert_string_equal(next_write(), "2026-11-24T12:00:00.123Z INFO  a b  [31m  "
                                      "\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\n");
    log_line(LOG_LEVEL_INFO, "a\0b", 3, NULL, 0);
    assert_string_equal(next_write(), "2026-11-24T12:00:00.123Z INFO  a b\n");
}

static void levels_below_the_one_asked_for_are_dropped(void **state)
{
    static const char *const names[] = {"DEBUG", "INFO ", "WARN ", "ERROR"};
    int asked, level;

    (void)state;
    for (asked = LOG_LEVEL_DEBUG; asked <= LOG_LEVEL_ERROR; asked++) {
        log_set_level((enum log_level)asked);
        for (level = LOG_LEVEL_DEBUG; level <= LOG_LEVEL_ERROR; level++) {
            log_message((enum log_level)level, "x");
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

static void formats_have_names(void **state)
{
    (void)state;
    assert_int_equal(log_format_named("Text"), LOG_TEXT);
    assert_int_equal(log_format_named("TEXT"), LOG_TEXT);
    assert_int_equal(log_format_named("JSON"), LOG_JSON);
    assert_int_equal(log_format_named("json"), LOG_JSON);
    assert_int_equal(log_format_named(NULL), LOG_JSON);
    assert_int_equal(log_format_named(""), LOG_JSON);
    log_set_level(LOG_LEVEL_WARN);
    assert_string_equal(log_level(), "WARN");
}

/* Against the C library's own calendar. */
static void dates_are_right(void **state)
{
    char expected[64];
    struct tm tm;
    time_t day;

    (void)state;
    for (day = 1; day < 200 * 365; day++) {
        time_t now = day * 86400 + day % 86400;

        fake_clock.stopped_us = now * 1000000;
        gmtime_r(&now, &tm);
        strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S.000Z WARN  x\n", &tm);
        log_message(LOG_LEVEL_WARN, "x");
        assert_string_equal(next_write(), expected);
    }
}

static void a_long_line_is_cut_between_characters(void **state)
{
    static char text[LONGEST_WRITE];
    const char fields[] = "{\"objects\":2}";
    size_t i, len;
    const char *line;

    (void)state;
    for (i = 0; i + 3 < sizeof(text); i += 3)
        memcpy(text + i, "\xe2\x82\xac", 3);
    for (i = 0; i < 3; i++) { /* each way the cut can fall */
        log_message(LOG_LEVEL_INFO, "%.*s%s", (int)i, "ab", text);
        line = next_write();
        len = strlen(line);
        assert_true(len <= 256 * 1024 && len > 256 * 1024 - 4);
        assert_memory_equal(line + len - 4, "\xe2\x82\xac\n", 4);
    }
    log_line(LOG_LEVEL_INFO, text, sizeof(text) - 1, fields, strlen(fields));
    line = next_write();
    len = strlen(line);
    assert_true(len <= 256 * 1024);
    assert_string_equal(line + len - 18, "\xe2\x82\xac {\"objects\":2}\n");
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
    memcpy(text + 2009, "\xe2\x82\xacy",
           4); /* does not fit, and nothing after it is kept */
    log_from_signal(text, sizeof(text));
    assert_string_equal(next_write() + 2044, "x\n");
}

/* ------------------------------------------------------------------- few writes */

static size_t lines_in(const char *text)
{
    size_t count = 0;

    for (; *text; text++)
        count += *text == '\n';
    return count;
}

static void lines_that_are_held_come_together(void **state)
{
    (void)state;
    log_hold();
    log_message(LOG_LEVEL_INFO, "one");
    log_message(LOG_LEVEL_INFO, "two");
    assert_string_equal(next_write(), "");
    log_flush();
    assert_string_equal(next_write(), "2026-11-24T12:00:00.123Z INFO  one\n"
                                      "2026-11-24T12:00:00.123Z INFO  two\n");
    log_message(LOG_LEVEL_INFO, "three");
    assert_string_equal(next_write(), "2026-11-24T12:00:00.123Z INFO  three\n");
}

static void lines_that_are_held_stay_whole_and_in_order(void **state)
{
    static char text[3 * 4096];
    size_t lines = 0, writes = 0;
    const char *written;
    int number = 0, i;

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    log_hold();
    for (i = 0; i < 200; i++)
        log_message(LOG_LEVEL_INFO, "%03d %.*s", i, i == 100 ? (int)sizeof(text) : i,
                    text);
    log_flush();
    for (written = next_write(); *written; written = next_write()) {
        assert_int_equal(written[strlen(written) - 1], '\n');
        assert_true(strlen(written) <= 4096 || lines_in(written) == 1);
        for (const char *at = strstr(written, "INFO  "); at; at = strstr(at, "INFO  ")) {
            at += 6;
            assert_int_equal(atoi(at), number);
            number++;
        }
        lines += lines_in(written);
        writes++;
    }
    assert_int_equal(lines, 200);
    assert_in_range(writes, 8, 16);
}

static void a_signal_handler_writes_what_is_held(void **state)
{
    (void)state;
    log_hold();
    log_message(LOG_LEVEL_INFO, "held");
    log_from_signal("stopped", 7);
    assert_string_equal(next_write(), "2026-11-24T12:00:00.123Z INFO  held\n");
    assert_string_equal(next_write(), "2026-11-24T12:00:00.123Z ERROR stopped\n");
    log_flush();
    assert_string_equal(next_write(), "");
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
    log_message(LOG_LEVEL_INFO, "%s", text);
    signal(SIGALRM, SIG_IGN);
    _exit(0);
}

/* The line is longer than a pipe holds, so its writer waits; interrupted, it has
 * written a part, and then nothing. */
static void an_interrupted_line_arrives_whole(void **state)
{
    static char text[200 * 1024];
    static char got[LONGEST_WRITE];
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

#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, log_case_setup, log_case_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_line_has_time_level_and_message),
        CASE(a_line_has_the_request_id_while_there_is_one),
        CASE(a_line_has_facts),
        CASE(a_line_stays_a_line),
        CASE(levels_below_the_one_asked_for_are_dropped),
        CASE(levels_have_names),
        CASE(formats_have_names),
        CASE(dates_are_right),
        CASE(a_long_line_is_cut_between_characters),
        CASE(a_signal_handler_may_say_a_line),
        CASE(lines_that_are_held_come_together),
        CASE(lines_that_are_held_stay_whole_and_in_order),
        CASE(a_signal_handler_writes_what_is_held),
        CASE(an_interrupted_line_arrives_whole),
    };

    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
