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
    assert_string_equal(diary, "drop resolve as:new connect:0 login publish:abc");
    assert_int_equal(facts.reconnects, 1);
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
        CASE(a_refusal_that_aws_cured_is_forgotten),
    };

    return cmocka_run_group_tests_name("delivery secrets", tests, NULL, NULL);
}
