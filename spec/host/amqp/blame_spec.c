/* The spec of host/amqp/blame.c: RabbitMQ's words, whole and cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "amqp/blame.h"

static struct bytes bytes_of(const char *text)
{
    return (struct bytes){.data = text, .len = strlen(text)};
}

static bool blames(const char *words, const char *exchange, const char *routing_key)
{
    const struct message message = {.exchange = bytes_of(exchange),
                                    .routing_key = bytes_of(routing_key)};

    return blame(words, &message);
}

static void an_exchange_is_named_whole(void **state)
{
    static const char missing[] = "NOT_FOUND - no exchange 'x' in vhost '/'";
    static const char refused[] = "ACCESS_REFUSED - access to exchange 'amq.default' in "
                                  "vhost '/' refused for user 'u'";

    (void)state;
    assert_true(blames(missing, "x", "k"));
    assert_false(blames(missing, "", "x"));
    assert_false(blames(missing, "xy", "k"));
    assert_false(blames(missing, "y", "k"));
    assert_true(blames(refused, "", "q"));
    assert_false(blames(refused, "x", "q"));
    assert_false(blames("ACCESS_REFUSED", "x", "q"));
    assert_false(blames("", "", ""));
}

/* 3.10's words, and those of 4. */
static void of_a_topic_the_routing_key_counts_too(void **state)
{
    static const char *const words[] = {
        "ACCESS_REFUSED - access to topic 'a.b' in exchange 'x' in vhost '/' refused for "
        "user 'u'",
        "ACCESS_REFUSED - write access to topic 'a.b' in exchange 'x' in vhost '/' "
        "refused for user 'u'"};

    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_true(blames(words[i], "x", "a.b"));
        assert_false(blames(words[i], "x", "a.c"));
        assert_false(blames(words[i], "y", "a.b"));
        assert_false(blames(words[i], "", "a.b"));
    }
}

/* As RabbitMQ cuts it: 252 bytes and three dots. */
static const char *cut(const char *begin, const char *name)
{
    static char text[256];

    snprintf(text, 253, "%s%s' in vhost '/'", begin, name);
    return strcat(text, "...");
}

static void a_name_that_is_cut_counts_as_far_as_it_is_there(void **state)
{
    char name[256] = "", other[256] = "";
    const char *words;

    (void)state;
    memset(name, 'x', 254);
    memset(other, 'x', 100);
    words = cut("NOT_FOUND - no exchange '", name);
    assert_true(blames(words, name, "k"));
    assert_false(blames(words, other, "k"));
    assert_false(blames(words, "", "k"));
    words = cut("ACCESS_REFUSED - access to topic '", name);
    assert_true(blames(words, "x", name));
    assert_false(blames(words, "x", other));
    name[225] = '\0'; /* "' i" is all that is left behind it */
    assert_true(blames(cut("NOT_FOUND - no exchange '", name), name, "k"));
    name[224] = '\0';
    assert_false(blames("NOT_FOUND - no exchange 'xabc", name, "k")); /* not cut */
    words = cut("NOT_FOUND - no exchange '", "x...");
    assert_false(blames(words, name, "k"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_exchange_is_named_whole),
        cmocka_unit_test(of_a_topic_the_routing_key_counts_too),
        cmocka_unit_test(a_name_that_is_cut_counts_as_far_as_it_is_there),
    };

    return cmocka_run_group_tests_name("blame", tests, NULL, NULL);
}
