/* The spec of host/amqp/connection.c for a password that is a token: what RabbitMQ's
 * refusals mean then. The texts are RabbitMQ's own, of 3.10 to 4.3. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "amqp/connection.h"

#define PASSWORD "coo"
#define TOKEN "eyJraWQiOiJFQzM4NF8wIn0.eyJhdWQiOiJyYWJiaXRtcSJ9.c2lnbmF0dXJl"
#define EXCHANGE "access to exchange 'amq.default' in vhost '/' refused for user 'u'"
#define OAUTH ", backend rabbit_auth_backend_oauth2 returned an error: "
#define ENDED "\"Provided JWT token has expired at timestamp 1796053457 (...\""

static enum cause cause(const char *password, const char *stage, int code,
                        const char *text, bool whole, struct err *err)
{
    const struct connection connection = {.login.password = password};
    amqp_connection_close_t close = {.reply_code = (uint16_t)code,
                                     .reply_text = amqp_cstring_bytes(text)};
    amqp_channel_close_t channel = {.reply_code = (uint16_t)code,
                                    .reply_text = amqp_cstring_bytes(text)};
    const amqp_method_t method = {.id = whole ? AMQP_CONNECTION_CLOSE_METHOD
                                              : AMQP_CHANNEL_CLOSE_METHOD,
                                  .decoded = whole ? (void *)&close : (void *)&channel};

    assert_false(connection_fail_closed(&connection, err, stage, &method));
    assert_int_equal(err->code, code);
    assert_string_equal(err->stage, stage);
    assert_non_null(strstr(err->text, text));
    return err->cause;
}

static void a_refusal_means_something_else_where_the_login_was_a_token(void **state)
{
    static const struct {
        const char *stage;
        int code;
        const char *text;
        enum cause of_password, of_token;
    } cases[] = {
        {"login", 403, "ACCESS_REFUSED - Login was refused", CAUSE_LOGIN_REFUSED,
         CAUSE_TOKEN_REFUSED},
        {"login", 530, "NOT_ALLOWED - access to vhost '/' refused for user 'u'",
         CAUSE_VHOST_REFUSED, CAUSE_TOKEN_NO_RIGHT},
        {"login", 530, "NOT_ALLOWED - vhost v not found", CAUSE_VHOST_MISSING,
         CAUSE_VHOST_MISSING},
        {"ask", 403, "ACCESS_REFUSED - access to queue 'q'", CAUSE_MAY_NOT_ASK,
         CAUSE_TOKEN_NO_RIGHT},
        {"publish", 403, "ACCESS_REFUSED - " EXCHANGE, CAUSE_NO_WRITE,
         CAUSE_TOKEN_NO_RIGHT},
        {"publish", 403,
         "ACCESS_REFUSED - access to topic 'k' in "
         "exchange 'x' in vhost '/'",
         CAUSE_NO_TOPIC, CAUSE_TOKEN_NO_RIGHT},
        {"publish", 404, "NOT_FOUND - no exchange 'x'", CAUSE_NO_EXCHANGE,
         CAUSE_NO_EXCHANGE},
        {"confirm", 320,
         "CONNECTION_FORCED - broker forced connection closure with "
         "reason 'shutdown'",
         CAUSE_CLOSED_BY_OPERATOR, CAUSE_CLOSED_BY_OPERATOR},
    };
    struct err err;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool whole = cases[i].code != 403 || strcmp(cases[i].stage, "login") == 0;

        assert_int_equal(
            cause(PASSWORD, cases[i].stage, cases[i].code, cases[i].text, whole, &err),
            cases[i].of_password);
        assert_int_equal(
            cause(TOKEN, cases[i].stage, cases[i].code, cases[i].text, whole, &err),
            cases[i].of_token);
        assert_null(strstr(err.text, "expired"));
    }
}

/* RabbitMQ cuts its text at 255 bytes, so a long name leaves less of it. */
static void a_token_that_has_expired_is_named(void **state)
{
    static const struct {
        int code;
        const char *text;
    } cases[] = {
        {403, "ACCESS_REFUSED - " EXCHANGE OAUTH ENDED},
        {403, "ACCESS_REFUSED - write " EXCHANGE OAUTH ENDED},
        {403, "ACCESS_REFUSED - write " EXCHANGE ", backend rabbit_auth_backend_cache "
              "returned an error: " ENDED},
        {403, "ACCESS_REFUSED - " EXCHANGE ", backend rabbit_auth_backend_oa..."},
        {320, "CONNECTION_FORCED - credential expired"},
    };
    struct err err;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        for (int whole = 0; whole < 2; whole++) {
            assert_int_equal(
                cause(TOKEN, "publish", cases[i].code, cases[i].text, whole, &err),
                CAUSE_TOKEN_EXPIRED);
            assert_memory_equal(err.text, "the token has expired: ", 23);
            assert_int_equal(
                cause(PASSWORD, "publish", cases[i].code, cases[i].text, whole, &err),
                CAUSE_TOKEN_EXPIRED);
        }
}

static void only_a_jwt_is_a_token(void **state)
{
    static const struct {
        const char *password;
        bool token;
    } cases[] = {{TOKEN, true},         {"eyJa.b.c", true}, {"eyJa.b", false},
                 {"sesame.b.c", false}, {"eyJ", false},     {"", false}};
    struct err err;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(
            cause(cases[i].password, "publish", 403, "ACCESS_REFUSED", false, &err),
            cases[i].token ? CAUSE_TOKEN_NO_RIGHT : CAUSE_NO_WRITE);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refusal_means_something_else_where_the_login_was_a_token),
        cmocka_unit_test(a_token_that_has_expired_is_named),
        cmocka_unit_test(only_a_jwt_is_a_token),
    };

    return cmocka_run_group_tests_name("token login", tests, NULL, NULL);
}
