/* The spec of host/amqp/delivery.c with secrets in AWS: when AWS is called, and what a
 * refused login leads to.
 *
 * AWS is a fake, too, which writes into the diary of
 * spec/support/fake/delivery_neighbours.h:
 *
 *   resolve  secrets that are not known        refresh      all secrets */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "delivery_case.h"
#include "fake/clock.h"
#include "fake/delivery_neighbours.h"

#define SAME " (AWS still has the same values)"
#define CHECK_USER                                                                   \
    "; next: check PIGEON_USER and PIGEON_PASSWORD (guest may log in only from the " \
    "broker's own machine)"

/* ------------------------------------------------------------- AWS */

struct secrets {
    enum secrets_result result;
    const char *password;
    const char *rotated; /* the password after a refresh; NULL: the same */
    bool refers;         /* the virtual host is a reference */
    int64_t end_ms;      /* of the password; 0: none */
};

enum secrets_result secrets_resolve(struct secrets *secrets,
                                    const struct deadline *deadline, struct err *err)
{
    (void)deadline;
    world_note("resolve");
    if (secrets->result != SECRETS_READY)
        err_set(err, CAUSE_SECRET, "PIGEON_PASSWORD: ssm GetParameter: Throttled");
    return secrets->result;
}

bool secrets_refresh(struct secrets *secrets, const struct deadline *deadline,
                     struct err *err)
{
    (void)deadline;
    world_note("refresh");
    if (!secrets->rotated)
        return err_set(err, CAUSE_OTHER, "AWS still has the same values");
    secrets->password = secrets->rotated;
    world.login = NULL;
    return true;
}

bool secrets_last(const struct secrets *secrets, const struct deadline *deadline)
{
    return secrets->end_ms == 0 || secrets->end_ms >= deadline->end_ms;
}

const char *secrets_value(const struct secrets *secrets, enum secret which)
{
    return which == SECRET_PASSWORD ? secrets->password
           : which == SECRET_USER   ? "pigeon"
                                    : "crashes";
}

bool secrets_refers(const struct secrets *secrets, enum secret which)
{
    return secrets->refers && which == SECRET_VIRTUAL_HOST;
}

void secrets_hide(const struct secrets *secrets, char *text, size_t size)
{
    char *secret = strstr(text, "sesame");

    (void)secrets;
    (void)size;
    if (secret)
        memcpy(secret, "hidden", 6);
}

/* ------------------------------------------------------------- logging in */

static void secrets_are_resolved_before_a_connect(void **state)
{
    struct secrets secrets = {.password = "old"};

    (void)state;
    delivery.secrets = &secrets;
    deliver("a b c", MINUTE_MS, good);
    assert_string_equal(fates(), "ccc");
    deliver("a b c", MINUTE_MS, good);
    assert_string_equal(diary, "resolve as:old connect:0 login publish:abc publish:abc");
}

static void
without_secrets_nothing_is_dialled_and_the_next_event_tries_again(void **state)
{
    struct secrets secrets = {.result = SECRETS_LATER, .password = "old"};

    (void)state;
    delivery.secrets = &secrets;
    deliver("a", MINUTE_MS, no_turn);
    assert_words(0, "secrets", 0,
                 "PIGEON_PASSWORD: ssm GetParameter: Throttled; next: check the "
                 "variable's value, the role, and the way from the function to AWS");
    assert_non_null(strstr(facts.broker_wide, "secrets: PIGEON_PASSWORD"));
    secrets.result = SECRETS_READY;
    deliver("a b c", MINUTE_MS, good);
    assert_string_equal(fates(), "ccc");
    assert_string_equal(diary,
                        "resolve sleep:250 resolve as:old connect:0 login publish:abc");
}

static void a_refused_login_is_tried_once_more_with_a_rotated_password(void **state)
{
    struct secrets secrets = {.password = "old", .rotated = "new"};

    (void)state;
    delivery.secrets = &secrets;
    world.login = "ACCESS_REFUSED";
    deliver("a b c", MINUTE_MS, good);
    assert_string_equal(fates(), "ccc");
    assert_string_equal(
        diary,
        "resolve as:old connect:0 login refresh as:new connect:0 login publish:abc");
}

static void the_same_password_is_not_tried_again(void **state)
{
    struct secrets secrets = {.password = "old"};

    (void)state;
    delivery.secrets = &secrets;
    world.login = "ACCESS_REFUSED";
    deliver("a", MINUTE_MS, no_turn);
    assert_words(0, "login", 403, "a:1: ACCESS_REFUSED" SAME CHECK_USER);
    assert_string_equal(diary, "resolve as:old connect:0 login refresh as:old");
}

static void one_host_of_several_that_refuses_the_login_is_enough(void **state)
{
    struct secrets secrets = {.password = "old", .rotated = "new"};

    (void)state;
    delivery.secrets = &secrets;
    world.hosts = 2;
    world.words[1] = "b: Connection refused";
    world.login = "ACCESS_REFUSED";
    deliver("a b c", MINUTE_MS, good);
    assert_string_equal(diary, "resolve as:old connect:0 login refresh as:new "
                               "connect:0 login publish:abc");
}

/* The first host answers 403 while the second one is silent. */
static void a_silent_host_takes_no_time_from_a_refresh(void **state)
{
    struct secrets secrets = {.password = "old", .rotated = "new"};

    (void)state;
    delivery.secrets = &secrets;
    world.hosts = 2;
    world.takes_ms[1] = -1;
    world.login = "ACCESS_REFUSED";
    deliver("a b c", 10000, good);
    assert_string_equal(fates(), "ccc");
    assert_string_equal(diary, "resolve as:old connect:0 login refresh as:new "
                               "connect:0 login publish:abc");
}

static void a_refusal_that_aws_cannot_cure_leaves_the_other_hosts(void **state)
{
    struct secrets secrets = {.password = "old"};

    (void)state;
    delivery.secrets = &secrets;
    world.hosts = 3;
    world.words[1] = "b: Connection refused";
    world.words[2] = "c: Connection refused";
    world.login = "ACCESS_REFUSED";
    deliver("a", MINUTE_MS, no_turn);
    assert_string_equal(
        diary, "resolve as:old connect:0 login refresh as:old connect:1 connect:2");
}

static void other_failures_refresh_nothing(void **state)
{
    struct secrets secrets = {.password = "old", .rotated = "new"};

    (void)state;
    delivery.secrets = &secrets;
    world.words[0] = "127.0.0.1: Connection refused";
    deliver("a", MINUTE_MS, no_turn);
    assert_string_equal(diary, "resolve as:old connect:0");
    delivery_case_setup(NULL);
    delivery.secrets = &secrets;
    world.login = "NOT_ALLOWED - vhost crashes not found";
    world.code = 530;
    deliver("a", MINUTE_MS, no_turn);
    assert_string_equal(diary, "resolve as:old connect:0 login");
}

static void a_virtual_host_that_is_a_reference_is_refreshed_too(void **state)
{
    struct secrets secrets = {.password = "old", .refers = true};

    (void)state;
    delivery.secrets = &secrets;
    world.login = "NOT_ALLOWED - vhost crashes not found";
    world.code = 530;
    deliver("a", MINUTE_MS, no_turn);
    assert_string_equal(diary, "resolve as:old connect:0 login refresh as:old");
}

static void the_brokers_words_show_no_secret(void **state)
{
    struct secrets secrets = {.password = "old"};
    const struct turn turns[] = {{.fates = "-", .words = "vhost sesame", .final = true}};

    (void)state;
    delivery.secrets = &secrets;
    world.login = "user sesame";
    deliver("a", MINUTE_MS, no_turn);
    assert_words(0, "login", 403, "a:1: user hidden" SAME CHECK_USER);
    world.login = NULL;
    deliver("a", MINUTE_MS, turns);
    assert_words(0, "confirm", 0, "vhost hidden" LOG);
}

static void a_token_that_ends_before_the_deadline_is_replaced_first(void **state)
{
    struct secrets secrets = {.password = "old"};

    (void)state;
    delivery.secrets = &secrets;
    secrets.end_ms = clock_ms() + MINUTE_MS;
    deliver("a b c", MINUTE_MS, good);
    deliver("a b c", MINUTE_MS, good);
    assert_string_equal(diary, "resolve as:old connect:0 login publish:abc publish:abc");
    diary[0] = '\0';
    secrets.password = "new";
    secrets.end_ms = clock_ms() + MINUTE_MS - 1;
    deliver("a b c", MINUTE_MS, good);
    assert_string_equal(fates(), "ccc");
    assert_string_equal(diary, "hang-up resolve as:new connect:0 login publish:abc");
    assert_int_equal(facts.reconnects, 1);
}

/* ------------------------------------------------------------- expiring in the middle */

#define NO_RIGHT                                                      \
    "ACCESS_REFUSED - access to exchange 'amq.default' in vhost '/' " \
    "refused for user 'u'"
#define EXPIRED "the token has expired: " NO_RIGHT ", backend rabbit_auth_backend_o..."
#define NEW_TOKEN                                                            \
    "; next: put a new one where PIGEON_PASSWORD has it from, or let it be " \
    "sts:AUDIENCE; are the clocks of both sides right?"
#define WRITE                                                              \
    "; next: give the user write permission on the exchange (amq.default " \
    "for queues)"

static void a_publish_refused_for_an_old_password_succeeds_with_the_new_one(void **state)
{
    const struct turn expired[] = {
        {.fates = "c--", .words = EXPIRED, .code = 403, .cause = CAUSE_TOKEN_EXPIRED},
        {.fates = "cc"}};
    const struct turn closed[] = {{.fates = "c--",
                                   .words = "credential expired",
                                   .code = 320,
                                   .cause = CAUSE_TOKEN_EXPIRED},
                                  {.fates = "cc"}};
    const struct turn refused[] = {{.fates = "c--", .words = NO_RIGHT, .code = 403},
                                   {.fates = "cc"}};
    const struct turn *const cases[] = {expired, closed, refused};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct secrets secrets = {.password = "old", .rotated = "new"};

        delivery_case_setup(NULL);
        delivery.secrets = &secrets;
        deliver("a b c", MINUTE_MS, cases[i]);
        assert_string_equal(fates(), "ccc");
        assert_string_equal(facts.broker_wide, "");
        assert_string_equal(diary,
                            "resolve as:old connect:0 login publish:abc refresh as:new "
                            "resolve as:new connect:0 login publish:bc");
        delivery_case_teardown(NULL);
    }
}

static void an_expired_token_that_aws_does_not_replace_is_named(void **state)
{
    struct secrets secrets = {.password = "old"};
    const struct turn turns[] = {
        {.fates = "c-", .words = EXPIRED, .code = 403, .cause = CAUSE_TOKEN_EXPIRED}};

    (void)state;
    delivery.secrets = &secrets;
    deliver("a b", MINUTE_MS, turns);
    assert_string_equal(fates(), "cu");
    assert_words(1, "confirm", 403, EXPIRED SAME NEW_TOKEN);
    assert_string_equal(diary,
                        "resolve as:old connect:0 login publish:ab refresh as:old");
    delivery_case_teardown(NULL);
    delivery_case_setup(NULL); /* a password in the variable */
    deliver("a b", MINUTE_MS, turns);
    assert_words(1, "confirm", 403, EXPIRED NEW_TOKEN);
    assert_string_equal(diary, "connect:0 login publish:ab");
}

/* It ended by our clock as well, and AWS was called less than a minute ago. */
static void a_token_that_has_ended_is_replaced_whatever_a_refresh_may(void **state)
{
    struct secrets secrets = {.password = "old"};
    const struct turn turns[] = {{.fates = "-",
                                  .words = EXPIRED,
                                  .code = 403,
                                  .cause = CAUSE_TOKEN_EXPIRED,
                                  .takes_ms = 2000},
                                 {.fates = "c"}};

    (void)state;
    delivery.secrets = &secrets;
    secrets.end_ms = clock_ms() + MINUTE_MS;
    deliver("a b c", MINUTE_MS, good);
    diary[0] = '\0';
    world.connected = true;
    secrets.end_ms = clock_ms() + MINUTE_MS - 1000;
    deliver("a", MINUTE_MS - 1000, turns);
    assert_string_equal(fates(), "u"); /* it lasts until that deadline */
    secrets.end_ms = 1;
    diary[0] = '\0';
    delivery_case_setup(NULL);
    delivery.secrets = &secrets;
    deliver("a", MINUTE_MS, turns);
    assert_string_equal(fates(), "c");
    assert_string_equal(diary, "resolve as:old connect:0 login publish:a refresh as:old "
                               "resolve as:old connect:0 login publish:a");
}

static void a_right_that_is_missing_is_no_matter_of_secrets(void **state)
{
    struct secrets secrets = {.password = "old"};
    struct secrets other = {.password = "old", .rotated = "new"};
    const struct turn once[] = {{.fates = "--", .words = NO_RIGHT, .code = 403},
                                {.fates = "c"}};
    const struct turn twice[] = {{.fates = "--", .words = NO_RIGHT, .code = 403},
                                 {.fates = "--", .words = NO_RIGHT, .code = 403},
                                 {.fates = "c"}};

    (void)state;
    delivery.secrets = &secrets;
    deliver("a b:x", MINUTE_MS, once);
    assert_string_equal(fates(), "uc");
    assert_words(0, "confirm", 403, NO_RIGHT WRITE);
    delivery_case_teardown(NULL);
    delivery_case_setup(NULL);
    delivery.secrets = &other;
    deliver("a b:x", MINUTE_MS, twice);
    assert_string_equal(fates(), "uc");
    assert_words(0, "confirm", 403, NO_RIGHT WRITE);
    assert_string_equal(diary, "resolve as:old connect:0 login publish:ab refresh as:new "
                               "resolve as:new connect:0 login publish:ab "
                               "resolve as:new connect:0 login publish:b");
}

/* A queue is gone, and the refused login was told as the cause (seed 7020829). */
static void a_refusal_that_aws_cured_is_forgotten(void **state)
{
    struct secrets secrets = {.password = "old", .rotated = "new"};
    const struct turn turns[] = {{.fates = "rrr"}};

    (void)state;
    delivery.secrets = &secrets;
    world.login = "ACCESS_REFUSED";
    deliver("a b c", MINUTE_MS, turns);
    assert_string_equal(fates(), "rrr");
    assert_string_equal(facts.broker_wide, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(secrets_are_resolved_before_a_connect),
        CASE(without_secrets_nothing_is_dialled_and_the_next_event_tries_again),
        CASE(a_refused_login_is_tried_once_more_with_a_rotated_password),
        CASE(the_same_password_is_not_tried_again),
        CASE(one_host_of_several_that_refuses_the_login_is_enough),
        CASE(a_silent_host_takes_no_time_from_a_refresh),
        CASE(a_refusal_that_aws_cannot_cure_leaves_the_other_hosts),
        CASE(other_failures_refresh_nothing),
        CASE(a_virtual_host_that_is_a_reference_is_refreshed_too),
        CASE(the_brokers_words_show_no_secret),
        CASE(a_token_that_ends_before_the_deadline_is_replaced_first),
        CASE(a_publish_refused_for_an_old_password_succeeds_with_the_new_one),
        CASE(an_expired_token_that_aws_does_not_replace_is_named),
        CASE(a_token_that_has_ended_is_replaced_whatever_a_refresh_may),
        CASE(a_right_that_is_missing_is_no_matter_of_secrets),
        CASE(a_refusal_that_aws_cured_is_forgotten),
    };

    return cmocka_run_group_tests_name("delivery secrets", tests, NULL, NULL);
}
