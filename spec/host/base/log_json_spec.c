/* The spec of JSON lines in host/base/log.c: what arrives at file descriptor 1 is JSON,
 * whatever is in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "fake/clock.h"
#include "log_case.h"

#define HEAD "{\"timestamp\":\"2026-11-24T12:00:00.123Z\",\"level\":"

static void a_line_of_json_has_the_same(void **state)
{
    const char fields[] = "{\"crash_id\":\"x\"}";

    (void)state;
    log_set_format(LOG_JSON);
    log_message(LOG_LEVEL_WARN, "ready in %d ms", 7);
    assert_string_equal(next_write(), HEAD "\"WARN\",\"message\":\"ready in 7 ms\"}\n");
    log_context("1f3c");
    log_rules("0123456789ab");
    log_line(LOG_LEVEL_INFO, "done", 4, fields, strlen(fields));
    assert_string_equal(next_write(),
                        HEAD "\"INFO\",\"requestId\":\"1f3c\",\"rules\":\"0123456789ab\","
                             "\"message\":\"done\",\"crash_id\":\"x\"}\n");
    log_line(LOG_LEVEL_DEBUG, "done", 4, fields, strlen(fields));
    log_line(LOG_LEVEL_INFO, "none", 4, "{}", 2);
    assert_string_equal(next_write(),
                        HEAD "\"INFO\",\"requestId\":\"1f3c\",\"rules\":\"0123456789ab\","
                             "\"message\":\"none\"}\n");
}

static void a_line_of_json_is_json_whatever_it_says(void **state)
{
    (void)state;
    log_set_format(LOG_JSON);
    log_context("a\"b\n");
    log_message(LOG_LEVEL_INFO, "a\nb\"c\\d\x7f\xc2\x9f\xc2\xa0\xff\xed\xa0\x80/");
    assert_string_equal(next_write(),
                        HEAD "\"INFO\",\"requestId\":\"a\\\"b \",\"message\":"
                             "\"a b\\\"c\\\\d  \xc2\xa0\xef\xbf\xbd\xef\xbf\xbd"
                             "\xef\xbf\xbd\xef\xbf\xbd/\"}\n");
}

/* A string of JSON without control characters, and where it ends. */
static const char *end_of_string(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t size;

    for (; *at != '"'; at += size) {
        size = utf8_size(at, strlen((const char *)at));
        assert_true(size > 0 && *at >= 0x20 && *at != 0x7f);
        assert_false(*at == 0xc2 && at[1] < 0xa0);
        if (*at == '\\') {
            assert_true(at[1] == '"' || at[1] == '\\');
            size = 2;
        }
    }
    return (const char *)at;
}

static void a_million_random_bytes_break_no_line_of_json(void **state)
{
    static const char before[] = HEAD "\"INFO\",\"message\":\"";
    static const char shares[] = "\"\\\n\x7f\xc2\x85\xe2\x82\xac\xf0";
    unsigned random = 7;
    char text[1000];
    const char *line;

    (void)state;
    log_set_format(LOG_JSON);
    for (int i = 0; i < 1000; i++) {
        for (size_t j = 0; j < sizeof(text); j++) {
            random = random * 1103515245 + 12345;
            text[j] = (char)(random >> 16);
            if (random >> 30 == 0)
                text[j] = shares[(random >> 16) % (sizeof(shares) - 1)];
        }
        log_line(LOG_LEVEL_INFO, text, sizeof(text), NULL, 0);
        line = next_write();
        assert_memory_equal(line, before, strlen(before));
        assert_string_equal(end_of_string(line + strlen(before)), "\"}\n");
    }
}

static void a_long_line_of_json_is_cut_inside_its_message(void **state)
{
    static char text[LONGEST_WRITE];
    static char fields[LONGEST_WRITE];
    const char *line;
    size_t i;

    (void)state;
    log_set_format(LOG_JSON);
    memset(text, '"', sizeof(text));
    for (i = 0; i < 2; i++) { /* an escape that fits, and one that just does not */
        log_message(LOG_LEVEL_INFO, "%.*s%.*s", (int)i, "a", (int)sizeof(text) - 9, text);
        line = next_write();
        assert_in_range(strlen(line), 256 * 1024 - 1, 256 * 1024);
        assert_string_equal(line + strlen(line) - 6, "\"\\\"\"}\n");
    }
    snprintf(fields, sizeof(fields), "{\"x\":\"%0*d\"}", 100 * 1024, 0);
    log_line(LOG_LEVEL_INFO, text, sizeof(text), fields, strlen(fields));
    line = next_write();
    assert_in_range(strlen(line), 256 * 1024 - 1, 256 * 1024);
    assert_memory_equal(line + strlen(line) - strlen(fields), fields + 1,
                        strlen(fields) - 1);
    snprintf(fields, sizeof(fields), "{\"x\":\"%0*d\"}", 200 * 1024, 0);
    log_line(LOG_LEVEL_INFO, "m", 1, fields, strlen(fields));
    assert_string_equal(next_write(), HEAD "\"INFO\",\"message\":\"m\"}\n");
}

static void a_signal_handlers_line_is_json_too(void **state)
{
    char text[4000];
    const char *line;

    (void)state;
    log_set_format(LOG_JSON);
    log_rules("0123456789ab");
    log_from_signal("at \"key\"\n", 9);
    assert_string_equal(next_write(), HEAD "\"ERROR\",\"rules\":\"0123456789ab\","
                                           "\"message\":\"at \\\"key\\\" \"}\n");
    memset(text, '\\', sizeof(text));
    log_from_signal(text, sizeof(text));
    line = next_write();
    assert_in_range(strlen(line), 2047, 2048);
    assert_string_equal(line + strlen(line) - 7, "\\\\\\\\\"}\n");
}

static void metrics_pass_at_the_level_asked_for(void **state)
{
    (void)state;
    log_context("1f3c");
    log_set_level(LOG_LEVEL_ERROR);
    log_metrics("{\"_aws\":{}}", 11);
    assert_string_equal(next_write(),
                        HEAD "\"ERROR\",\"requestId\":\"1f3c\",\"_aws\":{}}\n");
    log_metrics("MONITORING|1", 12);
    assert_string_equal(next_write(), "MONITORING|1\n");
}

#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, log_case_setup, log_case_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_line_of_json_has_the_same),
        CASE(a_line_of_json_is_json_whatever_it_says),
        CASE(a_million_random_bytes_break_no_line_of_json),
        CASE(a_long_line_of_json_is_cut_inside_its_message),
        CASE(a_signal_handlers_line_is_json_too),
        CASE(metrics_pass_at_the_level_asked_for),
    };

    return cmocka_run_group_tests_name("log json", tests, NULL, NULL);
}
