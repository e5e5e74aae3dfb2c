/* The spec of host/base/err.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/err.h"

static void sets_words_and_returns_false(void **state)
{
    struct err err = {0};

    (void)state;
    assert_false(err_set(&err, CAUSE_OTHER, "port %d is %s", 5672, "closed"));
    assert_string_equal(err.text, "port 5672 is closed");
}

/* All of it is set at once: nothing stays of an earlier fault. */
static void forgets_the_fault_before(void **state)
{
    struct err err = {0};

    (void)state;
    assert_false(err_set_at(&err, CAUSE_LOGIN_REFUSED, "login", 403, "refused"));
    assert_string_equal(err.stage, "login");
    assert_int_equal(err.code, 403);
    err.final = err.silent = true;
    err_set(&err, CAUSE_MISSING_SETTING, "missing");
    assert_int_equal(err.cause, CAUSE_MISSING_SETTING);
    assert_null(err.stage);
    assert_int_equal(err.code, 0);
    assert_false(err.final || err.silent);
}

static void keeps_the_cause_where_words_are_added(void **state)
{
    struct err err = {0};

    (void)state;
    err_set(&err, CAUSE_SECRET_DENIED, "AccessDenied");
    err_wrap(&err, "PIGEON_PASSWORD");
    assert_false(err_at(&err, "secrets"));
    assert_string_equal(err.stage, "secrets");
    assert_int_equal(err.cause, CAUSE_SECRET_DENIED);
    assert_string_equal(err.text, "PIGEON_PASSWORD: AccessDenied");
}

/* By the cause alone, whatever the words are. */
static void the_next_step_follows_from_the_cause(void **state)
{
    struct err err = {0};

    (void)state;
    err_set_at(&err, CAUSE_TLS_EXPIRED, "tls", 0,
               "the certificate of \"CN=time speaks TLS\" expired");
    err_advise(&err);
    assert_string_equal(err.text, "the certificate of \"CN=time speaks TLS\" expired; "
                                  "next: renew the broker's certificate");
    err_set(&err, CAUSE_BAD_SETTING, "PIGEON_PORT is bad");
    err_advise(&err);
    assert_string_equal(err.text, "PIGEON_PORT is bad");
}

static void every_cause_but_four_has_advice(void **state)
{
    (void)state;
    for (enum cause cause = 0; cause < CAUSES; cause++) {
        struct err err = {.cause = cause};
        bool none = cause == CAUSE_OTHER || cause == CAUSE_MISSING_SETTING ||
                    cause == CAUSE_BAD_SETTING || cause == CAUSE_RULES;

        if (none != !err_advice(&err))
            print_error("cause %d\n", cause);
        assert_int_equal(none, !err_advice(&err));
    }
}

static void tells_AWS_the_type(void **state)
{
    static const struct {
        enum cause cause;
        const char *type;
    } types[] = {{CAUSE_OTHER, "Runtime.InitFailed"},
                 {CAUSE_MEMORY, "Runtime.InitFailed"},
                 {CAUSE_MISSING_SETTING, "KeyError"},
                 {CAUSE_BAD_SETTING, "ValueError"},
                 {CAUSE_TLS_FILE, "ValueError"},
                 {CAUSE_RULES, "Runtime.RulesInvalid"},
                 {CAUSE_SECRET, "Runtime.SecretUnavailable"},
                 {CAUSE_SECRET_DENIED, "Runtime.SecretUnavailable"}};

    (void)state;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        struct err err = {.cause = types[i].cause};

        assert_string_equal(err_type(&err), types[i].type);
    }
}

static void long_words_leave_room_for_the_next_step(void **state)
{
    const char *advice = "; next: check PIGEON_VIRTUAL_HOST";
    struct err err = {0};
    char many[4000];

    (void)state;
    memset(many, 'x', sizeof(many) - 1);
    many[sizeof(many) - 1] = '\0';
    err_set(&err, CAUSE_VHOST_MISSING, "%s", many);
    err_advise(&err);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    assert_string_equal(err.text + strlen(err.text) - strlen(advice), advice);
}

static void wraps_with_the_new_words_first(void **state)
{
    struct err err = {0};

    (void)state;
    err_set(&err, CAUSE_OTHER, "refused");
    assert_false(err_wrap(&err, "connect to %s", "b:5672"));
    assert_false(err_wrap(&err, "init"));
    assert_string_equal(err.text, "init: connect to b:5672: refused");
}

static void adds_words_at_the_end(void **state)
{
    struct err err = {0};

    (void)state;
    err_set(&err, CAUSE_OTHER, "refused");
    err_add(&err, "; start %s", "it");
    assert_string_equal(err.text, "refused; start it");
}

static void cuts_what_is_too_long(void **state)
{
    struct err err = {0};
    char many[4000];

    (void)state;
    memset(many, 'x', sizeof(many) - 1);
    many[sizeof(many) - 1] = '\0';
    err_set(&err, CAUSE_OTHER, "%s", many);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    err_wrap(&err, "first");
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    assert_memory_equal(err.text, "first: xxx", 10);
    err_wrap(&err, "%s", many);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    err_add(&err, "%s", many);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_words_and_returns_false),
        cmocka_unit_test(forgets_the_fault_before),
        cmocka_unit_test(keeps_the_cause_where_words_are_added),
        cmocka_unit_test(the_next_step_follows_from_the_cause),
        cmocka_unit_test(every_cause_but_four_has_advice),
        cmocka_unit_test(tells_AWS_the_type),
        cmocka_unit_test(long_words_leave_room_for_the_next_step),
        cmocka_unit_test(wraps_with_the_new_words_first),
        cmocka_unit_test(adds_words_at_the_end),
        cmocka_unit_test(cuts_what_is_too_long),
    };

    return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
