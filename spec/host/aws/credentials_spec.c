/* The spec of host/aws/credentials.c, by way of a call that is signed with them: the fake
 * server is the service of credentials, and then KMS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "asserts.h"
#include "aws/service.h"
#include "fake_runtime_api.h"

#define ANSWER(status, length, body) \
    "HTTP/1.1 " status "\r\nContent-Length: " length "\r\n\r\n" body
#define GIVEN                                                                           \
    {                                                                                   \
        .head = ANSWER("200 OK", "96",                                                  \
                       "{\"AccessKeyId\":\"AKFETCHED\",\"SecretAccessKey\":\"s3cret\"," \
                       "\"Token\":\"t0ken\",\"Expiration\":\"2026-11-30\"}")            \
    }
#define DECRYPTED                                                  \
    {                                                              \
        .head = ANSWER("200 OK", "20", "{\"Plaintext\":\"cHc=\"}") \
    }

static const bool kms[AWS_SERVICES] = {[AWS_KMS] = true};

static struct seen *seen;
static char address[32], url[80], uri[80];
static pid_t server;
static struct config config;
static struct service_client client;
static struct buffer reply;

static int setup(void **state)
{
    (void)state;
    seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                -1, 0);
    reply = (struct buffer){.max = 1000};
    alarm(120);
    return seen == MAP_FAILED ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    service_hang_up(&client);
    buffer_free(&reply);
    if (server > 0)
        fake_runtime_api_stop(server);
    server = 0;
    munmap(seen, sizeof(*seen));
    alarm(0);
    return 0;
}

/* Both services at one address, and no credentials in the variables. */
static void play(const struct step *steps)
{
    int listener = fake_runtime_api_listen(address, sizeof(address));
    struct err err = {0};

    assert_true(listener >= 0);
    server = fake_runtime_api_start(listener, steps, seen);
    close(listener);
    snprintf(url, sizeof(url), "http://%s/", address);
    snprintf(uri, sizeof(uri), "http://%s/role?x=1", address);
    config = (struct config){
        .aws_region = "us-west-2", .endpoint = url, .credentials_uri = uri};
    assert_true(service_open(&client, &config, kms, &err));
}

static enum service_result ask_within(int64_t ms, struct err *err)
{
    struct buffer body = {.max = 100};
    enum service_result result;

    buffer_append_text(&body, "{}");
    result = service_call(&client, AWS_KMS, &body, ms, &reply, err);
    buffer_free(&body);
    return result;
}

static enum service_result ask(struct err *err)
{
    return ask_within(20000, err);
}

static void they_are_fetched_once_a_round_and_sign_its_calls(void **state)
{
    static const struct step steps[] = {GIVEN, DECRYPTED, DECRYPTED,
                                        GIVEN, DECRYPTED, {0}};
    struct err err = {0};

    (void)state;
    play(steps);
    config.credentials_token = "Bearer me";
    assert_int_equal(ask(&err), AWS_DONE);
    assert_int_equal(ask(&err), AWS_DONE);
    assert_memory_equal(seen->request[0].head, "GET /role?x=1 HTTP/1.1\r\n", 24);
    assert_has(seen->request[0].head, "\r\nAuthorization: Bearer me\r\n");
    assert_null(strstr(seen->request[0].head, "AWS4"));
    for (int i = 1; i <= 2; i++) {
        assert_has(seen->request[i].head, "Credential=AKFETCHED/");
        assert_has(seen->request[i].head, "\r\nX-Amz-Security-Token: t0ken\r\n");
    }
    service_hang_up(&client);
    assert_int_equal(ask(&err), AWS_DONE);
    assert_memory_equal(seen->request[3].head, "GET /role", 9);
    assert_int_equal(seen->requests, 5);
}

static void the_token_may_be_in_a_file_which_goes_first(void **state)
{
    static const struct step steps[] = {GIVEN, DECRYPTED, {0}};
    char path[] = "/tmp/pigeon-token-XXXXXX";
    int fd = mkstemp(path);
    struct err err = {0};

    (void)state;
    assert_int_equal(write(fd, "of-the-file\n", 12), 12);
    close(fd);
    play(steps);
    config.credentials_token = "of-the-variable";
    config.credentials_token_file = path;
    assert_int_equal(ask(&err), AWS_DONE);
    assert_has(seen->request[0].head, "\r\nAuthorization: of-the-file\r\n");
    unlink(path);
}

static void without_a_token_no_header_is_sent(void **state)
{
    static const struct step steps[] = {
        {.head = ANSWER("200 OK", "51",
                        "{\"AccessKeyId\":\"AK\",\"SecretAccessKey\":\"s3cret\"}    ")},
        DECRYPTED,
        {0}};
    struct err err = {0};

    (void)state;
    play(steps);
    assert_int_equal(ask(&err), AWS_DONE);
    assert_null(strstr(seen->request[0].head, "Authorization:"));
    assert_has(seen->request[1].head, "Credential=AK/");
    assert_null(strstr(seen->request[1].head, "X-Amz-Security-Token"));
}

static void the_variables_go_before_the_service(void **state)
{
    static const struct step steps[] = {DECRYPTED, {0}};
    struct err err = {0};

    (void)state;
    play(steps);
    config.aws_key_id = "AKOWN";
    config.aws_secret_key = "own";
    config.credentials_uri = "nonsense";
    assert_true(service_open(&client, &config, kms, &err));
    assert_int_equal(ask(&err), AWS_DONE);
    assert_has(seen->request[0].head, "Credential=AKOWN/");
}

static void what_goes_wrong_names_the_variable(void **state)
{
    static const struct {
        const char *head;
        enum service_result result;
        const char *words;
    } cases[] = {
        {ANSWER("403 Forbidden", "6", "s3cret"), AWS_REFUSED, "status 403"},
        {ANSWER("500 Oops", "0", ""), AWS_LATER, "status 500"},
        {ANSWER("429 Slow", "0", ""), AWS_LATER, "status 429"},
        {ANSWER("200 OK", "2", "{}"), AWS_REFUSED, "the answer has no AccessKeyId"},
        {ANSWER("200 OK", "6", "s3cret"), AWS_REFUSED, "the answer has no AccessKeyId"},
        {ANSWER("200 OK", "20", "{\"AccessKeyId\":\"AK\"}"), AWS_REFUSED,
         "the answer has no SecretAccessKey"},
        {NULL, AWS_LATER, "/role"},
    };
    struct err err;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct step steps[] = {{.head = cases[i].head, .close = true}, {0}};

        err = (struct err){0};
        play(steps);
        assert_int_equal(ask(&err), cases[i].result);
        assert_has(err.text,
                   "kms Decrypt: credentials from AWS_CONTAINER_CREDENTIALS_FULL_URI: ");
        assert_has(err.text, cases[i].words);
        assert_null(strstr(err.text, "s3cret"));
        assert_null(strstr(err.text, "x=1")); /* a query may be a secret */
        service_hang_up(&client);
        fake_runtime_api_stop(server);
        server = 0;
    }
}

/* For curl, 0 means without a limit. */
static void without_time_nothing_is_waited_for(void **state)
{
    static const struct step silent[] = {{0}};
    struct err err = {0};

    (void)state;
    alarm(20);
    play(silent);
    assert_int_equal(ask_within(0, &err), AWS_LATER);
    config.aws_key_id = config.aws_secret_key = "own";
    service_hang_up(&client);
    assert_int_equal(ask_within(0, &err), AWS_LATER);
}

static void a_token_that_cannot_be_sent_is_said(void **state)
{
    static const struct step steps[] = {{0}};
    struct err err = {0};

    (void)state;
    play(steps);
    config.credentials_token_file = "/nowhere/token";
    assert_int_equal(ask(&err), AWS_REFUSED);
    assert_has(err.text, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: ");
    assert_has(err.text, "/nowhere/token");
    config.credentials_token_file = NULL;
    config.credentials_token = "a\r\nHost: b";
    assert_int_equal(ask(&err), AWS_REFUSED);
    assert_has(err.text, "the authorization token has several lines");
    assert_int_equal(seen->requests, 0);
}

static void where_they_may_come_from(void **state)
{
    static const struct {
        const char *uri;
        bool good;
    } cases[] = {
        {"http://localhost:9001/2021/credentials", true},
        {"http://169.254.170.2/v2/credentials/x", true},
        {"http://169.254.170.23/v1/credentials", true},
        {"http://[fd00:ec2::23]/v1/credentials", true},
        {"https://credentials.example/?a=b", true},
        {"http://169.254.169.254/latest", false},
        {"http://10.0.0.1/", false},
        {"http://credentials.example/", false},
        {"https://me:secret@example.com/", false},
        {"/relative", false},
    };
    struct err err;

    (void)state;
    config = (struct config){.aws_region = "us-west-2", .endpoint = "http://127.0.0.1"};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        config.credentials_uri = cases[i].uri;
        err = (struct err){0};
        if (service_open(&client, &config, kms, &err) != cases[i].good)
            fail_msg("%s: %s", cases[i].uri, err.text);
        if (!cases[i].good)
            assert_has(err.text, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
        assert_null(strstr(err.text, "me:secret"));
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(they_are_fetched_once_a_round_and_sign_its_calls),
        CASE(the_token_may_be_in_a_file_which_goes_first),
        CASE(without_a_token_no_header_is_sent),
        CASE(the_variables_go_before_the_service),
        CASE(what_goes_wrong_names_the_variable),
        CASE(without_time_nothing_is_waited_for),
        CASE(a_token_that_cannot_be_sent_is_said),
        CASE(where_they_may_come_from),
    };

    return cmocka_run_group_tests_name("credentials", tests, NULL, NULL);
}
