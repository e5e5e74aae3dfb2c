/* The spec of host/config.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

#define SECRET "hunter2-very-secret"

static const char *const all[] = {
    "PIGEON_HOST",
    "PIGEON_PORT",
    "PIGEON_VIRTUAL_HOST",
    "PIGEON_USER",
    "PIGEON_PASSWORD",
    "PIGEON_QUEUE",
    "PIGEON_AWS_REGION",
    "PIGEON_ENV",
    "PIGEON_BATCH_FAILURES",
    "PIGEON_SHADOW_RULES",
    "PIGEON_TLS",
    "PIGEON_TLS_CA_FILE",
    "PIGEON_TLS_CERT_FILE",
    "PIGEON_TLS_KEY_FILE",
    "SSL_CERT_FILE",
    "_HANDLER",
    "LAMBDA_TASK_ROOT",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_LOG_LEVEL",
    "AWS_LAMBDA_LOG_FORMAT",
    "PIGEON_METRICS",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_MAX_CONCURRENCY",
    "PIGEON_EXTENSION",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
};
#define ALL (sizeof(all) / sizeof(all[0]))

static int setup(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < ALL; i++)
        unsetenv(all[i]);
    setenv("PIGEON_HOST", "b1,b2:5673", 1);
    setenv("PIGEON_PORT", "5672", 1);
    setenv("PIGEON_VIRTUAL_HOST", "/", 1);
    setenv("PIGEON_USER", "guest", 1);
    setenv("PIGEON_PASSWORD", SECRET, 1);
    setenv("PIGEON_QUEUE", "normal", 1);
    setenv("PIGEON_AWS_REGION", "us-west-2", 1);
    return 0;
}

static void names_pigeons_variables_and_those_that_are_set(void **state)
{
    struct buffer known = {.max = SIZE_MAX}, set = {.max = SIZE_MAX};

    (void)state;
    setenv("PIGEON_QUEUS", "=a", 1);
    setenv("OTHER_PIGEON_NAME", "b", 1);
    assert_true(config_names(&known, &set));
    assert_non_null(strstr(known.data, "PIGEON_HOST "));
    assert_non_null(strstr(known.data, " PIGEON_TLS_CA_FILE "));
    assert_non_null(strstr(known.data, " PIGEON_METRICS "));
    assert_null(strstr(known.data, "PIGEON_QUEUS"));
    assert_null(strstr(known.data, "AWS_LAMBDA"));
    assert_non_null(strstr(set.data, "PIGEON_QUEUS "));
    assert_non_null(strstr(set.data, "PIGEON_HOST "));
    assert_null(strstr(set.data, "OTHER"));
    assert_null(strstr(set.data, "="));
    unsetenv("PIGEON_QUEUS");
    unsetenv("OTHER_PIGEON_NAME");
    known.max = known.len / 2;
    buffer_free(&known);
    assert_false(config_names(&known, &set));
    buffer_free(&known);
    buffer_free(&set);
}

static void every_setting_is_in_the_list_above(void **state)
{
    struct buffer known = {.max = SIZE_MAX}, set = {.max = SIZE_MAX};
    char *rest = NULL;

    (void)state;
    assert_true(config_names(&known, &set));
    for (char *name = strtok_r(known.data, " ", &rest); name;
         name = strtok_r(NULL, " ", &rest)) {
        size_t i = 0;

        while (i < ALL && strcmp(all[i], name) != 0)
            i++;
        if (i == ALL)
            fail_msg("%s is not in `all`: is it read, and judged, by a test?", name);
    }
    buffer_free(&known);
    buffer_free(&set);
}

static bool check(struct config *config, struct err *err)
{
    *err = (struct err){0};
    config_read(config);
    return config_check(config, err);
}

static void reads_every_variable(void **state)
{
    struct config config;
    struct err err;

    (void)state;
    setenv("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001", 1);
    setenv("_HANDLER", "rules.lua", 1);
    setenv("LAMBDA_TASK_ROOT", "/var/task", 1);
    setenv("AWS_LAMBDA_FUNCTION_NAME", "pigeon-prod", 1);
    setenv("AWS_LAMBDA_LOG_STREAM_NAME", "stream", 1);
    setenv("AWS_LAMBDA_LOG_LEVEL", "DEBUG", 1);
    setenv("AWS_LAMBDA_LOG_FORMAT", "Text", 1);
    setenv("PIGEON_METRICS", "off", 1);
    setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256", 1);
    setenv("PIGEON_ENV", "stage", 1);
    setenv("PIGEON_BATCH_FAILURES", "crashes,more", 1);
    setenv("PIGEON_SHADOW_RULES", "new.lua", 1);
    setenv("PIGEON_TLS", "off", 1);
    setenv("PIGEON_TLS_CA_FILE", "ca.pem", 1);
    setenv("PIGEON_TLS_CERT_FILE", "cert.pem", 1);
    setenv("PIGEON_TLS_KEY_FILE", "key.pem", 1);
    setenv("SSL_CERT_FILE", "usual.pem", 1);
    setenv("AWS_LAMBDA_MAX_CONCURRENCY", "16", 1);
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1/role", 1);
    setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "token", 1);
    setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/token", 1);
    assert_true(check(&config, &err));
    assert_string_equal(config.shadow_rules, "new.lua");
    assert_string_equal(config.tls, "off");
    assert_string_equal(config.tls_ca_file, "ca.pem");
    assert_string_equal(config.tls_cert_file, "cert.pem");
    assert_string_equal(config.tls_key_file, "key.pem");
    assert_string_equal(config.ssl_cert_file, "usual.pem");
    assert_string_equal(config.runtime_api, "127.0.0.1:9001");
    assert_string_equal(config.handler, "rules.lua");
    assert_string_equal(config.task_root, "/var/task");
    assert_string_equal(config.function_name, "pigeon-prod");
    assert_string_equal(config.log_stream, "stream");
    assert_string_equal(config.log_level, "DEBUG");
    assert_string_equal(config.log_format, "Text");
    assert_string_equal(config.metrics, "off");
    assert_int_equal(config.memory_mb, 256);
    assert_int_equal(config.max_concurrency, 16);
    assert_string_equal(config.credentials_uri, "http://127.0.0.1/role");
    assert_string_equal(config.credentials_token, "token");
    assert_string_equal(config.credentials_token_file, "/token");
    assert_string_equal(config.host, "b1,b2:5673");
    assert_string_equal(config.port_text, "5672");
    assert_int_equal(config.port, 5672);
    assert_string_equal(config.virtual_host, "/");
    assert_string_equal(config.user, "guest");
    assert_string_equal(config.password, SECRET);
    assert_string_equal(config.queue, "normal");
    assert_string_equal(config.aws_region, "us-west-2");
    assert_string_equal(config.env, "stage");
    assert_string_equal(config.batch_failures, "crashes,more");
}

static void what_is_not_set_is_null(void **state)
{
    struct config config;
    struct err err;

    (void)state;
    setenv("PIGEON_TLS_CA_FILE", "", 1); /* as if it were not set */
    assert_true(check(&config, &err));
    assert_null(config.tls);
    assert_null(config.tls_ca_file);
    assert_null(config.tls_cert_file);
    assert_null(config.tls_key_file);
    assert_null(config.ssl_cert_file);
    assert_null(config.env);
    assert_null(config.batch_failures);
    assert_null(config.runtime_api);
    assert_null(config.handler);
    assert_null(config.task_root);
    assert_null(config.function_name);
    assert_null(config.log_stream);
    assert_null(config.log_level);
    assert_null(config.log_format);
    assert_null(config.metrics);
    assert_int_equal(config.memory_mb, 0);
    setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "lots", 1);
    config_read(&config);
    assert_int_equal(config.memory_mb, 0);
}

static void each_required_variable_is_missed(void **state)
{
    struct config config;
    struct err err;
    size_t i;

    for (i = 0; i < 7; i++) {
        setup(state);
        unsetenv(all[i]);
        assert_false(check(&config, &err));
        assert_string_equal(err_type(&err), "KeyError");
        assert_non_null(strstr(err.text, all[i]));
        setenv(all[i], "", 1);
        assert_false(check(&config, &err));
        assert_string_equal(err_type(&err), "KeyError");
        assert_non_null(strstr(err.text, all[i]));
        assert_null(strstr(err.text, all[(i + 1) % 7]));
    }
}

static void all_missing_variables_are_named_at_once(void **state)
{
    struct config config;
    struct err err;
    size_t i;

    (void)state;
    for (i = 0; i < 7; i++)
        unsetenv(all[i]);
    assert_false(check(&config, &err));
    assert_string_equal(err_type(&err), "KeyError");
    for (i = 0; i < 7; i++)
        assert_non_null(strstr(err.text, all[i]));
}

static void a_token_needs_no_user(void **state)
{
    struct config config;
    struct err err;

    (void)state;
    unsetenv("PIGEON_USER");
    setenv("PIGEON_PASSWORD", "sts:rabbitmq", 1);
    assert_true(check(&config, &err));
    setenv("PIGEON_USER", "", 1);
    assert_true(check(&config, &err));
    setenv("PIGEON_PASSWORD", "\\sts:rabbitmq", 1);
    assert_false(check(&config, &err));
    assert_non_null(strstr(err.text, "missing or empty: PIGEON_USER;"));
}

static void a_certificate_is_the_login_where_nothing_else_is(void **state)
{
    struct config config;
    struct err err;

    (void)state;
    setenv("PIGEON_TLS_CERT_FILE", "cert.pem", 1);
    setenv("PIGEON_TLS_KEY_FILE", "key.pem", 1);
    assert_true(check(&config, &err));
    assert_false(config_external(&config)); /* beside a user and a password */
    unsetenv("PIGEON_PASSWORD");
    assert_false(check(&config, &err));
    assert_false(config_external(&config));
    assert_non_null(strstr(err.text, "missing or empty: PIGEON_PASSWORD;"));
    setenv("PIGEON_USER", "", 1);
    assert_true(check(&config, &err));
    assert_true(config_external(&config));
    unsetenv("PIGEON_TLS_CERT_FILE");
    assert_false(check(&config, &err));
    assert_false(config_external(&config));
    assert_non_null(strstr(err.text, "missing or empty: PIGEON_USER, PIGEON_PASSWORD;"));
}

static void ports(void **state)
{
    static const struct {
        const char *text;
        int port;          /* 0: refused */
        const char *words; /* that the error has */
    } cases[] = {
        {"1", 1, NULL},
        {"5671", 5671, NULL},
        {"65535", 65535, NULL},
        {"0", 0, "position 1: \"0\""},
        {"65536", 0, "position 1: \"65536\""},
        {"99999999999999999999999", 0, "\"99999999999999999999999\""},
        {"abc", 0, "position 1: \"a\""},
        {"56x2", 0, "position 3: \"x\" is not a digit, in \"56x2\""},
        {" 5672", 0, "position 1: \" \""},
        {"5672 ", 0, "position 5: \" \""},
        {"-1", 0, "position 1: \"-\""},
        {"+1", 0, "position 1: \"+\""},
        {"1.5", 0, "position 2: \".\""},
        {"0x10", 0, "position 2: \"x\""},
        {"56\n72", 0, "position 3: \"\\x0a\" is not a digit, in \"56\\x0a72\""},
        {"\x1b[2J", 0, "\"\\x1b\" is not a digit, in \"\\x1b[2J\""},
        {"\xc3\xa9", 0, "in \"\\xc3\\xa9\""},
        {"%s%n", 0, "in \"%s%n\""},
        {"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeee", 0,
         "in \"aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd...\""},
        {"\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n"
         "\n\n"
         "\n",
         0, "\\x0a...\""},
    };
    struct config config;
    struct err err;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        setenv("PIGEON_PORT", cases[i].text, 1);
        assert_int_equal(check(&config, &err), cases[i].port != 0);
        if (cases[i].port != 0) {
            assert_int_equal(config.port, cases[i].port);
            continue;
        }
        assert_string_equal(err_type(&err), "ValueError");
        assert_non_null(strstr(err.text, "PIGEON_PORT"));
        if (!strstr(err.text, cases[i].words))
            fail_msg("\"%s\" is not in: %s", cases[i].words, err.text);
    }
}

static void the_extension_is_on_or_off(void **state)
{
    static const struct {
        const char *value;
        bool good, extends;
    } cases[] = {{"on", true, true},   {"off", true, false},   {"", true, true},
                 {"ON", false, false}, {"true", false, false}, {"off ", false, false}};
    struct config config;
    struct err err;
    char words[80];

    (void)state;
    assert_true(check(&config, &err));
    assert_true(config_extends(&config));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        setenv("PIGEON_EXTENSION", cases[i].value, 1);
        assert_int_equal(check(&config, &err), cases[i].good);
        if (cases[i].good)
            assert_int_equal(config_extends(&config), cases[i].extends);
        snprintf(words, sizeof(words),
                 "PIGEON_EXTENSION: \"%s\" is neither \"on\" nor \"off\"",
                 cases[i].value);
        assert_string_equal(err.text, cases[i].good ? "" : words);
    }
}

static void somebody_waits_for_a_start_on_demand(void **state)
{
    static const struct {
        const char *type;
        bool ahead;
    } cases[] = {{"on-demand", false},
                 {"", false},
                 {"provisioned-concurrency", true},
                 {"snap-start", true},
                 {"lambda-managed-instances", true}};
    struct config config;

    (void)state;
    config_read(&config);
    assert_false(config_starts_ahead(&config));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        setenv("AWS_LAMBDA_INITIALIZATION_TYPE", cases[i].type, 1);
        config_read(&config);
        assert_int_equal(config_starts_ahead(&config), cases[i].ahead);
    }
}

static void a_region_is_a_name_and_no_way_into_another_host(void **state)
{
    struct config config;
    struct err err;

    (void)state;
    setenv("PIGEON_AWS_REGION", "evil.example/", 1);
    assert_false(check(&config, &err));
    assert_string_equal(err_type(&err), "ValueError");
    assert_string_equal(err.text,
                        "PIGEON_AWS_REGION is \"evil.example/\", which is not a "
                        "region name (example: us-west-2)");
    setenv("PIGEON_AWS_REGION", "us west\n", 1);
    assert_false(check(&config, &err));
    assert_string_equal(err.text, "PIGEON_AWS_REGION is \"us west\\x0a\", which is not a "
                                  "region name (example: us-west-2)");
    setenv("PIGEON_AWS_REGION", "ap-southeast-2", 1);
    assert_true(check(&config, &err));
}

static void tls_is_on_or_off(void **state)
{
    static const char *const bad[] = {"yes", "ON", "on ", "0"};
    struct config config;
    struct err err;
    char words[64];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        setenv("PIGEON_TLS", bad[i], 1);
        assert_false(check(&config, &err));
        assert_string_equal(err_type(&err), "ValueError");
        snprintf(words, sizeof(words), "PIGEON_TLS: \"%s\" is neither \"on\" nor \"off\"",
                 bad[i]);
        assert_string_equal(err.text, words);
    }
    setenv("PIGEON_TLS", "on", 1);
    assert_true(check(&config, &err));
}

static void a_client_certificate_needs_its_key(void **state)
{
    struct config config;
    struct err err;

    (void)state;
    setenv("PIGEON_TLS_CERT_FILE", "cert.pem", 1);
    assert_false(check(&config, &err));
    assert_string_equal(err_type(&err), "KeyError");
    assert_string_equal(err.text, "PIGEON_TLS_CERT_FILE is set, and PIGEON_TLS_KEY_FILE "
                                  "is not: a client certificate needs both");
    setenv("PIGEON_TLS_KEY_FILE", "key.pem", 1);
    assert_true(check(&config, &err));
    unsetenv("PIGEON_TLS_CERT_FILE");
    assert_false(check(&config, &err));
    assert_non_null(strstr(err.text, "PIGEON_TLS_CERT_FILE is not"));
}

static void no_error_has_the_password(void **state)
{
    struct config config;
    struct err err;

    (void)state;
    setenv("PIGEON_PORT", "x", 1);
    assert_false(check(&config, &err));
    assert_null(strstr(err.text, SECRET));
    unsetenv("PIGEON_PORT");
    assert_false(check(&config, &err));
    assert_null(strstr(err.text, SECRET));
}

static void takes_the_secrets_out_of_the_environment(void **state)
{
    static const char *const names[] = {"PIGEON_PASSWORD", "AWS_SECRET_ACCESS_KEY",
                                        "AWS_SESSION_TOKEN"};
    struct config config;
    struct err err;
    const char *bytes[3];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        setenv(names[i], SECRET, 1);
        bytes[i] = getenv(names[i]);
    }
    config_read(&config);
    assert_true(config_hide(&config, &err));
    for (size_t i = 0; i < 3; i++) {
        assert_null(getenv(names[i]));
        for (size_t at = 0; at < strlen(SECRET); at++) /* what /proc/PID/environ shows */
            assert_int_equal(bytes[i][at], 0);
    }
    assert_string_equal(config.password, SECRET);
    assert_string_equal(config.aws_secret_key, SECRET);
    assert_string_equal(config.aws_session_token, SECRET);
    assert_true(config_check(&config, &err));
    config_close(&config);
    assert_null(config.password);
    config_close(&config);
}

static void hides_what_is_not_set_too(void **state)
{
    struct config config;
    struct err err;

    (void)state;
    unsetenv("PIGEON_PASSWORD");
    unsetenv("AWS_SECRET_ACCESS_KEY");
    unsetenv("AWS_SESSION_TOKEN");
    config_read(&config);
    assert_true(config_hide(&config, &err));
    assert_null(config.password);
    assert_false(config_check(&config, &err));
    assert_non_null(strstr(err.text, "PIGEON_PASSWORD"));
    config_close(&config);
}

#define CASE(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(names_pigeons_variables_and_those_that_are_set),
        CASE(every_setting_is_in_the_list_above),
        CASE(reads_every_variable),
        CASE(what_is_not_set_is_null),
        CASE(each_required_variable_is_missed),
        CASE(all_missing_variables_are_named_at_once),
        CASE(a_token_needs_no_user),
        CASE(a_certificate_is_the_login_where_nothing_else_is),
        CASE(ports),
        CASE(a_region_is_a_name_and_no_way_into_another_host),
        CASE(tls_is_on_or_off),
        CASE(the_extension_is_on_or_off),
        CASE(somebody_waits_for_a_start_on_demand),
        CASE(a_client_certificate_needs_its_key),
        CASE(no_error_has_the_password),
        CASE(takes_the_secrets_out_of_the_environment),
        CASE(hides_what_is_not_set_too),
    };

    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
