/* The spec of host/aws/secrets.c: which values are references, the requests for them,
 * and what follows from the responses. AWS and the clock are fakes. A request is written
 * into a diary: the service, the milliseconds it may take, and its body. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "aws/secrets.h"
#include "aws/service.h"
#include "fake/clock.h"

#define CIPHERTEXT "AQICAHj+a/b="

/* ------------------------------------------------------------- the world */

/* What a service answers next, NULL: it refuses with the words. */
struct turn {
    const char *answer;
    enum service_result result;
    const char *words;
    int64_t takes_ms;
};

static const struct turn *turn;
static char diary[4096];
static int hang_ups;

const char *service_name(enum service service)
{
    static const char *const names[] = {"kms", "ssm", "secretsmanager", "sts"};

    return names[service];
}

bool service_open(struct service_client *client, const struct config *config,
                  const bool services[AWS_SERVICES], struct err *err)
{
    client->config = config;
    for (int i = 0; i < AWS_SERVICES; i++)
        if (services[i])
            sprintf(diary + strlen(diary), "open:%s ", service_name((enum service)i));
    if (strcmp(config->aws_region, "bad") == 0)
        return err_set(err, CAUSE_OTHER, "no such region");
    return true;
}

enum service_result service_call(struct service_client *client, enum service service,
                                 const struct buffer *body, int64_t timeout_ms,
                                 struct buffer *reply, struct err *err)
{
    const struct turn *this = turn++;

    (void)client;
    assert_true(reply->secret);
    sprintf(diary + strlen(diary), "%s:%" PRId64 ":%s ", service_name(service),
            timeout_ms, body->data);
    fake_clock.stopped_us += this->takes_ms * 1000;
    if (this->answer)
        assert_true(buffer_append_text(reply, this->answer));
    else
        err_set(err, CAUSE_OTHER, "%s: %s", service_name(service), this->words);
    return this->answer ? AWS_DONE : this->result;
}

void service_hang_up(struct service_client *client)
{
    (void)client;
    hang_ups++;
}

/* ------------------------------------------------------------- a case */

static struct config config;
static struct secrets *secrets;
static struct err err;

static int setup(void **state)
{
    (void)state;
    fake_clock.stopped_us = 1000000000;
    diary[0] = '\0';
    hang_ups = 0;
    err = (struct err){0};
    config = (struct config){.virtual_host = "crashes",
                             .user = "pigeon",
                             .password = "coo",
                             .aws_region = "us-west-2",
                             .function_name = "pigeon-prod"};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    secrets_close(secrets);
    secrets = NULL;
    return 0;
}

static enum secrets_result resolve(const struct turn *turns, int64_t ms)
{
    struct deadline deadline = deadline_in(ms);

    turn = turns;
    err = (struct err){0};
    return secrets_resolve(secrets, &deadline, &err);
}

static bool refresh(const struct turn *turns)
{
    struct deadline deadline = deadline_in(4000);

    turn = turns;
    err = (struct err){0};
    return secrets_refresh(secrets, &deadline, &err);
}

static void open_with(const char *password)
{
    config.password = password;
    secrets = secrets_open(&config, &err);
    assert_non_null(secrets);
}

static const char *password(void)
{
    const char *value = secrets_value(secrets, SECRET_PASSWORD);

    return value ? value : "(not known)";
}

/* ------------------------------------------------------------- references */

static void anything_else_is_the_value_itself(void **state)
{
    /* the setting, and its password */
    static const char *const cases[][2] = {
        {"coo", "coo"},
        {"", ""},
        {"kms", "kms"},
        {"KMS:AAAA", "KMS:AAAA"},
        {" kms:AAAA", " kms:AAAA"},
        {"secrets:x", "secrets:x"},
        {"\\kms:AAAA", "kms:AAAA"},
        {"\\ssm:/a", "ssm:/a"},
        {"\\secretsmanager:a#b", "secretsmanager:a#b"},
        {"\\\\kms:AAAA", "\\kms:AAAA"},
        {"\\coo", "\\coo"},
        {"\\", "\\"},
        {"\\\\", "\\\\"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        open_with(cases[i][0]);
        assert_int_equal(resolve(NULL, 4000), SECRETS_READY);
        assert_string_equal(password(), cases[i][1]);
        assert_false(secrets_refers(secrets, SECRET_PASSWORD));
        teardown(NULL);
    }
    assert_string_equal(diary, "");
}

static void each_kind_is_asked_for_as_its_service_wants_it(void **state)
{
    static const struct {
        const char *setting;
        const char *question;
        const char *answer;
        const char *password;
    } cases[] = {
        {"kms:" CIPHERTEXT, "kms:2500:{\"CiphertextBlob\":\"" CIPHERTEXT "\"} ",
         "{\"Plaintext\":\"c2VzYW1l\"}", "sesame"},
        {"kms:" CIPHERTEXT, "kms:2500:{\"CiphertextBlob\":\"" CIPHERTEXT "\"} ",
         "{\"Plaintext\":\"c2VzYQ==\"}", "sesa"},
        {"ssm:/crash/\"password\"",
         "ssm:2500:{\"WithDecryption\":true,\"Name\":\"/crash/\\\"password\\\"\"} ",
         "{\"Parameter\":{\"Value\":\"sesame\",\"Type\":\"SecureString\"}}", "sesame"},
        {"ssm:arn:aws:ssm:us-west-2:1:parameter/a",
         "ssm:2500:{\"WithDecryption\":true,\"Name\":\"arn:aws:ssm:us-west-2:1:parameter/"
         "a\"} ",
         "{\"Parameter\":{\"Value\":\"ses\\u00e9\"}}", "ses\xc3\xa9"},
        {"secretsmanager:crash/broker",
         "secretsmanager:2500:{\"SecretId\":\"crash/broker\"} ",
         "{\"SecretString\":\"{\\\"not\\\":\\\"looked at\\\"}\"}",
         "{\"not\":\"looked at\"}"},
        {"secretsmanager:arn:aws:secretsmanager:us-west-2:1:secret:a-AbCdEf#pass#word",
         "secretsmanager:2500:{\"SecretId\":\"arn:aws:secretsmanager:us-west-2:1:secret:"
         "a-AbCdEf\"} ",
         "{\"SecretString\":\"{\\\"pass#word\\\":\\\"sesame\\\"}\"}", "sesame"},
        {"secretsmanager:binary", "secretsmanager:2500:{\"SecretId\":\"binary\"} ",
         "{\"SecretBinary\":\"c2VzYW1l\"}", "sesame"},
        {"secretsmanager:binary#a", "secretsmanager:2500:{\"SecretId\":\"binary\"} ",
         "{\"SecretBinary\":\"eyJhIjoiYiJ9\"}", "b"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct turn turns[] = {{.answer = cases[i].answer}};

        open_with(cases[i].setting);
        assert_string_equal(password(), "(not known)");
        diary[0] = '\0';
        assert_int_equal(resolve(turns, 60000), SECRETS_READY);
        assert_string_equal(diary, cases[i].question);
        assert_string_equal(password(), cases[i].password);
        assert_true(secrets_refers(secrets, SECRET_PASSWORD));
        teardown(NULL);
    }
}

#define NEXT                                                           \
    "; write behind it what to ask AWS for, or a backslash before it " \
    "where it is the value"

static void a_reference_that_cannot_be_right_is_refused_when_opened(void **state)
{
    static const char *const cases[][2] = {
        {"kms:", "PIGEON_PASSWORD: nothing follows kms:" NEXT},
        {"ssm:", "PIGEON_PASSWORD: nothing follows ssm:" NEXT},
        {"secretsmanager:", "PIGEON_PASSWORD: nothing follows secretsmanager:" NEXT},
        {"secretsmanager:#a", "PIGEON_PASSWORD: nothing follows secretsmanager:" NEXT},
        {"secretsmanager:a#",
         "PIGEON_PASSWORD: no key follows the #; write secretsmanager:ID#KEY, or leave "
         "the # out for the whole secret"},
        {"kms:AAA",
         "PIGEON_PASSWORD: the text after kms: is not the base64 of a ciphertext (3 "
         "characters; valid up to character 3)"},
        {"kms:AA A",
         "PIGEON_PASSWORD: the text after kms: is not the base64 of a ciphertext (4 "
         "characters; valid up to character 2)"},
        {"kms:A===",
         "PIGEON_PASSWORD: the text after kms: is not the base64 of a ciphertext (4 "
         "characters; valid up to character 1)"},
        {"kms:A=AA",
         "PIGEON_PASSWORD: the text after kms: is not the base64 of a ciphertext (4 "
         "characters; valid up to character 1)"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        config.password = cases[i][0];
        assert_null(secrets_open(&config, &err));
        assert_string_equal(err.text, cases[i][1]);
        assert_string_equal(err_type(&err), "ValueError");
    }
    config.password = "ssm:/a";
    config.aws_region = "bad";
    assert_null(secrets_open(&config, &err));
    assert_string_equal(err.text, "no such region");
}

static void user_and_password_of_one_secret_are_one_call(void **state)
{
    const struct turn turns[] = {
        {.answer =
             "{\"SecretString\":\"{\\\"username\\\":\\\"coocoo\\\",\\\"password\\\":"
             "\\\"sesame\\\"}\"}"},
        {.answer = "{\"Parameter\":{\"Value\":\"crashes\"}}"}};

    (void)state;
    config.virtual_host = "secretsmanager:a#username";
    config.user = "ssm:a";
    open_with("secretsmanager:a#password");
    diary[0] = '\0';
    assert_int_equal(resolve(turns, 3000), SECRETS_READY);
    assert_string_equal(diary, "secretsmanager:1000:{\"SecretId\":\"a\"} "
                               "ssm:2500:{\"WithDecryption\":true,\"Name\":\"a\"} ");
    assert_string_equal(secrets_value(secrets, SECRET_VIRTUAL_HOST), "coocoo");
    assert_string_equal(secrets_value(secrets, SECRET_USER), "crashes");
    assert_string_equal(password(), "sesame");
    assert_int_equal(hang_ups, 1);
    diary[0] = '\0';
    assert_int_equal(resolve(NULL, 3000), SECRETS_READY);
    assert_string_equal(diary, "");
}

static void only_the_services_in_use_are_opened(void **state)
{
    (void)state;
    config.user = "kms:" CIPHERTEXT;
    open_with("secretsmanager:a");
    assert_string_equal(diary, "open:kms open:secretsmanager ");
}

/* ------------------------------------------------------------- KMS' two ways */

static void kms_is_asked_again_with_the_functions_name(void **state)
{
    const struct turn turns[] = {
        {.result = AWS_INVALID_CIPHERTEXT, .words = "no", .takes_ms = 500},
        {.answer = "{\"Plaintext\":\"c2VzYW1l\"}"}};

    (void)state;
    open_with("kms:AAAA");
    diary[0] = '\0';
    assert_int_equal(resolve(turns, 2000), SECRETS_READY);
    assert_string_equal(diary,
                        "kms:2000:{\"CiphertextBlob\":\"AAAA\"} "
                        "kms:1500:{\"CiphertextBlob\":\"AAAA\",\"EncryptionContext\":{"
                        "\"LambdaFunctionName\":\"pigeon-prod\"}} ");
    assert_string_equal(password(), "sesame");
}

static void after_the_second_way_it_is_refused(void **state)
{
    const struct turn twice[] = {{.result = AWS_INVALID_CIPHERTEXT, .words = "no"},
                                 {.result = AWS_INVALID_CIPHERTEXT, .words = "no, no"}};
    const struct turn other[] = {{.result = AWS_REFUSED, .words = "AccessDenied"}};

    (void)state;
    open_with("kms:AAAA");
    assert_int_equal(resolve(twice, 4000), SECRETS_REFUSED);
    assert_string_equal(err.text, "PIGEON_PASSWORD: kms: no, no");
    assert_int_equal(resolve(other, 4000), SECRETS_REFUSED);
    config.function_name = NULL;
    assert_int_equal(resolve(twice, 4000), SECRETS_REFUSED);
    assert_string_equal(err.text, "PIGEON_PASSWORD: kms: no");
}

/* ------------------------------------------------------------- answers */

static void an_answer_that_is_of_no_use_says_why(void **state)
{
    static const struct {
        const char *setting;
        const char *answer;
        enum secrets_result result;
        const char *words;
    } cases[] = {
        {"ssm:a", "{\"Parameter\":{\"Val", SECRETS_LATER, "the answer is not JSON"},
        {"ssm:a", "", SECRETS_LATER, "the answer is not JSON"},
        {"ssm:a", "[]", SECRETS_LATER, "the answer is not JSON"},
        {"ssm:a", "{}", SECRETS_REFUSED, "the answer has no value"},
        {"ssm:a", "{\"Parameter\":7}", SECRETS_REFUSED, "the answer has no value"},
        {"ssm:a", "{\"Parameter\":{\"Value\":7}}", SECRETS_REFUSED,
         "the answer has no value"},
        {"ssm:a", "{\"Parameter\":{\"Value\":\"\"}}", SECRETS_REFUSED,
         "the value is empty"},
        {"ssm:a", "{\"Parameter\":{\"Value\":\"sesame\\u0000\"}}", SECRETS_REFUSED,
         "the value has a NUL in it"},
        {"kms:AAAA", "{\"Plaintext\":\"c2VzYW1\"}", SECRETS_REFUSED,
         "the answer has no value"},
        {"kms:AAAA", "{\"Plaintext\":\"c2*zYW1l\"}", SECRETS_REFUSED,
         "the answer has no value"},
        {"kms:AAAA", "{\"Plaintext\":\"\"}", SECRETS_REFUSED, "the value is empty"},
        {"kms:AAAA", "{\"Plaintext\":\"c2UAYQ==\"}", SECRETS_REFUSED,
         "the value has a NUL in it"},
        {"secretsmanager:a", "{\"ARN\":\"a\"}", SECRETS_REFUSED,
         "the answer has no value"},
        {"secretsmanager:a#b", "{\"SecretString\":\"sesame\"}", SECRETS_REFUSED,
         "the secret is not a JSON object, so it has no member \"b\""},
        {"secretsmanager:a#b", "{\"SecretString\":\"{\\\"c\\\":\\\"sesame\\\"}\"}",
         SECRETS_REFUSED, "the secret has no member \"b\""},
        {"secretsmanager:a#b", "{\"SecretString\":\"{\\\"b\\\":5672}\"}", SECRETS_REFUSED,
         "\"b\" of the secret is not a string; put its value in quotes"},
        {"secretsmanager:a#b", "{\"SecretString\":\"{\\\"b\\\":\\\"\\\"}\"}",
         SECRETS_REFUSED, "the value is empty"},
        {"secretsmanager:a#b",
         "{\"SecretString\":\"{\\\"b\\\":\\\"1\\\",\\\"b\\\":\\\"2\\\"}\"}",
         SECRETS_REFUSED, "the secret is not a JSON object, so it has no member \"b\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct turn turns[] = {{.answer = cases[i].answer}};

        open_with(cases[i].setting);
        assert_int_equal(resolve(turns, 4000), cases[i].result);
        assert_int_equal(strncmp(err.text, "PIGEON_PASSWORD: ", 17), 0);
        assert_non_null(strstr(err.text, cases[i].words));
        assert_null(strstr(err.text, "ses"));
        assert_string_equal(err_type(&err), "Runtime.SecretUnavailable");
        assert_string_equal(password(), "(not known)");
        teardown(NULL);
    }
}

static void what_aws_refuses_outranks_what_may_pass(void **state)
{
    const struct turn turns[] = {{.result = AWS_LATER, .words = "Throttling"},
                                 {.result = AWS_REFUSED, .words = "AccessDenied"},
                                 {.result = AWS_REFUSED, .words = "NotFound"}};

    (void)state;
    config.virtual_host = "ssm:v";
    config.user = "ssm:u";
    open_with("ssm:p");
    assert_int_equal(resolve(turns, 4000), SECRETS_REFUSED);
    assert_string_equal(err.text, "PIGEON_USER: ssm: AccessDenied");
}

static void what_may_pass_is_asked_for_again_and_the_rest_is_not(void **state)
{
    const struct turn turns[] = {{.answer = "{\"Parameter\":{\"Value\":\"u\"}}"},
                                 {.result = AWS_LATER, .words = "Throttling"}};
    const struct turn again[] = {{.answer = "{\"Parameter\":{\"Value\":\"p\"}}"}};

    (void)state;
    config.user = "ssm:u";
    open_with("ssm:p");
    assert_int_equal(resolve(turns, 4000), SECRETS_LATER);
    assert_string_equal(err.text, "PIGEON_PASSWORD: ssm: Throttling");
    diary[0] = '\0';
    assert_int_equal(resolve(again, 4000), SECRETS_READY);
    assert_string_equal(diary, "ssm:2500:{\"WithDecryption\":true,\"Name\":\"p\"} ");
    assert_string_equal(secrets_value(secrets, SECRET_USER), "u");
    assert_string_equal(password(), "p");
}

static void a_silent_service_leaves_time_for_the_others(void **state)
{
    const struct turn turns[] = {
        {.result = AWS_LATER, .words = "silence", .takes_ms = 1000},
        {.answer = "{\"Parameter\":{\"Value\":\"u\"}}"},
        {.answer = "{\"Parameter\":{\"Value\":\"p\"}}"}};

    (void)state;
    config.virtual_host = "kms:AAAA";
    config.user = "ssm:u";
    open_with("ssm:p");
    diary[0] = '\0';
    assert_int_equal(resolve(turns, 3000), SECRETS_LATER);
    assert_string_equal(diary, "kms:1000:{\"CiphertextBlob\":\"AAAA\"} "
                               "ssm:1000:{\"WithDecryption\":true,\"Name\":\"u\"} "
                               "ssm:2000:{\"WithDecryption\":true,\"Name\":\"p\"} ");
    assert_string_equal(password(), "p");
}

static void without_time_nobody_is_asked(void **state)
{
    (void)state;
    open_with("ssm:p");
    diary[0] = '\0';
    assert_int_equal(resolve(NULL, 0), SECRETS_LATER);
    assert_string_equal(err.text, "PIGEON_PASSWORD: ssm: no time left to ask");
    assert_string_equal(diary, "");
}

/* ------------------------------------------------------------- refreshing */

static void a_refresh_asks_for_all_anew_at_most_once_a_minute(void **state)
{
    const struct turn first[] = {{.answer = "{\"Parameter\":{\"Value\":\"old\"}}"}};
    const struct turn same[] = {{.answer = "{\"Parameter\":{\"Value\":\"old\"}}"}};
    const struct turn other[] = {{.answer = "{\"Parameter\":{\"Value\":\"new\"}}"}};

    (void)state;
    open_with("ssm:p");
    assert_int_equal(resolve(first, 4000), SECRETS_READY);
    assert_false(refresh(same));
    assert_string_equal(err.text, "AWS still has the same values");
    fake_clock.stopped_us += 59999000;
    assert_false(refresh(NULL));
    assert_string_equal(err.text, "AWS was asked less than a minute ago");
    fake_clock.stopped_us += 1000;
    assert_true(refresh(other));
    assert_string_equal(password(), "new");
}

static void a_refresh_that_fails_keeps_what_was_known(void **state)
{
    const struct turn first[] = {{.answer = "{\"Parameter\":{\"Value\":\"old\"}}"}};
    const struct turn throttled[] = {{.result = AWS_LATER, .words = "Throttling"}};

    (void)state;
    open_with("ssm:p");
    assert_int_equal(resolve(first, 4000), SECRETS_READY);
    assert_false(refresh(throttled));
    assert_string_equal(err.text, "PIGEON_PASSWORD: ssm: Throttling");
    assert_string_equal(password(), "old");
}

static void without_references_there_is_nothing_to_refresh(void **state)
{
    (void)state;
    open_with("coo");
    assert_false(refresh(NULL));
    assert_string_equal(err.text, "no setting is a reference to AWS");
}

/* ------------------------------------------------------------- hiding */

static void the_brokers_words_lose_what_came_from_references(void **state)
{
    static const char *const cases[][2] = {
        {"NOT_ALLOWED - vhost cra/shes not found",
         "NOT_ALLOWED - vhost (hidden) not found"},
        {"access to exchange 'amq.default' in vhost 'cra/shes' refused for user 'coocoo'",
         "access to exchange 'amq.default' in vhost '(hidden)' refused for user "
         "'(hidden)'"},
        {"user 'coocoo' and user 'other'", "user '(hidden)' and user 'other'"},
        {"no exchange 'coocoo' in vhost 'other'",
         "no exchange 'coocoo' in vhost 'other'"},
        {"user ", "user "},
        {"", ""},
    };
    const struct turn turns[] = {{.answer = "{\"Parameter\":{\"Value\":\"cra/shes\"}}"},
                                 {.answer = "{\"Parameter\":{\"Value\":\"coocoo\"}}"}};
    char text[1024];

    (void)state;
    config.virtual_host = "ssm:v";
    config.user = "ssm:u";
    open_with("coo");
    assert_int_equal(resolve(turns, 4000), SECRETS_READY);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        strcpy(text, cases[i][0]);
        secrets_hide(secrets, text, sizeof(text));
        assert_string_equal(text, cases[i][1]);
    }
    strcpy(text, "to user 'coocoo'");
    secrets_hide(secrets, text, strlen(text) + 1);
    assert_null(strstr(text, "coocoo"));
    teardown(NULL);
    config.virtual_host = "cra/shes";
    config.user = "coocoo";
    open_with("coo");
    strcpy(text, cases[1][0]);
    secrets_hide(secrets, text, sizeof(text));
    assert_string_equal(text, cases[1][0]);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(anything_else_is_the_value_itself),
        CASE(each_kind_is_asked_for_as_its_service_wants_it),
        CASE(a_reference_that_cannot_be_right_is_refused_when_opened),
        CASE(user_and_password_of_one_secret_are_one_call),
        CASE(only_the_services_in_use_are_opened),
        CASE(kms_is_asked_again_with_the_functions_name),
        CASE(after_the_second_way_it_is_refused),
        CASE(an_answer_that_is_of_no_use_says_why),
        CASE(what_aws_refuses_outranks_what_may_pass),
        CASE(what_may_pass_is_asked_for_again_and_the_rest_is_not),
        CASE(a_silent_service_leaves_time_for_the_others),
        CASE(without_time_nobody_is_asked),
        CASE(a_refresh_asks_for_all_anew_at_most_once_a_minute),
        CASE(a_refresh_that_fails_keeps_what_was_known),
        CASE(without_references_there_is_nothing_to_refresh),
        CASE(the_brokers_words_lose_what_came_from_references),
    };

    return cmocka_run_group_tests_name("secrets", tests, NULL, NULL);
}
