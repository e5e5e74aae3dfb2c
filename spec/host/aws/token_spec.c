/* The spec of host/aws/sts.c, fetch.c and secrets.c for a password that is a token: what
 * STS is asked, how long the token is kept, and when there is a new one. STS and the
 * clock are fakes: a turn is an answer of STS, and the diary has the seconds. */
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

#define ANSWERED_S 1796054400 /* 2026-11-30T16:00:00Z, by STS's own clock */
#define MINUTE_MS 60000

/* ------------------------------------------------------------- STS */

struct turn {
    const char *token; /* NULL: refused */
    const char *expiration;
    enum service_result result;
    bool no_date;
};

static const struct turn *turn;
static char diary[1024];
static char body_asked[512];

const char *service_name(enum service service)
{
    static const char *const names[] = {"kms", "ssm", "secretsmanager", "sts"};

    return names[service];
}

bool service_open(struct service_client *client, const struct config *config,
                  const bool services[AWS_SERVICES], struct err *err)
{
    (void)services, (void)err;
    client->config = config;
    return true;
}

enum service_result service_call(struct service_client *client, enum service service,
                                 const struct buffer *body, int64_t timeout_ms,
                                 struct buffer *reply, struct err *err)
{
    const struct turn *this = turn++;
    const char *seconds = strstr(body->data, "DurationSeconds=");
    char text[512];

    (void)timeout_ms;
    assert_int_equal(service, AWS_STS);
    assert_true(reply->secret);
    snprintf(body_asked, sizeof(body_asked), "%s", body->data);
    sprintf(diary + strlen(diary), "%s ", seconds + strlen("DurationSeconds="));
    client->answered_s = this->no_date ? 0 : ANSWERED_S;
    if (!this->token) {
        err_set(err, CAUSE_SECRET, "sts: no");
        return this->result;
    }
    snprintf(text, sizeof(text), "<R><WebIdentityToken>%s</WebIdentityToken>%s%s%s</R>",
             this->token, this->expiration ? "<Expiration>" : "",
             this->expiration ? this->expiration : "",
             this->expiration ? "</Expiration>" : "");
    assert_true(buffer_append_text(reply, text));
    return AWS_DONE;
}

void service_hang_up(struct service_client *client)
{
    (void)client;
}

/* ------------------------------------------------------------- a case */

static struct config config;
static struct secrets *secrets;
static struct err err;

static void open_for(const char *password)
{
    config = (struct config){
        .virtual_host = "/", .password = password, .aws_region = "us-west-2"};
    secrets = secrets_open(&config, &err);
}

static int setup(void **state)
{
    (void)state;
    fake_clock.stopped_us = 1000000000;
    diary[0] = '\0';
    open_for("sts:rabbitmq");
    assert_non_null(secrets);
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
    return secrets_resolve(secrets, &deadline, &err);
}

static bool last(int64_t ms)
{
    struct deadline deadline = deadline_in(ms);

    return secrets_last(secrets, &deadline);
}

static void pass_s(int64_t seconds)
{
    fake_clock.stopped_us += seconds * 1000000;
}

static const char *token(void)
{
    return secrets_value(secrets, SECRET_PASSWORD);
}

/* ------------------------------------------------------------- asking */

static void the_request_is_a_form(void **state)
{
    const struct turn turns[] = {{.token = "eyJ.a-b_c.d"}};

    (void)state;
    teardown(NULL);
    open_for("sts:https://b.example/ &=%");
    assert_int_equal(resolve(turns, 4000), SECRETS_READY);
    assert_string_equal(body_asked,
                        "Action=GetWebIdentityToken&Version=2011-06-15&"
                        "Audience.member.1=https%3A%2F%2Fb.example%2F%20%26%3D%25&"
                        "SigningAlgorithm=ES384&DurationSeconds=900");
    assert_string_equal(token(), "eyJ.a-b_c.d");
    assert_string_equal(secrets_value(secrets, SECRET_USER), ""); /* it is not set */
}

static void a_long_event_gets_a_longer_token(void **state)
{
    const struct turn turns[] = {{.token = "a"}};

    (void)state;
    resolve(turns, 15 * MINUTE_MS);
    assert_string_equal(diary, "1822 "); /* 10 s to spare, and as much for later events */
    diary[0] = '\0';
    resolve(turns, 120 * MINUTE_MS);
    assert_string_equal(diary, "3600 "); /* STS has no longer ones */
}

static void near_the_sessions_end_a_short_token_will_do(void **state)
{
    const struct turn turns[] = {{.result = AWS_TOO_LONG}, {.token = "short"}};
    const struct turn never[] = {{.result = AWS_TOO_LONG}, {.result = AWS_TOO_LONG}};
    static const struct {
        int64_t ms;
        const char *asked;
    } cases[] = {{4000, "900 60 "}, {MINUTE_MS, "900 60 "}, {15 * MINUTE_MS, "1822 60 "}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(resolve(turns, cases[i].ms), SECRETS_READY);
        assert_string_equal(diary, cases[i].asked);
        assert_string_equal(token(), "short");
        teardown(NULL);
        setup(NULL);
    }
    assert_int_equal(resolve(never, 4000), SECRETS_REFUSED);
    assert_string_equal(err.text, "PIGEON_PASSWORD: sts: no");
}

static void an_answer_without_a_token_is_of_no_use(void **state)
{
    static const char *const tokens[] = {"", "a b", "a\nb", "a\"b", "a&amp;b"};

    (void)state;
    for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
        const struct turn turns[] = {{.token = tokens[i]}};

        assert_int_equal(resolve(turns, 4000), SECRETS_LATER);
        assert_string_equal(err.text,
                            "PIGEON_PASSWORD: sts: the answer has no WebIdentityToken");
    }
}

static void only_a_password_can_be_a_token(void **state)
{
    char long_audience[1100] = "sts:";

    (void)state;
    teardown(NULL);
    open_for("sts:");
    assert_null(secrets);
    assert_non_null(strstr(err.text, "PIGEON_PASSWORD: nothing follows sts:; write "));
    memset(long_audience + 4, 'a', 1001);
    open_for(long_audience);
    assert_null(secrets);
    assert_non_null(strstr(err.text, "has 1001 characters, 1000 at most"));
    config.password = "coo";
    config.user = "sts:rabbitmq";
    assert_null(secrets_open(&config, &err));
    assert_string_equal(
        err.text, "PIGEON_USER: sts: gives a token, which only PIGEON_PASSWORD can be");
    assert_string_equal(err_type(&err), "ValueError");
}

/* ------------------------------------------------------------- keeping */

/* The deadline, how long after the answer, and whether STS is asked once more. */
static void a_token_is_kept_while_it_outlives_the_event(void **state)
{
    static const struct {
        int64_t after_s;
        int64_t deadline_ms;
        bool again;
    } cases[] = {{1, 30000, false},  {800, 30000, false}, {859, 30000, false},
                 {861, 30000, true}, {899, 30000, true},  {2000, 30000, true},
                 {1, 888000, false}, {3, 888000, true},   {0, 4000, false}};
    const struct turn first[] = {{.token = "first"}}, second[] = {{.token = "second"}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        teardown(NULL);
        setup(NULL);
        assert_int_equal(resolve(first, 4000), SECRETS_READY);
        pass_s(cases[i].after_s);
        assert_int_equal(resolve(second, cases[i].deadline_ms), SECRETS_READY);
        assert_string_equal(token(), cases[i].again ? "second" : "first");
    }
}

/* The end is by STS's clock; ours, and how long it was on its way, do not matter. */
static void the_end_is_the_answers_own(void **state)
{
    const struct turn turns[] = {{.token = "a", .expiration = "2026-11-30T16:05:00Z"}};
    const struct turn fraction[] = {
        {.token = "a", .expiration = "2026-11-30T16:05:00.123Z"}};
    const struct turn no_date[] = {
        {.token = "a", .expiration = "2026-11-30T16:05:00Z", .no_date = true}};
    const struct turn nonsense[] = {{.token = "a", .expiration = "soon"}};
    const struct {
        const struct turn *turns;
        int64_t life_s;
    } cases[] = {{turns, 300}, {fraction, 300}, {no_date, 900}, {nonsense, 900}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        teardown(NULL);
        setup(NULL);
        assert_int_equal(resolve(cases[i].turns, 4000), SECRETS_READY);
        pass_s(cases[i].life_s - 1);
        assert_true(last(1000));
        assert_false(last(1001));
    }
}

static void a_connection_is_good_for_the_events_that_its_token_outlives(void **state)
{
    const struct turn turns[] = {{.token = "a"}};

    (void)state;
    assert_false(last(1000)); /* not known yet */
    resolve(turns, 4000);
    assert_true(last(899000));
    assert_true(last(901000)); /* but no later one is to be had so soon */
    pass_s(59);
    assert_true(last(899000));
    pass_s(1);
    assert_false(last(899000));
    assert_true(last(30000));
    pass_s(811);
    assert_false(last(30000));
    pass_s(29);
    assert_false(last(1000)); /* it has ended */
}

/* The function's timeout may be 15 minutes. */
static void a_long_event_does_not_cost_a_connection_a_minute(void **state)
{
    const struct turn turns[] = {{.token = "a"}};

    (void)state;
    resolve(turns, 895000);
    pass_s(90);
    assert_true(last(895000));
    pass_s(800);
    assert_true(last(895000));
}

static void a_short_token_that_has_ended_is_not_good(void **state)
{
    const struct turn turns[] = {{.token = "a", .expiration = "2026-11-30T16:00:03Z"}};

    (void)state;
    resolve(turns, 4000);
    pass_s(2);
    assert_true(last(30000)); /* it is of this minute */
    pass_s(2);
    assert_false(last(30000));
}

static void a_token_that_works_is_used_where_aws_has_no_new_one(void **state)
{
    const struct turn first[] = {{.token = "first"}};
    const struct turn throttled[] = {{.result = AWS_LATER}};
    const struct turn denied[] = {{.result = AWS_REFUSED}};

    (void)state;
    resolve(first, 4000);
    pass_s(890);
    assert_int_equal(resolve(throttled, 30000), SECRETS_READY);
    assert_string_equal(token(), "first");
    assert_int_equal(resolve(denied, 30000), SECRETS_REFUSED);
    pass_s(10);
    assert_int_equal(resolve(throttled, 30000), SECRETS_READY); /* to the last second */
    pass_s(1);
    assert_int_equal(resolve(throttled, 30000), SECRETS_LATER);
}

static void a_refused_login_gets_another_token_at_most_once_a_minute(void **state)
{
    const struct turn first[] = {{.token = "first"}}, second[] = {{.token = "second"}};
    const struct turn throttled[] = {{.result = AWS_LATER}};
    struct deadline deadline = deadline_in(4000);

    (void)state;
    resolve(first, 4000);
    turn = second;
    assert_true(secrets_refresh(secrets, &deadline, &err));
    assert_string_equal(token(), "second");
    pass_s(59);
    assert_false(secrets_refresh(secrets, &deadline, &err));
    assert_string_equal(err.text, "AWS was asked less than a minute ago");
    pass_s(1);
    turn = throttled;
    deadline = deadline_in(4000);
    assert_false(secrets_refresh(secrets, &deadline, &err));
    assert_string_equal(err.text, "PIGEON_PASSWORD: sts: no"); /* and why not */
    assert_string_equal(token(), "second");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_request_is_a_form),
        CASE(a_long_event_gets_a_longer_token),
        CASE(near_the_sessions_end_a_short_token_will_do),
        CASE(an_answer_without_a_token_is_of_no_use),
        CASE(only_a_password_can_be_a_token),
        CASE(a_token_is_kept_while_it_outlives_the_event),
        CASE(the_end_is_the_answers_own),
        CASE(a_connection_is_good_for_the_events_that_its_token_outlives),
        CASE(a_long_event_does_not_cost_a_connection_a_minute),
        CASE(a_short_token_that_has_ended_is_not_good),
        CASE(a_token_that_works_is_used_where_aws_has_no_new_one),
        CASE(a_refused_login_gets_another_token_at_most_once_a_minute),
    };

    return cmocka_run_group_tests_name("token", tests, NULL, NULL);
}
