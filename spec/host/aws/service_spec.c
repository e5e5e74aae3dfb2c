/* The spec of host/aws/service.c: the endpoints. The calls are in spec/system. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "aws/service.h"

static const bool all[AWS_SERVICES] = {true, true, true, true};

static struct config settings(void)
{
    return (struct config){.aws_region = "us-west-2"};
}

static void services_are_in_the_region(void **state)
{
    struct config config = settings();
    struct service_client client;
    struct err err;

    (void)state;
    assert_true(service_open(&client, &config, all, &err));
    assert_string_equal(client.url[AWS_KMS], "https://kms.us-west-2.amazonaws.com/");
    assert_string_equal(client.url[AWS_SSM], "https://ssm.us-west-2.amazonaws.com/");
    assert_string_equal(client.url[AWS_SECRETS_MANAGER],
                        "https://secretsmanager.us-west-2.amazonaws.com/");
    assert_string_equal(client.url[AWS_STS], "https://sts.us-west-2.amazonaws.com/");
    assert_non_null(client.bundle);
    config.aws_region = "cn-north-1";
    assert_true(service_open(&client, &config, all, &err));
    assert_string_equal(client.url[AWS_SSM], "https://ssm.cn-north-1.amazonaws.com.cn/");
}

static void an_endpoint_of_its_own_goes_before_the_one_for_all(void **state)
{
    struct config config = settings();
    struct service_client client;
    struct err err;

    (void)state;
    config.endpoint = "http://127.0.0.1:4566";
    config.endpoint_kms = "https://kms.example";
    config.endpoint_ssm = "";
    assert_true(service_open(&client, &config, all, &err));
    assert_string_equal(client.url[AWS_KMS], "https://kms.example");
    assert_string_equal(client.url[AWS_SSM], "http://127.0.0.1:4566");
    assert_string_equal(client.url[AWS_SECRETS_MANAGER], "http://127.0.0.1:4566");
    config.endpoint_kms = NULL;
    config.endpoint_ssm = "http://localhost:1/";
    config.endpoint_secrets = "http://[::1]:2";
    config.endpoint_sts = "http://127.0.0.1:3";
    assert_true(service_open(&client, &config, all, &err));
    assert_string_equal(client.url[AWS_SSM], "http://localhost:1/");
    assert_string_equal(client.url[AWS_SECRETS_MANAGER], "http://[::1]:2");
    assert_string_equal(client.url[AWS_STS], "http://127.0.0.1:3");
    assert_null(client.bundle); /* http needs none */
}

static void http_is_for_loopback_alone(void **state)
{
    static const char *const good[] = {
        "http://127.0.0.1",
        "http://127.9.8.7:80/",
        "http://localhost",
        "HTTP://LOCALHOST/",
        "http://[::1]:1/",
        "https://10.0.0.1",
        "https://vpce-1.kms.us-west-2.vpce.amazonaws.com/path",
    };
    static const char *const bad[] = {
        "http://10.0.0.1",
        "http://128.0.0.1",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "http://localhost@10.0.0.1",
        "http://[::2]",
        "http://example.com/127.0.0.1",
        "ftp://127.0.0.1",
        "127.0.0.1:4566",
        "https://me:secret@example.com",
        "https://example.com/?a=b",
        "https://example.com/#a",
        "https://",
        "nonsense",
    };
    const bool kms[AWS_SERVICES] = {[AWS_KMS] = true};
    struct config config = settings();
    struct service_client client;
    char words[200];
    struct err err;
    bool shown;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        config.endpoint = good[i];
        assert_true(service_open(&client, &config, kms, &err));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        config.endpoint = bad[i];
        if (service_open(&client, &config, kms, &err))
            fail_msg("%s", bad[i]);
        shown = strpbrk(bad[i], "@?#") == NULL; /* what may have a secret is not */
        snprintf(words, sizeof(words), "AWS_ENDPOINT_URL%s%s%s: ", shown ? " is \"" : "",
                 shown ? bad[i] : "", shown ? "\"" : "");
        assert_memory_equal(err.text, words, strlen(words));
        assert_null(strstr(err.text, "me:secret"));
        assert_string_equal(err_type(&err), "ValueError");
    }
    config.endpoint_kms = "http://10.0.0.1";
    assert_false(service_open(&client, &config, kms, &err));
    assert_string_equal(err.text,
                        "AWS_ENDPOINT_URL_KMS is \"http://10.0.0.1\": http:// to "
                        "10.0.0.1 would carry the "
                        "session token in the clear; it is for loopback alone, use "
                        "https://");
}

static void what_is_not_asked_is_not_judged(void **state)
{
    const bool ssm[AWS_SERVICES] = {[AWS_SSM] = true};
    struct config config = settings();
    struct service_client client;
    struct err err;

    (void)state;
    config.endpoint_kms = "http://10.0.0.1";
    assert_true(service_open(&client, &config, ssm, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(services_are_in_the_region),
        cmocka_unit_test(an_endpoint_of_its_own_goes_before_the_one_for_all),
        cmocka_unit_test(http_is_for_loopback_alone),
        cmocka_unit_test(what_is_not_asked_is_not_judged),
    };

    return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}
