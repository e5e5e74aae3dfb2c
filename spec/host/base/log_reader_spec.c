/* The spec of host/base/log.c where nobody reads the log, and where an event has too much
 * of it. Whoever waits here for ever is killed after a minute. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "asserts.h"
#include "base/log.h"
#include "base/log_output.h"
#include "child.h"

#define EVENT_BYTES 1000000

static int reader; /* of the log */
static int real_stdout;
static char got[4 * EVENT_BYTES];

static int setup(void **state)
{
    int ends[2];

    (void)state;
    if (pipe(ends) != 0)
        return -1;
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    fflush(stdout);
    real_stdout = dup(STDOUT_FILENO);
    dup2(ends[1], STDOUT_FILENO);
    close(ends[1]);
    reader = ends[0];
    log_set_format(LOG_TEXT);
    log_set_level(LOG_LEVEL_DEBUG);
    alarm(300);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    alarm(0);
    log_context(NULL);
    log_output_deadline(NULL);
    dup2(real_stdout, STDOUT_FILENO);
    close(real_stdout);
    close(reader);
    return 0;
}

/* What is in the pipe, as a string. */
static const char *read_log(void)
{
    size_t len = 0;
    ssize_t n = 1;

    while (n > 0) {
        n = read(reader, got + len, sizeof(got) - 1 - len);
        len += n > 0 ? (size_t)n : 0;
    }
    got[len] = '\0';
    return got;
}

static void until(int64_t ms)
{
    struct deadline deadline = deadline_in(ms);

    log_output_deadline(&deadline);
}

/* Lines of 100 bytes and more. */
static void write_lines(int count)
{
    for (int i = 0; i < count; i++)
        log_message(LOG_LEVEL_INFO, "%05d %0100d", i, 0);
}

/* Whole lines of write_lines(), with all numbers from 0. Returns how many. */
static int assert_whole(const char *text)
{
    int count = 0;

    for (; *text; text = strchr(text, '\n') + 1, count++) {
        assert_non_null(strchr(text, '\n'));
        assert_int_equal(atoi(text + 31), count);
        assert_int_equal(strchr(text, '\n') - text, 31 + 5 + 1 + 100);
    }
    return count;
}

/* ------------------------------------------------------------------ nobody reads */

static void a_full_pipe_holds_nobody_up(void **state)
{
    char words[100];
    const char *rest;
    int written;

    (void)state;
    until(300);
    write_lines(2000);
    until(600000); /* who does not read is not waited for again */
    write_lines(10);
    written = assert_whole(read_log());
    assert_in_range(written, 300, 1000); /* 64 KiB */

    log_message(LOG_LEVEL_INFO, "there again");
    rest = read_log();
    snprintf(words, sizeof(words), "WARN  %d lines of the log are lost: nobody read it\n",
             2010 - written);
    assert_has(rest, words);
    assert_has(rest, "INFO  there again\n");
    log_message(LOG_LEVEL_INFO, "once");
    assert_null(strstr(read_log(), "lost"));
}

static void a_long_line_that_is_torn_ends_before_the_next(void **state)
{
    static char text[200 * 1024];
    const char *rest;

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    until(100);
    log_message(LOG_LEVEL_INFO, "%s", text);
    assert_null(strchr(read_log(), '\n'));
    log_message(LOG_LEVEL_INFO, "next");
    rest = read_log();
    assert_int_equal(rest[0], '\n');
    assert_has(rest, "1 line of the log is lost");
    assert_has(rest, "INFO  next\n");
}

/* All of it; ends with 1 where something is lost. */
static void read_slowly(void)
{
    size_t len = 0;
    ssize_t n = 1;

    fcntl(reader, F_SETFL, 0);
    close(real_stdout);
    while (n > 0) {
        sleep_ms(2);
        n = read(reader, got + len, 4096);
        len += n > 0 ? (size_t)n : 0;
    }
    got[len] = '\0';
    if (assert_whole(got) != 2000)
        _exit(1);
}

static void a_slow_reader_is_waited_for(void **state)
{
    pid_t child;
    int status;

    (void)state;
    until(600000);
    child = fork();
    if (child == 0) {
        close(STDOUT_FILENO);
        read_slowly();
        _exit(0);
    }
    write_lines(2000);
    dup2(real_stdout, STDOUT_FILENO); /* the reader's end of file */
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void loop_with_a_full_pipe(void)
{
    static char text[70 * 1024];

    fcntl(STDOUT_FILENO, F_SETFL, O_NONBLOCK);
    while (write(STDOUT_FILENO, text, sizeof(text)) > 0)
        ;
    fcntl(STDOUT_FILENO, F_SETFL, 0);
    start_watching(far(), "k", 1);
    for (;;)
        ;
}

static void the_watchdog_ends_a_rule_then_too(void **state)
{
    pid_t child = fork();
    int status = 0;

    (void)state;
    if (child == 0) {
        alarm(300);
        loop_with_a_full_pipe();
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
}

/* ------------------------------------------------------------------ too much */

static void write_to_a_file(void)
{
    FILE *file = tmpfile();

    dup2(fileno(file), STDOUT_FILENO);
    reader = dup(fileno(file));
    fclose(file);
}

static const char *file_text(void)
{
    ssize_t len = pread(reader, got, sizeof(got) - 1, 0);

    got[len > 0 ? len : 0] = '\0';
    return got;
}

static size_t count(const char *text, const char *words)
{
    size_t found = 0;

    for (; (text = strstr(text, words)); text++)
        found++;
    return found;
}

static void an_event_writes_a_megabyte_at_most(void **state)
{
    static char metrics[20000] = "{\"metrics\":\"";
    char words[100];
    size_t lines;

    (void)state;
    write_to_a_file();
    memset(metrics + strlen(metrics), 'm', 15000);
    strcat(metrics, "\"}");
    log_context("id-1");
    write_lines(20000); /* 2.8 MB */
    log_metrics(metrics, strlen(metrics));
    log_context(NULL);
    assert_true(strlen(file_text()) <= EVENT_BYTES);
    assert_true(strlen(got) > EVENT_BYTES * 8 / 10);
    assert_int_equal(count(got, metrics + 1), 1); /* after time and level */
    lines = count(got, "INFO  id-1 ");
    snprintf(
        words, sizeof(words),
        "WARN  id-1 %zu more lines of this event are not written: its log has 1 MB\n",
        20000 - lines);
    assert_has(got, words);

    log_context("id-2");
    log_message(LOG_LEVEL_INFO, "the next event has its own");
    assert_has(file_text(), "INFO  id-2 the next event has its own\n");
}

static void what_is_of_no_event_has_no_limit(void **state)
{
    (void)state;
    write_to_a_file();
    write_lines(20000);
    assert_int_equal(count(file_text(), "\n"), 20000);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_full_pipe_holds_nobody_up),
        CASE(a_long_line_that_is_torn_ends_before_the_next),
        CASE(a_slow_reader_is_waited_for),
        CASE(the_watchdog_ends_a_rule_then_too),
        CASE(an_event_writes_a_megabyte_at_most),
        CASE(what_is_of_no_event_has_no_limit),
    };

    return cmocka_run_group_tests_name("log reader", tests, NULL, NULL);
}
